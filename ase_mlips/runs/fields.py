"""Ranges of the fields of settings, whose types `conform` has made sure of: one sentence for each wrong one."""

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


def require_positive(name: str, value: float, unit: str = "", *, below: float = inf) -> None:
    """ValueError for what is not a positive number below a limit."""
    if not 0.0 < value < below:
        limit = "" if below == inf else f" below {below:g}"
        raise ValueError(f"{name}: expected a positive number{limit}{unit and f' in {unit}'}, got {value!r}")


def require_count(name: str, value: int, least: int = 1) -> None:
    """ValueError for an integer that is too small."""
    if value < least:
        raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")


def require_lengths(name: str, values: Sequence[float]) -> None:
    """ValueError where there is no length, or one that is not positive."""
    if not values:
        raise ValueError(f"{name}: expected at least one length in A, got {values!r}")
    for value in values:
        require_positive(name, value, "A")
