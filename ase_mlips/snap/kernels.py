"""Entry points of SNAP: energies, forces and virials; descriptors and their gradients."""

from __future__ import annotations

from typing import Any

from ..engine.jit import device, kernel
from ..engine.lanes import channel_derivatives, gather, open_chunk, scatter, sum_rows
from ..engine.simd import (
    W,
    fma,
    gather_points,
    ldf,
    ldi,
    load,
    load_splat,
    mask_less,
    off,
    popcount,
    ptr,
    splat,
    stf,
    store,
    where_less,
)
from ..engine.zbl import screened_coulomb
from ..heads.kernels import network, polynomial
from .kernels_coupling import (
    bispectrum,
    lane_coefficients,
    store_z,
    y_direct,
    y_from_z,
    y_to_derivatives,
    zero,
)
from .kernels_density import block_types, channels, density, geometry, pair_parameters
from .layout import *


@device
def nuclear_repulsion(head: Any, floats: Any, used: int, work: Any) -> Any:
    """Start the pair forces with those of ZBL, switched off as LAMMPS does; returns the energies."""
    table, types = off(floats, ldi(head, F_ZBL)), ldi(head, TYPES)
    pairs, own = off(work, ldi(head, A_PAIR)), off(work, ldi(head, A_TYPES))
    row = off(work, ldi(head, A_DERIVATIVES))
    total = splat(0.0)
    for k in range(used):
        for lane in range(W):
            other = int(ldf(pairs, (k * PAIR_WORDS + 5) * W + lane))
            place = (int(ldf(own, lane)) * types + other) * ZBL_WORDS
            for p in range(ZBL_WORDS):
                stf(row, p * W + lane, ldf(table, place + p))
        slot = off(work, ldi(head, A_SLOTS) + 4 * k * W)
        x, y, z = load(slot, 0), load(slot, W), load(slot, 2 * W)
        rinv = load(work, ldi(head, A_GEOMETRY) + (k * GEOMETRY_WORDS + 7) * W)
        r = 1.0 / rinv
        energy, slope = screened_coulomb(r, rinv, load(row, 0), load(row, W))
        t = r - load(row, 2 * W)
        t = where_less(splat(0.0), t, t, splat(0.0))
        third, quarter = load(row, 3 * W), load(row, 4 * W)  # A / 3 and B / 4
        energy = energy + fma(t * t * t, fma(quarter, t, third), load(row, 5 * W))
        slope = fma(t * t, fma(quarter * 4.0, t, third * 3.0), slope)
        outer = load(row, 6 * W)
        total = total + where_less(r, outer, energy * 0.5, splat(0.0))
        push = where_less(r, outer, slope * 0.5 * rinv, splat(0.0))
        out = off(work, ldi(head, A_P) + 3 * k * W)
        store(out, 0, push * x)
        store(out, W, push * y)
        store(out, 2 * W, push * z)
    return total


