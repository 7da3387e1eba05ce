"""Derivatives of a loss by all parameters of an MTP, for eight atoms at a time.

With the slopes of a loss by the energy of each frame (a), by the forces (s_i) and by the strain derivative of each
frame (e) held fixed, the derivatives of the loss by the parameters are those of ``Phi = sum_i (a E_i + E_i')``, where
``E_i' = sum_j dE_i/dr_ij . d_ij`` is the derivative along ``d_ij = s_i - s_j + e r_ij``.  So one pass gives all
moments with their tangents, one reverse pass the derivatives; no derivative of a force is ever stored.

A field [N + 1][16] holds s (3), a (1) and e (9) of each atom, its frame's for the latter two; zero for the dummy atom.
"""

from __future__ import annotations

from typing import Any

from ..engine.fields import view
from ..engine.jit import device, kernel
from ..engine.lanes import gather, sparse_product
from ..engine.neighbors.kernels_pairs import pointers
from ..engine.radial import polynomials
from ..engine.simd import W, fma, hsum, ldf, ldi, load, load_splat, off, ptr, splat, stf, store, transpose8
from .kernels import fill_channels, geometry
from .kernels_tangents import channel_slopes, tangent_product_derivatives, tangent_products, tangent_sums, turn
from .layout import FIELD, GEOMETRY_WORDS, Head, Training


@device
def own_field(head: Head, place: Training, field: Any, members: Any, work: Any) -> None:
    """s, a and e of the eight central atoms as lanes."""
    n, own = head.atoms, off(work, place.own)
    for part in range(0, FIELD, W):
        for lane in range(W):
            store(own, (part + lane) * W, load(field, min(ldi(members, lane), n) * FIELD + part))
        turn(off(own, part * W))


@device
def pair_tangents(head: Head, place: Training, field: Any, used: int, work: Any) -> None:
    """r' and u' of every slot along d = s_i - s_j + e r."""
    own = off(work, place.own)
    for k in range(used):
        slot, rinv = off(work, head.area.slots + 4 * k * W), load(work, head.area.geometry + k * GEOMETRY_WORDS * W)
        other = transpose8(
            load(field, int(ldf(slot, 3 * W)) * FIELD),
            load(field, int(ldf(slot, 3 * W + 1)) * FIELD),
            load(field, int(ldf(slot, 3 * W + 2)) * FIELD),
            load(field, int(ldf(slot, 3 * W + 3)) * FIELD),
            load(field, int(ldf(slot, 3 * W + 4)) * FIELD),
            load(field, int(ldf(slot, 3 * W + 5)) * FIELD),
            load(field, int(ldf(slot, 3 * W + 6)) * FIELD),
            load(field, int(ldf(slot, 3 * W + 7)) * FIELD),
        )
        x, y, z = load(slot, 0), load(slot, W), load(slot, 2 * W)
        dx = load(own, 0) - other[0] + fma(load(own, 4 * W), x, fma(load(own, 5 * W), y, load(own, 6 * W) * z))
        dy = load(own, W) - other[1] + fma(load(own, 7 * W), x, fma(load(own, 8 * W), y, load(own, 9 * W) * z))
        dz = load(own, 2 * W) - other[2] + fma(load(own, 10 * W), x, fma(load(own, 11 * W), y, load(own, 12 * W) * z))
        store_pair_tangent(place, k, dx, dy, dz, x * rinv, y * rinv, z * rinv, rinv, work)


@device
def store_pair_tangent(
    place: Training, k: int, dx: Any, dy: Any, dz: Any, x: Any, y: Any, z: Any, rinv: Any, work: Any
) -> None:
    """r' = u d and u' = (d - u r') / r of one slot; x, y, z is the direction u."""
    out = off(work, place.pairs + (4 * (k - k % 4) + k % 4) * W)
    change = fma(dx, x, fma(dy, y, dz * z))
    store(out, 0, fma(-change, y, dy) * rinv)
    store(out, 4 * W, fma(-change, z, dz) * rinv)
    store(out, 8 * W, change)
    store(out, 12 * W, fma(-change, x, dx) * rinv)


