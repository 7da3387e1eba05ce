"""Lattice reduction: short, nearly orthogonal vectors for any cell, however skewed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..jit import device
from .layout import BAD_CELL, BASIS, CELL, DEPENDENT, DUAL, LARGEST, PBC, TRANSFORM


@device
def reduced_lattice(cell: Any, pbc: Any, box: Any) -> int:
    """Reduced vectors of the periodic axes and their dual vectors, zeros for the others; a status."""
    rank = 0
    for k in range(27):  # BASIS, TRANSFORM, DUAL
        box[BASIS + k] = 0.0
    for a in range(3):
        norm2 = 0.0
        for b in range(3):
            if not abs(cell[a, b]) <= LARGEST:
                return BAD_CELL
            norm2 += cell[a, b] ** 2
            box[CELL + 3 * a + b] = cell[a, b]
        box[PBC + a] = 1.0 if pbc[a] else 0.0
        if pbc[a] and norm2 > 0.0:
            box[TRANSFORM + 3 * rank + a] = 1.0
            for b in range(3):
                box[BASIS + 3 * rank + b] = cell[a, b]
            rank += 1
    _complete(box, rank)
    volume = _volume(box)
    size2 = 1.0
    for k in range(3):
        size2 *= dot(box, BASIS + 3 * k, BASIS + 3 * k)
    if not volume * volume > 1e-26 * size2:
        return DEPENDENT
    _reduce(box, rank)
    volume = _volume(box)
    for k in range(rank):
        x, y, z = _cross(box, k)
        box[DUAL + 3 * k], box[DUAL + 3 * k + 1], box[DUAL + 3 * k + 2] = x / volume, y / volume, z / volume
    for k in range(3 * rank, 9):
        box[BASIS + k] = 0.0
    return 0


@device
def _complete(box: Any, rank: int) -> None:
    """Append unit vectors orthogonal to the first `rank` basis vectors."""
    if rank == 0:
        box[BASIS] = 1.0
    if rank <= 1:  # any vector that is not parallel: the axis of the smallest component
        axis = 0
        for b in range(1, 3):
            if abs(box[BASIS + b]) < abs(box[BASIS + axis]):
                axis = b
        box[BASIS + 6 + axis] = 1.0
        _set_unit(box, 1)
    if rank <= 2:
        _set_unit(box, 2)


@device
def _set_unit(box: Any, k: int) -> None:
    """Basis vector k along the cross product of the two others."""
    x, y, z = _cross(box, k)
    norm = math.sqrt(x * x + y * y + z * z)
    box[BASIS + 3 * k] = x / norm
    box[BASIS + 3 * k + 1] = y / norm
    box[BASIS + 3 * k + 2] = z / norm


@device
def _reduce(box: Any, rank: int) -> None:
    """Minkowski-reduce the basis, so that few images suffice however skewed the cell is."""
    changed = rank > 1
    while changed:
        changed = False
        for k in range(rank):
            for step in range(1, rank):
                i = (k + step) % rank
                u = BASIS + 3 * i
                changed |= _shorten(box, k, i, -np.rint(dot(box, u, BASIS + 3 * k) / dot(box, u, u)), i, 0.0)
        if rank == 3 and not changed:
            for k in range(3):
                for signs in range(4):
                    s, t = 1.0 - (signs & 2), 1.0 - 2.0 * (signs & 1)
                    changed |= _shorten(box, k, (k + 1) % 3, s, (k + 2) % 3, t)


@device
def _shorten(box: Any, k: int, i: int, s: float, j: int, t: float) -> bool:
    """Add s times basis vector i and t times j to number k if that makes it shorter; whether it did."""
    before = after = 0.0
    for b in range(3):
        x = box[BASIS + 3 * k + b]
        y = x + s * box[BASIS + 3 * i + b] + t * box[BASIS + 3 * j + b]
        before += x * x
        after += y * y
    if not after < before * (1.0 - 1e-9):
        return False
    for table in (BASIS, TRANSFORM):
        for b in range(3):
            box[table + 3 * k + b] += s * box[table + 3 * i + b] + t * box[table + 3 * j + b]
    return True


@device
def _volume(box: Any) -> Any:
    x, y, z = _cross(box, 0)
    return box[BASIS] * x + box[BASIS + 1] * y + box[BASIS + 2] * z


@device
def _cross(box: Any, k: int) -> Any:
    """Cross product of the two basis vectors after number k, cyclically."""
    u, v = BASIS + 3 * ((k + 1) % 3), BASIS + 3 * ((k + 2) % 3)
    x = box[u + 1] * box[v + 2] - box[u + 2] * box[v + 1]
    y = box[u + 2] * box[v] - box[u] * box[v + 2]
    z = box[u] * box[v + 1] - box[u + 1] * box[v]
    return x, y, z


@device
def dot(box: Any, at: int, other: int) -> Any:
    return box[at] * box[other] + box[at + 1] * box[other + 1] + box[at + 2] * box[other + 2]
