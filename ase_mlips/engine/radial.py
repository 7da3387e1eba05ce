"""Chebyshev expansions of pair functions, four neighbours of eight central atoms at a time.

With one element the coefficients are the same in all lanes.  With several they differ from pair to pair, so there the
eight lanes are eight functions of one pair, and eight such rows are transposed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from ..arrays import FloatArray
from .jit import device
from .packing import padded
from .simd import W, fma, ldf, load, load_splat, off, splat, store, transpose8


def expansion(values: FloatArray) -> FloatArray:
    """Table of the contraction over k of functions ``P_n = sum_k c[n, k, centre, neighbour] T_k``.

    For one element [n][k][2]: value and derivative with respect to the variable.  For several, rows of eight for each
    pair of types: [centre][neighbour][group][k][8] with P_0 .. P_n, P'_0 .. P'_n in a row of groups.
    """
    slopes = np.zeros_like(values)
    if values.shape[1] > 1:
        slopes[:, :-1] = np.moveaxis(chebyshev.chebder(np.moveaxis(values, 1, 0)), 0, 1)
    n, k, types, _ = values.shape
    if types == 1:
        return np.stack([values[:, :, 0, 0], slopes[:, :, 0, 0]], axis=-1)
    joined = np.zeros((padded(2 * n), k, types, types))
    joined[:n], joined[n : 2 * n] = values, slopes
    return np.ascontiguousarray(joined.reshape(-1, W, k, types, types).transpose(3, 4, 0, 2, 1))


@device
def polynomials(x: Any, step: int, count: int, out: Any) -> None:
    """T_0 .. T_{count-1} of four slots, [count][4]; their variables lie `step` doubles apart."""
    x0, x1, x2, x3 = load(x, 0), load(x, step), load(x, 2 * step), load(x, 3 * step)
    a0 = a1 = a2 = a3 = splat(1.0)
    b0, b1, b2, b3 = x0, x1, x2, x3
    x0, x1, x2, x3 = x0 + x0, x1 + x1, x2 + x2, x3 + x3
    for k in range(count):
        store(out, 4 * k * W, a0)
        store(out, (4 * k + 1) * W, a1)
        store(out, (4 * k + 2) * W, a2)
        store(out, (4 * k + 3) * W, a3)
        a0, b0 = b0, fma(x0, b0, -a0)
        a1, b1 = b1, fma(x1, b1, -a1)
        a2, b2 = b2, fma(x2, b2, -a2)
        a3, b3 = b3, fma(x3, b3, -a3)


@device
def contract_pairs(table: Any, groups: int, count: int, pairs: Any, T: Any, rows: Any, out: Any) -> None:
    """P_0 .., P'_0 .. of one slot whose eight pairs are of any types; `T` is [count][4], `out` [groups * 8]."""
    size = groups * count * W
    for v in range(groups):
        for lane in range(0, W, 4):
            c0 = off(table, int(ldf(pairs, lane)) * size + v * count * W)
            c1 = off(table, int(ldf(pairs, lane + 1)) * size + v * count * W)
            c2 = off(table, int(ldf(pairs, lane + 2)) * size + v * count * W)
            c3 = off(table, int(ldf(pairs, lane + 3)) * size + v * count * W)
            s0 = s1 = s2 = s3 = splat(0.0)
            for k in range(count):
                t = off(T, 4 * k * W + lane)
                s0 = fma(load(c0, k * W), load_splat(t, 0), s0)
                s1 = fma(load(c1, k * W), load_splat(t, 1), s1)
                s2 = fma(load(c2, k * W), load_splat(t, 2), s2)
                s3 = fma(load(c3, k * W), load_splat(t, 3), s3)
            store(rows, lane * W, s0)
            store(rows, (lane + 1) * W, s1)
            store(rows, (lane + 2) * W, s2)
            store(rows, (lane + 3) * W, s3)
        p = transpose8(
            load(rows, 0),
            load(rows, W),
            load(rows, 2 * W),
            load(rows, 3 * W),
            load(rows, 4 * W),
            load(rows, 5 * W),
            load(rows, 6 * W),
            load(rows, 7 * W),
        )
        for n in range(W):
            store(out, (v * W + n) * W, p[n])


@device
def expand(c: Any, count: int, T: Any, values: Any, slopes: Any) -> None:
    """sum_k C_k T_k and sum_k C'_k T_k of four slots, one function of one element."""
    a0 = a1 = a2 = a3 = splat(0.0)
    b0 = b1 = b2 = b3 = splat(0.0)
    for k in range(count):
        e, d, t = load_splat(c, 2 * k), load_splat(c, 2 * k + 1), off(T, 4 * k * W)
        t0, t1, t2, t3 = load(t, 0), load(t, W), load(t, 2 * W), load(t, 3 * W)
        a0, a1, a2, a3 = fma(e, t0, a0), fma(e, t1, a1), fma(e, t2, a2), fma(e, t3, a3)
        b0, b1, b2, b3 = fma(d, t0, b0), fma(d, t1, b1), fma(d, t2, b2), fma(d, t3, b3)
    store(values, 0, a0)
    store(values, W, a1)
    store(values, 2 * W, a2)
    store(values, 3 * W, a3)
    store(slopes, 0, b0)
    store(slopes, W, b1)
    store(slopes, 2 * W, b2)
    store(slopes, 3 * W, b3)