@device
def channel_tangents(head: Head, place: Training, ints: Any, used: int, work: Any) -> None:
    """F' of every slot: f' r' or, in odd channels, f' r' u_x + f u_x'."""
    functions, total = head.functions, head.channels
    which, odd = off(ints, head.ints.function), off(ints, head.ints.odd)
    for k in range(used):
        first, slot = k - k % 4, k % 4
        G = off(work, head.area.functions + (2 * first * functions + slot) * W)
        at = (first * (total + 3) + slot) * W
        out = off(work, place.channels + at)
        x = load(work, head.area.slots + 4 * k * W) * load(work, head.area.geometry + k * GEOMETRY_WORDS * W)
        changes = off(work, place.pairs + (4 * first + slot) * W)
        change, turn = load(changes, 8 * W), load(changes, 12 * W)
        for ch in range(total):
            mu = ldi(which, ch)
            value = load(G, (8 * mu + 4) * W) * change
            if ldi(odd, ch) == 1:
                value = fma(value, x, load(G, 8 * mu * W) * turn)
            store(out, 4 * ch * W, value)


@device
def moments_and_tangents(head: Head, place: Training, ints: Any, floats: Any, used: int, work: Any) -> None:
    """All moments and their tangents."""
    limits, offsets = off(ints, head.ints.limits), off(ints, head.ints.offsets)
    F, pq, m = off(work, head.area.channels), off(work, head.area.variables), off(work, head.area.moments)
    Fd, pqd, t = off(work, place.channels), off(work, place.pairs), off(work, place.moments)
    S, Sd = off(work, head.area.sums), off(work, place.sums)
    tangent_sums(F, Fd, pq, pqd, used, limits, offsets, head.channels, S, Sd)
    begin, columns = off(ints, head.ints.forward), off(ints, head.ints.forward_columns)
    sparse_product(head.basic, begin, columns, off(floats, head.floats.forward), S, m)
    sparse_product(head.basic, begin, columns, off(floats, head.floats.forward), Sd, t)
    tangent_products(head, ints, floats, m, t)


@device
def adjoints(head: Head, place: Training, ints: Any, floats: Any, work: Any) -> None:
    """Add a B + B' to the sums of the linear parameters; from G and H of the basis functions those of the sums S."""
    m, t = off(work, head.area.moments), off(work, place.moments)
    d, h = off(work, head.area.moment_derivatives), off(work, place.adjoints)
    for k in range(head.moments):
        store(d, k * W, splat(0.0))
        store(h, k * W, splat(0.0))
    mapping, coefficients, linear = off(ints, head.ints.mapping), off(floats, head.floats.moments), place.linear
    a = load(work, place.own + 3 * W)
    for k in range(head.scalars):
        at, coefficient = ldi(mapping, k) * W, load_splat(coefficients, k)
        store(d, at, coefficient)
        store(h, at, coefficient * a)
        total = off(work, linear + k * W)
        store(total, 0, load(total, 0) + fma(a, load(m, at), load(t, at)))
    tangent_product_derivatives(head, ints, floats, m, t, d, h)
    begin, columns, values = (
        off(ints, head.ints.reverse),
        off(ints, head.ints.reverse_columns),
        off(floats, head.floats.reverse),
    )
    sparse_product(head.sums, begin, columns, values, d, off(work, head.area.sum_derivatives))
    sparse_product(head.sums, begin, columns, values, h, off(work, place.sum_adjoints))


