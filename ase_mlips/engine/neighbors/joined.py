"""Lists that are put together from arrays, for atoms that do not move: those of several structures, for example."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...arrays import FloatArray, Int64Array, IntArray
from .layout import ATOMS, CENTERS, CODES, HEADER, ROWS, SHIFTS, START, WRAPPED

_W = 8  # lanes, see `simd`


class StaticList(NamedTuple):
    """A list with these buffers; see `plans.Listed`."""

    n: int
    centers: int
    longest: int
    buffers: tuple[FloatArray, IntArray]


class ListParts(NamedTuple):
    """Views of the buffers of a list, to be filled in."""

    positions: FloatArray
    shifts: FloatArray
    start: Int64Array
    idx: IntArray
    code: IntArray


def blank_list(n: int, images: int, entries: int) -> tuple[ListParts, tuple[FloatArray, IntArray]]:
    """Uninitialised arrays of a list, see `static_list`, and the buffers that hold them."""
    rows = n // _W * _W + _W
    memory = np.empty(HEADER + SHIFTS * rows + 4 * images)
    memory[:HEADER] = 0.0
    memory[ATOMS], memory[CENTERS], memory[ROWS], memory[CODES] = n, n, rows, images
    points, first, turned = (HEADER + place * rows for place in (WRAPPED, START, SHIFTS))
    pairs = np.empty((2, entries), np.int32)
    parts = ListParts(
        memory[points : points + 4 * (n + 1)].reshape(-1, 4),
        memory[turned:].reshape(-1, 4),
        memory[first : first + n + 1].view(np.int64),
        pairs[0],
        pairs[1],
    )
    return parts, (memory, pairs)


def static_list(
    positions: FloatArray, shifts: FloatArray, start: Int64Array, idx: IntArray, code: IntArray
) -> StaticList:
    """A list of arrays like those of `NeighborList`, copied; all atoms have rows.

    Parameters
    ----------
    positions : (N + 1, 4) array
        With the dummy atom as the last one.
    shifts : (images, 4) array
    start : (N + 1,) array
        Rows are padded to multiples of eight with ``idx = N``.
    idx, code : (M,) arrays
    """
    n = len(positions) - 1
    parts, buffers = blank_list(n, len(shifts), len(idx))
    parts.positions[:], parts.shifts[:] = positions, shifts
    parts.start[:], parts.idx[:], parts.code[:] = start, idx, code
    longest = int(np.max(start[1:] - start[:-1], initial=0))
    return StaticList(n, n, longest, buffers)
