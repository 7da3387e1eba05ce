"""Sums over neighbours with their tangents along displacements of all atoms, for eight atoms of one type.

Neighbours are taken type by type, so that all lanes of a slot have one pair of types.  The sums are those of the
polynomials, ``sum_j fc T_k`` and ``sum_j fc T_k (y/r)^b (z/r)^c`` (without and with a factor x/r), because functions
and the derivatives with respect to their coefficients follow from these without a second loop over neighbours.
"""

from __future__ import annotations

from typing import Any

from ..engine.jit import device
from ..engine.lanes import sum_tile
from ..engine.simd import W, fma, ldf, ldi, load, load_splat, off, splat, stf, store, transpose8, vsqrt
from .kernels_basis import cutoff_terms
from .layout import Head
from .layout_training import CHANNELS, FRAME_WORDS, MOVE_WORDS, TERMS_WORDS, TrainingHead


@device
def displacement(moves: Any, slot: Any) -> Any:
    """u of the neighbours in one slot."""
    u = transpose8(
        load(moves, int(ldf(slot, 3 * W)) * MOVE_WORDS),
        load(moves, int(ldf(slot, 3 * W + 1)) * MOVE_WORDS),
        load(moves, int(ldf(slot, 3 * W + 2)) * MOVE_WORDS),
        load(moves, int(ldf(slot, 3 * W + 3)) * MOVE_WORDS),
        load(moves, int(ldf(slot, 3 * W + 4)) * MOVE_WORDS),
        load(moves, int(ldf(slot, 3 * W + 5)) * MOVE_WORDS),
        load(moves, int(ldf(slot, 3 * W + 6)) * MOVE_WORDS),
        load(moves, int(ldf(slot, 3 * W + 7)) * MOVE_WORDS),
    )
    return u[0], u[1], u[2]


@device
def directions(train: TrainingHead, moves: Any, slots: Any, inverse: Any, angular: int, work: Any) -> None:
    """Of four slots: cutoff terms, y/r and z/r, and the tangents along ``d_ij = u_i - u_j + e r_ij + m r_ij^2``.

    `inverse` are the reciprocal cutoffs of the pair of types; the strain e, m and u_i are in the area `strain`.
    """
    own, pq, out = off(work, train.area.strain), off(work, train.area.variables), off(work, train.area.directions)
    for k in range(4):
        slot, terms = off(slots, 4 * k * W), off(work, train.area.terms + k * TERMS_WORDS * W)
        x, y, z = load(slot, 0), load(slot, W), load(slot, 2 * W)
        ux, uy, uz = displacement(moves, slot)
        square = fma(x, x, fma(y, y, z * z))
        dx = fma(load(own, 9 * W), square, load(own, 12 * W) - ux)
        dy = fma(load(own, 10 * W), square, load(own, 13 * W) - uy)
        dz = fma(load(own, 11 * W), square, load(own, 14 * W) - uz)
        dx = fma(load(own, 0), x, fma(load(own, W), y, fma(load(own, 2 * W), z, dx)))
        dy = fma(load(own, 3 * W), x, fma(load(own, 4 * W), y, fma(load(own, 5 * W), z, dy)))
        dz = fma(load(own, 6 * W), x, fma(load(own, 7 * W), y, fma(load(own, 8 * W), z, dz)))
        r = vsqrt(square)
        rinv = 1.0 / r
        x, y, z = x * rinv, y * rinv, z * rinv
        rate = fma(x, dx, fma(y, dy, z * dz))
        store(out, k * W, rate)
        cutoff_terms(r, load_splat(inverse, 0), terms, 0)
        if angular == 1:
            cutoff_terms(r, load_splat(inverse, 1), terms, 4)
            store(pq, k * W, y)
            store(pq, (4 + k) * W, z)
            store(out, (4 + k) * W, (dx - x * rate) * rinv)
            store(out, (8 + k) * W, (dy - y * rate) * rinv)
            store(out, (12 + k) * W, (dz - z * rate) * rinv)
            store(out, (16 + k) * W, x)


