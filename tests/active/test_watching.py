"""Runs that keep what extrapolates, and end where the model must not be trusted."""

import os
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.morse import MorsePotential
from ase.io import read, write
from ase.optimize import BFGS
from support.graded_cells import graded, rattled

from ase_mlips.active import ExtrapolationError, ExtrapolationObserver
from ase_mlips.cli import main
from ase_mlips.extrapolation import forget_later
from ase_mlips.fit import Committee
from ase_mlips.runs import MDFiles, MDRun, run_md
from ase_mlips.runs.results import MDResult


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=["mtp", "nep", "snap"])
def hot(request):
    """A crystal and a potential whose active set knows it, but not what a fast run makes of it."""
    calc = graded(request.param)
    frames = [rattled(calc, seed, 0.05) for seed in range(20)]
    calc.select_active_set(frames)
    return frames[0], calc


SETTINGS = MDRun(
    temperature=3000.0, timestep=0.5, steps=400, seed=1, grade_select=2.0, grade_break=6.0, grade_interval=2
)


def test_a_run_says_why_it_has_ended(hot) -> None:
    atoms, calc = hot
    result = run_md(atoms, calc, SETTINGS, files=MDFiles("x.traj"))
    kept = read("x.selected.extxyz", ":")
    assert result.stopped == (
        f"step {result.last_step}: extrapolation grade {result.largest_grade:.3g} is above 6: "
        "the configuration is in x.selected.extxyz"
    )
    assert result.steps < 400
    assert result.selected == len(kept) >= 1
    grades = [calc.get_extrapolation_grade(frame).configuration for frame in kept]
    np.testing.assert_allclose([frame.info["extrapolation_grade"] for frame in kept], grades, rtol=1e-3)
    assert all(2.0 < grade <= 6.0 for grade in grades[:-1])
    assert grades[-1] > 6.0
    assert [frame.info["step"] for frame in kept][-1] == result.last_step
    assert read("x.traj").info["step"] == result.last_step  # the trajectory ends with it, too
    result.save("x.npz")
    again = MDResult.load("x.npz")
    assert (again.stopped, again.selected) == (result.stopped, result.selected)
    assert again.facts()["stopped"] == result.stopped


def test_a_run_that_is_continued_keeps_what_one_run_keeps() -> None:
    calc = graded("snap")
    frames = [rattled(calc, seed, 0.05) for seed in range(20)]
    calc.select_active_set(frames)
    settings = MDRun(temperature=600.0, timestep=0.5, steps=40, interval=10, seed=1, grade_select=1.0, grade_interval=2)
    whole = run_md(frames[0], calc, settings, files=MDFiles("whole.traj"))
    assert whole.selected > 3
    assert not whole.stopped
    shorter = MDRun(**{**vars(settings), "steps": 20})
    run_md(frames[0], calc, shorter, files=MDFiles("part.traj"))
    later = [frame for frame in read("whole.selected.extxyz", ":") if frame.info["step"] > 20]
    write("part.selected.extxyz", later[:2], append=True)  # as if the run had been killed a little later
    with open("part.selected.extxyz", "a") as file:
        file.write("8\nProperties=species:S:1")
    run_md(frames[0], calc, settings, files=MDFiles("part.traj", mode="continue"))
    steps = [[frame.info["step"] for frame in read(f"{n}.selected.extxyz", ":")] for n in ("whole", "part")]
    assert steps[0] == steps[1]


def test_later_configurations_are_forgotten() -> None:
    atoms = rattled(graded("snap"), 0)
    for step in (10, 20, 30):
        atoms.info["step"] = step
        write("kept.extxyz", atoms, append=True)
    forget_later("kept.extxyz", 20)
    assert [frame.info["step"] for frame in read("kept.extxyz", ":")] == [10, 20]
    forget_later("kept.extxyz", 5)
    assert Path("kept.extxyz").read_text() == ""
    forget_later("none.extxyz", 5)
    assert not os.path.exists("none.extxyz")


