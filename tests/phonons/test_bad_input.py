"""One sentence for each mistake."""

import builtins

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import CalculationFailed, Calculator
from support.springs import Springs, rock_salt

from ase_mlips import SNAP
from ase_mlips.phonons import (
    Phonons,
    compare_phonons,
    gruneisen,
    phonons,
    quasi_harmonic,
    relax,
    thermal_conductivity,
)


def crystal(**changes):
    atoms = rock_salt()
    for name, value in changes.items():
        setattr(atoms, name, value)
    return atoms


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms(), "a structure with atoms"),
        (crystal(pbc=(True, True, False)), r"periodic in three directions, got pbc = \[True, True, False\]"),
        (Atoms("Na", pbc=True), "span a volume"),
        (crystal(positions=np.full((2, 3), np.nan)), "not finite"),
        (Atoms("Na2", positions=np.zeros((2, 3)), cell=np.eye(3) * 4.0, pbc=True), "no space group: too close"),
    ],
)
def test_structures(atoms, message):
    with pytest.raises(ValueError, match=message):
        phonons(atoms, Springs(), supercell=2)


@pytest.mark.parametrize(
    ("supercell", "message"),
    [
        ((2, 2), "expected one or three integers"),
        (np.eye(3) * 1.5, "expected one or three integers"),
        (0, "positive determinant"),
        (-1.0, "positive length"),
        (np.inf, "positive length"),
    ],
)
def test_supercells(supercell, message):
    with pytest.raises(ValueError, match=message):
        phonons(rock_salt(), Springs(), supercell=supercell)


def test_a_structure_that_is_not_relaxed():
    atoms = rock_salt()
    atoms.positions[0, 0] += 0.1
    with pytest.raises(ValueError, match=r"not relaxed: the largest force is 1.4 eV/A.*relaxed='cell'"):
        phonons(atoms, Springs(), supercell=2)


def test_a_supercell_smaller_than_twice_the_cutoff():
    atoms, calc = bulk("Si", a=5.4628), SNAP.embedded("Si")
    message = r"supercell is 6.31 A thick, less than twice the cutoff of 4.90 A.*4 x 4 x 4 cells are enough"
    with pytest.warns(UserWarning, match=message) as caught:
        phonons(atoms, calc, supercell=2)
    assert caught[0].filename == __file__


def test_a_symmetry_that_is_only_nearly_there():
    atoms = rock_salt()
    atoms.positions[1] += 0.0003
    with pytest.warns(UserWarning, match=r"R3m \(160\) within 1e-05 A but Fm-3m \(225\) within 0.01 A") as caught:
        phonons(atoms, Springs(), supercell=2)
    assert caught[0].filename == __file__


class Swirl(Calculator):
    """Forces that never vanish."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=None, system_changes=()):
        sign = np.where(atoms.numbers[:, None] == 11, 1.0, -1.0)
        self.results = {"energy": 0.0, "forces": sign * [1.0 + 0.1 * np.sin(atoms.positions[1, 0]), 0.2, 0.0]}


def test_a_relaxation_that_does_not_converge():
    atoms = rock_salt()
    atoms.positions[1] += (0.1, 0.02, 0.005)
    with pytest.raises(CalculationFailed, match="not relaxed after 4 steps: the largest force is still 1"):
        relax(atoms, Swirl(), what="positions", steps=4)


def test_forces_that_are_not_finite():
    class Broken(Springs):
        def calculate(self, *arguments, **options):
            super().calculate(*arguments, **options)
            if len(self.atoms) > 2:
                self.results["forces"][0, 0] = np.nan

    with pytest.raises(CalculationFailed, match="forces that are not finite"):
        phonons(rock_salt(), Broken(), supercell=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distance": 0.0}, "distance"),
        ({"distance": np.nan}, "distance"),
        ({"snapshots": 1}, "1 random supercells do not determine the force constants, take 2"),
    ],
)
def test_options(options, message):
    with pytest.raises(ValueError, match=message):
        phonons(rock_salt(), Springs(), supercell=2, **options)


def test_questions_to_a_result(tmp_path):
    result = phonons(rock_salt(), Springs(), supercell=2)
    for question, message in (
        (lambda: result.frequencies(np.zeros((2, 2))), r"q points of shape \(Q, 3\)"),
        (lambda: result.thermal([-1.0]), "not negative"),
        (lambda: result.dos(mesh=(2, 2)), "three integers"),
        (lambda: result.with_born_charges(np.zeros((3, 3, 3)), np.eye(3)), r"charges: expected shape \(2, 3, 3\)"),
        (lambda: result.with_born_charges(np.zeros((2, 3, 3)), np.ones(3)), "dielectric: expected shape"),
        (lambda: Phonons.from_force_constants(rock_salt(), np.zeros((4, 4)), supercell=2), "force constants of shape"),
        (lambda: gruneisen(result, Springs(), strain=0.0), "strain"),
        (lambda: quasi_harmonic(rock_salt(), Springs(), supercell=2, strains=(0.0, 0.1)), "at least five volumes"),
        (lambda: quasi_harmonic(rock_salt(), Springs(), supercell=2, temperatures=[3, 2]), "ascending"),
    ):
        with pytest.raises(ValueError, match=message):
            question()
    result.phonopy.save(tmp_path / "bare.yaml", settings={"force_sets": False, "force_constants": False})
    with pytest.raises(ValueError, match="neither force constants nor"):
        Phonons.load(tmp_path / "bare.yaml")


def test_comparisons():
    springs = Springs()
    result = phonons(rock_salt(), springs, supercell=2)
    other = phonons(rock_salt(volume=35.0), Springs(volume=35.0), supercell=2)
    for arguments, options, message in (
        ((result, {}), {}, "at least one model"),
        ((result, {"reference": springs}), {}, "none of them named 'reference'"),
        ((result, {"a": springs}), {"supercell": 2}, "this one has its own"),
        ((springs, {"a": springs}), {"structures": rock_salt()}, "needs structures and a supercell"),
        ((springs, {"a": springs}), {"structures": {"x": Atoms()}, "supercell": 2}, "x: phonons need"),
        ((result, {"a": other}), {}, "a: its phonons of ClNa have another primitive cell"),
        (({"x": result, "y": result}, {"a": result}), {}, "a: expected a calculator, or a dict"),
        (({"x": result, "y": result}, {"a": {"x": result}}), {}, "a: phonons of y are missing"),
    ):
        with pytest.raises(ValueError, match=message):
            compare_phonons(*arguments, **options)


@pytest.mark.parametrize(("options", "message"), [({"temperatures": [0.0]}, "positive"), ({"method": "x"}, "'rta'")])
def test_thermal_conductivity(options, message):
    with pytest.raises(ValueError, match=message):
        thermal_conductivity(rock_salt(), Springs(), supercell=2, **options)


def test_without_phono3py(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name == "phono3py":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="pip install phono3py"):
        thermal_conductivity(rock_salt(), Springs(), supercell=2)
