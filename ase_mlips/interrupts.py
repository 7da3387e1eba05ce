"""Steps that a signal must not cut in two."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let signals that Python handles, and a request to end (SIGTERM), wait until the block is done.

    Then they have their usual effect.  For short steps, such as the renaming of several files that belong together.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    handlers = {n: handler for n, handler in handlers.items() if callable(handler) or (n, handler) == _END}
    replaced: dict[int, Any] = {}

    def note(number: int, frame: Any) -> None:
        came.append(number)

    try:
        for number, handler in handlers.items():
            replaced[number] = handler
            signal.signal(number, note)
        yield
    finally:
        for caught, handler in replaced.items():
            signal.signal(caught, handler)
        for late in dict.fromkeys(came):
            signal.raise_signal(late)


_END = (signal.SIGTERM, signal.SIG_DFL)
