"""Line-by-line reading of small text files, where every complaint carries the path and the line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

FilePath = str | PathLike[str]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_SHOWN = 40


@dataclass(frozen=True)
class Row:
    """The words of one line that is neither blank nor a comment."""

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


class Rows:
    """A text file's rows in order, with the place of its end for the complaint that something is missing."""

    def __init__(self, path: FilePath) -> None:
        lines = read_lines(path)
        self.path = path
        self.last_line = max(1, len(lines) - (lines[-1] == ""))
        self._rows = [Row(path, n, words) for n, text in enumerate(lines, 1) if (words := _words(text))]
        self._next = 0

    def peek(self) -> Row | None:
        """The row that `next` would return, None at the end of the file."""
        return self._rows[self._next] if self._next < len(self._rows) else None

    def next(self, expected: str) -> Row:
        """The next row; ValueError at the end of the file."""
        row = self.peek()
        if row is None:
            raise complaint(self.path, self.last_line, expected, "the end of the file")
        self._next += 1
        return row

    def __iter__(self) -> Iterator[Row]:
        while (row := self.peek()) is not None:
            self._next += 1
            yield row


def read_lines(path: FilePath) -> list[str]:
    """Lines of a text file; bytes that are not UTF-8, common in authors' names, appear escaped.

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
    return content.decode("utf-8", "backslashreplace").replace("\r\n", "\n").split("\n")


def complaint(path: FilePath, line: int, expected: str, got: str) -> ValueError:
    """The one form that all messages about malformed files have."""
    return ValueError(f"{path}:{line}: expected {expected}, got {got}")


def quoted(text: str) -> str:
    """`text` between quotes, shortened where it is long."""
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split("#", 1)[0].replace('"', " ").replace("'", " ").split())
