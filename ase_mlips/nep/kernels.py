"""Entry point of NEP: energies, forces, virials and what else a model gives, for eight atoms at a time.

The moments S_{n,lm} are linear in `lanes.channel_sums` with the channels g_n and g_n x/r and the variables y/r and z/r:
on the unit sphere x^2 = 1 - y^2 - z^2, so one factor x suffices.  Neighbours within the largest angular cutoff ("near")
take part in all functions, those beyond ("far") in the radial ones only.

`head` holds sizes and places (`layout`), `ints` and `floats` the constant tables, `work` the scratch of one thread.
"""

from __future__ import annotations

from typing import Any

import numpy as np

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
from ..engine.sharing import next_chunk
from ..engine.simd import (
    W,
    fma,
    ldf,
    ldi,
    load,
    load_splat,
    mask_less,
    off,
    ptr,
    splat,
    stf,
    store,
    vmax,
    vmin,
    where_less,
)
from ..engine.vector_math import sine_cosine, vexp
from .kernels_basis import (
    angular_channels,
    finish_radial,
    geometry,
    radial_derivatives,
    radial_sums,
    radial_weights,
)
from .kernels_network import invariant_derivatives, invariants, network
from .layout import GEOMETRY_WORDS, PAIR_WORDS, REPORT_WORDS, ZBL_WORDS, Head

HALF_PI = 0.5 * np.pi


@device
def zero(p: Any, n: int) -> None:
    """Clear n vectors."""
    for e in range(n):
        store(p, e * W, splat(0.0))


@device
def lane_types(head: Head, species: Any, members: Any, work: Any) -> None:
    """Types of the eight lanes as doubles; a lane without atom has that of the first."""
    for lane in range(W):
        i = ldi(members, lane)
        t = ldi(species, i) if i < head.atoms else ldi(species, ldi(members, 0))
        stf(work, head.area.types + lane, float(t))


@device
def descriptors(head: Head, ints: Any, floats: Any, near: int, far: int, work: Any) -> None:
    """q of the eight atoms, and in the area `inputs` what the network sees."""
    zero(off(work, head.area.descriptors), head.descriptors)
    zero(off(work, head.area.radial), head.k_radial)
    radial_sums(head, floats, near, off(work, head.area.near.geometry), off(work, head.area.near.slopes), work)
    radial_sums(head, floats, far, off(work, head.area.far.geometry), off(work, head.area.far.slopes), work)
    if head.types == 1:
        finish_radial(head, floats, work)
    angular_channels(head, floats, near, work)
    limits, offsets, sums = off(ints, head.ints.limits), off(ints, head.ints.offsets), off(work, head.area.sums)
    channel_sums(
        off(work, head.area.channels), off(work, head.area.variables), near, limits, offsets, head.channels, sums
    )
    begin, columns = off(ints, head.ints.forward), off(ints, head.ints.forward_columns)
    rows = head.angular * head.moments
    sparse_product(rows, begin, columns, off(floats, head.floats.forward), sums, off(work, head.area.moments))
    invariants(head, ints, floats, work)
    q, x, scaler = off(work, head.area.descriptors), off(work, head.area.inputs), off(floats, head.floats.scaler)
    for d in range(head.descriptors):
        store(x, d * W, load(q, d * W) * load_splat(scaler, d))


