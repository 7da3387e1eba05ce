"""Whether a file can be written where it shall be, which is to be known before the work."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory


def require_place(path: str | os.PathLike[str], *, append: bool = False) -> None:
    """Fail now, not after the work, when no file of this name can be written; files remain as they are.

    Parameters
    ----------
    path : path
        The file, which may exist.
    append : bool
        If it exists, it is to be changed itself; by default a new file is to replace it.

    Raises
    ------
    ValueError
        It is a directory, or to be in one that is not there.
    OSError
        The directory takes no new file, or the file no change.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.is_dir():
            raise ValueError(f"{path}: is a directory")
        for folder in (Path(path).parent, target.parent):  # not the same one behind a symbolic link
            if not folder.is_dir():
                raise ValueError(f"{folder}: there is no such directory for {path}")
        if append and target.exists():
            with open(target, "r+b"):
                return
        with TemporaryDirectory(prefix=".ase-mlips-", dir=target.parent):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
