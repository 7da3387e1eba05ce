"""Averages over frames that arrive one by one, with errors that allow for their correlation."""

from __future__ import annotations

from typing import Any

import numpy as np

from ase_mlips.arrays import FloatArray

_MOST = 16  # blocks; more are merged two by two


class BlockAverage:
    """Mean of arrays over frames, and over blocks of successive frames, in bounded memory.

    Between 8 and 15 blocks of equal length are kept, once there are that many frames; the length doubles as frames
    arrive (Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989)).  Frames of an unfinished block count in the mean
    only.

    Attributes
    ----------
    frames : int
        Number of arrays added.
    """

    def __init__(self) -> None:
        self.frames = 0
        self._sums: list[FloatArray] = []
        self._length = 1
        self._open: Any = 0.0
        self._in_open = 0

    def add(self, sample: FloatArray) -> None:
        """Take the next frame's array; all have one shape."""
        self._open = self._open + sample
        self._in_open += 1
        self.frames += 1
        if self._in_open == self._length:
            self._sums.append(self._open)
            self._open, self._in_open = 0.0, 0
        if len(self._sums) == _MOST:
            self._sums = [first + second for first, second in zip(self._sums[::2], self._sums[1::2], strict=True)]
            self._length *= 2

    @property
    def mean(self) -> FloatArray:
        """Mean over all frames."""
        total: FloatArray = (np.sum(self._sums, axis=0) + self._open) / self.frames
        return total

    @property
    def blocks(self) -> FloatArray:
        """Mean of each finished block, (blocks, ...)."""
        return np.array(self._sums) / self._length


def standard_error(blocks: FloatArray) -> FloatArray:
    """Standard error of the mean over independent blocks (B, ...); NaN from a single block."""
    if len(blocks) < 2:
        return np.full(blocks.shape[1:], np.nan)
    error: FloatArray = blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))
    return error


def mean_of_runs(values: list[FloatArray], errors: list[FloatArray] | None = None) -> tuple[FloatArray, FloatArray]:
    """Mean over independent runs, and its standard error: the larger of those from scatter and from their errors."""
    count = len(values)
    scatter = np.std(values, axis=0, ddof=1) / np.sqrt(count)
    own = 0.0 if errors is None else np.sqrt(np.sum(np.square(errors), axis=0)) / count
    return np.mean(values, axis=0), np.fmax(scatter, own)
