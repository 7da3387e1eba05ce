"""The end of the first shell of neighbours: the first minimum of a g(r) that is known with errors."""

from __future__ import annotations

import numpy as np

from ase_mlips.arrays import FloatArray

_WIDTHS = (0.02, 0.05, 0.1, 0.15)  # A, standard deviations of the smoothing, from fine to coarse
_SMOOTH = 0.02  # typical error after smoothing, from which on a coarser one is not needed
_SURE = 6.0  # standard errors by which a peak stands out of what is before and behind it, and a minimum
_LEAST = 0.003  # error, over the highest value: frames that hardly differ have too small ones
_UNKNOWN = 0.015  # the same where there is only one frame
_FLAT = 0.01  # of the height of the peak: what is as low as the minimum


def first_minimum(edges: FloatArray, g: FloatArray, error: FloatArray) -> float:
    """Position of the first minimum behind the first peak, in the unit of `edges`.

    The curve is smoothed no more than its errors ask for.  A peak or a minimum counts where it differs by six standard
    errors from what comes behind it, so that noise makes none; where many points are as low as the minimum, as between
    the shells of a crystal, their middle is taken.

    Parameters
    ----------
    edges : (K + 1,) array
        Of the bins in A.
    g : (K,) array
    error : (K,) array
        Standard errors.  Where they are not known, of a single frame, peak and minimum have to stand out by an eighth
        of the highest value.

    Returns
    -------
    float
        NaN where there is no such minimum, as in a gas.
    """
    if not np.isfinite(g).all():
        return float("nan")
    known = bool(np.isfinite(error).all())
    for width in _WIDTHS if known else _WIDTHS[-1:]:
        smooth, spread = _smoothed(edges, g, error if known else np.zeros_like(g), width)
        if np.median(spread[len(spread) // 2 :]) < _SMOOTH:
            break
    spread = np.maximum(spread, (_LEAST if known else _UNKNOWN) * smooth.max())
    peak = _turn(smooth, spread, 0)
    if peak is None:
        return float("nan")
    lowest = _turn(-smooth, spread, peak)
    if lowest is None:
        return float("nan")
    flat = smooth <= smooth[lowest] + max(spread[lowest], _FLAT * smooth[peak])
    first = last = lowest
    while flat[first - 1] and first > peak:
        first -= 1
    while last + 1 < len(flat) and flat[last + 1]:
        last += 1
    return float(0.25 * (edges[first] + edges[first + 1] + edges[last] + edges[last + 1]))


def _turn(curve: FloatArray, spread: FloatArray, start: int) -> int | None:
    """Index of the highest point from `start` on before the curve is surely lower; None where it never is."""
    top = start
    for k in range(start + 1, len(curve)):
        if curve[k] > curve[top]:
            top = k
        elif curve[top] - curve[k] > _SURE * np.hypot(spread[top], spread[k]):
            return top
    return None


def _smoothed(edges: FloatArray, g: FloatArray, error: FloatArray, width: float) -> tuple[FloatArray, FloatArray]:
    """Gaussian averages of the numbers of pairs over those of an even distribution, and their standard errors."""
    volumes, step = np.diff(edges**3), float(edges[1] - edges[0])
    reach = int(np.ceil(4.0 * width / step))
    kernel = np.exp(-0.5 * (step * np.arange(-reach, reach + 1) / width) ** 2)
    norm = _sums(volumes, kernel)
    smooth = _sums(g * volumes, kernel) / norm
    wide = np.convolve(kernel, np.ones(5))  # the variance in a single bin is too small too often
    variances = _sums((error * volumes) ** 2, wide) / _sums(np.ones_like(g), wide)
    return smooth, np.sqrt(_sums(variances, kernel**2)) / norm


def _sums(values: FloatArray, kernel: FloatArray) -> FloatArray:
    """Of the values around each one, with weights."""
    reach = len(kernel) // 2
    sums: FloatArray = np.convolve(values, kernel)[reach : reach + len(values)]
    return sums
