"""Random periodic systems of the analysis' property tests, and all their distances by brute force."""

from itertools import product

import numpy as np
from hypothesis import strategies as st

# lattice vectors of a few angstrom, of either handedness, not nearly flat
entries = st.floats(-4.0, 4.0).map(lambda x: round(x, 3))
cells = (
    st.lists(entries, min_size=9, max_size=9)
    .map(lambda numbers: np.reshape(numbers, (3, 3)) + np.diag(np.where(numbers[0] < 0.0, [-5.0, 5.0, 5.0], 5.0)))
    .filter(lambda cell: abs(np.linalg.det(cell)) > 20.0)
)
periodicities = st.tuples(st.booleans(), st.booleans(), st.booleans()).map(np.array)


def vectors_within(positions, cell, pbc, cutoff):
    """Atoms i and j (P,) and the vectors (P, 3) from i to the images of j nearer than the cutoff."""
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    fractions = positions @ np.linalg.inv(cell)
    reach = np.where(pbc, np.ceil(cutoff / heights + np.ptp(fractions, axis=0)), 0).astype(int)
    shifts = np.array(list(product(*(range(-n, n + 1) for n in reach)))) @ cell
    vectors = positions[None, :, None] + shifts - positions[:, None, None]
    distances = np.linalg.norm(vectors, axis=-1)
    near = distances < cutoff
    same = np.eye(len(positions), dtype=bool)[:, :, None] & (np.abs(shifts).max(axis=1) == 0.0)
    i, j, _ = np.nonzero(near & ~same)
    return i, j, vectors[near & ~same]
