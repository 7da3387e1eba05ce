"""Where a running integral of a correlation function has converged, and how well it is then known."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_LADDER = 2.0**0.25  # from one time to the next that is tried
_AGREEMENT = 1.5  # standard errors of the difference
# Integrals of (w' - w)^2 in units of t, where w is 1 up to t and falls to 0 at 2 t, and w' is w for 2 t, 4 t.
_DIFFERENCES = {2: 1.0, 4: 11.0 / 3.0}


class Plateau(NamedTuple):
    """Lags in frames between which a running integral is averaged, and whether it is level there."""

    first: int
    last: int
    found: bool = True

    def average(self, curve: FloatArray) -> Any:
        """Mean of a curve (K, ...) over these lags, by the trapezoidal rule."""
        return np.trapezoid(curve[self.first : self.last + 1], axis=0) / (self.last - self.first)

    def relative_error(self, samples: float) -> float:
        """Standard error over value, for a plateau and `samples` frames in all runs and directions together.

        The average is ``int C(t) w(t) dt`` with w = 1 up to the first lag and a straight decrease to 0 at the last one:
        a spectral estimate at f = 0 with the variance ``4 S(0)^2 / T int_0^inf w^2 dt`` (Priestley, Spectral Analysis
        and Time Series, section 6.2.4).
        """
        square = self.first + (self.last - self.first) / 3.0
        return float(2.0 * np.sqrt(square / samples))


def find_plateau(integral: FloatArray, samples: float) -> Plateau:
    """The window t ... 2 t to average over.

    t is twice the shortest time at which the average over t ... 2 t agrees with those at twice and four times that time
    (as far as the curve reaches), within 1.5 standard errors of the difference.  Doubling makes what is missing, which
    hides within that error, small against it.

    Parameters
    ----------
    integral : (K,) array
        Running integral at lags of 0, 1, ... frames.
    samples : float
        Frames of all runs and directions together.

    Returns
    -------
    Plateau
        ``found`` is False where no time passes; the window is then the end of the curve.
    """
    longest = (len(integral) - 1) // 2
    sums = np.concatenate(([0.0], np.cumsum(0.5 * (integral[1:] + integral[:-1]))))
    trials = np.unique(np.rint(_LADDER ** np.arange(np.log(longest) / np.log(_LADDER))).astype(np.int64))
    for t in trials[2 * trials <= longest]:
        if all(_agree(sums, int(t), factor, samples) for factor in _DIFFERENCES if factor * t <= longest):
            return Plateau(2 * int(t), 4 * int(t))
    return Plateau(longest, 2 * longest, found=False)


def _agree(sums: FloatArray, t: int, factor: int, samples: float) -> bool:
    later = factor * t
    mean, mean_later = (sums[2 * t] - sums[t]) / t, (sums[2 * later] - sums[later]) / later
    noise = 2.0 * max(abs(mean), abs(mean_later)) * np.sqrt(_DIFFERENCES[factor] * t / samples)
    return bool(abs(mean_later - mean) <= _AGREEMENT * noise)
