"""Entry points of POD: energies, forces and virials, or descriptors with their gradients, for eight atoms at a time.

The density around an atom is expanded in R_m(r) times polynomials of the direction.  On the unit sphere x^2 = 1 - y^2 -
z^2, so `lanes.channel_sums` with the channels R_m and R_m x/r and the variables y/r, z/r yields all sums over the
neighbours of one element; neighbours are therefore sorted by element.

`head` holds sizes and places (`layout`), `ints` and `floats` the constant tables, `work` the scratch of one thread.
"""

from __future__ import annotations

from typing import Any

from ..engine.fields import view
from ..engine.jit import device, kernel
from ..engine.lanes import PAD, channel_sums, gather, open_chunk, scatter, sum_rows
from ..engine.neighbors.kernels_pairs import pointers
from ..engine.sharing import next_chunk
from ..engine.simd import W, fma, ldf, ldi, load, off, ptr, splat, stf, store, vsqrt, where_less
from .kernels_head import head_energy, lane_coefficients, with_enough_neighbors
from .kernels_radial import radial_functions
from .kernels_terms import (
    clear_moment_derivatives,
    four_bodies,
    four_body_derivatives,
    moments,
    product_derivatives,
    products,
    radial_sum,
    sum_derivatives,
    three_bodies,
    three_body_derivatives,
    two_bodies,
    two_body_derivatives,
)
from .layout import GEOMETRY_WORDS, RADIAL_SCRATCH, Head


@device
def block_types(head: Head, species: Any, members: Any, work: Any) -> bool:
    """Write the types of the eight lanes as doubles; say whether any differs from those of the last block."""
    types = off(work, head.area.types)
    changed = False
    for lane in range(W):
        i = ldi(members, lane)
        kind = float(ldi(species, i if i < head.atoms else ldi(members, 0)))
        changed = changed or ldf(types, lane) != kind
        stf(types, lane, kind)
    return changed


@device
def sort_by_element(head: Head, species: Any, used: int, work: Any) -> int:
    """Neighbours of each element in slots of their own, a multiple of four of them; returns the number of slots."""
    gathered, slots, starts = off(work, head.area.gathered), off(work, head.area.slots), off(work, head.area.starts)
    begin, dummy = 0, float(head.atoms)
    for e in range(head.types):
        store(starts, e * W, splat(float(begin)))
        most = 0
        for lane in range(W):
            k = begin
            for slot in range(used):
                j = ldf(gathered, (4 * slot + 3) * W + lane)
                if j < dummy and ldi(species, int(j)) == e:
                    for axis in range(4):
                        stf(slots, (4 * k + axis) * W + lane, ldf(gathered, (4 * slot + axis) * W + lane))
                    k += 1
            stf(starts, (e + 1) * W + lane, float(k))
            most = max(most, k - begin)
        end = begin + (most + 3) // 4 * 4
        for lane in range(W):
            for k in range(int(ldf(starts, (e + 1) * W + lane)), end):
                stf(slots, 4 * k * W + lane, PAD)
                stf(slots, (4 * k + 1) * W + lane, 0.0)
                stf(slots, (4 * k + 2) * W + lane, 0.0)
                stf(slots, (4 * k + 3) * W + lane, dummy)
        begin = end
    store(starts, head.types * W, splat(float(begin)))
    return begin


@device
def neighborhood(listing: Any, species: Any, head: Head, floats: Any, members: Any, work: Any) -> int:
    """Gather the neighbours of a block; returns the number of slots."""
    rcut = ldf(floats, head.floats.scalars + 1)
    used = gather(listing, members, head.atoms, 0.0, rcut, head.slots, off(work, head.area.gathered))
    if head.types > 1:
        return sort_by_element(head, species, used, work)
    store(work, head.area.starts, splat(0.0))
    store(work, head.area.starts + W, splat(float(used)))
    return used


@device
def neighbor_slots(head: Head, work: Any) -> Any:
    """Where `neighborhood` has left the slots."""
    return off(work, head.area.slots if head.types > 1 else head.area.gathered)


