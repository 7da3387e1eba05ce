"""What is said of files that ASE cannot read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ase.io.formats import UnknownFileTypeError


@contextmanager
def readable(source: str | os.PathLike[str], kind: str) -> Iterator[None]:
    """Say in one sentence that `source` is not what was expected, `kind`, where ASE's reader fails on it.

    Raises
    ------
    ValueError
        ASE does not know the format, or its reader fails.
    OSError
        The file is not there or cannot be opened.
    """
    try:
        yield
    except UnknownFileTypeError as error:
        raise ValueError(f"{source}: ASE does not know this file format") from error
    except Exception as error:  # ASE's readers fail on malformed files in every conceivable way
        if isinstance(error, OSError) and error.filename is not None:
            raise
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise ValueError(f"{source}: cannot be read as {kind} ({reason})") from error
