"""Entry points of SNAP: energies, forces and virials; descriptors and their gradients."""

from __future__ import annotations

from typing import Any

from ..engine.fields import view
from ..engine.horner import channel_derivatives
from ..engine.jit import device, kernel
from ..engine.lanes import gather, open_chunk, scatter, sum_rows
from ..engine.neighbors.kernels_pairs import pointers
from ..engine.points import gather_points
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
from .layout import GEOMETRY_WORDS, PAIR_WORDS, ZBL_WORDS, Head


@device
def nuclear_repulsion(head: Head, floats: Any, used: int, work: Any) -> Any:
    """Start the pair forces with those of ZBL, switched off as LAMMPS does; returns the energies."""
    table, types = off(floats, head.floats.zbl), head.types
    pairs, own = off(work, head.area.pairs), off(work, head.area.types)
    row = off(work, head.area.derivatives)
    total = splat(0.0)
    for k in range(used):
        for lane in range(W):
            other = int(ldf(pairs, (k * PAIR_WORDS + 5) * W + lane))
            place = (int(ldf(own, lane)) * types + other) * ZBL_WORDS
            for p in range(ZBL_WORDS):
                stf(row, p * W + lane, ldf(table, place + p))
        slot = off(work, head.area.slots + 4 * k * W)
        x, y, z = load(slot, 0), load(slot, W), load(slot, 2 * W)
        rinv = load(work, head.area.geometry + (k * GEOMETRY_WORDS + 7) * W)
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
        out = off(work, head.area.forces + 3 * k * W)
        store(out, 0, push * x)
        store(out, W, push * y)
        store(out, 2 * W, push * z)
    return total


