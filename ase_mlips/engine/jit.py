"""The one place that touches Numba's decorators.

Kernels are written once, serially, and take one part of the work ("chunk") after the other as long as there are any;
`threads.run_chunks` calls them in several Python threads, which run in parallel because every kernel releases the GIL.
Numba's own threading layers are not used: they are neither fork-safe nor, without TBB, callable from several threads.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import config, event

from ..files.signals import SignalsLater
from .kernel_cache import KernelCache, directories

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {
    "nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}, "no_cfunc_wrapper": True,
}  # fmt: skip
_signals = SignalsLater()

COMPILES = not config.DISABLE_JIT  # unless NUMBA_DISABLE_JIT=1, for which there is `simd_emulation`


def kernel(function: F) -> F:
    """Compile an entry point, called from Python, and keep the machine code on disk."""
    dispatcher = numba.njit(function, **_OPTIONS)
    if not (config.DISABLE_JIT or config.BOUNDSCHECK):
        dispatcher._cache = KernelCache(function, cache_directories(), _signals)
    return dispatcher


def device(function: F) -> F:
    """Compile a helper that only kernels call; its code is part of theirs."""
    return numba.njit(function, no_cpython_wrapper=True, **_OPTIONS)


def device_from_source(name: str, source: str, namespace: dict[str, Any]) -> Callable[..., Any]:
    """Compile a device function whose text was generated, for example an unrolled tile."""
    scope = dict(namespace)
    exec(compile(source, f"<generated {name}>", "exec"), scope)
    return device(scope[name])


def cache_directories() -> tuple[Path, ...]:
    """Where compiled kernels may be, the first choice first; see `kernel_cache.directories`."""
    return directories(
        str([(key, sorted(value) if isinstance(value, set) else value) for key, value in _OPTIONS.items()])
    )


def _is_ours(happening: Any) -> bool:
    function = getattr(happening.data.get("dispatcher"), "py_func", None)
    return str(getattr(function, "__module__", "")).startswith("ase_mlips.")


class _Announcer(event.Listener):  # type: ignore[misc]
    """Says on a terminal, once, that kernels are compiling."""

    _said = False

    def on_start(self, happening: Any) -> None:
        if _is_ours(happening) and not self._said and sys.stderr is not None and sys.stderr.isatty():
            self._said = True
            sys.stderr.write("ase_mlips: compiling kernels for this machine, once per installation; half a minute\n")

    def on_end(self, happening: Any) -> None:
        pass


event.register("numba:compile", _Announcer())


class _SignalsWait(event.Listener):  # type: ignore[misc]
    """Lets signals wait until the kernel that is being compiled is done, some seconds at most.

    LLVM calls back into Python.  What a handler raises there (KeyboardInterrupt, or the exception of a time limit) gets
    lost, Numba then finds no compiled object, and the process may crash at its end.
    """

    def on_start(self, happening: Any) -> None:
        if _is_ours(happening):
            _signals.begin()

    def on_end(self, happening: Any) -> None:
        if _is_ours(happening):
            _signals.end()


event.register("numba:compile", _SignalsWait())
