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
    Gruneisen,
    Phonons,
    compare_phonons,
    gruneisen,
    phonons,
    quasi_harmonic,
    relax,
    thermal_conductivity,
    third_order,
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
        (
            Atoms("Na2", positions=np.zeros((2, 3)), cell=np.eye(3) * 4.0, pbc=True),
            "atoms 0 and 1 are at the same place",
        ),
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
        ([[1, 0, 0], [0, 1]], "expected one or three integers"),
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
    message = r"supercell is 6.31 A thick, less than twice the cutoff of 5.10 A.*4 x 4 x 4 cells are enough"
    with pytest.warns(UserWarning, match=message) as caught:
        phonons(atoms, calc, supercell=2)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="less than twice the cutoff") as caught:
        compare_phonons(calc, {"same": calc}, structures=atoms, supercell=2, mesh=(2, 2, 2))
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
        ({"snapshots": 2.5}, "snapshots: expected the number of supercells, got 2.5"),
        ({"snapshots": True}, "snapshots: expected the number of supercells, got True"),
        ({"relaxed": "all"}, "relaxed: expected 'cell' or 'shape' or 'positions', got 'all'"),
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
        (lambda: result.thermal([]), "temperatures: expected one or more"),
        (lambda: result.thermal([[1.0, 2.0]]), "temperatures: expected one or more"),
        (lambda: result.mean_squared_displacements([np.nan]), "not negative"),
        (lambda: result.mean_squared_displacements([-1.0]), "not negative"),
        (lambda: result.frequencies([0.0, np.nan, 0.0]), "finite q points"),
        (lambda: result.with_born_charges(np.zeros((2, 3, 3)), np.zeros((3, 3))), "dielectric: expected a positive"),
        (lambda: result.with_born_charges(np.full((2, 3, 3), np.nan), np.eye(3)), "charges: expected finite"),
        (lambda: relax(rock_salt(), Springs(), what="volume"), "what: expected 'cell' or 'shape' or 'positions'"),
        (lambda: result.with_born_charges(np.zeros((3, 3, 3)), np.eye(3)), r"charges: expected shape \(2, 3, 3\)"),
        (lambda: result.with_born_charges(np.zeros((2, 3, 3)), np.ones(3)), "dielectric: expected shape"),
        (lambda: Phonons.from_force_constants(rock_salt(), np.zeros((4, 4)), supercell=2), "force constants of shape"),
        (lambda: gruneisen(result, Springs(), strain=0.0), "strain"),
        (lambda: quasi_harmonic(rock_salt(), Springs(), supercell=2, strains=(0.0, 0.1)), "at least five volumes"),
        (lambda: quasi_harmonic(rock_salt(), Springs(), supercell=2, temperatures=[3, 2]), "ascending"),
        (
            lambda: quasi_harmonic(rock_salt(), Springs(), supercell=2, mesh=(4, 4, 4)),
            r"a length in A.*got \(4, 4, 4\)",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            question()
    result.phonopy.save(tmp_path / "bare.yaml", settings={"force_sets": False, "force_constants": False})
    with pytest.raises(ValueError, match="neither force constants nor"):
        Phonons.load(tmp_path / "bare.yaml")


MESHES = [-10.0, 0, 0.0, np.nan, np.inf, True, "10", (2, 2), (2, 2, 0), (2.0, 2.0, 2.0), (True, True, True)]


@pytest.mark.parametrize("mesh", MESHES)
def test_meshes(mesh):
    result, message = phonons(rock_salt(), Springs(), supercell=2), "mesh: expected a positive length in A or three"
    for question in (result.zone, result.dos, result.imaginary_modes):
        with pytest.raises(ValueError, match=message):
            question(mesh)
    for use in (
        lambda: gruneisen(result, Springs(), mesh=mesh),
        lambda: compare_phonons(result, {"a": result}, mesh=mesh),
        lambda: quasi_harmonic(rock_salt(), Springs(), supercell=2, mesh=mesh),
        lambda: thermal_conductivity(rock_salt(), Springs(), supercell=2, mesh=mesh),
    ):
        with pytest.raises(ValueError, match=message):
            use()


@pytest.mark.parametrize(
    ("strains", "message"),
    [
        ((0.0,) * 5, "five volumes, all different, got 1 in"),
        ((-0.02, -0.01, 0.0, 0.01, 0.02, 0.02 + 1e-9), "got 5 in"),
        ((), "got 0 in"),
        ((0.0, 0.01, 0.02, 0.03, 0.04j), "relative changes of the volume"),
        ((0.0, 0.01, 0.02, 0.03, np.nan), "relative changes of the volume"),
        ((-1.0, 0.01, 0.02, 0.03, 0.0), "relative changes of the volume"),
    ],
)
def test_strains(strains, message):
    with pytest.raises(ValueError, match=message):
        quasi_harmonic(rock_salt(), Springs(), supercell=2, strains=strains)


@pytest.mark.parametrize("temperature", [-1.0, 0.0, np.nan, [300.0]])
def test_temperatures_of_a_mean_gruneisen_parameter(temperature):
    result = Gruneisen(np.zeros((1, 3)), np.ones(1), np.ones((1, 3)), np.ones((1, 3)))
    with pytest.raises(ValueError, match="temperature"):
        result.mean(temperature)


def oscillators(method, values):
    atoms = rock_salt(cubic=True)
    getattr(atoms, method)(values)
    return atoms


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (oscillators("set_masses", [46.0, 35.0, *[23.0, 35.0] * 3]), "exchanges have different masses"),
        (oscillators("set_masses", [0.0] * 8), "masses that are positive"),
        (oscillators("set_initial_magnetic_moments", [1.0] * 8), "would lose the initial magnetic moments"),
        (oscillators("set_initial_charges", [1.0, -1.0] * 4), "would lose the initial charges"),
        (oscillators("set_cell", 6.0 * np.eye(3)[[1, 0, 2]]), "right-handed"),
    ],
)
def test_what_displaced_cells_would_not_keep(atoms, message):
    for use in (phonons, quasi_harmonic, third_order):
        with pytest.raises(ValueError, match=message):
            use(atoms, Springs(), supercell=2)
    with pytest.raises(ValueError, match=message):
        Phonons.from_force_constants(atoms, np.zeros((8, 8, 3, 3)), supercell=1)


