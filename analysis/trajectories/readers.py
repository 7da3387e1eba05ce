"""Where frames come from: one small reader per kind of source, all with the same interface (`Reader`)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import nullcontext
from itertools import islice, tee
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import iread
from ase.io.formats import filetype, get_compression

from ase_mlips.arrays import FloatArray
from ase_mlips.files.reading import readable, unpacked

from .extxyz import ExtxyzReader
from .frame import Frame, Head, Reader, Rereadable, frame_of, head_of, require_regular
from .lammps_dump import LammpsReader
from .traj import TrajReader
from .xdatcar import XdatcarReader


def open_reader(source: Any, symbols: Sequence[str] | None = None) -> Reader:
    """The reader of a path, Atoms or an iterable of Atoms.

    Raises
    ------
    ValueError
        When nothing can be read from it, in one sentence that names it.
    FileNotFoundError
    """
    if isinstance(source, ArrayReader):
        return source
    if isinstance(source, Atoms):
        return AtomsReader([source])
    if not isinstance(source, str | os.PathLike):
        return AtomsReader(source)
    path = os.fspath(source)
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path} does not exist")
    require_regular(path)
    if os.path.getsize(path) == 0:
        raise ValueError(f"{path} is empty")
    with readable(path, "a trajectory"):
        format_name = _plain_format(path) or filetype(path)
    if get_compression(path)[1] is None:
        match format_name:
            case "traj":
                return TrajReader(path)
            case "extxyz":
                return ExtxyzReader(path)
            case "lammps-dump-text":
                return LammpsReader(path, symbols)
            case "vasp-xdatcar":
                return XdatcarReader(path)
    return AseReader(path, format_name)


def _plain_format(path: str) -> str:
    """Format of a file that the first line gives away, or empty: ASE tries all of them, and no line ends of Windows."""
    if not os.path.isfile(path):
        return ""
    with open(path, "rb") as file:
        begin = file.read(32)
    if begin.startswith(b"ITEM:"):
        return "lammps-dump-text"
    if begin.startswith(b"- of UlmASE-Trajectory"):
        return "traj"
    counted = path.endswith((".xyz", ".extxyz")) and begin.split(b"\n")[0].strip().isdigit()
    return "extxyz" if counted else ""


class AtomsReader(Rereadable):
    """Frames from an iterable of Atoms: read again if it allows that, else once."""

    def __init__(self, source: Iterable[Atoms]) -> None:
        try:
            iterator = iter(source)
        except TypeError:
            raise ValueError(f"expected a file, Atoms or an iterable of Atoms, got {type(source).__name__}") from None
        self.name = type(source).__name__
        self.length: int | None = len(source) if isinstance(source, Sized) else None
        self._source = source
        self._once, self._used = iterator is source, False
        first = next(iter(self._peek()), None)
        if first is None:
            raise ValueError(f"expected at least one frame, got an empty {self.name}")
        if not isinstance(first, Atoms):
            raise ValueError(
                f"expected Atoms in a {self.name}, got {type(first).__name__}; Trajectory.from_arrays takes arrays"
            )
        self.head = head_of(first, self.name)

    def _peek(self) -> Iterable[Atoms]:
        if not self._once:
            return self._source
        self._source, copy = tee(self._source)
        return copy

    def count(self) -> int:
        if self._once:
            raise ValueError(f"frames= must not be negative for a {self.name}, whose end is not known")
        return super().count()

    def peek(self, start: int, step: int, count: int, velocities: bool) -> Iterator[Frame]:
        some = islice(self._peek(), start, start + step * (count - 1) + 1, step)
        yield from _frames(some, self, start, step, velocities)

    def frames(self, start: int, stop: int | None, step: int, velocities: bool) -> Iterator[Frame]:
        if self._once and self._used:
            raise ValueError(f"this {self.name} has been read already: give a list or a file to read it twice")
        self._used = True
        yield from _frames(islice(self._source, start, stop, step), self, start, step, velocities)


class AseReader(Rereadable):
    """Frames of a file in any format, through `ase.io.iread`."""

    length: int | None = None

    def __init__(self, path: str, format_name: str) -> None:
        self.name = path
        self._format = format_name
        first = next(self._read(slice(0, 1)), None)
        if first is None:
            raise ValueError(f"{path} holds no frame")
        self.head = head_of(first, path)

    def _read(self, index: slice) -> Iterator[Atoms]:
        try:
            first = index == slice(0, 1)  # for which nobody goes back
            with nullcontext(self.name) if first else unpacked(self.name, self._format) as place:
                yield from iread(place, index=index, format=self._format, do_not_split_by_at_sign=True)
        except Exception as error:  # ASE's readers fail on malformed files in every conceivable way
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            raise ValueError(f"{self.name} cannot be read as {self._format}: {reason}") from error

    def frames(self, start: int, stop: int | None, step: int, velocities: bool) -> Iterator[Frame]:
        yield from _frames(self._read(slice(start, stop, step)), self, start, step, velocities)


def _frames(images: Iterable[Atoms], reader: Any, start: int, step: int, velocities: bool) -> Iterator[Frame]:
    for k, atoms in enumerate(images):
        yield frame_of(atoms, reader, start + k * step, velocities)


class ArrayReader(Rereadable):
    """Frames from arrays in memory."""

    def __init__(self, positions: FloatArray, cells: FloatArray, velocities: FloatArray | None, head: Head) -> None:
        self.name, self.head = "arrays", head
        self.length: int | None = len(positions)
        self._positions, self._cells, self._velocities = positions, cells, velocities

    def frames(self, start: int, stop: int | None, step: int, velocities: bool) -> Iterator[Frame]:
        for k in range(*slice(start, stop, step).indices(len(self._positions))):
            speed = self._velocities[k] if velocities and self._velocities is not None else None
            yield Frame(self._positions[k], self._cells[k], speed, np.nan)
