"""Entry point for descriptors with their gradients, for eight atoms at a time.

A descriptor of two to four bodies belongs to one radial function, so that its gradient needs only the channels of that
one; those of five to seven bodies follow from these by the product rule.
"""

from __future__ import annotations

from typing import Any

from ..engine.fields import view
from ..engine.jit import device, kernel
from ..engine.neighbors.kernels_pairs import pointers
from ..engine.simd import W, ldf, ldi, load, off, ptr, splat, stf, store, where_less
from .kernels import describe_block, neighbor_slots, pair_forces, zero
from .kernels_terms import (
    clear_moment_derivatives,
    four_body_derivatives,
    radial_sum,
    sum_derivatives,
    three_body_derivatives,
)
from .layout import Head


@device
def store_gradients(head: Head, k: int, used: int, members: Any, place: Any, gradients: Any, work: Any) -> None:
    """Write the gradients of descriptor k for the pairs of all lanes."""
    slots, p, total = neighbor_slots(head, work), off(work, head.area.forces), 3 * head.descriptors
    for lane in range(W):
        i = ldi(members, lane)
        if i < head.centers:
            row = ldi(place, i) * total + k
            for slot in range(used):
                if ldf(slots, (4 * slot + 3) * W + lane) < float(head.atoms):
                    for axis in range(3):
                        stf(gradients, row + axis * head.descriptors, ldf(p, (3 * slot + axis) * W + lane))
                    row += total


@device
def sums_of(head: Head, ints: Any, floats: Any, k: int, work: Any) -> int:
    """dB/dS of descriptor k of two to four bodies, as far as it is not zero; returns its radial function."""
    present, beta = load(work, head.area.present), off(work, head.area.beta)
    if k < head.first:
        m, e = k % head.two, k // head.two
        zero(off(work, head.area.sum_derivatives), head.types * head.sums)
        at = e * head.sums + radial_sum(head, off(ints, head.ints.offsets), m)
        store(work, head.area.sum_derivatives + at * W, splat(1.0))
        return m
    three = k < head.second
    m = (k - head.first) // (head.degree + 1) % head.three if three else (k - head.second) // head.angular % head.four
    store(beta, k * W, where_less(present, splat(1.5 if three else 2.5), splat(0.0), splat(1.0)))
    clear_moment_derivatives(head, m, work)
    if three:
        three_body_derivatives(head, ints, floats, m, work)
    else:
        four_body_derivatives(head, ints, floats, m, work)
    sum_derivatives(head, ints, floats, m, work)
    store(beta, k * W, splat(0.0))
    return m


@device
def product_gradients(head: Head, ints: Any, count: int, values: Any, rows: Any) -> None:
    """Gradients (count, 3, M) of the products of descriptors, whose `values` are those of one atom."""
    bodies, factors = off(ints, head.ints.bodies), off(ints, head.ints.products)
    for row in range(3 * count):
        own = off(rows, row * head.descriptors)
        for body in range(3, 6):
            enough = count > body
            for k in range(ldi(bodies, body), ldi(bodies, body + 1)):
                i, j = ldi(factors, 2 * (k - head.third)), ldi(factors, 2 * (k - head.third) + 1)
                slope = ldf(values, i) * ldf(own, j) + ldf(values, j) * ldf(own, i)
                stf(own, k, slope if enough else 0.0)


@kernel
def describe(
    memory: Any, pairs: Any, call: Any, ints: Any, floats: Any, work: Any, descriptors: Any, rows: Any, found: Any
) -> None:
    """Descriptors of all central atoms and, unless `gradients` is empty, dB_k/dr_j of all pairs.

    `rows` are, for each atom, the number of its pairs, which is written, and the first of them; `found` the arrays
    neighbors, vectors and gradients, which are filled.
    """
    (counts, place), (neighbors, vectors, gradients) = rows, found
    head, scratch, table, constants = view(ptr(call), Head), ptr(work), ptr(ints), ptr(floats)
    species, order = off(ptr(call), head.species), off(ptr(call), head.order)
    total, around = head.descriptors, pointers(memory, pairs)
    slots = neighbor_slots(head, scratch)
    zero(off(scratch, head.area.beta), total)
    for first in range(0, head.centers, W):
        members = off(order, first)
        used = describe_block(around, species, head, table, constants, members, scratch)
        for lane in range(W):
            i = ldi(members, lane)
            if i >= head.centers:
                continue
            counts[i] = int(ldf(scratch, head.area.present + lane))
            for k in range(total):
                descriptors[i, k] = ldf(scratch, (k * W + lane) + head.area.descriptors)
            row = place[i]
            for slot in range(used if gradients.size > 0 else 0):
                j = int(ldf(slots, (4 * slot + 3) * W + lane))
                if j < head.atoms:
                    neighbors[row] = j
                    for axis in range(3):
                        vectors[row, axis] = ldf(slots, (4 * slot + axis) * W + lane)
                    row += 1
        if gradients.size == 0:
            continue
        for k in range(head.third):
            m = sums_of(head, table, constants, k, scratch)
            pair_forces(head, table, m, m + 1, scratch)
            store_gradients(head, k, used, members, ptr(place), ptr(gradients), scratch)
        for lane in range(W):
            i = ldi(members, lane)
            if i < head.centers:
                own = off(ptr(gradients), place[i] * 3 * total)
                product_gradients(head, table, counts[i], off(ptr(descriptors), i * total), own)
