"""Entry point of NEP: energies, forces, virials and what else a model gives, for eight atoms at a time.

The moments S_{n,lm} are linear in `lanes.channel_sums` with the channels g_n and g_n x/r and the variables y/r and z/r:
on the unit sphere x^2 = 1 - y^2 - z^2, so one factor x suffices.  Neighbours within the largest angular cutoff ("near")
take part in all functions, those beyond ("far") in the radial ones only.

`head` holds sizes and places (`layout`), `ints` and `floats` the constant tables, `work` the scratch of one thread.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.jit import device, kernel
from ..engine.lanes import channel_derivatives, channel_sums, gather, open_chunk, scatter, sparse_product, sum_rows
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
from .layout import *

HALF_PI = 0.5 * np.pi


@device
def zero(p: Any, n: int) -> None:
    """Clear n vectors."""
    for e in range(n):
        store(p, e * W, splat(0.0))


@device
def lane_types(head: Any, species: Any, members: Any, work: Any) -> None:
    """Types of the eight lanes as doubles; a lane without atom has that of the first."""
    for lane in range(W):
        i = ldi(members, lane)
        t = ldi(species, i) if i < ldi(head, ATOMS) else ldi(species, ldi(members, 0))
        stf(work, ldi(head, A_TYPES) + lane, float(t))


@device
def descriptors(head: Any, ints: Any, floats: Any, near: int, far: int, work: Any) -> None:
    """q of the eight atoms, and in A_E what the network sees."""
    zero(off(work, ldi(head, A_Q)), ldi(head, DESCRIPTORS))
    zero(off(work, ldi(head, A_RADIAL)), ldi(head, K_RADIAL))
    radial_sums(head, floats, near, off(work, ldi(head, A_GEOMETRY_NEAR)), off(work, ldi(head, A_SLOPES_NEAR)), work)
    radial_sums(head, floats, far, off(work, ldi(head, A_GEOMETRY_FAR)), off(work, ldi(head, A_SLOPES_FAR)), work)
    if ldi(head, TYPES) == 1:
        finish_radial(head, floats, work)
    angular_channels(head, floats, near, work)
    limits, offsets, sums = off(ints, ldi(head, I_LIMITS)), off(ints, ldi(head, I_OFFSETS)), off(work, ldi(head, A_S))
    channel_sums(
        off(work, ldi(head, A_F)), off(work, ldi(head, A_PQ)), near, limits, offsets, ldi(head, CHANNELS), sums
    )
    begin, columns = off(ints, ldi(head, I_FORWARD)), off(ints, ldi(head, I_FORWARD_COLUMNS))
    rows = ldi(head, ANGULAR) * ldi(head, MOMENTS)
    sparse_product(rows, begin, columns, off(floats, ldi(head, F_FORWARD)), sums, off(work, ldi(head, A_M)))
    invariants(head, ints, floats, work)
    q, x, scaler = off(work, ldi(head, A_Q)), off(work, ldi(head, A_E)), off(floats, ldi(head, F_SCALER))
    for d in range(ldi(head, DESCRIPTORS)):
        store(x, d * W, load(q, d * W) * load_splat(scaler, d))


@device
def networks(head: Any, floats: Any, coupling: Any, report: Any, members: Any, work: Any) -> None:
    """Energies and, in A_FP, their derivatives: one network for each type among the lanes."""
    zero(off(work, ldi(head, A_VALUES)), 2)
    zero(off(work, ldi(head, A_FP)), (ldi(head, DESCRIPTORS) + W - 1) // W * W)
    types = off(work, ldi(head, A_TYPES))
    for lane in range(W):
        kind = int(ldf(types, lane))
        new = True
        for before in range(lane):
            new = new and (ldi(head, NETS) > 1 and int(ldf(types, before)) != kind)
        if new:
            network(head, floats, kind, coupling, work)
            if ldi(head, REPORT) == 1:
                report_latent(head, floats, kind, report, members, work)


@device
def report_latent(head: Any, floats: Any, kind: int, report: Any, members: Any, work: Any) -> None:
    """Write w1 tanh(..) of each neuron for the atoms of this type."""
    hidden, count = ldi(head, HIDDEN), ldi(head, DESCRIPTORS)
    place = ldi(head, NETWORK) * ldi(head, NETS) + (kind if ldi(head, NETS) > 1 else 0)
    w1 = off(floats, ldi(head, F_NETWORK) + (place + 1) * ldi(head, NET_SIZE) - 1 - 2 * hidden)
    width = count + ldi(head, NEURONS) + REPORT_WORDS
    for lane in range(W):
        i = ldi(members, lane)
        own = int(ldf(work, ldi(head, A_TYPES) + lane))
        if i < ldi(head, ATOMS) and (ldi(head, NETS) == 1 or own == kind):
            for mu in range(ldi(head, NEURONS)):
                value = ldf(work, ldi(head, A_HIDDEN) + mu * W + lane)
                stf(report, i * width + count + mu, ldf(w1, mu) * value)


@device
def near_forces(head: Any, ints: Any, used: int, work: Any) -> None:
    """p_ij = dU_i/dr_j of the near slots: radial and angular functions (Fan et al. 2022, eqs. 25-27)."""
    functions, channels = ldi(head, ANGULAR), ldi(head, CHANNELS)
    limits, offsets = off(ints, ldi(head, I_LIMITS)), off(ints, ldi(head, I_OFFSETS))
    sums, v, along = off(work, ldi(head, A_D)), off(work, ldi(head, A_DERIVATIVES)), off(work, ldi(head, A_ROWS))
    geometry, slopes = off(work, ldi(head, A_GEOMETRY_NEAR)), off(work, ldi(head, A_SLOPES_NEAR))
    for k in range(used):
        if k % 4 == 0:
            channel_derivatives(sums, off(work, ldi(head, A_PQ) + 2 * k * W), limits, offsets, channels, v)
            radial_derivatives(head, k, geometry, slopes, work, along)
        slot = off(work, ldi(head, A_NEAR) + 4 * k * W)
        rinv = load(geometry, k * GEOMETRY_WORDS * W)
        x, y, z = load(slot, 0) * rinv, load(slot, W) * rinv, load(slot, 2 * W) * rinv
        f = off(work, ldi(head, A_F) + (k // 4 * (channels + 3) * 4 + k % 4) * W)
        g = off(work, ldi(head, A_G) + (k // 4 * functions * 4 + k % 4) * W)
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
        out = off(work, ldi(head, A_P_NEAR) + 3 * k * W)
        store(out, 0, fma(radial, x, gx * rinv))
        store(out, W, fma(radial, y, gy * rinv))
        store(out, 2 * W, fma(radial, z, gz * rinv))


@device
def far_forces(head: Any, used: int, work: Any) -> None:
    """The same of the far slots: radial functions only."""
    along = off(work, ldi(head, A_ROWS))
    geometry, slopes = off(work, ldi(head, A_GEOMETRY_FAR)), off(work, ldi(head, A_SLOPES_FAR))
    for k in range(used):
        if k % 4 == 0:
            radial_derivatives(head, k, geometry, slopes, work, along)
        slot, out = off(work, ldi(head, A_FAR) + 4 * k * W), off(work, ldi(head, A_P_FAR) + 3 * k * W)
        push = load(along, k % 4 * W) * load(geometry, k * GEOMETRY_WORDS * W)
        for axis in range(3):
            store(out, axis * W, push * load(slot, axis * W))


@device
def nuclear_repulsion(head: Any, floats: Any, used: int, work: Any) -> Any:
    """Add the screened nuclear repulsion to the near pair forces; returns the energies."""
    table, pairs, row = off(floats, ldi(head, F_ZBL)), off(floats, ldi(head, F_PAIR)), off(work, ldi(head, A_ROWS))
    total = splat(0.0)
    for k in range(used):
        values = off(work, ldi(head, A_GEOMETRY_NEAR) + k * GEOMETRY_WORDS * W)
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
        slot, out = off(work, ldi(head, A_NEAR) + 4 * k * W), off(work, ldi(head, A_P_NEAR) + 3 * k * W)
        for axis in range(3):
            store(out, axis * W, fma(push, load(slot, axis * W), load(out, axis * W)))
    return total


@device
def report_pairs(head: Any, slots: Any, P: Any, used: int, members: Any, report: Any) -> None:
    """Add sum_j r^2 p and sum_j r p of each atom, from which dipoles and Born charges are made."""
    width = ldi(head, DESCRIPTORS) + ldi(head, NEURONS) + REPORT_WORDS
    for lane in range(W):
        i = ldi(members, lane)
        if i >= ldi(head, ATOMS):
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
def derivatives(head: Any, ints: Any, floats: Any, near: int, far: int, work: Any) -> None:
    """Pair forces of all slots from dE/dq."""
    invariant_derivatives(head, ints, floats, work)
    begin, columns = off(ints, ldi(head, I_REVERSE)), off(ints, ldi(head, I_REVERSE_COLUMNS))
    values = off(floats, ldi(head, F_REVERSE))
    sparse_product(ldi(head, SUMS), begin, columns, values, off(work, ldi(head, A_DM)), off(work, ldi(head, A_D)))
    if ldi(head, TYPES) == 1:
        radial_weights(head, floats, work)
    near_forces(head, ints, near, work)
    far_forces(head, far, work)
    values = off(work, ldi(head, A_VALUES))
    if ldi(head, ZBL) == 1 and ldi(head, ENERGY) == 1:
        store(values, 0, load(values, 0) + nuclear_repulsion(head, floats, near, work))


@device
def evaluate_block(
    listing: Any, species: Any, lam: Any, head: Any, ints: Any, floats: Any, members: Any, rows: Any, report: Any,
    work: Any
) -> None:  # fmt: skip
    """One block: values of its atoms to A_VALUES, forces and virials to `rows`."""
    n, slots = ldi(head, ATOMS), ldi(head, SLOTS)
    scalars = off(floats, ldi(head, F_SCALARS))
    inner, outer = ldf(scalars, 0), ldf(scalars, 1)
    lane_types(head, species, members, work)
    a_near, a_far, far = off(work, ldi(head, A_NEAR)), off(work, ldi(head, A_FAR)), 0
    near = gather(listing, members, n, 0.0, inner, slots, a_near)
    geometry(head, floats, species, a_near, near, off(work, ldi(head, A_GEOMETRY_NEAR)), work)
    if outer > inner:
        far = gather(listing, members, n, inner, outer, slots, a_far)
        geometry(head, floats, species, a_far, far, off(work, ldi(head, A_GEOMETRY_FAR)), work)
    descriptors(head, ints, floats, near, far, work)
    for lane in range(W):
        stf(work, ldi(head, A_ROWS) + lane, ldf(lam, min(ldi(members, lane), n)))
    networks(head, floats, load(work, ldi(head, A_ROWS)), report, members, work)
    if ldi(head, DERIVATIVES) == 1:
        derivatives(head, ints, floats, near, far, work)
        p_near, p_far = off(work, ldi(head, A_P_NEAR)), off(work, ldi(head, A_P_FAR))
        scatter(a_near, p_near, near, members, n, rows)
        scatter(a_far, p_far, far, members, n, rows)
        if ldi(head, REPORT) == 1:
            report_pairs(head, a_near, p_near, near, members, report)
            report_pairs(head, a_far, p_far, far, members, report)


@kernel
def evaluate(
    positions: Any, shifts: Any, start: Any, idx: Any, code: Any, species: Any, order: Any, head: Any, ints: Any,
    floats: Any, work: Any, energies: Any, accumulators: Any, forces: Any, virials: Any, lam: Any, report: Any,
    first: int, last: int
) -> None:  # fmt: skip
    """Evaluate the chunks first .. last-1 of a configuration.

    `order` lists the atoms of each block and, to fill the last, n; a chunk has consecutive atoms in some order.
    `lam` [n + 1] is the derivative of an energy with respect to each charge (qNEP).  `report` [n][D + H + 13] receives,
    with REPORT, scaled descriptors, latent space, charges and the sums of `report_pairs`.
    """
    h, scratch = ptr(head), ptr(work)
    n, chunks = ldi(h, ATOMS), ldi(h, CHUNKS)
    count = ldi(h, DESCRIPTORS)
    width = count + ldi(h, NEURONS) + REPORT_WORDS
    listing = (ptr(positions), ptr(shifts), ptr(start), ptr(idx), ptr(code))
    for chunk in range(first, last):
        begin, end, rows = open_chunk(listing, ptr(accumulators), chunk, chunks, n)
        for block in range(begin, end):
            members = off(ptr(order), block * W)
            evaluate_block(
                listing, ptr(species), ptr(lam), h, ptr(ints), ptr(floats), members, rows, ptr(report), scratch
            )
            for lane in range(W):
                i = ldi(members, lane)
                if i < n:
                    energies[i] = ldf(scratch, ldi(h, A_VALUES) + lane)
                    if ldi(h, REPORT) == 1:
                        report[i * width + count + ldi(h, NEURONS)] = ldf(scratch, ldi(h, A_VALUES) + W + lane)
                        for d in range(count):
                            report[i * width + d] = ldf(scratch, ldi(h, A_E) + d * W + lane)
    if chunks == 1:
        sum_rows(ptr(accumulators), 1, n, ptr(forces), ptr(virials))