def test_a_supercell_of_one_atom():
    atoms = bulk("Po", "sc", a=3.0)
    for supercell in (1, 2.0):
        with pytest.raises(ValueError, match="one atom alone has only frequencies of zero"):
            phonons(atoms, Springs(), supercell=supercell)


@pytest.mark.parametrize("distance", [0.0, -0.03, np.nan])
def test_displacements_of_the_third_order(distance):
    with pytest.raises(ValueError, match="distance"):
        third_order(rock_salt(), Springs(), supercell=2, distance=distance)


@pytest.mark.parametrize("content", [b"", b"hello: [1, 2", b"a: 1\n", b"\xff\xfe\x00", b"- 1\n- 2\n", b"text"])
def test_files_that_are_not_phonopys(content, tmp_path):
    (tmp_path / "other.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=r"other\.yaml:"):
        Phonons.load(tmp_path / "other.yaml")
    with pytest.raises(FileNotFoundError):
        Phonons.load(tmp_path / "missing.yaml")


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


class Unused(Springs):
    """A relaxed crystal, whose displaced cells are not asked for."""

    def calculate(self, atoms=None, properties=None, system_changes=()):
        assert len(atoms) == 2
        super().calculate(atoms, properties, system_changes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperatures": [0.0]}, "positive"),
        ({"method": "x"}, "'rta'"),
        ({"mesh": (3, 3, 4)}, r"with the symmetry of the crystal, such as a length in A, got \(3, 3, 4\)"),
    ],
)
def test_thermal_conductivity(options, message):
    with pytest.raises(ValueError, match=message):
        thermal_conductivity(rock_salt(), Unused(), supercell=2, **options)


def test_without_phono3py(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name == "phono3py":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="pip install phono3py"):
        thermal_conductivity(rock_salt(), Springs(), supercell=2)