@device
def pair_forces(head: Any, ints: Any, used: int, element: int, work: Any) -> None:
    """Add dU_i/dr_j that comes from dE/dS of one element channel."""
    count, top = ldi(head, CHANNELS), ldi(head, TWOJMAX)
    limits, offsets = off(ints, ldi(head, I_LIMITS)), off(ints, ldi(head, I_OFFSETS))
    sums, out = off(work, ldi(head, A_D) + element * ldi(head, SUMS) * W), off(work, ldi(head, A_DERIVATIVES))
    if ldi(head, ELEMENTS) > 1:
        channels(head, used, element, work)
    for k in range(used):
        if k % 4 == 0:
            channel_derivatives(sums, off(work, ldi(head, A_PQ) + 2 * k * W), limits, offsets, count, out)
        f = off(work, ldi(head, A_F) + (k // 4 * (count + 3) * 4 + k % 4) * W)
        v = off(out, k % 4 * W)
        re, im, m = load(f, 0), splat(0.0), 1.0
        dw, dc, dz = re * load(v, 0), re * load(v, 4 * W), re * load(v, 8 * W)
        dbr = dbi = splat(0.0)
        for n in range(1, 2 * top, 2):
            v1, v2 = off(v, n * 12 * W), off(v, (n + 1) * 12 * W)
            e1, e2 = load(v1, 0), load(v2, 0)
            dbr = fma(fma(e1, re, e2 * im), splat(m), dbr)
            dbi = fma(fma(e2, re, -(e1 * im)), splat(m), dbi)
            re, im = load(f, n * 4 * W), load(f, (n + 1) * 4 * W)
            dw = fma(re, e1, fma(im, e2, dw))
            dc = fma(re, load(v1, 4 * W), fma(im, load(v2, 4 * W), dc))
            dz = fma(re, load(v1, 8 * W), fma(im, load(v2, 8 * W), dz))
            m += 1.0
        _add_force(head, k, dw, dc, dz, dbr, dbi, work)


@device
def _add_force(head: Any, k: int, dw: Any, dc: Any, dz: Any, dbr: Any, dbi: Any, work: Any) -> None:
    slot, values = off(work, ldi(head, A_SLOTS) + 4 * k * W), off(work, ldi(head, A_GEOMETRY) + k * GEOMETRY_WORDS * W)
    x, y, z = load(slot, 0), load(slot, W), load(slot, 2 * W)
    s, rinv = load(values, 3 * W), load(values, 7 * W)
    ds = fma(y, dbr, fma(z, dz, -(x * dbi)))
    radial = fma(ds, load(values, 4 * W), fma(dc, load(values, 5 * W), dw * load(values, 6 * W))) * rinv
    out = off(work, ldi(head, A_P) + 3 * k * W)
    store(out, 0, fma(radial, x, fma(s, -dbi, load(out, 0))))
    store(out, W, fma(radial, y, fma(s, dbr, load(out, W))))
    store(out, 2 * W, fma(radial, z, fma(s, dz, load(out, 2 * W))))


@device
def prepare(listing: Any, species: Any, head: Any, floats: Any, members: Any, work: Any) -> int:
    """Gather a block and its pair geometry; returns the number of slots, with the sign set if types differ."""
    slots = off(work, ldi(head, A_SLOTS))
    cutoff = ldf(floats, ldi(head, F_SCALARS) + 2)
    used = gather(listing, members, ldi(head, ATOMS), 0.0, cutoff, ldi(head, SLOTS), slots)
    one = block_types(head, species, members, work)
    pair_parameters(head, floats, species, used, work)
    geometry(head, floats, used, work)
    return used if one else -used - 1


@device
def run_head(head: Any, ints: Any, floats: Any, work: Any) -> Any:
    """Energies from B, and beta = dE/dB."""
    b, beta = off(work, ldi(head, A_B)), off(work, ldi(head, A_BETA))
    if ldi(head, NETWORK) == 1:
        spec, weights = off(ints, ldi(head, I_NETWORK)), off(floats, ldi(head, F_NETWORK))
        return network(spec, weights, off(work, ldi(head, A_TYPES)), b, beta, off(work, ldi(head, A_NETWORK)))
    if ldi(head, TYPES) > 1:
        lane_coefficients(head, floats, work)
    return polynomial(ldi(head, DESCRIPTORS), ldi(head, QUADRATIC), off(work, ldi(head, A_LANES)), b, beta)


@device
def evaluate_block(
    listing: Any, species: Any, head: Any, ints: Any, floats: Any, members: Any, rows: Any, work: Any
) -> None:
    """Energies of eight atoms (to A_ENERGY) and their share of forces and virials (to `rows`)."""
    used = prepare(listing, species, head, floats, members, work)
    one = used >= 0
    used = used if one else -used - 1
    density(head, ints, floats, used, work)
    if ldi(head, DIRECT) == 1 and one:
        energy = y_direct(head, ints, floats, int(ldf(work, ldi(head, A_TYPES))), work)
    else:
        store_z(head, ints, floats, work)
        bispectrum(head, ints, floats, work)
        energy = run_head(head, ints, floats, work)
        terms, factors = off(ints, ldi(head, I_Y)), off(floats, ldi(head, F_FACTOR))
        y_from_z(head, terms, factors, 0, ldi(head, N_Y), work)
    y_to_derivatives(head, ints, floats, work)
    if ldi(head, ZBL) == 1:
        energy = energy + nuclear_repulsion(head, floats, used, work)
    else:
        zero(off(work, ldi(head, A_P)), 3 * used)
    for e in range(ldi(head, ELEMENTS)):
        pair_forces(head, ints, used, e, work)
    scatter(off(work, ldi(head, A_SLOTS)), off(work, ldi(head, A_P)), used, members, ldi(head, ATOMS), rows)
    store(work, ldi(head, A_ENERGY), energy)


@kernel
def evaluate(
    positions: Any, shifts: Any, start: Any, idx: Any, code: Any, species: Any, order: Any, head: Any, ints: Any,
    floats: Any, work: Any, energies: Any, accumulators: Any, forces: Any, virials: Any, first: int, last: int
) -> None:  # fmt: skip
    """Evaluate the chunks first .. last-1 of a configuration.

    Each chunk owns consecutive blocks and a set of accumulator rows, see `lanes.collect`.
    """
    h, scratch = ptr(head), ptr(work)
    n, chunks = ldi(h, ATOMS), ldi(h, CHUNKS)
    listing = (ptr(positions), ptr(shifts), ptr(start), ptr(idx), ptr(code))
    if ldi(h, TYPES) == 1 and ldi(h, DIRECT) == 0:  # the same for all blocks
        store(scratch, ldi(h, A_TYPES), splat(0.0))
        lane_coefficients(h, ptr(floats), scratch)
    for chunk in range(first, last):
        begin, end, rows = open_chunk(listing, ptr(accumulators), chunk, chunks, n)
        for block in range(begin, end):
            members = off(ptr(order), block * W)
            evaluate_block(listing, ptr(species), h, ptr(ints), ptr(floats), members, rows, scratch)
            for lane in range(W):
                if ldi(members, lane) < n:
                    energies[ldi(members, lane)] = ldf(scratch, ldi(h, A_ENERGY) + lane)
    if chunks == 1:
        sum_rows(ptr(accumulators), 1, n, ptr(forces), ptr(virials))


@kernel
def count_pairs(
    positions: Any, shifts: Any, start: Any, idx: Any, code: Any, n: int, cutoff: float, counts: Any
) -> None:
    """Number of neighbours within the cutoff, by the same arithmetic as `lanes.gather`."""
    points, limit = ptr(positions), splat(cutoff * cutoff)
    for i in range(n):
        own, count = off(points, 4 * i), 0
        xi, yi, zi = load_splat(own, 0), load_splat(own, 1), load_splat(own, 2)
        for k in range(start[i], start[i + 1], W):
            x, y, z = gather_points(points, ptr(shifts), ptr(idx), ptr(code), k)
            x, y, z = x - xi, y - yi, z - zi
            count += popcount(mask_less(fma(x, x, fma(y, y, z * z)), limit))
        counts[i] = count


@device
def store_gradients(head: Any, counts: Any, place: Any, first: int, k: int, gradients: Any, work: Any) -> None:
    """Write the pair gradients of descriptor k, for each atom of the block in the order of its slots."""
    total = ldi(head, DESCRIPTORS)
    p = off(work, ldi(head, A_P))
    for lane in range(min(W, ldi(head, ATOMS) - first)):
        i = first + lane
        for slot in range(ldi(counts, i)):
            out = (ldi(place, i) + slot) * 3 * total + k
            for axis in range(3):
                stf(gradients, out + axis * total, ldf(p, (3 * slot + axis) * W + lane))


@kernel
def describe(
    positions: Any, shifts: Any, start: Any, idx: Any, code: Any, species: Any, order: Any, head: Any, ints: Any,
    floats: Any, work: Any, descriptors: Any, counts: Any, place: Any, neighbors: Any, vectors: Any, gradients: Any
) -> None:  # fmt: skip
    """Descriptors of all atoms and, unless `gradients` is empty, dB_k/dr_j of all pairs."""
    h, scratch, table, constants = ptr(head), ptr(work), ptr(ints), ptr(floats)
    n, total = ldi(h, ATOMS), ldi(h, DESCRIPTORS)
    slots = off(scratch, ldi(h, A_SLOTS))
    listing = (ptr(positions), ptr(shifts), ptr(start), ptr(idx), ptr(code))
    for first in range(0, n, W):
        used = prepare(listing, ptr(species), h, constants, off(ptr(order), first), scratch)
        used = used if used >= 0 else -used - 1
        density(h, table, constants, used, scratch)
        store_z(h, table, constants, scratch)
        bispectrum(h, table, constants, scratch)
        for lane in range(min(W, n - first)):
            for k in range(total):
                descriptors[first + lane, k] = ldf(scratch, ldi(h, A_B) + k * W + lane)
        if gradients.size == 0:
            continue
        for lane in range(min(W, n - first)):
            for slot in range(counts[first + lane]):
                row = place[first + lane] + slot
                neighbors[row] = int(ldf(slots, (4 * slot + 3) * W + lane))
                for axis in range(3):
                    vectors[row, axis] = ldf(slots, (4 * slot + axis) * W + lane)
        for k in range(total):
            store(scratch, ldi(h, A_BETA) + k * W, splat(1.0))
        terms, factors = off(table, ldi(h, I_Y_EXACT)), off(constants, ldi(h, F_FACTOR_EXACT))
        for k in range(total):
            own = off(table, ldi(h, I_Y_FIRST) + k)
            y_from_z(h, terms, factors, ldi(own, 0), ldi(own, 1), scratch)
            y_to_derivatives(h, table, constants, scratch)
            zero(off(scratch, ldi(h, A_P)), 3 * used)
            for e in range(ldi(h, ELEMENTS)):
                pair_forces(h, table, used, e, scratch)
            store_gradients(h, ptr(counts), ptr(place), first, k, ptr(gradients), scratch)
