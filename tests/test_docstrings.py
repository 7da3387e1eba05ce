"""The examples in docstrings run as they stand, and give what they say."""

import doctest
import importlib
from pathlib import Path

import ase_mlips.analysis
import pytest

import ase_mlips

FOLDERS = {"ase_mlips": ase_mlips.__path__[0], "ase_mlips.analysis": ase_mlips.analysis.__path__[0]}


def modules_with_examples() -> list[str]:
    """Names of the modules in which a docstring has an example."""
    names = set()
    for package, folder in FOLDERS.items():
        for path in Path(folder).rglob("*.py"):
            if ">>> " in path.read_text(encoding="utf-8"):
                parts = path.relative_to(folder).with_suffix("").parts
                names.add(".".join([package, *(part for part in parts if part != "__init__")]))
    return sorted(names)


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    module = importlib.import_module(name)
    found = [test for test in doctest.DocTestFinder().find(module, name) if test.examples]
    assert found
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for test in found:
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)
    assert runner.tries, "every line is marked to be skipped"


FIRST_CALLS = {
    "ase_mlips": "SNAP load",
    "ase_mlips.active": "ActiveLearning",
    "ase_mlips.testing": "check_calculator",
    "ase_mlips.fit": "fit_snap",
    "ase_mlips.phonons": "CalculatorMLP phonons relax",
    "ase_mlips.runs": "elastic_constants equation_of_state minimum_energy_path relax run_md surface_energy vacancy",
    "ase_mlips.analysis": "adf arrhenius cepstral einstein_diffusion green_kubo mean_squared_displacement rdf "
    "thermodynamics vdos HNEMD HeatFluxRecorder MullerPlathe",
}


@pytest.mark.parametrize("module", FIRST_CALLS)
def test_what_newcomers_call_first_has_an_example(module: str) -> None:
    for name in FIRST_CALLS[module].split():
        assert ">>> " in getattr(importlib.import_module(module), name).__doc__, name
