"""From the moments of eight atoms to their energies and back: invariants, network, derivatives."""

from __future__ import annotations

from typing import Any

from ..engine.jit import device
from ..engine.lanes import dense_tile
from ..engine.simd import W, fma, ldf, ldi, load, load_splat, off, splat, store, vabs, where_less
from ..engine.vector_math import vtanh
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
        dense_tile(off(w0, first * count), count, x, off(h, first * W))
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
        fp, scaler, out = off(work, ldi(head, A_FP)), off(floats, ldi(head, F_SCALER)), off(e, hidden * W)
        for tile in range(tiles):
            dense_tile(off(back, tile * W * ldi(head, NEURONS)), ldi(head, NEURONS), e, out)
            for d in range(tile * W, (tile + 1) * W):
                store(fp, d * W, fma(load(out, (d - tile * W) * W), load_splat(scaler, d), load(fp, d * W)))
