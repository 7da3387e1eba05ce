"""Reader of LAMMPS text dumps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from .frame import FloatArray, Head, IntArray
from .kernels_text import WORD
from .text_readers import ID, POSITION, SPECIES, Header, Text, TextReader, columns_of

_TIME = {"metal": 1000.0, "real": 1.0}  # unit of time in fs; lengths are in A in both


class LammpsReader(TextReader):
    """Frames of a LAMMPS text dump.

    Positions are ``x y z``, else ``xs``, ``xu`` or ``xsu``; image flags are not used, because series are unwrapped
    anyway.  Atoms are sorted by `id`.  The elements are `symbols` by `type` where they are given, else those of the
    column `element`, else those nearest to `mass`.  Velocities are those of ``units metal`` (A/ps) unless the file says
    ``ITEM: UNITS`` real (A/fs); the time is that of ``ITEM: TIME`` (``dump_modify time yes``).
    """

    def __init__(self, path: str, symbols: Sequence[str] | None) -> None:
        super().__init__(path)
        self._units, self._pbc, self._names, self._species = "metal", np.zeros(3, dtype=bool), [""], ""
        self._symbols = symbols
        numbers = self._numbers(self._first_table()[:, SPECIES])
        self._speed = 1.0 / _TIME[self._units]
        velocities = {"vx", "vy", "vz"} <= set(self._names)
        self.head = Head(numbers, atomic_masses[numbers], self._pbc, velocities)

    def _ordered(self, table: FloatArray) -> FloatArray:
        ids = table[:, ID]
        return table if np.all(ids[1:] >= ids[:-1]) else table[np.argsort(ids, kind="stable")]

    def _numbers(self, species: FloatArray) -> IntArray:
        """Atomic numbers from the column that tells the species."""
        kinds, inverse = np.unique(species, return_inverse=True)
        if self._species == "mass":
            numbers = np.array([1 + np.nanargmin(np.abs(atomic_masses[1:] - mass)) for mass in kinds])
            return numbers[inverse]
        try:
            if self._species == "element":
                names = [int(kind).to_bytes(WORD, "big").strip(b"\0").decode() for kind in kinds]
            elif self._symbols is not None:
                names = [self._symbol(int(kind)) for kind in kinds]
            else:
                raise ValueError(f"{self.name} has no elements: give symbols= in the order of the atom types")
            return np.array([atomic_numbers[name] for name in names])[inverse]
        except KeyError as error:
            raise ValueError(f"{self.name}: no element is known for {error}") from error

    def _symbol(self, kind: int) -> str:
        symbols = self._symbols or ()
        if not 1 <= kind <= len(symbols):
            raise ValueError(
                f"{self.name} has atoms of type {kind}, but symbols= are {len(symbols)}: {', '.join(symbols)}"
            )
        return symbols[kind - 1]

    def _header(self, text: Text, position: int, velocities: bool) -> Header:
        rows, time, cell, origin = 0, np.nan, np.zeros((3, 3)), np.zeros(3)
        while True:
            line, position = text.line(position)
            item = line.removeprefix(b"ITEM: ")
            if item.startswith(b"ATOMS"):
                break
            value, position = text.line(position)
            if item == b"NUMBER OF ATOMS":
                rows = int(text.numbers([value], 1)[0])
            elif item == b"UNITS":
                self._units = value.decode()
                if self._units not in _TIME:
                    raise text.error(f"expected units metal or real, got {self._units}")
            elif item == b"TIME":
                time = text.numbers([value], 1)[0] * _TIME[self._units]
            elif item.startswith(b"BOX BOUNDS"):
                second, position = text.line(position)
                third, position = text.line(position)
                words = item.decode().split()[2:]
                self._pbc = np.array(["p" in word for word in words[-3:]])
                cell, origin = _box(text, words, [line.split() for line in (value, second, third)])
            elif item != b"TIMESTEP":
                raise text.error(f"expected an item of a LAMMPS dump, got {line.decode(errors='replace')!r}")
        self._names = item.decode().split()[1:]
        columns, scaled = self._dump_columns(text, velocities)
        return Header(rows, position, columns, cell, time, origin if scaled else None)

    def _dump_columns(self, text: Text, velocities: bool) -> tuple[IntArray, bool]:
        places = {name: k for k, name in enumerate(self._names)}
        sought = ("type",) if self._symbols is not None else ("element", "mass", "type")
        self._species = next((name for name in sought if name in places), "")
        kind = next((kind for kind in ("", "s", "u", "su") if f"x{kind}" in places), None)
        needed = [] if kind is None else [f"{axis}{kind}" for axis in "xyz"]
        if velocities:
            needed += ["vx", "vy", "vz"]
        if not needed or not self._species or any(name not in places for name in needed):
            raise text.error(f"expected columns of species and x y z, got {' '.join(self._names)}")
        if "id" not in places:
            raise text.error("expected a column id, without which atoms cannot be followed from frame to frame")
        slots = {places[name]: 2 * (POSITION + k) for k, name in enumerate(needed)}
        slots[places[self._species]] = 2 * SPECIES + (self._species == "element")
        slots[places["id"]] = 2 * ID
        return columns_of(slots), kind in ("s", "su")


def _box(text: Text, words: list[str], rows: list[list[bytes]]) -> tuple[FloatArray, FloatArray]:
    """Cell and origin from BOX BOUNDS: orthogonal, restricted triclinic (bounding box and tilts) or general."""
    if words[0] == "abc":
        bounds = np.array([text.numbers(row, 4) for row in rows])
        return bounds[:, :3], bounds[:, 3]
    tilted = words[0] == "xy"
    bounds = np.array([text.numbers(row, 2 + tilted) for row in rows])
    xy, xz, yz = bounds[:, 2] if tilted else np.zeros(3)
    low = bounds[:, 0] - [min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0]
    high = bounds[:, 1] - [max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0]
    cell = np.diag(high - low)
    cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
    return cell, low
