"""What the fields of settings may be: one sentence for each that means nothing."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, TypeVar

Settings = TypeVar("Settings")


def chosen(kind: type[Settings], settings: Settings | None, fields: dict[str, Any]) -> Settings:
    """The given settings, or those that the fields make.

    Raises
    ------
    TypeError
        Both are given, the settings are of another class, or a field is not known.
    """
    if settings is None:
        return kind(**fields)
    if fields:
        raise TypeError(f"expected either settings or {', '.join(fields)}, got both")
    if not isinstance(settings, kind):
        raise TypeError(f"expected settings of class {kind.__name__}, got {settings!r}")
    return settings


def is_number(value: Any) -> bool:
    """Whether it is an int or a float, finite or not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: Any) -> bool:
    """Whether it is an int, and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def require_positive(name: str, value: Any, unit: str = "", *, below: float = inf) -> None:
    """ValueError for what is not a positive number below a limit."""
    if not (is_number(value) and 0.0 < value < below):
        limit = "" if below == inf else f" below {below:g}"
        raise ValueError(f"{name}: expected a positive number{limit}{unit and f' in {unit}'}, got {value!r}")


def require_count(name: str, value: Any, least: int = 1) -> None:
    """ValueError for what is not an integer of at least so much."""
    if not (is_count(value) and value >= least):
        raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")


def require_flag(name: str, value: Any) -> None:
    """ValueError for what is neither true nor false."""
    if not isinstance(value, bool):
        raise ValueError(f"{name}: expected true or false, got {value!r}")


def as_tuple(name: str, values: Any, expected: str) -> tuple[Any, ...]:
    """A sequence, such as a list from a file, as a tuple; ValueError for anything else and for an empty one."""
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) == 0:
        raise ValueError(f"{name}: expected {expected}, got {values!r}")
    return tuple(values)
