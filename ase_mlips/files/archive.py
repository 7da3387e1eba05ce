"""Zip archives whose members are stored as they are: NumPy's ``.npz`` and PyTorch's ``.pt``.

Nothing in them is unpickled, and no number in a header decides how much memory is taken: the bytes that are there do.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .text import FilePath, read_content

_DAMAGED = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, struct.error)

TYPES = {"f": "<f8", "i": "<i8", "b": "|b1", "U": "<U"}
_DESCR = {**TYPES, "b": r"\|b1", "U": r"<U[1-9]\d{0,6}"}
_ASCII = 127
_HEADER = re.compile(
    rb"\x93NUMPY(?:\x01\x00..|[\x02\x03]\x00....)"
    rb"\{'descr': '([<|][a-zA-Z]\d{1,9})', 'fortran_order': False, 'shape': \(((?:\d{1,18},? ?){0,2})\), \} *\n",
    re.DOTALL,
)

Kinds = Mapping[str, tuple[str, int]]


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


def read_arrays(path: FilePath, members: Mapping[str, bytes], kinds: Kinds) -> dict[str, Any]:
    """The arrays of these kinds by name, those of text as tuples and those without axes as Python scalars.

    Parameters
    ----------
    path : path
        For messages.
    members : mapping
        Of `read_members`, by the names of the arrays.
    kinds : mapping
        For each name of an array a key of `TYPES` and the number of axes.

    Raises
    ------
    ValueError
        ``path: expected ..., got ...`` if one is missing, damaged or of another kind.
    """
    found: dict[str, Any] = {}
    for name, (kind, axes) in kinds.items():
        what = f"the array {name} of type {TYPES[kind]} with {axes} axes"
        if name not in members:
            raise refusal(path, what, "none")
        array = _array(members[name], kind)
        if array is None or array.ndim != axes:
            raise refusal(path, what, "another or a damaged one")
        found[name] = array.item() if axes == 0 else tuple(array.tolist()) if kind in "Ui" else array
    return found


def _array(data: bytes, kind: str) -> NDArray[Any] | None:
    """The array of a ``.npy`` member, None if it is not of this kind or damaged."""
    match = _HEADER.match(data)
    if match is None:
        return None
    if not re.fullmatch(_DESCR[kind], descr := match[1].decode()):
        return None
    dtype = np.dtype(descr)
    shape = tuple(int(word) for word in match[2].split(b",") if word.strip())
    content = data[match.end() :]
    if len(content) != math.prod(shape) * dtype.itemsize:
        return None
    if kind == "U" and max(np.frombuffer(content, "<u4"), default=0) > _ASCII:
        return None
    return np.ndarray(shape, dtype, content)
