"""From a structure to force constants: forces, displacements, the sum rule."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms
from support.morse import MorseCalculator
from support.springs import Springs, rock_salt

from ase_mlips import SNAP
from ase_mlips.engine.neighbors import NeighborList
from ase_mlips.phonons import Phonons, phonons
from ase_mlips.phonons.forces import evaluate

LATTICE = 5.4628  # A, near the minimum of the embedded model


def own_workflow(atoms, make_calculator, repeats):
    """What phonopy's documentation does, with a calculator that is new for each supercell."""
    cell = PhonopyAtoms(symbols=atoms.get_chemical_symbols(), cell=atoms.cell.array, positions=atoms.positions)
    phonopy = Phonopy(cell, supercell_matrix=repeats, primitive_matrix="P")
    phonopy.generate_displacements(distance=0.01)
    forces = []
    for displaced in phonopy.supercells_with_displacements:
        supercell = Atoms(displaced.symbols, positions=displaced.positions, cell=displaced.cell, pbc=True)
        forces.append(make_calculator().get_forces(supercell))
    phonopy.forces = np.array(forces)
    phonopy.produce_force_constants()
    phonopy.symmetrize_force_constants()
    return phonopy


def random_displacements(atoms, repeats, number):
    cell = PhonopyAtoms(symbols=atoms.get_chemical_symbols(), cell=atoms.cell.array, positions=atoms.positions)
    phonopy = Phonopy(cell, supercell_matrix=[repeats] * 3, primitive_matrix="P")
    phonopy.generate_displacements(distance=0.03, number_of_snapshots=number, random_seed=1)
    return phonopy.supercells_with_displacements


@pytest.mark.parametrize(
    ("atoms", "make_calculator", "repeats"),
    [
        (bulk("Si", a=LATTICE), lambda: SNAP.embedded("Si"), [4, 4, 4]),
        (bulk("Ar", a=5.26), lambda: LennardJones(sigma=3.4, epsilon=0.0104, rc=6.5, smooth=True), [3, 3, 3]),
        (rock_salt(), Springs, [3, 3, 3]),
    ],
    ids=["silicon", "argon", "springs"],
)
def test_forces_equal_those_of_phonopys_own_workflow(atoms, make_calculator, repeats):
    expected = own_workflow(atoms, make_calculator, repeats)
    result = phonons(atoms, make_calculator(), supercell=repeats)
    np.testing.assert_allclose(result.phonopy.forces, expected.forces, rtol=0, atol=1e-10)
    np.testing.assert_allclose(result.phonopy.force_constants, expected.force_constants, rtol=0, atol=1e-9)


@pytest.mark.parametrize("snapshots", [None, 3])
def test_frequencies_of_a_harmonic_crystal(snapshots):
    atoms, springs = rock_salt(), Springs()
    result = phonons(atoms, springs, supercell=4, snapshots=snapshots)
    q = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
    wave_vectors = 2.0 * np.pi * q @ result.primitive.cell.reciprocal().array
    unit = result.phonopy.unit_conversion_factor  # phonopy's constants differ from ASE's by 1e-7
    expected = [unit * springs.frequencies(vector, atoms.get_masses()) for vector in wave_vectors]
    np.testing.assert_allclose(result.frequencies(q), expected, rtol=0, atol=1e-8)


class Noisy(Springs):
    """Forces with an error that depends on the positions, but vanishes with them."""

    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        if len(self.atoms) > 2:
            noise = np.random.default_rng(0).normal(scale=1e-3, size=(len(self.atoms), 3))
            self.results["forces"] = self.results["forces"] + noise


@pytest.mark.parametrize("snapshots", [None, 3])
def test_noise_in_the_forces_breaks_no_symmetry(snapshots, tmp_path):
    result = phonons(rock_salt(), Noisy(), supercell=3, snapshots=snapshots)
    result.save(tmp_path / "noisy.yaml")
    for one in (result, Phonons.load(tmp_path / "noisy.yaml")):
        constants = one.phonopy.force_constants
        np.testing.assert_allclose(constants.sum(axis=1), 0.0, atol=1e-10)
        np.testing.assert_allclose(constants, constants.transpose(1, 0, 3, 2), atol=1e-10)
        assert np.abs(one.frequencies([0, 0, 0])[0, :3]).max() < 1e-4


def test_any_cell_of_the_crystal_gives_the_same():
    springs = Springs()
    one = phonons(rock_salt(), springs, supercell=4)
    other = phonons(rock_salt(cubic=True), springs, supercell=2)
    assert len(other.atoms) == 8
    assert len(other.primitive) == 2
    wave_vector = np.array([0.02, 0.05, 0.11])
    here, there = (result.primitive.cell.array @ wave_vector for result in (one, other))
    np.testing.assert_allclose(one.frequencies(here), other.frequencies(there), rtol=0, atol=1e-8)


def test_silicon_with_the_embedded_model():
    result = phonons(bulk("Si", a=5.43), SNAP.embedded("Si"), supercell=4, relaxed="cell")
    assert result.relaxation is not None
    assert result.space_group == "Fd-3m (227)"
    assert result.imaginary_modes() == ()
    assert result.stable
    assert np.abs(result.frequencies([0, 0, 0])[0, :3]).max() < 1e-4
    assert set(result.seconds) == {"relaxation", "symmetry and displacements", "forces", "force constants"}


def test_a_fit_to_random_displacements():
    atoms, calc = bulk("Si", a=LATTICE), SNAP.embedded("Si")
    fitted = phonons(atoms, calc, supercell=4, snapshots=4, distance=0.003)
    assert fitted.phonopy.dataset["displacements"].shape == (4, 128, 3)
    q = np.random.default_rng(1).uniform(-0.5, 0.5, (20, 3))
    exact = phonons(atoms, calc, supercell=4).frequencies(q)
    assert np.sqrt(np.mean((fitted.frequencies(q) - exact) ** 2)) < 0.05


def test_the_neighbour_list_is_built_once(monkeypatch):
    built = []
    update = NeighborList.update

    def counted(self, *arguments):
        built.append(update(self, *arguments))
        return built[-1]

    monkeypatch.setattr(NeighborList, "update", counted)
    cells = random_displacements(bulk("Cu", a=3.6), 4, 6)
    evaluate(cells, MorseCalculator())
    assert len(built) == len(cells)
    assert sum(built) == 1


def test_small_cells_side_by_side():
    cells = random_displacements(bulk("Si", a=LATTICE), 2, 7)
    names = ("forces", "energy", "stress")
    alone = evaluate(cells, SNAP.embedded("Si", num_threads=1), names)
    together = evaluate(cells, SNAP.embedded("Si", num_threads=3), names)
    for name, shape in zip(names, [(7, 16, 3), (7,), (7, 6)], strict=True):
        assert alone[name].shape == shape
        np.testing.assert_allclose(together[name], alone[name], rtol=0, atol=1e-11)


def test_the_structure_is_not_changed():
    atoms = rock_salt()
    before = atoms.copy()
    phonons(atoms, Springs(), supercell=2, relaxed="cell")
    assert atoms == before
    assert atoms.calc is None
