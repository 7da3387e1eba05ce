"""Time correlation by fast Fourier transform: the one implementation that every analysis shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

_BLOCK = 1 << 22  # numbers transformed at once: 32 MB, so that long trajectories need little extra memory


def correlation(a: ArrayLike, b: ArrayLike | None = None, *, max_lag: int | None = None) -> NDArray[np.float64]:
    """Correlate two series, averaged over all time origins and summed over all columns.

    ``C[k] = 1/(F - k) * sum_t sum_c a[t, c] b[t + k, c]`` for ``0 <= k <= max_lag``, by the
    Wiener-Khinchin theorem with zero padding, so that the ends of the series do not meet.

    Parameters
    ----------
    a : (F, ...) array
        Frames along the first axis; all further axes are columns.
    b : (F, ...) array, optional
        Same shape as `a`; `a` itself (autocorrelation) if it is not given.
    max_lag : int, optional
        Longest lag in frames; ``F - 1`` if it is not given.

    Returns
    -------
    (max_lag + 1,) array
        In the unit of `a` times that of `b`.

    Raises
    ------
    ValueError
        When the shapes differ, there is no frame, or `max_lag` is not within ``0 ... F - 1``.
    """
    first = np.asarray(a, dtype=np.float64)
    second = first if b is None else np.asarray(b, dtype=np.float64)
    if first.ndim == 0 or len(first) == 0:
        raise ValueError(f"expected at least one frame along the first axis, got shape {first.shape}")
    if second.shape != first.shape:
        raise ValueError(f"expected two series of the same shape, got {first.shape} and {second.shape}")
    frames = len(first)
    lags = frames - 1 if max_lag is None else max_lag
    if not 0 <= lags < frames:
        raise ValueError(f"expected max_lag between 0 and {frames - 1} for {frames} frames, got {lags}")
    size = fft.next_fast_len(frames + lags, real=True)
    first, second = first.reshape(frames, -1), second.reshape(frames, -1)
    spectrum = np.zeros(size // 2 + 1, dtype=np.complex128)
    width = max(1, _BLOCK // size)
    for start in range(0, first.shape[1], width):
        columns = slice(start, start + width)
        fa = fft.rfft(first[:, columns], size, axis=0)
        fb = fa if b is None else fft.rfft(second[:, columns], size, axis=0)
        spectrum += np.einsum("fc,fc->f", fa.conj(), fb)
    total: NDArray[np.float64] = fft.irfft(spectrum, size)[: lags + 1]
    return total / (frames - np.arange(lags + 1))
