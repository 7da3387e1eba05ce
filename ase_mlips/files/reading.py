"""What is said of files that ASE cannot read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ase.io.formats import UnknownFileTypeError

from .text import require_regular


@contextmanager
def readable(source: str | os.PathLike[str], kind: str) -> Iterator[None]:
    """Say in one sentence that `source` is not what was expected, `kind`, where ASE's reader fails on it.

    Raises
    ------
    ValueError
        ASE does not know the format, or its reader fails; or it is a pipe or a device.
    OSError
        The file is not there or cannot be opened.
    """
    with suppress(OSError):  # what is not there, or is no path, is left to ASE
        require_regular(source, os.stat(source).st_mode)
    try:
        yield
    except UnknownFileTypeError as error:
        raise ValueError(f"{source}: ASE does not know this file format") from error
    except Exception as error:  # ASE's readers fail on malformed files in every conceivable way
        if isinstance(error, OSError) and error.filename is not None:
            raise
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise ValueError(f"{source}: cannot be read as {kind} ({reason})") from error
