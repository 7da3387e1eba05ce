"""The neighbour list against ASE's, vesin's, a k-d tree and pairs found one by one."""

import copy
import pickle
import tracemalloc

import ase.build
import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from scipy.spatial import cKDTree
from support.pairs import all_pairs, assert_same_pairs

from ase_mlips.engine.neighbors import NeighborList
from ase_mlips.engine.neighbors.kernels import build, refresh


def _gas(n, cell, pbc, seed=0, spread=1.0):
    """Atoms anywhere in, and for a spread above 1 around, the cell."""
    rng = np.random.default_rng(seed)
    cell = np.array(cell, float)
    if cell.ndim == 1:
        cell = np.diag(cell)
    fractions = spread * (rng.random((n, 3)) - 0.5) + 0.5
    return Atoms(f"Si{n}", positions=fractions @ cell, cell=cell, pbc=pbc)


def _cluster(n, size, seed=0):
    return Atoms(f"Si{n}", positions=np.random.default_rng(seed).random((n, 3)) * size)


def _rattled(atoms, seed=1):
    atoms.rattle(0.1, seed=seed)
    return atoms


SYSTEMS = {
    "diamond": (_rattled(ase.build.bulk("Si", cubic=True) * (3, 2, 2)), 5.0),
    "primitive cell": (ase.build.bulk("Si"), 6.1),
    "smaller than the cutoff": (_rattled(ase.build.bulk("Si", cubic=True)), 12.3),
    "one atom, small cell": (Atoms("Cu", cell=[2.0, 2.5, 3.0], pbc=True), 9.7),
    "one atom, chain": (Atoms("Cu", cell=[0.9, 0.0, 0.0], pbc=[True, False, False]), 6.2),
    "triclinic": (_gas(40, [[8, 0, 0], [3, 7, 0], [-2, 3, 9]], True), 4.0),
    "skewed": (_gas(10, [[5, 0, 0], [21, 6, 0], [-17, 23, 7]], True), 3.0),
    "left-handed": (_gas(30, [[0, 7, 1], [8, 0, 0], [1, 2, 9]], True), 4.2),
    "left-handed, small": (_gas(3, [[0, 3, 0], [3, 0, 0], [0, 0, 3]], True), 5.0),
    "far outside": (_gas(20, [[6, 0, 0], [1, 7, 0], [2, -1, 8]], True, spread=40.0), 4.0),
    "slab": (_gas(40, [[8, 0, 0], [2, 9, 0], [0, 0, 20]], [True, True, False], spread=3.0), 4.5),
    "slab along x, tilted": (_gas(30, [[20, 1, 2], [2, 9, 0], [0, 3, 7]], [False, True, True]), 4.5),
    "wire": (_gas(20, [[30, 1, 0], [0, 4, 3], [2, 0, 30]], [False, True, False]), 7.0),
    "wire without other vectors": (_gas(9, [[0, 0, 0], [1, 4, 3], [0, 0, 0]], [False, True, False]), 7.0),
    "slab without third vector": (_gas(9, [[5, 1, 0], [1, 4, 3], [0, 0, 0]], [True, True, False]), 7.0),
    "cluster without cell": (_cluster(60, 12.0), 4.0),
    "cluster in a cell": (_gas(60, [12, 13, 14], False, spread=2.0), 4.0),
    "vacuum in a periodic cell": (_gas(12, [1000, 1200, 900], True, spread=0.008), 5.0),
    "molecule across the boundary": (Atoms("N2", [[0.2, 0, 0], [-0.8, 0.1, 0.2]], cell=[500] * 3, pbc=True), 3.0),
    "atoms at the same place": (Atoms("H3", [[1, 1, 1], [1, 1, 1], [5, 1, 1]], cell=[4, 9, 9], pbc=True), 3.0),
    "on the boundary": (Atoms("H2", [[-1e-17, 0, 0], [4.0, 4.0, -4.0]], cell=[4, 4, 4], pbc=True), 4.5),
    "one isolated atom": (Atoms("He", [[1e3, 2.0, -5.0]]), 5.0),
    "one atom, large cell": (Atoms("He", cell=[20] * 3, pbc=True), 5.0),
}


