"""MLIP's ``.cfg`` files of configurations, which `ase.io` knows as ``mlip-cfg``.

``ase.io.read`` recognises them by their content.  ``ase.io.write`` must be told ``format="mlip-cfg"``, because files
that are called ``.cfg`` are AtomEye's to ASE.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..files.elements import ELEMENTS
from ..files.text import FilePath, Row, complaint, quoted, require_regular
from .model import Species
from .writing_configurations import checked_species, write_mlip_cfg

__all__ = ["read_mlip_cfg", "write_mlip_cfg"]


_BEGIN, _END = "BEGIN_CFG", "END_CFG"
_VECTORS = {
    "cartes": ("cartes_x", "cartes_y", "cartes_z"),
    "direct": ("direct_x", "direct_y", "direct_z"),
    "forces": ("fx", "fy", "fz"),
    "magmom": ("magmom_x", "magmom_y", "magmom_z"),
    "en_der_m": ("en_der_mx", "en_der_my", "en_der_mz"),
}
_SCALARS = ("site_en", "charge", "nbh_grades")
_COLUMNS = ("id", "type", "ghost", *_SCALARS, *(name for names in _VECTORS.values() for name in names))
_ARRAYS = ("charge", "nbh_grades", "magmom", "en_der_m", "ghost")
_STRESS = ("xx", "yy", "zz", "yz", "xz", "xy")
_SPELLINGS = {"SuperCell": "Supercell", "Atomic_data:": "AtomData:"}
_REFUSED = ("Virial:",)
_NUMERIC = frozenset("+-.0123456789")
_ESCAPES = {"\\_": " ", "\\t": "\t", "\\n": "\n", "\\r": "\r"}


def read_mlip_cfg(fd: IO[str], index: int | slice = -1, *, species: Species | None = None) -> Iterator[Atoms]:
    """Read configurations; called by ``ase.io.read(..., format="mlip-cfg", species=...)``.

    ``Energy``, ``fx fy fz`` and ``site_en`` become energy, forces and energies of a `SinglePointCalculator`, and
    ``PlusStress``, which is minus the stress times the volume, its stress; so does ``Stress``, which older programs
    write with the opposite sign.  Where the volume is not defined, the six numbers are ``info["PlusStress"]``.  Atoms
    are in the order of their ``id``.  Each ``Feature`` is a string in ``info``, except that ``MV_grade`` is a
    number.  The columns ``charge``, ``nbh_grades``, ``magmom_x`` etc., ``en_der_mx`` etc. and ``ghost`` are arrays
    ``charge``, ``nbh_grades``, ``magmom``, ``en_der_m`` and ``ghost``.  Directions without a row, or with a zero row
    in ``Supercell`` are not periodic.

    Parameters
    ----------
    fd : text file
    index : int or slice
    species : sequence of str, or dict of str to int, optional
        Chemical symbols of the types 0, 1, ...  By default the types are atomic numbers, and so they are where there
        are others than that and all are atomic numbers of these symbols.

    Raises
    ------
    ValueError
        ``path:line: expected ..., got ...`` if one of the chosen configurations is malformed, or its types do not go
        with `species`.
    """
    path = getattr(fd, "name", "<text>")
    symbols = checked_species(species)
    lines = _lines(path, fd)
    blocks = list(_blocks(path, lines))
    if not blocks and index != slice(None):
        raise complaint(path, 1, _BEGIN, "a file without configurations")
    if symbols is not None and any(ELEMENTS.index(symbol) + 1 < len(symbols) for symbol in symbols):
        names = _names(_all_types(path, lines, blocks), symbols)  # a frame of hydrogen alone does not tell
    else:
        names = None
    for block in blocks[index] if isinstance(index, slice) else [blocks[index]]:
        frame = _Frame(path, lines, block)
        yield frame.atoms(names or _names(frame.types, symbols), symbols)


def _lines(path: FilePath, fd: IO[str]) -> list[str]:
    with contextlib.suppress(io.UnsupportedOperation):  # text in memory has no number
        require_regular(path, os.fstat(fd.fileno()).st_mode)
    try:
        text = fd.read()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise complaint(path, line, "text in UTF-8", f"the byte {error.object[error.start]:#04x}") from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")


def _names(types: Collection[str], species: Sequence[str] | None) -> dict[int, str]:
    """The symbol of each type that there may be."""
    numbers = {n + 1: symbol for n, symbol in enumerate(ELEMENTS) if species is None or symbol in species}
    if species is None:
        return numbers
    places = dict(enumerate(species))
    placed, atomic = (set(types) <= set(map(str, known)) for known in (places, numbers))
    return numbers if atomic and not placed else places


def _all_types(path: FilePath, lines: list[str], blocks: list[range]) -> set[str]:
    """Of all configurations that can be read."""
    types: set[str] = set()
    for block in blocks:
        with contextlib.suppress(ValueError):
            types |= set(_Frame(path, lines, block).types)
    return types


def _blocks(path: FilePath, lines: list[str]) -> Iterator[range]:
    """The indices of the lines of each configuration between its first and its last."""
    start: int | None = None
    for n, line in enumerate(lines):
        word = line.strip()
        if word == _BEGIN and start is None:
            start = n + 1
        elif word == _BEGIN or (word and start is None):
            raise complaint(path, n + 1, _BEGIN if start is None else _END, quoted(word))
        elif word == _END and start is not None:
            yield range(start, n)
            start = None
    if start is not None:
        raise complaint(path, max(1, len(lines) - (lines[-1] == "")), _END, "the end of the file")


class _Frame:
    """What one configuration says, field by field."""

    def __init__(self, path: FilePath, lines: list[str], block: range) -> None:
        self._path = path
        self._texts = {n + 1: lines[n] for n in block if lines[n].strip()}
        self._rows = [Row(path, n, tuple(text.split())) for n, text in self._texts.items()]
        self._first, self._last = block.start, block.stop + 1
        self._next = 0
        self._seen: dict[str, Row] = {}
        self._size: int | None = None
        self._cell = np.zeros((3, 3))
        self._energy: float | None = None
        self._plus_stress: FloatArray | None = None
        self._columns: dict[str, list[str]] = {}
        self._atom_rows: list[Row] = []
        self._info: dict[str, Any] = {}
        while self._next < len(self._rows):
            self._read_field()
        for name in ("Size", "AtomData:") if self._size != 0 else ():
            if name not in self._seen:
                raise complaint(path, self._last, name, _END)

    @property
    def types(self) -> list[str]:
        """Of the atoms, as they stand there."""
        return self._columns.get("type") or ["0"] * (self._size or 0)

    def atoms(self, names: Mapping[int, str], species: Sequence[str] | None) -> Atoms:
        """The configuration with its labels; `names` are the symbols of the types."""
        periodic = np.any(self._cell != 0.0, axis=1)
        atoms = Atoms(self._symbols(names, species), cell=self._cell, pbc=periodic, info=self._info)
        atoms.positions = self._positions()
        for name in _ARRAYS:
            if (values := self._array(name)) is not None:
                atoms.set_array(name, values)
        results = {"energy": self._energy, "forces": self._array("forces"), "energies": self._array("site_en")}
        if self._plus_stress is not None:
            if np.linalg.matrix_rank(self._cell) == 3:
                results["stress"] = -self._plus_stress / atoms.get_volume()
            else:
                atoms.info["PlusStress"] = self._plus_stress
        results = {name: value for name, value in results.items() if value is not None}
        if results:
            atoms.calc = SinglePointCalculator(atoms, **results)
        return atoms

    def _read_field(self) -> None:
        row = self._rows[self._next]
        self._next += 1
        name = _SPELLINGS.get(row.words[0], row.words[0])
        if name == "Feature":
            self._read_feature(row)
            return
        if name == "Features:":
            self._read_features(row)
            return
        readers = {
            "Size": self._read_size,
            "Supercell": self._read_supercell,
            "AtomData:": self._read_atoms,
            "Energy": self._read_energy,
            "PlusStress:": self._read_stress,
            "Stress:": self._read_stress,
        }
        if name not in readers:
            note = "PlusStress: instead" if name in _REFUSED else "a field of a configuration"
            raise row.error(note, quoted(name))
        if name in self._seen:
            raise row.error(f"{name} once", f"it again after line {self._seen[name].line}")
        self._seen[name] = row
        readers[name](row)

    def _numbers(self, row: Row, words: Sequence[str], name: str) -> list[float]:
        """The numbers in `words` and in the lines that follow."""
        result = [row.number(word, name) for word in words]
        while self._next < len(self._rows) and self._rows[self._next].words[0][0] in _NUMERIC:
            row = self._rows[self._next]
            result += [row.number(word, name) for word in row.words]
            self._next += 1
        return result

    def _read_size(self, row: Row) -> None:
        values = self._numbers(row, row.words[1:], "Size")
        if len(values) != 1 or values[0] != int(values[0]) or values[0] < 0:
            raise row.error("one number of atoms for Size", " ".join(f"{value:g}" for value in values) or "none")
        self._size = int(values[0])

    def _read_supercell(self, row: Row) -> None:
        values = self._numbers(row, row.words[1:], "Supercell")
        if len(values) % 3 or len(values) > 9:
            raise row.error("up to three rows of three numbers for Supercell", f"{len(values)} numbers")
        self._cell[: len(values) // 3] = np.reshape(values, (-1, 3))

    def _read_energy(self, row: Row) -> None:
        values = self._numbers(row, row.words[1:], "Energy")
        if len(values) != 1:
            raise row.error("one number for Energy", f"{len(values)} numbers")
        self._energy = values[0]

    def _read_stress(self, row: Row) -> None:
        names = row.words[1:]
        kind = row.words[0]
        values = self._numbers(row, (), kind.rstrip(":"))
        if sorted(names) != sorted(_STRESS) or len(values) != len(_STRESS):
            got = f"{quoted(' '.join(names))} and {len(values)} numbers"
            raise row.error(f"{kind} {' '.join(_STRESS)} and six numbers", got)
        if self._plus_stress is not None:
            raise row.error("either PlusStress: or Stress:", "both")
        sign = 1.0 if kind == "PlusStress:" else -1.0
        self._plus_stress = sign * np.array([values[names.index(name)] for name in _STRESS])

    def _read_atoms(self, row: Row) -> None:
        names = row.words[1:]
        for n, name in enumerate(names):
            if name not in _COLUMNS or name in names[:n]:
                raise row.error("known columns of AtomData, each once", quoted(name))
        for vector in _VECTORS.values():
            if 0 < len(set(vector) & set(names)) < len(vector):
                raise row.error(f"all of {' '.join(vector)} or none of them", "some")
        if ("cartes_x" in names) == ("direct_x" in names):
            raise row.error("either cartes_x or direct_x in AtomData", "both" if "direct_x" in names else "none")
        if self._size is None:
            raise row.error("Size before AtomData", "none")
        self._atom_rows = self._rows[self._next : self._next + self._size]
        self._next += self._size
        for n in range(self._size):
            if n >= len(self._atom_rows):
                raise complaint(self._path, self._last, f"{self._size} rows of AtomData", f"{_END} after {n}")
            if len(self._atom_rows[n].words) != len(names):
                raise self._atom_rows[n].error(f"{len(names)} words as AtomData has columns")
        if "id" in names:
            self._sort_atoms(names.index("id"))
        words = zip(*(atom.words for atom in self._atom_rows), strict=True)
        self._columns = dict(zip(names, map(list, words), strict=True)) if self._size else {name: [] for name in names}

    def _sort_atoms(self, column: int) -> None:
        """By their numbers in this column, which must be 1 to N."""
        numbers: dict[int, Row] = {}
        for atom in self._atom_rows:
            number = atom.integer(atom.words[column], "id")
            if not 1 <= number <= len(self._atom_rows):
                raise atom.error(f"an id from 1 to {len(self._atom_rows)}", quoted(atom.words[column]))
            if number in numbers:
                raise atom.error("each id once", f"{number} again after line {numbers[number].line}")
            numbers[number] = atom
        self._atom_rows = [numbers[number] for number in sorted(numbers)]

    def _read_feature(self, row: Row) -> None:
        _, *rest = self._texts[row.line].split(None, 2)
        if not rest:
            raise row.error("Feature <key> <value>")
        key = rest[0]
        for escaped, character in _ESCAPES.items():
            key = key.replace(escaped, character)
        value = rest[1].strip() if len(rest) > 1 else ""
        if key == "MV_grade":
            self._info[key] = row.number(value, "MV_grade")
        else:
            self._info[key] = f"{self._info[key]}\n{value}" if key in self._info else value

    def _read_features(self, row: Row) -> None:
        """The older form: a line of names, then a line of values."""
        values = self._rows[self._next] if self._next < len(self._rows) else Row(self._path, self._last, ())
        self._next += 1
        if len(values.words) != len(row.words) - 1:
            raise values.error(f"{len(row.words) - 1} values of Features", str(len(values.words)))
        self._info |= dict(zip(row.words[1:], values.words, strict=True))

    def _symbols(self, names: Mapping[int, str], species: Sequence[str] | None) -> list[str]:
        """The symbols of all atoms."""
        result = []
        for n, word in enumerate(self.types):
            number = self._atom_rows[n].integer(word, "type")
            if number not in names:
                known = f"a type below {len(species or ())}"
                if species is None:
                    known = "an atomic number, or the elements of the types (species=[...], in the command --species)"
                raise self._atom_rows[n].error(known, f"type {number}")
            result.append(names[number])
        return result

    def _positions(self) -> FloatArray:
        """(N, 3) in A."""
        positions = self._array("cartes")
        if positions is None and (fractions := self._array("direct")) is not None:
            if np.linalg.matrix_rank(self._cell) < 3:
                raise self._seen["AtomData:"].error("a Supercell of three vectors for direct_x", "fewer")
            positions = fractions @ self._cell
        return np.zeros((0, 3)) if positions is None else positions

    def _array(self, name: str) -> NDArray[Any] | None:
        """A column, or three together, by name; None if the file has it not."""
        names = _VECTORS.get(name, (name,))
        if names[0] not in self._columns:
            return None
        if name == "ghost":
            return np.array([self._flag(n, word) for n, word in enumerate(self._columns[name])], dtype=bool)
        array = np.array([self._floats(column) for column in names]).T
        return array if name in _VECTORS else array[:, 0]

    def _floats(self, column: str) -> list[float]:
        words = self._columns[column]
        text = "".join(words)
        with contextlib.suppress(ValueError):
            values = list(map(float, words))
            if np.all(np.isfinite(values)) and "_" not in text and text.isascii():
                return values
        return [row.number(word, column) for row, word in zip(self._atom_rows, words, strict=True)]

    def _flag(self, atom: int, word: str) -> bool:
        if word.lower() not in ("true", "false"):
            raise self._atom_rows[atom].error("true or false for ghost", quoted(word))
        return word.lower() == "true"
