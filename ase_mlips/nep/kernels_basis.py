"""Radial and angular functions of NEP for eight central atoms, four neighbours of each at a time.

``g_n(r) = fc(r) sum_k C_nk T_k(x)`` and its derivative ``fc' sum_k C_nk T_k + fc x' sum_k C'_nk T_k`` need the
Chebyshev polynomials only; C and C' are made at load (`tables.chebyshev_pairs`).  With one element the coefficients are
the same in all lanes.  With several they differ from pair to pair, so there the eight lanes are eight functions of one
pair, and eight such rows are transposed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import device
from ..simd import W, fma, ldf, ldi, load, load_splat, off, splat, stf, store, transpose8, vmax, vmin, vsqrt, where_less
from ..vector_math import sine_cosine
from .layout import *

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
def geometry(head: Any, floats: Any, species: Any, slots: Any, used: int, out: Any, work: Any) -> None:
    """Distances and cutoff functions of every slot."""
    table, types = off(floats, ldi(head, F_PAIR)), ldi(head, TYPES)
    own, row = off(work, ldi(head, A_TYPES)), off(work, ldi(head, A_ROWS))
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
def polynomials(geometry: Any, word: int, count: int, out: Any) -> None:
    """T_0 .. T_{count-1} of four slots, [count][4]; x is word `word` of the geometry."""
    step = GEOMETRY_WORDS * W
    x0, x1 = load(geometry, word * W), load(geometry, word * W + step)
    x2, x3 = load(geometry, word * W + 2 * step), load(geometry, word * W + 3 * step)
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
def radial_sums(head: Any, floats: Any, used: int, geometry: Any, slopes: Any, work: Any) -> None:
    """Add to q_n; one element: to the sums of fc T_k instead, and several: keep dg_n/dr in `slopes`."""
    types, count, functions = ldi(head, TYPES), ldi(head, K_RADIAL), ldi(head, RADIAL)
    T, rows, q = off(work, ldi(head, A_T)), off(work, ldi(head, A_ROWS)), off(work, ldi(head, A_Q))
    sums, values = off(work, ldi(head, A_RADIAL)), off(rows, W * W)
    for first in range(0, used, 4):
        group = off(geometry, first * GEOMETRY_WORDS * W)
        polynomials(group, 3, count, T)
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
                table = off(floats, ldi(head, F_RADIAL))
                contract_pairs(table, ldi(head, GROUPS_R), count, off(g, 9 * W), off(T, slot * W), rows, values)
                f, df, fdx = load(g, W), load(g, 2 * W), load(g, W) * load(g, 4 * W)
                for n in range(functions):
                    value = load(values, n * W)
                    store(q, n * W, fma(f, value, load(q, n * W)))
                    slope = fma(df, value, fdx * load(values, (functions + n) * W))
                    store(slopes, ((first + slot) * functions + n) * W, slope)


@device
def finish_radial(head: Any, floats: Any, work: Any) -> None:
    """One element: q_n from the sums of fc T_k."""
    q, sums, table = off(work, ldi(head, A_Q)), off(work, ldi(head, A_RADIAL)), off(floats, ldi(head, F_RADIAL))
    count = ldi(head, K_RADIAL)
    for n in range(ldi(head, RADIAL)):
        total = splat(0.0)
        for k in range(count):
            total = fma(load_splat(table, 2 * (n * count + k)), load(sums, k * W), total)
        store(q, n * W, total)


@device
def radial_weights(head: Any, floats: Any, work: Any) -> None:
    """One element: sum_n dE/dq_n C_nk and the same of C'_nk, [k][2], in the place of the sums."""
    out, fp, table = off(work, ldi(head, A_RADIAL)), off(work, ldi(head, A_FP)), off(floats, ldi(head, F_RADIAL))
    count = ldi(head, K_RADIAL)
    for k in range(count):
        value = slope = splat(0.0)
        for n in range(ldi(head, RADIAL)):
            value = fma(load_splat(table, 2 * (n * count + k)), load(fp, n * W), value)
            slope = fma(load_splat(table, 2 * (n * count + k) + 1), load(fp, n * W), slope)
        store(out, 2 * k * W, value)
        store(out, (2 * k + 1) * W, slope)


@device
def radial_derivatives(head: Any, first: int, geometry: Any, slopes: Any, work: Any, out: Any) -> None:
    """sum_n dE/dq_n dg_n/dr of four slots, to out[0 .. 3]."""
    functions, count = ldi(head, RADIAL), ldi(head, K_RADIAL)
    fp, T, weights = off(work, ldi(head, A_FP)), off(work, ldi(head, A_T)), off(work, ldi(head, A_RADIAL))
    if ldi(head, TYPES) > 1:
        for slot in range(4):
            total = splat(0.0)
            for n in range(functions):
                slope = load(slopes, ((first + slot) * functions + n) * W)
                total = fma(load(fp, n * W), slope, total)
            store(out, slot * W, total)
        return
    group, step = off(geometry, first * GEOMETRY_WORDS * W), GEOMETRY_WORDS * W
    polynomials(group, 3, count, T)
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
def angular_channels(head: Any, floats: Any, used: int, work: Any) -> None:
    """Channels g_n and g_n x/r, the variables y/r and z/r, and dg_n/dr of the near slots."""
    types, count, functions = ldi(head, TYPES), ldi(head, K_ANGULAR), ldi(head, ANGULAR)
    T, rows, geometry = off(work, ldi(head, A_T)), off(work, ldi(head, A_ROWS)), off(work, ldi(head, A_GEOMETRY_NEAR))
    table, values, stride = off(floats, ldi(head, F_ANGULAR)), off(rows, W * W), (ldi(head, CHANNELS) + 3) * 4
    for first in range(0, used, 4):
        group = off(geometry, first * GEOMETRY_WORDS * W)
        polynomials(group, 7, count, T)
        F, G = off(work, ldi(head, A_F) + first // 4 * stride * W), off(work, ldi(head, A_G) + first * functions * W)
        if types == 1:
            for n in range(functions):
                _expand(off(table, 2 * n * count), count, T, off(F, 4 * n * W), off(G, 4 * n * W))
        for slot in range(4):
            g = off(group, slot * GEOMETRY_WORDS * W)
            position = off(work, ldi(head, A_NEAR) + 4 * (first + slot) * W)
            rinv = load(g, 0)
            x = load(position, 0) * rinv
            pq = off(work, ldi(head, A_PQ) + (2 * first + slot) * W)
            store(pq, 0, load(position, W) * rinv)
            store(pq, 4 * W, load(position, 2 * W) * rinv)
            f, df, fdx = load(g, 5 * W), load(g, 6 * W), load(g, 5 * W) * load(g, 8 * W)
            if types > 1:
                contract_pairs(table, ldi(head, GROUPS_A), count, off(g, 9 * W), off(T, slot * W), rows, values)
            for n in range(functions):
                at = (4 * n + slot) * W
                value, slope = load(F, at), load(G, at)
                if types > 1:
                    value, slope = load(values, n * W), load(values, (functions + n) * W)
                store(F, at, f * value)
                store(F, at + 4 * functions * W, f * value * x)
                store(G, at, fma(df, value, fdx * slope))


@device
def _expand(c: Any, count: int, T: Any, values: Any, slopes: Any) -> None:
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