@pytest.fixture(params=SYSTEMS.values(), ids=SYSTEMS)
def system(request):
    atoms, cutoff = request.param
    return atoms.positions, atoms.cell.array, atoms.pbc, cutoff


def _list(positions, cell, pbc, cutoff, skin=1.0):
    neighbors = NeighborList(cutoff, skin)
    assert neighbors.update(positions, cell, pbc)
    return neighbors


@pytest.mark.parametrize("skin", [0.0, 1.3])
def test_pairs_match_ase(system, skin):
    positions, cell, pbc, cutoff = system
    atoms = Atoms(positions=positions, cell=cell, pbc=pbc)
    ours = _list(*system, skin=skin).pairs()
    assert_same_pairs(ours, neighbor_list("ijSD", atoms, cutoff), cutoff=cutoff)
    assert (np.diff(ours[0]) >= 0).all()


@pytest.mark.peer
def test_pairs_match_vesin(system):
    vesin = pytest.importorskip("vesin")
    positions, cell, pbc, cutoff = system
    if np.linalg.matrix_rank(cell) < 3 and pbc.any():
        pytest.skip("vesin asks for three cell vectors where one is periodic")
    peer = vesin.NeighborList(cutoff=cutoff, full_list=True)
    i, j, S, D = peer.compute(positions, cell, pbc, "ijSD")
    reference = i.astype(np.int64), j.astype(np.int64), S.astype(np.int64), D
    assert_same_pairs(_list(*system).pairs(), reference, cutoff=cutoff)


def test_pairs_match_enumeration(system):
    cutoff = system[-1]
    assert_same_pairs(_list(*system).pairs(), all_pairs(*system), cutoff=cutoff)


def test_vectors_belong_to_the_given_positions(system):
    positions, cell, _, _ = system
    i, j, S, D = _list(*system).pairs()
    np.testing.assert_allclose(D, positions[j] - positions[i] + S @ cell, rtol=0.0, atol=1e-9)


def test_both_directions_are_negatives_to_the_last_bit(system):
    i, j, S, D = _list(*system).pairs()
    forward = {(a, b, *s): d for a, b, s, d in zip(i.tolist(), j.tolist(), S.tolist(), D.tolist(), strict=True)}
    for (a, b, *s), d in forward.items():
        assert forward[(b, a, *(-t for t in s))] == [-x for x in d]


@pytest.mark.parametrize("tilt", [1e2, 1e4, 1e6])
def test_extremely_skewed_cell_is_the_same_lattice(tilt):
    straight = _gas(20, [6.0, 7.0, 8.0], True)
    cell = straight.cell.array.copy()
    cell[1] += tilt * cell[0]
    cell[2] += 3.0 * cell[1] - tilt * cell[0]
    i, j, S, D = _list(straight.positions, cell, straight.pbc, 5.0).pairs()
    change = np.rint(cell @ np.linalg.inv(straight.cell.array)).astype(np.int64)
    assert_same_pairs((i, j, S @ change, D), neighbor_list("ijSD", straight, 5.0), cutoff=5.0)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9])
def test_arrays_are_as_promised(n):
    atoms = _gas(n, [4.0, 5.0, 6.0], True)
    cutoff, skin = 3.0, 0.7
    nl = _list(atoms.positions, atoms.cell.array, atoms.pbc, cutoff, skin)
    assert nl.n == n
    assert nl.positions.shape == (n + 1, 4)
    assert nl.shifts.shape[1] == 4
    assert not nl.positions[:, 3].any()
    assert not nl.shifts[:, 3].any()
    assert nl.start.shape == (n + 1,)
    assert (nl.start.dtype, nl.idx.dtype, nl.code.dtype) == (np.int64, np.int32, np.int32)
    assert not (nl.start % 8).any()
    assert len(nl.idx) == len(nl.code) == nl.start[n]
    for array in (nl.positions, nl.shifts, nl.start, nl.idx, nl.code):
        assert array.flags.c_contiguous
    i = np.repeat(np.arange(n), np.diff(nl.start))
    distances = np.linalg.norm(nl.positions[nl.idx] + nl.shifts[nl.code] - nl.positions[i], axis=1)
    padding = nl.idx == n
    assert (distances[padding] > 1e6).all()
    assert not nl.code[padding].any()
    expected = len(neighbor_list("i", atoms, cutoff + skin))
    assert np.count_nonzero(distances < cutoff + skin) == np.count_nonzero(~padding) == expected


