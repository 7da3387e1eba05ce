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
from support.lammps_peer import Lammps
from support.snap_models import rattled_cell, synthetic_models

from ase_mlips import SNAP
from ase_mlips.neighbors import NeighborList
from ase_mlips.snap import SnapModel, SnapPotential, kernels, write_snap

MODELS = synthetic_models()
unequal = pytest.mark.filterwarnings("ignore:coefficients of equal descriptors differ")


def listed(model: SnapModel, positions, cell, pbc, skin: float = 0.7) -> NeighborList:
    neighbors = NeighborList(model.cutoff, skin)
    neighbors.update(np.ascontiguousarray(positions), np.ascontiguousarray(cell), np.asarray(pbc, bool))
    return neighbors


def structure(model: SnapModel, name: str):
    """Species, positions, cell and pbc of a rattled crystal, of a slab, a wire, a cluster or an unwrapped crystal."""
    species, positions, cell, pbc = rattled_cell(model, seed=3)
    if name == "slab":
        return species, positions, cell, np.array([True, True, False])
    if name == "wire":
        cell = cell.copy()
        cell[1:] = 0.0
        return species, positions, cell, np.array([True, False, False])
    if name == "cluster":
        return species, positions, np.zeros((3, 3)), np.zeros(3, bool)
    if name == "unwrapped":
        far = np.random.default_rng(0).integers(-4, 5, (len(species), 3)) @ cell
        return species, positions + far, cell, pbc
    if name == "left-handed":
        return species, positions[:, [1, 0, 2]], cell[:, [1, 0, 2]], pbc
    return species, positions, cell, pbc


def assert_equal_evaluations(actual, expected, tolerance: float) -> None:
    for name in ("energies", "forces", "virials"):
        wanted = getattr(expected, name)
        atol = tolerance * max(1.0, float(np.abs(wanted).max(initial=0.0)))
        np.testing.assert_allclose(getattr(actual, name), wanted, rtol=0, atol=atol, err_msg=name)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_against_the_oracle(name: str) -> None:
    model = MODELS[name]
    species, positions, cell, pbc = rattled_cell(model)
    potential = SnapPotential(model)
    neighbors = listed(model, positions, cell, pbc)
    expected = snap_oracle.evaluate(model, species, positions, cell, pbc, lammps_slots=True)
    assert_equal_evaluations(potential.evaluate(neighbors, species), expected, 1e-11)
    g = potential.descriptor_gradients(neighbors, species)
    B, dB = snap_oracle.descriptors_and_gradients(model, g.centers, g.neighbors, g.vectors, species)
    np.testing.assert_allclose(g.descriptors, B, rtol=0, atol=1e-11 * max(1.0, np.abs(B).max()))
    np.testing.assert_allclose(g.gradients, dB, rtol=0, atol=1e-11 * max(1.0, np.abs(dB).max()))
    assert np.array_equal(potential.descriptors(neighbors, species), g.descriptors)


