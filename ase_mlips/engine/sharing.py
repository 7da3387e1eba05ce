"""What threads that share the work of a call do in compiled code; see `threads`."""

from __future__ import annotations

from typing import Any

from .jit import device, kernel
from .simd import at, fetch, fetch_add, off, ptr

BEGUN = 1  # among the states of threads; they add 1 when they are done


@device
def next_chunk(left: Any, me: int, chunks: int) -> int:
    """A chunk that no thread has taken yet, or `chunks` where there is none left; see `threads.run_chunks`.

    Each thread takes those of its own part, which it had in the last call and whose atoms are in its cache, and then
    those that others have left.  Whoever takes the first chunk rings the bell.
    """
    threads = len(left) - 1
    for turn in range(threads):
        part = (me + turn) % threads
        chunk = fetch_add(off(ptr(left), part))
        if chunk < chunks * (part + 1) // threads:
            if chunk == 0 and left[threads] != 0:
                fetch_add(at(left[threads]))
            return chunk
    return chunks


@kernel
def stay_awake(bell: Any, heard: int, looks: int, states: Any, me: int) -> None:
    """Have `states` (threads,) say that work is done; return at the next ring, or after so many looks.

    `heard` is how often the `bell` (1,) had rung before.
    """
    fetch_add(off(ptr(states), me))
    for _ in range(looks):
        if fetch(ptr(bell)) != heard:
            return


@kernel
def watch(states: Any, looks: int) -> None:
    """Return as soon as all whose `states` (threads,) are `BEGUN` are done, or after so many looks."""
    for _ in range(looks):
        at_work = 0
        for me in range(len(states)):
            at_work += fetch(off(ptr(states), me)) == BEGUN
        if at_work == 0:
            return