@pytest.mark.parametrize("place", [0.0, 1e7, -3e7])
def test_dummy_atom_is_far_wherever_the_atoms_are(place):
    nl = _list(np.array([[place] * 3, [place + 1.0, place, place]]), np.zeros((3, 3)), np.zeros(3, bool), 5.0)
    assert (np.abs(nl.positions[2, :3] - nl.positions[:2, :3]) > 5e6).all()
    assert len(nl.pairs()[0]) == 2


def test_dummy_atom_is_far_in_a_huge_cell():
    system = np.array([[0.1, 0, 0], [1e7 - 0.1, 0, 0]]), np.diag([1e7, 4.0, 4.0]), np.ones(3, bool), 3.0
    nl = _list(*system)
    near = nl.positions[-1, :3] + nl.shifts[:, None, :3] - nl.positions[None, :2, :3]
    assert (np.linalg.norm(near, axis=-1) > 1e6).all()
    assert_same_pairs(nl.pairs(), all_pairs(*system), cutoff=3.0)


# ---------------------------------------------------------------------------------------------------
# when it is built anew


def test_is_kept_until_an_atom_moves_by_half_the_skin():
    atoms = _gas(30, [[8, 0, 0], [3, 7, 0], [-2, 3, 9]], True, spread=5.0)
    start, cell, pbc = atoms.positions.copy(), atoms.cell.array, atoms.pbc
    nl = _list(start, cell, pbc, 4.0, skin=1.0)
    assert not nl.update(start, cell, pbc)
    before = nl.positions.copy()
    step = np.random.default_rng(3).normal(size=start.shape)
    step *= 0.499 / np.linalg.norm(step, axis=1, keepdims=True)
    moved = start + step
    assert not nl.update(moved, cell, pbc)
    np.testing.assert_allclose(nl.positions[:-1, :3] - before[:-1, :3], step, rtol=0.0, atol=1e-13)
    np.testing.assert_array_equal(nl.positions[-1], before[-1])
    assert_same_pairs(nl.pairs(), all_pairs(moved, cell, pbc, 4.0), cutoff=4.0)
    moved[17] = start[17] + [0.0, 0.501, 0.0]
    assert nl.update(moved, cell, pbc)
    assert not nl.update(moved, cell, pbc)


def test_is_built_anew_for_another_cell_pbc_or_number_of_atoms():
    atoms = _gas(5, [5.0, 6.0, 7.0], True)
    positions, cell, pbc = atoms.positions, atoms.cell.array, atoms.pbc
    nl = _list(positions, cell, pbc, 4.0)
    strained = cell.copy()
    strained[2, 0] = 1e-14
    for change in ((positions, strained, pbc), (positions, cell, ~pbc), (positions[:4], cell, pbc)):
        assert nl.update(*change)
        assert not nl.update(*change)
        assert_same_pairs(nl.pairs(), all_pairs(*change, 4.0), cutoff=4.0)
    assert nl.update(positions, cell, pbc)
    assert nl.n == 5


def test_without_skin_any_move_counts():
    atoms = _gas(5, [5.0, 6.0, 7.0], True)
    nl = _list(atoms.positions, atoms.cell.array, atoms.pbc, 4.0, skin=0.0)
    assert not nl.update(atoms.positions, atoms.cell.array, atoms.pbc)
    assert nl.update(atoms.positions + 1e-12, atoms.cell.array, atoms.pbc)


def test_new_list_is_empty():
    nl = NeighborList(3.0)
    assert nl.n == 0
    assert nl.positions.shape == (1, 4)
    assert nl.start.tolist() == [0]
    assert len(nl.idx) == len(nl.pairs()[0]) == 0


