"""Reader of ASE's .traj files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from ase.data import atomic_masses
from numpy.typing import NDArray

from ase_mlips.arrays import Int64Array

from .frame import (
    Frame,
    Head,
    MappedFile,
    Rereadable,
    TruncatedError,
    check_count,
    check_numbers,
    check_pbc,
    from_momenta,
    other_numbers,
    time_of,
)

_COUNT, _PLACE, _START = 32, 40, 48  # bytes where the number of frames and the place of their list stand; the frames


class TrajReader(Rereadable):
    """Frames of an ASE .traj file: the arrays where they lie in the file, without Atoms around them."""

    def __init__(self, path: str) -> None:
        self.name = path
        file = MappedFile(path)
        try:
            places = self._places(file)
            if len(places) == 0:
                raise ValueError(f"{path} holds no frame")
            self.head = _head(_Item(file, path, 0, int(places[0])))
        except EOFError as error:
            raise ValueError(f"{path}: the file ends before its first frame is complete") from error
        self.length: int | None = len(places)

    def _places(self, file: MappedFile) -> Int64Array:
        """Where the frames begin, (F,)."""
        count, place = (int(_part(file, at, np.dtype("<i8"), 1)[0]) for at in (_COUNT, _PLACE))
        if count < 0 or place < 0:
            raise ValueError(f"{self.name}: expected how many frames there are and where, got {count} and {place}")
        return _part(file, place, np.dtype("<i8"), count)

    def frames(self, start: int, stop: int | None, step: int, velocities: bool) -> Iterator[Frame]:
        file = MappedFile(self.name)
        places = self._places(file)
        for k in range(*slice(start, stop, step).indices(len(places))):
            try:
                frame = self._frame(_Item(file, self.name, k, int(places[k])), velocities)
            except EOFError as error:
                if k == len(places) - 1:
                    raise TruncatedError(f"{self.name}: frame {k} is incomplete") from error
                raise ValueError(f"{self.name}: expected frame {k} within the file, got one beyond its end") from error
            yield frame
            file.release(int(places[k]))

    def _frame(self, item: _Item, velocities: bool) -> Frame:
        numbers = item.array("numbers") if item.frame else None  # where they are not those of the first frame
        pbc = item.array("pbc")
        positions = item.required("positions", (-1, 3))
        check_count(self, item.frame, len(positions))
        if numbers is not None:
            numbers = other_numbers(self, item.frame, numbers)
        if pbc is not None:
            check_pbc(self, item.frame, pbc)
        cell = item.required("cell", (3, 3))
        momenta = item.array("momenta") if velocities else None
        if momenta is not None:
            momenta = from_momenta(item.shaped("momenta", momenta, positions.shape), self.head.masses)
        return Frame(positions, cell, momenta, item.time, numbers)


def _head(item: _Item) -> Head:
    positions = item.required("positions", (-1, 3))
    numbers = item.required("numbers", (len(positions),))
    if numbers.dtype.kind not in "iu":
        raise item.error("whole atomic numbers", str(numbers.dtype))
    check_numbers(item.name, 0, numbers)
    pbc = item.required("pbc", (3,)).astype(bool)
    masses = item.array("masses")
    masses = atomic_masses[numbers] if masses is None else item.shaped("masses", masses, numbers.shape)
    return Head(numbers.astype(np.int64), np.asarray(masses, np.float64), pbc, item.array("momenta") is not None)


class _Item:
    """One frame in an ULM file (see `ase.io.ulm`): the size of a JSON text, the text, and in it where arrays lie."""

    def __init__(self, file: MappedFile, name: str, frame: int, place: int) -> None:
        self._file, self.name, self.frame = file, name, frame
        try:
            size = int(_part(file, place, np.dtype("<i8"), 1)[0])
            values = json.loads(_part(file, place + 8, np.dtype("u1"), size).tobytes())
        except (ValueError, RecursionError) as error:
            raise self.error("JSON text", str(error)) from None
        if not isinstance(values, dict):
            raise self.error("a JSON object", type(values).__name__)
        self._values: dict[str, Any] = values
        self._order = "<" if values.get("_little_endian", True) else ">"

    def error(self, expected: str, got: str) -> ValueError:
        """One sentence with the path and the frame."""
        return ValueError(f"{self.name}: expected {expected}, got {got} (frame {self.frame})")

    def array(self, name: str) -> NDArray[Any] | None:
        """An array of real numbers, or None where there is none of this name."""
        if name + "." not in self._values and name not in self._values:
            return None
        try:
            if name in self._values:
                found = np.array(self._values[name])
            else:
                shape, kind, place = self._values[name + "."]["ndarray"]
                dtype = np.dtype(kind).newbyteorder(self._order)
                found = _part(self._file, int(place), dtype, math.prod(shape)).reshape(shape)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise self.error(f"an array of {name}", f"another entry ({type(error).__name__}: {error})") from None
        if found.dtype.kind not in "iufb":
            raise self.error(f"real numbers as {name}", str(found.dtype))
        return found

    def required(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        """An array of this shape, -1 for any length."""
        found = self.array(name)
        if found is None:
            raise self.error(name, "none")
        return self.shaped(name, found, shape)

    def shaped(self, name: str, found: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """The array if it has this shape, -1 for any length."""
        if found.ndim != len(shape) or any(
            size not in (length, -1) for length, size in zip(found.shape, shape, strict=True)
        ):
            raise self.error(f"{name} of shape {shape}", str(found.shape))
        return found

    @property
    def time(self) -> float:
        info = self._values.get("info")
        return time_of(info) if isinstance(info, dict) else np.nan


def _part(file: MappedFile, place: int, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """Numbers that stand there; EOFError where the file ends before."""
    if dtype.hasobject or dtype.itemsize == 0:
        raise TypeError(f"no numbers: {dtype}")
    last = place + count * dtype.itemsize
    if place < 0 or count < 0:
        raise ValueError(f"{count} numbers at {place}")
    if last > len(file.bytes):
        raise EOFError
    return file.bytes[place:last].view(dtype)
