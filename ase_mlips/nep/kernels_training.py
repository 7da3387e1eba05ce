"""Entry point of the training of NEP: the derivatives of a loss with respect to all parameters.

With the derivatives of the loss by energies, forces and strains held fixed as a_i, u_i and e, and those by dipoles as
-m, its derivatives are those of ``Phi = sum_i (a_i U_i + sum_j dU_i/dr_ij . d_ij)`` with ``d_ij = u_i - u_j + e r_ij +
m r_ij^2``: a pass of tangents along d and one reverse pass, for eight atoms of one type at a time.  A dot over a
quantity is its tangent, a bar its adjoint.
"""

from __future__ import annotations

from typing import Any

from ..engine.fields import view
from ..engine.jit import device, kernel
from ..engine.lanes import dense_tile, gather, sparse_product
from ..engine.neighbors.kernels_pairs import Listing
from ..engine.sharing import next_chunk
from ..engine.simd import W, fma, hsum, ldf, ldi, load, load_splat, off, ptr, splat, stf, store
from ..engine.vector_math import vtanh
from .kernels_network import Q1111, invariants
from .kernels_tangents import add_angular, add_radial, correlate, directions, fold_all, mix, own_motion
from .layout import INVARIANT_WORDS, Head
from .layout_training import CUTOFF_WORDS, TrainingHead


@device
def clear(p: Any, n: int) -> None:
    """Zero n vectors."""
    for e in range(n):
        store(p, e * W, splat(0.0))


@device
def neighbor_sums(
    listing: Listing, head: Head, train: TrainingHead, tables: Any, members: Any, kinds: Any, moves: Any, work: Any
) -> None:  # fmt: skip
    """Sums over the neighbours of one type and what the functions make of them; `kinds` are centre and neighbour."""
    ints, floats = tables
    pair, other = kinds[0] * head.types + kinds[1], kinds[1]
    cutoffs = off(floats, train.cutoffs + CUTOFF_WORDS * pair)
    count, k_angular, slots = head.k_radial, head.k_angular, off(work, head.area.near.slots)
    radial = off(work, train.area.radial + other * 2 * (count + 4) * W)
    sums = off(work, train.area.sums + other * (train.sums + 4) * W)
    clear(radial, 2 * (count + 4))
    clear(sums, train.sums + 4)
    limits, offsets = off(ints, train.limits), off(ints, train.offsets)
    inner, outer = 1.0 / ldf(cutoffs, 1), 1.0 / ldf(cutoffs, 0)
    rates, seen = off(work, train.area.directions), 0
    for side in range(2):
        least = inner if side == 1 else 0.0
        most = outer if side == 1 else inner
        used = gather(listing, members, head.atoms, least, most, head.slots, slots) if most > least else 0
        for first in range(0, used, 4):
            directions(train, moves, off(slots, 4 * first * W), cutoffs, 1 - side, work)
            for half in range(2):
                terms = off(work, train.area.terms + half * 16 * W)
                add_radial(terms, off(rates, 2 * half * W), count, radial)
            if side == 0:
                add_angular(train, k_angular, limits, offsets, sums, work)
        seen += used
    stf(work, train.area.present + other, float(seen))
    if seen > 0:
        fold_all(head, train, sums)
        mix_functions(head, train, floats, pair, radial, sums, work)


