"""Tasks on any executor of `concurrent.futures`: in the order in which they end, and with nothing lost by Ctrl-C."""

from __future__ import annotations

import os
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from multiprocessing import get_context
from threading import local
from typing import Any, TypeVar

from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from tqdm import tqdm

from ase_mlips.results import results_frame

_Task = TypeVar("_Task")
_Thing = TypeVar("_Thing")
_Found = TypeVar("_Found")

_present: ContextVar[Executor | None] = ContextVar("executor", default=None)
_own = local()
_AHEAD = 64  # tasks that wait or are done


@contextmanager
def on_executor(executor: Executor) -> Iterator[None]:
    """Within the block, independent calculations of this package's functions are done by an executor.

    These are the volumes of `equation_of_state`, the strains of `elastic_constants`, the images of
    `minimum_energy_path`, the supercells of phonons, the structures of `evaluate_all`, the frames of linear fits and
    the members of a committee that is trained.  Every task but these members has one thread.  Results do not depend on
    the executor.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        Any one; the calculator must be one that can be pickled.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from ase.build import bulk
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.runs import equation_of_state, on_executor
    >>> with ThreadPoolExecutor(2) as executor, on_executor(executor):
    ...     found = equation_of_state(bulk("Si", a=5.47), SNAP.embedded("Si"))
    >>> print(f"{found.volume:.1f} A^3")
    40.9 A^3
    """
    token = _present.set(executor)
    try:
        yield
    finally:
        _present.reset(token)


def parallel() -> bool:
    """Whether this is within a block of `on_executor`."""
    return _present.get() is not None


def evaluate_all(structures: Sequence[Atoms], calc: BaseCalculator) -> list[Atoms]:
    """Energies, forces and, of periodic structures, stresses of many structures, within `on_executor` in parallel.

    Parameters
    ----------
    structures : sequence of Atoms
        Not changed.
    calc : ase.calculators.calculator.BaseCalculator

    Returns
    -------
    list of Atoms
        Copies that carry their results.

    Raises
    ------
    CalculationFailed, CalculatorSetupError
        Of the first structure for which the calculator raises it, with its number.
    """
    return with_calculator(_evaluated, calc, list(enumerate(structures)), "structures")


def _evaluated(calc: BaseCalculator, numbered: tuple[int, Atoms]) -> Atoms:
    number, atoms = numbered
    work = atoms.copy()
    work.calc = calc
    try:
        found = {"energy": work.get_potential_energy(), "forces": work.get_forces(apply_constraint=False)}
        if work.cell.rank == 3 and "stress" in calc.implemented_properties:
            found["stress"] = work.get_stress(apply_constraint=False)
    except Exception as error:
        error.add_note(f"structure {number}")
        raise
    return results_frame(work, found)


def with_calculator(
    function: Callable[[BaseCalculator, _Task], _Found], calc: BaseCalculator, tasks: Sequence[_Task], words: str = ""
) -> list[_Found]:
    """The results of `map_with` for a calculator; with `words` a progress bar says what is being done."""
    found = map_with(function, calc, tasks)
    return list(tqdm(found, desc=words, total=len(tasks), leave=False, disable=None if words else True))


def map_with(function: Callable[[_Thing, _Task], _Found], thing: _Thing, tasks: Iterable[_Task]) -> Iterator[_Found]:
    """``function(thing, task)`` of every task in their order, on the executor of `on_executor` if there is one.

    There every process, or thread, has a copy of the thing.  Tasks are made when they are needed, a few ahead of the
    results, so that they need not fit into memory together.
    """
    executor = _present.get()
    if executor is None:
        for task in tasks:
            yield _called(function, thing, task)
        return
    sent, waiting = to_send(thing), deque[Future[_Found]]()
    try:
        for task in tasks:
            waiting.append(executor.submit(_call, function, sent, task))
            if len(waiting) > _AHEAD:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())
    finally:
        for future in waiting:
            future.cancel()


def _call(function: Callable[[_Thing, _Task], _Found], sent: bytes, task: _Task) -> _Found:
    return _called(function, own_copy(sent), task)


def _called(function: Callable[[_Thing, _Task], _Found], thing: _Thing, task: _Task) -> _Found:
    """The result, which depends on no other task by a bit."""
    if renew := getattr(thing, "renew_neighbors", None):
        renew()
    return function(thing, task)


def to_send(thing: Any) -> bytes:
    """A calculator or the like for `own_copy`; ValueError for one that cannot be sent to another process."""
    try:
        return pickle.dumps(thing)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(f"{type(thing).__name__} cannot be sent to the processes of an executor: {error}") from error


def own_copy(sent: bytes) -> Any:
    """The copy of this process and thread, made once; a calculator then uses no further threads."""
    known, thing = getattr(_own, "copy", (b"", None))
    if known != sent:
        thing = pickle.loads(sent)
        for member in getattr(thing, "members", None) or [thing]:
            if "num_threads" in getattr(member, "parameters", ()):
                member.set(num_threads=1)
        _own.copy = (sent, thing)
    return thing


def processes(workers: int | None = None) -> ProcessPoolExecutor:
    """A pool of new processes on this machine, by default one for each processor that this process may use.

    They import the main script, which must therefore begin its work below ``if __name__ == "__main__":``.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ProcessPoolExecutor(workers or count, mp_context=get_context("spawn"))


def as_they_end(
    executor: Executor | None, function: Callable[[_Task], _Found], tasks: Sequence[_Task]
) -> Iterator[tuple[int, Future[_Found]]]:
    """Run ``function(task)`` for every task; yields the number of each one, with its future, as soon as it has ended.

    Whatever ends the loop, tasks that have not begun are cancelled.

    Parameters
    ----------
    executor : concurrent.futures.Executor or None
        None: `processes`, which end with the loop.
    function : callable
        One that can be pickled, as its tasks can.
    tasks : sequence

    Raises
    ------
    RuntimeError
        A process of a pool has died.
    """
    own: AbstractContextManager[Executor] = nullcontext(executor) if executor is not None else processes()
    with own as pool:
        numbers = {pool.submit(function, task): number for number, task in enumerate(tasks)}
        for number, future in completed(numbers):
            _require_alive(future)
            yield number, future


def completed(waiting: Mapping[Future[_Found], int]) -> Iterator[tuple[int, Future[_Found]]]:
    """Numbers and futures as these end; those that have not begun when the loop is left are cancelled."""
    try:
        for future in as_completed(waiting):
            yield waiting[future], future
    finally:
        for future in waiting:
            future.cancel()


def _result(future: Future[_Found]) -> _Found:
    _require_alive(future)
    return future.result()


def _require_alive(future: Future[Any]) -> None:
    if isinstance(future.exception(), BrokenProcessPool):
        raise RuntimeError(
            "a process of the pool has died: it was killed, had no memory left, or the main script begins its work "
            'outside of `if __name__ == "__main__":`, where every new process would begin it again'
        ) from future.exception()
