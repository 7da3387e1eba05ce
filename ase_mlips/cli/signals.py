"""How signals end the command."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INTERRUPTED = 130  # exit code after Ctrl-C


class Ending:
    """Which signal has ended the command.

    Attributes
    ----------
    number : int
        Of SIGTERM or SIGHUP; SIGINT, which is Ctrl-C, where neither has come.
    """

    number = int(signal.SIGINT)

    def code(self, code: int) -> int:
        """The exit code of a command that would end with `code`: 143 or 129 in place of 130."""
        return 128 + self.number if code == INTERRUPTED else code


@contextmanager
def orderly_end() -> Iterator[Ending]:
    """Let SIGTERM (of a batch system) and SIGHUP (of a closed terminal) do what Ctrl-C does; its exit code differs.

    A signal that is ignored, as by ``nohup``, remains so.
    """
    ending = Ending()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield ending
        return
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN

    def interrupt(number: int, frame: Any) -> None:
        if not ignored or ending.number != signal.SIGINT:
            raise KeyboardInterrupt

    def end(number: int, frame: Any) -> None:
        ending.number = number
        handler = signal.getsignal(signal.SIGINT)  # not always `interrupt`: a step or a kernel may be finished first
        if callable(handler):
            handler(signal.SIGINT, frame)

    previous = {signal.SIGINT: signal.signal(signal.SIGINT, interrupt)}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            previous[number] = signal.signal(number, end)
    try:
        yield ending
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