@pytest.mark.parametrize("kind", ["slab", "wire", "cluster", "unwrapped", "left-handed"])
@pytest.mark.parametrize("name", ["tj6", "quadratic_two", "zbl_beyond_snap"])
def test_cells_and_boundaries_against_the_oracle(name: str, kind: str) -> None:
    model = MODELS[name]
    species, positions, cell, pbc = structure(model, kind)
    expected = snap_oracle.evaluate(model, species, positions, cell, pbc)
    assert_equal_evaluations(
        SnapPotential(model).evaluate(listed(model, positions, cell, pbc), species), expected, 1e-11
    )


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(["tj5", "two", "quadratic", "inner", "chem_one", "zbl"]),
    count=st.integers(1, 20),
    edge=st.floats(2.2, 9.0),
    pbc=st.tuples(*[st.booleans()] * 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_random_structures_against_the_oracle(name: str, count: int, edge: float, pbc, seed: int) -> None:
    """Any number of atoms, cells smaller than the cutoff, close contacts of down to 0.7 A."""
    model = MODELS[name]
    rng = np.random.default_rng(seed)
    cell = edge * (np.eye(3) + np.tril(rng.uniform(-0.3, 0.3, (3, 3))))
    positions: list[np.ndarray] = []
    for trial in rng.uniform(-0.5, 1.5, (40 * count, 3)) @ cell:
        images = [p + s @ cell for p in positions for s in np.array(np.meshgrid(*[[-1, 0, 1]] * 3)).reshape(3, -1).T]
        if len(positions) < count and all(np.linalg.norm(trial - p) > 0.7 for p in images):
            positions.append(trial)
    species = rng.integers(0, len(model.elements), len(positions))
    expected = snap_oracle.evaluate(model, species, np.array(positions), cell, pbc)
    actual = SnapPotential(model).evaluate(listed(model, np.array(positions), cell, pbc), species)
    assert_equal_evaluations(actual, expected, 1e-10)


@pytest.mark.parametrize("name", ["tj8", "quadratic_two", "zbl", "rmin0", "chem_one"])
def test_forces_are_the_gradient(name: str) -> None:
    model = MODELS[name]
    species, positions, cell, pbc = rattled_cell(model, seed=5)
    potential = SnapPotential(model)
    forces = potential.evaluate(listed(model, positions, cell, pbc), species).forces
    h = 1e-4
    for atom, axis in ((0, 0), (3, 1), (7, 2)):
        energies = []
        for step in (-2, -1, 1, 2):
            moved = positions.copy()
            moved[atom, axis] += step * h
            energies.append(potential.evaluate(listed(model, moved, cell, pbc), species).energies.sum())
        slope = (energies[0] - 8 * energies[1] + 8 * energies[2] - energies[3]) / (12 * h)
        assert forces[atom, axis] == pytest.approx(-slope, abs=3e-9 * max(1.0, np.abs(forces).max()))


def test_virials_belong_to_the_neighbour() -> None:
    """sum_j W_j v_j is the potential part of the heat current: sum_i r_i (dU_i/dt + F_i v_i)."""
    model = MODELS["two"]
    species, positions, _, _ = rattled_cell(model, atoms=8)
    cell, pbc = np.zeros((3, 3)), np.zeros(3, bool)
    potential = SnapPotential(model)
    velocities = np.random.default_rng(0).normal(size=positions.shape)
    start = potential.evaluate(listed(model, positions, cell, pbc), species)
    h = 1e-4
    ends = [
        potential.evaluate(listed(model, positions + s * h * velocities, cell, pbc), species).energies for s in (-1, 1)
    ]
    power = (ends[1] - ends[0]) / (2 * h)
    current = positions.T @ (power + (start.forces * velocities).sum(1))
    np.testing.assert_allclose(np.einsum("jab,jb->a", start.virials, velocities), current, atol=1e-5)


def test_isolated_atom_and_no_atoms() -> None:
    model = MODELS["bzero0"]
    potential = SnapPotential(model)
    one = potential.evaluate(listed(model, np.zeros((1, 3)), np.zeros((3, 3)), (False,) * 3), np.zeros(1, np.int32))
    assert one.energies[0] == pytest.approx(
        snap_oracle.evaluate(model, [0], np.zeros((1, 3)), np.zeros((3, 3)), (0,) * 3).energies[0]
    )
    assert not one.forces.any()
    none = potential.evaluate(listed(model, np.zeros((0, 3)), np.zeros((3, 3)), (False,) * 3), np.zeros(0, np.int32))
    assert none.energies.shape == (0,)
    assert none.virials.shape == (0, 3, 3)


@pytest.mark.parametrize("name", ["tj6", "quadratic_two"])
def test_threads_do_not_change_a_bit(name: str) -> None:
    model = MODELS[name]
    species, positions, cell, pbc = rattled_cell(model, atoms=600)
    neighbors = listed(model, positions, cell, pbc)
    potential = SnapPotential(model)
    serial = potential.evaluate(neighbors, species, num_threads=1)
    for threads in (2, 3, 7):
        parallel = potential.evaluate(neighbors, species, num_threads=threads)
        for field in ("energies", "forces", "virials"):
            assert np.array_equal(getattr(serial, field), getattr(parallel, field))


def test_one_compilation_serves_all() -> None:
    """A second signature would mean another 10 s of compilation for somebody."""
    for name in ("tj2", "chem_quadratic"):
        model = MODELS[name]
        species, positions, cell, pbc = rattled_cell(model)
        neighbors = listed(model, positions, cell, pbc)
        SnapPotential(model).evaluate(neighbors, species.astype(np.int64))
        SnapPotential(model).evaluate(neighbors, species.astype(np.int32), num_threads=2)
        SnapPotential(model).descriptor_gradients(neighbors, species)
        SnapPotential(model).descriptors(neighbors, species)
    assert len(kernels.evaluate.signatures) == 1
    assert len(kernels.describe.signatures) == 1


def test_pickle_keeps_the_model() -> None:
    model = MODELS["zbl"]
    species, positions, cell, pbc = rattled_cell(model)
    neighbors = listed(model, positions, cell, pbc)
    copy = pickle.loads(pickle.dumps(SnapPotential(model)))
    assert np.array_equal(
        copy.evaluate(neighbors, species).forces, SnapPotential(model).evaluate(neighbors, species).forces
    )


@unequal
def test_equal_coefficients_of_equal_descriptors_make_chem_forces_a_gradient() -> None:
    from ase_mlips.snap.tables import equal_descriptors

    model = MODELS["chem"]
    coefficients = model.coefficients.copy()
    for group in equal_descriptors(model):
        members = [1 + k for k in group]
        coefficients[:, members] = coefficients[:, members].mean(1, keepdims=True)
    level = replace(model, coefficients=coefficients)
    species, positions, cell, pbc = rattled_cell(model)
    neighbors = listed(model, positions, cell, pbc)
    actual = SnapPotential(level).evaluate(neighbors, species)
    assert_equal_evaluations(actual, snap_oracle.evaluate(level, species, positions, cell, pbc), 1e-11)
    np.testing.assert_allclose(actual.energies, SnapPotential(model).evaluate(neighbors, species).energies, atol=1e-11)


def test_unequal_coefficients_are_announced() -> None:
    with pytest.warns(UserWarning, match="not the gradient"):
        SNAP(MODELS["chem"])


@pytest.mark.peer
@pytest.mark.parametrize(
    "name", ["tj6", "tj10", "quadratic_two", "chem_quadratic", "inner", "two_inner", "rmin0", "switch0"]
)
def test_live_against_lammps(name: str, tmp_path) -> None:
    pytest.importorskip("lammps", reason="LAMMPS is not installed")
    model = MODELS[name]
    write_snap(tmp_path / "m.snapcoeff", model)
    species, positions, cell, pbc = rattled_cell(model)
    atoms = Atoms([model.elements[s] for s in species], positions, cell=cell, pbc=pbc)
    files = f"{tmp_path}/m.snapcoeff {tmp_path}/m.snapparam {' '.join(model.elements)}"
    peer = Lammps(atoms, list(model.elements), ["pair_style snap", f"pair_coeff * * {files}"])
    result = SnapPotential(model).evaluate(listed(model, positions, cell, pbc), species)
    scale = max(1.0, float(np.abs(result.forces).max()))
    np.testing.assert_allclose(result.forces, peer.forces(), rtol=0, atol=1e-11 * scale)
    assert result.energies.sum() == pytest.approx(peer.energy(), rel=1e-11)
    peer.close()


@pytest.mark.peer
@pytest.mark.parametrize("repeat", [3, 6])
def test_the_same_trajectory_as_lammps(repeat: int, tmp_path, shared) -> None:
    """100 steps of 1 fs, 54 and 432 Ta atoms with ZBL, end within 1e-6 A of LAMMPS's."""
    pytest.importorskip("lammps", reason="LAMMPS is not installed")
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
            neighbors = listed(model, positions, np.zeros((3, 3)), (False,) * 3)
            result = potential.evaluate(neighbors, np.zeros(2, np.int32))
            np.testing.assert_allclose(result.forces, 0.0, atol=1e-10)
            np.testing.assert_allclose(result.virials, 0.0, atol=1e-10)


def test_gradients_count_the_same_pairs_as_descriptors_do() -> None:
    """A rotated crystal whose shell of neighbours lies within rounding errors on both sides of the cutoff."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        crystal = bulk("Cu", "fcc", a=3.6, cubic=True).repeat(2)
        crystal.set_cell(crystal.cell.array @ np.linalg.qr(rng.normal(size=(3, 3)))[0], scale_atoms=True)
        shell = crystal.get_distance(0, 1, mic=True)
        model = replace(MODELS["tj1"], rcutfac=shell)
        neighbors = listed(model, crystal.positions, crystal.cell.array, crystal.pbc)
        pairs = SnapPotential(model).descriptor_gradients(neighbors, np.zeros(len(crystal), np.int32))
        assert np.all(pairs.neighbors < len(crystal))
        np.testing.assert_allclose(np.linalg.norm(pairs.vectors, axis=1), shell, rtol=1e-12)
        np.testing.assert_allclose(pairs.gradients, 0.0, atol=1e-10)
