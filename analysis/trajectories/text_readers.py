"""What readers of text files share: a compiled parser turns the rows of each frame into a table."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

import numpy as np

from ase_mlips.arrays import FloatArray, Int64Array
from ase_mlips.files.text import complaint, quoted

from .frame import Frame, Head, MappedFile, Rereadable, TruncatedError
from .kernels_text import SKIP, WORD, parse_rows, skip_rows

SPECIES, ID, POSITION, VELOCITY, SLOTS = 0, 1, 2, 5, 8  # columns of the table of a frame

_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_BLACK = re.compile(rb"\S")
_FORM = re.compile(rb"[+-]?\d*(?:\.(\d*))?(?:[eE][+-]?(\d*))?")


class Header(NamedTuple):
    """What stands before the rows of a frame.

    Attributes
    ----------
    rows, start : int
        How many rows there are, and where they begin.
    columns : (C,) array
        What `parse_rows` does with each word of a row.
    cell : (3, 3) array
    pbc : three bool
    time : float
        In fs, or NaN.
    origin : (3,) array or None
        Where the cell begins, if the positions are fractions of it.
    """

    rows: int
    start: int
    columns: Int64Array
    cell: FloatArray
    pbc: tuple[bool, ...]
    time: float = np.nan
    origin: FloatArray | None = None


class Text(MappedFile):
    """A file that is read from a position on; messages name the file, the line and the frame, unless that is None.

    The file is written in a fixed format if so many rows (`alike`) have as many decimals at their ends.
    """

    def __init__(self, path: str, *, alike: int = 3) -> None:
        super().__init__(path)
        self._alike = alike
        self._end = self.map.rfind(b"\n") + 1
        self._tail = self.map[self._end :]  # a last line without an end
        self.name: str = path
        self.frame: int | None = 0
        self._at = self._rows = 0  # where the line begins that messages name, and the rows of the frame

    def error(self, expected: str, got: str | bytes) -> ValueError:
        """Of the line that was read last: ``path:line: expected ..., got ... (frame k)``; bytes are quoted."""
        found = quoted(got.decode(errors="replace")) if isinstance(got, bytes) else got
        return complaint(
            self.name, self._line(), expected, found if self.frame is None else f"{found} (frame {self.frame})"
        )

    def _line(self) -> int:
        return 1 + int(np.count_nonzero(self.bytes[: self._at] == ord("\n")))

    def _truncated(self) -> TruncatedError:
        self._at = len(self.map)
        return TruncatedError(f"{self.name}:{self._line()}: frame {self.frame} is incomplete")

    def ends(self, position: int, *, untitled: bool) -> bool:
        """Whether nothing but blank lines follows; ValueError where a frame does that may not begin `untitled`."""
        found = _BLACK.search(self.map, position)
        if found is None:
            return True
        if not untitled and self.map.find(b"\n", position, found.start()) >= 0:
            self._at = position
            raise self.error("the next frame", "a blank line")
        return False

    def line(self, position: int) -> tuple[bytes, int]:
        """The line that begins there, without blanks at its ends, and where the next one does."""
        if position >= self._end:
            raise self._truncated()
        self._at, after = position, self.map.find(b"\n", position) + 1
        return self._checked(self.map[position : after - 1]), after

    def _checked(self, line: bytes) -> bytes:
        line = line.removesuffix(b"\r")
        if _CONTROL.search(line):
            raise self.error("text", line)
        return line.strip(b" \t")

    def blame(self, word: bytes) -> None:
        """Let messages name the first row of the frame with this word."""
        position = self._rows
        while position < len(self.map):
            after = self.map.find(b"\n", position) + 1 or len(self.map)
            if word in self.map[position:after].split():
                self._at = position
                return
            position = after

    def number(self, word: bytes) -> float:
        """A finite number."""
        if not _NUMBER.fullmatch(word) or not math.isfinite(value := float(word)):
            raise self.error("a finite number", word)
        return value

    def numbers(self, words: Sequence[bytes], expected: int) -> FloatArray:
        """The words as that many finite numbers."""
        if len(words) != expected:
            raise self.error(f"{expected} numbers", b" ".join(words))
        return np.array([self.number(word) for word in words])

    def integer(self, word: bytes, what: str) -> int:
        """A number without sign or point."""
        if not word.isdigit() or len(word) > 18:
            raise self.error(what, word)
        return int(word)

    def rows_left(self, position: int) -> int:
        """How many lines follow, with a last one without an end."""
        return int(np.count_nonzero(self.bytes[position:] == ord("\n"))) + bool(self._tail)

    def require_room(self, header: Header) -> None:
        """Refuse more rows than the bytes that are left can hold, before there is memory for them."""
        left = len(self.map) - header.start
        if header.rows * 2 * len(header.columns) - 1 > left:
            raise self.error(f"room for {header.rows} atoms", f"{left} bytes to the end of the file")

    def skip(self, header: Header) -> int:
        """Where the rows end."""
        position: int = skip_rows(self.bytes, header.start, self._end, header.rows)
        if position < 0:
            if self._tail and skip_rows(self.bytes, header.start, self._end, header.rows - 1) == self._end:
                return len(self.map)
            raise self._truncated()
        return position

    def parse(self, header: Header, table: FloatArray) -> int:
        """Fill the table from the rows; returns where they end."""
        row, position = 0, header.start
        self._rows = position
        while True:
            row, position = parse_rows(self.bytes, position, self._end, header.columns, table, row)
            if row == len(table):
                return position
            if position >= self._end:
                if row < len(table) - 1 or not self._parse_tail(header, table):
                    raise self._truncated()
                return len(self.map)
            line, position = self.line(position)
            self._parse_unusual(line.split(), header.columns, table[row])
            row += 1

    def _parse_unusual(self, words: list[bytes], columns: Int64Array, out: FloatArray) -> None:
        """A row that the compiled parser has refused: long numbers, exact ties, or an error."""
        if len(words) != len(columns):
            raise self.error(f"{len(columns)} words", b" ".join(words))
        for word, column in zip(words, columns, strict=True):
            if column == SKIP:
                continue
            if not column & 1:
                out[column >> 1] = self.number(word)
            elif len(word) > WORD:
                raise self.error(f"a species of at most {WORD} letters", word)
            else:
                out[column >> 1] = int.from_bytes(word, "big")

    def _parse_tail(self, header: Header, table: FloatArray) -> bool:
        """Take a last row without a newline, unless the file may still be growing there."""
        self._at = self._end
        words = self._checked(self._tail).split()
        if len(words) < len(header.columns) or not self._is_whole(words, header):
            return False
        self._parse_unusual(words, header.columns, table[-1])
        return True

    def _is_whole(self, words: list[bytes], header: Header) -> bool:
        """Whether nothing is missing at the end of the last word: it looks like that of the rows before."""
        if self._tail[-1:].isspace():
            return True
        rows = self.map[max(header.start, self._end - 4096) : self._end].splitlines()[-8:]
        if rows and rows[-1][-1:].isspace():  # LAMMPS writes a blank at the end of each row
            return False
        others = [row.split()[-1] for row in rows[len(rows) > 1 :]] or words[-2:-1]
        if not all(_NUMBER.fullmatch(other) for other in others):
            return True
        if not _NUMBER.fullmatch(words[-1]):
            return False
        forms = {_form(other) for other in others}
        if forms == {_form(words[-1])}:
            return True
        if len(forms) == 1 and len(others) >= self._alike:
            return False
        warnings.warn(
            f"{self.name}:{self._line()}: the last line has no end: if the file is still being written, its last number"
            " may be cut",
            RuntimeWarning,
            stacklevel=2,
        )
        return True


def _form(word: bytes) -> tuple[int, ...]:
    """Decimals and digits of the exponent."""
    match = _FORM.match(word)
    return tuple(len(part or b"") for part in match.groups()) if match else ()


class TextReader(Rereadable):
    """What the formats share; each brings `_header` and `_numbers`."""

    length: int | None = None
    head: Head
    _speed: float | FloatArray = 1.0  # what makes A/fs of the columns of velocities
    _untitled = False  # whether the first line of a frame may be blank

    def __init__(self, path: str) -> None:
        self.name = path

    def _header(self, text: Text, position: int, velocities: bool) -> Header:
        """What stands at this position."""
        raise NotImplementedError

    def _numbers(self, text: Text, species: FloatArray) -> Int64Array:
        """Atomic numbers from the column that tells the species."""
        raise NotImplementedError

    def _ordered(self, text: Text, table: FloatArray) -> FloatArray:
        """Rows in the same order in every frame."""
        return table

    def _first_table(self, text: Text) -> tuple[Header, FloatArray]:
        """Header and table of the first frame."""
        header = self._header(text, 0, False)
        text.require_room(header)
        table = np.zeros((header.rows, SLOTS))
        text.parse(header, table)
        table = self._ordered(text, table)
        self._species = table[:, SPECIES].copy()
        return header, table

    def frames(self, start: int, stop: int | None, step: int, velocities: bool) -> Iterator[Frame]:
        text, position = Text(self.name), 0
        table = np.zeros((len(self.head.numbers), SLOTS))
        for k in count():
            text.frame = k
            if (stop is not None and k >= stop) or text.ends(position, untitled=self._untitled):
                return
            header = self._header(text, position, velocities)
            self._check(text, header)
            if k < start or (k - start) % step:
                position = text.skip(header)
            else:
                position = text.parse(header, table)
                yield self._frame(text, header, self._ordered(text, table), velocities)
            text.release(position)

    def _check(self, text: Text, header: Header) -> None:
        """Refuse a frame that cannot follow the first one."""
        if header.rows != len(self.head.numbers):
            raise text.error(f"{len(self.head.numbers)} atoms as in the first frame", f"{header.rows} atoms")
        if header.pbc != tuple(self.head.pbc):
            first, other = (" ".join("FT"[bool(axis)] for axis in pbc) for pbc in (self.head.pbc, header.pbc))
            raise text.error(f"the periodic boundaries of the first frame, {first}", other)

    def _frame(self, text: Text, header: Header, table: FloatArray, velocities: bool) -> Frame:
        numbers = None
        if not np.array_equal(table[:, SPECIES], self._species):
            numbers = self._numbers(text, table[:, SPECIES])
            if np.array_equal(numbers, self.head.numbers):
                numbers = None
        positions = table[:, POSITION:VELOCITY]
        if header.origin is not None:
            positions = positions @ header.cell + header.origin
        speed = table[:, VELOCITY:] * self._speed if velocities else None
        return Frame(positions, header.cell, speed, header.time, numbers)


def columns_of(slots: dict[int, int], width: int) -> Int64Array:
    """The argument `columns` of `parse_rows` for rows of so many words, from ``{column: 2 * slot (+ 1)}``."""
    columns = np.full(width, SKIP, dtype=np.int64)
    columns[list(slots)] = list(slots.values())
    return columns
