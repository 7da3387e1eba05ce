"""The README's promises: its snippets run, its tables are the measured ones, its picture exists."""

import importlib.util
import re
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
from ase_mlips.fit import FullBatch, NepTraining

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_first_snippet_runs_and_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(SNIPPETS[0].splitlines()) <= 12
    names: dict[str, object] = {}
    exec(SNIPPETS[0], names)
    assert "eV/atom" in capsys.readouterr().out
    assert np.abs(names["atoms"].get_forces()).max() < 0.01  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore:the best model")  # after so few epochs
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
    names: dict[str, Any] = {}
    exec(SNIPPETS[1].replace("rcutfac=4.9", f"rcutfac={calc.model.rcutfac}"), names)
    assert "force" in capsys.readouterr().out
    refit = SNAP("silicon.snapcoeff").get_forces(frames[0])
    np.testing.assert_allclose(refit, frames[0].get_forces(), atol=1e-5)
    exec(
        SNIPPETS[2]
        .replace('"state.npz"', '"state.npz", epochs=120')
        .replace("train, members", "train, training=Training(epochs=4), members"),
        names,
    )
    np.testing.assert_allclose(SNAP("silicon.snap.npz").get_forces(frames[0]), frames[0].get_forces(), atol=1.0)
    assert len(names["committee"].members) == 4
    names |= {"few": FullBatch(iterations=2, starts=1), "short": NepTraining(epochs=1)}
    exec(
        SNIPPETS[3]
        .replace("fit_mtp(16, train, test=test", "fit_mtp(4, train, test=test, training=few")
        .replace("cutoff=(5.0, 4.5)), train, test=test", "cutoff=(5.0, 4.5)), train, test=test, training=short"),
        names,
    )
    for model in (MTP("silicon.almtp", species=["Si"]), NEP("nep.txt")):
        assert np.isfinite(model.get_forces(frames[0])).all()


@pytest.mark.filterwarnings("ignore::UserWarning")  # so short a run is not enough for a thermal conductivity
def test_analysis_snippet_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    atoms = bulk("Si", cubic=True) * 2
    atoms.calc = SNAP.embedded("Si")
    thermalize_momenta(atoms, temperature_K=600, rng=np.random.default_rng(0))
    dynamics = VelocityVerlet(atoms, 2 * units.fs, trajectory="md.traj", loginterval=5)
    HeatFluxRecorder(dynamics, atoms.calc, 2, path="flux.txt")
    dynamics.run(600)
    names: dict[str, Any] = {}
    exec(SNIPPETS[4], names)
    assert names["D"].verdicts == ("does not diffuse",)
    assert 0.0 < names["D"].bounds[0] < 3e-5
    assert names["kappa"].kappa > 0.0


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
