"""Steps that a signal must not cut in two, and work that Ctrl-C ends at a good moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class SignalsLater:
    """Between `begin` and `end`, which may be nested, or in a ``with`` block, signals wait that Python handles.

    A request to end (SIGTERM) waits, too.  Only the main thread gets signals; others may do this without effect.
    It serves short steps: the renaming of files that belong together, the loading of machine code.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._handlers: dict[int, Any] = {}
        self._came: list[int] = []

    def begin(self) -> None:
        """Let signals wait from now on."""
        if threading.current_thread() is not threading.main_thread():
            return
        if self._depth == 0:
            try:
                for number in signal.valid_signals():
                    handler = signal.getsignal(number)
                    if callable(handler) or (number, handler) == (signal.SIGTERM, signal.SIG_DFL):
                        self._handlers[number] = handler
                        signal.signal(number, self._note)
            except BaseException:  # a handler that was not yet replaced has raised
                self._give_back()
                raise
        self._depth += 1

    def end(self) -> None:
        """Give the handlers back, and call those whose signal has come; what they raise is raised here."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._depth -= 1
        if self._depth == 0:
            self._give_back()

    def __enter__(self) -> None:
        self.begin()

    def __exit__(self, *_: object) -> None:
        self.end()

    def _note(self, number: int, frame: Any) -> None:
        if number not in self._came:
            self._came.append(number)

    def _give_back(self) -> None:
        """One step, and then, whatever a handler raises meanwhile, the others."""
        if not (self._handlers or self._came):
            return
        try:
            if self._handlers:
                number, handler = next(iter(self._handlers.items()))
                signal.signal(number, handler)
                del self._handlers[number]
            else:
                signal.raise_signal(self._came.pop())
        finally:
            self._give_back()


@contextmanager
def deferred_interrupt(*, again: bool = True) -> Iterator[threading.Event]:
    """Let the first Ctrl-C set an event, so that what is under way is finished.

    The second one interrupts, or does nothing more where `again` is False.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield event
        return

    def handle(number: int, frame: Any) -> None:
        if again and event.is_set():
            raise KeyboardInterrupt
        event.set()

    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, previous)
