"""Constant tables in the form that kernels read: joined end to end, their places noted under names.

Sizes and places of a model are a NamedTuple, the `head`, whose fields are integers or again NamedTuples of integers.
Kernels get it as an array (`flatten`) and read it under the same names (`fields.view`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast, get_type_hints

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray, IntArray
from .neighbors import NeighborList

W = 8  # lanes, see `simd`
ATOMS_PER_CHUNK, MOST_CHUNKS = 128, 16
MOST_SLOTS = 1 << 20  # within 10 A these were 250 atoms/A^3, a thousand times denser than matter

T = TypeVar("T", bound=tuple[Any, ...])


def flatten(fields: tuple[Any, ...]) -> IntArray:
    """The integers of a NamedTuple, and of those in it, as an array."""
    return np.fromiter(_integers(fields), np.int32)


def _integers(fields: tuple[Any, ...]) -> Iterator[int]:
    for value in fields:
        if isinstance(value, tuple):
            yield from _integers(value)
        else:
            yield value


def named(kind: type[T], integers: Iterable[int]) -> T:
    """The reverse of `flatten`: a NamedTuple of class `kind` that takes what it needs from `integers`."""
    source, make = iter(integers), cast(Callable[..., T], kind)
    declared = get_type_hints(kind).values()
    return make(*(named(part, source) if issubclass(part, tuple) else int(next(source)) for part in declared))


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
    """Joins tables of one kind of numbers end to end and notes where each begins."""

    def __init__(self, dtype: Any) -> None:
        self._places: dict[str, int] = {}
        self._parts, self._size, self._dtype = [np.zeros(0, dtype)], 0, dtype

    def add(self, **tables: Any) -> None:
        """Append arrays, flattened, under their names."""
        for name, values in tables.items():
            part = np.ascontiguousarray(values, self._dtype).ravel()
            self._places[name] = self._size
            self._parts.append(part)
            self._size += part.size

    def add_sparse(self, integers: Packer, **matrices: Sparse) -> None:
        """Append matrices: values here, structure to `integers` as ``name`` and ``name_columns``."""
        for name, matrix in matrices.items():
            integers.add(**{name: matrix.begin, f"{name}_columns": matrix.columns})
            self.add(**{name: matrix.values})

    def places(self, kind: type[T]) -> T:
        """Where the tables begin, as a NamedTuple that has a field for each; TypeError if one misses or is unknown."""
        return kind(**self._places)

    def join(self) -> NDArray[Any]:
        """All of it, and a vector more because vector loads may read past the end."""
        return np.concatenate([*self._parts, np.zeros(W, self._dtype)])


class Packed(NamedTuple):
    """A model in the form that kernels read.

    Attributes
    ----------
    head : NamedTuple
        Sizes of the model and places of its tables, with the fields ``species``, ``order``, ``atoms``, ``centers``,
        ``slots``, ``chunks``, ``area`` and, if calls ask for anything, ``request``, which differ from call to call and
        are filled by `Plans`.
    ints, floats : arrays
        What the places point into.
    areas : callable
        Vectors of each area of scratch, as a NamedTuple, for a number of slots.
    """

    head: Any
    ints: IntArray
    floats: FloatArray
    areas: Callable[[int], tuple[Any, ...]]


def padded(n: int) -> int:
    """n rounded up to whole vectors."""
    return -(-n // W) * W


class Plan(NamedTuple):
    """What a call needs beside the neighbour list.

    Attributes
    ----------
    call : int32 array
        The flattened head; species, with one more for the dummy atom; atoms by blocks.
    ints, floats : arrays
        Tables of the model.
    size, chunks : int
        Doubles of scratch, and parts of the work.
    """

    call: IntArray
    ints: IntArray
    floats: FloatArray
    size: int
    chunks: int


class Plans:
    """The tables of a model made ready for calls, kept because most calls are like the last.

    Parameters
    ----------
    packed : Packed
    by_type : bool
        See `block_order`.
    """

    def __init__(self, packed: Packed, *, by_type: bool = False) -> None:
        self._packed, self._by_type = packed, by_type
        self._known: dict[tuple[Any, ...], Plan] = {}

    def __call__(self, neighbors: NeighborList, species: IntArray, request: tuple[Any, ...] | None = None) -> Plan:
        """The plan for atoms of these species and their neighbour list.

        Raises
        ------
        OverflowError
            An atom has more neighbours than there is room for.
        """
        slots = capacity(neighbors.longest)
        key = (slots, neighbors.centers, species.astype(np.int32, copy=False).tobytes(), request)
        plan = self._known.get(key)
        if plan is None:
            if len(self._known) > 20:
                self._known.clear()
            plan = self._known[key] = self._make(slots, neighbors.centers, species, request)
        return plan

    def _make(self, slots: int, centers: int, species: IntArray, request: tuple[Any, ...] | None) -> Plan:
        n, chunks = len(species), count_chunks(centers)
        area, size = self._lay_out(slots)
        head = self._packed.head._replace(atoms=n, centers=centers, slots=slots, chunks=chunks, area=area)
        if request is not None:
            head = head._replace(request=request)
        kinds: IntArray = np.zeros(n + 1, np.int32)
        kinds[:-1] = species
        order = block_order(kinds[:centers], chunks, dummy=n, by_type=self._by_type)
        end = len(flatten(head))
        call = np.concatenate([flatten(head._replace(species=end, order=end + n + 1)), kinds, order])
        return Plan(call, self._packed.ints, self._packed.floats, size, chunks)

    def _lay_out(self, slots: int) -> tuple[tuple[Any, ...], int]:
        """Where each area begins, and the total, in doubles."""
        areas, places, size = self._packed.areas(slots), [], 0
        for vectors in _integers(areas):
            if slots > MOST_SLOTS or size > np.iinfo(np.int32).max:
                raise OverflowError(f"an atom has some {slots} neighbours: the cell or the structure has collapsed")
            places.append(size)
            size += vectors * W
        return named(type(areas), places), size


def count_chunks(n: int) -> int:
    """Parts that n atoms are worked on in; not a function of the number of threads, so that results are none."""
    return min(max(n // ATOMS_PER_CHUNK, 1), MOST_CHUNKS)


def capacity(longest: int) -> int:
    """Slots for the longest row of a neighbour list, in coarse steps so that few layouts are needed."""
    return (longest + 63) // 32 * 32


def block_order(species: IntArray, chunks: int, *, dummy: int, by_type: bool) -> IntArray:
    """The central atoms by blocks of eight; the last block is filled up with `dummy`.

    With `by_type` the atoms of each chunk, which stay within their chunk, are sorted so that few blocks mix types.
    """
    n = len(species)
    blocks = -(-n // W)
    order = np.full(blocks * W, dummy, np.int32)
    order[:n] = np.arange(n)
    for chunk in range(chunks if by_type else 0):
        begin, end = blocks * chunk // chunks * W, min(n, blocks * (chunk + 1) // chunks * W)
        order[begin:end] = begin + np.argsort(species[begin:end], kind="stable")
    return order