@device
def mix_functions(head: Head, train: TrainingHead, floats: Any, pair: int, radial: Any, sums: Any, work: Any) -> None:
    """Add what one type of neighbours gives to the radial q and to the sums of the angular functions."""
    count, functions = head.k_angular, head.angular
    even, odd, tile = train.even, train.odd, off(work, train.area.tile)
    size = (head.radial + W - 1) // W * head.k_radial * W
    table = off(floats, train.radial + pair * size)
    mix(table, head.radial, head.k_radial, radial, 1, off(work, head.area.descriptors), tile)
    tangents = off(radial, head.k_radial * W)
    mix(table, head.radial, head.k_radial, tangents, 1, off(work, train.area.descriptor_tangents), tile)
    table = off(floats, train.angular + pair * ((functions + W - 1) // W * count * W))
    out, dots = off(work, train.area.mixed), off(work, train.area.mixed_tangents)
    mix(table, functions, count, sums, even, out, tile)
    mix(table, functions, count, off(sums, even * count * W), even, dots, tile)
    rest, behind = off(sums, (2 * even + 2 * odd) * count * W), functions * even * W
    mix(table, functions, count, rest, odd, off(out, behind), tile)
    mix(table, functions, count, off(rest, odd * count * W), odd, off(dots, behind), tile)


@device
def invariant_tangents(head: Head, train: TrainingHead, ints: Any, floats: Any, work: Any) -> None:
    """Tangents of all invariants from those of the moments."""
    functions, moments, top = head.angular, head.moments, head.l_max
    table, constants = off(ints, head.ints.invariants), off(floats, head.floats.monomials)
    for n in range(functions):
        s, t = off(work, head.area.moments + n * moments * W), off(work, train.area.moment_tangents + n * moments * W)
        q = off(work, train.area.descriptor_tangents + (head.radial + n) * W)
        for order in range(1, top + 1):
            total = splat(0.0)
            for place in range(order * order - 1, (order + 1) * (order + 1) - 1):
                total = fma(load(s, place * W), load(t, place * W), total)
            store(q, (order - 1) * functions * W, total * 2.0)
        if head.squared > 0:
            value = load(work, head.area.descriptors + (head.radial + n) * W)
            store(q, head.squared * functions * W, load(q, 0) * value * (2.0 * Q1111))
        for v in range(head.n_invariants):
            entry, total = off(table, v * INVARIANT_WORDS), splat(0.0)
            for k in range(ldi(entry, 1), ldi(entry, 1) + ldi(entry, 2)):
                places = off(ints, head.ints.monomials + 3 * k)
                a, b, c = ldi(places, 0) * W, ldi(places, 1) * W, ldi(places, 2) * W
                product = fma(load(s, b), load(t, c), load(t, b) * load(s, c))
                product = fma(load(s, a), product, load(t, a) * (load(s, b) * load(s, c)))
                total = fma(load_splat(constants, k), product, total)
            store(q, ldi(entry, 0) * functions * W, total)


@device
def moment_adjoints(head: Head, train: TrainingHead, ints: Any, floats: Any, work: Any) -> None:
    """Adjoints of the moments and of their tangents from those of the invariants and of their tangents."""
    functions, moments, top = head.angular, head.moments, head.l_max
    table, constants = off(ints, head.ints.invariants), off(floats, head.floats.monomials)
    for n in range(functions):
        s, t = off(work, head.area.moments + n * moments * W), off(work, train.area.moment_tangents + n * moments * W)
        out = off(work, train.area.moments_adjoint + n * moments * W)
        dot = off(work, train.area.moment_tangents_adjoint + n * moments * W)
        g, h = (
            off(work, train.area.adjoint + (head.radial + n) * W),
            off(work, train.area.tangents_adjoint + (head.radial + n) * W),
        )
        for order in range(1, top + 1):
            by_value, by_tangent = load(g, (order - 1) * functions * W), load(h, (order - 1) * functions * W)
            if order == 1 and head.squared > 0:
                q = load(work, head.area.descriptors + (head.radial + n) * W) * (2.0 * Q1111)
                rate = load(work, train.area.descriptor_tangents + (head.radial + n) * W) * (2.0 * Q1111)
                last = load(h, head.squared * functions * W)
                by_value = fma(q, load(g, head.squared * functions * W), fma(rate, last, by_value))
                by_tangent = fma(q, last, by_tangent)
            by_value, by_tangent = by_value * 2.0, by_tangent * 2.0
            for place in range(order * order - 1, (order + 1) * (order + 1) - 1):
                value = load(s, place * W)
                store(dot, place * W, by_tangent * value)
                store(out, place * W, fma(by_value, value, by_tangent * load(t, place * W)))
        for v in range(head.n_invariants):
            entry = off(table, v * INVARIANT_WORDS)
            by_value, by_tangent = load(g, ldi(entry, 0) * functions * W), load(h, ldi(entry, 0) * functions * W)
            for k in range(ldi(entry, 1), ldi(entry, 1) + ldi(entry, 2)):
                places, factor = off(ints, head.ints.monomials + 3 * k), load_splat(constants, k)
                for turn in range(3):
                    a, b, c = ldi(places, turn) * W, ldi(places, (turn + 1) % 3) * W, ldi(places, (turn + 2) % 3) * W
                    rest, rate = load(s, b) * load(s, c), fma(load(s, b), load(t, c), load(t, b) * load(s, c))
                    store(dot, a, fma(by_tangent * factor, rest, load(dot, a)))
                    store(out, a, fma(factor, fma(by_value, rest, by_tangent * rate), load(out, a)))


@device
def network_adjoints(head: Head, train: TrainingHead, floats: Any, net: int, weight: Any, work: Any) -> None:
    """Adjoints of the descriptors and of their tangents, and sums for the parameters of the network."""
    count, hidden = head.descriptors, head.hidden
    w0 = off(floats, head.floats.network + net * head.net_size)
    tiles = (count + W - 1) // W
    back = off(w0, hidden * count)
    b0 = off(back, tiles * W * head.neurons)
    w1, sums = off(b0, hidden), off(work, train.area.accumulators)
    x, v = off(work, head.area.inputs), off(work, train.area.input_tangents)
    g, h = off(work, train.area.hidden), off(work, train.area.hidden_tangents)
    by_b0, by_w1 = off(sums, train.sum.b0 * W), off(sums, train.sum.w1 * W)
    for first in range(0, hidden, W):
        dense_tile(off(w0, first * count), count, x, off(g, first * W))
        dense_tile(off(w0, first * count), count, v, off(h, first * W))
        for mu in range(first, first + W):
            value, rate, outer = vtanh(load(g, mu * W) - load_splat(b0, mu)), load(h, mu * W), load_splat(w1, mu)
            slope = fma(value, -value, splat(1.0))
            store(by_w1, mu * W, fma(weight, value, fma(slope, rate, load(by_w1, mu * W))))
            adjoint = outer * slope * fma(value * rate, splat(-2.0), weight)
            store(by_b0, mu * W, load(by_b0, mu * W) - adjoint)
            store(g, mu * W, adjoint)
            store(h, mu * W, outer * slope)
    store(sums, train.sum.weight * W, load(sums, train.sum.weight * W) + weight)
    scaler, tile = off(floats, head.floats.scaler), off(work, train.area.tile)
    for first in range(0, tiles * W, W):
        for turn in range(2):
            dense_tile(off(back, first * head.neurons), head.neurons, h if turn == 1 else g, tile)
            out = off(work, (train.area.tangents_adjoint if turn == 1 else train.area.adjoint) + first * W)
            for d in range(W):
                store(out, d * W, load(tile, d * W) * load_splat(scaler, first + d))
    outer_products(count, hidden, (x, v), (g, h), off(sums, train.sum.w0 * W))


@device
def outer_products(count: int, hidden: int, inputs: Any, adjoints: Any, out: Any) -> None:
    """``out[mu][d] += g[mu] x[d] + h[mu] v[d]`` with ``(x, v)`` and ``(g, h)``."""
    x, v = inputs
    g, h = adjoints
    for mu in range(0, hidden, 4):
        g0, g1, g2, g3 = load(g, mu * W), load(g, (mu + 1) * W), load(g, (mu + 2) * W), load(g, (mu + 3) * W)
        h0, h1, h2, h3 = load(h, mu * W), load(h, (mu + 1) * W), load(h, (mu + 2) * W), load(h, (mu + 3) * W)
        row, step = off(out, mu * count * W), count * W
        for d in range(count):
            at, p, q = d * W, load(x, d * W), load(v, d * W)
            store(row, at, fma(g0, p, fma(h0, q, load(row, at))))
            store(row, at + step, fma(g1, p, fma(h1, q, load(row, at + step))))
            store(row, at + 2 * step, fma(g2, p, fma(h2, q, load(row, at + 2 * step))))
            store(row, at + 3 * step, fma(g3, p, fma(h3, q, load(row, at + 3 * step))))


@device
def coefficient_sums(head: Head, train: TrainingHead, work: Any) -> None:
    """Add to the sums for the expansion coefficients of all types of neighbours."""
    count, functions, even, odd = head.k_angular, head.angular, train.even, train.odd
    g, h = off(work, train.area.adjoint), off(work, train.area.tangents_adjoint)
    a, b = off(work, train.area.mixed), off(work, train.area.mixed_tangents)  # adjoints by now
    behind, sums = functions * even * W, off(work, train.area.accumulators)
    columns_r, columns_a = (head.k_radial + 3) // 4 * 4, (count + 3) // 4 * 4
    for other in range(head.types):
        if ldf(work, train.area.present + other) == 0.0:
            continue
        source = off(work, train.area.radial + other * 2 * (head.k_radial + 4) * W)
        out = off(sums, (train.sum.radial + other * head.radial * columns_r) * W)
        correlate(head.radial, head.k_radial, 1, (g, h), (source, off(source, head.k_radial * W)), out)
        source = off(work, train.area.sums + other * (train.sums + 4) * W)
        out = off(sums, (train.sum.angular + other * functions * columns_a) * W)
        correlate(functions, count, even, (a, b), (source, off(source, even * count * W)), out)
        source = off(source, (2 * even + 2 * odd) * count * W)
        adjoints = (off(a, behind), off(b, behind))
        correlate(functions, count, odd, adjoints, (source, off(source, odd * count * W)), out)


@device
def add_block(
    listing: Any, head: Head, train: TrainingHead, tables: Any, members: Any, kind: int, motion: Any, work: Any
) -> None:
    """Add what eight atoms of type `kind` give to the sums for the parameters."""
    ints, floats, integers, doubles = tables
    moves, frames, owners = motion
    weight = own_motion(train, moves, frames, owners, members, head.atoms, work)
    clear(off(work, head.area.descriptors), head.descriptors)
    clear(off(work, train.area.descriptor_tangents), head.descriptors)
    clear(off(work, train.area.mixed), head.sums)
    clear(off(work, train.area.mixed_tangents), head.sums)
    for other in range(head.types):
        own = Listing(
            listing.positions, listing.shifts, off(listing.start, other * train.rows), listing.idx, listing.code
        )
        neighbor_sums(own, head, train, (integers, doubles), members, (kind, other), moves, work)
    begin, columns, values = (
        off(ints, head.ints.forward),
        off(ints, head.ints.forward_columns),
        off(floats, head.floats.forward),
    )
    rows, s, t = head.angular * head.moments, off(work, train.area.mixed), off(work, train.area.mixed_tangents)
    sparse_product(rows, begin, columns, values, s, off(work, head.area.moments))
    sparse_product(rows, begin, columns, values, t, off(work, train.area.moment_tangents))
    invariants(head, ints, floats, work)
    invariant_tangents(head, train, ints, floats, work)
    for d in range(head.descriptors):
        scale = load_splat(floats, head.floats.scaler + d)
        store(work, head.area.inputs + d * W, load(work, head.area.descriptors + d * W) * scale)
        rate = load(work, train.area.descriptor_tangents + d * W)
        store(work, train.area.input_tangents + d * W, rate * scale)
    network_adjoints(head, train, floats, kind if head.nets > 1 else 0, weight, work)
    moment_adjoints(head, train, ints, floats, work)
    begin, columns, values = (
        off(ints, head.ints.reverse),
        off(ints, head.ints.reverse_columns),
        off(floats, head.floats.reverse),
    )
    sparse_product(head.sums, begin, columns, values, off(work, train.area.moments_adjoint), s)
    sparse_product(head.sums, begin, columns, values, off(work, train.area.moment_tangents_adjoint), t)
    coefficient_sums(head, train, work)


@device
def flush(head: Head, train: TrainingHead, kind: int, gradient: Any, work: Any) -> None:
    """Add the sums of a central type to the gradient and clear them."""
    count, neurons, sums = head.descriptors, head.neurons, off(work, train.area.accumulators)
    out = off(gradient, train.gradient.networks + (kind if head.nets > 1 else 0) * neurons * (count + 2))
    add_lanes(off(sums, train.sum.w0 * W), neurons * count, out)
    add_lanes(off(sums, train.sum.b0 * W), neurons, off(out, neurons * count))
    add_lanes(off(sums, train.sum.w1 * W), neurons, off(out, neurons * (count + 1)))
    add_lanes(off(sums, train.sum.weight * W), 1, off(gradient, train.gradient.weights + kind))
    for part in range(2):
        functions, k = (head.radial, head.k_radial) if part == 0 else (head.angular, head.k_angular)
        source = off(sums, (train.sum.radial if part == 0 else train.sum.angular) * W)
        place = train.gradient.radial if part == 0 else train.gradient.angular
        for row in range(head.types * functions):
            target = off(gradient, place + (kind * head.types * functions + row) * k)
            add_lanes(off(source, row * ((k + 3) // 4 * 4) * W), k, target)
    clear(sums, train.accumulated)


@device
def add_lanes(sums: Any, count: int, out: Any) -> None:
    for e in range(count):
        stf(out, e, ldf(out, e) + hsum(load(sums, e * W)))


@kernel
def accumulate(
    positions: Any, shifts: Any, start: Any, idx: Any, code: Any, integers: Any, ints: Any, floats: Any,
    own_integers: Any, own_ints: Any, own_floats: Any, order: Any, kinds: Any, moves: Any, frames: Any, owners: Any,
    work: Any, gradients: Any, chunks: int, left: Any, me: int
) -> None:  # fmt: skip
    """Write the gradient of the atoms of the chunks that nobody else takes from `left` to their rows of `gradients`.

    `start` [types][atoms + 1] has for each type of neighbours where those of an atom begin in `idx` and `code`.
    `order` [blocks][8] are the atoms, those of a block all of the type `kinds` [blocks].  `frames` [frames][12] are
    the strain and m of each frame, `moves` [n + 2][4] u and the factor of the energy of each atom.
    """
    head, train = view(ptr(integers), Head), view(ptr(own_integers), TrainingHead)
    listing = Listing(ptr(positions), ptr(shifts), ptr(start), ptr(idx), ptr(code))
    tables = ptr(ints), ptr(floats), ptr(own_ints), ptr(own_floats)
    motion, scratch = (ptr(moves), ptr(frames), ptr(owners)), ptr(work)
    clear(off(scratch, train.area.accumulators), train.accumulated)
    chunk = next_chunk(left, me, chunks)
    while chunk < chunks:
        begin, end = train.blocks * chunk // chunks, train.blocks * (chunk + 1) // chunks
        gradient = off(ptr(gradients), chunk * train.gradient.size)
        for e in range(train.gradient.size):
            stf(gradient, e, 0.0)
        for block in range(begin, end):
            kind = ldi(ptr(kinds), block)
            add_block(listing, head, train, tables, off(ptr(order), block * W), kind, motion, scratch)
            if block + 1 == end or ldi(ptr(kinds), block + 1) != kind:
                flush(head, train, kind, gradient, scratch)
        chunk = next_chunk(left, me, chunks)
