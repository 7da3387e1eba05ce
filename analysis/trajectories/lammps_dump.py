"""Reader of LAMMPS text dumps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from ase_mlips.arrays import FloatArray, Int64Array

from .frame import Head
from .kernels_text import WORD
from .text_readers import ID, POSITION, SPECIES, Header, Text, TextReader, columns_of

_TIME = {"metal": 1000.0, "real": 1.0}  # unit of time in fs; lengths are in A in both


class LammpsReader(TextReader):
    """Frames of a LAMMPS text dump.

    Positions are ``x y z``, else ``xs``, ``xu`` or ``xsu``; image flags are not used, because series are unwrapped
    anyway.  Atoms are sorted by `id`; without it nobody knows which is which in another frame.  The elements are
    `symbols` by `type` where they are given, else those of the column `element`, else those nearest to `mass`.
    Velocities are those of ``units metal`` (A/ps) unless the file says ``ITEM: UNITS`` real (A/fs); the time is that of
    ``ITEM: TIME`` (``dump_modify time yes``).
    """

    def __init__(self, path: str, symbols: Sequence[str] | None) -> None:
        super().__init__(path)
        self._units, self._names, self._kind = "metal", [""], ""
        self._symbols = symbols
        self._ids: FloatArray | None = None
        text = Text(path)
        header, table = self._first_table(text)
        self._ids = table[:, ID].copy()
        numbers = self._numbers(text, table[:, SPECIES])
        self._speed = 1.0 / _TIME[self._units]
        velocities = {"vx", "vy", "vz"} <= set(self._names)
        identity = "id" in self._names
        self.head = Head(numbers, atomic_masses[numbers], np.array(header.pbc), velocities, identity)

    def _ordered(self, text: Text, table: FloatArray) -> FloatArray:
        if "id" not in self._names:
            return table
        ids = table[:, ID]
        if not np.all(ids[1:] > ids[:-1]):
            table = table[np.argsort(ids, kind="stable")]
            ids = table[:, ID]
            if not np.all(ids[1:] > ids[:-1]):
                twice = ids[1:][ids[1:] == ids[:-1]][0]
                raise text.error("each id once", f"id {twice:g} again")
        if self._ids is not None and not np.array_equal(ids, self._ids):
            raise text.error("the ids of the first frame", "others")
        return table

    def _numbers(self, text: Text, species: FloatArray) -> Int64Array:
        kinds, inverse = np.unique(species, return_inverse=True)
        if self._kind == "mass":
            numbers = np.array([1 + np.nanargmin(np.abs(atomic_masses[1:] - mass)) for mass in kinds], dtype=np.int64)
            return numbers[inverse]
        names = [self._name(kind) for kind in kinds]
        unknown = next((name for name in names if name not in atomic_numbers), None)
        if unknown is not None:
            text.blame(unknown.encode())
            raise text.error("chemical symbols", unknown.encode())
        return np.array([atomic_numbers[name] for name in names], dtype=np.int64)[inverse]

    def _name(self, kind: float) -> str:
        """Chemical symbol of an atom whose column of the species says this."""
        if self._kind == "element":
            name = int(kind).to_bytes(WORD, "big").strip(b"\0").decode(errors="replace")
            if self._symbols is not None and name not in self._symbols:
                raise ValueError(
                    f"{self.name} has atoms of element {name} and no types, but symbols= are {', '.join(self._symbols)}"
                )
            return name
        if self._symbols is None:
            raise ValueError(f"{self.name} has no elements: give symbols= in the order of the atom types")
        if kind not in range(1, len(self._symbols) + 1):
            raise ValueError(
                f"{self.name} has atoms of type {kind:g}, but symbols= are {len(self._symbols)}:"
                f" {', '.join(self._symbols)}"
            )
        return self._symbols[int(kind) - 1]

    def _header(self, text: Text, position: int, velocities: bool) -> Header:
        rows, time, box = -1, np.nan, None
        while True:
            line, position = text.line(position)
            item = line.removeprefix(b"ITEM: ")
            if item.split()[:1] == [b"ATOMS"]:
                break
            if item.startswith(b"BOX BOUNDS"):
                box, position = _box(text, item.decode(errors="replace").split()[2:], position)
                continue
            if item not in (b"NUMBER OF ATOMS", b"UNITS", b"TIME", b"TIMESTEP"):
                raise text.error("an item of a LAMMPS dump", line)
            value, position = text.line(position)
            if item == b"NUMBER OF ATOMS":
                rows = text.integer(value, "the number of atoms")
            elif item == b"UNITS":
                self._units = value.decode(errors="replace")
                if self._units not in _TIME:
                    raise text.error("units metal or real", value)
            elif item == b"TIME":
                time = text.number(value) * _TIME[self._units]
        if rows < 0 or box is None:
            raise text.error("ITEM: NUMBER OF ATOMS and ITEM: BOX BOUNDS before the atoms", line)
        self._names = item.decode(errors="replace").split()[1:]
        columns, scaled = self._dump_columns(text, velocities)
        return Header(rows, position, columns, box.cell, box.pbc, time, box.origin if scaled else None)

    def _dump_columns(self, text: Text, velocities: bool) -> tuple[Int64Array, bool]:
        places = {name: k for k, name in enumerate(self._names)}
        sought = ("type", "element") if self._symbols is not None else ("element", "mass", "type")
        self._kind = next((name for name in sought if name in places), "")
        kind = next((kind for kind in ("", "s", "u", "su") if f"x{kind}" in places), None)
        needed = [] if kind is None else [f"{axis}{kind}" for axis in "xyz"]
        if velocities:
            needed += ["vx", "vy", "vz"]
        if not needed or not self._kind or any(name not in places for name in needed):
            raise text.error("columns of species and x y z", " ".join(self._names))
        slots = {places[name]: 2 * (POSITION + k) for k, name in enumerate(needed)}
        slots[places[self._kind]] = 2 * SPECIES + (self._kind == "element")
        if "id" in places:
            slots[places["id"]] = 2 * ID
        elif self._ids is not None and self._ids.any():
            raise text.error("a column id as in the first frame", " ".join(self._names))
        return columns_of(slots, len(self._names)), kind in ("s", "su")


class _Box(NamedTuple):
    """Cell (3, 3) and origin (3,) in A, and along which vectors there are periodic images."""

    cell: FloatArray
    origin: FloatArray
    pbc: tuple[bool, ...]


def _box(text: Text, words: list[str], position: int) -> tuple[_Box, int]:
    """BOX BOUNDS: orthogonal, restricted triclinic (bounding box and tilts) or general; and where they end."""
    pbc = tuple("p" in word for word in words[-3:])
    if len(pbc) < 3 or not all(re.fullmatch("p|pp|[fsm]{1,2}", word) for word in words[-3:]):
        raise text.error("BOX BOUNDS with three boundaries such as pp pp pp", " ".join(words) or "none")
    general, tilted = words[0] == "abc", words[0] == "xy"
    rows = []
    for _ in range(3):
        line, position = text.line(position)
        rows.append(text.numbers(line.split(), 4 if general else 2 + tilted))
        if not general and not rows[-1][1] >= rows[-1][0]:
            raise text.error("a lower and a higher bound of the box", line)
    bounds = np.array(rows)
    if general:
        return _Box(bounds[:, :3], bounds[:, 3], pbc), position
    xy, xz, yz = bounds[:, 2] if tilted else np.zeros(3)
    low = bounds[:, 0] - [min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0]
    high = bounds[:, 1] - [max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0]
    cell = np.diag(high - low)
    cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
    return _Box(cell, low, pbc), position
