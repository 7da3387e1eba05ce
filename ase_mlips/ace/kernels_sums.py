"""Sums over neighbours of radial functions times harmonics, and the forces that follow from their derivatives."""

from __future__ import annotations

from typing import Any

from ..engine.jit import device
from ..engine.simd import W, fma, ldi, load, load_splat, off, splat, store
from .layout import CHANNEL_WORDS, GEOMETRY_WORDS, Bond, Head


@device
def legendre(top: int, z: Any, b: Any, Q: Any) -> None:
    """Q_lm(z), see `tables`, at place ``l (l + 1) / 2 + m``."""
    for m in range(top + 1):
        before, now = splat(0.0), splat(1.0)
        place = m * (m + 1) // 2 + m
        for degree in range(m, top + 1):
            store(Q, place * W, now)
            before, now = now, fma(z, now, -(load_splat(b, place) * before))
            place += degree + 1


@device
def harmonics(top: int, row: Any, b: Any, Q: Any, Y: Any) -> None:
    """Q_lm Re w^m and Q_lm Im w^m of one of four slots, [(top + 1)^2][4], for each l in the order of `BondTables`."""
    x, y = load(row, 0), load(row, W)
    legendre(top, load(row, 2 * W), b, Q)
    re, im = splat(1.0), splat(0.0)
    for m in range(top + 1):
        for degree in range(m, top + 1):
            q = load(Q, (degree * (degree + 1) // 2 + m) * W)
            if m == 0:
                store(Y, 4 * degree * degree * W, q)
            else:
                at = 4 * (degree * degree + 2 * m - 1) * W
                store(Y, at, q * re)
                store(Y, at + 4 * W, q * im)
        re, im = fma(re, x, -(im * y)), fma(re, y, im * x)


@device
def add_sums(bond: Bond, channels: Any, table: Any, R: Any, Y: Any, nodes: Any) -> None:
    """Add four slots to all sums."""
    for degree in range(bond.top + 1):
        row = off(channels, degree * CHANNEL_WORDS)
        which, A = off(table, ldi(row, 1)), off(nodes, ldi(row, 2) * W)
        for n in range(ldi(row, 0)):
            r = off(R, 8 * ldi(which, n) * W)
            r0, r1, r2, r3 = load(r, 0), load(r, W), load(r, 2 * W), load(r, 3 * W)
            if degree == 0:
                store(A, 0, load(A, 0) + ((r0 + r1) + (r2 + r3)))
                A = off(A, W)
                continue
            y = off(Y, 4 * degree * degree * W)
            for _ in range(2 * degree + 1):
                even = fma(r0, load(y, 0), fma(r1, load(y, W), load(A, 0)))
                store(A, 0, fma(r2, load(y, 2 * W), fma(r3, load(y, 3 * W), even)))
                A, y = off(A, W), off(y, 4 * W)


@device
def pair_force(head: Head, bond: Bond, ints: Any, R: Any, Q: Any, row: Any, D: Any, out: Any) -> None:
    """p_ij of one slot from the derivatives D of the energy by the sums; Q has its Q_lm.

    With w = u_x + i u_y and the sums b_lm over channels of D R, the slot adds ``sum_lm Q_lm Re(w^m b_lm^*)`` to the
    energy, where b = b_c + i b_s.  Derivatives follow with Q'_lm = (l - m) Q_l,m+1 and the sums d_lm of D R'.
    """
    channels, table, top = off(ints, head.ints.channels + bond.channels), off(ints, head.ints.channels), bond.top
    zero = splat(0.0)
    x, y, z, rinv = load(row, 0), load(row, W), load(row, 2 * W), load(row, 3 * W)
    re, im, lower_re, lower_im = splat(1.0), zero, zero, zero
    gx = gy = gz = radial = zero
    for m in range(top + 1):
        value_c = value_s = slope_c = slope_s = radial_c = radial_s = zero
        for degree in range(m, top + 1):
            line, width = off(channels, degree * CHANNEL_WORDS), (2 * degree + 1) * W
            which, d = off(table, ldi(line, 1)), off(D, (ldi(line, 2) + (2 * m - 1 if m > 0 else 0)) * W)
            b_c = b_s = d_c = d_s = zero
            if m == 0:
                for n in range(ldi(line, 0)):
                    r, c = off(R, 8 * ldi(which, n) * W), load(d, 0)
                    b_c, d_c = fma(c, load(r, 0), b_c), fma(c, load(r, 4 * W), d_c)
                    d = off(d, width)
            else:
                for n in range(ldi(line, 0)):
                    r, c, s = off(R, 8 * ldi(which, n) * W), load(d, 0), load(d, W)
                    value, change = load(r, 0), load(r, 4 * W)
                    b_c, d_c = fma(c, value, b_c), fma(c, change, d_c)
                    b_s, d_s = fma(s, value, b_s), fma(s, change, d_s)
                    d = off(d, width)
            place = degree * (degree + 1) // 2 + m
            q = load(Q, place * W)
            value_c, value_s = fma(q, b_c, value_c), fma(q, b_s, value_s)
            radial_c, radial_s = fma(q, d_c, radial_c), fma(q, d_s, radial_s)
            if degree > m:
                dq = load(Q, (place + 1) * W) * float(degree - m)
                slope_c, slope_s = fma(dq, b_c, slope_c), fma(dq, b_s, slope_s)
        radial = fma(re, radial_c, fma(im, radial_s, radial))
        gz = fma(re, slope_c, fma(im, slope_s, gz))
        if m > 0:
            gx = fma(fma(lower_re, value_c, lower_im * value_s), splat(float(m)), gx)
            gy = fma(fma(lower_re, value_s, -(lower_im * value_c)), splat(float(m)), gy)
        lower_re, lower_im = re, im
        re, im = fma(re, x, -(im * y)), fma(re, y, im * x)
    radial = fma(-rinv, fma(gx, x, fma(gy, y, gz * z)), radial)
    store(out, 0, fma(radial, x, gx * rinv))
    store(out, W, fma(radial, y, gy * rinv))
    store(out, 2 * W, fma(radial, z, gz * rinv))


@device
def pair_forces(head: Head, bond: Bond, ints: Any, floats: Any, first: int, last: int, work: Any) -> None:
    """p_ij of the slots first .. last-1, which are of this bond."""
    Q, b = off(work, head.area.legendre), off(floats, head.floats.recursion)
    D = off(work, head.area.derivatives)
    for k in range(first, last):
        row = off(work, head.area.geometry + k * GEOMETRY_WORDS * W)
        R = off(work, head.area.radials + (k // 4 * 8 * head.radials + k % 4) * W)
        legendre(bond.top, load(row, 2 * W), b, Q)
        pair_force(head, bond, ints, R, Q, row, D, off(work, head.area.forces + 3 * k * W))
