"""Neighbours of frames that do not move, and several frames joined into one list of atoms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from ase import Atoms

from ..arrays import FloatArray, Int64Array, IntArray
from ..engine.neighbors import NeighborList
from ..engine.neighbors.joined import StaticList, blank_list
from ..engine.packing import W, padded
from .kernels_batch import append_frame

_NOBODY = 1 << 30  # the neighbour that fills up rows


class Rows(NamedTuple):
    """Neighbours by atoms: where those of each atom begin (n + 1,), their numbers and images; in eights."""

    start: Int64Array
    idx: IntArray
    code: IntArray


@dataclass(frozen=True, eq=False)
class Neighborhood:
    """One frame with its neighbours, in as few arrays as possible: a batch is joined from them at every step.

    Attributes
    ----------
    sizes : int64 array
        Atoms, images, entries of the list of all neighbours and, where there are several types, of that of each type.
    points : (atoms + images, 4) array
        Positions and then shifts, as in `NeighborList`, without the dummy atom.
    numbers : int32 array
        Types of the atoms; then of each list the row of each atom, the neighbours and their images.
    longest : int
        Entries of the atom that has most, padding included.
    """

    sizes: Int64Array
    points: FloatArray
    numbers: IntArray
    longest: int

    @property
    def species(self) -> IntArray:
        """Types of the atoms."""
        return self.numbers[: self.sizes[0]]

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.points.nbytes + self.numbers.nbytes

    def most(self, cutoff: float) -> int:
        """Neighbours within a distance in A of the atom that has most."""
        atoms, _, entries = self.sizes[:3].tolist()
        _, start, idx, code = np.split(self.numbers[: 2 * (atoms + entries)], np.cumsum([atoms, atoms, entries]))
        real = idx != _NOBODY
        centers = np.repeat(np.arange(atoms), np.diff(start, append=entries))[real]
        positions, shifts = self.points[:atoms], self.points[atoms:]
        vectors = positions[idx[real]] + shifts[code[real]] - positions[centers]
        near = np.sum(vectors**2, axis=1) < cutoff**2
        return int(np.bincount(centers[near], minlength=1).max())


def neighborhood(neighbors: NeighborList, atoms: Atoms, species: IntArray, types: int) -> Neighborhood:
    """Find the neighbours of a frame; `neighbors` has the cutoff and no skin."""
    neighbors.update(atoms.positions, atoms.cell.array, atoms.pbc)
    n, idx = neighbors.n, neighbors.idx.copy()
    pad = idx == n
    idx[pad] = _NOBODY
    rows = Rows(neighbors.start, idx, neighbors.code)
    lists = [rows, *(_of_type(rows, species, kind) for kind in range(types))] if types > 1 else [rows]
    sizes = np.array([n, len(neighbors.shifts), *(len(own.idx) for own in lists)])
    numbers = [species, *(part for own in lists for part in (own.start[:-1], own.idx, own.code))]
    longest = int(np.diff(rows.start).max(initial=0))
    points = np.concatenate([neighbors.positions[:n], neighbors.shifts])
    return Neighborhood(sizes, points, np.concatenate(numbers, dtype=np.int32, casting="same_kind"), longest)


def _of_type(rows: Rows, species: IntArray, kind: int) -> Rows:
    """The neighbours of one type."""
    n = len(species)
    real = rows.idx != _NOBODY
    chosen = np.flatnonzero(real)[species[rows.idx[real]] == kind]
    centers = np.repeat(np.arange(n), np.diff(rows.start))[chosen]
    counts = np.bincount(centers, minlength=n)
    start = np.zeros(n + 1, np.int64)
    np.cumsum(-(-counts // W) * W, out=start[1:])
    first = np.zeros(n, np.int64)
    np.cumsum(counts[:-1], out=first[1:])
    places = start[centers] + np.arange(len(chosen)) - first[centers]
    idx, code = np.full(start[-1], _NOBODY, np.int32), np.zeros(start[-1], np.int32)
    idx[places], code[places] = rows.idx[chosen], rows.code[chosen]
    return Rows(start, idx, code)


class NeighborhoodStore:
    """The neighbourhoods of frames by their numbers: kept as far as memory allows, else found again at each use.

    Parameters
    ----------
    frames : sequence of (ase.Atoms, (n,) int32 array)
        Structures and types; may be made when they are asked for.
    cutoff : float
        A.
    types : int
    memory : float
        Bytes that may be kept.
    """

    def __init__(
        self, frames: Sequence[tuple[Atoms, IntArray]], cutoff: float, types: int, memory: float
    ) -> None:  # fmt: skip
        self._frames, self._types, self._left = frames, types, memory
        self._list = NeighborList(cutoff, skin=0.0)
        self._kept: dict[int, Neighborhood] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, number: int) -> Neighborhood:
        if (kept := self._kept.get(number)) is not None:
            return kept
        atoms, species = self._frames[number]
        found = neighborhood(self._list, atoms, species, self._types)
        if found.nbytes <= self._left:
            self._left -= found.nbytes
            self._kept[number] = found
        return found

    def batches(self, numbers: Sequence[int], size: int = 16) -> Iterator[JoinedFrames]:
        """Frames of these numbers, a few at a time."""
        for first in range(0, len(numbers), size):
            yield join([self[number] for number in numbers[first : first + size]])


@dataclass(frozen=True, eq=False)
class JoinedFrames:
    """Several frames as one list of atoms, which has what kernels take of a `NeighborList`.

    Attributes
    ----------
    n : int
    positions, shifts : arrays
        See `NeighborList`.
    list : StaticList
        All neighbours.
    by_type : Rows
        Those of each type, ``start`` (types, n + 1).
    species, owners : (n,) int32 arrays
        Type and frame of each atom.
    begin : (F + 1,) int array
        Where the atoms of each frame begin.
    edges : sequence of int
        The same.
    """

    n: int
    positions: FloatArray
    shifts: FloatArray
    list: StaticList
    by_type: Rows
    species: IntArray
    owners: IntArray
    begin: Int64Array
    edges: Sequence[int]


def join(frames: Sequence[Neighborhood]) -> JoinedFrames:
    """Put frames one behind the other; atoms of different frames are no neighbours."""
    sizes = [frame.sizes.tolist() for frame in frames]
    n, images, entries, *of_types = map(sum, zip(*sizes, strict=True))
    parts, buffers = blank_list(n, images, entries)
    parts.positions[n] = _FAR
    edges, members = [0, *accumulate(own[0] for own in sizes)], np.empty((2, n), np.int32)
    species, owners = members
    rows = Rows(np.empty((len(of_types), n + 1), np.int64), *np.empty((2, sum(of_types)), np.int32))
    at = np.array([0, 0, 0, *accumulate(of_types[:-1], initial=0)][: 3 + len(of_types)])
    for place, frame in enumerate(frames):
        append_frame(frame.sizes, frame.points, frame.numbers, place, at, *parts, *rows, members)
    parts.start[n] = entries
    rows.start[:, n] = at[3:]
    by_type = rows if of_types else Rows(parts.start[None], parts.idx, parts.code)
    listed = StaticList(n, n, max(frame.longest for frame in frames), buffers)
    return JoinedFrames(n, parts.positions, parts.shifts, listed, by_type, species, owners, np.array(edges), edges)


_FAR = 1.0e9, 0.0, 0.0, 0.0  # where the dummy atom is


def blocks_of_types(species: IntArray, types: int) -> tuple[IntArray, IntArray]:
    """Atoms by blocks of eight (blocks, 8) that have one type each, filled up with n, and the types (blocks,)."""
    n = len(species)
    if types == 1:
        whole = np.full(padded(n), n, np.int32)
        whole[:n] = np.arange(n)
        return whole, np.zeros(len(whole) // W, np.int32)
    counts = np.bincount(species, minlength=types)
    sizes = [padded(int(count)) for count in counts]
    order = np.full(sum(sizes), n, np.int32)
    at = 0
    for members, size in zip(_members(species, counts), sizes, strict=True):
        order[at : at + len(members)] = members
        at += size
    return order, np.repeat(np.arange(types, dtype=np.int32), np.array(sizes) // W)


def _members(species: IntArray, counts: Int64Array) -> Iterator[Int64Array]:
    """Atoms of each type in turn."""
    yield from np.split(np.argsort(species, kind="stable"), np.cumsum(counts)[:-1])