@device
def function_slopes(head: Head, place: Training, ints: Any, first: int, work: Any) -> None:
    """dPhi by the coefficients of T_n and of T'_n, for four slots: [K][2][4], value and slope of each f_mu."""
    functions, total = head.functions, head.channels
    limits, offsets = off(ints, head.ints.limits), off(ints, head.ints.offsets)
    which, odd = off(ints, head.ints.function), off(ints, head.ints.odd)
    pq, pqd = off(work, head.area.variables + 2 * first * W), off(work, place.pairs + 4 * first * W)
    D, Dd, v = off(work, head.area.sum_derivatives), off(work, place.sum_adjoints), off(work, place.slopes)
    channel_slopes(D, Dd, pq, pqd, limits, offsets, total, v)
    out = off(work, place.functions)
    for k in range(8 * functions):
        store(out, k * W, splat(0.0))
    for slot in range(4):
        g = off(work, head.area.geometry + (first + slot) * GEOMETRY_WORDS * W)
        x, changes = load(work, head.area.slots + 4 * (first + slot) * W) * load(g, 0), off(pqd, slot * W)
        change, turn = load(changes, 8 * W), load(changes, 12 * W)
        for ch in range(total):
            at = off(out, (8 * ldi(which, ch) + slot) * W)
            value, slope = load(v, (8 * ch + slot) * W), load(v, (8 * ch + 4 + slot) * W)
            if ldi(odd, ch) == 1:
                slope = fma(slope, x, value * turn)
                value = value * x
            store(at, 0, load(at, 0) + slope)
            store(at, 4 * W, fma(value, change, load(at, 4 * W)))
        weight, dweight, slope = load(g, W), load(g, 2 * W), load(g, W) * load(g, 4 * W)
        for mu in range(functions):
            at = off(out, (8 * mu + slot) * W)
            by_slope = load(at, 4 * W)
            store(at, 0, fma(load(at, 0), weight, by_slope * dweight))
            store(at, 4 * W, by_slope * slope)


@device
def add_one_species(head: Head, place: Training, T: Any, work: Any) -> None:
    """Sums over pairs of the slopes times T_n, [K][2][R] vectors."""
    count = head.basis
    for row in range(2 * head.functions):
        a = off(work, place.functions + 4 * row * W)
        total = off(work, place.radial + row * count * W)
        a0, a1, a2, a3 = load(a, 0), load(a, W), load(a, 2 * W), load(a, 3 * W)
        for n in range(count):
            t = off(T, 4 * n * W)
            value = fma(a0, load(t, 0), fma(a1, load(t, W), load(total, n * W)))
            store(total, n * W, fma(a2, load(t, 2 * W), fma(a3, load(t, 3 * W), value)))


@device
def add_pair_types(head: Head, place: Training, first: int, T: Any, out: Any, work: Any) -> None:
    """The same for each pair of types: `out` is [pair][group][R][8], in groups the rows [K][2] of eight."""
    count, rows, groups = head.basis, 2 * head.functions, head.groups
    spare = off(work, head.area.values)
    for slot in range(4):
        g = off(work, head.area.geometry + (first + slot) * GEOMETRY_WORDS * W)
        for group in range(groups):
            for k in range(W):
                row = group * W + k
                at = place.functions + (4 * min(row, rows - 1) + slot) * W
                store(spare, k * W, load(work, at))
            turn(spare)
            for lane in range(W):
                if ldf(g, W + lane) != 0.0:
                    total = off(out, (int(ldf(g, 5 * W + lane)) * groups + group) * count * W)
                    own = load(spare, lane * W)
                    for n in range(count):
                        factor = load_splat(T, (4 * n + slot) * W + lane)
                        store(total, n * W, fma(own, factor, load(total, n * W)))


@device
def loss_block(
    listing: Any, species: Any, head: Head, place: Training, ints: Any, floats: Any, field: Any, members: Any,
    out: Any, work: Any,
) -> None:  # fmt: skip
    """Add one block to the sums over atoms and pairs."""
    n, slots, types = head.atoms, off(work, head.area.slots), off(work, head.area.types)
    for lane in range(W):
        stf(types, lane, float(ldi(species, min(ldi(members, lane), n))))
    used = gather(listing, members, n, 0.0, ldf(floats, head.floats.scalars + 1), head.slots, slots)
    geometry(head, floats, species, used, work)
    fill_channels(head, ints, floats, used, work)
    own_field(head, place, field, members, work)
    pair_tangents(head, place, field, used, work)
    channel_tangents(head, place, ints, used, work)
    moments_and_tangents(head, place, ints, floats, used, work)
    adjoints(head, place, ints, floats, work)
    T, step = off(work, head.area.polynomials), GEOMETRY_WORDS * W
    for first in range(0, used, 4):
        function_slopes(head, place, ints, first, work)
        polynomials(off(work, head.area.geometry + first * step + 3 * W), step, head.basis, T)
        if head.types == 1:
            add_one_species(head, place, T, work)
        else:
            add_pair_types(head, place, first, T, out, work)


