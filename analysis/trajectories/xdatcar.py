"""Reader of VASP's XDATCAR."""

from __future__ import annotations

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from ase_mlips.arrays import FloatArray, Int64Array

from .frame import Head
from .text_readers import POSITION, Header, Text, TextReader, columns_of


class XdatcarReader(TextReader):
    """Frames of a VASP XDATCAR, fixed or changing cell."""

    _untitled = True

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._cell = np.zeros((3, 3))
        self._kinds: list[int] = []
        self._counts: list[int] = []
        text = Text(path)
        header, _ = self._first_table(text)
        self._first = self._kinds, self._counts
        numbers = np.repeat(np.array(self._kinds, dtype=np.int64), self._counts)
        self.head = Head(numbers, atomic_masses[numbers], np.array(header.pbc), False)

    def _header(self, text: Text, position: int, velocities: bool) -> Header:
        line, position = text.line(position)
        if not line.startswith(_CONFIGURATION):
            position = self._read_cell(text, position)
            line, position = text.line(position)
            if not line.startswith(_CONFIGURATION):
                raise text.error(_CONFIGURATION.decode(), line)
        return Header(sum(self._counts), position, _FRACTIONS, self._cell, (True,) * 3, np.nan, np.zeros(3))

    def _read_cell(self, text: Text, position: int) -> int:
        """What follows the title: scale, cell, elements and their numbers."""
        line, position = text.line(position)
        scale = text.numbers(line.split(), 1)[0]
        rows = []
        for _ in range(3):
            line, position = text.line(position)
            rows.append(text.numbers(line.split(), 3))
        self._cell = _scaled(text, scale, np.array(rows))
        line, position = text.line(position)
        names = line.split()
        if not names or not all(name.decode(errors="replace") in atomic_numbers for name in names):
            raise text.error("chemical symbols", line)
        self._kinds = [atomic_numbers[name.decode()] for name in names]
        line, position = text.line(position)
        words = line.split()
        if len(words) != len(names):
            raise text.error(f"{len(names)} numbers of atoms", line)
        self._counts = [text.integer(word, "a number of atoms") for word in words]
        return position

    def _numbers(self, text: Text, species: FloatArray) -> Int64Array:
        return np.repeat(np.array(self._kinds, dtype=np.int64), self._counts)

    def _check(self, text: Text, header: Header) -> None:
        super()._check(text, header)
        same = (self._kinds, self._counts) == self._first
        self._species = np.full(header.rows, 0.0 if same else np.nan)  # the table has none: NaN differs from it


def _scaled(text: Text, scale: float, rows: FloatArray) -> FloatArray:
    """The cell: a negative scale of VASP is the volume in A^3."""
    volume = abs(np.linalg.det(rows))
    if scale == 0.0 or not volume > 0.0:
        raise text.error("a cell with a volume", f"a scale of {scale:g} and vectors of {volume:g} A^3")
    return rows * (scale if scale > 0.0 else np.cbrt(-scale / volume))


_CONFIGURATION = b"Direct configuration="
_FRACTIONS = columns_of({axis: 2 * (POSITION + axis) for axis in range(3)}, 3)
