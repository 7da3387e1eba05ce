"""Reading and writing of text files, where every complaint carries the path and the line."""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from .interrupts import uninterrupted

FilePath = str | PathLike[str]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_SHOWN = 40


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


def read_text(path: FilePath) -> str:
    """A text file with Unix line ends; bytes that are not UTF-8, common in authors' names, appear escaped.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is binary.
    """
    content = Path(path).read_bytes()
    if (zero := content.find(b"\0")) >= 0:
        raise complaint(path, content.count(b"\n", 0, zero) + 1, "text", "a binary file")
    return content.decode("utf-8", "backslashreplace").replace("\r\n", "\n")


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
        with uninterrupted():
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
