"""The README's promises: its snippets run, its tables are the measured ones, its picture exists."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from ase_mlips import SNAP

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_first_snippet_runs_and_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(SNIPPETS[0].splitlines()) <= 12
    names: dict[str, object] = {}
    exec(SNIPPETS[0], names)
    assert "eV/atom" in capsys.readouterr().out
    assert np.abs(names["atoms"].get_forces()).max() < 0.01  # type: ignore[attr-defined]


def test_fitting_snippet_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """On frames that the embedded model labels, which a model of the same shape then reproduces."""
    monkeypatch.chdir(tmp_path)
    calc = SNAP.embedded("Si")
    frames = []
    for seed in range(12):
        atoms = bulk("Si", cubic=True)
        atoms.rattle(0.1, seed=seed)
        results = {
            "energy": calc.get_potential_energy(atoms),
            "forces": calc.get_forces(atoms),
            "stress": calc.get_stress(atoms),
        }
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    write("silicon.extxyz", frames)
    exec(SNIPPETS[1], {})
    assert "force" in capsys.readouterr().out
    refit = SNAP("silicon.snapcoeff").get_forces(frames[0])
    np.testing.assert_allclose(refit, frames[0].get_forces(), atol=1e-5)


def test_tables_are_what_the_benchmarks_stored() -> None:
    spec = importlib.util.spec_from_file_location("readme_tables", ROOT / "tests" / "benchmarks" / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.with_tables(TEXT) == TEXT


def test_picture_is_there() -> None:
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", TEXT):
        assert (ROOT / path).stat().st_size > 10_000
