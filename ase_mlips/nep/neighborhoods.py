"""Neighbours of frames that do not move, and several frames joined into one list of atoms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from ase import Atoms

from ..arrays import FloatArray, Int64Array, IntArray
from ..engine.neighbors import NeighborList
from ..engine.neighbors.joined import StaticList, blank_list
from ..engine.packing import W, padded
from .kernels_batch import append_rows

_NOBODY = 1 << 30  # the neighbour that fills up rows


class Rows(NamedTuple):
    """Neighbours by atoms: where those of each atom begin (n + 1,), their numbers and images; in eights."""

    start: Int64Array
    idx: IntArray
    code: IntArray


@dataclass(frozen=True, eq=False)
class Neighborhood:
    """One frame with its neighbours.

    Attributes
    ----------
    positions, shifts : arrays
        As in `NeighborList`, without the dummy atom.
    rows : Rows
        All neighbours.
    by_type : tuple of Rows
        Those of each type; the same as `rows` where there is one type.
    species : (n,) int32 array
    """

    positions: FloatArray
    shifts: FloatArray
    rows: Rows
    by_type: tuple[Rows, ...]
    species: IntArray

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        tables = {id(array): array.nbytes for rows in (self.rows, *self.by_type) for array in rows}
        return self.positions.nbytes + self.shifts.nbytes + sum(tables.values())

    @cached_property
    def longest(self) -> int:
        """Entries of the atom that has most, padding included."""
        return int(np.diff(self.rows.start).max(initial=0))

    def most(self, cutoff: float) -> int:
        """Neighbours within a distance in A of the atom that has most."""
        real = self.rows.idx != _NOBODY
        centers = np.repeat(np.arange(len(self.species)), np.diff(self.rows.start))[real]
        vectors = self.positions[self.rows.idx[real]] + self.shifts[self.rows.code[real]] - self.positions[centers]
        near = np.sum(vectors**2, axis=1) < cutoff**2
        return int(np.bincount(centers[near], minlength=1).max())


def neighborhood(neighbors: NeighborList, atoms: Atoms, species: IntArray, types: int) -> Neighborhood:
    """Find the neighbours of a frame; `neighbors` has the cutoff and no skin."""
    neighbors.update(atoms.positions, atoms.cell.array, atoms.pbc)
    n, idx = neighbors.n, neighbors.idx.copy()
    pad = idx == n
    idx[pad] = _NOBODY
    rows = Rows(neighbors.start.copy(), idx, neighbors.code.copy())
    parts = tuple(_of_type(rows, species, kind) for kind in range(types)) if types > 1 else (rows,)
    return Neighborhood(neighbors.positions[:n].copy(), neighbors.shifts.copy(), rows, parts, species)


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
        ``start`` (types, n + 1) of the neighbours of each type.
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
    sizes = [len(frame.species) for frame in frames]
    begin, images = ([0, *accumulate(numbers)] for numbers in (sizes, [len(frame.shifts) for frame in frames]))
    n = begin[-1]
    places = [*zip(pairwise(begin), pairwise(images), strict=True)]
    parts, buffers = blank_list(n, images[-1], sum(len(frame.rows.idx) for frame in frames))
    parts.positions[n] = _FAR
    for frame, ((first, last), (low, high)) in zip(frames, places, strict=True):
        parts.positions[first:last] = frame.positions
        parts.shifts[low:high] = frame.shifts
    rows = Rows(parts.start, parts.idx, parts.code)
    _join_rows([frame.rows for frame in frames], places, rows, 0)
    by_type, types = Rows(rows.start[None], rows.idx, rows.code), len(frames[0].by_type)
    if types > 1:
        kinds = [[frame.by_type[t] for frame in frames] for t in range(types)]
        ends = [0, *accumulate(sum(len(part.idx) for part in own) for own in kinds)]
        idx = np.empty((2, ends[-1]), np.int32)
        by_type = Rows(np.empty((types, n + 1), np.int64), *idx)
        for own, start, (first, last) in zip(kinds, by_type.start, pairwise(ends), strict=True):
            _join_rows(own, places, Rows(start, *idx[:, first:last]), first)
    longest = max(frame.longest for frame in frames)
    species = np.concatenate([frame.species for frame in frames])
    owners = np.empty(n, np.int32)
    for number, (first, last) in enumerate(pairwise(begin)):
        owners[first:last] = number
    listed = StaticList(n, n, longest, buffers)
    return JoinedFrames(
        n, parts.positions, parts.shifts, listed, by_type, species, owners, np.array(begin), begin
    )  # fmt: skip


_FAR = 1.0e9, 0.0, 0.0, 0.0  # where the dummy atom is
_Places = Sequence[tuple[tuple[int, int], tuple[int, int]]]  # atoms and images of each frame


def _join_rows(parts: Sequence[Rows], places: _Places, out: Rows, origin: int) -> None:
    """Write the rows of all frames to `out`, whose first entry has the number `origin` among those of all types."""
    at, nobody = 0, len(out.start) - 1
    for part, ((first, _), (low, _)) in zip(parts, places, strict=True):
        append_rows(tuple(part), (first, low, at, origin + at, nobody), tuple(out))
        at += len(part.idx)
    out.start[-1] = origin + at


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
