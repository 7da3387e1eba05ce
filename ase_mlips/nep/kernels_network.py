"""From the moments of eight atoms to their energies and back: invariants, network, derivatives."""

from __future__ import annotations

from typing import Any

from ..jit import device
from ..simd import W, fma, ldf, ldi, load, load_splat, off, splat, store, vabs, where_less
from ..vector_math import vtanh
from .layout import *

Q1111 = 7.0 / 15.0  # q_1111 = 7/15 q_1^2


@device
def invariants(head: Any, ints: Any, floats: Any, work: Any) -> None:
    """q_l = sum_m S_lm^2 and the higher invariants of every angular function, behind the radial q_n."""
    functions, moments, top = ldi(head, ANGULAR), ldi(head, MOMENTS), ldi(head, L_MAX)
    table, constants = off(ints, ldi(head, I_INVARIANTS)), off(floats, ldi(head, F_MONOMIALS))
    for n in range(functions):
        s = off(work, ldi(head, A_M) + n * moments * W)
        q = off(work, ldi(head, A_Q) + (ldi(head, RADIAL) + n) * W)
        for order in range(1, top + 1):
            total = splat(0.0)
            for place in range(order * order - 1, (order + 1) * (order + 1) - 1):
                total = fma(load(s, place * W), load(s, place * W), total)
            store(q, (order - 1) * functions * W, total)
        if ldi(head, SQUARED) > 0:
            store(q, ldi(head, SQUARED) * functions * W, load(q, 0) * load(q, 0) * Q1111)
        for v in range(ldi(head, N_INVARIANTS)):
            entry, total = off(table, v * INVARIANT_WORDS), splat(0.0)
            for k in range(ldi(entry, 1), ldi(entry, 1) + ldi(entry, 2)):
                places = off(ints, ldi(head, I_MONOMIALS) + 3 * k)
                product = load(s, ldi(places, 0) * W) * load(s, ldi(places, 1) * W) * load(s, ldi(places, 2) * W)
                total = fma(load_splat(constants, k), product, total)
            store(q, ldi(entry, 0) * functions * W, total)


@device
def invariant_derivatives(head: Any, ints: Any, floats: Any, work: Any) -> None:
    """dE/dS_{n,lm} from dE/dq."""
    functions, moments, top = ldi(head, ANGULAR), ldi(head, MOMENTS), ldi(head, L_MAX)
    table, constants = off(ints, ldi(head, I_INVARIANTS)), off(floats, ldi(head, F_MONOMIALS))
    for n in range(functions):
        s, d = off(work, ldi(head, A_M) + n * moments * W), off(work, ldi(head, A_DM) + n * moments * W)
        fp = off(work, ldi(head, A_FP) + (ldi(head, RADIAL) + n) * W)
        for order in range(1, top + 1):
            twice = load(fp, (order - 1) * functions * W) * 2.0
            if order == 1 and ldi(head, SQUARED) > 0:
                q1 = load(work, ldi(head, A_Q) + (ldi(head, RADIAL) + n) * W)
                twice = fma(load(fp, ldi(head, SQUARED) * functions * W) * (4.0 * Q1111), q1, twice)
            for place in range(order * order - 1, (order + 1) * (order + 1) - 1):
                store(d, place * W, twice * load(s, place * W))
        for v in range(ldi(head, N_INVARIANTS)):
            entry = off(table, v * INVARIANT_WORDS)
            weight = load(fp, ldi(entry, 0) * functions * W)
            for k in range(ldi(entry, 1), ldi(entry, 1) + ldi(entry, 2)):
                places = off(ints, ldi(head, I_MONOMIALS) + 3 * k)
                a, b, c = ldi(places, 0) * W, ldi(places, 1) * W, ldi(places, 2) * W
                factor = weight * load_splat(constants, k)
                store(d, a, fma(factor, load(s, b) * load(s, c), load(d, a)))
                store(d, b, fma(factor, load(s, a) * load(s, c), load(d, b)))
                store(d, c, fma(factor, load(s, a) * load(s, b), load(d, c)))


