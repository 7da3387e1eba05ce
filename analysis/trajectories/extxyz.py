"""Reader of (extended) xyz files."""

from __future__ import annotations

import io
import re
from functools import lru_cache

import numpy as np
from ase import units
from ase.io import read

from .frame import TIME_NAMES, VELOCITY_NAMES, IntArray, head_of
from .text_readers import POSITION, SPECIES, VELOCITY, Header, Text, TextReader, columns_of


class ExtxyzReader(TextReader):
    """Frames of an (extended) xyz file as ASE and GPUMD write it: columns in any order, `Lattice`, `Time` in fs."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._velocity = ""
        self._first_table()
        text = Text(path)
        end = text.skip(self._header(text, 0, False))
        try:
            atoms = read(io.StringIO(text.map[:end].decode()), format="extxyz")
        except (ValueError, KeyError, OSError) as error:
            raise ValueError(f"{path}: frame 0 cannot be read: {error}") from error
        self.head = head_of(atoms)
        names = _properties(_value(text.line(text.line(0)[1])[0], _PROPERTIES) or _PLAIN)
        self._velocity = next((name for name in ("momenta", *VELOCITY_NAMES) if name in names), "")
        if self._velocity == "momenta":
            self._speed = (float(units.fs) / self.head.masses)[:, None]

    def _header(self, text: Text, position: int, velocities: bool) -> Header:
        line, position = text.line(position)
        if not line.isdigit():
            raise text.error(f"expected the number of atoms, got {line.decode(errors='replace')!r}")
        comment, position = text.line(position)
        properties = _value(comment, _PROPERTIES) or _PLAIN
        try:
            columns = _xyz_columns(properties, self._velocity if velocities else "")
        except (ValueError, KeyError) as error:
            raise text.error(f"{error} in Properties={properties.decode(errors='replace')}") from error
        cell, time = _value(comment, _LATTICE), _value(comment, _TIME)
        lattice = text.numbers(cell.replace(b",", b" ").split(), 9) if cell else np.zeros(9)
        return Header(int(line), position, columns, lattice.reshape(3, 3), _number(time))


def _key(name: str) -> re.Pattern[bytes]:
    return re.compile(rb"""(?:^|\s)%s=("[^"]*"|'[^']*'|\{[^}]*\}|\[[^]]*\]|\S+)""" % name.encode())


_LATTICE, _PROPERTIES, _TIME = _key("Lattice"), _key("Properties"), _key("(?:" + "|".join(TIME_NAMES) + ")")
_PLAIN = b"species:S:1:pos:R:3"


def _value(comment: bytes, key: re.Pattern[bytes]) -> bytes:
    """Value of a key in the comment line, without quotes; empty where there is none."""
    match = key.search(comment)
    return match[1].strip(b"\"'{}[]") if match else b""


def _number(word: bytes) -> float:
    """A number, or NaN where there is none: a time with a unit in it is no error to those who do not need it."""
    try:
        return float(word)
    except ValueError:
        return np.nan


@lru_cache(maxsize=16)
def _properties(text: bytes) -> dict[str, tuple[int, int]]:
    """First column and number of columns by name, from ``name:type:columns:...``."""
    words = text.decode().split(":")
    if len(words) % 3:
        raise ValueError("expected name:type:columns")
    places, first = {}, 0
    for name, width in zip(words[::3], words[2::3], strict=True):
        places[name] = (first, int(width))
        first += int(width)
    return places


@lru_cache(maxsize=16)
def _xyz_columns(text: bytes, velocity: str) -> IntArray:
    places = _properties(text)
    wanted = [(next((name for name in ("pos", "positions") if name in places), "pos"), POSITION)]
    if velocity:
        wanted.append((velocity, VELOCITY))
    slots: dict[int, int] = {}
    for name, slot in wanted:
        first, width = places.get(name, (0, 0))
        if width != 3:
            raise ValueError(f"expected {name}:R:3")
        slots |= {first + axis: 2 * (slot + axis) for axis in range(3)}
    species = next((name for name in ("species", "Z", "symbols", "numbers") if name in places), None)
    if species is not None:
        slots[places[species][0]] = 2 * SPECIES + 1
    return columns_of(slots)
