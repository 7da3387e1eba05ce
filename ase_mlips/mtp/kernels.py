"""Entry point of MTP: energies, forces and virials, basis values and parameter gradients, for eight atoms at a time.

Moments are sums of f_mu(r) u_x^a u_y^b u_z^c.  On the unit sphere x^2 = 1 - y^2 - z^2, so `lanes.channel_sums` with the
channels f_mu and f_mu x/r and the variables y/r, z/r yields them all; composite moments are sums of products.

`head` holds sizes and places (`layout`), `ints` and `floats` the constant tables, `work` the scratch of one thread.
"""

from __future__ import annotations

from typing import Any

from ..engine.fields import view
from ..engine.horner import channel_derivatives
from ..engine.jit import device, kernel
from ..engine.lanes import (
    channel_sums,
    gather,
    open_chunk,
    scatter,
    sparse_product,
    sum_rows,
)
from ..engine.neighbors.kernels_pairs import pointers
from ..engine.radial import contract_pairs, expand, polynomials
from ..engine.sharing import next_chunk
from ..engine.simd import (
    W,
    fma,
    ldf,
    ldi,
    load,
    load_splat,
    off,
    ptr,
    splat,
    stf,
    store,
    vabs,
    vmax,
    vmin,
    vsqrt,
    where_less,
)
from ..engine.vector_math import vexp
from .kernels_products import product_derivatives, products
from .layout import GEOMETRY_WORDS, Head

REPULSION, DECAY = 1.0e4, 10.0  # eV and 1/A of the *_repuls bases: 1e4 exp(-10 (r - 1))


@device
def geometry(head: Head, floats: Any, species: Any, used: int, work: Any) -> None:
    """Distances, the weight of the radial basis and its variable xi, with derivatives, of every slot."""
    scalars = off(floats, head.floats.scalars)
    low, high = splat(ldf(scalars, 0)), splat(ldf(scalars, 1))
    clamp, slope = splat(ldf(scalars, 2)), splat(2.0 / (ldf(scalars, 1) - ldf(scalars, 0)))
    types, own, zero = head.types, off(work, head.area.types), splat(0.0)
    for k in range(used):
        slot, out = off(work, head.area.slots + 4 * k * W), off(work, head.area.geometry + k * GEOMETRY_WORDS * W)
        store(out, 5 * W, zero)
        if types > 1:
            for lane in range(W):
                pair = int(ldf(own, lane)) * types + ldi(species, int(ldf(slot, 3 * W + lane)))
                stf(out, 5 * W + lane, float(pair))
        x, y, z = load(slot, 0), load(slot, W), load(slot, 2 * W)
        r = vsqrt(fma(x, x, fma(y, y, z * z)))
        inner = vmin(vmax(r, clamp), high)
        d = high - inner
        weight, dweight = where_less(r, high, splat(1.0), zero), zero
        if head.smooth == 1:
            weight, dweight = d * d, d * -2.0
        free = where_less(clamp, r, splat(1.0), zero)  # below min_dist the *_repuls bases are constant
        store(out, 0, 1.0 / r)
        store(out, W, weight)
        store(out, 2 * W, dweight * free)
        store(out, 3 * W, (inner - low) * slope - 1.0)
        store(out, 4 * W, slope * free)
        store(out, 6 * W, r)


@device
def fill_channels(head: Head, ints: Any, floats: Any, used: int, work: Any) -> None:
    """f_mu and f'_mu of every slot, the channels, and the variables y/r and z/r."""
    count, functions, total = head.basis, head.functions, head.channels
    table, T, rows = off(floats, head.floats.radial), off(work, head.area.polynomials), off(work, head.area.rows)
    values, step = off(work, head.area.values), GEOMETRY_WORDS * W
    which, odd = off(ints, head.ints.function), off(ints, head.ints.odd)
    for first in range(0, used, 4):
        group = off(work, head.area.geometry + first * step)
        polynomials(off(group, 3 * W), step, count, T)
        F = off(work, head.area.channels + first * (total + 3) * W)
        G = off(work, head.area.functions + 2 * first * functions * W)
        if head.types == 1:
            for mu in range(functions):
                expand(off(table, 2 * mu * count), count, T, off(G, 8 * mu * W), off(G, (8 * mu + 4) * W))
        for slot in range(4):
            g, position = off(group, slot * step), off(work, head.area.slots + 4 * (first + slot) * W)
            rinv, weight, dweight = load(g, 0), load(g, W), load(g, 2 * W)
            slope = weight * load(g, 4 * W)
            if head.types > 1:
                contract_pairs(table, head.groups, count, off(g, 5 * W), off(T, slot * W), rows, values)
            for mu in range(functions):
                at = (8 * mu + slot) * W
                value, change = load(G, at), load(G, at + 4 * W)
                if head.types > 1:
                    value, change = load(values, mu * W), load(values, (functions + mu) * W)
                store(G, at, weight * value)
                store(G, at + 4 * W, fma(dweight, value, slope * change))
            x, pq = load(position, 0) * rinv, off(work, head.area.variables + (2 * first + slot) * W)
            store(pq, 0, load(position, W) * rinv)
            store(pq, 4 * W, load(position, 2 * W) * rinv)
            for ch in range(total):
                f = load(G, (8 * ldi(which, ch) + slot) * W)
                store(F, (4 * ch + slot) * W, f * x if ldi(odd, ch) == 1 else f)


