"""Design rows against their definition, written with plain sums."""

import numpy as np
import pytest
from numba.core import config
from support.labelled import isolated_energies, labelled_cells, random_model

from ase_mlips.fit import SnapDesign, read_frames
from ase_mlips.fit.kernels import design_rows

VOIGT = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]


def columns(B, quadratic):
    if not quadratic:
        return B
    k, m = np.triu_indices(len(B))
    return np.concatenate([B, np.where(k == m, 0.5, 1.0) * B[k] * B[m]])


def slopes(B, dB, quadratic):
    if not quadratic:
        return dB
    k, m = np.triu_indices(len(B))
    return np.concatenate([dB, np.where(k == m, 0.5, 1.0) * (B[k] * dB[m] + B[m] * dB[k])])


@pytest.mark.parametrize("quadratic", [False, True])
@pytest.mark.parametrize("n_descriptors", [1, 2, 7])
def test_rows_are_sums_over_atoms_and_pairs(quadratic, n_descriptors):
    generator = np.random.default_rng(n_descriptors)
    N, P, K = 5, 23, n_descriptors
    centers = np.sort(generator.choice([0, 2, 3, 4], P)).astype(np.int32)  # atom 1 is alone
    neighbors = generator.integers(0, N, P).astype(np.int32)  # also images of the centre itself
    kept = np.sort(generator.permutation(K + 3)[:K])
    vectors, gradients = generator.normal(size=(P, 3)), generator.normal(size=(P, 3, K + 3))
    B = generator.normal(size=(N, K + 3))
    size = K + (K * (K + 1) // 2 if quadratic else 0)
    first = np.array([1, 1 + size, 1, 1, 1 + size], dtype=np.int32)
    width = 2 + 2 * size

    rows = np.zeros((1 + 3 * N + 6, width))
    design_rows(centers, neighbors, vectors, gradients, B, kept, first, quadratic, rows)

    B, gradients = B[:, kept], gradients[..., kept]
    expected = np.zeros_like(rows)
    for i in range(N):
        expected[0, first[i] : first[i] + size] += columns(B[i], quadratic)
    for i, j, r, dB in zip(centers, neighbors, vectors, gradients, strict=True):
        block = slice(first[i], first[i] + size)
        for c in range(3):
            slope = slopes(B[i], dB[c], quadratic)
            expected[1 + 3 * j + c, block] -= slope
            expected[1 + 3 * i + c, block] += slope
        for v, (a, b) in enumerate(VOIGT):
            expected[1 + 3 * N + v, block] += r[a] * slopes(B[i], dB[b], quadratic)
    np.testing.assert_allclose(rows, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")
def test_linear_and_quadratic_fits_share_one_compiled_kernel():
    for flags in ({}, {"quadraticflag": True, "bzeroflag": False}, {"chemflag": True}):
        model = random_model(**flags)
        frames = read_frames(labelled_cells(model, 2))
        SnapDesign(model, frames, isolated_energies(model)).rows(frames[0])
    assert len(design_rows.signatures) == 1
