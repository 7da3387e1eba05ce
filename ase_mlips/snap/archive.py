"""Zip archives whose members are stored as they are: NumPy's ``.npz`` and PyTorch's ``.pt``."""

from __future__ import annotations

import io
import struct
import zipfile

from ..text import FilePath, read_content

_DAMAGED = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, struct.error)


def refusal(path: FilePath, expected: str, got: str) -> ValueError:
    """The form of all complaints about binary files, which have no lines."""
    return ValueError(f"{path}: expected {expected}, got {got}")


def read_members(path: FilePath) -> dict[str, bytes]:
    """The members of an archive by name.

    Compressed members are refused, so that no file can fill the memory with more than its own size.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        ``path: expected ..., got ...`` if it is no archive, damaged or compressed.
    """
    content = io.BytesIO(read_content(path))
    try:
        with zipfile.ZipFile(content) as archive:
            entries = archive.infolist()
            if packed := [entry.filename for entry in entries if entry.compress_type != zipfile.ZIP_STORED]:
                raise refusal(path, "an archive without compression", f"{packed[0][:40]!r} compressed")
            if sum(entry.file_size for entry in entries) > len(content.getbuffer()):
                raise refusal(path, "members no larger than the archive", "larger ones")
            return {entry.filename: archive.read(entry) for entry in entries}
    except _DAMAGED as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise refusal(path, "a whole zip archive", f"a damaged or other one ({str(error)[:80]})") from None