def test_optimisers_are_watched(hot) -> None:
    atoms, calc = hot
    atoms = rattled(calc, 3, 0.4)
    atoms.calc = calc
    relaxation = BFGS(atoms, logfile=None)
    observer = ExtrapolationObserver(atoms, select=1.5, stop=2.5)
    relaxation.attach(observer)
    with pytest.raises(ExtrapolationError, match=r"^extrapolation grade .* is above 2.5$"):
        relaxation.run(fmax=0.01, steps=50)
    assert observer.frames[-1].info["extrapolation_grade"] > 2.5
    assert observer.kept == len(observer.frames)
    assert not os.listdir()


def test_a_committee_is_watched_by_its_deviation_of_forces() -> None:
    members = [MorsePotential(epsilon=epsilon, r0=2.5) for epsilon in (0.9, 1.0, 1.2)]
    calc = Committee(members)
    atoms = rattled(graded("snap"), 0)
    grade = calc.get_extrapolation_grade(atoms)
    forces = np.array([member.get_property("forces", atoms) for member in members])
    spread = np.sqrt(((forces - forces.mean(axis=0)) ** 2).sum(axis=(0, 2)) / 2)
    np.testing.assert_allclose(grade.neighborhoods, spread, rtol=1e-9)
    assert grade.configuration == spread.max()
    settings = MDRun(steps=20, seed=1, grade_select=spread.max() / 2, grade_break=1e3)
    assert run_md(atoms, calc, settings).selected > 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"grade_select": 3.0, "grade_break": 2.0}, "grade_select: expected no more than grade_break, got 3.0"),
        ({"grade_break": 0.0}, "grade_break: expected a positive number, got 0.0"),
        ({"grade_interval": 0}, "grade_interval: expected a positive number, got 0"),
    ],
)
def test_settings_without_meaning(fields, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MDRun(**fields)


def test_what_has_no_grade_is_refused_before_files_are_made() -> None:
    calc = graded("snap")
    for calculator, message in ((calc, "has no active set"), (MorsePotential(), "^grade_select: needs a calculator")):
        with pytest.raises(ValueError, match=message):
            run_md(rattled(calc, 0), calculator, MDRun(steps=5, grade_select=3.0), files=MDFiles("x.traj"))
        assert not os.listdir()


@pytest.fixture
def on_disk(hot):
    atoms, calc = hot
    name, active = {"MTP": ("m.almtp", None), "NEP": ("nep.txt", "m.asi"), "SNAP": ("m.snap", "m.npz")}[
        type(calc).__name__
    ]
    calc.write(name)
    if active:
        calc.write_active_set(active)
    write("start.extxyz", atoms)
    species = ["--species", *calc.potential.elements] if active is None else ["--active-set", active]
    return [name, "start.extxyz", *species]


def test_command(on_disk, capsys) -> None:
    options = ["--temperature", "3000", "--timestep", "0.5", "--steps", "400", "--seed", "1", "--grade-interval", "2"]
    options += ["--grade-select", "2", "--grade-break", "6"]
    assert main(["md", *on_disk, *options]) == 1
    said = capsys.readouterr()
    assert "configurations that extrapolate" in said.out
    assert said.err.startswith("ase-mlips: ended at step ")
    kept = read("md.selected.extxyz", ":")
    assert kept[-1].info["extrapolation_grade"] > 6.0
    assert main(["md", *on_disk, *options, "-o", "y.traj", "--write-job", "job.yaml"]) == 0
    assert main(["run", "job.yaml"]) == 1
    assert len(read("y.selected.extxyz", ":")) == len(kept)
    capsys.readouterr()
    assert main(["md", *on_disk, *options]) == 2
    Path("md.traj").unlink()
    Path("md.log").unlink()
    assert main(["md", *on_disk, *options]) == 2
    assert "md.selected.extxyz: exists" in capsys.readouterr().err
