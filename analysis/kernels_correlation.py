"""Kernel of the correlation of long series: products of the transforms of their stretches."""

from __future__ import annotations

from typing import Any

import numpy as np

from ase_mlips.engine.jit import kernel

_TILE = 128  # frequencies whose transforms of some stretches stay in the nearest cache


@kernel
def add_products(earlier: Any, later: Any, ahead: int, products: Any) -> None:
    """Add ``sum conj(earlier[i]) later[j]`` over all i, j with ``ahead + j - i = d`` to ``products[d]``, for all d.

    `earlier` (A, F) and `later` (B, F) are transforms of stretches, of which the first of `later` is that many `ahead`
    of the first of `earlier`; `products` is (D, F).  All are complex.
    """
    count, width = products.shape
    first = max(0, ahead + 1 - count)  # of `earlier`; those before it are too far away
    rows, others = earlier.shape[0] - first, min(later.shape[0], count - ahead + earlier.shape[0] - 1)
    ahead -= first
    a_real, a_imag = np.zeros((rows, _TILE)), np.zeros((rows, _TILE))
    b_real, b_imag = np.zeros((others, _TILE)), np.zeros((others, _TILE))
    real, imag = np.empty(_TILE), np.empty(_TILE)
    for begin in range(0, width, _TILE):
        size = min(_TILE, width - begin)
        for i in range(rows):
            for k in range(size):
                a = earlier[first + i, begin + k]
                a_real[i, k], a_imag[i, k] = a.real, a.imag
        for j in range(others):
            for k in range(size):
                b = later[j, begin + k]
                b_real[j, k], b_imag[j, k] = b.real, b.imag
        for d in range(max(0, ahead + 1 - rows), min(count, ahead + others)):
            real[:] = 0.0
            imag[:] = 0.0
            for j in range(max(0, d - ahead), min(others, d - ahead + rows)):
                i = ahead + j - d
                for k in range(_TILE):
                    real[k] += a_real[i, k] * b_real[j, k] + a_imag[i, k] * b_imag[j, k]
                    imag[k] += a_real[i, k] * b_imag[j, k] - a_imag[i, k] * b_real[j, k]
            for k in range(size):
                products[d, begin + k] += complex(real[k], imag[k])
