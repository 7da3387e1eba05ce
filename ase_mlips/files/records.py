"""What the frozen dataclasses of models have in common: checked fields, equality bit by bit, pickling."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ..arrays import FloatArray

_SHORT = 3  # numbers that are shown


class Record:
    """Base of frozen dataclasses of scalars, tuples, arrays and other records.

    Two records are equal if all their fields are, arrays bit by bit.  A pickled record passes its own checks again.
    """

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(identical(a, b) for a, b in zip(_values(self), _values(other), strict=True))

    def __hash__(self) -> int:
        return hash(tuple(v.shape if isinstance(v, np.ndarray) else v for v in _values(self)))

    def __reduce__(self) -> tuple[type[Record], tuple[Any, ...]]:
        return type(self), _values(self)  # unpickled arrays are read-only again

    def __repr__(self) -> str:
        return one_line(self)


def one_line(record: Any) -> str:
    """What the repr of a dataclass or named tuple says, but for the numbers of its arrays."""
    names = [field.name for field in fields(record)] if is_dataclass(record) else record._fields
    shown = ", ".join(f"{name}={_shown(getattr(record, name))}" for name in names)
    return f"{type(record).__name__}({shown})"


def _shown(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return repr(value)
    if value.ndim == 1 and value.size <= _SHORT:
        return f"[{', '.join(f'{number:.6g}' for number in value)}]"
    return f"array of shape {value.shape}"


def finite(name: str, value: Any) -> float:
    """`value` as a float, or ValueError that names the field."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"expected {name} to be a number, got {value!r}") from None
    if not np.isfinite(number):
        raise ValueError(f"expected {name} to be finite, got {number}")
    return number


def integer(name: str, value: Any, lowest: int, highest: int) -> int:
    """`value` as an int within the two limits, or ValueError that names the field."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"expected {name} to be an integer, got {value!r}")
    if not lowest <= value <= highest:
        raise ValueError(f"expected {name} between {lowest} and {highest}, got {value}")
    return int(value)


def pair(name: str, values: Any) -> tuple[Any, Any]:
    """`values` as a tuple of two, or ValueError that names the field."""
    try:
        first, second = values
    except (TypeError, ValueError):
        raise ValueError(f"expected {name} to be two numbers, got {values!r}") from None
    return first, second


def frozen_array(name: str, values: Any) -> FloatArray:
    """A read-only, contiguous copy of `values` in double precision, or ValueError that names the field."""
    try:
        array = np.array(values, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise ValueError(f"expected {name} to be an array of numbers, got {type(values).__name__}") from None
    if not np.all(np.isfinite(array)):
        raise ValueError(f"expected {name} to be finite, got {array[~np.isfinite(array)][0]}")
    array.setflags(write=False)
    return array


def require_shape(name: str, array: FloatArray, shape: tuple[int, ...]) -> None:
    """ValueError that names the field unless `array` has this shape."""
    if array.shape != shape:
        raise ValueError(f"expected {name} of shape {shape}, got {array.shape}")


def identical(first: Any, second: Any) -> bool:
    """Whether two values of a field are equal in type and value, arrays bit by bit."""
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return first.shape == second.shape and first.tobytes() == second.tobytes()
    return bool(type(first) is type(second) and first == second)


def _values(record: Any) -> tuple[Any, ...]:
    return tuple(getattr(record, field.name) for field in fields(record))
