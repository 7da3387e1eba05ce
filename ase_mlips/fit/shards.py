"""Frames that are spread over processes: what each of them has to be told of the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from ..arrays import FloatArray
from ..files.signals import deferred_interrupt

_Thing = TypeVar("_Thing")


class Communicator(Protocol):
    """As of mpi4py, of which it is all that is needed."""

    def Get_rank(self) -> int:
        """Number of this process."""

    def allgather(self, sendobj: Any) -> list[Any]:
        """What every process gave, in the order of their numbers."""


class _Message(NamedTuple):
    """What a process gives all others: a value; that it has done its work; or in one sentence why it ends."""

    value: Any = None
    interrupted: bool = False
    done: bool = False
    failure: str = ""


class Shards:
    """One process among those of a communicator, or alone.

    Sums are made in the order of the processes and by each of them, so that all go on with the same bits.  Within
    `together` every method that asks for values of others raises RuntimeError where another process has failed, and
    KeyboardInterrupt, in all processes at the same place, where Ctrl-C came to any of them.

    Parameters
    ----------
    communicator : Communicator, optional
    """

    def __init__(self, communicator: Communicator | None = None) -> None:
        self._communicator = communicator
        self._interrupted: threading.Event | None = None  # set by Ctrl-C
        self._told = False  # a process has failed, and all know it

    @classmethod
    @contextmanager
    def together(cls, communicator: Communicator | None) -> Iterator[Shards]:
        """Work that all processes do, or none: a failure of one ends all, and so does Ctrl-C in one.

        A process must never leave alone, so that a second Ctrl-C waits for the next message, too.
        """
        shards = cls(communicator)
        if communicator is None:
            yield shards
            return
        with deferred_interrupt(again=False) as shards._interrupted:
            try:
                yield shards
            except BaseException as error:
                if not shards._told:
                    shards._exchange(_Message(failure=f"{type(error).__name__}: {error}"))
                raise
            shards._require(shards._exchange(_Message(done=True)))

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files."""
        return self._communicator is None or self._communicator.Get_rank() == 0

    def all_of(self, value: _Thing) -> list[_Thing]:
        """The values of all processes."""
        if self._communicator is None:
            return [value]
        event = self._interrupted or threading.Event()
        messages = self._require(self._exchange(_Message(value, event.is_set())))
        if any(message.interrupted for message in messages):
            event.clear()
            raise KeyboardInterrupt
        return [message.value for message in messages]

    def _exchange(self, message: _Message) -> list[_Message]:
        assert self._communicator is not None
        return self._communicator.allgather(message)

    def _require(self, messages: list[_Message]) -> list[_Message]:
        """RuntimeError where a process has failed, or some but not all have done their work."""
        for number, message in enumerate(messages):
            if message.failure:
                self._told = True
                raise RuntimeError(f"process {number} failed: {message.failure}")
        if len({message.done for message in messages}) > 1:
            self._told = True
            number = [message.done for message in messages].index(True)
            raise RuntimeError(f"process {number} ended before the others")
        return messages

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
        found: _Thing = self.all_of(value if self.first else None)[0]  # type: ignore[assignment]
        return found

    def read_first(self, path: str | Path | None, read: Callable[[str | Path], _Thing]) -> _Thing | None:
        """What the first process reads from its file, for all of them; None where it has no such file."""
        return self.of_first(read(path) if self.first and path is not None and Path(path).exists() else None)

    def require_same(self, **settings: Any) -> None:
        """ValueError in every process where settings, given by their names, are not the same in all."""
        found = self.all_of(settings)
        for number, own in enumerate(found):
            for name, value in own.items():
                if value != found[0][name]:
                    raise ValueError(f"{name}: expected the same in every process, process {number} has another one")

    def require_frames(self, count: int, name: str, *, all_or_none: bool = False) -> None:
        """ValueError in every process where some of several have none of these frames; all may have none if said."""
        counts = self.all_of(count)
        if len(counts) > 1 and 0 in counts and not (all_or_none and not any(counts)):
            raise ValueError(f"{name}: expected frames in every process, process {counts.index(0)} has none")
