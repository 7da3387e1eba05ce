"""LAMMPS's arrays of atoms as NumPy arrays, without a copy."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray

_DOUBLE, _INT, _INT64 = ctypes.c_double, ctypes.c_int32, ctypes.c_int64
# Names for the constants LAMMPS_INT, LAMMPS_DOUBLE, LAMMPS_DOUBLE_2D and LAMMPS_INT64, which stand in a package that
# not everybody has.
_CODES = {"type": 0, "id": 0, "mass": 2, "rmass": 2, "x": 3, "v": 3, "f": 3}
_LONG = 4


def atom_array(lmp: Any, name: str, rows: int) -> NDArray[Any] | None:
    """The first rows of a property of atoms, ghosts behind the others; None where LAMMPS does not have it.

    It is valid until LAMMPS goes on.
    """
    code = _LONG if name == "id" and lmp.extract_setting("tagint") == ctypes.sizeof(_INT64) else _CODES[name]
    pointer = lmp.extract_atom(name, code)
    if not pointer:
        return None
    plane = code == _CODES["x"]
    kind = {0: _INT, _LONG: _INT64}.get(code, _DOUBLE)
    if rows == 0:  # an empty array has no address
        return np.empty((0, 3) if plane else 0, kind)
    return rows_at(pointer[0] if plane else pointer, rows, kind, plane=plane)


def rows_at(pointer: Any, rows: int, kind: Any, *, plane: bool) -> NDArray[Any]:
    """An array (rows,) or (rows, 3) of what lies at a pointer."""
    return _viewed(ctypes.cast(pointer, ctypes.c_void_p).value, rows, kind, plane)


@lru_cache(maxsize=64)  # LAMMPS's arrays seldom move, and a view takes longer to make than to find
def _viewed(place: int, rows: int, kind: Any, plane: bool) -> NDArray[Any]:
    flat = np.frombuffer((kind * (rows * (3 if plane else 1))).from_address(place), kind)
    return flat.reshape(rows, 3) if plane else flat


def address(array: NDArray[Any]) -> Any:
    """A pointer to doubles, as LAMMPS's library takes it."""
    return ctypes.cast(array.ctypes.data, ctypes.POINTER(_DOUBLE))


class RowPointers:
    """Pointers to the rows of a table (n, 6), as LAMMPS's library takes tables."""

    def __init__(self) -> None:
        self._key = (-1, -1)
        self._rows = np.empty(0, np.uint64)

    def __call__(self, table: FloatArray) -> Any:
        """Valid as long as the table."""
        key = (table.ctypes.data, len(table))
        if key != self._key:
            self._key = key
            self._rows = np.uint64(key[0]) + np.arange(len(table), dtype=np.uint64) * np.uint64(table.strides[0])
        return ctypes.cast(self._rows.ctypes.data, ctypes.POINTER(ctypes.POINTER(_DOUBLE)))
