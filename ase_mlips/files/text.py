"""Reading and writing of text files, where every complaint carries the path and the line."""

from __future__ import annotations

import contextlib
import math
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from .signals import SignalsLater

FilePath = str | PathLike[str]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_SHOWN = 40
_MARK = b"\xef\xbb\xbf"  # the byte order mark that some editors put before UTF-8
_OTHER_TEXT = (b"\xff\xfe", b"\xfe\xff")
_PACKED = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ\0": "unxz", b"\x28\xb5\x2f\xfd": "unzstd"}


@dataclass(frozen=True)
class Row:
    """The words of one line."""

    path: FilePath
    line: int
    words: tuple[str, ...]

    def error(self, expected: str, got: str | None = None) -> ValueError:
        """``path:line: expected ..., got ...``, where `got` defaults to the line itself."""
        return complaint(self.path, self.line, expected, quoted(" ".join(self.words)) if got is None else got)

    def number(self, word: str, what: str) -> float:
        """Convert `word` to a finite float, or raise ValueError that says `what` it was to be."""
        if _NUMBER.fullmatch(word) and math.isfinite(value := float(word)):
            return value
        raise self.error(f"a finite number for {what}", quoted(word))

    def integer(self, word: str, what: str) -> int:
        """Convert `word` to an int, or raise ValueError that says `what` it was to be."""
        if _INTEGER.fullmatch(word):
            return int(word)
        raise self.error(f"an integer for {what}", quoted(word))

    @contextlib.contextmanager
    def blamed(self) -> Iterator[None]:
        """Put ``path:line:`` before a ValueError that is raised within."""
        try:
            yield
        except ValueError as error:
            raise ValueError(f"{self.path}:{self.line}: {error}") from None


def require_file(path: FilePath) -> None:
    """Refuse what cannot be read to its end.

    Raises
    ------
    OSError
        If it is not there, is a directory or cannot be opened.
    ValueError
        If it is a pipe or a device, which may have no end.
    """
    require_regular(path, os.stat(path).st_mode)
    open(path, "rb").close()


def require_regular(path: FilePath, mode: int) -> None:
    """ValueError if `mode` of `os.stat` is that of a pipe or a device."""
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError(f"{path}: expected a file, got a pipe, a socket or a device")


def read_content(path: FilePath) -> bytes:
    """The bytes of a file; raises as `require_file` does."""
    require_file(path)
    return Path(path).read_bytes()


def text_content(path: FilePath) -> bytes:
    """The bytes of a text file, without a byte order mark.

    Raises
    ------
    OSError, ValueError
        As `read_content`; or if the file is compressed or in UTF-16.
    """
    content = read_content(path)
    if tool := unpacker(content):
        raise complaint(path, 1, "text", f"a compressed file, to be unpacked with {tool}")
    if content.startswith(_OTHER_TEXT):
        raise complaint(path, 1, "text in UTF-8", "UTF-16")
    return content.removeprefix(_MARK)


def beginning(path: FilePath, length: int) -> bytes:
    """The first bytes of a file behind a byte order mark; none if it is no file or cannot be read."""
    try:
        if not os.path.isfile(path):
            return b""
        with open(path, "rb") as file:
            return file.read(length).removeprefix(_MARK)
    except OSError:
        return b""


def unpacker(content: bytes) -> str:
    """The program that unpacks what begins like this; empty if it is not compressed."""
    return next((tool for magic, tool in _PACKED.items() if content.startswith(magic)), "")


def read_text(path: FilePath) -> str:
    """A text file with Unix line ends; bytes that are not UTF-8, common in authors' names, appear escaped.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is binary, compressed, or no file but a pipe or a device.
    """
    content = text_content(path)
    if (zero := content.find(b"\0")) >= 0:
        raise complaint(path, content.count(b"\n", 0, zero) + 1, "text", "a binary file")
    return content.decode("utf-8", "backslashreplace").replace("\r\n", "\n")


def require_whole(row: Row, others: Iterable[str]) -> None:
    """Refuse a file that seems to end within the last number of `row`, behind which there is no newline.

    Programs end their files with a newline, editors need not.  A number that was cut has fewer digits, fewer decimals
    or less of an exponent than each of the `others`, unless what it lost lies beyond the precision of the file.

    Raises
    ------
    ValueError
        ``path:line: expected ..., got ...``.
    """
    last, shapes = row.words[-1], [shape for word in others if (shape := _shape(word))[0]]
    if not shapes:
        return
    digits, decimals, exponent = _shape(last)
    least = [min(column) for column in zip(*shapes, strict=True)]
    shortest = min((shape[2] for shape in shapes if shape[2]), default=2)
    if digits < least[0] or decimals < least[1] or exponent < least[2] or 0 < exponent < shortest:
        raise row.error("as many digits as in the numbers above, or a newline behind the last one", quoted(last))


def _shape(word: str) -> tuple[int, int, int]:
    """Significant digits, decimals and digits of the exponent of a number."""
    mantissa, _, exponent = word.lower().partition("e")
    _, _, decimals = mantissa.partition(".")
    return len(re.sub(r"^[+\-0.]+|[^0-9]", "", mantissa)), len(decimals), len(exponent.lstrip("+-"))


def replace_files(contents: Mapping[str, str | bytes]) -> None:
    """Write all files, name -> text in ASCII or bytes, under temporary names beside their own, then rename them.

    One that exists stays whole if writing fails.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    finals = {name: os.path.realpath(name) for name in contents}  # a symbolic link stays one
    temporary = {name: f"{final}.{os.getpid()}.tmp" for name, final in finals.items()}
    try:
        for name, content in contents.items():
            with open(temporary[name], "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode("ascii"))
                file.flush()
                os.fsync(file.fileno())
        with SignalsLater():
            for name, final in finals.items():
                os.replace(temporary[name], final)
    finally:
        for name in temporary.values():
            with contextlib.suppress(FileNotFoundError):
                os.remove(name)


def complaint(path: FilePath, line: int, expected: str, got: str) -> ValueError:
    """The one form that all messages about malformed files have."""
    return ValueError(f"{path}:{line}: expected {expected}, got {got}")


def quoted(text: str) -> str:
    """`text` between quotes, shortened where it is long."""
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")
