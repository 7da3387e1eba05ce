"""Where a mean squared displacement is that of diffusion, and what is known of a species where it is not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ase_mlips.arrays import FloatArray

from .brownian import Line, Statistics, exponent, fit_line

DIFFUSES, AT_REST, TOO_SHORT, GIVEN = "diffuses", "does not diffuse", "too short", "window given"

_LADDER = 2.0**0.5  # from one start of a fit to the next that is tried
_PART = 3  # the longest lag of a fit is this part of a trajectory
_SPAN = 3  # shortest window, last lag over first
_LONGEST = 16  # longest window: longer lags add next to nothing to generalised least squares
CAGE = 1.0  # A^2: vibrations stay below it, fits start beyond it
GROWTH = 5.0  # A^2 that the line rises by up to the last lag: about the square of a hop
_AGREEMENT = 1.5  # standard errors by which the slope may change when a fit starts later
_LEAST = 0.25  # variance of that change, of the variance of the later slope, where fits are not efficient
_OFFSET = 0.25  # largest intercept, of the rise of the line, where cages are wider than that
_EXPONENT = 2.0  # standard errors between the exponent and 1
SHARP = 0.25  # largest standard error of the exponent, and of the slope over the slope
_LEVEL = 0.5  # exponent below which a mean squared displacement is level
_HOP, _UNSEEN = 3.0, 3.0  # A, and the number of hops of which none is seen with a probability of 5 %


class Judgement(NamedTuple):
    """What is known of a species.

    `line` has the slope where the `verdict` is "diffuses" or "window given" and else NaN; `bound`, in A^2 per frame, is
    the upper limit (95 %) of the slope where it is "does not diffuse" and else NaN.
    """

    line: Line
    verdict: str
    bound: float


def judge(curve: FloatArray, statistics: Statistics, window: tuple[int, int] | None = None) -> Judgement:
    """Fit a line where a mean squared displacement is that of diffusion, or say why there is none.

    A fit starts at twice the shortest lag t (of 1, 1.4, 2, ... frames) for which

    - the mean squared displacement exceeds 1 A^2, beyond vibrations and ballistic motion,
    - the slopes of fits from t, 2 t and, where it fits in, 4 t agree within 1.5 standard errors,
    - the exponent of the mean squared displacement, less the intercept of the line but at most 1 A^2 (or a quarter of
      the rise of the line), which a cage may have, is 1 within two of its standard errors, and these are below 0.25,
    - the line from 2 t on rises by 5 A^2, about the square of a hop, up to its last lag, and is known to 25 %.

    It ends at 16 times its start or a third of the trajectory, and three times its start at least.  Two times: what
    is left of slow cages hides within the errors of the agreement, and is less from there on.

    A species does not diffuse where the mean squared displacement stays below 1 A^2 and is level: it grows by less than
    a factor of 2 over the last factor of 4 in time.  The bound is ``M(t) / t`` at the last lag t, which no motion that
    slows down exceeds, plus three hops of 3 A that were just not seen in all atoms and the whole time.  Everything else
    is too short.  Lengths are those of three directions; for one they are a third in A^2.

    Parameters
    ----------
    curve : (K, C) array
        Mean squared displacement at lags of 0, 1, ... frames along C directions, in A^2.
    statistics : Statistics
    window : (int, int), optional
        First and last lag of a fit that is made in any case, except of a species that does not diffuse.

    Raises
    ------
    ValueError
        When there are too few lags for a line.
    """
    limit = longest_of_fits(len(curve), statistics.frames)
    if limit < _SPAN:
        raise ValueError(f"expected at least {_SPAN + 1} lags for a line, got {len(curve)}")
    given = None if window is None else fit_line(curve, statistics, window)
    total, scale = curve.sum(axis=1), curve.shape[1] / 3.0
    nothing = Line(np.nan, np.nan, np.nan, max(1, limit // 4), limit)
    if is_at_rest(total / scale, limit):
        samples = statistics.walkers * statistics.frames
        return Judgement(nothing, AT_REST, scale * upper_limit(total / scale, limit, samples))
    if given is not None:
        return Judgement(given, GIVEN, np.nan)
    line = _diffusing(curve, statistics, limit)
    return Judgement(nothing, TOO_SHORT, np.nan) if line is None else Judgement(line, DIFFUSES, np.nan)


def is_at_rest(total: FloatArray, limit: int) -> bool:
    """Whether a mean squared displacement (K,) in space stays below 1 A^2 and is level, up to a lag in frames."""
    level = total[limit] <= 4.0**_LEVEL * total[max(1, limit // 4)]
    return bool(level and total[: limit + 1].max() < CAGE)


def upper_limit(total: FloatArray, limit: int, samples: int) -> float:
    """Of the slope, in A^2 per frame, with a probability of 95 %; `samples` are atoms times frames, see `judge`."""
    return float(total[limit]) / limit + _UNSEEN * _HOP**2 / samples


def common_verdict(verdicts: tuple[str, ...]) -> str:
    """Of several runs: the one that all have; "too short" where some have a coefficient and some have not."""
    some = set(verdicts)
    if len(some) == 1:
        return verdicts[0]
    return GIVEN if some == {DIFFUSES, GIVEN} else TOO_SHORT


def longest_of_fits(lags: int, frames: int) -> int:
    """Longest lag in frames of fits to so many lags of a trajectory."""
    return min(lags - 1, max(frames // _PART, 8))


def _diffusing(curve: FloatArray, statistics: Statistics, limit: int) -> Line | None:
    """The line of diffusion, if there is one."""
    total, scale = curve.sum(axis=1), curve.shape[1] / 3.0
    lines: dict[int, Line] = {}

    def from_lag(start: int) -> Line:
        if start not in lines:
            lines[start] = fit_line(curve, statistics, (start, min(limit, _LONGEST * start)))
        return lines[start]

    trials = np.unique(np.rint(_LADDER ** np.arange(0.0, np.log(limit) / np.log(_LADDER))).astype(np.int64))
    for start in (int(k) for k in trials if 2 * _SPAN * k <= limit and total[k] >= scale * CAGE):
        later = from_lag(2 * start)
        if later.slope * later.last < scale * GROWTH or later.error > SHARP * later.slope:
            continue
        own = from_lag(start)
        if not _agree(own, later):
            continue
        if 4 * _SPAN * start <= limit and not _agree(own, from_lag(4 * start)):
            continue
        value, error = exponent(curve, statistics, own, max(scale * CAGE, _OFFSET * own.slope * own.last))
        if error <= SHARP and abs(value - 1.0) <= _EXPONENT * error:
            return later
    return None


def _agree(line: Line, later: Line) -> bool:
    # The earlier fit contains the later one and, if it is efficient, the variance of the difference is that of the
    # variances; ordinary least squares are not, and the difference has a variance all the same.
    variance = max(later.error**2 - line.error**2, _LEAST * later.error**2)
    return abs(later.slope - line.slope) <= _AGREEMENT * float(np.sqrt(variance))
