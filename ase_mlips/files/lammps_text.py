"""Line-by-line reading of LAMMPS's potential files, which have comments and quoted words."""

from __future__ import annotations

from collections.abc import Iterator

from .text import FilePath, Row, complaint, read_text, require_whole


class Rows:
    """A text file's rows in order, with the place of its end for the complaint that something is missing."""

    def __init__(self, path: FilePath) -> None:
        text = read_text(path)
        lines = text.split("\n")
        self.path = path
        self._open = not text[-1:].isspace() and "#" not in lines[-1]
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

    def finish(self, numbers: int, what: str) -> None:
        """ValueError if anything follows, or if the file seems to end within the last of so many `numbers`."""
        for row in self:
            raise row.error(f"the end of the file after {what}")
        if self._open:
            words = [word for row in self._rows[-numbers:] for word in row.words]
            require_whole(self._rows[-1], words[-numbers:-1])

    def __iter__(self) -> Iterator[Row]:
        while (row := self.peek()) is not None:
            self._next += 1
            yield row


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split("#", 1)[0].replace('"', " ").replace("'", " ").split())
