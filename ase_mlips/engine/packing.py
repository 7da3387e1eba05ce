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

W = 8  # lanes, see `simd`

T = TypeVar("T", bound=tuple[Any, ...])


def flatten(fields: tuple[Any, ...]) -> IntArray:
    """The integers of a NamedTuple, and of those in it, as an array."""
    return np.fromiter(integers_of(fields), np.int32)


def integers_of(fields: tuple[Any, ...]) -> Iterator[int]:
    for value in fields:
        if isinstance(value, tuple):
            yield from integers_of(value)
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