@device
def fill_channels(head: Head, floats: Any, used: int, work: Any) -> None:
    """R_m and R'_m of every slot, the channels, the variables y/r and z/r, and the number of neighbours."""
    slots, functions = neighbor_slots(head, work), off(work, head.area.radial + RADIAL_SCRATCH * W)
    three, radial, total = head.three, head.radial, head.channels
    odd = total - radial
    present, slopes = splat(0.0), off(functions, head.groups * W * W)
    for k in range(used):
        x, y, z = load(slots, 4 * k * W), load(slots, (4 * k + 1) * W), load(slots, (4 * k + 2) * W)
        r = vsqrt(fma(x, x, fma(y, y, z * z)))
        present = present + where_less(r, splat(0.5 * PAD), splat(1.0), splat(0.0))
        rinv = 1.0 / r
        geometry = off(work, head.area.geometry + k * GEOMETRY_WORDS * W)
        store(geometry, 0, rinv)
        radial_functions(head, floats, r, work, functions)
        pq = off(work, head.area.variables + (k // 4 * 8 + k % 4) * W)
        x = x * rinv
        store(geometry, W, x)
        store(pq, 0, y * rinv)
        store(pq, 4 * W, z * rinv)
        F = off(work, head.area.channels + (k // 4 * (total + 3) * 4 + k % 4) * W)
        G = off(work, head.area.functions + 2 * k * radial * W)
        for m in range(radial):
            value = load(functions, m * W)
            store(G, 2 * m * W, value)
            store(G, (2 * m + 1) * W, load(slopes, m * W))
            if m < three:
                store(F, 4 * m * W, value)
                if odd > 0:
                    store(F, 4 * (three + m) * W, value * x)
            else:
                store(F, 4 * (m + odd) * W, value)
    store(work, head.area.present, present)


@device
def sums(head: Head, ints: Any, work: Any) -> None:
    """Sums over the neighbours of each element."""
    limits, offsets, starts = off(ints, head.ints.limits), off(ints, head.ints.offsets), off(work, head.area.starts)
    for e in range(head.types):
        begin, end = int(ldf(starts, e * W)), int(ldf(starts, (e + 1) * W))
        F = off(work, head.area.channels + begin * (head.channels + 3) * W)
        pq, S = off(work, head.area.variables + 2 * begin * W), off(work, head.area.sums + e * head.sums * W)
        channel_sums(F, pq, end - begin, limits, offsets, head.channels, S)


@device
def describe_block(listing: Any, species: Any, head: Head, ints: Any, floats: Any, members: Any, work: Any) -> int:
    """Descriptors of a block; returns the number of slots."""
    used = neighborhood(listing, species, head, floats, members, work)
    fill_channels(head, floats, used, work)
    sums(head, ints, work)
    moments(head, ints, floats, work)
    two_bodies(head, ints, work)
    three_bodies(head, ints, floats, work)
    four_bodies(head, ints, floats, work)
    products(head, ints, work)
    with_enough_neighbors(head, ints, off(work, head.area.descriptors), work)
    return used


@device
def pair_forces(head: Head, ints: Any, first: int, last: int, work: Any) -> None:
    """p_ij = dU_i/dr_j of the slots of all elements, as far as it comes from R_m, m = first .. last - 1."""
    starts, offsets = off(work, head.area.starts), off(ints, head.ints.offsets)
    for e in range(head.types):
        dS = off(work, head.area.sum_derivatives + e * head.sums * W)
        for k in range(int(ldf(starts, e * W)), int(ldf(starts, (e + 1) * W))):
            slot_force(head, offsets, first, last, dS, k, work)


@device
def slot_force(head: Head, offsets: Any, first: int, last: int, dS: Any, k: int, work: Any) -> None:
    """The force of one slot from dU/dS of its element.

    With Q_bc = sum_m R_m dU/dS_m[b, c] of the even and x times that of the odd channels, and Q'_bc the same of R'_m,
    U changes by d(sum_bc Q_bc y^b z^c) of the direction and by sum_bc Q'_bc y^b z^c of the distance: double Horner
    schemes over b and c, as in `horner.channel_derivatives`, but one for all channels.
    """
    degree, top = head.degree, min(last, head.three)
    geometry = off(work, head.area.geometry + k * GEOMETRY_WORDS * W)
    pq = off(work, head.area.variables + (k // 4 * 8 + k % 4) * W)
    rinv, x, y, z = load(geometry, 0), load(geometry, W), load(pq, 0), load(pq, 4 * W)
    functions = off(work, head.area.functions + 2 * k * head.radial * W)
    radial = gx = gy = gz = value = splat(0.0)
    odd = off(dS, (head.size - 1) * W)
    even = off(odd, -(degree * (degree + 1) // 2) * W)
    for b in range(degree, -1 if top > first else degree, -1):
        column, row = contracted(functions, even, head.size, first, top)
        slope = along_x = splat(0.0)
        even = off(even, -W)
        for _ in range(degree - b):
            q, dq, q_odd, dq_odd = contracted_pair(functions, even, odd, head.size, first, top)
            even, odd = off(even, -W), off(odd, -W)
            slope, column = fma(slope, z, column), fma(column, z, fma(x, q_odd, q))
            row, along_x = fma(row, z, fma(x, dq_odd, dq)), fma(along_x, z, q_odd)
        gy, value = fma(gy, y, value), fma(value, y, column)
        gz, radial, gx = fma(gz, y, slope), fma(radial, y, row), fma(gx, y, along_x)
    for m in range(max(first, head.three), last):
        own = load(dS, radial_sum(head, offsets, m) * W)
        radial = fma(load(functions, (2 * m + 1) * W), own, radial)
    radial = fma(-rinv, fma(gx, x, fma(gy, y, gz * z)), radial)
    out = off(work, head.area.forces + 3 * k * W)
    store(out, 0, fma(radial, x, gx * rinv))
    store(out, W, fma(radial, y, gy * rinv))
    store(out, 2 * W, fma(radial, z, gz * rinv))


@device
def contracted(functions: Any, D: Any, size: int, first: int, last: int) -> Any:
    """sum_m R_m D_m and sum_m R'_m D_m."""
    q = dq = splat(0.0)
    for m in range(first, last):
        d = load(D, m * size * W)
        q, dq = fma(load(functions, 2 * m * W), d, q), fma(load(functions, (2 * m + 1) * W), d, dq)
    return q, dq


@device
def contracted_pair(functions: Any, D: Any, E: Any, size: int, first: int, last: int) -> Any:
    """The same of D and of E."""
    q = dq = p = dp = splat(0.0)
    for m in range(first, last):
        r, dr = load(functions, 2 * m * W), load(functions, (2 * m + 1) * W)
        d, e = load(D, m * size * W), load(E, m * size * W)
        q, dq, p, dp = fma(r, d, q), fma(dr, d, dq), fma(r, e, p), fma(dr, e, dp)
    return q, dq, p, dp


@device
def zero(area: Any, count: int) -> None:
    for k in range(count):
        store(area, k * W, splat(0.0))


@device
def evaluate_block(
    listing: Any, species: Any, head: Head, ints: Any, floats: Any, members: Any, rows: Any, work: Any
) -> None:
    """Energies of eight atoms (to the area `energy`) and their share of forces and virials (to `rows`)."""
    if block_types(head, species, members, work):
        lane_coefficients(head, floats, work)
    used = describe_block(listing, species, head, ints, floats, members, work)
    store(work, head.area.energy, head_energy(head, ints, floats, work))
    with_enough_neighbors(head, ints, off(work, head.area.beta), work)
    product_derivatives(head, ints, work)
    zero(off(work, head.area.sum_derivatives), head.types * head.sums)
    for m in range(head.three):
        clear_moment_derivatives(head, m, work)
        three_body_derivatives(head, ints, floats, m, work)
        if m < head.four:
            four_body_derivatives(head, ints, floats, m, work)
        sum_derivatives(head, ints, floats, m, work)
    two_body_derivatives(head, ints, work)
    pair_forces(head, ints, 0, head.radial, work)
    scatter(neighbor_slots(head, work), off(work, head.area.forces), used, members, head.atoms, rows)


@kernel
def evaluate(
    memory: Any, pairs: Any, call: Any, ints: Any, floats: Any, work: Any, energies: Any, accumulators: Any,
    forces: Any, virials: Any, left: Any, me: int
) -> None:  # fmt: skip
    """Evaluate the chunks of a configuration that nobody else takes from `left`; see `potential.evaluate_blocks`."""
    head, scratch, neighbors = view(ptr(call), Head), ptr(work), pointers(memory, pairs)
    species, order = off(ptr(call), head.species), off(ptr(call), head.order)
    store(scratch, head.area.types, splat(-1.0))  # of no block yet
    chunk = next_chunk(left, me, head.chunks)
    while chunk < head.chunks:
        begin, end, rows = open_chunk(neighbors, head, ptr(accumulators), chunk)
        for block in range(begin, end):
            members = off(order, block * W)
            evaluate_block(neighbors, species, head, ptr(ints), ptr(floats), members, rows, scratch)
            for lane in range(W):
                if ldi(members, lane) < head.centers:
                    energies[ldi(members, lane)] = ldf(scratch, head.area.energy + lane)
        chunk = next_chunk(left, me, head.chunks)
    if head.chunks == 1:
        sum_rows(ptr(accumulators), 1, head.atoms, ptr(forces), ptr(virials))
