"""Where frames come from: one small reader per kind of source, all with the same interface (`Reader`)."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice, tee
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import iread
from ase.io.formats import UnknownFileTypeError, filetype, get_compression
from ase.io.ulm import read_header
from numpy.typing import NDArray

from .extxyz import ExtxyzReader
from .frame import (
    FloatArray,
    Frame,
    Head,
    IntArray,
    MappedFile,
    Reader,
    Rereadable,
    TruncatedError,
    check_count,
    check_species,
    frame_of,
    from_momenta,
    head_of,
    time_of,
)
from .lammps_dump import LammpsReader
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
    try:
        format_name = filetype(path)
    except (UnknownFileTypeError, EOFError) as error:
        raise ValueError(f"{path} is not of a format that ASE reads: {error}") from error
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
        self.head = head_of(first)

    def _peek(self) -> Iterable[Atoms]:
        if not self._once:
            return self._source
        self._source, copy = tee(self._source)
        return copy

    def count(self) -> int:
        if self._once:
            raise ValueError(f"frames= must not be negative for a {self.name}, whose end is not known")
        return super().count()

    def first_times(self, start: int, step: int) -> list[float]:
        selected = islice(self._peek(), start, start + step + 1, step)
        return [time_of(atoms.info) for atoms in selected]

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
        self.head = head_of(first)

    def _read(self, index: slice) -> Iterator[Atoms]:
        try:
            yield from iread(self.name, index=index, format=self._format, do_not_split_by_at_sign=True)
        except Exception as error:  # ASE's readers fail on malformed files in every conceivable way
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            raise ValueError(f"{self.name} cannot be read as {self._format}: {reason}") from error

    def frames(self, start: int, stop: int | None, step: int, velocities: bool) -> Iterator[Frame]:
        yield from _frames(self._read(slice(start, stop, step)), self, start, step, velocities)


def _frames(images: Iterable[Atoms], reader: Any, start: int, step: int, velocities: bool) -> Iterator[Frame]:
    for k, atoms in enumerate(images):
        check_species(reader, start + k * step, atoms.numbers)
        yield frame_of(atoms, reader.head, velocities)


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


class TrajReader(Rereadable):
    """Frames of an ASE .traj file: the arrays where they lie in the file, without Atoms around them."""

    def __init__(self, path: str) -> None:
        self.name = path
        self.length: int | None = len(self._places())
        self.head = AseReader(path, "traj").head

    def _places(self) -> IntArray:
        try:
            with open(self.name, "rb") as file:
                places = np.asarray(read_header(file)[-1], dtype=np.int64)
            if len(places):
                _Item(MappedFile(self.name), int(places[0]))
        except (ValueError, EOFError) as error:
            raise ValueError(f"{self.name}: the file ends before its first frame is complete") from error
        return places

    def frames(self, start: int, stop: int | None, step: int, velocities: bool) -> Iterator[Frame]:
        places, mapped = self._places(), MappedFile(self.name)
        for k in range(*slice(start, stop, step).indices(len(places))):
            try:
                item = _Item(mapped, int(places[k]))
                numbers = item.array("numbers") if k else None
                positions, cell = item.array("positions"), item.array("cell")
                momenta = item.array("momenta") if velocities else None
            except EOFError as error:
                raise TruncatedError(f"{self.name}: frame {k} is incomplete") from error
            except (ValueError, KeyError) as error:
                raise ValueError(f"{self.name}: frame {k} cannot be read: {error}") from error
            if positions is None or cell is None:
                raise ValueError(f"{self.name}: frame {k} has no positions or no cell")
            check_count(self, k, len(positions))
            if numbers is not None:
                check_species(self, k, numbers.astype(np.int64))
            speed = None if momenta is None else from_momenta(momenta, self.head.masses)
            yield Frame(positions, cell, speed, item.time)
            mapped.release(int(places[k]))


class _Item:
    """One frame in an ULM file (see `ase.io.ulm`): the size of a JSON text, the text, and in it where arrays lie."""

    def __init__(self, mapped: MappedFile, place: int) -> None:
        self._bytes = mapped.bytes
        size = int(self._part(place, "<i8", 1)[0])
        self._values = json.loads(self._part(place + 8, "u1", size).tobytes())
        self._order = "<" if self._values.get("_little_endian", True) else ">"

    def _part(self, place: int, kind: str, count: int) -> NDArray[Any]:
        last = place + count * np.dtype(kind).itemsize
        if last > len(self._bytes):
            raise EOFError
        return self._bytes[place:last].view(kind)

    def array(self, name: str) -> NDArray[Any] | None:
        """An array, or None where there is none of this name."""
        if name in self._values:
            return np.array(self._values[name])
        if name + "." not in self._values:
            return None
        shape, kind, place = self._values[name + "."]["ndarray"]
        return self._part(place, np.dtype(kind).newbyteorder(self._order).str, math.prod(shape)).reshape(shape)

    @property
    def time(self) -> float:
        return time_of(self._values.get("info") or {})
