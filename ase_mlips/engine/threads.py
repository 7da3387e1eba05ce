"""Threads that share the work of a call, and memory that belongs to a thread."""

from __future__ import annotations

import _thread
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from queue import SimpleQueue
from typing import Any

import numpy as np


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
    """Threads that take shares of work from one queue, as long as the process lives.

    Each step here is one call into C.  The locks of `concurrent.futures` and of `threading.Condition` are taken in
    Python, where the exception of a signal's handler can come between taking and releasing: the next call would wait
    for ever.
    """

    def __init__(self) -> None:
        self._shares: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._started: list[int] = []

    def grow(self, workers: int) -> None:
        """Have at least so many threads."""
        while len(self._started) < workers:
            self._started.append(_thread.start_new_thread(self._work, ()))

    def put(self, share: Callable[[], None]) -> None:
        self._shares.put(share)

    def _work(self) -> None:
        while True:
            self._shares.get()()


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


class _Crew:
    """The threads of one call: each takes shares of the work until none is left; knows who is at work.

    Without locks, for the reason given in `_Pool`: a thread enters its name before it asks for a share.
    """

    def __init__(self, work: Callable[[int, int], Any], shares: list[tuple[int, int]]) -> None:
        self._work = work
        self._left = shares
        self._busy: set[int] = set()
        self._errors: list[BaseException] = []

    def help(self) -> None:
        """Work in another thread than the caller's; nothing if the call is over by now."""
        me = _thread.get_ident()
        self._busy.add(me)
        try:
            self.work()
        except BaseException as raised:
            self._errors.append(raised)
        self._busy.discard(me)

    def work(self) -> None:
        """Do shares while there are any."""
        while True:
            try:
                share = self._left.pop()
            except IndexError:
                return
            self._work(*share)

    def wait(self) -> None:
        """Until all is done; raises what a thread has raised."""
        self._watch()
        for error in self._errors:
            raise error

    def _watch(self) -> None:
        """Until nobody is at work, at first awake: a thread that sleeps takes a while to wake."""
        looks = 0
        while self._busy:
            looks += 1
            time.sleep(0.0 if looks < _AWAKE else 1e-4)

    def dismiss(self) -> None:
        """Let no more begin and wait for those at work, whatever comes; what came in between is raised then."""
        came = None
        while True:
            try:
                self._left.clear()
                self._watch()
                break
            except BaseException as error:
                came = error
        if came is not None:
            raise came


_AWAKE = 100  # looks, of about a microsecond each


def _shares(chunks: int, threads: int) -> list[tuple[int, int]]:
    """Most of the work in one share for each thread, the last of the list first, and the rest in small ones."""
    large = 3 * chunks // (4 * threads) or chunks // threads
    small = max(chunks // (8 * threads), 1)
    edges = [*range(0, large * threads + 1, large), *range(large * threads + small, chunks, small)]
    if edges[-1] < chunks:
        edges.append(chunks)
    return [*pairwise(edges)][::-1]


def run_chunks(work: Callable[[int, int], Any], chunks: int, num_threads: int) -> None:
    """Call ``work(first, last)`` so that chunks 0 .. chunks-1 are each done once.

    Parameters
    ----------
    work : callable
        Runs a GIL-free kernel on the chunks ``first <= c < last``.  A chunk must write only what is
        its own, so that results do not depend on the number of threads, nor on who does what.
    chunks : int
    num_threads : int
        The calling thread works too; ``num_threads - 1`` more are taken from a pool.

    Notes
    -----
    Whatever is raised meanwhile, in a share of the work or by the handler of a signal, no thread is at work any more
    when it reaches the caller: they write to the caller's arrays, which it may use again.
    """
    threads = min(num_threads, chunks)
    if threads <= 1:
        work(0, chunks)
        return
    crew = _Crew(work, _shares(chunks, threads))
    try:
        try:
            try:
                pool = _pool()
                pool.grow(threads - 1)
                for _ in range(1, threads):
                    pool.put(crew.help)
                crew.work()
                crew.wait()
            finally:
                crew.dismiss()
        finally:
            crew.dismiss()  # a second signal may have come on the way to the first call
    finally:
        crew.dismiss()  # and a third on the way to the second: Python calls handlers where a function begins
