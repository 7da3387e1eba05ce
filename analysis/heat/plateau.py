"""Where a running integral of a correlation function has converged, and how well it is then known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.integrate import cumulative_trapezoid

from ase_mlips.arrays import FloatArray

_LADDER = 2.0**0.25  # from one time to the next that is tried
# Standard errors of the difference to averages at twice and four times that time, and to those at 8, 16, ... times:
RISE = 1.2, 1.7  # where these are larger, as after the plateau of fast correlations only
FALL = 1.5, 2.0


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


def find_plateau(
    integral: FloatArray,
    samples: float,
    kind: Callable[[FloatArray], FloatArray] = np.asarray,
    *,
    rise: tuple[float, float] = RISE,
    earliest: float = 1.0,
) -> Plateau:
    """The window t ... 2 t to average over.

    t is twice the shortest time at which the average over t ... 2 t agrees with those at twice and four times that time
    and at 8, 16, ... times, as far as the curve reaches: slow parts of the correlation, as those of a crystal, may set
    in long after fast ones have faded.  The later ones may be larger by 1.2 (near) or 1.7 (far) standard errors of the
    difference, and smaller by 1.5 or 2.  Doubling makes what is missing, which hides within that error, small against
    it.

    Parameters
    ----------
    integral : (K, ...) array
        Running integral at lags of 0, 1, ... frames.
    samples : float
        Frames of all runs and directions together.
    kind : callable, optional
        What makes of averages (..., ...) of several integrals the values (...) that are to be level.
    rise : tuple of two floats
        By how many standard errors later averages may be larger, near and far.
    earliest : float
        Frames, at least, of the shortest time that is tried.

    Returns
    -------
    Plateau
        ``found`` is False where no time passes; the window is then the end of the curve.
    """
    longest = (len(integral) - 1) // 2
    sums = cumulative_trapezoid(integral, axis=0, initial=0.0)
    trials = np.unique(np.rint(_LADDER ** np.arange(np.log(longest) / np.log(_LADDER))).astype(np.int64))
    for t in trials[(earliest <= trials) & (2 * trials <= longest)]:
        factors = 2 ** np.arange(1, int(np.log2(longest / t)) + 1)
        later = factors * t
        spans = later.reshape(-1, *[1] * (integral.ndim - 1))
        mean, means = kind((sums[2 * t] - sums[t]) / t), kind((sums[2 * later] - sums[later]) / spans)
        # int (w' - w)^2 dt, where w is 1 up to t and falls to 0 at 2 t, and w' is the same for a multiple of t.
        squares = t * (4.0 * factors - 5.0) / 3.0
        noise = 2.0 * np.maximum(abs(mean), np.abs(means)) * np.sqrt(squares / samples)
        larger, smaller = (np.where(factors <= 4, *allowed) * noise for allowed in (rise, FALL))
        if np.all((means - mean <= larger) & (mean - means <= smaller)):
            return Plateau(2 * int(t), 4 * int(t))
    return Plateau(longest, 2 * longest, found=False)
