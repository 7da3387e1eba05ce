"""Distances and radial functions of the neighbours of one element, four slots of eight atoms at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.jit import device
from ..engine.radial import polynomials
from ..engine.simd import (
    W,
    fma,
    ldf,
    ldi,
    load,
    load_splat,
    mask_less,
    off,
    popcount,
    splat,
    stf,
    store,
    vmax,
    vmin,
    vsqrt,
    where_less,
)
from ..engine.vector_math import sine_cosine, vexp
from ..engine.zbl import screened_coulomb
from .layout import BESSEL, DENSITY, DISTANCE, EXP_COS, GEOMETRY_WORDS, POW, SCALARS, ZBL, Bond, Head

PI, HALF_PI = np.pi, 0.5 * np.pi
STEEP = 1e12  # 1/A, of a switch without width
FAR = 1e3  # A, beyond all neighbours


@device
def switch(r: Any, end: float, width: float) -> tuple[Any, Any]:
    """One below end - width and zero beyond end, by a polynomial with two smooth derivatives; and d/dr."""
    slope = 1.0 / width if width > 0.0 else STEEP
    x = vmin(splat(1.0), vmax(splat(-1.0), (r - end) * (-2.0 * slope) - 1.0))
    q = x * x
    value = fma(x, fma(q, fma(q, splat(3.0 / 16.0), splat(-5.0 / 8.0)), splat(15.0 / 16.0)), splat(0.5))
    change = fma(q, fma(q, splat(0.25), splat(-0.5)), splat(0.25)) * (-7.5 * slope)
    return value, change


@device
def cosine_switch(y: Any, slope: float) -> tuple[Any, Any]:
    """cos^2 y for y in 0 .. pi/2, and its derivative with dy/dr = slope."""
    s, c = sine_cosine(y)
    return c * c, s * c * (-2.0 * slope)


@device
def power(u: Any, bond: Bond, scale: float, out: Any) -> tuple[Any, Any]:
    """u^lambda and u^(lambda - 1) for u >= 0; the latter is zero at 0."""
    if bond.power > 0:
        below = splat(1.0)
        for _ in range(bond.power - 1):
            below = below * u
        return below * u, below
    store(out, 0, u)
    for lane in range(W):
        value = ldf(out, lane)
        stf(out, lane, value ** (scale - 1.0) if value > 0.0 else 0.0)
    below = load(out, 0)
    return below * u, below


@device
def variable(bond: Bond, scalars: Any, r: Any, out: Any) -> tuple[Any, Any, Any, Any]:
    """Weight and variable of the radial basis, each with its derivative; r is at most the cutoff."""
    cutoff, scale = ldf(scalars, SCALARS.cutoff), ldf(scalars, SCALARS.scale)
    one, zero = splat(1.0), splat(0.0)
    y = r * (HALF_PI / cutoff)
    if bond.kind == EXP_COS:
        least, dcut = ldf(scalars, SCALARS.offset), ldf(scalars, SCALARS.dcut)
        e = vexp(r * (-scale / cutoff))
        weight, slope = cosine_switch(y, HALF_PI / cutoff)
        if dcut > 0.0 and popcount(mask_less(splat(cutoff - dcut), r)) > 0:
            t = vmax(zero, (r - (cutoff - dcut)) * (HALF_PI / dcut))
            last, falling = cosine_switch(vmin(t, splat(HALF_PI)), HALF_PI / dcut)
            weight, slope = weight * last, fma(weight, falling, slope * last)
        factor = 2.0 / (1.0 - least)
        return weight, slope, 1.0 - (e - least) * factor, e * (factor * scale / cutoff)
    if bond.kind == POW:
        value, below = power(vmax(zero, 1.0 - r * (1.0 / cutoff)), bond, scale, out)
        return one, zero, 1.0 - value * 2.0, below * (2.0 * scale / cutoff)
    if bond.kind == BESSEL:
        minus, cosine = sine_cosine(y * 2.0 - HALF_PI)
        x, weight = -minus, cosine / (y * 2.0)
        return weight, (x - weight) / r, x, cosine * (-PI / cutoff)
    return one, zero, 1.0 - r * (1.0 / cutoff), splat(-1.0 / cutoff)


@device
def core_repulsion(head: Head, scalars: Any, r: Any, rinv: Any) -> tuple[Any, Any]:
    """Pair function of the core repulsion, and its derivative; r is below the cutoff."""
    cutoff, dcut = ldf(scalars, SCALARS.cutoff), ldf(scalars, SCALARS.dcut)
    strength, decay = ldf(scalars, SCALARS.strength), ldf(scalars, SCALARS.decay)
    if head.inner == ZBL:
        value, slope = screened_coulomb(r, rinv, splat(strength), splat(decay))
        t = vmax(splat(0.0), r - (cutoff - dcut))
        third, quarter = ldf(scalars, SCALARS.third), ldf(scalars, SCALARS.quarter)
        value = value + fma(t * t * t, fma(t, splat(quarter), splat(third)), splat(ldf(scalars, SCALARS.shift)))
        slope = fma(t * t, fma(t, splat(4.0 * quarter), splat(3.0 * third)), slope)
        factor, change = switch(r, cutoff, dcut)
        return value * factor, fma(value, change, slope * factor)
    q = r * r * decay
    value = where_less(q, splat(50.0), vexp(-q) * rinv * strength, splat(0.0))
    slope = -(value * fma(r, splat(2.0 * decay), rinv))
    factor, change = cosine_switch(r * (HALF_PI / cutoff), HALF_PI / cutoff)
    value, slope = value * factor, fma(value, change, slope * factor)
    if head.inner == DISTANCE:
        factor, change = switch(r, ldf(scalars, SCALARS.inner), ldf(scalars, SCALARS.width))
        value, slope = value * factor, fma(value, change, slope * factor)
    return value, slope


@device
def geometry(head: Head, bond: Bond, floats: Any, first: int, last: int, slots: Any, work: Any) -> None:
    """The words of the slots first .. last-1, and what `energies` wants to know of the nearest neighbour."""
    nearest = off(work, head.area.nearest)
    scalars = off(floats, head.floats.scalars + bond.scalars)
    cutoff, inner, width = ldf(scalars, SCALARS.cutoff), ldf(scalars, SCALARS.inner), ldf(scalars, SCALARS.width)
    zero, limit = splat(0.0), splat(cutoff)
    below = inner - width
    if head.inner == ZBL and width == 0.0:
        below = 1.0  # as pacemaker's evaluator does
    for k in range(first, last):
        x, y, z = load(slots, 4 * k * W), load(slots, (4 * k + 1) * W), load(slots, (4 * k + 2) * W)
        r = vsqrt(fma(x, x, fma(y, y, z * z)))
        rinv = 1.0 / r
        row = off(work, head.area.geometry + k * GEOMETRY_WORDS * W)
        store(row, 0, x * rinv)
        store(row, W, y * rinv)
        store(row, 2 * W, z * rinv)
        store(row, 3 * W, rinv)
        store(row, 10 * W, r)
        weight, slope, value, change = variable(bond, scalars, vmin(r, limit), off(row, 8 * W))
        if head.inner == DISTANCE and popcount(mask_less(r, splat(inner))) > 0:
            damped, falling = switch(r, inner, width)
            weight, slope = weight * (1.0 - damped), fma(weight, -falling, slope * (1.0 - damped))
        if head.inner == DENSITY or (head.inner == ZBL and width == 0.0):
            weight, slope = where_less(splat(below), r, weight, zero), where_less(splat(below), r, slope, zero)
        store(row, 4 * W, where_less(r, limit, weight, zero))
        store(row, 5 * W, where_less(r, limit, slope, zero))
        store(row, 6 * W, value)
        store(row, 7 * W, where_less(r, limit, change, zero))
        if head.core == 1:
            energy, push = core_repulsion(head, scalars, r, rinv)
            energy, push = where_less(r, limit, energy, zero), where_less(r, limit, push, zero)
            store(row, 8 * W, energy)
            store(row, 9 * W, push)
            store(nearest, W, load(nearest, W) + energy)
            reach, least = where_less(r, limit, r - (inner - width), splat(FAR)), load(nearest, 0)
            store(nearest, 2 * W, where_less(reach, least, splat(width), load(nearest, 2 * W)))
            store(nearest, 3 * W, where_less(reach, least, splat(float(k)), load(nearest, 3 * W)))
            store(nearest, 0, vmin(reach, least))


@device
def expand(c: Any, count: int, T: Any, group: Any, out: Any) -> None:
    """A radial function and its derivative for four slots."""
    step = GEOMETRY_WORDS * W
    for pair in range(0, 4, 2):
        a0 = a1 = b0 = b1 = splat(0.0)
        t = off(T, pair * W)
        for k in range(count):
            e, d = load_splat(c, 2 * k), load_splat(c, 2 * k + 1)
            t0, t1 = load(t, 4 * k * W), load(t, (4 * k + 1) * W)
            a0, a1 = fma(e, t0, a0), fma(e, t1, a1)
            b0, b1 = fma(d, t0, b0), fma(d, t1, b1)
        g0, g1 = off(group, pair * step), off(group, (pair + 1) * step)
        w0, w1 = load(g0, 4 * W), load(g1, 4 * W)
        store(out, pair * W, w0 * a0)
        store(out, (pair + 1) * W, w1 * a1)
        store(out, (pair + 4) * W, fma(load(g0, 5 * W), a0, w0 * load(g0, 7 * W) * b0))
        store(out, (pair + 5) * W, fma(load(g1, 5 * W), a1, w1 * load(g1, 7 * W) * b1))


@device
def radial_functions(head: Head, bond: Bond, ints: Any, floats: Any, rows: Any, T: Any, out: Any) -> None:
    """All radial functions of four slots: [radials][value, derivative][4]."""
    polynomials(off(rows, 6 * W), GEOMETRY_WORDS * W, bond.terms, T)
    series, lengths = off(floats, head.floats.series + bond.series), off(ints, head.ints.lengths + bond.lengths)
    for n in range(bond.radials):
        expand(off(series, 2 * n * bond.terms), ldi(lengths, n), T, rows, off(out, 8 * n * W))
