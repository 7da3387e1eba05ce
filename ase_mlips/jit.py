"""The one place that touches Numba's decorators, its cache and threads.

Kernels are written once, serially, over a range of work ("chunk"); `run_chunks` spreads chunks over
Python threads, which run in parallel because every kernel releases the GIL.  Numba's own threading
layers are not used: they are neither fork-safe nor, without TBB, callable from several threads.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core import config, event
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}}
_PACKAGE = Path(__file__).parent
_SOURCES = (
    "jit.py",
    "simd.py",
    "packing.py",
    "vector_math.py",
    "lanes.py",
    "radial.py",
    "zbl.py",
    "*/kernels*.py",
    "*/layout.py",
)  # all that kernels are made of


def kernel(function: F) -> F:
    """Compile an entry point, called from Python, and keep the machine code on disk."""
    dispatcher = numba.njit(function, **_OPTIONS)
    directory = None if config.DISABLE_JIT or config.BOUNDSCHECK else cache_directory()
    if directory is not None:
        dispatcher._cache = _cache_class(directory)(function)
    return dispatcher


def device(function: F) -> F:
    """Compile a helper that only kernels call; its code is part of theirs."""
    return numba.njit(function, **_OPTIONS)


def device_from_source(name: str, source: str, namespace: dict[str, Any]) -> Callable[..., Any]:
    """Compile a device function whose text was generated, for example an unrolled tile."""
    scope = dict(namespace)
    exec(compile(source, f"<generated {name}>", "exec"), scope)
    return device(scope[name])


@cache
def cache_directory() -> Path | None:
    """Where compiled kernels are kept, or None where no place can be written.

    The name holds a hash of every kernel source, the versions and the options, because Numba itself
    does not see an edit in another file than the entry point's.  A directory beside the package is
    used when it exists already (a container whose image was warmed) or can be made.
    """
    options = [(key, sorted(value) if isinstance(value, set) else value) for key, value in _OPTIONS.items()]
    digest = hashlib.sha256(f"{numba.__version__} {config.OPT} {options}".encode())
    for path in sorted(path for pattern in _SOURCES for path in _PACKAGE.glob(pattern)):
        digest.update(path.read_bytes())
    name = f"kernels-{digest.hexdigest()[:16]}"
    beside = (Path(config.CACHE_DIR) / "ase_mlips" if config.CACHE_DIR else _PACKAGE / "__pycache__") / name
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    for directory in (beside, Path(home) / "ase_mlips" / name):
        try:
            directory.mkdir(parents=True, exist_ok=True)
            usable = os.access(directory, os.W_OK) or any(directory.iterdir())
        except OSError:
            continue
        if usable:
            return directory
    return None


def _cache_class(directory: Path) -> type[FunctionCache]:
    class Locator(_CacheLocator):  # type: ignore[misc]
        def __init__(self, py_func: Callable[..., Any]) -> None:
            source = Path(py_func.__code__.co_filename)
            self._stamp = hashlib.sha256(source.read_bytes()).hexdigest()
            self._place = f"{py_func.__module__}-{py_func.__code__.co_firstlineno}"

        def get_cache_path(self) -> str:
            return str(directory)

        def get_source_stamp(self) -> str:
            return self._stamp

        def get_disambiguator(self) -> str:
            return self._place

        @classmethod
        def from_function(cls, py_func: Callable[..., Any], py_file: str) -> Locator:
            return cls(py_func)

    class Implementation(CompileResultCacheImpl):  # type: ignore[misc]
        _locator_classes = (Locator,)

    class Cache(FunctionCache):  # type: ignore[misc]
        _impl_class = Implementation

        def load_overload(self, sig: Any, target_context: Any) -> Any:
            try:
                return super().load_overload(sig, target_context)
            except (OSError, EOFError, pickle.UnpicklingError):  # unreadable or damaged: as if it were not there
                with suppress(OSError):
                    self.flush()
                return None

        def save_overload(self, sig: Any, data: Any) -> None:
            try:
                super().save_overload(sig, data)
            except OSError as error:  # read-only or full: the kernel works, only the next start is slow
                warnings.warn(f"compiled kernels could not be kept: {error}", RuntimeWarning, stacklevel=2)
                self.disable()

    return Cache


class _Announcer(event.Listener):  # type: ignore[misc]
    """Says on a terminal, once, that kernels are compiling."""

    _said = False

    def on_start(self, happening: Any) -> None:
        function = getattr(happening.data.get("dispatcher"), "py_func", None)
        ours = str(getattr(function, "__module__", "")).startswith("ase_mlips.")
        if ours and not self._said and sys.stderr is not None and sys.stderr.isatty():
            self._said = True
            sys.stderr.write("ase_mlips: compiling kernels for this machine, once per installation; half a minute\n")

    def on_end(self, happening: Any) -> None:
        pass


event.register("numba:compile", _Announcer())


class InterruptLater(event.Listener):  # type: ignore[misc]
    """While it is entered, lets Ctrl-C wait until the kernel that is being compiled is done, some seconds at most.

    LLVM calls back into Python, where an interrupt gets lost: Numba would then find no compiled object, or the process
    would crash at its end.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._came = False
        self._previous: Any = None

    def on_start(self, happening: Any) -> None:
        """Called by Numba when a compilation begins, which may lie within another one."""
        if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
            return
        self._depth += 1
        if self._depth == 1:
            self._came = False
            self._previous = signal.signal(signal.SIGINT, self._note)

    def on_end(self, happening: Any) -> None:
        """Called by Numba when a compilation has ended or failed."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._depth -= 1
        if self._depth == 0:
            signal.signal(signal.SIGINT, self._previous)
            if self._came:
                signal.raise_signal(signal.SIGINT)

    def __enter__(self) -> None:
        event.register("numba:compile", self)

    def __exit__(self, *_: object) -> None:
        event.unregister("numba:compile", self)

    def _note(self, number: int, frame: Any) -> None:
        self._came = True


_pool: tuple[int, int, ThreadPoolExecutor] | None = None
_pool_lock = threading.Lock()


def _executor(workers: int) -> ThreadPoolExecutor:
    """The shared pool; made anew in a forked child, where the parent's threads do not exist."""
    global _pool
    with _pool_lock:
        if _pool is None or _pool[0] != os.getpid() or _pool[1] < workers:
            _pool = (os.getpid(), workers, ThreadPoolExecutor(workers, thread_name_prefix="ase_mlips"))
        return _pool[2]


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


def run_chunks(work: Callable[[int, int], Any], chunks: int, num_threads: int) -> None:
    """Call ``work(first, last)`` so that chunks 0 .. chunks-1 are each done once.

    Parameters
    ----------
    work : callable
        Runs a GIL-free kernel on the chunks ``first <= c < last``.  A chunk must write only what is
        its own, so that results do not depend on the number of threads.
    chunks : int
    num_threads : int
        The calling thread works too; ``num_threads - 1`` more are taken from a pool.
    """
    threads = min(num_threads, chunks)
    if threads <= 1:
        work(0, chunks)
        return
    edges = [chunks * t // threads for t in range(threads + 1)]
    pool = _executor(threads - 1)
    futures = [pool.submit(work, edges[t], edges[t + 1]) for t in range(1, threads)]
    try:
        work(edges[0], edges[1])
    finally:
        wait(futures)  # they write to the caller's arrays
    for future in futures:
        future.result()
