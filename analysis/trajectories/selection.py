"""Which frames of a source are taken, and whether their times follow each other."""

from __future__ import annotations

import numbers

import numpy as np

from ase_mlips.arrays import FloatArray

from .frame import Reader

Range = tuple[int, int | None, int]  # start, stop, step; none negative

_EVEN = 1e-3  # by how much of a time step the times in a file may be off


def selected(frames: slice, within: Range, reader: Reader) -> Range:
    """The frames that `frames` takes of those that `within` takes.

    Raises
    ------
    ValueError
        When `frames` is no slice of integers, or its step is not positive.
    """
    if not isinstance(frames, slice) or not all(_whole(part) for part in (frames.start, frames.stop, frames.step)):
        raise ValueError(f"expected frames= as a slice of integers such as slice(0, 100, 2), got {frames!r}")
    start, stop, step = frames.start or 0, frames.stop, 1 if frames.step is None else frames.step
    if step < 1:
        raise ValueError(f"expected frames= with a positive step, got {frames}")
    if start < 0 or (stop is not None and stop < 0):
        start, stop, step = frames.indices(number_of(within, reader.count()))
    first, last, stride = within
    if stop is not None:
        last = first + stop * stride if last is None else min(last, first + stop * stride)
    return first + start * stride, last, step * stride


def number_of(frames: Range, length: int) -> int:
    """How many frames these are in a source of that length."""
    start, stop, step = frames
    return len(range(start, length if stop is None else min(stop, length), step))


def _whole(part: object) -> bool:
    return part is None or isinstance(part, numbers.Integral)


class Clock:
    """Finds the first frame whose time does not follow from those before."""

    def __init__(self) -> None:
        self._last = self._spacing = np.nan

    def follow(self, times: FloatArray, first: int) -> int | None:
        """Number of that frame if it is among those with these times, the first of which is number `first`."""
        steps = np.diff(times, prepend=self._last)
        self._last = times[-1]
        if first == 0:
            self._spacing = steps[1] if len(steps) > 1 else np.nan
            steps[0] = self._spacing
        elif np.isnan(self._spacing):
            self._spacing = steps[0]
        if np.isnan(self._spacing):
            return None
        off = np.flatnonzero(~(np.abs(steps - self._spacing) <= _EVEN * abs(self._spacing)))
        return first + int(off[0]) if len(off) else None
