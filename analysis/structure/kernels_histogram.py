"""Kernels that count: distances between atoms, and angles between bonds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ase_mlips.engine.jit import device, kernel
from ase_mlips.engine.points import gather_points
from ase_mlips.engine.simd import (
    W,
    compress,
    fma,
    ldf,
    ldi,
    load,
    mask_less,
    off,
    popcount,
    ptr,
    splat,
    stf,
    sti,
    store,
    vabs,
    vmin,
    vsqrt,
    where_less,
)

BUFFER = 2048  # squared distances that are collected before they are counted: they stay in the first-level cache
SCRATCH = BUFFER + 5 * W  # and four numbers per atom


@kernel
def count_nearest_images(positions: Any, first: Any, lengths: Any, r_max: float, histogram: Any, memory: Any) -> None:
    """Add the unordered pairs nearer than r_max of an orthorhombic cell, nearest images only.

    Parameters
    ----------
    positions : (N, 3) array
        Sorted by species.
    first : (S + 1,) int64 array
        The atoms ``first[a] ... first[a + 1] - 1`` are of species a.
    lengths : (3,) array
        Edges of the cell, at least ``2 r_max``; infinite along an axis that is not periodic.
    histogram : (S, S, bins) int64 array
        Pairs of different species go to ``[a, b]`` with a < b.
    memory : (4 N + SCRATCH,) array
        Scratch.
    """
    n, bins = positions.shape[0], histogram.shape[2]
    rows = n + W
    x, near = ptr(memory), off(ptr(memory), 3 * rows)
    for axis in range(3):
        length = lengths[axis]
        for i in range(n):
            p = positions[i, axis]
            stf(x, axis * rows + i, p - length * math.floor(p / length) if length < np.inf else p)
        for i in range(n, rows):
            stf(x, axis * rows + i, 0.0)
    kinds = first.shape[0] - 1
    for a in range(kinds):
        for b in range(a, kinds):
            counts = off(ptr(histogram), (a * kinds + b) * bins)
            m = 0
            end = int(first[b + 1])
            for i in range(int(first[a]), int(first[a + 1])):
                start = i + 1 if a == b else int(first[b])
                m = _collect_near(x, rows, i, start, end, lengths, r_max, near, m)
                if m > BUFFER:
                    _count(near, m, bins / r_max, bins, counts)
                    m = 0
            _count(near, m, bins / r_max, bins, counts)


@device
def _collect_near(
    x: Any, rows: int, i: int, start: int, end: int, lengths: Any, r_max: float, near: Any, m: int
) -> int:
    """Append the squared distances below r_max^2 from atom i to the atoms start ... end - 1; the new number."""
    x0, y0, z0 = splat(ldf(x, i)), splat(ldf(x, rows + i)), splat(ldf(x, 2 * rows + i))
    lx, ly, lz = splat(lengths[0]), splat(lengths[1]), splat(lengths[2])
    limit = splat(r_max * r_max)
    for k in range(start, end, W):
        dx, dy, dz = vabs(load(x, k) - x0), vabs(load(x, rows + k) - y0), vabs(load(x, 2 * rows + k) - z0)
        dx, dy, dz = vmin(dx, lx - dx), vmin(dy, ly - dy), vmin(dz, lz - dz)
        r2 = fma(dx, dx, fma(dy, dy, dz * dz))
        bits = mask_less(r2, limit)
        if end - k < W:
            bits &= (1 << (end - k)) - 1
        store(near, m, compress(r2, bits))
        m += popcount(bits)
    return m


@device
def _count(squares: Any, m: int, scale: float, bins: int, counts: Any) -> None:
    """Add m squared distances to a histogram; overwrites them."""
    last = splat(bins - 1.0)  # rounding may lift a distance just below r_max to the end
    for k in range(0, m, W):
        store(squares, k, vmin(vsqrt(load(squares, k)) * scale, last))
    for k in range(m):
        slot = int(ldf(squares, k))
        sti(counts, slot, ldi(counts, slot) + 1)


@kernel
def count_listed(neighbors: Any, species: Any, r_max: float, histogram: Any, memory: Any) -> None:
    """Add the pairs of a neighbour list nearer than r_max, both directions.

    Parameters
    ----------
    neighbors : tuple of arrays
        ``positions, shifts, start, idx, code`` of a `NeighborList`.
    species : (N + 1,) int64 array
        That of the dummy atom too.
    histogram : (S, S, bins + 1) int64 array
        The last bin is for what is not within r_max.
    memory : array
        Scratch, as long as the longest list.
    """
    positions, shifts, start, idx, code = neighbors
    kinds, slots = histogram.shape[0], histogram.shape[2]
    scale = (slots - 1.0) / r_max
    limit, beyond = splat(r_max * r_max), splat(slots - 1.0)
    last = splat(slots - 2.0)
    points, images, slot = ptr(positions), ptr(shifts), ptr(memory)
    js, codes, kind_of = ptr(idx), ptr(code), ptr(species)
    for i in range(species.shape[0] - 1):
        x0, y0, z0 = splat(ldf(points, 4 * i)), splat(ldf(points, 4 * i + 1)), splat(ldf(points, 4 * i + 2))
        begin, end = start[i], start[i + 1]
        for k in range(begin, end, W):
            x, y, z = gather_points(points, images, js, codes, k)
            dx, dy, dz = x - x0, y - y0, z - z0
            r2 = fma(dx, dx, fma(dy, dy, dz * dz))
            store(slot, k - begin, where_less(r2, limit, vmin(vsqrt(r2) * scale, last), beyond))
        counts = off(ptr(histogram), species[i] * kinds * slots)
        for k in range(begin, end):
            j = ldi(js, k)
            place = ldi(kind_of, j) * slots + int(ldf(slot, k - begin))
            sti(counts, place, ldi(counts, place) + 1)


@kernel
def count_angles(
    neighbors: Any, species: Any, cutoffs2: Any, first: int, last: int, histogram: Any, memory: Any
) -> None:
    """Add the angles between any two bonds of the atoms ``first ... last - 1`` of a neighbour list.

    Parameters
    ----------
    neighbors : tuple of arrays
        ``positions, shifts, start, idx, code`` of a `NeighborList`.
    species : (N + 1,) int64 array
        That of the dummy atom too.
    cutoffs2 : (S, S) array
        Squares of the lengths below which two atoms are bonded; symmetric.
    histogram : (S, S, S, bins) int64 array
        An angle at an atom of species c between bonds to atoms of species a <= b goes to ``[c, a, b]``.
    memory : (rows, 4) array
        Scratch, as many rows as the longest list.
    """
    positions, shifts, start, idx, code = neighbors
    bins = histogram.shape[3]
    scale = bins / math.pi
    for i in range(first, last):
        c = species[i]
        bonds = 0
        for k in range(start[i], start[i + 1]):
            j = idx[k]
            x = positions[j, 0] + shifts[code[k], 0] - positions[i, 0]
            y = positions[j, 1] + shifts[code[k], 1] - positions[i, 1]
            z = positions[j, 2] + shifts[code[k], 2] - positions[i, 2]
            r2 = x * x + y * y + z * z
            if 0.0 < r2 < cutoffs2[c, species[j]]:
                r = math.sqrt(r2)
                memory[bonds, 0], memory[bonds, 1], memory[bonds, 2] = x / r, y / r, z / r
                memory[bonds, 3] = species[j]
                bonds += 1
        for k in range(bonds):
            for m in range(k):
                cosine = memory[k, 0] * memory[m, 0] + memory[k, 1] * memory[m, 1] + memory[k, 2] * memory[m, 2]
                slot = min(int(math.acos(max(-1.0, min(1.0, cosine))) * scale), bins - 1)
                a, b = int(min(memory[k, 3], memory[m, 3])), int(max(memory[k, 3], memory[m, 3]))
                histogram[c, a, b, slot] += 1
