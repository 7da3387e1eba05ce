"""Frames that are spread over processes: what each of them has to be told of the others."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import add
from typing import Any, Protocol, TypeVar

from ..arrays import FloatArray

_Thing = TypeVar("_Thing")


class Communicator(Protocol):
    """As of mpi4py, of which it is all that is needed."""

    def Get_rank(self) -> int:
        """Number of this process."""

    def allgather(self, sendobj: Any) -> list[Any]:
        """What every process gave, in the order of their numbers."""

    def bcast(self, obj: Any, root: int = 0) -> Any:
        """What the first process gave."""


class Shards:
    """One process among those of a communicator, or alone.

    Sums are made in the order of the processes and by each of them, so that all go on with the same bits.

    Parameters
    ----------
    communicator : Communicator, optional
    """

    def __init__(self, communicator: Communicator | None = None) -> None:
        self._communicator = communicator

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files."""
        return self._communicator is None or self._communicator.Get_rank() == 0

    def all_of(self, value: _Thing) -> list[_Thing]:
        """The values of all processes."""
        return [value] if self._communicator is None else self._communicator.allgather(value)

    def total(self, values: FloatArray) -> FloatArray:
        """The sum over all processes."""
        (found,) = self.totals(values)
        return found  # type: ignore[no-any-return]

    def totals(self, *values: Any) -> tuple[Any, ...]:
        """The sums of several arrays or numbers over all processes, in one message."""
        return tuple(reduce(add, column) for column in zip(*self.all_of(values), strict=True))

    def union(self, names: Iterable[str]) -> list[str]:
        """The names of all processes in alphabetical order."""
        return sorted(set().union(*self.all_of(set(names))))

    def of_first(self, value: _Thing) -> _Thing:
        """The value of the first process."""
        if self._communicator is None:
            return value
        found: _Thing = self._communicator.bcast(value)
        return found

    def require_frames(self, count: int, name: str, *, all_or_none: bool = False) -> None:
        """ValueError in every process where some of several have none of these frames; all may have none if said."""
        counts = self.all_of(count)
        if len(counts) > 1 and 0 in counts and not (all_or_none and not any(counts)):
            raise ValueError(f"{name}: expected frames in every process, process {counts.index(0)} has none")
