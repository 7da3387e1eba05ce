"""BFGS with a dense matrix over all frames at once: for models of up to some thousand parameters.

J. Nocedal and S. J. Wright, Numerical Optimization, 2nd edition (Springer, 2006), algorithm 6.1; J. Barzilai and J. M.
Borwein, IMA J. Numer. Anal. 8, 141 (1988) for the first matrix; A. S. Lewis and M. L. Overton, Math. Program. 141, 135
(2013) for the search along a line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import FloatArray

Function = Callable[[FloatArray], tuple[float, FloatArray]]

_DECREASE, _CURVATURE = 1e-4, 0.9  # of the Wolfe conditions
_TRIALS = 30  # points along a line
_HOPE = 10.0  # a step may promise so many times what the last one has gained
_EDGE = 0.1  # share of an interval that the next point keeps from its ends


@dataclass(frozen=True, eq=False)
class Point:
    """A place with what is known there.

    Attributes
    ----------
    x, gradient : (P,) arrays
    value : float
    """

    x: FloatArray
    value: float
    gradient: FloatArray


@dataclass(frozen=True, eq=False)
class Descent:
    """Where a minimisation stands between two iterations.

    Attributes
    ----------
    point : Point
    inverse : (P, P) array
        The inverse of the matrix of second derivatives as far as it is known.
    fresh : bool
        Nothing is known yet: `inverse` is the unit matrix.
    evaluations : int
        Of the function, so far.
    gain : float
        By how much the last iteration has lowered the function.
    """

    point: Point
    inverse: FloatArray
    fresh: bool
    evaluations: int
    gain: float = np.inf

    @classmethod
    def begin(cls, function: Function, x: FloatArray) -> Descent:
        """At the start, with one evaluation."""
        return cls(Point(x, *function(x)), np.eye(len(x)), True, 1)

    def step(self, function: Function) -> Descent | None:
        """One iteration; None where no point with a lower value is found along the steepest descent either."""
        start = self.point
        if not start.gradient.any():
            return None
        direction = -(self.inverse @ start.gradient)
        fresh = self.fresh
        if not direction @ start.gradient < 0.0:
            direction, fresh = -start.gradient, True
        slope = -float(direction @ start.gradient)
        longest = 1.0 / float(np.sum(np.abs(direction))) if fresh else _HOPE * self.gain / slope
        found, trials = line_search(function, start, direction, min(1.0, longest))
        if found is None:
            if fresh:
                return None
            again = replace(self, inverse=np.eye(len(start.x)), fresh=True, evaluations=self.evaluations + trials)
            return again.step(function)
        inverse = np.eye(len(start.x)) if fresh else self.inverse
        inverse, known = _updated(inverse, found.x - start.x, found.gradient - start.gradient, fresh)
        gain = start.value - found.value
        return Descent(found, inverse, fresh and not known, self.evaluations + trials, gain)


def _updated(inverse: FloatArray, s: FloatArray, y: FloatArray, fresh: bool) -> tuple[FloatArray, bool]:
    """The inverse after a step s that changed the gradient by y; unchanged where rounding hides the curvature."""
    curvature = float(s @ y)
    if not curvature > 1e-14 * float(np.linalg.norm(s) * np.linalg.norm(y)):
        return inverse, False
    if fresh:
        inverse = inverse * (float(s @ s) / curvature)  # flat directions matter more than steep ones
    v = inverse @ y
    mixed = np.outer(v, s / curvature)
    result = inverse - mixed - mixed.T
    result += np.outer(s, s * ((1.0 + float(y @ v) / curvature) / curvature))
    return result, True


def line_search(function: Function, start: Point, direction: FloatArray, first: float) -> tuple[Point | None, int]:
    """A point along a line that fulfils the weak Wolfe conditions, and the number of evaluations.

    Where none is found, it is the lowest one, or None if none is lower than the start.
    """
    slope = float(start.gradient @ direction)
    low, low_value, low_slope = 0.0, start.value, slope
    high, high_value, high_slope = np.inf, np.nan, np.nan
    best: Point | None = None
    t = first
    for trial in range(1, _TRIALS + 1):
        point = Point(start.x + t * direction, *function(start.x + t * direction))
        steep = float(point.gradient @ direction)
        finite = np.isfinite(point.value) and np.isfinite(steep)
        if not finite or point.value > start.value + _DECREASE * t * slope:
            high, high_value, high_slope = t, point.value if finite else np.nan, steep
        elif steep < _CURVATURE * slope:
            low, low_value, low_slope = t, point.value, steep
        else:
            return point, trial
        if finite and point.value < (start.value if best is None else best.value):
            best = point
        if high == np.inf:
            t *= 4.0
        else:
            inner = _cubic(low, low_value, low_slope, high, high_value, high_slope)
            edge = _EDGE * (high - low)
            t = min(max(inner, low + edge), high - edge)
    return best, _TRIALS


def _cubic(a: float, fa: float, da: float, b: float, fb: float, db: float) -> float:
    """The minimum of the cubic with these values and slopes at a and b; the middle where there is none."""
    with np.errstate(all="ignore"):
        d = da + db - 3.0 * (fa - fb) / (a - b)
        root = np.sqrt(d * d - da * db)
        t = b - (b - a) * (db + root - d) / (db - da + 2.0 * root)
    return float(t) if np.isfinite(t) else 0.5 * (a + b)
