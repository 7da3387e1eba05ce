"""Reader of VASP's XDATCAR."""

from __future__ import annotations

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from .frame import Head
from .text_readers import POSITION, Header, Text, TextReader, columns_of


class XdatcarReader(TextReader):
    """Frames of a VASP XDATCAR, fixed or changing cell."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._cell = np.zeros((3, 3))
        self._numbers = np.empty(0, dtype=np.int64)
        self._first_table()
        first = self._numbers
        self.head = Head(first, atomic_masses[first], np.ones(3, dtype=bool), False)

    def _header(self, text: Text, position: int, velocities: bool) -> Header:
        line, position = text.line(position)
        if not line.startswith(_CONFIGURATION):
            position = self._read_cell(text, position)
            line, position = text.line(position)
            if not line.startswith(_CONFIGURATION):
                raise text.error(f"expected {_CONFIGURATION.decode()}, got {line.decode(errors='replace')!r}")
        return Header(len(self._numbers), position, _FRACTIONS, self._cell, np.nan, np.zeros(3))

    def _read_cell(self, text: Text, position: int) -> int:
        """What follows the title: scale, cell, elements and their numbers."""
        rows = []
        for _ in range(6):
            line, position = text.line(position)
            rows.append(line.split())
        self._cell = text.numbers(rows[0], 1)[0] * np.array([text.numbers(row, 3) for row in rows[1:4]])
        counts = text.numbers(rows[5], len(rows[4])).astype(int)
        try:
            kinds = [atomic_numbers[name.decode()] for name in rows[4]]
        except KeyError as error:
            raise text.error(f"expected chemical symbols, got {error}") from error
        numbers = np.repeat(kinds, counts)
        if text.frame and not np.array_equal(numbers, self._numbers):
            raise text.error("the species or their order differ from the first frame")
        self._numbers = numbers
        return position


_CONFIGURATION = b"Direct configuration="
_FRACTIONS = columns_of({axis: 2 * (POSITION + axis) for axis in range(3)})
