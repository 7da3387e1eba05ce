"""Reader of (extended) xyz files."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from ase import units
from ase.data import atomic_masses, atomic_numbers

from ase_mlips.arrays import FloatArray, Int64Array

from .comment import looked_up, parsed
from .frame import TIME_NAMES, VELOCITY_NAMES, Head
from .kernels_text import WORD
from .text_readers import POSITION, SPECIES, VELOCITY, Header, Text, TextReader, columns_of


class ExtxyzReader(TextReader):
    """Frames of an (extended) xyz file as ASE and GPUMD write it: columns in any order, `Lattice`, `Time` in fs."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._velocity = ""
        text = Text(path)
        header, table = self._first_table(text)
        numbers = self._numbers(text, table[:, SPECIES])
        places = _properties(self._properties)
        masses = self._masses(text, header, numbers) if "masses" in places else atomic_masses[numbers]
        self._velocity = next((name for name in ("momenta", *VELOCITY_NAMES) if name in places), "")
        if self._velocity == "momenta":
            self._speed = (float(units.fs) / masses)[:, None]
        self.head = Head(numbers, masses, np.array(header.pbc), bool(self._velocity))

    def _header(self, text: Text, position: int, velocities: bool) -> Header:
        line, position = text.line(position)
        rows = text.integer(line, "the number of atoms")
        line, position = text.line(position)
        pairs = parsed(line.decode(errors="replace"))
        self._properties = looked_up(pairs, "Properties")
        if self._properties:
            columns = self._columns(text, self._velocity if velocities else "")
        else:
            columns = _plain_columns(_width(text, position))
        cell, pbc = _box(text, looked_up(pairs, "Lattice"), looked_up(pairs, "pbc"))
        return Header(rows, position, columns, cell, pbc, _time(pairs))

    def _columns(self, text: Text, last: str) -> Int64Array:
        try:
            return _xyz_columns(self._properties, last)
        except ValueError as error:
            raise text.error(f"{error} in Properties", self._properties.encode()) from None

    def _masses(self, text: Text, header: Header, numbers: Int64Array) -> FloatArray:
        """The column of masses of the first frame, in amu."""
        first, width = _properties(self._properties)["masses"]
        if width != 1:
            raise text.error("masses:R:1 in Properties", self._properties.encode())
        table = np.zeros((len(numbers), 1))
        text.parse(header._replace(columns=columns_of({first: 0}, len(header.columns))), table)
        return table[:, 0]

    def _numbers(self, text: Text, species: FloatArray) -> Int64Array:
        kinds, inverse = np.unique(species, return_inverse=True)
        words = [int(kind).to_bytes(WORD, "big").strip(b"\0") for kind in kinds]
        return np.array([_atomic_number(text, word) for word in words], dtype=np.int64)[inverse]


def _atomic_number(text: Text, word: bytes) -> int:
    """Of a chemical symbol, or of a number."""
    name = word.decode(errors="replace").capitalize()
    number = int(name) if word.isdigit() else atomic_numbers.get(name, -1)
    if not 0 <= number < len(atomic_masses):
        text.blame(word)
        raise text.error("chemical symbols or atomic numbers", word)
    return number


def _time(pairs: dict[str, str]) -> float:
    """A time in fs, or NaN where there is none: one with a unit in it is no error to those who do not need it."""
    try:
        return float(next((pairs[name] for name in TIME_NAMES if name in pairs), "nan"))
    except ValueError:
        return np.nan


def _box(text: Text, lattice: str, pbc: str) -> tuple[FloatArray, tuple[bool, ...]]:
    """Cell and periodic boundaries; a cell without a word about them is periodic, as for ASE."""
    cell = np.zeros(9)
    if lattice:
        cell = text.numbers(lattice.replace(",", " ").encode().split(), 9)
    if not pbc:
        return cell.reshape(3, 3), (bool(lattice),) * 3
    words = re.findall(r"[^\s,]+", pbc)
    if len(words) not in (1, 3) or not all(word in _BOOLEAN for word in words):
        raise text.error("pbc as three of T and F", pbc.encode())
    axes = tuple(_BOOLEAN[word] for word in words)
    return cell.reshape(3, 3), axes if len(axes) == 3 else axes * 3


_BOOLEAN = {"T": True, "true": True, "True": True, "TRUE": True, "1": True} | dict.fromkeys(
    ("F", "false", "False", "FALSE", "0"), False
)


def _width(text: Text, position: int) -> int:
    """Words of a row where no Properties say it."""
    return len(text.map[position : text.map.find(b"\n", position) + 1 or len(text.map)].split())


@lru_cache(maxsize=16)
def _plain_columns(width: int) -> Int64Array:
    return columns_of({0: 2 * SPECIES + 1} | {1 + axis: 2 * (POSITION + axis) for axis in range(3)}, max(width, 4))


@lru_cache(maxsize=16)
def _properties(text: str) -> dict[str, tuple[int, int]]:
    """First column and number of columns by name, from ``name:type:columns:...``."""
    words = text.split(":") if text else []
    if len(words) % 3 or not {"R", "I", "S", "L"}.issuperset(words[1::3]):
        raise ValueError("name:type:columns with the types R, I, S and L")
    places, first = {}, 0
    for name, width in zip(words[::3], words[2::3], strict=True):
        if name in places or not re.fullmatch("[1-9][0-9]{0,3}", width):
            raise ValueError("name:type:columns with each name once and a number of columns")
        places[name] = (first, int(width))
        first += int(width)
    return places


@lru_cache(maxsize=16)
def _xyz_columns(text: str, velocity: str) -> Int64Array:
    places = _properties(text)
    wanted = [(next((name for name in ("pos", "positions") if name in places), "pos"), POSITION)]
    if velocity:
        wanted.append((velocity, VELOCITY))
    slots: dict[int, int] = {}
    for name, slot in wanted:
        first, width = places.get(name, (0, 0))
        if width != 3:
            raise ValueError(f"{name}:R:3")
        slots |= {first + axis: 2 * (slot + axis) for axis in range(3)}
    species = next((name for name in ("species", "Z", "symbols", "numbers") if name in places), None)
    if species is None:
        raise ValueError("species:S:1")
    slots[places[species][0]] = 2 * SPECIES + 1
    return columns_of(slots, sum(width for _, width in places.values()))
