"""Entry points of ACE: energies, forces and virials; descriptors and their gradients.

R. Drautz, Phys. Rev. B 99, 014104 (2019); Y. Lysogorskiy et al., npj Comput. Mater. 7, 97 (2021).

All eight atoms of a block are of one element: blocks that mix elements are worked on once for each of them.  Their
neighbours are sorted by element, so that all that differs between bonds is a constant.

`head` holds sizes and places (`layout`), `ints` and `floats` the constant tables, `work` the scratch of one thread.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.fields import view
from ..engine.jit import device, kernel
from ..engine.lanes import PAD, gather, open_chunk, scatter, sum_rows
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
    off,
    ptr,
    splat,
    stf,
    sti,
    store,
    vabs,
    where_less,
)
from ..heads.kernels import network
from .kernels_embedding import embed
from .kernels_products import (
    clear,
    densities,
    density_derivatives,
    descriptor_derivatives,
    descriptors,
    linear_energy,
    product_derivatives,
    products,
    two_densities,
    two_density_derivatives,
)
from .kernels_radial import FAR, geometry, radial_functions, switch
from .kernels_sums import add_sums, harmonics, pair_forces
from .layout import BOND_WORDS, ELEMENT_WORDS, EMBEDDED, GEOMETRY_WORDS, LINEAR, ZBL, Bond, Element, Head


@device
def bond_of(head: Head, ints: Any, element: int, other: int) -> Bond:
    """Sizes and places of a bond."""
    return view(off(ints, head.ints.bonds + (element * head.types + other) * BOND_WORDS), Bond)


@device
def sort_slots(head: Head, floats: Any, species: Any, element: int, used: int, work: Any) -> Any:
    """Slots by the element of the neighbour, each within its own cutoff; returns them.

    Those of the element t are the slots ``t * head.slots`` to ``ends[t] - 1``.  With one element they are those of
    `lanes.gather`.
    """
    slots, ends = off(work, head.area.slots), off(work, head.area.ends)
    if head.types == 1:
        stf(ends, 0, float(used))
        return slots
    types, counts, out = head.types, off(work, head.area.counts), off(work, head.area.sorted)
    cutoffs, squares = off(floats, head.floats.cutoffs + element * types), off(work, head.area.energy)
    clear(counts, types)
    for k in range(used):
        slot = off(slots, 4 * k * W)
        x, y, z = load(slot, 0), load(slot, W), load(slot, 2 * W)
        store(squares, 0, fma(x, x, fma(y, y, z * z)))
        for lane in range(W):
            t = ldi(species, int(ldf(slot, 3 * W + lane)))
            cutoff, at = ldf(cutoffs, t), t * W + lane
            if ldf(squares, lane) < cutoff * cutoff:
                count = ldf(counts, at)
                place = off(out, 4 * (t * head.slots + int(count)) * W + lane)
                stf(place, 0, ldf(slot, lane))
                stf(place, W, ldf(slot, W + lane))
                stf(place, 2 * W, ldf(slot, 2 * W + lane))
                stf(place, 3 * W, ldf(slot, 3 * W + lane))
                stf(counts, at, count + 1.0)
    for t in range(types):
        fill_slots(off(out, 4 * t * head.slots * W), off(counts, t * W), off(ends, t), t * head.slots, head.atoms)
    return out


@device
def fill_slots(slots: Any, counts: Any, end: Any, begin: int, dummy: int) -> None:
    """Put the dummy atom where a lane has fewer neighbours than others; the end is a multiple of four slots."""
    most = 0
    for lane in range(W):
        most = max(most, int(ldf(counts, lane)))
    most = (most + 3) // 4 * 4
    stf(end, 0, float(begin + most))
    for lane in range(W):
        for k in range(int(ldf(counts, lane)), most):
            stf(slots, 4 * k * W + lane, PAD)
            stf(slots, (4 * k + 1) * W + lane, 0.0)
            stf(slots, (4 * k + 2) * W + lane, 0.0)
            stf(slots, (4 * k + 3) * W + lane, float(dummy))


@device
def neighborhood(
    listing: Any, species: Any, head: Head, ints: Any, floats: Any, element: int, members: Any, work: Any
) -> Any:
    """Sums over the neighbours of eight atoms of an element, and the nodes made of them; the slots in use."""
    own = view(off(ints, head.ints.elements + element * ELEMENT_WORDS), Element)
    reach = ldf(floats, head.floats.cutoffs + head.types * head.types + element)
    used = gather(listing, members, head.atoms, 0.0, reach, head.slots, off(work, head.area.slots))
    slots = sort_slots(head, floats, species, element, used, work)
    nodes, ends, nearest = off(work, head.area.nodes), off(work, head.area.ends), off(work, head.area.nearest)
    T, Q, Y = off(work, head.area.polynomials), off(work, head.area.legendre), off(work, head.area.harmonics)
    clear(nodes, own.sums)
    clear(nearest, 4)
    store(nearest, 0, splat(FAR))
    for other in range(head.types):
        bond = bond_of(head, ints, element, other)
        first, last = other * head.slots, int(ldf(ends, other))
        geometry(head, bond, floats, first, last, slots, work)
        if bond.top < 0:
            continue
        channels = off(ints, head.ints.channels + bond.channels)
        for k in range(first, last, 4):
            rows = off(work, head.area.geometry + k * GEOMETRY_WORDS * W)
            R = off(work, head.area.radials + 2 * k * head.radials * W)
            radial_functions(head, bond, ints, floats, rows, T, R)
            for slot in range(4):
                row = off(rows, slot * GEOMETRY_WORDS * W)
                harmonics(bond.top, row, off(floats, head.floats.recursion), Q, off(Y, slot * W))
            add_sums(bond, channels, off(ints, head.ints.channels), R, Y, nodes)
    products(head, own, ints, nodes)
    return slots


@device
def energies(head: Head, element: int, ints: Any, floats: Any, work: Any) -> Any:
    """Energies of eight atoms without the core, and the derivatives by the nodes."""
    own = view(off(ints, head.ints.elements + element * ELEMENT_WORDS), Element)
    m, d = off(work, head.area.nodes), off(work, head.area.derivatives)
    clear(d, own.nodes)
    if head.kind == LINEAR:
        return linear_energy(head, own, ints, floats, m, d)
    if head.kind == EMBEDDED:
        rho = off(work, head.area.densities)
        slopes, energy = off(rho, own.densities * W), off(work, head.area.energy)
        parameters = off(floats, head.floats.parameters + own.parameters)
        if own.densities == 2:
            two_densities(head, own, ints, floats, m, rho)
            embed(own, parameters, rho, slopes, energy)
            two_density_derivatives(head, own, ints, floats, m, slopes, d)
        else:
            densities(head, own, ints, floats, m, rho)
            embed(own, parameters, rho, slopes, energy)
            density_derivatives(head, own, ints, floats, m, slopes, d)
        return load(energy, 0)
    b, beta = off(work, head.area.descriptors), off(work, head.area.beta)
    descriptors(head, own, ints, floats, m, b)
    types = off(work, head.area.types)
    store(types, 0, splat(float(element)))
    spec, weights = off(ints, head.ints.network), off(floats, head.floats.network)
    energy = network(spec, weights, types, b, beta, off(work, head.area.network))
    linear = off(floats, head.floats.linear + element * head.descriptors)
    for k in range(own.n_targets):
        c = load_splat(linear, k)
        energy = fma(c, load(b, k * W), energy)
        store(beta, k * W, load(beta, k * W) + c)
    descriptor_derivatives(head, own, ints, floats, 0, own.n_targets, beta, work)
    return energy


@device
def add_core(head: Head, element: int, ints: Any, floats: Any, energy: Any, work: Any) -> Any:
    """Switch energies and forces off near other nuclei, and add the repulsion of these; returns the energies."""
    own = view(off(ints, head.ints.elements + element * ELEMENT_WORDS), Element)
    limits = off(floats, head.floats.parameters + own.parameters + 2 * own.densities)
    nearest, forces = off(work, head.area.nearest), off(work, head.area.forces)
    core, zero = load(nearest, W), splat(0.0)
    if head.inner == ZBL:
        distance, width = load(nearest, 0), load(nearest, 2 * W)
        sudden = where_less(zero, distance, splat(2.0), splat(-1.0))
        factor, change = switch(1.0 - where_less(zero, width, distance / width, sudden), 1.0, 1.0)
        change = where_less(zero, width, -(change / width), zero)
        result = fma(energy, factor, core * (1.0 - factor))
        push, pull = 1.0 - factor, (energy - core) * change
    else:
        factor, change = switch(core, ldf(limits, 0), ldf(limits, 1))
        result = fma(energy, factor, core)
        push, pull = fma(energy, change, splat(1.0)), zero
    for other in range(head.types):
        for k in range(other * head.slots, int(ldf(work, head.area.ends + other))):
            row, out = off(work, head.area.geometry + k * GEOMETRY_WORDS * W), off(forces, 3 * k * W)
            radial = push * load(row, 9 * W)
            radial = radial + where_less(vabs(load(nearest, 3 * W) - float(k)), splat(0.5), pull, zero)
            for axis in range(3):
                store(out, axis * W, fma(load(out, axis * W), factor, load(row, axis * W) * radial))
    return result


@device
def forces_of_pairs(head: Head, element: int, ints: Any, floats: Any, work: Any) -> None:
    """p_ij of all slots from the derivatives by the nodes."""
    own = view(off(ints, head.ints.elements + element * ELEMENT_WORDS), Element)
    product_derivatives(head, own, ints, off(work, head.area.nodes), off(work, head.area.derivatives))
    for other in range(head.types):
        first, last = other * head.slots, int(ldf(work, head.area.ends + other))
        pair_forces(head, bond_of(head, ints, element, other), ints, floats, first, last, work)


@device
def select(head: Head, species: Any, members: Any, element: int, chosen: Any) -> bool:
    """Write the members of a block that are of this element, the dummy atom for others; whether there are any."""
    found = False
    for lane in range(W):
        i = ldi(members, lane)
        mine = i < head.atoms and ldi(species, i) == element
        sti(chosen, lane, i if mine else head.atoms)
        found = found or mine
    return found


@kernel
def evaluate(
    memory: Any, pairs: Any, call: Any, ints: Any, floats: Any, work: Any, energies_out: Any, accumulators: Any,
    forces: Any, virials: Any, left: Any, me: int
) -> None:  # fmt: skip
    """Evaluate the chunks of a configuration that nobody else takes from `left`; see `potential.evaluate_blocks`."""
    head, scratch, around = view(ptr(call), Head), ptr(work), pointers(memory, pairs)
    species, order, table, constants = off(ptr(call), head.species), off(ptr(call), head.order), ptr(ints), ptr(floats)
    n, chosen = head.atoms, np.empty(W, np.int32)
    chunk = next_chunk(left, me, head.chunks)
    while chunk < head.chunks:
        begin, end, rows = open_chunk(around, head, ptr(accumulators), chunk)
        for block in range(begin, end):
            for element in range(head.types):
                members = ptr(chosen)
                if not select(head, species, off(order, block * W), element, members):
                    continue
                slots = neighborhood(around, species, head, table, constants, element, members, scratch)
                energy = energies(head, element, table, constants, scratch)
                forces_of_pairs(head, element, table, constants, scratch)
                if head.core == 1:
                    energy = add_core(head, element, table, constants, energy, scratch)
                for other in range(head.types):
                    first_slot, last_slot = other * head.slots, int(ldf(scratch, head.area.ends + other))
                    P = off(scratch, head.area.forces + 3 * first_slot * W)
                    scatter(off(slots, 4 * first_slot * W), P, last_slot - first_slot, members, n, rows)
                own = view(off(table, head.ints.elements + element * ELEMENT_WORDS), Element)
                alone = ldf(constants, head.floats.parameters + own.parameters + 2 * own.densities + 2)
                store(scratch, head.area.energy, energy + alone)
                for lane in range(W):
                    if chosen[lane] < n:
                        energies_out[chosen[lane]] = ldf(scratch, head.area.energy + lane)
        chunk = next_chunk(left, me, head.chunks)
    if head.chunks == 1:
        sum_rows(ptr(accumulators), 1, n, ptr(forces), ptr(virials))


@kernel
def count_pairs(memory: Any, pairs: Any, species: Any, cutoffs: Any, counts: Any, work: Any) -> None:
    """Number of neighbours of each atom within the cutoffs of their bonds, by the same arithmetic as `sort_slots`."""
    points, shifts, start, idx, code = pointers(memory, pairs)
    squares = ptr(work)
    for i in range(counts.size):
        own, count = off(points, 4 * i), 0
        xi, yi, zi = load_splat(own, 0), load_splat(own, 1), load_splat(own, 2)
        for k in range(ldi(start, i), ldi(start, i + 1), W):
            x, y, z = gather_points(points, shifts, idx, code, k)
            x, y, z = x - xi, y - yi, z - zi
            store(squares, 0, fma(x, x, fma(y, y, z * z)))
            for lane in range(W):
                j = ldi(idx, k + lane)
                if j < species.size:
                    cutoff = cutoffs[species[i], species[j]]
                    count += ldf(squares, lane) < cutoff * cutoff
        counts[i] = count


@device
def store_pairs(head: Head, i: int, lane: int, place: int, slots: Any, found: Any, work: Any) -> int:
    """Write neighbours and vectors of an atom from row `place` on; how many there are."""
    neighbors, vectors, _ = found
    row = place
    for other in range(head.types):
        for slot in range(other * head.slots, int(ldf(work, head.area.ends + other))):
            j = int(ldf(slots, (4 * slot + 3) * W + lane))
            if j == head.atoms:
                break
            neighbors[row] = j
            for axis in range(3):
                vectors[row, axis] = ldf(slots, (4 * slot + axis) * W + lane)
            row += 1
    return row - place


@device
def store_gradients(head: Head, k: int, lane: int, place: int, slots: Any, gradients: Any, work: Any) -> None:
    """Write the gradients of descriptor k for the pairs of an atom."""
    P, row = off(work, head.area.forces), place
    for other in range(head.types):
        for slot in range(other * head.slots, int(ldf(work, head.area.ends + other))):
            if int(ldf(slots, (4 * slot + 3) * W + lane)) == head.atoms:
                break
            for axis in range(3):
                gradients[row, axis, k] = ldf(P, (3 * slot + axis) * W + lane)
            row += 1


@kernel
def describe(
    memory: Any, pairs: Any, call: Any, ints: Any, floats: Any, work: Any, values: Any, rows: Any, found: Any
) -> None:
    """Descriptors of all central atoms and, unless `gradients` is empty, dB_k/dr_j of all pairs.

    `rows` is the first pair of each atom, `found` the arrays neighbors, vectors and gradients, which are filled.
    """
    head, scratch, around = view(ptr(call), Head), ptr(work), pointers(memory, pairs)
    species, order, table, constants = off(ptr(call), head.species), off(ptr(call), head.order), ptr(ints), ptr(floats)
    n, chosen, gradients = head.atoms, np.empty(W, np.int32), found[2]
    one = off(scratch, head.area.beta)
    for first in range(0, head.centers, W):
        for element in range(head.types):
            members = ptr(chosen)
            if not select(head, species, off(order, first), element, members):
                continue
            slots = neighborhood(around, species, head, table, constants, element, members, scratch)
            own = view(off(table, head.ints.elements + element * ELEMENT_WORDS), Element)
            b, d = off(scratch, head.area.descriptors), off(scratch, head.area.derivatives)
            descriptors(head, own, table, constants, off(scratch, head.area.nodes), b)
            for lane in range(W):
                if chosen[lane] < n:
                    for k in range(head.descriptors):
                        values[chosen[lane], k] = ldf(b, k * W + lane)
                    if gradients.size > 0:
                        store_pairs(head, chosen[lane], lane, rows[chosen[lane]], slots, found, scratch)
            for k in range(own.n_targets if gradients.size > 0 else 0):
                clear(d, own.nodes)
                store(one, k * W, splat(1.0))
                descriptor_derivatives(head, own, table, constants, k, k + 1, one, scratch)
                forces_of_pairs(head, element, table, constants, scratch)
                for lane in range(W):
                    if chosen[lane] < n:
                        store_gradients(head, k, lane, rows[chosen[lane]], slots, gradients, scratch)