@device
def add_radial(terms: Any, rates: Any, count: int, sums: Any) -> None:
    """Add fc T_k of two slots to ``sums[k]`` and its tangents to ``sums[count + k]``."""
    f0, x0, f1, x1 = load(terms, 0), load(terms, 2 * W), load(terms, TERMS_WORDS * W), load(terms, 10 * W)
    v0, v1 = load(rates, 0), load(rates, W)
    p0, p1 = f0 * load(terms, 3 * W) * v0, f1 * load(terms, 11 * W) * v1
    s0, s1 = load(terms, W) * v0, load(terms, 9 * W) * v1
    a0 = a1 = d0 = d1 = splat(1.0)
    c0 = c1 = splat(0.0)
    b0, b1 = x0, x1
    x0, x1 = x0 + x0, x1 + x1
    for k in range(count):
        store(sums, k * W, fma(f0, a0, fma(f1, a1, load(sums, k * W))))
        tangent = fma(s0, a0, fma(p0, c0, fma(s1, a1, fma(p1, c1, load(sums, (count + k) * W)))))
        store(sums, (count + k) * W, tangent)
        c0, d0 = d0, fma(x0, d0, fma(splat(2.0), b0, -c0))
        c1, d1 = d1, fma(x1, d1, fma(splat(2.0), b1, -c1))
        a0, b0 = b0, fma(x0, b0, -a0)
        a1, b1 = b1, fma(x1, b1, -a1)


@device
def fill_channels(train: TrainingHead, count: int, work: Any) -> None:
    """Channels of four slots: see `layout_training.CHANNELS`."""
    step = 4 * count * W
    for slot in range(4):
        terms = off(work, train.area.terms + (slot * TERMS_WORDS + 4) * W)
        d, out = off(work, train.area.directions + slot * W), off(work, train.area.channels + slot * W)
        f, x, rate, unit = load(terms, 0), load(terms, 2 * W), load(d, 0), load(d, 16 * W)
        p, s = f * load(terms, 3 * W) * rate, load(terms, W) * rate
        vx, vy, vz = load(d, 4 * W), load(d, 8 * W), load(d, 12 * W)
        a, b, c, e = splat(1.0), x, splat(0.0), splat(1.0)  # T_k, T_k+1 and their derivatives
        x = x + x
        for k in range(count):
            value, tangent, at = f * a, fma(s, a, p * c), 4 * k * W
            odd = value * unit
            store(out, at, value)
            store(out, at + step, tangent)
            store(out, at + 2 * step, value * vy)
            store(out, at + 3 * step, value * vz)
            store(out, at + 4 * step, odd)
            store(out, at + 5 * step, fma(tangent, unit, value * vx))
            store(out, at + 6 * step, odd * vy)
            store(out, at + 7 * step, odd * vz)
            c, e = e, fma(x, e, fma(splat(2.0), b, -c))
            a, b = b, fma(x, b, -a)


@device
def add_angular(train: TrainingHead, count: int, limits: Any, offsets: Any, sums: Any, work: Any) -> None:
    """Add four slots to the sums of all channels."""
    fill_channels(train, count, work)
    F, pq = off(work, train.area.channels), off(work, train.area.variables)
    for ch in range(0, CHANNELS * count, 4):
        sum_tile(off(F, 4 * ch * W), pq, off(limits, ch), off(offsets, ch), sums)


@device
def fold(limit: int, count: int, tangents: Any, by_y: Any, by_z: Any) -> None:
    """Complete the tangents of y^b z^c sums by those of y and z, whose sums go to one power less."""
    width, less = (limit + 1) * (limit + 2) // 2, limit * (limit + 1) // 2
    for k in range(count):
        e = k * width * W
        for b in range(limit + 1):
            for c in range(limit + 1 - b):
                total = load(tangents, e)
                if b > 0:
                    place = k * less + (b - 1) * limit - (b - 1) * (b - 2) // 2 + c
                    total = fma(splat(float(b)), load(by_y, place * W), total)
                if c > 0:
                    place = k * less + b * limit - b * (b - 1) // 2 + c - 1
                    total = fma(splat(float(c)), load(by_z, place * W), total)
                store(tangents, e, total)
                e += W