@device
def networks(head: Head, floats: Any, coupling: Any, report: Any, members: Any, work: Any) -> None:
    """Energies and their derivatives by the descriptors: one network for each type among the lanes."""
    zero(off(work, head.area.values), 2)
    zero(off(work, head.area.descriptor_derivatives), (head.descriptors + W - 1) // W * W)
    types = off(work, head.area.types)
    for lane in range(W):
        kind = int(ldf(types, lane))
        new = True
        for before in range(lane):
            new = new and (head.nets > 1 and int(ldf(types, before)) != kind)
        if new:
            network(head, floats, kind, coupling, work)
            if head.request.report == 1:
                report_latent(head, floats, kind, report, members, work)


@device
def report_latent(head: Head, floats: Any, kind: int, report: Any, members: Any, work: Any) -> None:
    """Write w1 tanh(..) of each neuron for the atoms of this type."""
    hidden, count = head.hidden, head.descriptors
    place = head.request.network * head.nets + (kind if head.nets > 1 else 0)
    w1 = off(floats, head.floats.network + (place + 1) * head.net_size - 1 - 2 * hidden)
    width = count + head.neurons + REPORT_WORDS
    for lane in range(W):
        i = ldi(members, lane)
        own = int(ldf(work, head.area.types + lane))
        if i < head.atoms and (head.nets == 1 or own == kind):
            for mu in range(head.neurons):
                value = ldf(work, head.area.hidden + mu * W + lane)
                stf(report, i * width + count + mu, ldf(w1, mu) * value)


@device
def near_forces(head: Head, ints: Any, used: int, work: Any) -> None:
    """p_ij = dU_i/dr_j of the near slots: radial and angular functions (Fan et al. 2022, eqs. 25-27)."""
    functions, channels = head.angular, head.channels
    limits, offsets = off(ints, head.ints.limits), off(ints, head.ints.offsets)
    sums, v, along = off(work, head.area.sum_derivatives), off(work, head.area.derivatives), off(work, head.area.rows)
    geometry, slopes = off(work, head.area.near.geometry), off(work, head.area.near.slopes)
    for k in range(used):
        if k % 4 == 0:
            channel_derivatives(sums, off(work, head.area.variables + 2 * k * W), limits, offsets, channels, v)
            radial_derivatives(head, k, geometry, slopes, work, along)
        slot = off(work, head.area.near.slots + 4 * k * W)
        rinv = load(geometry, k * GEOMETRY_WORDS * W)
        x, y, z = load(slot, 0) * rinv, load(slot, W) * rinv, load(slot, 2 * W) * rinv
        f = off(work, head.area.channels + (k // 4 * (channels + 3) * 4 + k % 4) * W)
        g = off(work, head.area.functions + (k // 4 * functions * 4 + k % 4) * W)
        radial = load(along, k % 4 * W)
        gx = gy = gz = splat(0.0)
        for n in range(functions):
            a, b = off(v, (12 * n + k % 4) * W), off(v, (12 * (functions + n) + k % 4) * W)
            f0, f1, odd = load(f, 4 * n * W), load(f, 4 * (functions + n) * W), load(b, 0)
            radial = fma(load(g, 4 * n * W), fma(x, odd, load(a, 0)), radial)
            gx = fma(f0, odd, gx)
            gy = fma(f0, load(a, 4 * W), fma(f1, load(b, 4 * W), gy))
            gz = fma(f0, load(a, 8 * W), fma(f1, load(b, 8 * W), gz))
        radial = fma(-rinv, fma(gx, x, fma(gy, y, gz * z)), radial)
        out = off(work, head.area.near.forces + 3 * k * W)
        store(out, 0, fma(radial, x, gx * rinv))
        store(out, W, fma(radial, y, gy * rinv))
        store(out, 2 * W, fma(radial, z, gz * rinv))


@device
def far_forces(head: Head, used: int, work: Any) -> None:
    """The same of the far slots: radial functions only."""
    along = off(work, head.area.rows)
    geometry, slopes = off(work, head.area.far.geometry), off(work, head.area.far.slopes)
    for k in range(used):
        if k % 4 == 0:
            radial_derivatives(head, k, geometry, slopes, work, along)
        slot, out = off(work, head.area.far.slots + 4 * k * W), off(work, head.area.far.forces + 3 * k * W)
        push = load(along, k % 4 * W) * load(geometry, k * GEOMETRY_WORDS * W)
        for axis in range(3):
            store(out, axis * W, push * load(slot, axis * W))


@device
def nuclear_repulsion(head: Head, floats: Any, used: int, work: Any) -> Any:
    """Add the screened nuclear repulsion to the near pair forces; returns the energies."""
    table, pairs, row = off(floats, head.floats.zbl), off(floats, head.floats.pair), off(work, head.area.rows)
    total = splat(0.0)
    for k in range(used):
        values = off(work, head.area.near.geometry + k * GEOMETRY_WORDS * W)
        for lane in range(W):
            stf(row, lane, ldf(pairs, int(ldf(values, 9 * W + lane)) * PAIR_WORDS + 2))
        rinv = load(values, 0)
        r = 1.0 / rinv
        outer = load(row, 0)
        if mask_less(r, outer) == 0:
            continue
        for lane in range(W):
            source = off(table, int(ldf(values, 9 * W + lane)) * ZBL_WORDS)
            for p in range(ZBL_WORDS):
                stf(row, p * W + lane, ldf(source, p))
        inner, strength = load(row, 0), load(row, 2 * W) * rinv
        width = load(row, W) - inner
        sine, cosine = sine_cosine(vmin(vmax((r - inner) / width * HALF_PI, splat(0.0)), splat(HALF_PI)))
        phi = dphi = splat(0.0)
        for term in range(4):
            decay = load(row, (4 + 2 * term) * W)
            part = load(row, (3 + 2 * term) * W) * vexp(-(decay * r))
            phi, dphi = phi + part, fma(-decay, part, dphi)
        energy = strength * phi
        slope = fma(strength, dphi, -(energy * rinv))
        switch, dswitch = cosine * cosine, -(sine * cosine / width * (2.0 * HALF_PI))
        inside, half = splat(0.0), splat(0.5)
        total = total + where_less(r, outer, energy * switch * half, inside)
        push = where_less(r, outer, fma(slope, switch, energy * dswitch) * half * rinv, inside)
        slot, out = off(work, head.area.near.slots + 4 * k * W), off(work, head.area.near.forces + 3 * k * W)
        for axis in range(3):
            store(out, axis * W, fma(push, load(slot, axis * W), load(out, axis * W)))
    return total


@device
def report_pairs(head: Head, slots: Any, P: Any, used: int, members: Any, report: Any) -> None:
    """Add sum_j r^2 p and sum_j r p of each atom, from which dipoles and Born charges are made."""
    width = head.descriptors + head.neurons + REPORT_WORDS
    for lane in range(W):
        i = ldi(members, lane)
        if i >= head.atoms:
            continue
        out = off(report, (i + 1) * width - REPORT_WORDS + 1)
        for k in range(used):
            x, y, z = (
                ldf(slots, 4 * k * W + lane),
                ldf(slots, (4 * k + 1) * W + lane),
                ldf(slots, (4 * k + 2) * W + lane),
            )
            square = x * x + y * y + z * z
            for b in range(3):
                p = ldf(P, (3 * k + b) * W + lane)
                stf(out, b, ldf(out, b) + square * p)
                stf(out, 3 + b, ldf(out, 3 + b) + x * p)
                stf(out, 6 + b, ldf(out, 6 + b) + y * p)
                stf(out, 9 + b, ldf(out, 9 + b) + z * p)


@device
def derivatives(head: Head, ints: Any, floats: Any, near: int, far: int, work: Any) -> None:
    """Pair forces of all slots from dE/dq."""
    invariant_derivatives(head, ints, floats, work)
    begin, columns = off(ints, head.ints.reverse), off(ints, head.ints.reverse_columns)
    values = off(floats, head.floats.reverse)
    sparse_product(
        head.sums, begin, columns, values, off(work, head.area.moment_derivatives), off(work, head.area.sum_derivatives)
    )
    if head.types == 1:
        radial_weights(head, floats, work)
    near_forces(head, ints, near, work)
    far_forces(head, far, work)
    values = off(work, head.area.values)
    if head.zbl == 1 and head.request.energy == 1:
        store(values, 0, load(values, 0) + nuclear_repulsion(head, floats, near, work))


@device
def evaluate_block(
    listing: Any, species: Any, lam: Any, head: Head, ints: Any, floats: Any, members: Any, rows: Any, report: Any,
    work: Any
) -> None:  # fmt: skip
    """One block: values of its atoms to the area `values`, forces and virials to `rows`."""
    n, slots = head.atoms, head.slots
    scalars = off(floats, head.floats.scalars)
    inner, outer = ldf(scalars, 0), ldf(scalars, 1)
    lane_types(head, species, members, work)
    a_near, a_far, far = off(work, head.area.near.slots), off(work, head.area.far.slots), 0
    near = gather(listing, members, n, 0.0, inner, slots, a_near)
    geometry(head, floats, species, a_near, near, off(work, head.area.near.geometry), work)
    if outer > inner:
        far = gather(listing, members, n, inner, outer, slots, a_far)
        geometry(head, floats, species, a_far, far, off(work, head.area.far.geometry), work)
    descriptors(head, ints, floats, near, far, work)
    for lane in range(W):
        stf(work, head.area.rows + lane, ldf(lam, min(ldi(members, lane), n)))
    networks(head, floats, load(work, head.area.rows), report, members, work)
    if head.request.derivatives == 1:
        derivatives(head, ints, floats, near, far, work)
        p_near, p_far = off(work, head.area.near.forces), off(work, head.area.far.forces)
        scatter(a_near, p_near, near, members, n, rows)
        scatter(a_far, p_far, far, members, n, rows)
        if head.request.report == 1:
            report_pairs(head, a_near, p_near, near, members, report)
            report_pairs(head, a_far, p_far, far, members, report)


@kernel
def evaluate(
    memory: Any, pairs: Any, call: Any, ints: Any, floats: Any, work: Any, energies: Any, accumulators: Any,
    forces: Any, virials: Any, lam: Any, report: Any, left: Any, me: int
) -> None:  # fmt: skip
    """Evaluate the chunks of a configuration that nobody else takes from `left`; see `potential.evaluate_blocks`.

    A chunk has consecutive atoms in some order.  `lam` [n + 1] is the derivative of an energy with respect to each
    charge (qNEP).  `report` [n][D + H + 13] receives, where that is asked for, scaled descriptors, latent space,
    charges and the sums of `report_pairs`.
    """
    head, scratch, neighbors = view(ptr(call), Head), ptr(work), pointers(memory, pairs)
    species, order = off(ptr(call), head.species), off(ptr(call), head.order)
    n, count = head.atoms, head.descriptors
    width = count + head.neurons + REPORT_WORDS
    chunk = next_chunk(left, me, head.chunks)
    while chunk < head.chunks:
        begin, end, rows = open_chunk(neighbors, head, ptr(accumulators), chunk)
        for block in range(begin, end):
            members = off(order, block * W)
            evaluate_block(
                neighbors, species, ptr(lam), head, ptr(ints), ptr(floats), members, rows, ptr(report), scratch
            )
            for lane in range(W):
                i = ldi(members, lane)
                if i < n:
                    energies[i] = ldf(scratch, head.area.values + lane)
                    if head.request.report == 1:
                        report[i * width + count + head.neurons] = ldf(scratch, head.area.values + W + lane)
                        for d in range(count):
                            report[i * width + d] = ldf(scratch, head.area.inputs + d * W + lane)
        chunk = next_chunk(left, me, head.chunks)
    if head.chunks == 1:
        sum_rows(ptr(accumulators), 1, n, ptr(forces), ptr(virials))
