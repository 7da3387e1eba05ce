"""Words for what a table of temperatures or frequencies holds."""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray

_ROOM = 300.0  # K


def room(temperatures: FloatArray) -> int:
    """Which temperature is closest to 300 K."""
    return int(np.abs(temperatures - _ROOM).argmin())


def between(values: FloatArray, unit: str) -> str:
    """The smallest and the largest value of those that are known, to four decimals."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return "none"
    low, high = (f"{round(float(value), 4) + 0.0:.4g}" for value in (known.min(), known.max()))
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"
