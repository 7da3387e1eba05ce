"""A straight line through a mean squared displacement, with the error bar that its correlated points deserve.

The points of a windowed mean squared displacement share their data: neighbouring lags are almost the same number.
For a Gaussian process with stationary increments and mean squared displacement M their covariance is known, so that
generalised least squares finds the slope and its standard error (the idea of McCluskey, Coles and Morgan, J. Chem.
Theory Comput. 21, 79 (2025), who use the limit of few windows; for Brownian motion the sum below is that of Qian,
Sheetz and Elson, Biophys. J. 60, 910 (1991), and Michalet, Phys. Rev. E 82, 041914 (2010)).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..correlation import FloatArray

IntArray = NDArray[np.int64]

_POINTS = 14  # of a fit; more are more of the same
_RESOLUTION = 8  # coarse frames in the shortest lag of a fit: long lags need no finer time origins
_DECADES = 100  # longest lag of a fit over its shortest, by default
_CONTRADICTION = 3.0  # standard errors between generalised and ordinary least squares
_AGREEMENT = 1.5  # standard errors by which the slope may change when a fit starts later


class Statistics(NamedTuple):
    """What a mean squared displacement was averaged over.

    `frames` of a trajectory, number of independent `walkers` (atoms times runs), and `excess` (J,), in A^4, at `lags`
    (J,), if known: by how much the variance of the squared displacement of a walker is more than a Gaussian's.
    """

    frames: int
    walkers: int
    lags: IntArray | None = None
    excess: FloatArray | None = None


class Line(NamedTuple):
    """``intercept + slope * lag`` for lags `first` to `last` in frames; `error` is the standard error of the slope.

    `ordinary` says that the least squares were ordinary ones, see `fit_line`.
    """

    slope: float
    error: float
    intercept: float
    first: int
    last: int
    ordinary: bool = False


def fit_line(curve: FloatArray, statistics: Statistics, window: tuple[int, int] | None = None) -> Line:
    """Fit a straight line to a mean squared displacement.

    Generalised least squares draw most of the slope from the shortest lags, and are wrong where these follow no
    diffusion: in a crystal, vibrations go on for longer than any lag.  Where ordinary least squares on evenly spaced
    lags differ by more than three standard errors, the latter are taken, over a tenth of the longest lag and more, with
    an error that includes the scatter of the points about the line.

    Parameters
    ----------
    curve : (K, C) array
        Mean squared displacement at lags of 0, 1, ... frames along C directions, in A^2; their sum is fitted.
    statistics : Statistics
    window : (int, int), optional
        First and last lag.  By default the fit starts at twice the shortest lag (of 1, 2, 4, ... frames) from which
        on the slope is the same as from twice and four times that lag, within 1.5 standard errors, which leaves out
        the ballistic motion and the rattling in a cage, and ends at a hundred times the start, or a fifth of the
        trajectory.

    Raises
    ------
    ValueError
        When there are too few lags for a line.
    """
    longest = len(curve) - 1
    if window is not None:
        first, last = window
        if not 1 <= first < first + 2 <= last <= longest:
            raise ValueError(f"expected a window of at least 3 lags within 1 to {longest} frames, got {window}")
        return _fit(curve, statistics, first, last)
    limit = min(longest, max(statistics.frames // 5, 8))
    if limit < 3:
        raise ValueError(f"expected at least 4 lags for a line, got {longest + 1}")
    starts = [2**k for k in range(limit.bit_length()) if 4 * 2**k <= limit] or [1]
    lines: list[Line] = []
    for start in starts:
        lines.append(_fit(curve, statistics, start, min(limit, _DECADES * start)))
        some = lines[-3:]
        if len(some) == 3 and not any(line.ordinary for line in some) and _agree(*some[:2]) and _agree(*some[::2]):
            return some[1]
    if any(line.ordinary for line in lines[-3:]):
        return _fit(curve, statistics, max(1, limit // 10), limit, ordinary=True)
    return lines[-1]


def excess(curve: FloatArray, lags: IntArray, spreads: FloatArray) -> FloatArray:
    """Of the variance `spreads` (J,) of squared displacements at some lags over a Gaussian's with `curve` (K, C)."""
    beyond: FloatArray = spreads - 2.0 * np.sum(curve[lags] ** 2, axis=1)
    return beyond


def covariance(lags: IntArray, frames: int, curve: FloatArray) -> FloatArray:
    """Covariance of the windowed mean squared displacement of one walker along one direction.

    For a Gaussian process with stationary increments, by Isserlis' theorem,
    ``cov(M_n, M_m) = 2 / ((F - n)(F - m)) sum_tu c(t, u)^2`` with the covariance of two displacements
    ``c = (M(d + m) + M(d - n) - M(d) - M(d + m - n)) / 2``, ``d = u - t``; the pairs t, u with the same d are counted.

    Parameters
    ----------
    lags : (L,) array of int
    frames : int
    curve : array
        The true M at lags of 0, 1, ... ``3 max(lags)`` frames; a straight line from ``min(lags)`` on.

    Returns
    -------
    (L, L) array
    """
    result = np.empty((len(lags), len(lags)))
    reach = lags[0] + lags[-1]
    d = np.arange(-reach, reach + 1)
    for row, n in enumerate(lags):
        m = lags[row:, None]
        c = 0.5 * (curve[np.abs(d + m)] + curve[np.abs(d - n)] - curve[np.abs(d)] - curve[np.abs(d + m - n)])
        sums = 2.0 * np.einsum("md,md,md->m", _pairs(d, n, m, frames), c, c)
        result[row, row:] = result[row:, row] = sums / ((frames - n) * (frames - lags[row:]))
    return result


