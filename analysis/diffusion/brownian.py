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

from ase_mlips.arrays import FloatArray, Int64Array

_POINTS = 10  # of a fit; more are more of the same
_RESOLUTION = 8  # coarse frames in the shortest lag of a fit: long lags need no finer time origins
_CONTRADICTION = 3.0  # standard errors between generalised and ordinary least squares
_FEWEST = 3  # points of a line
BLOCKS = 8  # in time, of each trajectory


class Statistics(NamedTuple):
    """What a mean squared displacement was averaged over.

    `frames` of a trajectory, number of `walkers` (atoms times runs) and of `runs`.  If known, at `lags` (J,): `excess`
    (J,) in A^4, by how much the variance of the squared displacement of a walker is more than a Gaussian's, and
    `blocks` (runs * 8, J, C) in A^2, means over successive time origins of each trajectory.
    """

    frames: int
    walkers: int
    lags: Int64Array | None = None
    excess: FloatArray | None = None
    blocks: FloatArray | None = None
    runs: int = 1


class Line(NamedTuple):
    """``intercept + slope * lag`` for lags `first` to `last` in frames; `error` is the standard error of the slope.

    `inflation` is what blocks in time made of the error, see `fit_line`.
    """

    slope: float
    error: float
    intercept: float
    first: int
    last: int
    inflation: float = 1.0


def fit_line(curve: FloatArray, statistics: Statistics, window: tuple[int, int]) -> Line:
    """Fit a straight line to a mean squared displacement.

    Generalised least squares draw most of the slope from the shortest lags, and are wrong where these follow no
    diffusion: in a crystal, vibrations go on for longer than any lag.  Where ordinary least squares on evenly spaced
    lags differ by more than three standard errors, the latter are taken, with an error that includes the scatter of the
    points about the line.

    The theory takes the walkers as independent.  Where blocks in time scatter more than it expects, the error grows as
    they say: walkers that move together, or a liquid that moves faster at one time than at another.

    Parameters
    ----------
    curve : (K, C) array
        Mean squared displacement at lags of 0, 1, ... frames along C directions, in A^2; their sum is fitted.
    statistics : Statistics
    window : (int, int)
        First and last lag.

    Raises
    ------
    ValueError
        When there are too few lags for a line.
    """
    first, last = window
    if not 1 <= first < first + 2 <= last < len(curve):
        raise ValueError(f"expected a window of at least 3 lags within 1 to {len(curve) - 1} frames, got {window}")
    line = _fit(curve, statistics, first, last)
    inflation = _inflation(curve, statistics, first, last)
    return line._replace(error=line.error * inflation, inflation=inflation)


