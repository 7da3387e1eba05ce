"""What one frame is, and what all frames of a source share."""

from __future__ import annotations

import mmap
import numbers
import os
import stat
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from ase import Atoms, units
from ase.data import chemical_symbols
from numpy.typing import ArrayLike, NDArray

from ase_mlips.arrays import BoolArray, FloatArray, Int64Array

_WINDOW = 32 << 20  # bytes that stay mapped
VELOCITY_NAMES = ("velocities", "velocity", "velo", "vel")  # columns in A/fs, the convention of GPUMD
TIME_NAMES = "Time", "time_fs"  # in fs: of GPUMD, and of ``ase-mlips md``


class TruncatedError(ValueError):
    """The last frame of a file is incomplete."""


def require_regular(path: str | os.PathLike[str]) -> None:
    """Raise ValueError for a pipe or a device, which may never end, and OSError for a file that is not there."""
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kind = "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"
        raise ValueError(f"{path}: expected a file, got {kind}")


def complete(frames: Iterator[Frame]) -> Iterator[Frame]:
    """The frames without an incomplete last one, which is only warned of."""
    try:
        yield from frames
    except TruncatedError as error:
        warnings.warn(f"{error}; it is left out", RuntimeWarning, stacklevel=4)


class MappedFile:
    """The bytes of a file, (L,) uint8, of which the process keeps only what is being read."""

    def __init__(self, path: str) -> None:
        require_regular(path)
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise ValueError(f"{path} is empty")
            self.map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.bytes = np.frombuffer(self.map, np.uint8)
        self._released = 0

    def release(self, position: int) -> None:
        """Let the system take back what lies before this position; it comes again when it is read again."""
        if position - self._released > _WINDOW and hasattr(self.map, "madvise"):
            self.map.madvise(mmap.MADV_DONTNEED, 0, position)
            self._released = position


class Frame(NamedTuple):
    """Positions (N, 3) in A, cell (3, 3) in A, velocities (N, 3) in A/fs or None, and time in fs or NaN.

    Atomic numbers (N,) where they are not those of the first frame.  The arrays may be overwritten when the next frame
    is read.
    """

    positions: FloatArray
    cell: FloatArray
    velocities: FloatArray | None
    time: float
    numbers: Int64Array | None = None


@dataclass(frozen=True, eq=False)
class Head:
    """What the first frame says: numbers (N,), masses (N,) in amu, pbc (3,), and whether there are velocities.

    `identity` says whether the k-th atom of each frame is the same one.
    """

    numbers: Int64Array
    masses: FloatArray
    pbc: BoolArray
    velocities: bool
    identity: bool = True


class Reader(Protocol):
    """What `Trajectory` asks of a source.

    Attributes
    ----------
    name : str
        For messages: the path, or what the source is.
    head : Head
    length : int or None
        Number of frames where that is known without reading them.
    """

    name: str
    head: Head
    length: int | None

    def frames(self, start: int, stop: int | None, step: int, velocities: bool) -> Iterator[Frame]:
        """Frames ``start, start + step, ... < stop``, none of them negative; `TruncatedError` ends a cut file."""
        ...

    def count(self) -> int:
        """Number of frames, if necessary by reading them."""
        ...

    def peek(self, start: int, step: int, count: int, velocities: bool) -> Iterator[Frame]:
        """The complete ones of `count` frames from `start` on, without using a one-pass source up."""
        ...


class Rereadable:
    """What all sources share that can be read again."""

    def count(self: Reader) -> int:
        if self.length is not None:
            return self.length
        number = 0
        with suppress(TruncatedError):
            for _ in self.frames(0, None, 1, False):
                number += 1
        return number

    def peek(self: Reader, start: int, step: int, count: int, velocities: bool) -> Iterator[Frame]:
        with suppress(TruncatedError):
            yield from self.frames(start, start + step * (count - 1) + 1, step, velocities)


def velocities_of(atoms: Atoms, masses: FloatArray) -> FloatArray | None:
    """Velocities in A/fs: from the momenta (ASE units), or a column of velocities (A/fs); None if there are neither."""
    if atoms.has("momenta"):
        return from_momenta(atoms.arrays["momenta"], masses)
    for name in VELOCITY_NAMES:
        if name in atoms.arrays:
            return np.asarray(atoms.arrays[name], dtype=np.float64)
    return None


def from_momenta(momenta: FloatArray, masses: FloatArray) -> FloatArray:
    """Velocities in A/fs from momenta in ASE units."""
    return momenta * (float(units.fs) / masses)[:, None]


def frame_of(atoms: Atoms, reader: Reader, frame: int, velocities: bool) -> Frame:
    """The parts of Atoms that the analysis needs; ValueError where they cannot follow the first frame."""
    head = reader.head
    numbers = other_numbers(reader, frame, atoms.numbers)
    check_pbc(reader, frame, atoms.pbc)
    speed = velocities_of(atoms, head.masses) if velocities else None
    return Frame(atoms.positions, atoms.cell.array, speed, time_of(atoms.info), numbers)


def time_of(info: Mapping[str, Any]) -> float:
    """Time in fs, or NaN where there is no number called so."""
    time = next((info[name] for name in TIME_NAMES if name in info), None)
    return float(time) if isinstance(time, numbers.Real) else np.nan


def head_of(atoms: Atoms, name: str) -> Head:
    """What the first frame of the source of that name says about all of them."""
    check_numbers(name, 0, atoms.numbers)
    masses = atoms.get_masses()
    return Head(atoms.numbers.astype(np.int64), masses, atoms.pbc.copy(), velocities_of(atoms, masses) is not None)


def check_numbers(name: str, frame: int, numbers: NDArray[Any]) -> None:
    """Raise ValueError when these are no atomic numbers."""
    wrong = (numbers < 0) | (numbers >= len(chemical_symbols))
    if wrong.any():
        raise ValueError(
            f"{name}: expected atomic numbers from 0 to {len(chemical_symbols) - 1}, got {numbers[wrong][0]} (frame"
            f" {frame})"
        )


def other_numbers(reader: Reader, frame: int, numbers: NDArray[Any]) -> Int64Array | None:
    """Atomic numbers of a frame, or None where they are those of the first one; ValueError where they are none."""
    check_count(reader, frame, len(numbers))
    if np.array_equal(numbers, reader.head.numbers):
        return None
    check_numbers(reader.name, frame, numbers)
    return numbers.astype(np.int64)


def check_pbc(reader: Reader, frame: int, pbc: ArrayLike) -> None:
    """Raise ValueError when a frame has other periodic boundaries than the first one."""
    expected = reader.head.pbc
    if not np.array_equal(pbc, expected):
        named = [" ".join("FT"[int(periodic)] for periodic in np.broadcast_to(each, 3)) for each in (expected, pbc)]
        raise ValueError(
            f"{reader.name}: expected the periodic boundaries of the first frame, {named[0]}, got {named[1]} (frame"
            f" {frame})"
        )


def check_count(reader: Reader, frame: int, count: int) -> None:
    """Raise ValueError when a frame has another number of atoms than the first one."""
    expected = len(reader.head.numbers)
    if count != expected:
        raise ValueError(f"{reader.name}: frame {frame} has {count} atoms, but the first one {expected}")
