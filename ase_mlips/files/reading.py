"""Files that ASE reads: what is said where it cannot, and compressed ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Any

from ase.io.formats import UnknownFileTypeError, get_compression, ioformats, open_with_compression

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


def unpacked(path: str, form: str) -> AbstractContextManager[Any]:
    """The path, or for a compressed text (.gz, .bz2, .xz) a file with what is in it, to be closed after the reading.

    ASE goes back in what it reads, with which the unpacking would begin anew each time.

    Parameters
    ----------
    path : str
    form : str
        ASE's name of the format.
    """
    if get_compression(path)[1] is None or ioformats[form].isbinary or not ioformats[form].acceptsfd:
        return nullcontext(path)
    with ExitStack() as stack:
        whole = stack.enter_context(TemporaryFile("w+", encoding="utf-8"))
        with open_with_compression(path) as packed:
            copyfileobj(packed, whole)
        whole.seek(0)
        stack.pop_all()
    return whole