# ---------------------------------------------------------------------------------------------------
# size and reuse of the buffers


@pytest.mark.parametrize("far", [1e5, 1e9, 1e12])
def test_memory_does_not_grow_with_empty_space(far):
    positions = np.array([[0.0, 0.0, 0.0], [far, -far, far], [far, -far, far - 1.0]])
    nl = NeighborList(3.0, 0.0)
    nl.update(np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, bool))
    tracemalloc.start()
    nl.update(positions, np.zeros((3, 3)), np.zeros(3, bool))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000
    assert nl.pairs()[0].tolist() == [1, 2]


def test_dense_clusters_far_apart():
    rng = np.random.default_rng(5)
    centres = rng.uniform(-1e4, 1e4, (40, 3))
    positions = (centres[:, None, :] + rng.uniform(0.0, 8.0, (40, 50, 3))).reshape(-1, 3)
    i, j, S, _ = _list(positions, np.zeros((3, 3)), np.zeros(3, bool), 3.0).pairs()
    assert not S.any()
    found = {(a, b) for a, b in zip(i.tolist(), j.tolist(), strict=True) if a < b}
    assert found == cKDTree(positions).query_pairs(3.0)
    assert len(i) == 2 * len(found)


def test_one_list_serves_systems_of_any_size():
    nl = NeighborList(3.2)
    for n, size in ((3, 5.0), (150, 7.0), (2, 50.0), (0, 5.0), (600, 22.0), (150, 7.0)):
        atoms = _gas(n, [size, size + 1.0, size + 2.0], True)
        assert nl.update(atoms.positions, atoms.cell.array, atoms.pbc)
        assert_same_pairs(nl.pairs(), neighbor_list("ijSD", atoms, 3.2), cutoff=3.2)


