"""The compiled SNAP against the NumPy oracle, finite differences, symmetries, threads and LAMMPS itself."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from support import snap_oracle
from support.evaluations import (
    KINDS,
    Configuration,
    altered,
    assert_close,
    assert_equal_evaluations,
    assert_threads_change_nothing,
    evaluated,
    few_atoms,
    gradient,
    heat_currents,
    listed,
    scattered,
)
from support.lammps_peer import Lammps, require_lammps
from support.snap_models import network_models, rattled_cell, synthetic_models

from ase_mlips import SNAP
from ase_mlips.potential import Evaluation
from ase_mlips.snap import SnapModel, SnapPotential, kernels, write_snap

MODELS = synthetic_models() | network_models()
unequal = pytest.mark.filterwarnings("ignore:coefficients of equal descriptors differ")


def oracle(model: SnapModel, configuration: Configuration) -> Evaluation:
    """What LAMMPS gives, and with a network the gradient."""
    return snap_oracle.evaluate(model, *configuration, lammps_slots=model.network is None)


def crystal(model: SnapModel, *, atoms: int = 8, seed: int = 0) -> Configuration:
    return Configuration(*rattled_cell(model, atoms=atoms, seed=seed))


@pytest.mark.parametrize("name", MODELS)
def test_every_model_against_the_oracle(name: str) -> None:
    model = MODELS[name]
    configuration = crystal(model)
    species = configuration.species
    potential = SnapPotential(model)
    neighbors = listed(model.cutoff, configuration)
    expected = oracle(model, configuration)
    assert_equal_evaluations(potential.evaluate(neighbors, species), expected, 1e-11)
    g = potential.descriptor_gradients(neighbors, species)
    B, dB = snap_oracle.descriptors_and_gradients(model, g.centers, g.neighbors, g.vectors, species)
    assert_close(g.descriptors, B, 1e-11)
    assert_close(g.gradients, dB, 1e-11)
    assert np.array_equal(potential.descriptors(neighbors, species), g.descriptors)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["tj6", "quadratic_two", "zbl_beyond_snap", "network_two"])
def test_cells_and_boundaries_against_the_oracle(name: str, kind: str) -> None:
    model = MODELS[name]
    configuration = altered(crystal(model, seed=3), kind)
    expected = snap_oracle.evaluate(model, *configuration)
    assert_equal_evaluations(evaluated(SnapPotential(model), configuration), expected, 1e-11)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(["tj5", "two", "quadratic", "inner", "chem_one", "zbl", "network_shared", "network_chem"]),
    count=st.integers(1, 20),
    edge=st.floats(2.2, 9.0),
    pbc=st.tuples(*[st.booleans()] * 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_random_structures_against_the_oracle(name: str, count: int, edge: float, pbc, seed: int) -> None:
    """Any number of atoms, cells smaller than the cutoff, close contacts of down to 0.7 A."""
    model = MODELS[name]
    configuration = scattered(len(model.elements), count=count, edge=edge, pbc=pbc, seed=seed)
    expected = snap_oracle.evaluate(model, *configuration)
    assert_equal_evaluations(evaluated(SnapPotential(model), configuration), expected, 1e-10)


@pytest.mark.parametrize("name", ["tj8", "quadratic_two", "zbl", "rmin0", "chem_one", "network", "network_chem"])
def test_forces_are_the_gradient(name: str) -> None:
    potential, configuration = SnapPotential(MODELS[name]), crystal(MODELS[name], seed=5)
    forces = evaluated(potential, configuration).forces
    for place in ((0, 0), (3, 1), (7, 2)):
        slope = gradient(potential, configuration, place)
        assert forces[place] == pytest.approx(-slope, abs=3e-9 * max(1.0, np.abs(forces).max()))


def test_virials_belong_to_the_neighbour() -> None:
    actual, expected = heat_currents(SnapPotential(MODELS["two"]), altered(crystal(MODELS["two"]), "cluster"))
    np.testing.assert_allclose(actual, expected, atol=1e-7)


def test_isolated_atom_and_no_atoms() -> None:
    model = MODELS["bzero0"]
    potential = SnapPotential(model)
    one = evaluated(potential, few_atoms(1))
    assert one.energies[0] == pytest.approx(snap_oracle.evaluate(model, *few_atoms(1)).energies[0])
    assert not one.forces.any()
    none = evaluated(potential, few_atoms(0))
    assert none.energies.shape == (0,)
    assert none.virials.shape == (0, 3, 3)


@pytest.mark.parametrize("name", ["tj6", "quadratic_two", "network_two"])
def test_threads_do_not_change_a_bit(name: str) -> None:
    assert_threads_change_nothing(SnapPotential(MODELS[name]), crystal(MODELS[name], atoms=600))


def test_one_compilation_serves_all() -> None:
    """A second signature would mean another 10 s of compilation for somebody."""
    for name in ("tj2", "chem_quadratic", "network"):
        model = MODELS[name]
        configuration = crystal(model)
        species, neighbors = configuration.species, listed(model.cutoff, configuration)
        SnapPotential(model).evaluate(neighbors, species.astype(np.int64))
        SnapPotential(model).evaluate(neighbors, species.astype(np.int32), num_threads=2)
        SnapPotential(model).descriptor_gradients(neighbors, species)
        SnapPotential(model).descriptors(neighbors, species)
    assert len(kernels.evaluate.signatures) == 1
    assert len(kernels.describe.signatures) == 1


def test_pickle_keeps_the_model() -> None:
    model = MODELS["zbl"]
    copy = pickle.loads(pickle.dumps(SnapPotential(model)))
    expected = evaluated(SnapPotential(model), crystal(model))
    assert np.array_equal(evaluated(copy, crystal(model)).forces, expected.forces)


@unequal
def test_equal_coefficients_of_equal_descriptors_make_chem_forces_a_gradient() -> None:
    from ase_mlips.snap.tables import equal_descriptors

    model = MODELS["chem"]
    coefficients = model.coefficients.copy()
    for group in equal_descriptors(model):
        members = [1 + k for k in group]
        coefficients[:, members] = coefficients[:, members].mean(1, keepdims=True)
    level = replace(model, coefficients=coefficients)
    configuration = crystal(model)
    actual = evaluated(SnapPotential(level), configuration)
    assert_equal_evaluations(actual, snap_oracle.evaluate(level, *configuration), 1e-11)
    np.testing.assert_allclose(actual.energies, evaluated(SnapPotential(model), configuration).energies, atol=1e-11)


def test_unequal_coefficients_are_announced() -> None:
    with pytest.warns(UserWarning, match="not the gradient"):
        SNAP(MODELS["chem"])


@pytest.mark.peer
@pytest.mark.parametrize(
    "name", ["tj6", "tj10", "quadratic_two", "chem_quadratic", "inner", "two_inner", "rmin0", "switch0"]
)
def test_live_against_lammps(name: str, tmp_path) -> None:
    require_lammps()
    model = MODELS[name]
    write_snap(tmp_path / "m.snapcoeff", model)
    configuration = crystal(model)
    species, positions, cell, pbc = configuration
    atoms = Atoms([model.elements[s] for s in species], positions, cell=cell, pbc=pbc)
    files = f"{tmp_path}/m.snapcoeff {tmp_path}/m.snapparam {' '.join(model.elements)}"
    peer = Lammps(atoms, list(model.elements), ["pair_style snap", f"pair_coeff * * {files}"])
    result = evaluated(SnapPotential(model), configuration)
    scale = max(1.0, float(np.abs(result.forces).max()))
    np.testing.assert_allclose(result.forces, peer.forces(), rtol=0, atol=1e-11 * scale)
    assert result.energies.sum() == pytest.approx(peer.energy(), rel=1e-11)
    peer.close()


@pytest.mark.peer
@pytest.mark.parametrize("repeat", [3, 6])
def test_the_same_trajectory_as_lammps(repeat: int, tmp_path, shared) -> None:
    """100 steps of 1 fs, 54 and 432 Ta atoms with ZBL, end within 1e-6 A of LAMMPS's."""
    require_lammps()
    from ase import units
    from ase.md.verlet import VelocityVerlet

    from ase_mlips.snap import Zbl, read_snap

    stem = shared / "reference" / "snap" / "models" / "Ta06A"
    atoms = bulk("Ta", "bcc", a=3.316, cubic=True).repeat(repeat)
    speed = np.sqrt(units.kB * 600 / atoms.get_masses())[:, None]
    atoms.set_velocities(speed * np.random.default_rng(0).normal(size=(len(atoms), 3)))
    atoms.calc = SNAP(replace(read_snap(stem), zbl=Zbl(4.0, 4.8, (73.0,))))
    peer = Lammps(
        atoms,
        ["Ta"],
        [
            "pair_style hybrid/overlay zbl 4.0 4.8 snap",
            "pair_coeff 1 1 zbl 73 73",
            f"pair_coeff * * snap {stem}.snapcoeff {stem}.snapparam Ta",
        ],
    )
    peer.run_md(atoms, steps=100, femtoseconds=1.0)
    VelocityVerlet(atoms, 1.0 * units.fs).run(100)
    assert np.abs(atoms.positions - peer.positions(atoms)).max() < 1e-6
    peer.close()


