"""What threads that share the work of a call do in compiled code; see `threads`."""

from __future__ import annotations

from typing import Any

from .jit import device, kernel
from .simd import fetch, fetch_add, off, ptr


@device
def next_chunk(left: Any, me: int, chunks: int) -> int:
    """A chunk that no thread has taken yet, or `chunks` where there is none left; see `threads.run_chunks`.

    Each thread takes those of its own part, which it had in the last call and whose atoms are in its cache, and then
    those that others have left.
    """
    threads = len(left)
    for turn in range(threads):
        part = (me + turn) % threads
        chunk = fetch_add(off(ptr(left), part))
        if chunk < chunks * (part + 1) // threads:
            return chunk
    return chunks


@kernel
def stay_awake(calls: Any, seen: int, looks: int) -> None:
    """Return as soon as `calls` (1,) is another number than `seen`, or after so many looks."""
    for _ in range(looks):
        if fetch(ptr(calls)) != seen:
            return
