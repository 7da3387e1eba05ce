"""Radial and angular functions of NEP for eight central atoms, four neighbours of each at a time.

``g_n(r) = fc(r) sum_k C_nk T_k(x)`` and its derivative ``fc' sum_k C_nk T_k + fc x' sum_k C'_nk T_k`` need the
Chebyshev polynomials only; C and C' are made at load (`tables.chebyshev_values`, `radial.expansion`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.jit import device
from ..engine.radial import contract_pairs, expand, polynomials
from ..engine.simd import W, fma, ldf, ldi, load, load_splat, off, splat, stf, store, vmax, vmin, vsqrt, where_less
from ..engine.vector_math import sine_cosine
from .layout import GEOMETRY_WORDS, PAIR_WORDS, Head

HALF_PI, PI = 0.5 * np.pi, np.pi


@device
def cutoff_terms(r: Any, inverse: Any, out: Any, at: int) -> None:
    """Store fc, dfc/dr, x and dx/dr at words at .. at+3; fc vanishes exactly from the cutoff on."""
    y = r * inverse
    sine, cosine = sine_cosine(vmax((1.0 - y) * HALF_PI, splat(0.0)))
    u = vmin(y, splat(1.0)) - 1.0
    inside = splat(1.0)
    store(out, at * W, where_less(y, inside, sine * sine, splat(0.0)))
    store(out, (at + 1) * W, where_less(y, inside, -(inverse * PI * sine * cosine), splat(0.0)))
    store(out, (at + 2) * W, fma(u * 2.0, u, splat(-1.0)))
    store(out, (at + 3) * W, u * inverse * 4.0)


@device
def geometry(head: Head, floats: Any, species: Any, slots: Any, used: int, out: Any, work: Any) -> None:
    """Distances and cutoff functions of every slot."""
    table, types = off(floats, head.floats.pair), head.types
    own, row = off(work, head.area.types), off(work, head.area.rows)
    for k in range(used):
        slot, values = off(slots, 4 * k * W), off(out, k * GEOMETRY_WORDS * W)
        if types == 1:
            for p in range(PAIR_WORDS):
                store(row, p * W, load_splat(table, p))
            store(values, 9 * W, splat(0.0))
        else:
            for lane in range(W):
                other = ldi(species, int(ldf(slot, 3 * W + lane)))
                pair = int(ldf(own, lane)) * types + other
                stf(values, 9 * W + lane, float(pair))
                for p in range(PAIR_WORDS):
                    stf(row, p * W + lane, ldf(table, pair * PAIR_WORDS + p))
        x, y, z = load(slot, 0), load(slot, W), load(slot, 2 * W)
        r = vsqrt(fma(x, x, fma(y, y, z * z)))
        store(values, 0, 1.0 / r)
        cutoff_terms(r, load(row, 0), values, 1)
        cutoff_terms(r, load(row, W), values, 5)


@device
def radial_sums(head: Head, floats: Any, used: int, geometry: Any, slopes: Any, work: Any) -> None:
    """Add to q_n; one element: to the sums of fc T_k instead, and several: keep dg_n/dr in `slopes`."""
    types, count, functions = head.types, head.k_radial, head.radial
    T, rows, q = off(work, head.area.polynomials), off(work, head.area.rows), off(work, head.area.descriptors)
    sums, values = off(work, head.area.radial), off(rows, W * W)
    for first in range(0, used, 4):
        group = off(geometry, first * GEOMETRY_WORDS * W)
        polynomials(off(group, 3 * W), GEOMETRY_WORDS * W, count, T)
        step = GEOMETRY_WORDS * W
        if types == 1:
            f0, f1, f2, f3 = load(group, W), load(group, step + W), load(group, 2 * step + W), load(group, 3 * step + W)
            for k in range(count):
                t = off(T, 4 * k * W)
                both = fma(f0, load(t, 0), fma(f1, load(t, W), load(sums, k * W)))
                store(sums, k * W, fma(f2, load(t, 2 * W), fma(f3, load(t, 3 * W), both)))
        else:
            for slot in range(4):
                g = off(group, slot * step)
                table = off(floats, head.floats.radial)
                contract_pairs(table, head.groups_r, count, off(g, 9 * W), off(T, slot * W), rows, values)
                f, df, fdx = load(g, W), load(g, 2 * W), load(g, W) * load(g, 4 * W)
                for n in range(functions):
                    value = load(values, n * W)
                    store(q, n * W, fma(f, value, load(q, n * W)))
                    slope = fma(df, value, fdx * load(values, (functions + n) * W))
                    store(slopes, ((first + slot) * functions + n) * W, slope)


@device
def finish_radial(head: Head, floats: Any, work: Any) -> None:
    """One element: q_n from the sums of fc T_k."""
    q, sums, table = off(work, head.area.descriptors), off(work, head.area.radial), off(floats, head.floats.radial)
    count = head.k_radial
    for n in range(head.radial):
        total = splat(0.0)
        for k in range(count):
            total = fma(load_splat(table, 2 * (n * count + k)), load(sums, k * W), total)
        store(q, n * W, total)


@device
def radial_weights(head: Head, floats: Any, work: Any) -> None:
    """One element: sum_n dE/dq_n C_nk and the same of C'_nk, [k][2], in the place of the sums."""
    out, fp, table = (
        off(work, head.area.radial),
        off(work, head.area.descriptor_derivatives),
        off(floats, head.floats.radial),
    )
    count = head.k_radial
    for k in range(count):
        value = slope = splat(0.0)
        for n in range(head.radial):
            value = fma(load_splat(table, 2 * (n * count + k)), load(fp, n * W), value)
            slope = fma(load_splat(table, 2 * (n * count + k) + 1), load(fp, n * W), slope)
        store(out, 2 * k * W, value)
        store(out, (2 * k + 1) * W, slope)


