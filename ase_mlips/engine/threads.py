"""Threads that share the work of a call, and memory that belongs to a thread."""

from __future__ import annotations

import _thread
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any

import numpy as np

from ..arrays import Int64Array
from .jit import COMPILES
from .sharing import BEGUN, stay_awake, watch


def default_threads() -> int:
    """The first number in OMP_NUM_THREADS; else 1 in a process that multiprocessing has started; else all CPUs.

    Workers of pools, those of `concurrent.futures` and loky among them, share the CPUs already; the affinity counts.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    if multiprocessing.parent_process() is not None:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Pool:
    """Threads that wait for calls to help with, as long as the process lives.

    After a call they stay awake for a while, since the next one mostly follows soon, and waking takes a tenth of a
    millisecond, which is what a call of some hundred atoms takes.

    Those that are awake are called by a bell, which the kernel of the caller rings with its first chunk: by then the
    caller has given away Python's lock, and a thread that has to wait for the lock falls asleep.

    Each step here is one call into C.  The locks of `concurrent.futures` and of `threading.Condition` are taken in
    Python, where the exception of a signal's handler can come between taking and releasing: the next call would wait
    for ever.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], tuple[Int64Array, int]]] = SimpleQueue()
        self.bell = np.zeros(1, np.int64)
        self._started: list[int] = []
        nobody = np.zeros(1, np.int64)
        stay_awake(self.bell, 0, 0, nobody, 0)  # compiled here, not in a thread
        watch(nobody, 0)

    def grow(self, workers: int) -> None:
        """Have at least so many threads."""
        while len(self._started) < workers:
            self._started.append(_thread.start_new_thread(self._work, ()))

    def put(self, call: Callable[[], tuple[Int64Array, int]]) -> None:
        """Have a thread make this call, which gives what `stay_awake` has to say that it is done."""
        self._calls.put(call)

    def ring(self) -> None:
        """Call those that are awake."""
        self.bell += 1

    def _work(self) -> None:
        while True:
            states, me = self._calls.get()()
            heard = int(self.bell[0])
            stay_awake(self.bell, heard, _LOOKS if self._calls.empty() else 0, states, me)


_LOOKS = 300_000 if COMPILES else 0  # of a nanosecond each
_WATCH = 3 * _LOOKS  # what a chunk takes, mostly


_pools: dict[int, _Pool] = {}


def _pool() -> _Pool:
    """The one of this process; a forked child, in which the parent's threads do not exist, makes its own."""
    return _pools.get(os.getpid()) or _pools.setdefault(os.getpid(), _Pool())


_scratch = threading.local()


def scratch(name: str, size: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Uninitialised doubles that belong to the calling thread and stay valid until its next call with that name.

    A fresh large array costs page faults at every force call, hence one per thread that only grows.
    """
    buffer: np.ndarray[tuple[int], np.dtype[np.float64]] | None = getattr(_scratch, name, None)
    if buffer is None or buffer.size < size:
        whole = np.empty(size + 8)
        buffer = whole[-(whole.ctypes.data // 8) % 8 :]  # at a cache line: vectors of 64 bytes then never straddle two
        setattr(_scratch, name, buffer)
    return buffer


def alone() -> Int64Array:
    """What a kernel takes chunks from where it works on all of them in one thread; it has no bell."""
    return np.zeros(2, np.int64)


class _Crew:
    """The threads of one call: each takes chunks of the work until none is left; knows who is at work.

    Without locks, for the reason given in `_Pool`: a thread says that it has begun before it asks for a chunk.
    """

    def __init__(self, work: Callable[[Int64Array, int], Any], chunks: int, threads: int, bell: Int64Array) -> None:
        self._work, self._chunks = work, chunks
        self._left = np.append(np.arange(threads, dtype=np.int64) * chunks // threads, bell.ctypes.data)
        self._states = np.zeros(threads, np.int64)
        self._errors: list[BaseException] = []

    def help(self, me: int) -> tuple[Int64Array, int]:
        """Work in another thread than the caller's, as number `me`; nothing if the call is over by now."""
        self._states[me] = BEGUN
        try:
            if self._left[0] < self._chunks:
                self.work(me)
        except BaseException as raised:
            self._errors.append(raised)
        return self._states, me

    def work(self, me: int) -> None:
        """Do chunks while there are any."""
        self._work(self._left, me)

    def wait(self) -> None:
        """Until all is done; raises what a thread has raised."""
        self._watch()
        for error in self._errors:
            raise error

    def _watch(self) -> None:
        """Until nobody is at work, at first awake: a thread that sleeps takes a while to wake."""
        if BEGUN in self._states.tolist():
            watch(self._states, _WATCH)
        while BEGUN in self._states.tolist():
            time.sleep(1e-4)

    def dismiss(self) -> None:
        """Let no more begin and wait for those at work, whatever comes; what came in between is raised then."""
        came = None
        while True:
            try:
                self._left[:-1] = self._chunks
                self._watch()
                break
            except BaseException as error:
                came = error
        if came is not None:
            raise came


def run_chunks(work: Callable[[Int64Array, int], Any], chunks: int, num_threads: int) -> None:
    """Have chunks 0 .. chunks-1 of some work each done once.

    Parameters
    ----------
    work : callable
        Runs a GIL-free kernel, in each thread once, that takes chunks by `sharing.next_chunk` from the first argument,
        the next chunks of the parts of all threads and the address of a bell (threads + 1,), while there are any.  The
        second one is the number of the thread.  A chunk must write only what is its own, so that results do not depend
        on the number of threads, nor on who does what.
    chunks : int
    num_threads : int
        The calling thread works too; ``num_threads - 1`` more are taken from a pool.

    Notes
    -----
    Whatever is raised meanwhile, in the work or by the handler of a signal, no thread is at work any more when it
    reaches the caller: they write to the caller's arrays, which it may use again.
    """
    threads = min(num_threads, chunks)
    if threads <= 1:
        work(alone(), 0)
        return
    pool = _pool()
    crew = _Crew(work, chunks, threads, pool.bell)
    try:
        try:
            try:
                pool.grow(threads - 1)
                for me in range(1, threads):
                    pool.put(partial(crew.help, me))
                crew.work(0)
                crew.wait()
            finally:
                crew.dismiss()
        finally:
            crew.dismiss()  # a second signal may have come on the way to the first call
    finally:
        crew.dismiss()  # and a third on the way to the second: Python calls handlers where a function begins


def run_each(function: Callable[[int], Any], count: int, num_threads: int) -> None:
    """Call ``function(number)`` for 0 .. count-1, each once; as `run_chunks`, for work that is not one kernel."""
    numbers = iter(range(count))  # its next step is one call into C, which no other thread can come into

    def work(left: Int64Array, me: int) -> None:
        if me == 0:
            _pool().ring()
        for number in numbers:
            if left[0] >= count:
                return
            function(number)

    run_chunks(work, count, num_threads)
