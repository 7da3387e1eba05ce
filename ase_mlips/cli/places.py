"""Where files go, and how warnings look: what is to be known before the work."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


def require_place(path: str | os.PathLike[str]) -> None:
    """Fail now, not after the work, when no file of this name can be written.

    Raises
    ------
    OSError, ValueError
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise ValueError(f"{path}: is a directory")
    if not target.parent.is_dir():
        raise ValueError(f"{Path(path).parent}: there is no such directory for {path}")
    try:
        with TemporaryDirectory(prefix=".ase-mlips-", dir=target.parent):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Print warnings as sentences of the command."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        print(f"ase-mlips: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
