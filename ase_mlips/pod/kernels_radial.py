"""Radial functions of POD and their slopes, for one slot of eight lanes.

Within the table they are piecewise polynomials.  There the eight lanes are eight functions of one pair, because every
pair has its own piece, and eight such rows are transposed.  Pairs that are nearer than the table begins take the way
over the snapshots that defines the functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.jit import device
from ..engine.simd import (
    W,
    fma,
    ldf,
    load,
    load_splat,
    mask_less,
    off,
    popcount,
    splat,
    store,
    transpose8,
    vabs,
    vmax,
    vmin,
    vrint,
    vsqrt,
    where_less,
)
from ..engine.vector_math import sine_cosine, vexp
from .layout import DEGREE, Head

PI = np.pi
SMOOTHING = 1e-6
SLOW, MIDDLE, FAST = 1e-3, 2.0, 4.0  # decay alpha of the three kinds of Bessel functions


@device
def radial_functions(head: Head, floats: Any, r: Any, work: Any, out: Any) -> None:
    """R_m [0 .. radial) and, behind whole groups of eight, R'_m at the distances r; all zero from rcut on."""
    scalars = off(floats, head.floats.scalars)
    rcut, start, inverse = splat(ldf(scalars, 1)), ldf(scalars, 2), ldf(scalars, 3)
    variable, rows = off(work, head.area.radial), off(work, head.area.radial + W)
    store(variable, 0, vmin(vmax((r - start) * inverse, splat(0.0)), splat(head.pieces - 1e-6)))
    inside = where_less(r, rcut, splat(1.0), splat(0.0))
    scale, width = inside * (2.0 * inverse), head.groups * W
    for group in range(head.groups):
        table = off(floats, head.floats.pieces + group * (DEGREE + 1) * W)
        for lane in range(0, W, 2):
            two_lanes(table, head.groups, off(variable, lane), off(rows, lane * W))
        for part in range(2):
            v = _transposed(off(rows, part * W * W))
            factor = inside if part == 0 else scale
            for n in range(W):
                store(out, (part * width + group * W + n) * W, v[n] * factor)
    if popcount(mask_less(r, splat(start))) > 0:
        near_functions(head, floats, r, work, out)


@device
def two_lanes(table: Any, groups: int, variable: Any, rows: Any) -> None:
    """Eight functions of the pairs in two lanes, and 64 doubles behind them their slopes."""
    x0, x1 = ldf(variable, 0), ldf(variable, 1)
    k0, k1 = int(x0), int(x1)
    u0, u1 = splat(2.0 * (x0 - k0) - 1.0), splat(2.0 * (x1 - k1) - 1.0)
    step = groups * (DEGREE + 1) * W
    c0, c1 = off(table, k0 * step), off(table, k1 * step)
    v0, v1 = load(c0, DEGREE * W), load(c1, DEGREE * W)
    s0 = s1 = splat(0.0)
    for power in range(DEGREE - 1, -1, -1):
        s0, s1 = fma(s0, u0, v0), fma(s1, u1, v1)
        v0, v1 = fma(v0, u0, load(c0, power * W)), fma(v1, u1, load(c1, power * W))
    store(rows, 0, v0)
    store(rows, W, v1)
    store(rows, W * W, s0)
    store(rows, W * W + W, s1)


@device
def _transposed(rows: Any) -> Any:
    return transpose8(
        load(rows, 0),
        load(rows, W),
        load(rows, 2 * W),
        load(rows, 3 * W),
        load(rows, 4 * W),
        load(rows, 5 * W),
        load(rows, 6 * W),
        load(rows, 7 * W),
    )


@device
def near_functions(head: Head, floats: Any, r: Any, work: Any, out: Any) -> None:
    """Replace the functions of pairs nearer than the table begins by sums of snapshots."""
    start, count = splat(ldf(floats, head.floats.scalars + 2)), 3 * head.bessel + head.inverse
    values, slopes = off(work, head.area.snapshots), off(work, head.area.snapshots + count * W)
    snapshots(head, floats, r, values, slopes)
    phi, width = off(floats, head.floats.expansion), head.groups * W
    for m in range(head.radial):
        value = slope = splat(0.0)
        for k in range(count):
            c = load_splat(phi, m * count + k)
            value, slope = fma(c, load(values, k * W), value), fma(c, load(slopes, k * W), slope)
        store(out, m * W, where_less(r, start, value, load(out, m * W)))
        at = (width + m) * W
        store(out, at, where_less(r, start, slope, load(out, at)))


@device
def snapshots(head: Head, floats: Any, r: Any, values: Any, slopes: Any) -> None:
    """The functions that the modes are made of: Bessel functions of three decays, then inverse powers."""
    scalars = off(floats, head.floats.scalars)
    rin, R = ldf(scalars, 0), ldf(scalars, 1) - ldf(scalars, 0)
    s = r - rin
    y = s * (1.0 / R)
    w = fma(y * y, -y, splat(1.0))
    q = fma(w, w, splat(SMOOTHING))
    root = vsqrt(q)
    fc = vexp(1.0 - 1.0 / root)
    dfc = y * y * w * fc * (-3.0 / R) / (q * root)
    for kind in range(3):
        decay = SLOW if kind == 0 else MIDDLE if kind == 1 else FAST
        t = y * decay
        norm = 1.0 / (1.0 - np.exp(-decay))
        x, dx = one_minus_exp(t) * norm, vexp(-t) * (decay * norm / R)
        at = kind * head.bessel * W
        bessel(head.bessel, R, x, dx, s, fc, dfc, off(values, at), off(slopes, at))
    inverse = 1.0 / r
    power, at = inverse, 3 * head.bessel * W
    for i in range(1, head.inverse + 1):
        store(values, at, fc * power)
        store(slopes, at, fma(fc * power, inverse * -float(i), dfc * power))
        power, at = power * inverse, at + W


@device
def bessel(count: int, R: float, x: Any, dx: Any, s: Any, fc: Any, dfc: Any, values: Any, slopes: Any) -> None:
    """fc sqrt(2/R)/i sin(i pi x)/s for i = 1 .. count, by the recursion of sines and cosines."""
    whole = vrint(x)
    half = whole * 0.5
    sign = 1.0 - vabs(half - vrint(half)) * 4.0  # (-1)^whole
    sine, cosine = sine_cosine((x - whole) * PI)
    sine, cosine = sine * sign, cosine * sign
    before, now = splat(0.0), sine
    cos_before, cos_now, double, inverse = splat(1.0), cosine, cosine * 2.0, 1.0 / s
    norm = np.sqrt(2.0 / R)
    for i in range(1, count + 1):
        ratio = now * inverse * (norm / i)
        change = fma(dx * cos_now, splat(norm * PI), -ratio) * inverse
        store(values, (i - 1) * W, fc * ratio)
        store(slopes, (i - 1) * W, fma(dfc, ratio, fc * change))
        before, now = now, fma(double, now, -before)
        cos_before, cos_now = cos_now, fma(double, cos_now, -cos_before)


@device
def one_minus_exp(t: Any) -> Any:
    """1 - exp(-t), also where t is small."""
    series = splat(1.0 / 13.0)
    for n in range(12, 1, -1):
        series = fma(series * t, splat(-1.0), splat(1.0)) * (1.0 / n)
    series = fma(series * t, splat(-1.0), splat(1.0)) * t
    return where_less(vabs(t), splat(0.5), series, 1.0 - vexp(-t))