def _overlap_covariance(lags: IntArray, frames: int) -> FloatArray:
    """The same for the part of a fourth cumulant of 1 per frame, which independent increments share by overlap."""
    result = np.empty((len(lags), len(lags)))
    d = np.arange(-lags[-1], lags[-1] + 1)
    for row, n in enumerate(lags):
        m = lags[row:, None]
        overlap = np.maximum(0, np.minimum(n, d + m) - np.maximum(0, d))
        sums = np.sum(_pairs(d, n, m, frames) * overlap, axis=1)
        result[row, row:] = result[row:, row] = sums / ((frames - n) * (frames - lags[row:]))
    return result


def _pairs(d: IntArray, n: int, m: IntArray, frames: int) -> IntArray:
    """Number of pairs of time origins ``t < F - n`` and ``u < F - m`` with ``u - t = d``."""
    pairs: IntArray = np.maximum(0, np.minimum(frames - m, frames - n + d) - np.maximum(0, d))
    return pairs


def _agree(line: Line, later: Line) -> bool:
    # The earlier fit contains the later one and is efficient: the variance of the difference is that of the variances.
    change = abs(later.slope - line.slope)
    return change <= _AGREEMENT * float(np.sqrt(max(later.error**2 - line.error**2, 0.0)))


def _fit(curve: FloatArray, statistics: Statistics, first: int, last: int, *, ordinary: bool = False) -> Line:
    """Generalised least squares in units of a coarser frame; ordinary ones where wanted or where they contradict."""
    step = max(1, first // _RESOLUTION)
    ends = first / step, last // step
    lags = np.unique(np.rint(np.geomspace(*ends, _POINTS)).astype(np.int64))
    frames = (statistics.frames - 1) // step + 1
    total = curve.sum(axis=1)[::step]
    if not total[lags].any():
        return Line(0.0, 0.0, 0.0, first, last)
    weights, model = _generalised(total, lags, frames)
    even = np.unique(np.rint(np.linspace(*ends, _POINTS)).astype(np.int64))
    both = np.union1d(lags, even)
    efficient, plain = _spread_out(weights, lags, both), _spread_out(_weights(even, np.eye(len(even))), even, both)
    model[1 : lags[0]] = total[1 : lags[0]]
    noise = np.sum(curve[first] ** 2) / np.sum(curve[first]) ** 2 * covariance(both, frames, model)
    cumulant = _cumulant(statistics, first)
    if cumulant > 0.0:
        noise += step * cumulant * _overlap_covariance(both, frames)
    noise /= statistics.walkers
    change = (plain - efficient)[0]
    if not ordinary and abs(change @ total[both]) <= _CONTRADICTION * np.sqrt(change @ noise @ change):
        error = float(np.sqrt(efficient[0] @ noise @ efficient[0]))
        return _line(efficient, total[both], error, step, (first, last))
    slope, intercept = plain @ total[both]
    residual = total[even] - intercept - slope * even
    scatter = np.sqrt(np.sum(residual**2) / max(len(even) - 2, 1)) / np.linalg.norm(even - even.mean())
    error = np.hypot(np.sqrt(plain[0] @ noise @ plain[0]), scatter)
    return _line(plain, total[both], float(error), step, (first, last))._replace(ordinary=True)


def _line(weights: FloatArray, values: FloatArray, error: float, step: int, ends: tuple[int, int]) -> Line:
    slope, intercept = weights @ values
    return Line(float(slope) / step, error / step, float(intercept), *ends)


def _generalised(total: FloatArray, lags: IntArray, frames: int) -> tuple[FloatArray, FloatArray]:
    """Weights (2, L) that give slope and intercept, and the model whose covariance they are of."""
    values = total[lags]
    slope, intercept = (values[-1] - values[0]) / (lags[-1] - lags[0]), 0.0
    every = np.arange(4 * lags[-1] + 1)
    for _ in range(3):
        # The model: diffusion plus noise of one frame (a cage); its covariance gives weights that cannot run wild.
        model = max(intercept, 0.0) + max(slope, 1e-6 * values[-1] / lags[-1]) * every
        model[0] = 0.0
        weights = _weights(lags, covariance(lags, frames, model))
        slope, intercept = (float(x) for x in weights @ values)
    return weights, model


def _spread_out(weights: FloatArray, lags: IntArray, over: IntArray) -> FloatArray:
    """The weights (2, L) of some lags as those of more, zero for the others."""
    wide = np.zeros((2, len(over)))
    wide[:, np.searchsorted(over, lags)] = weights
    return wide


def _weights(lags: IntArray, matrix: FloatArray) -> FloatArray:
    """What turns the points into slope and intercept, (2, L)."""
    design = np.stack([lags, np.ones(len(lags))], axis=1)
    whitened = np.linalg.solve(matrix, design)
    weights: FloatArray = np.linalg.solve(design.T @ whitened, whitened.T)
    return weights


def _cumulant(statistics: Statistics, first: int) -> float:
    """Fourth cumulant of the displacement per frame, at lags of one to four times the first; at least 0."""
    if statistics.lags is None or statistics.excess is None:
        return 0.0
    distance = np.abs(np.log(statistics.lags / (2.0 * first)))
    near = distance <= max(np.log(2.0), distance.min()) + 1e-9
    return max(float(np.mean(statistics.excess[near] / statistics.lags[near])), 0.0)