@kernel
def loss_gradient(
    memory: Any, pairs: Any, call: Any, ints: Any, floats: Any, places: Any, field: Any, work: Any, out: Any
) -> None:
    """Derivatives of Phi of a list of atoms.

    Parameters
    ----------
    memory, pairs, call, ints, floats : arrays
        As of `kernels.evaluate`.
    places : int32 array
        A flattened `Training`.
    field : (N + 1, 16) array
    work : array
        Scratch.
    out : array
        Receives the sums of the radial functions, [K][2][R] for one species, else [pair][group][R][8], then the
        derivatives by the moment coefficients.
    """
    head, place, scratch = view(ptr(call), Head), view(ptr(places), Training), ptr(work)
    species, order = off(ptr(call), head.species), off(ptr(call), head.order)
    result, n, count, scalars = ptr(out), head.atoms, head.basis, head.scalars
    size = head.types * head.types * head.groups * count * W if head.types > 1 else 2 * head.functions * count
    for k in range(size + scalars):
        out[k] = 0.0
    for k in range(2 * head.functions * count if head.types == 1 else 0):
        store(scratch, place.radial + k * W, splat(0.0))
    for k in range(scalars):
        store(scratch, place.linear + k * W, splat(0.0))
    neighbors = pointers(memory, pairs)
    for block in range((n + W - 1) // W):
        members = off(order, block * W)
        loss_block(neighbors, species, head, place, ptr(ints), ptr(floats), ptr(field), members, result, scratch)
    if head.types == 1:
        for k in range(size):
            out[k] = hsum(load(scratch, place.radial + k * W))
    for k in range(scalars):
        out[size + k] = hsum(load(scratch, place.linear + k * W))


@kernel
def residuals(
    first: Any, energies: Any, forces: Any, virials: Any, wanted_energies: Any, wanted_forces: Any,
    wanted_virials: Any, energy_weights: Any, force_weights: Any, virial_weights: Any, field: Any, slopes: Any
) -> float:  # fmt: skip
    """Weighted squares of what some frames miss, and the field of the slopes of their sum.

    Parameters
    ----------
    first : (F + 1,) int64 array
        Where the atoms of each frame begin.
    energies, forces, virials : (N,), (N, 3), (N, 3, 3) arrays
        Of each atom.
    wanted_energies, wanted_forces, wanted_virials : (F,), (N, 3), (F, 3, 3) arrays
    energy_weights, force_weights, virial_weights : (F,), (N, 1), (F, 3, 3) arrays
        Of the squares.
    field : (N + 1, 16) array
        Receives the field.
    slopes : (F,) array
        Receives the derivatives by the energies of the frames.
    """
    total = 0.0
    for frame in range(first.shape[0] - 1):
        begin, end = first[frame], first[frame + 1]
        missed = -wanted_energies[frame]
        for i in range(begin, end):
            missed += energies[i]
        total += energy_weights[frame] * missed * missed
        slopes[frame] = 2.0 * energy_weights[frame] * missed
        for i in range(begin, end):
            field[i, 3] = slopes[frame]
            for axis in range(3):
                miss = forces[i, axis] - wanted_forces[i, axis]
                total += force_weights[i, 0] * miss * miss
                field[i, axis] = 2.0 * force_weights[i, 0] * miss
        for a in range(3):
            for b in range(3):
                missed = -wanted_virials[frame, a, b]
                for i in range(begin, end):
                    missed += virials[i, a, b]
                total += virial_weights[frame, a, b] * missed * missed
                for i in range(begin, end):
                    field[i, 4 + 3 * a + b] = -2.0 * virial_weights[frame, a, b] * missed
        for i in range(begin, end):
            for k in range(13, FIELD):
                field[i, k] = 0.0
    for k in range(FIELD):
        field[field.shape[0] - 1, k] = 0.0
    return total
