"""The manual's promises: its Python runs, its commands are understood, and it has every public name and example."""

import importlib.util
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from ase_mlips.analysis import HeatFluxRecorder

from ase_mlips import MTP, NEP, SNAP
from ase_mlips.cli.parser import build_parser
from ase_mlips.fit import FullBatch, NepTraining

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {
    path.relative_to(DOCS).with_suffix("").as_posix(): path.read_text()
    for path in [*DOCS.glob("*.md"), *DOCS.glob("families/*.md"), *DOCS.glob("api/*.md")]
}
WITH_README = PAGES | {"README": (ROOT / "README.md").read_text()}
BLOCK = re.compile(r"^```(?P<kind>\S+)(?: (?P<language>\w+))?\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)
BY_ITSELF = ["tour", "families/index", "active_learning", "runs", "beyond_one_machine", "phonons"]
NEEDS_LAMMPS = {"lammps"}


def blocks(page: str) -> list[str]:
    """The Python of a page that runs as it stands, block by block."""
    return [match["text"] for match in BLOCK.finditer(PAGES[page]) if match["kind"] == "python"]


def run(page: str, shorter: Callable[[str], str] = str, **names: Any) -> dict[str, Any]:
    """Run a page from its beginning to its end, with replacements that save time; returns its names."""
    for block in blocks(page):
        exec(shorter(block), names)
    return names


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")


def test_every_page_with_python_is_run() -> None:
    assert {page for page in PAGES if blocks(page)} - NEEDS_LAMMPS == {*BY_ITSELF, "training", "analysis"}


@pytest.mark.parametrize("page", BY_ITSELF)
def test_page_runs(page: str) -> None:
    run(page)


@pytest.mark.filterwarnings("ignore:the best model")  # after so few epochs
def test_page_of_training_runs() -> None:
    """On frames that the embedded model labels, which a model of the same shape then reproduces."""
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
    shorter = {
        "rcutfac=4.9": f"rcutfac={calc.model.rcutfac}",
        '"state.npz"': '"state.npz", epochs=120',
        "train, members": "train, training=Training(epochs=4), members",
        "template, train, loss=loss": "template, train, loss=loss, training=Training(epochs=2)",
        "fit_mtp(16, train, test=test": "fit_mtp(4, train, test=test, training=few",
        "cutoff=(5.0, 4.5)), train, test=test": "cutoff=(5.0, 4.5)), train, test=test, training=short",
    }
    assert all(any(old in block for block in blocks("training")) for old in shorter)

    def replaced(text: str) -> str:
        for old, new in shorter.items():
            text = text.replace(old, new)
        return text

    names = run("training", replaced, few=FullBatch(iterations=2, starts=1), short=NepTraining(epochs=1))
    refit = SNAP("silicon.snapcoeff").get_forces(frames[0])
    np.testing.assert_allclose(refit, frames[0].get_forces(), atol=1e-5)
    np.testing.assert_allclose(SNAP("silicon.snap.npz").get_forces(frames[0]), frames[0].get_forces(), atol=1.0)
    assert len(names["committee"].members) == 4
    for model in (MTP("silicon.almtp", species=["Si"]), NEP("nep.txt")):
        assert np.isfinite(model.get_forces(frames[0])).all()


@pytest.mark.filterwarnings("ignore::UserWarning")  # so short a run is not enough for a thermal conductivity
def test_page_of_analysis_runs() -> None:
    atoms = bulk("Si", cubic=True) * 2
    atoms.calc = SNAP.embedded("Si")
    thermalize_momenta(atoms, temperature_K=600, rng=np.random.default_rng(0))
    dynamics = VelocityVerlet(atoms, 2 * units.fs, trajectory="md.traj", loginterval=5)
    HeatFluxRecorder(dynamics, atoms.calc, 2, path="flux.txt")
    dynamics.run(600)
    names = run("analysis")
    assert names["D"].verdicts == ("does not diffuse",)
    assert 0.0 < names["D"].bounds[0] < 3e-5
    assert names["kappa"].kappa > 0.0


def test_python_that_needs_other_packages_is_python() -> None:
    texts = [match for match in BLOCK.finditer("".join(PAGES.values())) if match["kind"] == "{code-block}"]
    pools = [match["text"] for match in texts if match["language"] == "python"]
    assert len(pools) >= 4
    for text in [*pools, *(block for page in NEEDS_LAMMPS & PAGES.keys() for block in blocks(page))]:
        compile(text, "a page of the manual", "exec")


def commands(text: str) -> set[str]:
    """Every ``ase-mlips`` line of a page, in blocks or between backticks, with what is optional."""
    shell = [match["text"] for match in BLOCK.finditer(text) if "sh" in (match["kind"], match["language"])]
    lines = "".join(shell).replace("\\\n", " ").splitlines()
    found = [line[line.index("ase-mlips ") :] for line in lines if re.match(r"(\S+ )*ase-mlips ", line)]
    found += re.findall(r"`(?:mpirun -np \d+ )?(ase-mlips [^`]+)`", BLOCK.sub("", text))
    return {re.sub(r"[\[\]]", "", command) for command in found if " .. " not in command and "COMMAND" not in command}


ALL_COMMANDS = sorted({(page, command) for page, text in WITH_README.items() for command in commands(text)})


@pytest.mark.parametrize(("page", "command"), ALL_COMMANDS, ids=lambda value: value)
def test_command_is_understood(page: str, command: str) -> None:
    """As a command, or as the name of one without what it works on."""
    words = shlex.split(command)[1:]
    parser = build_parser()
    if len(words) < 3 and not command.endswith((".yaml", "compile", "demo", ":Si")):
        with pytest.raises(SystemExit) as end:
            parser.parse_args([*(word for word in words if not word.startswith("-")), "--help"])
        assert end.value.code == 0
        return
    parser.parse_args(words)


def test_there_are_commands() -> None:
    assert len(ALL_COMMANDS) > 50


def test_reference_has_every_public_name() -> None:
    """A module with ``__all__`` is documented as a whole."""
    folders = {"ase_mlips": ROOT / "ase_mlips", "ase_mlips.analysis": ROOT / "analysis"}
    public = ["ase_mlips", "ase_mlips.analysis"]
    for path in [*folders["ase_mlips"].glob("*.py"), *folders["ase_mlips"].glob("*/__init__.py")]:
        parts = path.relative_to(folders["ase_mlips"]).with_suffix("").parts
        if re.search(r"^__all__ = ", path.read_text(), re.MULTILINE) and parts[0] not in ("engine", "__init__"):
            public.append(".".join(["ase_mlips", *(part for part in parts if part != "__init__")]))
    documented = re.findall(r"automodule:: (\S+)", "".join(PAGES.values()))
    assert set(public) <= set(documented)
    assert len(documented) == len(set(documented))


def test_links_of_readme_and_contributing_lead_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text()):
            assert target.startswith("https://") or (ROOT / target).exists(), f"{name}: {target}"