def test_result_depends_only_on_the_input():
    atoms = _gas(200, [11.0, 12.0, 13.0], True)
    args = atoms.positions, atoms.cell.array, atoms.pbc
    fresh, used = NeighborList(4.0), NeighborList(4.0)
    fresh.update(*args)
    used.update(args[0][:50], *args[1:])
    used.update(*args)
    for name in ("positions", "shifts", "start", "idx", "code"):
        assert getattr(fresh, name).tobytes() == getattr(used, name).tobytes()


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda nl: pickle.loads(pickle.dumps(nl))], ids=["copy", "pickle"]
)
def test_copies_are_complete_and_independent(duplicate):
    atoms = _gas(20, [6.0, 7.0, 8.0], True)
    nl = _list(atoms.positions, atoms.cell.array, atoms.pbc, 4.0)
    twin = duplicate(nl)
    for ours, theirs in zip(nl.pairs(), twin.pairs(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    before = nl.positions.copy()
    assert not twin.update(atoms.positions + 0.1, atoms.cell.array, atoms.pbc)
    np.testing.assert_allclose(twin.positions[:-1, :3], before[:-1, :3] + 0.1, rtol=0.0, atol=1e-14)
    np.testing.assert_array_equal(nl.positions, before)


# ---------------------------------------------------------------------------------------------------
# input


def test_any_array_like_is_accepted_by_one_compiled_kernel():
    atoms = _gas(10, [5.0, 6.0, 7.0], True)
    atoms.positions = np.round(atoms.positions, 2).astype(np.float32)
    expected = _list(atoms.positions, atoms.cell.array, atoms.pbc, 4.0).pairs()
    frozen = atoms.positions.copy()
    frozen.flags.writeable = False
    wide = np.zeros((10, 6))
    wide[:, ::2] = atoms.positions
    for positions in (
        atoms.positions.tolist(),
        frozen,
        wide[:, ::2],
        np.asfortranarray(frozen),
        frozen.astype(np.float32),
    ):
        nl = NeighborList(4.0)
        nl.update(positions, atoms.cell, [1, 1, 1])
        for ours, theirs in zip(nl.pairs(), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert len(build.signatures) == len(refresh.signatures) == 1


def test_input_is_not_modified():
    atoms = _gas(10, [5.0, 6.0, 7.0], True, spread=9.0)
    given = atoms.positions, atoms.cell.array, atoms.pbc
    kept = copy.deepcopy(given)
    _list(*given, 4.0)
    for before, after in zip(kept, given, strict=True):
        np.testing.assert_array_equal(before, after)


def test_periodic_axis_without_vector_is_not_periodic():
    atoms = _gas(9, [[5, 1, 0], [0, 0, 0], [1, 4, 3]], [True, False, True], spread=3.0)
    open_axis = _list(atoms.positions, atoms.cell.array, atoms.pbc, 5.0).pairs()
    all_periodic = _list(atoms.positions, atoms.cell.array, np.ones(3, bool), 5.0).pairs()
    for ours, theirs in zip(open_axis, all_periodic, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("cutoff", [0.0, -1.0, np.nan, np.inf])
def test_cutoff_must_be_positive_and_finite(cutoff):
    with pytest.raises(ValueError, match="cutoff must be positive and finite"):
        NeighborList(cutoff)


@pytest.mark.parametrize("skin", [-0.1, np.nan, np.inf])
def test_skin_must_be_finite_and_not_negative(skin):
    with pytest.raises(ValueError, match="skin must be finite and not negative"):
        NeighborList(3.0, skin)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e13])
def test_positions_and_cell_must_be_finite(bad):
    atoms = _gas(4, [5.0, 6.0, 7.0], [True, True, False])
    nl = _list(atoms.positions, atoms.cell.array, atoms.pbc, 3.0)
    positions, cell = atoms.positions.copy(), atoms.cell.array.copy()
    positions[2, 1] = bad
    with pytest.raises(ValueError, match="positions must be finite"):
        nl.update(positions, cell, atoms.pbc)
    cell[2, 1] = bad
    with pytest.raises(ValueError, match="cell must be finite"):
        nl.update(atoms.positions, cell, atoms.pbc)
    assert nl.update(atoms.positions, atoms.cell.array, atoms.pbc), "a failed update leaves no valid list"
    assert_same_pairs(nl.pairs(), neighbor_list("ijSD", atoms, 3.0), cutoff=3.0)


@pytest.mark.parametrize(
    ("cell", "pbc"),
    [
        ([[1, 2, 3], [2, 4, 6], [0, 0, 1]], [True, True, True]),
        ([[1, 2, 3], [2, 4, 6], [0, 0, 1]], [True, True, False]),
        ([[1, 2, 3], [0.3, 0.1, 0.7], [1.3, 2.1, 3.7]], [True, True, True]),
        ([[np.sqrt(2), 0, 0], [np.pi, 0, 0], [0, 0, 5]], [True, True, True]),
    ],
)
def test_dependent_periodic_vectors_are_refused(cell, pbc):
    with pytest.raises(ValueError, match="linearly dependent"):
        NeighborList(3.0).update(np.zeros((2, 3)), cell, pbc)


def test_dependent_vectors_of_open_axes_do_not_matter():
    cell = np.array([[5.0, 0, 0], [10.0, 0, 0], [0, 0, 0]])
    nl = _list(np.zeros((1, 3)), cell, np.array([True, False, False]), 6.0)
    assert sorted(nl.pairs()[2][:, 0].tolist()) == [-1, 1]


def test_cell_with_too_many_images_is_refused():
    with pytest.raises(ValueError, match="too small for the cutoff"):
        NeighborList(5.0).update(np.zeros((1, 3)), 1e-3 * np.eye(3), [True] * 3)


@pytest.mark.parametrize(
    ("positions", "cell", "pbc"),
    [
        (np.zeros(3), np.eye(3), [True] * 3),
        (np.zeros((2, 2)), np.eye(3), [True] * 3),
        (np.zeros((2, 3)), np.ones(3), [True] * 3),
        (np.zeros((2, 3)), np.eye(3), True),
    ],
)
def test_wrong_shapes_are_named(positions, cell, pbc):
    with pytest.raises(ValueError, match=r"must have shapes \(N, 3\), \(3, 3\), \(3,\), got"):
        NeighborList(3.0).update(positions, cell, pbc)
