"""Derivatives of the basis functions of an MTP by positions and strain: rows of a linear least-squares problem.

For one neighbour at a time and one direction, the tangents of all moments are the derivatives of the basis functions
by that neighbour's position; see `kernels_training` for the notation.
"""

from __future__ import annotations

from typing import Any

from ..engine.fields import view
from ..engine.jit import device, device_from_source, kernel
from ..engine.lanes import gather, sparse_product
from ..engine.neighbors.kernels_pairs import pointers
from ..engine.simd import W, fma, ldf, ldi, load, off, ptr, splat, stf, store
from .kernels import fill_channels, geometry, moments
from .kernels_products import NAMES
from .kernels_tangents import turn
from .layout import GEOMETRY_WORDS, TENSOR, Head, Training


def _tangent_source(n: int) -> str:
    """The tangents alone of M[target] += sum_k A_k M[B_k] for the rows of a run with n terms."""
    terms = range(n)
    lines = [f"def tangent_only_{n}(rows, stream, weights, m, t):"]
    for k in terms:
        lines += [f"    w, at = load_splat(weights, {k}), ldi(stream, {k}) * W"]
        lines += [f"    a{k}, b{k} = load(m, at) * w, load(t, at) * w"]
    lines += [f"    row = off(stream, {n})", "    for r in range(rows):", "        at = ldi(row, 0) * W"]
    lines += ["        even, odd = load(t, at), splat(0.0)"]
    for k in terms:
        lines += [f"        e = ldi(row, {k + 1}) * W", f"        even = fma(b{k}, load(m, e), even)"]
        lines += [f"        odd = fma(a{k}, load(t, e), odd)"]
    lines += ["        store(t, at, even + odd)", f"        row = off(row, {n + 1})"]
    return "\n".join(lines)


tangent_only_1, tangent_only_2, tangent_only_3, tangent_only_4, tangent_only_5, tangent_only_6 = (
    device_from_source(f"tangent_only_{n}", _tangent_source(n), NAMES) for n in range(1, 7)
)


@device
def product_tangents(head: Head, ints: Any, floats: Any, m: Any, t: Any) -> None:
    """Tangents of the composite moments from those of the basic ones; all moments are known."""
    for k in range(head.basic, head.moments):
        store(t, k * W, splat(0.0))
    stream, weights = off(ints, head.ints.program), off(floats, head.floats.weights)
    for _ in range(head.runs):
        n, rows = ldi(stream, 0), ldi(stream, 1)
        body = off(stream, 2)
        if n == 1:
            tangent_only_1(rows, body, weights, m, t)
        elif n == 2:
            tangent_only_2(rows, body, weights, m, t)
        elif n == 3:
            tangent_only_3(rows, body, weights, m, t)
        elif n == 4:
            tangent_only_4(rows, body, weights, m, t)
        elif n == 5:
            tangent_only_5(rows, body, weights, m, t)
        else:
            tangent_only_6(rows, body, weights, m, t)
        stream, weights = off(body, n + rows * (n + 1)), off(weights, n)


@device
def slot_tangents(head: Head, place: Training, ints: Any, k: int, axis: int, work: Any) -> None:
    """S' of one slot when its neighbour moves along an axis."""
    which, odd = off(ints, head.ints.function), off(ints, head.ints.odd)
    limits, offsets = off(ints, head.ints.limits), off(ints, head.ints.offsets)
    first, part = k - k % 4, k % 4
    G = off(work, head.area.functions + (2 * first * head.functions + part) * W)
    slot, rinv = off(work, head.area.slots + 4 * k * W), load(work, head.area.geometry + k * GEOMETRY_WORDS * W)
    x, y, z = load(slot, 0) * rinv, load(slot, W) * rinv, load(slot, 2 * W) * rinv
    one, zero = splat(1.0), splat(0.0)
    change = x if axis == 0 else (y if axis == 1 else z)
    xd = fma(-change, x, one if axis == 0 else zero) * rinv
    yd = fma(-change, y, one if axis == 1 else zero) * rinv
    zd = fma(-change, z, one if axis == 2 else zero) * rinv
    for ch in range(head.channels):
        mu = ldi(which, ch)
        f, fd = load(G, 8 * mu * W), load(G, (8 * mu + 4) * W) * change
        if ldi(odd, ch) == 1:
            fd = fma(fd, x, f * xd)
            f = f * x
        limit, out = ldi(limits, ch), off(work, place.sums + ldi(offsets, ch) * W)
        h, hd, e = f, fd, 0
        for b in range(limit + 1):
            m, md = h, hd
            for _ in range(limit - b + 1):
                store(out, e, md)
                md = fma(md, z, m * zd)
                m = m * z
                e += W
            hd = fma(hd, y, h * yd)
            h = h * y


@device
def eight(head: Head, ints: Any, values: Any, m: int, spare: Any) -> None:
    """The values of basis functions m .. m+7 in `spare`, a row of eight of them for each lane."""
    for k in range(W):
        number = min(m + k, head.scalars - 1)
        value = load(values, ldi(ints, head.ints.mapping + number) * W)
        store(spare, k * W, value if m + k < head.scalars else splat(0.0))
    turn(spare)


