"""From the moments of eight atoms to their energies and back: invariants, network, derivatives."""

from __future__ import annotations

from typing import Any

from ..engine.jit import device
from ..engine.lanes import dense_tile
from ..engine.simd import W, fma, ldf, ldi, load, load_splat, off, splat, store, vabs, where_less
from ..engine.vector_math import vtanh
from .layout import INVARIANT_WORDS, Head

Q1111 = 7.0 / 15.0  # q_1111 = 7/15 q_1^2


@device
def invariants(head: Head, ints: Any, floats: Any, work: Any) -> None:
    """q_l = sum_m S_lm^2 and the higher invariants of every angular function, behind the radial q_n."""
    functions, moments, top = head.angular, head.moments, head.l_max
    table, constants = off(ints, head.ints.invariants), off(floats, head.floats.monomials)
    for n in range(functions):
        s = off(work, head.area.moments + n * moments * W)
        q = off(work, head.area.descriptors + (head.radial + n) * W)
        for order in range(1, top + 1):
            total = splat(0.0)
            for place in range(order * order - 1, (order + 1) * (order + 1) - 1):
                total = fma(load(s, place * W), load(s, place * W), total)
            store(q, (order - 1) * functions * W, total)
        if head.squared > 0:
            store(q, head.squared * functions * W, load(q, 0) * load(q, 0) * Q1111)
        for v in range(head.n_invariants):
            entry, total = off(table, v * INVARIANT_WORDS), splat(0.0)
            for k in range(ldi(entry, 1), ldi(entry, 1) + ldi(entry, 2)):
                places = off(ints, head.ints.monomials + 3 * k)
                product = load(s, ldi(places, 0) * W) * load(s, ldi(places, 1) * W) * load(s, ldi(places, 2) * W)
                total = fma(load_splat(constants, k), product, total)
            store(q, ldi(entry, 0) * functions * W, total)


@device
def invariant_derivatives(head: Head, ints: Any, floats: Any, work: Any) -> None:
    """dE/dS_{n,lm} from dE/dq."""
    functions, moments, top = head.angular, head.moments, head.l_max
    table, constants = off(ints, head.ints.invariants), off(floats, head.floats.monomials)
    for n in range(functions):
        s, d = off(work, head.area.moments + n * moments * W), off(work, head.area.moment_derivatives + n * moments * W)
        fp = off(work, head.area.descriptor_derivatives + (head.radial + n) * W)
        for order in range(1, top + 1):
            twice = load(fp, (order - 1) * functions * W) * 2.0
            if order == 1 and head.squared > 0:
                q1 = load(work, head.area.descriptors + (head.radial + n) * W)
                twice = fma(load(fp, head.squared * functions * W) * (4.0 * Q1111), q1, twice)
            for place in range(order * order - 1, (order + 1) * (order + 1) - 1):
                store(d, place * W, twice * load(s, place * W))
        for v in range(head.n_invariants):
            entry = off(table, v * INVARIANT_WORDS)
            weight = load(fp, ldi(entry, 0) * functions * W)
            for k in range(ldi(entry, 1), ldi(entry, 1) + ldi(entry, 2)):
                places = off(ints, head.ints.monomials + 3 * k)
                a, b, c = ldi(places, 0) * W, ldi(places, 1) * W, ldi(places, 2) * W
                factor = weight * load_splat(constants, k)
                store(d, a, fma(factor, load(s, b) * load(s, c), load(d, a)))
                store(d, b, fma(factor, load(s, a) * load(s, c), load(d, b)))
                store(d, c, fma(factor, load(s, a) * load(s, b), load(d, c)))


@device
def network(head: Head, floats: Any, kind: int, coupling: Any, work: Any) -> None:
    """Run the network of type `kind` and add what belongs to its lanes to dE/dq, the energy and the charge.

    The area `values` receives [energy, charge], `hidden` the outputs of the hidden layer.  With qNEP the derivative is
    that of energy + coupling * charge.
    """
    count, hidden, size = head.descriptors, head.hidden, head.net_size
    place = head.request.network * head.nets + (kind if head.nets > 1 else 0)
    w0 = off(floats, head.floats.network + place * size)
    tiles = (count + W - 1) // W
    back = off(w0, hidden * count)
    b0 = off(back, tiles * W * head.neurons)
    w1, charge, values = off(b0, hidden), off(b0, 2 * hidden), off(work, head.area.values)
    mine = splat(1.0)
    if head.nets > 1:
        own = load(work, head.area.types)
        mine = where_less(vabs(own - float(kind)), splat(0.5), mine, splat(0.0))
    x, h, e = off(work, head.area.inputs), off(work, head.area.hidden), off(work, head.area.hidden + hidden * W)
    energy, charged = splat(-ldf(b0, 3 * hidden)), splat(0.0)
    for first in range(0, hidden, W):
        dense_tile(off(w0, first * count), count, x, off(h, first * W))
        for mu in range(first, first + W):
            value = vtanh(load(h, mu * W) - load_splat(b0, mu))
            energy = fma(load_splat(w1, mu), value, energy)
            charged = fma(load_splat(charge, mu), value, charged)
            slope = fma(coupling, load_splat(charge, mu), splat(ldf(w1, mu) * float(head.request.energy)))
            store(h, mu * W, value * mine)
            store(e, mu * W, fma(value, -value, splat(1.0)) * slope * mine)
    store(values, 0, fma(energy, mine, load(values, 0)))
    store(values, W, fma(charged, mine, load(values, W)))
    if head.request.derivatives == 1:
        fp, scaler, out = (
            off(work, head.area.descriptor_derivatives),
            off(floats, head.floats.scaler),
            off(e, hidden * W),
        )
        for tile in range(tiles):
            dense_tile(off(back, tile * W * head.neurons), head.neurons, e, out)
            for d in range(tile * W, (tile + 1) * W):
                store(fp, d * W, fma(load(out, (d - tile * W) * W), load_splat(scaler, d), load(fp, d * W)))
