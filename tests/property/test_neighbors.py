"""The neighbour list for arbitrary cells, boundary conditions and atoms."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from support.pairs import all_pairs, assert_same_pairs, image_counts

from ase_mlips.engine.neighbors import NeighborList

coordinates = st.floats(-30.0, 30.0, allow_subnormal=False)
cells = npst.arrays(float, (3, 3), elements=st.floats(-9.0, 9.0, allow_subnormal=False))
boundaries = npst.arrays(bool, 3)
lengths = st.floats(0.5, 6.0)


@st.composite
def systems(draw, largest=6):
    """Positions, a cell whose periodic vectors span a volume (some may be zero), pbc and a cutoff."""
    cell = np.round(draw(cells), 3)
    pbc = draw(boundaries)
    if draw(st.booleans()):
        cell[draw(st.integers(0, 2))] = 0.0
    cutoff = draw(lengths)
    positions = draw(npst.arrays(float, st.tuples(st.integers(0, largest), st.just(3)), elements=coordinates))
    norms = np.linalg.norm(cell, axis=1)
    periodic = pbc & (norms > 0.0)
    assume((norms[periodic] > 0.3).all())
    directions = cell[periodic] / norms[periodic, None]
    assume(np.linalg.det(directions @ directions.T) > 1e-3)
    assume(np.prod(2 * image_counts(cell, pbc, cutoff) + 1) * len(positions) ** 2 < 2e5)
    return positions, cell, pbc, cutoff


@settings(max_examples=200, deadline=None)
@given(systems(), st.floats(0.0, 2.0))
def test_finds_exactly_the_pairs_within_the_cutoff(system, skin):
    positions, cell, pbc, cutoff = system
    neighbors = NeighborList(cutoff, skin)
    neighbors.update(positions, cell, pbc)
    assert_same_pairs(neighbors.pairs(), all_pairs(*system), cutoff=cutoff)


@settings(max_examples=100, deadline=None)
@given(systems(), st.floats(0.1, 2.0), st.data())
def test_stays_right_while_atoms_move(system, skin, data):
    positions, cell, pbc, cutoff = system
    neighbors = NeighborList(cutoff, skin)
    neighbors.update(positions, cell, pbc)
    steps = npst.arrays(float, positions.shape, elements=st.floats(-0.6 * skin, 0.6 * skin))
    moved = positions + data.draw(steps)
    rebuilt = neighbors.update(moved, cell, pbc)
    largest = np.linalg.norm(moved - positions, axis=1).max(initial=0.0)
    if abs(largest - 0.5 * skin) > 1e-9:
        assert rebuilt == (largest > 0.5 * skin)
    assert_same_pairs(neighbors.pairs(), all_pairs(moved, cell, pbc, cutoff), cutoff=cutoff)


@settings(max_examples=100, deadline=None)
@given(systems(), npst.arrays(np.int64, (3, 3), elements=st.integers(-3, 3)), st.data())
def test_same_lattice_and_moved_atoms_have_the_same_pairs(system, change, data):
    """Another choice of cell vectors, and atoms in other images, change S and nothing else."""
    positions, cell, pbc, cutoff = system
    periodic = pbc & (np.abs(cell) > 0.0).any(axis=1)
    change = np.triu(change, 1) + np.eye(3, dtype=np.int64)
    change[~periodic] = np.eye(3, dtype=np.int64)[~periodic]
    change[:, ~periodic] = np.eye(3, dtype=np.int64)[:, ~periodic]
    turns = data.draw(npst.arrays(np.int64, positions.shape, elements=st.integers(-4, 4))) * periodic
    neighbors = NeighborList(cutoff, 0.5)
    neighbors.update(positions + turns @ cell, change @ cell, pbc)
    i, j, S, D = neighbors.pairs()
    original = i, j, S @ change + turns[j] - turns[i], D
    assert_same_pairs(original, all_pairs(*system), cutoff=cutoff)
