"""Explorers show structures to a watch, which keeps what extrapolates and ends what must not go on."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from support.morse import MorseCalculator

from ase_mlips.active import ActiveRun, Cells, Dynamics, Grade, Relaxation, explorers, final_explorers
from ase_mlips.active.exploring import LimitError, Watch, defective, displaced, outcome, strained
from ase_mlips.runs import MDRun, RelaxRun


class Graded(MorseCalculator):
    """Grades a structure by how far the farthest atom is from its place, in 0.1 A."""

    def __init__(self, places: np.ndarray) -> None:
        super().__init__()
        self.places = places

    def get_extrapolation_grade(self, atoms: Atoms) -> Grade:
        return Grade(float(10.0 * np.abs(atoms.positions - self.places).max()), None)


def crystal() -> Atoms:
    return bulk("Cu", "fcc", a=3.35, cubic=True)


def test_a_watch_keeps_what_extrapolates_with_all_atoms_in_the_cell() -> None:
    atoms = crystal()
    watch = Watch(Graded(atoms.positions.copy()), (3.0, 10.0), 1.5)
    watch(atoms)
    atoms.positions[0, 0] -= 0.4
    watch(atoms, temperature_K=300.0)
    (kept,) = watch.kept
    assert kept.info == {"temperature_K": 300.0, "extrapolation_grade": pytest.approx(4.0)}
    assert kept.positions[0, 0] == pytest.approx(3.35 - 0.4)
    assert (watch.seen, watch.largest) == (2, pytest.approx(4.0))
    atoms.positions[0, 0] -= 0.7
    with pytest.raises(LimitError, match=r"the grade 11 is above 10"):
        watch(atoms)
    assert len(watch.kept) == 2
    atoms.positions[0] = atoms.positions[1] + [0.0, 0.0, 1.0]
    with pytest.raises(LimitError, match=r"two atoms came 1 A close, and 1.5 A is the limit"):
        watch(atoms)
    assert len(watch.kept) == 2


def test_dynamics_ends_at_the_limit_and_says_when() -> None:
    atoms = crystal()
    calc = Graded(atoms.positions.copy())
    run = Dynamics(atoms, MDRun(ensemble="langevin", temperature=2000.0, steps=400, interval=4))
    found = outcome(run, calc, Watch(calc, (1.0, 2.5), 0.0), seed=1)
    assert not found.complete
    assert found.ended.startswith("the grade 2.")
    assert found.ended.endswith(" of 0.4 ps")
    grades = [frame.info["extrapolation_grade"] for frame in found.kept]
    assert max(grades[:-1]) <= 2.5 < grades[-1] == found.largest
    assert len(grades) < found.seen
    times = [frame.info["time_fs"] for frame in found.kept]
    assert np.all(np.diff(times) % 4.0 == 0.0)
    again = outcome(run, calc, Watch(calc, (1.0, 2.5), 0.0), seed=1)
    np.testing.assert_array_equal(again.kept[-1].positions, found.kept[-1].positions)
    other = outcome(run, calc, Watch(calc, (1.0, 2.5), 0.0), seed=2)
    assert not np.array_equal(other.kept[-1].positions, found.kept[-1].positions)


def test_a_run_to_the_end_is_complete_and_one_that_explodes_is_not() -> None:
    atoms = crystal()
    calc = Graded(atoms.positions.copy())
    run = MDRun(ensemble="nve", temperature=50.0, steps=20, interval=5)
    found = outcome(Dynamics(atoms, run), calc, Watch(calc, (50.0, 90.0), 0.0), seed=0)
    assert (found.complete, found.ended, found.seen, found.kept) == (True, "", 5, ())
    fast = MDRun(ensemble="nve", temperature=5e4, steps=100, timestep=20.0)
    found = outcome(Dynamics(atoms, fast), calc, Watch(calc, (1e9, 1e9), 0.0), seed=0)
    assert not found.complete
    assert "exploded" in found.ended or "not finite" in found.ended


def test_each_step_of_a_relaxation_is_looked_at() -> None:
    atoms = crystal()
    calc = Graded(atoms.positions.copy())
    atoms.rattle(0.1, seed=1)
    found = outcome(Relaxation(atoms, RelaxRun(fmax=0.05)), calc, Watch(calc, (1e3, 1e3), 0.0), seed=0)
    assert found.complete
    assert found.seen > 3


def test_cells_are_all_looked_at() -> None:
    atoms = crystal()
    calc = Graded(atoms.positions.copy())
    moved = [atoms.copy() for _ in range(3)]
    for cell, size in zip(moved, (2.0, 0.1, 0.5), strict=True):
        cell.positions[0, 0] += size
    found = outcome(Cells("moved", tuple(moved)), calc, Watch(calc, (3.0, 10.0), 0.0), seed=0)
    assert (found.complete, found.seen, len(found.kept)) == (True, 3, 2)


def test_strained_defective_and_displaced_cells() -> None:
    atoms = crystal()
    volumes = [cell.get_volume() / atoms.get_volume() for cell in strained(atoms, 0.02)]
    assert len(volumes) == 14
    assert volumes[0] == pytest.approx(1.02**3)
    assert volumes[2] == pytest.approx(1.02)
    assert [len(cell) for cell in defective(atoms)] == [3]
    assert len(list(displaced(atoms))) == 6
    salt = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    assert [len(cell) for cell in defective(salt)] == [7, 7, 8]
    assert len(list(displaced(salt))) == 12
    assert len(list(displaced(molecule("H2O")))) == 18
    assert list(defective(bulk("Cu"))) == []


def test_the_explorers_of_settings() -> None:
    settings = ActiveRun(
        explore=("md", "relax", "strain", "defects", "displacements"),
        ensemble="npt",
        temperatures=(300.0, 600.0),
        pressures=(0.0, 5.0),
        time=0.5,
        final_time=2.0,
        timestep=2.0,
    )
    found = explorers(settings, [crystal(), bulk("Cu")])
    kinds = [type(explorer).__name__ for explorer in found]
    assert [kinds.count(name) for name in ("Dynamics", "Relaxation", "Cells")] == [8, 5, 4]
    assert found[0].settings.steps == 250
    assert found[3].name == "npt of Cu4, 600 K, 5 GPa"
    final = final_explorers(settings, [crystal()])
    assert [(run.settings.temperature, run.settings.steps) for run in final] == [(600.0, 1000)] * 2
    assert final_explorers(ActiveRun(), [crystal()]) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"time": 0.0}, "time: expected a positive number"),
        ({"interval": 0}, "interval: expected an integer of at least 1"),
        ({"explore": ()}, "explore: expected at least one"),
        ({"explore": ("walk",)}, "explore: expected"),
        ({"temperatures": (0.0,)}, "temperatures: expected positive"),
        ({"pressures": (1.0,)}, "pressures: are of npt"),
        ({"grade_break": 2.0}, "grade_break: expected at least grade_select, 3"),
        ({"min_share": 1.0}, "min_share: expected"),
        ({"labeller_options": {"x": 1}}, "labeller_options: are of a calculator"),
        ({"seed": -1}, "seed: expected"),
    ],
)
def test_settings_that_mean_nothing(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ActiveRun(**fields)
