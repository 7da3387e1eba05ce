"""Outcomes of checks, and checks that run in a process of their own, because they may end it."""

from __future__ import annotations

import faulthandler
import os
import pickle
import select
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass

_PATIENCE = 900.0  # s; threads that wait for each other wait for ever


@dataclass(frozen=True)
class Check:
    """The outcome of one check; `detail` says why it failed, or what was not offered and hence not checked."""

    name: str
    passed: bool
    detail: str

    def __str__(self) -> str:
        return f"{'ok    ' if self.passed else 'FAILED'}  {self.name:32}  {self.detail}".rstrip()


@dataclass(frozen=True)
class Report:
    """The outcome of all checks; ``str`` of it is a table."""

    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that failed."""
        return tuple(check.name for check in self.checks if not check.passed)

    def __str__(self) -> str:
        return "\n".join([*map(str, self.checks), f"{len(self.failed)} of {len(self.checks)} checks failed"])

    def raise_on_failure(self) -> None:
        """Raise an AssertionError with the table if any check failed."""
        if self.failed:
            raise AssertionError(str(self))


class FailedError(Exception):
    """Says what is wrong; becomes `Check.detail`."""


class NotOfferedError(Exception):
    """Names a property that the calculator does not implement."""


def run_check(name: str, check: Callable[[], None]) -> Check:
    """The outcome of a check that raises where it fails."""
    try:
        check()
    except NotOfferedError as missing:
        return Check(name, True, f"not offered: {missing}")
    except Exception as error:  # whatever the calculator under test throws is a finding, not a fault of the kit
        kind = "" if isinstance(error, FailedError) else f"{type(error).__name__}: "
        return Check(name, False, f"{kind}{error}".partition("\n")[0][:120])
    return Check(name, True, "")


def run_apart(name: str, check: Callable[[], None]) -> Check:
    """`run_check` in a copy of this process, so that a crash ends the copy only.

    Copies need no pickling, but there are none on Windows, and on macOS they are not safe: there the check runs here.
    """
    if not hasattr(os, "fork") or sys.platform == "darwin":
        return run_check(name, check)
    source, sink = os.pipe()
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # on copies of a process with threads
        child = os.fork()
    if child == 0:
        try:
            faulthandler.disable()
            os.write(sink, pickle.dumps(run_check(name, check)))
        finally:
            os._exit(0)
    os.close(sink)
    content = b""
    try:
        if select.select([source], [], [], _PATIENCE)[0]:
            content = os.read(source, select.PIPE_BUF)  # nothing if the process has ended
        else:
            os.kill(child, signal.SIGKILL)
            return Check(name, False, f"no end after {_PATIENCE:g} s, as where threads wait for each other")
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.close(source)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if content:
        outcome: Check = pickle.loads(content)
        return outcome
    how = f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
    return Check(name, False, f"the calculator ended its process {how}, as one that is not safe for this may")
