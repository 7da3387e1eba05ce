"""An error on one rank is one on all ranks."""

from __future__ import annotations

import pickle
import time
from typing import Any

_PAUSE = 0.005  # seconds


def shared_error(comm: Any, error: BaseException | None) -> BaseException | None:
    """The error of this rank, or else that of the first rank that has one; collective.

    An exception that cannot be pickled reaches the other ranks as a RuntimeError with its text.
    """
    everyone = comm.allgather(None if error is None else _portable(error))
    if error is not None:
        return error
    found = [(rank, other) for rank, other in enumerate(everyone) if other is not None]
    if not found:
        return None
    rank, first = found[0]
    first.__notes__ = [f"on rank {rank}"]
    return first  # type: ignore[no-any-return]


def raise_together(comm: Any, error: BaseException | None) -> None:
    """Raise what `shared_error` finds; collective."""
    found = shared_error(comm, error)
    if found is not None:
        raise found


def wait_for_all(comm: Any) -> None:
    """Wait until all ranks are here, and leave the processor to those that still compute; collective."""
    here = comm.Ibarrier()
    while not here.Test():
        time.sleep(_PAUSE)


def _portable(error: BaseException) -> BaseException:
    try:
        copy: BaseException = pickle.loads(pickle.dumps(error))
        return copy
    except Exception:  # whatever a class does when it is pickled
        return RuntimeError(f"{type(error).__name__}: {error}")