@device
def pair_forces(head: Head, ints: Any, used: int, element: int, work: Any) -> None:
    """Add dU_i/dr_j that comes from dE/dS of one element channel."""
    count, top = head.channels, head.twojmax
    limits, offsets = off(ints, head.ints.limits), off(ints, head.ints.offsets)
    sums, out = off(work, head.area.sum_derivatives + element * head.sums * W), off(work, head.area.derivatives)
    if head.elements > 1:
        channels(head, used, element, work)
    for k in range(used):
        if k % 4 == 0:
            channel_derivatives(sums, off(work, head.area.variables + 2 * k * W), limits, offsets, count, out)
        f = off(work, head.area.channels + (k // 4 * (count + 3) * 4 + k % 4) * W)
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
def _add_force(head: Head, k: int, dw: Any, dc: Any, dz: Any, dbr: Any, dbi: Any, work: Any) -> None:
    slot, values = off(work, head.area.slots + 4 * k * W), off(work, head.area.geometry + k * GEOMETRY_WORDS * W)
    x, y, z = load(slot, 0), load(slot, W), load(slot, 2 * W)
    s, rinv = load(values, 3 * W), load(values, 7 * W)
    ds = fma(y, dbr, fma(z, dz, -(x * dbi)))
    radial = fma(ds, load(values, 4 * W), fma(dc, load(values, 5 * W), dw * load(values, 6 * W))) * rinv
    out = off(work, head.area.forces + 3 * k * W)
    store(out, 0, fma(radial, x, fma(s, -dbi, load(out, 0))))
    store(out, W, fma(radial, y, fma(s, dbr, load(out, W))))
    store(out, 2 * W, fma(radial, z, fma(s, dz, load(out, 2 * W))))


@device
def prepare(listing: Any, species: Any, head: Head, floats: Any, members: Any, work: Any) -> int:
    """Gather a block and its pair geometry; returns the number of slots, with the sign set if types differ."""
    slots = off(work, head.area.slots)
    cutoff = ldf(floats, head.floats.scalars + 2)
    used = gather(listing, members, head.atoms, 0.0, cutoff, head.slots, slots)
    one = block_types(head, species, members, work)
    pair_parameters(head, floats, species, used, work)
    geometry(head, floats, used, work)
    return used if one else -used - 1


@device
def run_head(head: Head, ints: Any, floats: Any, work: Any) -> Any:
    """Energies from B, and beta = dE/dB."""
    b, beta = off(work, head.area.descriptors), off(work, head.area.beta)
    if head.network == 1:
        spec, weights = off(ints, head.ints.network), off(floats, head.floats.network)
        return network(spec, weights, off(work, head.area.types), b, beta, off(work, head.area.network))
    if head.types > 1:
        lane_coefficients(head, floats, work)
    return polynomial(head.descriptors, head.quadratic, off(work, head.area.coefficients), b, beta)


@device
def evaluate_block(
    listing: Any, species: Any, head: Head, ints: Any, floats: Any, members: Any, rows: Any, work: Any
) -> None:
    """Energies of eight atoms (to the area `energy`) and their share of forces and virials (to `rows`)."""
    used = prepare(listing, species, head, floats, members, work)
    one = used >= 0
    used = used if one else -used - 1
    density(head, ints, floats, used, work)
    if head.direct == 1 and one:
        energy = y_direct(head, ints, floats, int(ldf(work, head.area.types)), work)
    else:
        store_z(head, ints, floats, work)
        bispectrum(head, ints, floats, work)
        energy = run_head(head, ints, floats, work)
        terms, factors = off(ints, head.ints.y), off(floats, head.floats.factor)
        y_from_z(head, terms, factors, 0, head.n_y, work)
    y_to_derivatives(head, ints, floats, work)
    if head.zbl == 1:
        energy = energy + nuclear_repulsion(head, floats, used, work)
    else:
        zero(off(work, head.area.forces), 3 * used)
    for e in range(head.elements):
        pair_forces(head, ints, used, e, work)
    scatter(off(work, head.area.slots), off(work, head.area.forces), used, members, head.atoms, rows)
    store(work, head.area.energy, energy)


@kernel
def evaluate(
    memory: Any, pairs: Any, call: Any, ints: Any, floats: Any, work: Any, energies: Any, accumulators: Any,
    forces: Any, virials: Any, left: Any, me: int
) -> None:  # fmt: skip
    """Evaluate the chunks of a configuration that nobody else takes from `left`; see `potential.evaluate_blocks`.

    Each chunk owns consecutive blocks and a set of accumulator rows, see `lanes.collect`.
    """
    head, scratch, neighbors = view(ptr(call), Head), ptr(work), pointers(memory, pairs)
    species, order = off(ptr(call), head.species), off(ptr(call), head.order)
    n = head.atoms
    if head.types == 1 and head.direct == 0:  # the same for all blocks
        store(scratch, head.area.types, splat(0.0))
        lane_coefficients(head, ptr(floats), scratch)
    chunk = next_chunk(left, me, head.chunks)
    while chunk < head.chunks:
        begin, end, rows = open_chunk(neighbors, head, ptr(accumulators), chunk)
        for block in range(begin, end):
            members = off(order, block * W)
            evaluate_block(neighbors, species, head, ptr(ints), ptr(floats), members, rows, scratch)
            for lane in range(W):
                if ldi(members, lane) < n:
                    energies[ldi(members, lane)] = ldf(scratch, head.area.energy + lane)
        chunk = next_chunk(left, me, head.chunks)
    if head.chunks == 1:
        sum_rows(ptr(accumulators), 1, n, ptr(forces), ptr(virials))


@kernel
def count_pairs(memory: Any, pairs: Any, cutoff: float, counts: Any) -> None:
    """Number of neighbours within the cutoff, by the same arithmetic as `lanes.gather`."""
    points, shifts, start, idx, code = pointers(memory, pairs)
    limit = splat(cutoff * cutoff)
    for i in range(counts.size):
        own, count = off(points, 4 * i), 0
        xi, yi, zi = load_splat(own, 0), load_splat(own, 1), load_splat(own, 2)
        for k in range(ldi(start, i), ldi(start, i + 1), W):
            x, y, z = gather_points(points, shifts, idx, code, k)
            x, y, z = x - xi, y - yi, z - zi
            count += popcount(mask_less(fma(x, x, fma(y, y, z * z)), limit))
        counts[i] = count


@device
def store_gradients(head: Head, counts: Any, place: Any, first: int, k: int, gradients: Any, work: Any) -> None:
    """Write the pair gradients of descriptor k, for each atom of the block in the order of its slots."""
    total = head.descriptors
    p = off(work, head.area.forces)
    for lane in range(min(W, head.centers - first)):
        i = first + lane
        for slot in range(ldi(counts, i)):
            out = (ldi(place, i) + slot) * 3 * total + k
            for axis in range(3):
                stf(gradients, out + axis * total, ldf(p, (3 * slot + axis) * W + lane))


@kernel
def describe(
    memory: Any, pairs: Any, call: Any, ints: Any, floats: Any, work: Any, descriptors: Any, rows: Any, found: Any
) -> None:
    """Descriptors of all central atoms and, unless `gradients` is empty, dB_k/dr_j of all pairs.

    `rows` are, for each atom, the number of its pairs and the first of them; `found` the arrays neighbors, vectors and
    gradients, which are filled.
    """
    (counts, place), (neighbors, vectors, gradients) = rows, found
    head, scratch, table, constants = view(ptr(call), Head), ptr(work), ptr(ints), ptr(floats)
    species, order = off(ptr(call), head.species), off(ptr(call), head.order)
    n, total, around = head.centers, head.descriptors, pointers(memory, pairs)
    slots = off(scratch, head.area.slots)
    for first in range(0, n, W):
        used = prepare(around, species, head, constants, off(order, first), scratch)
        used = used if used >= 0 else -used - 1
        density(head, table, constants, used, scratch)
        store_z(head, table, constants, scratch)
        bispectrum(head, table, constants, scratch)
        for lane in range(min(W, n - first)):
            for k in range(total):
                descriptors[first + lane, k] = ldf(scratch, head.area.descriptors + k * W + lane)
        if gradients.size == 0:
            continue
        for lane in range(min(W, n - first)):
            for slot in range(counts[first + lane]):
                row = place[first + lane] + slot
                neighbors[row] = int(ldf(slots, (4 * slot + 3) * W + lane))
                for axis in range(3):
                    vectors[row, axis] = ldf(slots, (4 * slot + axis) * W + lane)
        for k in range(total):
            store(scratch, head.area.beta + k * W, splat(1.0))
        terms, factors = off(table, head.ints.y_exact), off(constants, head.floats.factor_exact)
        for k in range(total):
            own = off(table, head.ints.y_first + k)
            y_from_z(head, terms, factors, ldi(own, 0), ldi(own, 1), scratch)
            y_to_derivatives(head, table, constants, scratch)
            zero(off(scratch, head.area.forces), 3 * used)
            for e in range(head.elements):
                pair_forces(head, table, used, e, scratch)
            store_gradients(head, ptr(counts), ptr(place), first, k, ptr(gradients), scratch)
