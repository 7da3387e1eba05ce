"""What reads the list: the places of its arrays, and the kernel that turns them into arrays of pairs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..jit import device, kernel
from ..simd import ldf, ldi, off, ptr, stf, sti
from .layout import CENTERS, CODES, HEADER, IMAGES, ROWS, SHIFTS, START, TRANSFORM, TURNS, WRAPPED


class Listing(NamedTuple):
    """Pointers to the arrays of a list, see `NeighborList`."""

    positions: Any
    shifts: Any
    start: Any
    idx: Any
    code: Any


@device
def pointers(memory: Any, pairs: Any) -> Listing:
    """Where the arrays of a list are in `NeighborList.buffers`."""
    rows = int(memory[ROWS])
    box, integers = off(ptr(memory), HEADER), off(ptr(memory.view(np.int64)), HEADER)
    idx = ptr(pairs)
    return Listing(
        off(box, WRAPPED * rows), off(box, SHIFTS * rows), off(integers, START * rows), idx, off(idx, pairs.shape[1])
    )


@kernel
def select_pairs(memory: Any, pairs: Any, cutoff: float, numbers: Any, vectors: Any) -> int:
    """Write the pairs nearer than the cutoff as far as there is room; how many there are.

    Parameters
    ----------
    numbers : (5 * room,) int64 array
        Receives all i, all j, and S pair by pair.
    vectors : (room, 3) array
        Receives D.
    """
    points, shifts, start, idx, codes = pointers(memory, pairs)
    room = vectors.shape[0]
    out, D = ptr(numbers), ptr(vectors)
    count = 0
    for i in range(int(memory[CENTERS])):
        x, y, z = ldf(points, 4 * i), ldf(points, 4 * i + 1), ldf(points, 4 * i + 2)
        for k in range(ldi(start, i), ldi(start, i + 1)):
            j, code = ldi(idx, k), ldi(codes, k)
            # in this order the two directions of a pair are negatives of each other to the last bit
            dx = ldf(points, 4 * j) - x + ldf(shifts, 4 * code)
            dy = ldf(points, 4 * j + 1) - y + ldf(shifts, 4 * code + 1)
            dz = ldf(points, 4 * j + 2) - z + ldf(shifts, 4 * code + 2)
            if dx * dx + dy * dy + dz * dz < cutoff * cutoff:
                if count < room:
                    sti(out, count, i)
                    sti(out, room + count, j)
                    _write_shift(memory, i, j, code, off(out, 2 * room + 3 * count))
                    stf(D, 3 * count, dx)
                    stf(D, 3 * count + 1, dy)
                    stf(D, 3 * count + 2, dz)
                count += 1
    return count


@device
def _write_shift(memory: Any, i: int, j: int, code: int, S: Any) -> None:
    """Cell vectors between the images as they were given: of the image, and of the wrapping of both atoms."""
    turns = HEADER + TURNS * int(memory[ROWS])
    central = code == (int(memory[CODES]) - 1) // 2
    m1, m2 = int(memory[IMAGES + 1]), int(memory[IMAGES + 2])
    for a in range(3):
        sti(S, a, int(memory[turns + 3 * i + a] - memory[turns + 3 * j + a]))
    if not central:
        rest, s2 = divmod(code, 2 * m2 + 1)
        s0, s1 = divmod(rest, 2 * m1 + 1)
        s0, s1, s2 = s0 - int(memory[IMAGES]), s1 - m1, s2 - m2
        for a in range(3):
            change = s0 * memory[TRANSFORM + a] + s1 * memory[TRANSFORM + 3 + a] + s2 * memory[TRANSFORM + 6 + a]
            sti(S, a, ldi(S, a) + int(change))