def exponent(curve: FloatArray, statistics: Statistics, line: Line, cage: float) -> tuple[float, float]:
    """Exponent of a mean squared displacement, less its intercept, in the window of a line, and its standard error.

    The slope of ``log(MSD - intercept)`` against the logarithm of the lag by ordinary least squares, with the intercept
    of the line, but at most that of a cage.  NaN, with an infinite error, where the difference is not positive.
    """
    first, last = line.first, line.last
    motion = _Motion.of(curve, statistics, first)
    lags = np.unique(np.rint(np.geomspace(first / motion.step, last // motion.step, _POINTS)).astype(np.int64))
    values = motion.total[lags] - min(line.intercept, cage)
    if values.min() <= 0.0:
        return float("nan"), float("inf")
    noise = motion.noise(lags, motion.frames - lags, motion.estimate(lags)[1]) / np.outer(values, values)
    weights = np.linalg.pinv(np.stack([np.log(lags), np.ones(len(lags))], axis=1))[0]
    error = line.inflation * float(np.sqrt(weights @ noise @ weights))
    return float(weights @ np.log(values)), error


def excess(curve: FloatArray, lags: Int64Array, spreads: FloatArray) -> FloatArray:
    """Of the variance `spreads` (J,) of squared displacements at some lags over a Gaussian's with `curve` (K, C)."""
    beyond: FloatArray = spreads - 2.0 * np.sum(curve[lags] ** 2, axis=1)
    return beyond


def covariance(lags: Int64Array, origins: Int64Array, curve: FloatArray) -> FloatArray:
    """Covariance of the windowed mean squared displacement of one walker along one direction.

    For a Gaussian process with stationary increments, by Isserlis' theorem,
    ``cov(M_n, M_m) = 2 / (T_n T_m) sum_tu c(t, u)^2`` with the covariance of two displacements
    ``c = (M(d + m) + M(d - n) - M(d) - M(d + m - n)) / 2``, ``d = u - t``; the pairs ``t < T_n``, ``u < T_m`` with the
    same d are counted.

    Parameters
    ----------
    lags : (L,) array of int
    origins : (L,) array of int
        Number T of successive time origins of each lag: F - n in F frames.
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
        sums = 2.0 * np.einsum("md,md,md->m", _pairs(d, origins[row], origins[row:]), c, c)
        result[row, row:] = result[row:, row] = sums / (origins[row] * origins[row:])
    return result


def _overlap_covariance(lags: Int64Array, origins: Int64Array) -> FloatArray:
    """The same for the part of a fourth cumulant of 1 per frame, which independent increments share by overlap."""
    result = np.empty((len(lags), len(lags)))
    d = np.arange(-lags[-1], lags[-1] + 1)
    for row, n in enumerate(lags):
        m = lags[row:, None]
        overlap = np.maximum(0, np.minimum(n, d + m) - np.maximum(0, d))
        sums = np.sum(_pairs(d, origins[row], origins[row:]) * overlap, axis=1)
        result[row, row:] = result[row:, row] = sums / (origins[row] * origins[row:])
    return result


def _pairs(d: Int64Array, one: int, others: Int64Array) -> Int64Array:
    """Number of pairs of time origins ``t < one`` and ``u < others`` (L,) with ``u - t = d``, (L, D)."""
    pairs: Int64Array = np.maximum(0, np.minimum(others[:, None], one + d) - np.maximum(0, d))
    return pairs


class _Motion(NamedTuple):
    """A mean squared displacement in units of a coarser frame, for fits from one lag on, and what its noise is made of.

    `step` fine frames are a coarse one; `total` (K,) is the sum over directions at lags of coarse frames, `share` the
    sum of squares over directions by the square of the sum, `cumulant` the fourth one of a walker per coarse frame.
    """

    step: int
    frames: int
    total: FloatArray
    share: float
    cumulant: float
    walkers: int

    @classmethod
    def of(cls, curve: FloatArray, statistics: Statistics, first: int) -> _Motion:
        step = max(1, first // _RESOLUTION)
        total = curve.sum(axis=1)
        share = float(np.sum(curve[first] ** 2) / total[first] ** 2) if total[first] else 1.0
        frames = (statistics.frames - 1) // step + 1
        return cls(step, frames, total[::step], share, step * _cumulant(statistics, first), statistics.walkers)

    def estimate(self, lags: Int64Array) -> tuple[FloatArray, FloatArray]:
        """Weights (2, L) of generalised least squares, and the model of the curve whose covariance they are of."""
        weights, model = _generalised(self.total, lags, self.frames)
        model[1 : lags[0]] = self.total[1 : lags[0]]
        return weights, model

    def noise(self, lags: Int64Array, origins: Int64Array, model: FloatArray) -> FloatArray:
        """Covariance (L, L) of the points at some lags, averaged over so many time origins each."""
        noise = self.share * covariance(lags, origins, model)
        if self.cumulant > 0.0:
            noise += self.cumulant * _overlap_covariance(lags, origins)
        return noise / self.walkers


def _inflation(curve: FloatArray, statistics: Statistics, first: int, last: int) -> float:
    """How much larger than in theory errors are, by the scatter of slopes between blocks in time; at least 1.

    Blocks share displacements with their neighbours, which the theory of their scatter allows for.  They say nothing
    where they are shorter than half of the shortest lag.
    """
    if statistics.lags is None or statistics.blocks is None:
        return 1.0
    motion = _Motion.of(curve, statistics, first)
    inside = (statistics.lags >= first) & (statistics.lags <= last)
    lags, some = np.unique(statistics.lags[inside] // motion.step, return_index=True)
    length = (statistics.frames - last) // BLOCKS
    if len(lags) < _FEWEST or 2 * length < first or not motion.total[lags].all():
        return 1.0
    values = statistics.blocks[:, inside].sum(axis=2)[:, some]
    weights, model = motion.estimate(lags)
    count = len(values)
    variances = []  # of the slope in a block, and of the mean over the blocks of a run
    for origins in (length, BLOCKS * length):
        noise = motion.noise(lags, np.full(len(lags), max(1, origins // motion.step)), model)
        variances.append(statistics.runs * float(weights[0] @ noise @ weights[0]))
    expected = (variances[0] - variances[1] / statistics.runs) * count / (count - 1)
    return float(np.sqrt(max(1.0, np.var(values @ weights[0], ddof=1) / expected)))


def _fit(curve: FloatArray, statistics: Statistics, first: int, last: int) -> Line:
    """Generalised least squares in units of a coarser frame; ordinary ones where they contradict."""
    motion = _Motion.of(curve, statistics, first)
    step, total = motion.step, motion.total
    ends = first / step, last // step
    lags = np.unique(np.rint(np.geomspace(*ends, _POINTS)).astype(np.int64))
    if not total[lags].any():
        return Line(0.0, 0.0, 0.0, first, last)
    weights, model = motion.estimate(lags)
    even = np.unique(np.rint(np.linspace(*ends, _POINTS)).astype(np.int64))
    both = np.union1d(lags, even)
    efficient, plain = _spread_out(weights, lags, both), _spread_out(_weights(even, np.eye(len(even))), even, both)
    noise = motion.noise(both, motion.frames - both, model)
    change = (plain - efficient)[0]
    if abs(change @ total[both]) <= _CONTRADICTION * np.sqrt(change @ noise @ change):
        error = float(np.sqrt(efficient[0] @ noise @ efficient[0]))
        return _line(efficient, total[both], error, step, (first, last))
    slope, intercept = plain @ total[both]
    residual = total[even] - intercept - slope * even
    scatter = np.sqrt(np.sum(residual**2) / max(len(even) - 2, 1)) / np.linalg.norm(even - even.mean())
    error = np.hypot(np.sqrt(plain[0] @ noise @ plain[0]), scatter)
    return _line(plain, total[both], float(error), step, (first, last))


def _line(weights: FloatArray, values: FloatArray, error: float, step: int, ends: tuple[int, int]) -> Line:
    slope, intercept = weights @ values
    return Line(float(slope) / step, error / step, float(intercept), *ends)


def _generalised(total: FloatArray, lags: Int64Array, frames: int) -> tuple[FloatArray, FloatArray]:
    """Weights (2, L) that give slope and intercept, and the model whose covariance they are of."""
    values = total[lags]
    slope, intercept = (values[-1] - values[0]) / (lags[-1] - lags[0]), 0.0
    every = np.arange(4 * lags[-1] + 1)
    for _ in range(2):
        # The model: diffusion plus noise of one frame (a cage); its covariance gives weights that cannot run wild.
        model = max(intercept, 0.0) + max(slope, 1e-6 * values[-1] / lags[-1]) * every
        model[0] = 0.0
        weights = _weights(lags, covariance(lags, frames - lags, model))
        slope, intercept = (float(x) for x in weights @ values)
    return weights, model


def _spread_out(weights: FloatArray, lags: Int64Array, over: Int64Array) -> FloatArray:
    """The weights (2, L) of some lags as those of more, zero for the others."""
    wide = np.zeros((2, len(over)))
    wide[:, np.searchsorted(over, lags)] = weights
    return wide


def _weights(lags: Int64Array, matrix: FloatArray) -> FloatArray:
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
