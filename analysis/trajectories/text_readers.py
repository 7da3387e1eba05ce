"""What readers of text files share: a compiled parser turns the rows of each frame into a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

import numpy as np

from .frame import FloatArray, Frame, Head, IntArray, MappedFile, Rereadable, TruncatedError, check_count
from .kernels_text import SKIP, WORD, parse_rows, skip_rows

SPECIES, ID, POSITION, VELOCITY, SLOTS = 0, 1, 2, 5, 8  # columns of the table of a frame


class Header(NamedTuple):
    """What stands before the rows of a frame.

    Attributes
    ----------
    rows, start : int
        How many rows there are, and where they begin.
    columns : (C,) array
        What `parse_rows` does with each word of a row.
    cell : (3, 3) array
    time : float
        In fs, or NaN.
    origin : (3,) array or None
        Where the cell begins, if the positions are fractions of it.
    """

    rows: int
    start: int
    columns: IntArray
    cell: FloatArray
    time: float = np.nan
    origin: FloatArray | None = None


class Text(MappedFile):
    """A file that is read from a position on; messages name the file and the frame."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._end = self.map.rfind(b"\n") + 1  # what follows the last newline is still being written
        self.name, self.frame = path, 0

    def error(self, message: str) -> ValueError:
        return ValueError(f"{self.name}: frame {self.frame}: {message}")

    def _truncated(self) -> TruncatedError:
        return TruncatedError(f"{self.name}: frame {self.frame} is incomplete")

    def ends(self, position: int) -> bool:
        """Whether nothing or a blank line follows."""
        newline = self.map.find(b"\n", position)
        return not self.map[position : newline if newline >= 0 else len(self.map)].strip()

    def line(self, position: int) -> tuple[bytes, int]:
        """The stripped line that begins there and where the next one does."""
        if position >= self._end:
            raise self._truncated()
        after = self.map.find(b"\n", position) + 1
        return self.map[position:after].strip(), after

    def numbers(self, words: Sequence[bytes], expected: int) -> FloatArray:
        """The first words as numbers."""
        try:
            values = np.array([float(word) for word in words[:expected]])
        except ValueError:
            values = np.empty(0)
        if len(values) != expected:
            raise self.error(f"expected {expected} numbers, got {b' '.join(words).decode(errors='replace')!r}")
        return values

    def skip(self, header: Header) -> int:
        """Where the rows end."""
        position: int = skip_rows(self.bytes, header.start, self._end, header.rows)
        if position < 0:
            raise self._truncated()
        return position

    def parse(self, header: Header, table: FloatArray) -> int:
        """Fill the table from the rows; returns where they end."""
        row, position = 0, header.start
        while True:
            row, position = parse_rows(self.bytes, position, self._end, header.columns, table, row)
            if row == len(table):
                return position
            if position >= self._end:
                raise self._truncated()
            words, position = self.line(position)
            self._parse_unusual(words.split(), header.columns, table[row])
            row += 1

    def _parse_unusual(self, words: list[bytes], columns: IntArray, out: FloatArray) -> None:
        """A row that the compiled parser has refused: long numbers, exact ties, NaN, or an error."""
        if len(words) < len(columns):
            raise self.error(f"expected at least {len(columns)} columns, got {b' '.join(words).decode()!r}")
        for word, column in zip(words, columns, strict=False):
            if column == SKIP:
                continue
            if not column & 1:
                out[column >> 1] = self.numbers([word], 1)[0]
            elif len(word) > WORD:
                raise self.error(f"expected a species of at most {WORD} letters, got {word.decode()!r}")
            else:
                out[column >> 1] = int.from_bytes(word, "big")


class TextReader(Rereadable):
    """What the formats share; each brings `_header`."""

    length: int | None = None
    head: Head
    _speed: float | FloatArray = 1.0  # what makes A/fs of the columns of velocities

    def __init__(self, path: str) -> None:
        self.name = path

    def _header(self, text: Text, position: int, velocities: bool) -> Header:
        """What stands at this position."""
        raise NotImplementedError

    def _ordered(self, table: FloatArray) -> FloatArray:
        """Rows in the same order in every frame."""
        return table

    def _first_table(self) -> FloatArray:
        """The table of the first frame, whose atoms all frames must have."""
        text = Text(self.name)
        header = self._header(text, 0, False)
        table = np.zeros((header.rows, SLOTS))
        text.parse(header, table)
        table = self._ordered(table)
        self._atoms = table[:, :POSITION].copy()
        return table

    def frames(self, start: int, stop: int | None, step: int, velocities: bool) -> Iterator[Frame]:
        text, position = Text(self.name), 0
        table = np.zeros((len(self.head.numbers), SLOTS))
        for k in count():
            text.frame = k
            if (stop is not None and k >= stop) or text.ends(position):
                return
            header = self._header(text, position, velocities)
            check_count(self, k, header.rows)
            if k < start or (k - start) % step:
                position = text.skip(header)
            else:
                position = text.parse(header, table)
                yield self._frame(text, header, self._ordered(table), velocities)
            text.release(position)

    def _frame(self, text: Text, header: Header, table: FloatArray, velocities: bool) -> Frame:
        if not np.array_equal(table[:, :POSITION], self._atoms):
            raise text.error("the species or their order differ from the first frame")
        positions = table[:, POSITION:VELOCITY]
        if header.origin is not None:
            positions = positions @ header.cell + header.origin
        speed = table[:, VELOCITY:] * self._speed if velocities else None
        return Frame(positions, header.cell, speed, header.time)


def columns_of(slots: dict[int, int]) -> IntArray:
    """The argument `columns` of `parse_rows` from ``{column: 2 * slot or 2 * slot + 1}``."""
    columns = np.full(max(slots) + 1, SKIP, dtype=np.int64)
    columns[list(slots)] = list(slots.values())
    return columns
