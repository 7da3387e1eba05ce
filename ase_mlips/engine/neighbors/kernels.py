"""Kernels of the neighbour list: wrap, make images, sort points into bins, scan the bins around each atom."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..jit import device, kernel
from ..simd import W, compress, fma, ldf, ldi, load, mask_less, off, popcount, ptr, splat, stf, sti, store_halves
from .kernels_lattice import dot, reduced_lattice
from .layout import (
    ATOMS,
    BAD_POSITIONS,
    BASIS,
    CELL,
    CENTERS,
    CODES,
    DUAL,
    DUMMY,
    FIRST,
    GROW,
    HEADER,
    HIGH,
    IMAGES,
    INPUT,
    LARGEST,
    LAST,
    LAYERS,
    LIMIT2,
    LOW,
    MAX_IMAGES,
    NEED,
    NEED_PAIRS,
    OFFSETS,
    PBC,
    REACH,
    ROWS,
    SHIFTS,
    START,
    TOO_SMALL,
    TRANSFORM,
    TURNS,
    WIDE,
    WRAPPED,
)


@kernel
def refresh(positions: Any, cell: Any, pbc: Any, centers: int, memory: Any) -> bool:
    """Whether the list is still valid; if so, move the wrapped positions along."""
    n = positions.shape[0]
    if memory[ATOMS] != n or memory[CENTERS] != centers:
        return False
    for a in range(3):
        if memory[PBC + a] != (1.0 if pbc[a] else 0.0):
            return False
        for b in range(3):
            if memory[CELL + 3 * a + b] != cell[a, b]:
                return False
    rows = int(memory[ROWS])
    limit2 = memory[LIMIT2]
    box = ptr(memory)
    before = off(box, HEADER + INPUT * rows)
    offset = off(box, HEADER + OFFSETS * rows)
    wrapped = off(box, HEADER + WRAPPED * rows)
    now = ptr(positions)
    for i in range(n):
        x, y, z = ldf(now, 3 * i), ldf(now, 3 * i + 1), ldf(now, 3 * i + 2)
        dx, dy, dz = x - ldf(before, 3 * i), y - ldf(before, 3 * i + 1), z - ldf(before, 3 * i + 2)
        if not dx * dx + dy * dy + dz * dz <= limit2:  # also for NaN
            return False
        stf(wrapped, 4 * i, x - ldf(offset, 3 * i))
        stf(wrapped, 4 * i + 1, y - ldf(offset, 3 * i + 1))
        stf(wrapped, 4 * i + 2, z - ldf(offset, 3 * i + 2))
    return True


@kernel
def build(positions: Any, cell: Any, pbc: Any, centers: int, memory: Any, pairs: Any) -> int:
    """Build the list; the number of entries or a negative status (`GROW`: sizes are in the header)."""
    n = positions.shape[0]
    rows = n // W * W + W  # at least one more than atoms, and blocks stay aligned to cache lines
    memory[ATOMS], memory[ROWS], memory[CENTERS] = -1.0, rows, centers
    memory[NEED], memory[NEED_PAIRS] = HEADER + (SHIFTS + 1) * rows, 0.0
    if memory.size < memory[NEED]:
        return GROW
    status = reduced_lattice(cell, pbc, memory)
    if status < 0:
        return status
    if not _wrap(positions, memory):
        return BAD_POSITIONS
    points = _count_points(memory, n)
    images = 1.0
    for a in range(3):
        images *= 2.0 * memory[IMAGES + a] + 1.0
    memory[CODES] = images
    if images > MAX_IMAGES or points + W > 2.0**31:
        return TOO_SMALL
    shifts = HEADER + SHIFTS * rows
    scratch = shifts + 4 * int(images)
    grid = _grid(memory, points)
    bins = grid[6] * grid[7] * grid[8]
    capacity = int(points) + W
    place = scratch + 8 * capacity
    memory[NEED] = place + (capacity + bins + n) // 2 + W
    if memory.size < memory[NEED]:
        memory[NEED_PAIRS] = centers * (2.0 * W + 1.1 * _expected(memory, points))
        return GROW
    _shifts_and_dummy(memory, n, shifts)
    integers = off(ptr(memory.view(np.int32)), 2 * scratch)
    box = off(ptr(memory), scratch)
    count = _make_points(memory, n, shifts, off(box, 4 * capacity), off(integers, 8 * capacity))
    _sort_points(box, integers, n, count, capacity, grid)
    entries = _scan(memory, box, integers, pairs, n, capacity, grid)
    if entries >= 0:
        memory[ATOMS] = n
    return entries


@device
def _wrap(positions: Any, box: Any) -> bool:
    """Wrap the atoms into the reduced cell and find what they extend over; False for bad positions."""
    n = positions.shape[0]
    rows = int(box[ROWS])
    nowhere = np.inf if n else 0.0
    for a in range(3):
        box[LOW + a] = box[FIRST + a] = nowhere
        box[HIGH + a] = box[LAST + a] = -nowhere
    for i in range(n):
        at = 3 * i + HEADER
        for a in range(3):
            x = positions[i, a]
            if not abs(x) <= LARGEST:
                return False
            box[at + a] = x
            box[at + OFFSETS * rows + a] = box[at + TURNS * rows + a] = 0.0
        for k in range(3):
            turns = math.floor(dot(box, DUAL + 3 * k, at)) * 1.0
            for a in range(3):
                box[at + OFFSETS * rows + a] += turns * box[BASIS + 3 * k + a]
                box[at + TURNS * rows + a] += turns * box[TRANSFORM + 3 * k + a]
        wrapped = HEADER + WRAPPED * rows + 4 * i
        for a in range(3):
            x = box[at + a] - box[at + OFFSETS * rows + a]
            box[wrapped + a] = x
            box[LOW + a] = min(box[LOW + a], x)
            box[HIGH + a] = max(box[HIGH + a], x)
        box[wrapped + 3] = 0.0
        for k in range(3):
            f = dot(box, DUAL + 3 * k, wrapped)
            box[FIRST + k] = min(box[FIRST + k], f)
            box[LAST + k] = max(box[LAST + k], f)
    extent = 0.0
    for a in range(3):
        extent = max(extent, abs(box[LOW + a]), abs(box[HIGH + a]))
    box[WIDE] = box[REACH] * (1.0 + 1e-9) + 1e-14 * extent
    for k in range(3):
        u = DUAL + 3 * k
        margin = 1e-12 + box[WIDE] * math.sqrt(dot(box, u, u))
        box[FIRST + k] -= margin
        box[LAST + k] += margin
    return True


@device
def _count_points(box: Any, n: int) -> Any:
    """Number of atoms and images in range, and the largest multiples of the basis vectors."""
    first = HEADER + WRAPPED * int(box[ROWS])
    total = 0.0
    for k in range(3):
        box[IMAGES + k] = 0.0
    for i in range(n):
        product = 1.0
        for k in range(3):
            low, high = _span(box, k, first + 4 * i)
            product *= high - low + 1.0
            box[IMAGES + k] = max(box[IMAGES + k], -float(low), float(high))
        total += product
    return total


@device
def _span(box: Any, k: int, at: int) -> Any:
    """First and last multiple of basis vector k that bring the point at `at` into the range."""
    f = dot(box, DUAL + 3 * k, at)
    return math.ceil(box[FIRST + k] - f), math.floor(box[LAST + k] - f)


@device
def _shifts_and_dummy(box: Any, n: int, shifts: int) -> None:
    """The table of lattice vectors, and the dummy atom where none of them brings it near an atom."""
    m0, m1, m2 = int(box[IMAGES]), int(box[IMAGES + 1]), int(box[IMAGES + 2])
    far = 0.0
    at = shifts
    for s0 in range(-m0, m0 + 1):
        for s1 in range(-m1, m1 + 1):
            for s2 in range(-m2, m2 + 1):
                for a in range(3):
                    x = s0 * box[BASIS + a] + s1 * box[BASIS + 3 + a] + s2 * box[BASIS + 6 + a]
                    box[at + a] = x
                    far = max(far, abs(x))
                box[at + 3] = 0.0
                at += 4
    for a in range(3):
        far = max(far, abs(box[LOW + a]), abs(box[HIGH + a]))
    dummy = HEADER + WRAPPED * int(box[ROWS]) + 4 * n
    for a in range(3):
        box[dummy + a] = max(DUMMY, 10.0 * far)
    box[dummy + 3] = 0.0


@device
def _expected(box: Any, points: float) -> Any:
    """Neighbours of an atom if the points were spread evenly."""
    volume = 1.0
    for a in range(3):
        volume *= box[HIGH + a] - box[LOW + a] + 2.0 * box[WIDE]
    return points / volume * 4.19 * box[WIDE] ** 3


@device
def _grid(box: Any, points: float) -> Any:
    """Origin (3), bins per length (3) and number of bins (3).

    Along x and y a bin is as wide as the reach, so that an atom looks into three of them.  Where the box has more bins
    than about two per point they are used cyclically: memory stays small for a few atoms far apart, and atoms far apart
    that share a bin only cost a comparison.
    """
    wide = box[WIDE]
    per_length = 1.0 / (2.0 * wide - box[REACH])  # a little wider than `wide`, so that rounding cannot make it four
    nx = int((box[HIGH] - box[LOW] + 2.0 * wide) * per_length) + 2
    ny = int((box[HIGH + 1] - box[LOW + 1] + 2.0 * wide) * per_length) + 2
    nz = int((box[HIGH + 2] - box[LOW + 2] + 2.0 * wide) * per_length * LAYERS) + 2
    while float(nx) * ny * nz > 2.0 * points + 1024.0:
        if nx >= ny and nx >= nz:
            nx = max(3, nx // 2)
        elif ny >= nz:
            ny = max(3, ny // 2)
        else:
            nz = max(2 * LAYERS + 1, nz // 2)
    x, y, z = box[LOW] - wide, box[LOW + 1] - wide, box[LOW + 2] - wide
    return x, y, z, per_length, per_length, per_length * LAYERS, nx, ny, nz


@device
def _make_points(box: Any, n: int, shifts: int, points: Any, ids: Any) -> int:
    """Write x, y, z and (atom, image) of the atoms, in their order, then of the images within reach of their box."""
    m0, m1, m2 = int(box[IMAGES]), int(box[IMAGES + 1]), int(box[IMAGES + 2])
    centre = (m0 * (2 * m1 + 1) + m1) * (2 * m2 + 1) + m2
    wide = box[WIDE]
    low_x, low_y, low_z = box[LOW] - wide, box[LOW + 1] - wide, box[LOW + 2] - wide
    high_x, high_y, high_z = box[HIGH] + wide, box[HIGH + 1] + wide, box[HIGH + 2] + wide
    first = HEADER + WRAPPED * int(box[ROWS])
    for i in range(n):
        at = first + 4 * i
        _put(points, ids, i, box[at], box[at + 1], box[at + 2], i, centre)
    count = n
    for i in range(n):
        at = first + 4 * i
        a0, b0 = _span(box, 0, at)
        a1, b1 = _span(box, 1, at)
        a2, b2 = _span(box, 2, at)
        for s0 in range(a0, b0 + 1):
            for s1 in range(a1, b1 + 1):
                for s2 in range(a2, b2 + 1):
                    code = ((s0 + m0) * (2 * m1 + 1) + s1 + m1) * (2 * m2 + 1) + s2 + m2
                    shift = shifts + 4 * code
                    x, y, z = box[at] + box[shift], box[at + 1] + box[shift + 1], box[at + 2] + box[shift + 2]
                    inside = low_x <= x <= high_x and low_y <= y <= high_y and low_z <= z <= high_z
                    if inside and code != centre:
                        _put(points, ids, count, x, y, z, i, code)
                        count += 1
    return count


@device
def _put(points: Any, ids: Any, q: int, x: float, y: float, z: float, atom: int, code: int) -> None:
    stf(points, 4 * q, x)
    stf(points, 4 * q + 1, y)
    stf(points, 4 * q + 2, z)
    sti(ids, 8 * q + 6, atom)
    sti(ids, 8 * q + 7, code)


@device
def _sort_points(box: Any, integers: Any, n: int, count: int, capacity: int, grid: Any) -> None:
    """Counting sort of the points by bin, from rows of four to the arrays x, y, z, (atom, image)."""
    low_x, low_y, low_z, per_x, per_y, per_z, nx, ny, nz = grid
    points = off(box, 4 * capacity)
    bin_of = off(integers, 16 * capacity)
    starts = off(bin_of, capacity)
    places = off(starts, nx * ny * nz + 2)
    for b in range(nx * ny * nz + 2):
        sti(starts, b, 0)
    for q in range(count):
        ix = int((ldf(points, 4 * q) - low_x) * per_x)
        iy = int((ldf(points, 4 * q + 1) - low_y) * per_y)
        iz = int((ldf(points, 4 * q + 2) - low_z) * per_z)
        b = (_cyclic(ix, nx) * ny + _cyclic(iy, ny)) * nz + _cyclic(iz, nz)
        sti(bin_of, q, b)
        sti(starts, b + 2, ldi(starts, b + 2) + 1)
    total = 0
    for b in range(nx * ny * nz):
        total += ldi(starts, b + 2)
        sti(starts, b + 2, total)
    for q in range(count):
        b = ldi(bin_of, q)
        p = ldi(starts, b + 1)
        sti(starts, b + 1, p + 1)  # in the end: the first point of the next bin
        for a in range(4):
            stf(box, a * capacity + p, ldf(points, 4 * q + a))
        if q < n:
            sti(places, q, p)


@device
def _cyclic(i: int, n: int) -> int:
    return i if i < n else i % n


@device
def _scan(memory: Any, box: Any, integers: Any, pairs: Any, n: int, capacity: int, grid: Any) -> int:
    """Write the neighbours of the central atoms; the number of entries, or `GROW` where `pairs` is too small."""
    starts = off(integers, 17 * capacity)
    places = off(starts, grid[6] * grid[7] * grid[8] + 2)
    room = pairs.shape[1]
    idx, code = ptr(pairs), off(ptr(pairs), room)
    start = off(ptr(memory.view(np.int64)), HEADER + START * int(memory[ROWS]))
    wide = memory[WIDE]
    end, centers = 0, int(memory[CENTERS])
    for i in range(centers):
        sti(start, i, end)
        place = ldi(places, i)
        x = ldf(box, place)
        stf(box, place, 1e300)  # an atom is not its own neighbour, but its images are
        m = _scan_atom(box, starts, place, x, wide, capacity, grid, idx, end, room)
        stf(box, place, x)
        if m < 0:
            memory[NEED_PAIRS] = max(1.5 * room, 1.2 * room * centers / (i + 1.0)) + 2.0 * W
            return GROW
        end = (m + W - 1) // W * W
        for k in range(m, end):
            sti(idx, k, n)
            sti(code, k, 0)
    for i in range(centers, n + 1):
        sti(start, i, end)
    return end


@device
def _scan_atom(
    box: Any, starts: Any, place: int, x: float, wide: float, capacity: int, grid: Any, pairs: Any, m: int, room: int
) -> int:
    """Append the neighbours of the atom at `place` behind entry m; the new end, or -1 where there is no room."""
    low_x, low_y, low_z, per_x, per_y, per_z, nx, ny, nz = grid
    y, z = ldf(box, capacity + place) - low_y, ldf(box, 2 * capacity + place) - low_z
    xs, ys, zs = splat(x), splat(y + low_y), splat(z + low_z)
    x -= low_x
    wide2 = wide * wide
    limit = splat(wide2)
    size_x, size_y = 1.0 / per_x, 1.0 / per_y
    for cx in range(max(0, int((x - wide) * per_x)), int((x + wide) * per_x) + 1):
        gap = max(0.0, cx * size_x - x, x - (cx + 1.0) * size_x)
        left_x = wide2 - gap * gap
        column_x = _cyclic(cx, nx) * ny
        for cy in range(max(0, int((y - wide) * per_y)), int((y + wide) * per_y) + 1):
            gap = max(0.0, cy * size_y - y, y - (cy + 1.0) * size_y)
            left = left_x - gap * gap
            if left < 0.0:
                continue
            half = math.sqrt(left)
            z0 = max(0, int((z - half) * per_z))
            layers = int((z + half) * per_z) + 1 - z0
            column = (column_x + _cyclic(cy, ny)) * nz
            z0 = _cyclic(z0, nz)
            while layers > 0:  # twice where the run crosses the end of a column
                part = min(layers, nz - z0)
                k, last = ldi(starts, column + z0), ldi(starts, column + z0 + part)
                layers -= part
                z0 = 0
                if m + last - k + 2 * W > room:
                    return -1
                while k < last:
                    dx, dy, dz = load(box, k) - xs, load(box, capacity + k) - ys, load(box, 2 * capacity + k) - zs
                    near = mask_less(fma(dx, dx, fma(dy, dy, dz * dz)), limit)
                    if last - k < W:
                        near &= (1 << (last - k)) - 1
                    store_halves(pairs, off(pairs, room), m, compress(load(box, 3 * capacity + k), near))
                    m += popcount(near)
                    k += W
    return m