@device
def moments(head: Head, ints: Any, floats: Any, used: int, work: Any) -> None:
    """All moments: basic ones from the channel sums, composite ones as sums of products."""
    limits, offsets, sums = off(ints, head.ints.limits), off(ints, head.ints.offsets), off(work, head.area.sums)
    F, pq, m = off(work, head.area.channels), off(work, head.area.variables), off(work, head.area.moments)
    channel_sums(F, pq, used, limits, offsets, head.channels, sums)
    begin, columns = off(ints, head.ints.forward), off(ints, head.ints.forward_columns)
    sparse_product(head.basic, begin, columns, off(floats, head.floats.forward), sums, m)
    products(head, ints, floats, m)


@device
def moment_derivatives(head: Head, ints: Any, floats: Any, work: Any) -> None:
    """dE/dM of all moments, and from those of the basic ones dE/dS."""
    m, d = off(work, head.area.moments), off(work, head.area.moment_derivatives)
    for k in range(head.moments):
        store(d, k * W, splat(0.0))
    mapping, scalars = off(ints, head.ints.mapping), off(floats, head.floats.moments)
    for k in range(head.scalars):
        store(d, ldi(mapping, k) * W, load_splat(scalars, k))
    product_derivatives(head, ints, floats, m, d)
    begin, columns = off(ints, head.ints.reverse), off(ints, head.ints.reverse_columns)
    sparse_product(head.sums, begin, columns, off(floats, head.floats.reverse), d, off(work, head.area.sum_derivatives))


@device
def pair_forces(head: Head, ints: Any, used: int, work: Any) -> None:
    """p_ij = dU_i/dr_j of every slot; with report_radial also dU_i/dc of the radial coefficients."""
    functions, total = head.functions, head.channels
    if head.request.report_radial == 1:
        for at in range(head.types * functions * head.basis):
            store(work, head.area.gradients + at * W, splat(0.0))
    limits, offsets = off(ints, head.ints.limits), off(ints, head.ints.offsets)
    which, odd = off(ints, head.ints.function), off(ints, head.ints.odd)
    v, zero = off(work, head.area.derivatives), splat(0.0)
    for k in range(used):
        if k % 4 == 0:
            pq = off(work, head.area.variables + 2 * k * W)
            channel_derivatives(off(work, head.area.sum_derivatives), pq, limits, offsets, total, v)
        slot, rinv = (
            off(work, head.area.slots + 4 * k * W),
            load(work, head.area.geometry + k * GEOMETRY_WORDS * W),
        )
        x, y, z = load(slot, 0) * rinv, load(slot, W) * rinv, load(slot, 2 * W) * rinv
        G = off(work, head.area.functions + (2 * (k - k % 4) * functions + k % 4) * W)
        F = off(work, head.area.channels + ((k - k % 4) * (total + 3) + k % 4) * W)
        radial = gx = gy = gz = zero
        for ch in range(total):
            part, f, mu = off(v, (12 * ch + k % 4) * W), load(F, 4 * ch * W), ldi(which, ch)
            value = load(part, 0)
            if ldi(odd, ch) == 1:
                gx = fma(load(G, 8 * mu * W), value, gx)
                value = value * x
            radial = fma(load(G, (8 * mu + 4) * W), value, radial)
            gy = fma(f, load(part, 4 * W), gy)
            gz = fma(f, load(part, 8 * W), gz)
        if head.request.report_radial == 1:
            radial_gradients(head, ints, k, x, work)
        radial = fma(-rinv, fma(gx, x, fma(gy, y, gz * z)), radial)
        out = off(work, head.area.forces + 3 * k * W)
        store(out, 0, fma(radial, x, gx * rinv))
        store(out, W, fma(radial, y, gy * rinv))
        store(out, 2 * W, fma(radial, z, gz * rinv))


@device
def radial_gradients(head: Head, ints: Any, k: int, x: Any, work: Any) -> None:
    """Add one slot to dU_i/dc[z_i][z_j][mu][n] of the eight atoms in terms of T_n, scaling left out."""
    count, functions, zero = head.basis, head.functions, splat(0.0)
    v, which, odd = off(work, head.area.derivatives), off(ints, head.ints.function), off(ints, head.ints.odd)
    geometry, total = off(work, head.area.geometry + k * GEOMETRY_WORDS * W), off(work, head.area.values)
    for mu in range(functions):
        store(total, mu * W, zero)
    for ch in range(head.channels):
        value, at = load(v, (12 * ch + k % 4) * W), ldi(which, ch) * W
        store(total, at, load(total, at) + (value * x if ldi(odd, ch) == 1 else value))
    weight, xi = load(geometry, W), load(geometry, 3 * W)
    other = fma(load(work, head.area.types), splat(-float(head.types)), load(geometry, 5 * W))
    for z in range(head.types):
        now = weight if head.types == 1 else where_less(vabs(other - splat(float(z))), splat(0.5), weight, zero)
        before, twice = now * xi, xi + xi
        out = off(work, head.area.gradients + z * functions * count * W)
        for n in range(count):
            for mu in range(functions):
                at = (mu * count + n) * W
                store(out, at, fma(now, load(total, mu * W), load(out, at)))
            before, now = now, fma(twice, now, -before)


