"""Several frames as one list of atoms, so that kernels fill their lanes across frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from ..arrays import FloatArray, Int64Array, IntArray
from ..engine.neighbors import NeighborList

ATOMS = 640  # of a list: enough that a call costs little beside its work, few enough that two threads share evenly


@dataclass(frozen=True, eq=False)
class JoinedFrames:
    """Neighbour lists of several frames as one, in the arrays of `NeighborList`.

    Attributes
    ----------
    n : int
        Number of atoms of all frames.
    positions, shifts, start, idx, code : arrays
        See `NeighborList`; the dummy atom is the last one.
    first : (F + 1,) int64 array
        Where the atoms of each frame begin.
    smallest : (F,) array
        The smallest distance between two atoms of each frame in A, inf where there are none within the cutoff.
    """

    n: int
    positions: FloatArray
    shifts: FloatArray
    start: Int64Array
    idx: IntArray
    code: IntArray
    first: Int64Array
    smallest: FloatArray

    @property
    def longest(self) -> int:
        """Entries of the atom that has most, padding included."""
        return int(np.max(self.start[1:] - self.start[:-1], initial=0))

    @property
    def listing(self) -> tuple[FloatArray, FloatArray, Int64Array, IntArray, IntArray]:
        """The arrays in the order in which kernels take them."""
        return self.positions, self.shifts, self.start, self.idx, self.code

    @property
    def frame(self) -> Int64Array:
        """(N,) number of each atom's frame."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))


def join(structures: Sequence[Atoms], cutoff: float) -> JoinedFrames:
    """One list of all atoms of some structures.

    Raises
    ------
    ValueError
        From `NeighborList.update`.
    """
    parts: list[tuple[FloatArray, FloatArray, Int64Array, IntArray, IntArray]] = []
    smallest = np.full(len(structures), np.inf)
    first = np.cumsum([0, *map(len, structures)])
    total, images, entries = int(first[-1]), 0, 0
    for number, atoms in enumerate(structures):
        found = NeighborList(cutoff, skin=0.0)
        found.update(atoms.positions, atoms.cell.array, atoms.pbc)
        smallest[number] = np.sqrt(np.min(np.sum(found.pairs()[3] ** 2, axis=1), initial=np.inf))
        idx = np.where(found.idx == found.n, total, found.idx + first[number]).astype(np.int32)
        code = (found.code + images).astype(np.int32)
        parts.append((found.positions[:-1], found.shifts, found.start[:-1] + entries, idx, code))
        dummy = found.positions[-1:] if number == 0 else np.maximum(dummy, found.positions[-1:])
        images, entries = images + len(found.shifts), entries + len(found.idx)
    positions, shifts, start, idx, code = (np.concatenate([part[k] for part in parts]) for k in range(5))
    return JoinedFrames(
        total,
        np.concatenate([positions, dummy]),
        np.ascontiguousarray(shifts),
        np.append(start, entries).astype(np.int64),
        idx,
        code,
        first.astype(np.int64),
        smallest,
    )


def groups_of(sizes: Sequence[int], most: int = ATOMS) -> list[list[int]]:
    """Numbers of consecutive frames, in groups of about `most` atoms; a function of the sizes alone."""
    groups: list[list[int]] = []
    atoms = most
    for number, size in enumerate(sizes):
        if atoms + size > most:
            groups.append([])
            atoms = 0
        groups[-1].append(number)
        atoms += size
    return groups
