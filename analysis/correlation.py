"""Time correlation by fast Fourier transform: the one implementation that every analysis shares."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from ase_mlips.arrays import FloatArray

from .kernels_correlation import add_products

_BLOCK = 1 << 18  # numbers transformed at once: 2 MB, which stay in the cache of a core from one step to the next
_TILE = 1024  # frames transposed at once, for the same reason
_LINE = 8  # columns transposed at once from a long series: the numbers in a line of the cache
# A long series is cut into stretches of about 2^13 to 2^17 frames, so that the lags are about one of them, or up to 2^4
# of the longest, or 2^4 still longer ones.
_SHORTEST, _LONGEST, _REACH = 13, 17, 4
_FEWEST = 4  # stretches; a shorter series is transformed as a whole
_TOGETHER = 8  # stretches, which vector instructions transform side by side
_KEPT = 16 << 20  # bytes, more than any array that is made anew for each block of columns


def correlation(a: ArrayLike, b: ArrayLike | None = None, *, max_lag: int | None = None) -> FloatArray:
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
        When the shapes differ, the series are not real, there is no frame, or `max_lag` is not within ``0 ... F - 1``.
    """
    first = np.asarray(a)
    second = first if b is None else np.asarray(b)
    for series in (first, second):
        if series.dtype.kind not in "biuf":
            raise ValueError(f"expected series of real numbers, got {series.dtype}")
    if first.ndim == 0 or len(first) == 0:
        raise ValueError(f"expected at least one frame along the first axis, got shape {first.shape}")
    if second.shape != first.shape:
        raise ValueError(f"expected two series of the same shape, got {first.shape} and {second.shape}")
    frames = len(first)
    _keep_memory()
    lags = number_of_lags(frames, max_lag)
    first, second = first.reshape(frames, -1), second.reshape(frames, -1)
    bits = int(lags).bit_length()
    stretches = -(-frames >> max(_SHORTEST, min(bits, _LONGEST), bits - _REACH))
    if stretches < _FEWEST:
        total = _at_once(first, None if b is None else second, lags)
    else:
        total = _by_stretches(first, None if b is None else second, lags, fft.next_fast_len(-(-frames // stretches)))
    return total[: lags + 1] / (frames - np.arange(lags + 1.0))


def _at_once(first: NDArray[Any], second: NDArray[Any] | None, lags: int) -> FloatArray:
    """Sums of products at all lags up to `lags` and beyond, with zeros behind the end."""
    size: int = fft.next_fast_len(len(first) + lags, real=True)
    spectrum = np.zeros(size // 2 + 1, dtype=np.float64 if second is None else np.complex128)
    width = max(1, _BLOCK // size)
    if second is None:
        for columns in _blocks(first, width):
            spectrum += _power(fft.rfft(columns, size), 1)[0]
    else:
        for one, other in zip(_blocks(first, width), _blocks(second, width), strict=True):
            spectrum += np.einsum("cf,cf->f", fft.rfft(one, size).conj(), fft.rfft(other, size))
    total: FloatArray = fft.irfft(spectrum, size)
    return total


def _by_stretches(first: NDArray[Any], second: NDArray[Any] | None, lags: int, stretch: int) -> FloatArray:
    """The same for many frames: what is transformed at once is a stretch of them, which a cache can hold.

    The lags from ``d stretch`` on are those of each stretch with the d-th and the next after it.  Padded with as many
    zeros, the latter stands `stretch` frames later, where its transform has the factor ``exp(-i pi k) = (-1)^k``.
    """
    count = 1 + lags // stretch
    products = np.zeros((count + 1, stretch + 1), np.complex128)
    others: Iterable[NDArray[Any] | None] = repeat(None) if second is None else _columns(second)
    for one, other in zip(_columns(first), others, strict=False):
        before: deque[NDArray[np.complex128]] = deque(maxlen=1 + -(-count // _TOGETHER))
        for start in range(0, len(first), _TOGETHER * stretch):
            before.appendleft(_spectra(one[start:], stretch))
            later = before[0] if other is None else _spectra(other[start:], stretch)
            for age, earlier in enumerate(before):
                add_products(earlier, later, age * _TOGETHER, products)
    products[:-1, ::2] += products[1:, ::2]
    products[:-1, 1::2] -= products[1:, 1::2]
    total: FloatArray = fft.irfft(products[:-1], 2 * stretch)[:, :stretch]
    return total.ravel()


def _columns(series: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """One column after the other; many are copied together, since a line of memory has numbers of eight."""
    if series.shape[1] <= _LINE:
        yield from series.T
    else:
        for block in _blocks(series, _LINE):
            yield from block


def _spectra(column: NDArray[Any], stretch: int) -> NDArray[np.complex128]:
    """Transforms of the first stretches of a column, each padded with as many zeros."""
    frames = min(len(column), _TOGETHER * stretch)
    values = np.empty(frames + -frames % stretch)
    values[:frames], values[frames:] = column[:frames], 0.0
    spectra: NDArray[np.complex128] = fft.rfft(values.reshape(-1, stretch), 2 * stretch)
    return spectra


def squared_displacements(positions: NDArray[Any], *, max_lag: int | None = None) -> FloatArray:
    """Windowed squared displacements, averaged over all time origins and summed over the atoms, for each direction.

    ``M[k, x] = 1/(F - k) sum_t sum_n (r[t + k, n, x] - r[t, n, x])^2``; the squares by running sums, the products
    by the transform of `correlation` (Calandrini et al., Collection SFN 12, 201 (2011), section 4.2).

    Parameters
    ----------
    positions : (F, N, 3) array
        Unwrapped.
    max_lag : int, optional
        Longest lag in frames; ``F - 1`` if it is not given.

    Returns
    -------
    (max_lag + 1, 3) array
        In the square of the unit of `positions`.
    """
    frames, _, axes = positions.shape
    _keep_memory()
    lags = number_of_lags(frames, max_lag)
    size: int = fft.next_fast_len(frames + lags, real=True)
    flat = positions.reshape(frames, -1)
    spectrum = np.zeros((axes, size // 2 + 1))
    squares = np.zeros((axes, frames))
    # Distances from a frame in the middle: the smaller the numbers, the less of the difference below is lost.
    for columns in _blocks(flat, axes * max(1, _BLOCK // (axes * size)), flat[frames // 2]):
        spectrum += _power(fft.rfft(columns, size), axes)
        groups = columns.reshape(-1, axes, frames)
        squares += np.einsum("gaf,gaf->af", groups, groups)
    products = fft.irfft(spectrum, size)[:, : lags + 1]
    sums = np.concatenate((np.zeros((axes, 1)), np.cumsum(squares, axis=1)), axis=1)
    k = np.arange(lags + 1)
    result = (sums[:, frames - k] + sums[:, -1:] - sums[:, k] - 2.0 * products) / (frames - k)
    result[:, 0] = 0.0
    return np.ascontiguousarray(result.T)


def _keep_memory() -> None:
    """Let the C library keep what transforms free, for the next one, instead of giving it back to the system.

    glibc maps arrays larger than the largest one freed so far, at first 128 kB, and takes new pages for each: half of
    the time of a transform.
    """
    np.empty(_KEPT, np.uint8)


def number_of_lags(frames: int, max_lag: int | None) -> int:
    """Longest lag in frames: that given, which must be within ``0 ... frames - 1``, or the longest there is."""
    lags = frames - 1 if max_lag is None else max_lag
    if not 0 <= lags < frames:
        raise ValueError(f"expected max_lag between 0 and {frames - 1} for {frames} frames, got {lags}")
    return lags


def _blocks(series: NDArray[Any], width: int, origin: NDArray[Any] | None = None) -> Iterator[FloatArray]:
    """Some columns at a time, relative to `origin`, contiguous in time; each block is overwritten by the next."""
    frames, count = series.shape
    buffer = np.empty((min(width, count), frames))
    for start in range(0, count, width):
        columns = series[:, start : start + width]
        block = buffer[: columns.shape[1]]
        shift = 0.0 if origin is None else origin[start : start + width, None]
        for first in range(0, frames, _TILE):
            rows = slice(first, first + _TILE)
            np.subtract(columns[rows].T, shift, out=block[:, rows])
        yield block


def _power(spectra: NDArray[np.complex128], groups: int) -> FloatArray:
    """Squared moduli, summed over every column c with the same ``c % groups``."""
    parts = spectra.reshape(-1, groups, spectra.shape[-1])
    power: FloatArray = np.einsum("cgf,cgf->gf", parts.real, parts.real)
    power += np.einsum("cgf,cgf->gf", parts.imag, parts.imag)
    return power
