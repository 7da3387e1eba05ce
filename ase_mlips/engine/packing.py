"""Constant tables in the form that kernels read: joined end to end, places noted in a `head` of integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

W = 8  # lanes, see `simd`
ATOMS_PER_CHUNK, MOST_CHUNKS = 128, 16
MOST_SLOTS = 1 << 20  # within 10 A these were 250 atoms/A^3, a thousand times denser than matter

IntArray = NDArray[np.int32]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Sparse:
    """A constant sparse matrix by rows, see `lanes.sparse_product`."""

    begin: IntArray
    columns: IntArray
    values: FloatArray

    @classmethod
    def from_rows(cls, rows: list[dict[int, float]]) -> Sparse:
        """Rows as dictionaries column -> value."""
        begin = np.cumsum([0, *(len(row) for row in rows)])
        columns = [c for row in rows for c in sorted(row)]
        values = [row[c] for row in rows for c in sorted(row)]
        return cls(begin.astype(np.int32), np.array(columns, np.int32), np.array(values, float))

    def transposed(self, columns: int) -> Sparse:
        """The transpose of a matrix with that many columns."""
        rows: list[dict[int, float]] = [{} for _ in range(columns)]
        for r in range(len(self.begin) - 1):
            for k in range(self.begin[r], self.begin[r + 1]):
                rows[self.columns[k]][r] = float(self.values[k])
        return Sparse.from_rows(rows)


class Packer:
    """Joins tables end to end and notes in `head` where each begins."""

    def __init__(self, head: IntArray, dtype: Any) -> None:
        self._head, self._parts, self._size, self._dtype = head, [np.zeros(0, dtype)], 0, dtype

    def add(self, slot: int, values: Any) -> None:
        """Append an array, flattened; ``head[slot]`` becomes its place."""
        part = np.ascontiguousarray(values, self._dtype).ravel()
        self._head[slot] = self._size
        self._parts.append(part)
        self._size += part.size

    def add_sparse(self, integers: Packer, matrix: Sparse, *, begin: int, columns: int, values: int) -> None:
        """Append a matrix: values here, structure to `integers`."""
        integers.add(begin, matrix.begin)
        integers.add(columns, matrix.columns)
        self.add(values, matrix.values)

    def join(self) -> NDArray[Any]:
        """All of it, and a vector more because vector loads may read past the end."""
        return np.concatenate([*self._parts, np.zeros(W, self._dtype)])


def padded(n: int) -> int:
    """n rounded up to whole vectors."""
    return -(-n // W) * W


class Plan(NamedTuple):
    """What a call needs beside the neighbour list: `model` are the arrays that kernels take, in their order.

    Species, with one more for the dummy atom; atoms by blocks; `head`; tables of integers and of doubles.
    """

    model: tuple[IntArray, IntArray, IntArray, IntArray, FloatArray]
    size: int
    chunks: int


class Plans:
    """The tables of a model made ready for calls, kept because most calls are like the last.

    Parameters
    ----------
    head : int array
        Sizes and places of the model; never changed.
    tables : tuple of arrays
        What the places point into.
    areas : callable
        Vectors of each area of scratch, by its place in `head`, for a number of slots.
    places : tuple of int
        Where in `head` the numbers of slots, of atoms and of chunks stand, and then what a call asks for.
    by_type : bool
        See `block_order`.
    """

    def __init__(
        self,
        head: IntArray,
        tables: tuple[IntArray, FloatArray],
        areas: Callable[[int], Mapping[int, int]],
        *,
        places: tuple[int, ...],
        by_type: bool = False,
    ) -> None:
        self._head, self._tables, self._areas = head, tables, areas
        self._places, self._by_type = list(places), by_type
        self._known: dict[tuple[Any, ...], Plan] = {}

    def __call__(self, longest: int, species: IntArray, *request: int) -> Plan:
        """The plan for atoms of these species whose neighbour rows have up to `longest` entries.

        Raises
        ------
        OverflowError
            These are more than there is room for.
        """
        slots = capacity(longest)
        key = (slots, species.astype(np.int32, copy=False).tobytes(), request)
        plan = self._known.get(key)
        if plan is None:
            if len(self._known) > 20:
                self._known.clear()
            plan = self._known[key] = self._make(slots, species, request)
        return plan

    def _make(self, slots: int, species: IntArray, request: tuple[int, ...]) -> Plan:
        n = len(species)
        chunks, head = count_chunks(n), self._head.copy()
        head[self._places] = slots, n, chunks, *request
        size = self._lay_out(head, slots)
        kinds: IntArray = np.zeros(n + 1, np.int32)
        kinds[:-1] = species
        order = block_order(kinds[:-1], chunks, by_type=self._by_type)
        return Plan((kinds, order, head, *self._tables), size, chunks)

    def _lay_out(self, head: IntArray, slots: int) -> int:
        """Give each area its place; returns the total in doubles."""
        size = 0
        for place, vectors in self._areas(slots).items():
            if slots > MOST_SLOTS or size > np.iinfo(head.dtype).max:
                raise OverflowError(f"an atom has some {slots} neighbours: the cell or the structure has collapsed")
            head[place] = size
            size += vectors * W
        return size


def count_chunks(n: int) -> int:
    """Parts that n atoms are worked on in; not a function of the number of threads, so that results are none."""
    return min(max(n // ATOMS_PER_CHUNK, 1), MOST_CHUNKS)


def capacity(longest: int) -> int:
    """Slots for the longest row of a neighbour list, in coarse steps so that few layouts are needed."""
    return (longest + 63) // 32 * 32


def block_order(species: IntArray, chunks: int, *, by_type: bool) -> IntArray:
    """Atoms by blocks of eight; the last block is filled up with n.

    With `by_type` the atoms of each chunk, which stay within their chunk, are sorted so that few blocks mix types.
    """
    n = len(species)
    blocks = -(-n // W)
    order = np.full(blocks * W, n, np.int32)
    order[:n] = np.arange(n)
    for chunk in range(chunks if by_type else 0):
        begin, end = blocks * chunk // chunks * W, min(n, blocks * (chunk + 1) // chunks * W)
        order[begin:end] = begin + np.argsort(species[begin:end], kind="stable")
    return order