@device
def report_gradients(head: Head, members: Any, report: Any, work: Any) -> None:
    """Write what `radial_gradients` has summed up to the rows of the eight atoms."""
    size = head.types * head.functions * head.basis
    for lane in range(W):
        i = ldi(members, lane)
        if i < head.centers:
            row = off(report, i * (size + head.request.report_basis * head.scalars))
            for at in range(size):
                stf(row, at, ldf(work, head.area.gradients + at * W + lane))


@device
def close_repulsion(head: Head, floats: Any, used: int, work: Any) -> Any:
    """The exponential of RBChebyshev_repuls below min_dist, added to the pair forces; returns the energies."""
    clamp = splat(ldf(floats, head.floats.scalars + 2))
    total, edge = splat(0.0), REPULSION * vexp((clamp - 1.0) * -DECAY)
    for k in range(used):
        values = off(work, head.area.geometry + k * GEOMETRY_WORDS * W)
        r, rinv = load(values, 6 * W), load(values, 0)
        energy = REPULSION * vexp((r - 1.0) * -DECAY)
        total = total + where_less(clamp, r, splat(0.0), energy - edge)
        push = where_less(clamp, r, splat(0.0), energy * -DECAY * rinv)
        slot, out = off(work, head.area.slots + 4 * k * W), off(work, head.area.forces + 3 * k * W)
        for axis in range(3):
            store(out, axis * W, fma(push, load(slot, axis * W), load(out, axis * W)))
    return total


@device
def evaluate_block(
    listing: Any, species: Any, head: Head, ints: Any, floats: Any, members: Any, rows: Any, report: Any, work: Any
) -> None:
    """One block: energies of its atoms to the area `energy`, forces and virials to `rows`."""
    n, slots, types = head.atoms, off(work, head.area.slots), off(work, head.area.types)
    energy = off(work, head.area.energy)
    for lane in range(W):
        kind = ldi(species, min(ldi(members, lane), n))
        stf(types, lane, float(kind))
        stf(energy, lane, ldf(floats, head.floats.species + kind))
    used = gather(listing, members, n, 0.0, ldf(floats, head.floats.scalars + 1), head.slots, slots)
    geometry(head, floats, species, used, work)
    fill_channels(head, ints, floats, used, work)
    moments(head, ints, floats, used, work)
    total, m, mapping = load(energy, 0), off(work, head.area.moments), off(ints, head.ints.mapping)
    for k in range(head.scalars):
        total = fma(load_splat(floats, head.floats.moments + k), load(m, ldi(mapping, k) * W), total)
    if head.request.derivatives == 1:
        moment_derivatives(head, ints, floats, work)
        pair_forces(head, ints, used, work)
        if head.request.report_radial == 1:
            report_gradients(head, members, report, work)
        if head.repulsive == 1:
            total = total + close_repulsion(head, floats, used, work)
        scatter(slots, off(work, head.area.forces), used, members, n, rows)
    store(energy, 0, total)


@kernel
def evaluate(
    memory: Any, pairs: Any, call: Any, ints: Any, floats: Any, work: Any, energies: Any, accumulators: Any,
    forces: Any, virials: Any, report: Any, left: Any, me: int
) -> None:  # fmt: skip
    """Evaluate the chunks of a configuration that nobody else takes from `left`; see `potential.evaluate_blocks`.

    `report` receives a row for each atom: with report_radial the derivatives by the radial coefficients of its species
    [S][K][R], and behind them, with report_basis, the basis values [scalars].
    """
    head, scratch, neighbors = view(ptr(call), Head), ptr(work), pointers(memory, pairs)
    species, order = off(ptr(call), head.species), off(ptr(call), head.order)
    n, scalars = head.atoms, head.scalars
    basis = head.request.report_radial * head.types * head.functions * head.basis
    chunk = next_chunk(left, me, head.chunks)
    while chunk < head.chunks:
        begin, end, rows = open_chunk(neighbors, head, ptr(accumulators), chunk)
        for block in range(begin, end):
            members = off(order, block * W)
            evaluate_block(neighbors, species, head, ptr(ints), ptr(floats), members, rows, ptr(report), scratch)
            for lane in range(min(W, head.centers - block * W)):
                i = ldi(members, lane)
                energies[i] = ldf(scratch, head.area.energy + lane)
                if head.request.report_basis == 1:
                    for k in range(scalars):
                        at = head.area.moments + ints[head.ints.mapping + k] * W + lane
                        report[i * (basis + scalars) + basis + k] = ldf(scratch, at)
        chunk = next_chunk(left, me, head.chunks)
    if head.chunks == 1:
        sum_rows(ptr(accumulators), 1, n, ptr(forces), ptr(virials))