@device
def fold_all(head: Head, train: TrainingHead, sums: Any) -> None:
    """`fold` for the sums of one type of neighbours, without and with x/r."""
    count, even, odd, less = head.k_angular, train.even, train.odd, train.odd_tangents
    size = count * W
    rest = off(sums, (2 * even + 2 * odd) * size)
    fold(head.l_max, count, off(sums, even * size), off(sums, 2 * even * size), off(sums, (2 * even + odd) * size))
    if head.l_max > 0:
        y, z = off(rest, 2 * odd * size), off(rest, (2 * odd + less) * size)
        fold(head.l_max - 1, count, off(rest, odd * size), y, z)


@device
def strided_tile(weights: Any, count: int, x: Any, stride: int, out: Any) -> None:
    """Four rows of a dense matrix, `weights` [count][8], times `count` lane vectors `stride` vectors apart."""
    s0 = s1 = s2 = s3 = splat(0.0)
    for k in range(count):
        v, c = load(x, k * stride * W), off(weights, k * W)
        s0, s1 = fma(load_splat(c, 0), v, s0), fma(load_splat(c, 1), v, s1)
        s2, s3 = fma(load_splat(c, 2), v, s2), fma(load_splat(c, 3), v, s3)
    store(out, 0, s0)
    store(out, W, s1)
    store(out, 2 * W, s2)
    store(out, 3 * W, s3)


@device
def mix(weights: Any, functions: int, count: int, source: Any, width: int, out: Any, tile: Any) -> None:
    """``out[n][e] += sum_k weights[n][k] source[k][e]`` for e < width; `weights` by tiles of eight n."""
    for first in range(0, functions, 4):
        half = off(weights, first // W * W * count + first % W)
        for e in range(width):
            strided_tile(half, count, off(source, e * W), width, tile)
            for n in range(min(4, functions - first)):
                at = ((first + n) * width + e) * W
                store(out, at, load(out, at) + load(tile, n * W))


@device
def correlate(functions: int, count: int, width: int, adjoints: Any, sources: Any, out: Any) -> None:
    """``out[n][k] += sum_e (a[n][e] s[k][e] + b[n][e] t[k][e])`` with ``(a, b)`` and ``(s, t)``; rows are in fours."""
    a, b = adjoints
    s, t = sources
    columns, step = (count + 3) // 4 * 4, width * W
    for n in range(functions):
        for k in range(0, count, 4):
            row = off(out, (n * columns + k) * W)
            g0, g1, g2, g3 = load(row, 0), load(row, W), load(row, 2 * W), load(row, 3 * W)
            for e in range(width):
                at, place = (k * width + e) * W, (n * width + e) * W
                p, q = load(a, place), load(b, place)
                g0 = fma(p, load(s, at), fma(q, load(t, at), g0))
                g1 = fma(p, load(s, at + step), fma(q, load(t, at + step), g1))
                g2 = fma(p, load(s, at + 2 * step), fma(q, load(t, at + 2 * step), g2))
                g3 = fma(p, load(s, at + 3 * step), fma(q, load(t, at + 3 * step), g3))
            store(row, 0, g0)
            store(row, W, g1)
            store(row, 2 * W, g2)
            store(row, 3 * W, g3)


@device
def own_motion(train: TrainingHead, moves: Any, frames: Any, owners: Any, members: Any, n: int, work: Any) -> Any:
    """Motion of the frame (twelve vectors) and u (three) of eight atoms to the area `strain`.

    Returns the factors of their energies.
    """
    from_atom = off(work, train.area.strain)
    for lane in range(W):
        i = ldi(members, lane)
        frame = ldi(owners, i) if i < n else 0
        for axis in range(FRAME_WORDS):
            stf(from_atom, axis * W + lane, ldf(frames, FRAME_WORDS * frame + axis) if i < n else 0.0)
        for axis in range(MOVE_WORDS):
            stf(from_atom, (FRAME_WORDS + axis) * W + lane, ldf(moves, MOVE_WORDS * i + axis))
    return load(from_atom, (FRAME_WORDS + 3) * W)
