"""Garbage collection put off, for tests that raise an exception at a chosen instruction."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_off() -> Iterator[None]:
    """Run the block without garbage collection.

    It comes at any instruction, and what it calls, finalizers and the callbacks of other packages, drops exceptions:
    one that was meant for the code under test would be lost there.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