def test_examples_become_pages(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("gallery_sources", DOCS / "gallery_sources.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "99_gone.py").write_text("")
    folder = module.write_gallery_sources(ROOT / "examples", tmp_path)
    scripts = sorted((ROOT / "examples").glob("[0-9]*.py"))
    assert sorted(path.name for path in folder.glob("*.py")) == [path.name for path in scripts]
    for script in scripts:
        text = (folder / script.name).read_text()
        title = re.search(r"^# # (.*)", script.read_text(), re.MULTILINE)
        assert title is not None
        assert text.startswith(f'r"""\n{title[1]}\n=====')
        assert [line for line in text.splitlines() if line.startswith("import ")] == [
            line for line in script.read_text().splitlines() if line.startswith("import ")
        ]
        compile(text, script.name, "exec")
    cells = "# %% [markdown]\n# # Title\n\n# %%\nx = 1\n\n# %% [markdown]\n# ## Part\n# The `x` of [us](https://a.b).\n"
    assert module.as_gallery(cells).endswith("# %%\n# Part\n# ----\n# The ``x`` of `us <https://a.b>`__.\n")


def test_conda_recipe_asks_for_what_pip_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    recipe = (ROOT / ".ci" / "conda" / "meta.yaml").read_text()
    wanted = {requirement.lower().replace("matplotlib", "matplotlib-base") for requirement in project["dependencies"]}
    run_section = recipe[recipe.index("  run:") : recipe.index("test:")]
    assert {line.replace(" ", "") for line in re.findall(r"- (.*)", run_section) if "python" not in line} == wanted
    assert f'version = "{project["version"]}"' in recipe


def test_constants_of_the_page_of_units() -> None:
    own = {1.0 / units.GPa: 5, 1.0 / units.fs: 6, 1e15 * units._hplanck / units._e: 5, 1e10 / units._c: 4}
    for value, digits in own.items():
        assert f"{value:.{digits}f}" in PAGES["units"], value