@pytest.mark.parametrize("name", ["tj2", "rmin0", "inner"])
def test_neighbors_within_rounding_of_the_cutoff(name: str) -> None:
    """There the switching function rounds to zero, its logarithmic derivative to infinity; forces vanish."""
    for rcutfac in np.linspace(3.0, 5.0, 21):
        model = replace(MODELS[name], rcutfac=rcutfac)
        potential = SnapPotential(model)
        for distance in (model.cutoff, np.nextafter(model.cutoff, 0.0), np.nextafter(model.cutoff, 9.0)):
            positions = np.array([[0.0, 0.0, 0.0], [distance, 0.0, 0.0]])
            result = evaluated(potential, few_atoms(2)._replace(positions=positions))
            np.testing.assert_allclose(result.forces, 0.0, atol=1e-10)
            np.testing.assert_allclose(result.virials, 0.0, atol=1e-10)


def test_gradients_count_the_same_pairs_as_descriptors_do() -> None:
    """A rotated crystal whose shell of neighbours lies within rounding errors on both sides of the cutoff."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        atoms = bulk("Cu", "fcc", a=3.6, cubic=True).repeat(2)
        atoms.set_cell(atoms.cell.array @ np.linalg.qr(rng.normal(size=(3, 3)))[0], scale_atoms=True)
        shell = atoms.get_distance(0, 1, mic=True)
        model = replace(MODELS["tj1"], rcutfac=shell)
        species = np.zeros(len(atoms), np.int32)
        neighbors = listed(model.cutoff, Configuration(species, atoms.positions, atoms.cell.array, atoms.pbc))
        pairs = SnapPotential(model).descriptor_gradients(neighbors, species)
        assert np.all(pairs.neighbors < len(atoms))
        np.testing.assert_allclose(np.linalg.norm(pairs.vectors, axis=1), shell, rtol=1e-12)
        np.testing.assert_allclose(pairs.gradients, 0.0, atol=1e-10)