@device
def radial_derivatives(head: Head, first: int, geometry: Any, slopes: Any, work: Any, out: Any) -> None:
    """sum_n dE/dq_n dg_n/dr of four slots, to out[0 .. 3]."""
    functions, count = head.radial, head.k_radial
    fp, T, weights = (
        off(work, head.area.descriptor_derivatives),
        off(work, head.area.polynomials),
        off(work, head.area.radial),
    )
    if head.types > 1:
        for slot in range(4):
            total = splat(0.0)
            for n in range(functions):
                slope = load(slopes, ((first + slot) * functions + n) * W)
                total = fma(load(fp, n * W), slope, total)
            store(out, slot * W, total)
        return
    group, step = off(geometry, first * GEOMETRY_WORDS * W), GEOMETRY_WORDS * W
    polynomials(off(group, 3 * W), GEOMETRY_WORDS * W, count, T)
    a0 = a1 = a2 = a3 = splat(0.0)
    b0 = b1 = b2 = b3 = splat(0.0)
    for k in range(count):
        e, d, t = load(weights, 2 * k * W), load(weights, (2 * k + 1) * W), off(T, 4 * k * W)
        t0, t1, t2, t3 = load(t, 0), load(t, W), load(t, 2 * W), load(t, 3 * W)
        a0, a1, a2, a3 = fma(e, t0, a0), fma(e, t1, a1), fma(e, t2, a2), fma(e, t3, a3)
        b0, b1, b2, b3 = fma(d, t0, b0), fma(d, t1, b1), fma(d, t2, b2), fma(d, t3, b3)
    store(out, 0, fma(load(group, 2 * W), a0, load(group, W) * load(group, 4 * W) * b0))
    g = off(group, step)
    store(out, W, fma(load(g, 2 * W), a1, load(g, W) * load(g, 4 * W) * b1))
    g = off(group, 2 * step)
    store(out, 2 * W, fma(load(g, 2 * W), a2, load(g, W) * load(g, 4 * W) * b2))
    g = off(group, 3 * step)
    store(out, 3 * W, fma(load(g, 2 * W), a3, load(g, W) * load(g, 4 * W) * b3))


@device
def angular_channels(head: Head, floats: Any, used: int, work: Any) -> None:
    """Channels g_n and g_n x/r, the variables y/r and z/r, and dg_n/dr of the near slots."""
    types, count, functions = head.types, head.k_angular, head.angular
    T, rows, geometry = off(work, head.area.polynomials), off(work, head.area.rows), off(work, head.area.near.geometry)
    table, values, stride = off(floats, head.floats.angular), off(rows, W * W), (head.channels + 3) * 4
    for first in range(0, used, 4):
        group = off(geometry, first * GEOMETRY_WORDS * W)
        polynomials(off(group, 7 * W), GEOMETRY_WORDS * W, count, T)
        F, G = (
            off(work, head.area.channels + first // 4 * stride * W),
            off(work, head.area.functions + first * functions * W),
        )
        if types == 1:
            for n in range(functions):
                expand(off(table, 2 * n * count), count, T, off(F, 4 * n * W), off(G, 4 * n * W))
        for slot in range(4):
            g = off(group, slot * GEOMETRY_WORDS * W)
            position = off(work, head.area.near.slots + 4 * (first + slot) * W)
            rinv = load(g, 0)
            x = load(position, 0) * rinv
            pq = off(work, head.area.variables + (2 * first + slot) * W)
            store(pq, 0, load(position, W) * rinv)
            store(pq, 4 * W, load(position, 2 * W) * rinv)
            f, df, fdx = load(g, 5 * W), load(g, 6 * W), load(g, 5 * W) * load(g, 8 * W)
            if types > 1:
                contract_pairs(table, head.groups_a, count, off(g, 9 * W), off(T, slot * W), rows, values)
            for n in range(functions):
                at = (4 * n + slot) * W
                value, slope = load(F, at), load(G, at)
                if types > 1:
                    value, slope = load(values, n * W), load(values, (functions + n) * W)
                store(F, at, f * value)
                store(F, at + 4 * functions * W, f * value * x)
                store(G, at, fma(df, value, fdx * slope))
