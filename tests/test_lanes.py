"""Kernels with eight atoms as lanes against plain sums; run with and without compilation (NUMBA_DISABLE_JIT=1)."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse

from ase_mlips.engine import horner, lanes
from ase_mlips.engine.jit import kernel
from ase_mlips.engine.neighbors.kernels_pairs import Listing
from ase_mlips.engine.simd import W, off, ptr


@kernel
def gathered(listing, members, n, inner, outer, slots, work):
    positions, shifts, start, idx, code = listing
    pointers = Listing(ptr(positions), ptr(shifts), ptr(start), ptr(idx), ptr(code))
    return lanes.gather(pointers, ptr(members), n, inner, outer, slots, ptr(work))


def block(*atoms, n):
    """Members of a block; lanes without atom have n, as those behind the last one."""
    return np.array([*atoms, *[n] * (W - len(atoms))], np.int32)


def blocks_of(n, kind):
    """Blocks that hold every one of n atoms once."""
    rng = np.random.default_rng(n)
    order = np.arange(n) if kind == "consecutive" else rng.permutation(n)
    if kind != "with holes":
        return [block(*order[first : first + W], n=n) for first in range(0, n, W)]
    blocks = [block(*order[first : first + 3], n=n) for first in range(0, n, 3)]
    return [rng.permutation(members) for members in [*blocks, block(n=n)]]


def random_list(rng, counts):
    """A neighbour list with `counts` entries for each atom: (positions, shifts, start, idx, code), padded."""
    n = len(counts)
    positions, shifts = np.zeros((n + 1, 4)), np.zeros((5, 4))
    positions[:n, :3], positions[n, :3], shifts[:, :3] = rng.uniform(0, 4, (n, 3)), 1e7, rng.uniform(-1, 1, (5, 3))
    idx, code, start = [], [], [0]
    for count in counts:
        padding = -count % W
        idx += [*rng.integers(0, n, count), *[n] * padding]
        code += [*rng.integers(0, 5, count), *[0] * padding]
        start.append(len(idx))
    return positions, shifts, np.array(start), np.array(idx, np.int32), np.array(code, np.int32)


@pytest.mark.parametrize("kind", ["consecutive", "permuted", "with holes"])
@pytest.mark.parametrize("counts", [[9, 0, 16, 1, 3, 40, 8, 7, 12, 5, 11], [0] * 3, [24]])
@pytest.mark.parametrize(
    ("inner", "outer"), [(0.0, 0.01), (0.0, 2.2), (0.0, 40.0), (1.4, 2.2), (2.2, 40.0), (2.2, 2.2)]
)
def test_gather(counts, inner, outer, kind):
    arrays = random_list(np.random.default_rng(len(counts)), counts)
    positions, shifts, start, idx, code = arrays
    n, vectors = len(counts), positions[idx, :3] + shifts[code, :3]
    expected = {n: np.empty((0, 4))}
    for i in range(n):
        part = slice(start[i], start[i + 1])
        r = vectors[part] - positions[i, :3]
        distances = np.linalg.norm(r, axis=1)
        within = (inner <= distances) & (distances < outer)
        expected[i] = np.column_stack([r[within], idx[part][within]])
    for members in blocks_of(n, kind):
        most = max(len(expected[i]) for i in members)
        used = -(-most // 4) * 4
        for slots in (max(used, 1), used + 20):
            work = np.full((4 * slots + 4 * (slots + W)) * W, np.nan)
            assert gathered(arrays, members, n, inner, outer, slots, work) == used
            wanted = np.tile([lanes.PAD, 0.0, 0.0, n], (W, used, 1))
            for lane, i in enumerate(members):
                wanted[lane, : len(expected[i])] = expected[i]
            actual = work[: 4 * used * W].reshape(used, 4, W).transpose(2, 0, 1)
            np.testing.assert_allclose(actual, wanted, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [(0.0, 5.0, [2, 0, 3, 3]), (5.0, 9.0, [1, 3, 3, 3]), (0.0, 9.0, [1, 2, 0, 3]), (5.0, 5.0, [])],
)
def test_gather_counts_a_neighbor_at_the_inner_distance_only(inner, outer, expected):
    """One that stands exactly at a distance where two ranges meet belongs to the outer range and to no other."""
    positions = np.array([[0.0, 0, 0, 0], [3, 4, 0, 0], [3, 0, np.nextafter(4.0, 0.0), 0], [1e7, 1e7, 1e7, 0]])
    idx = np.array([1, 2, 0, 3, 3, 3, 3, 3], np.int32)
    start, slots = np.array([0, 8, 8, 8]), 4
    work = np.empty((8 * slots + 4 * W) * W)
    arrays = positions, np.zeros((1, 4)), start, idx, np.zeros(8, np.int32)
    used = gathered(arrays, block(2, 0, n=3), 3, inner, outer, slots, work)
    assert used == len(expected)
    assert work.reshape(-1, W)[3 : 4 * used : 4, 1].tolist() == expected
    assert work.reshape(-1, W)[3 : 4 * used : 4, 0].tolist() == [3] * used


@kernel
def summed(F, pq, used, limits, offsets, channels, S, D, out):
    lanes.channel_sums(ptr(F), ptr(pq), used, ptr(limits), ptr(offsets), channels, ptr(S))
    for group in range(used // 4):
        target = off(ptr(out), group * channels * 12 * W)
        horner.channel_derivatives(ptr(D), off(ptr(pq), group * 8 * W), ptr(limits), ptr(offsets), channels, target)


@pytest.mark.parametrize(
    "limits", [[5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0], [6, 4, 2, 0], [9, 8, 7], [3, 3, 1], [4, 0], [2], [0]]
)
@pytest.mark.parametrize("used", [0, 4, 12])
def test_channel_sums_and_derivatives(limits, used):
    rng = np.random.default_rng(used)
    channels, groups = len(limits), used // 4
    sizes = [(m + 1) * (m + 2) // 2 for m in limits]
    offsets = np.concatenate([[0], np.cumsum(sizes), np.zeros(2)]).astype(np.int32)
    total = offsets[channels]
    F, pq = rng.normal(size=(groups, channels + 3, 4, W)), rng.uniform(-1.2, 1.2, (groups, 2, 4, W))
    F[:, channels:] = np.nan
    D, S, out = rng.normal(size=(total, W)), np.full((total, W), np.nan), np.full((groups, channels, 3, 4, W), np.nan)
    padded = np.array([*limits, -1, -1, -1], np.int32)
    summed(F, pq, used, padded, offsets, channels, S, D, out)

    expected, slopes = np.zeros((total, W)), np.zeros((groups, channels, 3, 4, W))
    p, q = pq[:, 0], pq[:, 1]
    for channel, limit in enumerate(limits):
        powers = [(b, c) for b in range(limit + 1) for c in range(limit + 1 - b)]
        for (b, c), e in zip(powers, range(offsets[channel], total), strict=False):
            expected[e] = np.sum(F[:, channel] * p**b * q**c, axis=(0, 1))
            slopes[:, channel, 0] += D[e] * p**b * q**c
            slopes[:, channel, 1] += D[e] * (b * p ** max(b - 1, 0)) * q**c
            slopes[:, channel, 2] += D[e] * p**b * (c * q ** max(c - 1, 0))
    np.testing.assert_allclose(S, expected, rtol=0, atol=1e-13 * max(1.0, np.abs(expected).max()))
    np.testing.assert_allclose(out, slopes, rtol=0, atol=1e-13 * max(1.0, np.abs(slopes).max(initial=0)))


@kernel
def multiplied(rows, begin, columns, values, x, y):
    lanes.sparse_product(rows, ptr(begin), ptr(columns), ptr(values), ptr(x), ptr(y))


def test_sparse_product():
    rng = np.random.default_rng(0)
    dense = np.zeros((7, 9))
    for row, count in enumerate([0, 1, 2, 3, 4, 9, 0]):
        dense[row, rng.choice(9, count, replace=False)] = rng.normal(size=count)
    matrix, x, y = sparse.csr_array(dense), rng.normal(size=(9, W)), np.full((7, W), np.nan)
    multiplied(7, matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data, x, y)
    np.testing.assert_allclose(y, dense @ x, rtol=0, atol=1e-14)


@kernel
def scattered(slots, P, used, members, n, rows):
    lanes.scatter(ptr(slots), ptr(P), used, ptr(members), n, ptr(rows))


@pytest.mark.parametrize("used", [0, 4, 12])
@pytest.mark.parametrize(
    ("n", "members"),
    [
        (3, [0, 1, 2, 3, 3, 3, 3, 3]),
        (24, range(16, 24)),
        (24, [5, 23, 0, 11, 7, 16, 8, 1]),
        (21, [21, 4, 21, 20, 0, 21, 13, 21]),
        (9, [9] * W),
    ],
    ids=["first", "consecutive", "permuted", "holes", "empty"],
)
def test_scatter(n, members, used):
    """Several lanes and slots have the same neighbour; lanes without an atom have the dummy and no force."""
    rng = np.random.default_rng(n)
    slots, P = rng.normal(size=(used, 4, W)), rng.normal(size=(used, 3, W))
    slots[:, 3] = rng.integers(0, n, (used, W))
    padding = (rng.uniform(size=(used, W)) < 0.3) | (np.array(members) == n)
    slots[:, 3][padding] = n
    P.transpose(0, 2, 1)[padding] = 0.0
    before = rng.normal(size=(n + 1, lanes.ROW))
    after = before.copy()
    scattered(slots, P, used, np.array(members, np.int32), n, after)
    expected = before.copy()
    for k in range(used):
        for lane, i in enumerate(members):
            j, r, p = int(slots[k, 3, lane]), slots[k, :3, lane], P[k, :, lane]
            expected[j, :3] -= p
            expected[j, 3:12] -= np.outer(r, p).ravel()
            if i < n:
                expected[i, :3] += p
    np.testing.assert_allclose(after, expected, rtol=0, atol=1e-13)


@kernel
def cleared(idx, begin, end, first, last, n, rows):
    lanes.clear_pages(ptr(idx), begin, end, first, last, n, ptr(rows))


@pytest.mark.parametrize(("n", "chunks"), [(1, 1), (63, 2), (64, 3), (200, 1), (300, 4)])
def test_collect_sums_the_pages_that_chunks_have_cleared(n, chunks):
    rng = np.random.default_rng(n)
    pages = n // lanes.PAGE + 1
    memory = np.full((chunks, lanes.chunk_size(n)), np.nan)
    split = pages * lanes.PAGE * lanes.ROW
    rows, touched = memory[:, :split].reshape(chunks, -1, lanes.ROW), memory[:, split:]
    assert np.shares_memory(rows, memory)
    expected = np.zeros((n, 12))
    edges = [n * c // chunks for c in range(chunks + 1)]
    for c, (first, last) in enumerate(pairwise(edges)):
        idx = np.array([n + 7, *rng.integers(0, n, 2), n, n + 7], np.int32)  # entries 0 and 4 are not of this chunk
        cleared(idx, 1, 4, first, last, n, memory[c])
        mine = sorted({*range(first, last), *idx[1:3], n})
        marked = {page for page in range(pages) if touched[c, page]}
        assert marked == {atom // lanes.PAGE for atom in mine}
        for page in range(pages):
            part = rows[c, page * lanes.PAGE : (page + 1) * lanes.PAGE]
            assert not part.any() if page in marked else np.isnan(part).all()
        rows[c, mine] = rng.normal(size=(len(mine), lanes.ROW))
        for atom in mine[:-1]:
            expected[atom] += rows[c, atom, :12]
    forces, virials = np.full((n, 3), np.nan), np.full((n, 3, 3), np.nan)
    lanes.collect(memory, chunks, n, forces, virials)
    np.testing.assert_allclose(forces, expected[:, :3], rtol=0, atol=1e-14)
    np.testing.assert_allclose(virials.reshape(n, 9), expected[:, 3:], rtol=0, atol=1e-14)


def test_collect_needs_no_atoms():
    memory = np.full(lanes.chunk_size(0), np.nan)
    lanes.collect(memory, 1, 0, np.empty((0, 3)), np.empty((0, 3, 3)))
