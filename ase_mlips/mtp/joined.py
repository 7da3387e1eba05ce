"""Several frames as one list of atoms, so that kernels fill their lanes across frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms

from ..arrays import FloatArray, Int64Array, IntArray
from ..engine.neighbors import NeighborList
from ..engine.neighbors.joined import StaticList, static_list

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

    @cached_property
    def list(self) -> StaticList:
        """The arrays as kernels take them."""
        return static_list(self.positions, self.shifts, self.start, self.idx, self.code)

    @property
    def frame(self) -> Int64Array:
        """(N,) number of each atom's frame."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))


def listed(atoms: Atoms, cutoff: float) -> JoinedFrames:
    """The list of one structure.

    Raises
    ------
    ValueError
        From `NeighborList.update`.
    """
    found = NeighborList(cutoff, skin=0.0)
    found.update(atoms.positions, atoms.cell.array, atoms.pbc)
    smallest = np.sqrt(np.min(np.sum(found.pairs()[3] ** 2, axis=1), initial=np.inf))
    return JoinedFrames(
        found.n,
        found.positions.copy(),
        found.shifts.copy(),
        found.start.copy(),
        found.idx.copy(),
        found.code.copy(),
        np.array([0, found.n], np.int64),
        np.array([smallest]),
    )


def join(parts: Sequence[JoinedFrames]) -> JoinedFrames:
    """One list of all atoms of some lists."""
    sizes, images = [part.n for part in parts], np.cumsum([0, *(len(part.shifts) for part in parts)])
    first, entries = np.cumsum([0, *sizes]), np.cumsum([0, *(len(part.idx) for part in parts)])
    total = int(first[-1])
    own = [np.where(part.idx == part.n, total, part.idx + at) for part, at in zip(parts, first, strict=False)]
    starts = [part.start[:-1] + at for part, at in zip(parts, entries, strict=False)]
    dummy = np.max([part.positions[-1] for part in parts], axis=0)
    return JoinedFrames(
        total,
        np.concatenate([*(part.positions[:-1] for part in parts), dummy[None]]),
        np.concatenate([part.shifts for part in parts]),
        np.concatenate([*starts, entries[-1:]]).astype(np.int64),
        np.concatenate(own).astype(np.int32),
        np.concatenate([part.code + at for part, at in zip(parts, images, strict=False)]).astype(np.int32),
        np.concatenate([[0], *(part.first[1:] + at for part, at in zip(parts, first, strict=False))]).astype(np.int64),
        np.concatenate([part.smallest for part in parts]),
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