@device
def network(head: Any, floats: Any, kind: int, coupling: Any, work: Any) -> None:
    """Run the network of type `kind` and add what belongs to its lanes to dE/dq, the energy and the charge.

    A_VALUES receives [energy, charge]; A_HIDDEN the outputs of the hidden layer.  With qNEP the derivative is that of
    energy + coupling * charge.
    """
    count, hidden, size = ldi(head, DESCRIPTORS), ldi(head, HIDDEN), ldi(head, NET_SIZE)
    place = ldi(head, NETWORK) * ldi(head, NETS) + (kind if ldi(head, NETS) > 1 else 0)
    w0 = off(floats, ldi(head, F_NETWORK) + place * size)
    tiles = (count + W - 1) // W
    back = off(w0, hidden * count)
    b0 = off(back, tiles * W * ldi(head, NEURONS))
    w1, charge, values = off(b0, hidden), off(b0, 2 * hidden), off(work, ldi(head, A_VALUES))
    mine = splat(1.0)
    if ldi(head, NETS) > 1:
        own = load(work, ldi(head, A_TYPES))
        mine = where_less(vabs(own - float(kind)), splat(0.5), mine, splat(0.0))
    x, h, e = off(work, ldi(head, A_E)), off(work, ldi(head, A_HIDDEN)), off(work, ldi(head, A_HIDDEN) + hidden * W)
    energy, charged = splat(-ldf(b0, 3 * hidden)), splat(0.0)
    for first in range(0, hidden, W):
        _hidden_tile(off(w0, first * count), count, x, off(h, first * W))
        for mu in range(first, first + W):
            value = vtanh(load(h, mu * W) - load_splat(b0, mu))
            energy = fma(load_splat(w1, mu), value, energy)
            charged = fma(load_splat(charge, mu), value, charged)
            slope = fma(coupling, load_splat(charge, mu), splat(ldf(w1, mu) * float(ldi(head, ENERGY))))
            store(h, mu * W, value * mine)
            store(e, mu * W, fma(value, -value, splat(1.0)) * slope * mine)
    store(values, 0, fma(energy, mine, load(values, 0)))
    store(values, W, fma(charged, mine, load(values, W)))
    if ldi(head, DERIVATIVES) == 1:
        fp, scaler = off(work, ldi(head, A_FP)), off(floats, ldi(head, F_SCALER))
        for tile in range(tiles):
            rows, part = off(back, tile * W * ldi(head, NEURONS)), tile * W
            _descriptor_tile(rows, ldi(head, NEURONS), e, off(scaler, part), off(fp, part * W))


@device
def _hidden_tile(w: Any, count: int, x: Any, out: Any) -> None:
    """Eight rows of w0 . x; w is [count][8]."""
    s0 = s1 = s2 = s3 = splat(0.0)
    s4 = s5 = s6 = s7 = splat(0.0)
    for d in range(count):
        v, c = load(x, d * W), off(w, d * W)
        s0, s1 = fma(load_splat(c, 0), v, s0), fma(load_splat(c, 1), v, s1)
        s2, s3 = fma(load_splat(c, 2), v, s2), fma(load_splat(c, 3), v, s3)
        s4, s5 = fma(load_splat(c, 4), v, s4), fma(load_splat(c, 5), v, s5)
        s6, s7 = fma(load_splat(c, 6), v, s6), fma(load_splat(c, 7), v, s7)
    _store8(s0, s1, s2, s3, s4, s5, s6, s7, out)


@device
def _descriptor_tile(w: Any, neurons: int, e: Any, scaler: Any, out: Any) -> None:
    """Add eight elements of w0^T e, times the scaler; w is [neurons][8]."""
    s0 = s1 = s2 = s3 = splat(0.0)
    s4 = s5 = s6 = s7 = splat(0.0)
    for mu in range(neurons):
        v, c = load(e, mu * W), off(w, mu * W)
        s0, s1 = fma(load_splat(c, 0), v, s0), fma(load_splat(c, 1), v, s1)
        s2, s3 = fma(load_splat(c, 2), v, s2), fma(load_splat(c, 3), v, s3)
        s4, s5 = fma(load_splat(c, 4), v, s4), fma(load_splat(c, 5), v, s5)
        s6, s7 = fma(load_splat(c, 6), v, s6), fma(load_splat(c, 7), v, s7)
    s0, s1 = fma(s0, load_splat(scaler, 0), load(out, 0)), fma(s1, load_splat(scaler, 1), load(out, W))
    s2, s3 = fma(s2, load_splat(scaler, 2), load(out, 2 * W)), fma(s3, load_splat(scaler, 3), load(out, 3 * W))
    s4, s5 = fma(s4, load_splat(scaler, 4), load(out, 4 * W)), fma(s5, load_splat(scaler, 5), load(out, 5 * W))
    s6, s7 = fma(s6, load_splat(scaler, 6), load(out, 6 * W)), fma(s7, load_splat(scaler, 7), load(out, 7 * W))
    _store8(s0, s1, s2, s3, s4, s5, s6, s7, out)


@device
def _store8(s0: Any, s1: Any, s2: Any, s3: Any, s4: Any, s5: Any, s6: Any, s7: Any, out: Any) -> None:
    store(out, 0, s0)
    store(out, W, s1)
    store(out, 2 * W, s2)
    store(out, 3 * W, s3)
    store(out, 4 * W, s4)
    store(out, 5 * W, s5)
    store(out, 6 * W, s6)
    store(out, 7 * W, s7)
