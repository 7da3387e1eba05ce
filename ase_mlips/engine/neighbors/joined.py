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
    rows = n // _W * _W + _W
    memory = np.zeros(HEADER + SHIFTS * rows + shifts.size)
    memory[[ATOMS, CENTERS, ROWS, CODES]] = n, n, rows, len(shifts)
    for place, values in ((WRAPPED, positions), (START, start.astype(np.int64).view(float)), (SHIFTS, shifts)):
        begin = HEADER + place * rows
        memory[begin : begin + values.size] = values.ravel()
    longest = int(np.max(start[1:] - start[:-1], initial=0))
    return StaticList(n, n, longest, (memory, np.stack([idx, code]).astype(np.int32, copy=False)))