@device
def add_slot(head: Head, place: Training, ints: Any, k: int, axis: int, rows: Any, width: int, work: Any) -> None:
    """Add the derivatives of one slot along one axis to the sums of the block and to its neighbours' rows."""
    t, slot = off(work, place.moments), off(work, head.area.slots + 4 * k * W)
    x, y, z = load(slot, 0), load(slot, W), load(slot, 2 * W)
    own, strain, size = off(work, place.linear + axis * place.width * W), off(work, place.virials), place.width * W
    spare = off(work, place.linear + 3 * size)
    for m in range(head.scalars):
        p = load(t, ldi(ints, head.ints.mapping + m) * W)
        store(own, m * W, load(own, m * W) + p)
        at = m * W
        if axis == 0:
            store(strain, at, fma(x, p, load(strain, at)))
        elif axis == 1:
            store(strain, size + at, fma(y, p, load(strain, size + at)))
            store(strain, 5 * size + at, fma(x, p, load(strain, 5 * size + at)))
        else:
            store(strain, 2 * size + at, fma(z, p, load(strain, 2 * size + at)))
            store(strain, 3 * size + at, fma(y, p, load(strain, 3 * size + at)))
            store(strain, 4 * size + at, fma(x, p, load(strain, 4 * size + at)))
    for m in range(0, head.scalars, W):
        eight(head, ints, t, m, spare)
        for lane in range(W):
            at = (3 * int(ldf(slot, 3 * W + lane)) + axis) * width + head.types + m
            store(rows, at, load(rows, at) - load(spare, lane * W))


@device
def add_block(
    head: Head, place: Training, ints: Any, members: Any, frames: Any, rows: Any, tops: Any, width: int, work: Any
) -> None:
    """Add the sums of a block to the rows of its atoms and frames; of a frame the first row is that of the energy."""
    n, size = head.atoms, place.width * W
    spare = off(work, place.linear + 3 * size)
    for m in range(0, head.scalars, W):
        eight(head, ints, off(work, head.area.moments), m, spare)
        for lane in range(W):
            i = ldi(members, lane)
            if i < n:
                at = ldi(frames, i) * (1 + TENSOR) * width + head.types + m
                store(tops, at, load(tops, at) + load(spare, lane * W))
        for part in range(3 + TENSOR):
            source = place.linear + part * size if part < 3 else place.virials + (part - 3) * size
            for k in range(W):
                store(spare, k * W, load(work, source + (m + k) * W))
            turn(spare)
            for lane in range(W):
                i = ldi(members, lane)
                if i < n and part < 3:
                    at = (3 * i + part) * width + head.types + m
                    store(rows, at, load(rows, at) + load(spare, lane * W))
                elif i < n:
                    at = (ldi(frames, i) * (1 + TENSOR) + part - 2) * width + head.types + m
                    store(tops, at, load(tops, at) + load(spare, lane * W))


@kernel
def basis_rows(
    memory: Any, pairs: Any, call: Any, ints: Any, floats: Any, places: Any, frames: Any, work: Any, rows: Any,
    tops: Any
) -> None:  # fmt: skip
    """Basis functions of every frame and their derivatives.

    Parameters
    ----------
    memory, pairs, call, ints, floats, places, work
        As of `kernels_training.loss_gradient`.
    frames : (N,) int32 array
        Number of each atom's frame.
    rows : (N + 1, 3, width) array
        Forces of the basis functions, in the columns behind those of the species; the last atom is the dummy one.
    tops : (F, 7, width) array
        Basis functions and their strain derivatives xx yy zz yz xz xy, likewise.  Both must be zero, and wide enough
        for whole vectors.
    """
    head, place, scratch = view(ptr(call), Head), view(ptr(places), Training), ptr(work)
    species, order, neighbors = off(ptr(call), head.species), off(ptr(call), head.order), pointers(memory, pairs)
    n, table, numbers, width = head.atoms, ptr(ints), ptr(floats), rows.shape[2]
    begin, columns = off(table, head.ints.forward), off(table, head.ints.forward_columns)
    m, t = off(scratch, head.area.moments), off(scratch, place.moments)
    for block in range((n + W - 1) // W):
        members = off(order, block * W)
        for lane in range(W):
            stf(scratch, head.area.types + lane, float(ldi(species, min(ldi(members, lane), n))))
        slots = off(scratch, head.area.slots)
        used = gather(neighbors, members, n, 0.0, ldf(numbers, head.floats.scalars + 1), head.slots, slots)
        geometry(head, numbers, species, used, scratch)
        fill_channels(head, table, numbers, used, scratch)
        moments(head, table, numbers, used, scratch)
        for k in range(3 * place.width):
            store(scratch, place.linear + k * W, splat(0.0))
        for k in range(TENSOR * place.width):
            store(scratch, place.virials + k * W, splat(0.0))
        for k in range(used):
            for axis in range(3):
                slot_tangents(head, place, table, k, axis, scratch)
                values = off(numbers, head.floats.forward)
                sparse_product(head.basic, begin, columns, values, off(scratch, place.sums), t)
                product_tangents(head, table, numbers, m, t)
                add_slot(head, place, table, k, axis, ptr(rows), width, scratch)
        add_block(head, place, table, members, ptr(frames), ptr(rows), ptr(tops), width, scratch)
