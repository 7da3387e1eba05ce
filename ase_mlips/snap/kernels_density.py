"""From neighbours to U, for eight atoms at a time.

With the Cayley-Klein parameters a = c - i z s and b = s (y - i x), where c = cos(theta) and s = sin(theta)/r, every
element of U^j is a power of b times a polynomial in c and z s.  So the sums over neighbours are `lanes.channel_sums`
with the channels w f (1, Re b, Im b, Re b^2, ..) and U is a constant sparse matrix times them.

`head` holds sizes and places (`layout`), `ints` and `floats` the constant tables, `work` the scratch of one thread.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.jit import device
from ..engine.lanes import channel_sums, sparse_product
from ..engine.simd import (
    W,
    fma,
    ldf,
    ldi,
    load,
    load_splat,
    off,
    splat,
    stf,
    store,
    vabs,
    vmax,
    vmin,
    vsqrt,
    where_less,
)
from ..engine.vector_math import sine_cosine
from .layout import ELEMENT_WORDS, GEOMETRY_WORDS, PAIR_WORDS, Head

HALF_PI, PI = 0.5 * np.pi, np.pi


@device
def block_types(head: Head, species: Any, members: Any, work: Any) -> bool:
    """Write the types of the eight lanes as doubles and the self weights; say whether all types are equal."""
    types = off(work, head.area.types)
    n, one, first = head.atoms, True, ldi(species, ldi(members, 0))
    for lane in range(W):
        t = ldi(species, ldi(members, lane)) if ldi(members, lane) < n else first
        stf(types, lane, float(t))
        one = one and t == first
    own = load(types, 0)
    selves = off(work, head.area.selves)
    elements = head.elements
    for e in range(elements):
        weight = splat(1.0)
        if elements > 1 and head.self_all == 0:
            weight = where_less(vabs(own - float(e)), splat(0.5), splat(1.0), splat(0.0))
        store(selves, e * W, weight)
    return one


@device
def pair_parameters(head: Head, floats: Any, species: Any, used: int, work: Any) -> None:
    """Look up the constants of each pair of types, slot by slot."""
    table = off(floats, head.floats.pair)
    types, pairs, slots = head.types, off(work, head.area.pairs), off(work, head.area.slots)
    own = off(work, head.area.types)
    for k in range(used):
        out = off(pairs, k * PAIR_WORDS * W)
        if types == 1:
            for p in range(PAIR_WORDS):
                store(out, p * W, load_splat(table, p))
        else:
            for lane in range(W):
                j = int(ldf(slots, (4 * k + 3) * W + lane))
                row = (int(ldf(own, lane)) * types + ldi(species, j)) * PAIR_WORDS
                for p in range(PAIR_WORDS):
                    stf(out, p * W + lane, ldf(table, row + p))


@device
def geometry(head: Head, floats: Any, used: int, work: Any) -> None:
    """Cayley-Klein parameters, switching function and their radial derivatives of every slot."""
    scalars = off(floats, head.floats.scalars)
    rfac0, rmin0 = ldf(scalars, 0), ldf(scalars, 1)
    switch, inner = head.switch, head.inner
    slots, pairs = off(work, head.area.slots), off(work, head.area.pairs)
    zero, one = splat(0.0), splat(1.0)
    for k in range(used):
        x, y, z = load(slots, 4 * k * W), load(slots, (4 * k + 1) * W), load(slots, (4 * k + 2) * W)
        pair = off(pairs, k * PAIR_WORDS * W)
        cutoff, span = load(pair, 0), load(pair, W)
        r = vsqrt(fma(x, x, fma(y, y, z * z)))
        rinv = 1.0 / r
        t = r - rmin0
        phi = vmin(span * t, splat(PI))
        theta = phi * rfac0
        sign = where_less(t, zero, splat(-1.0), one)  # LAMMPS's r0 is positive: (a, b) -> -(a, b) below rmin0
        minus_cos, sine = sine_cosine(vabs(theta) - HALF_PI)
        c, s = -(sign * minus_cos), sine * rinv
        wf, ratio = load(pair, 2 * W), zero
        if switch == 1:
            # f = sin^2 g keeps its relative precision up to the cutoff, (1 + cos phi) / 2 does not
            g = vmin((PI - phi) * 0.5, splat(HALF_PI))
            sin_g, cos_g = sine_cosine(g)
            wf = wf * sin_g * sin_g
            ratio = where_less(zero, t, -(span * cos_g) / sin_g, zero)
        if inner == 1:
            steepness = load(pair, 4 * W)
            h = vmin((r - load(pair, 3 * W)) * steepness, splat(HALF_PI))
            sin_h, cos_h = sine_cosine(vmax(h, zero))
            wf = where_less(zero, h, wf * sin_h * sin_h, zero)
            ratio = where_less(zero, h, fma(steepness * 2.0, cos_h / sin_h, ratio), zero)
        out = off(work, head.area.geometry + k * GEOMETRY_WORDS * W)
        wf = where_less(r, cutoff, wf, zero)
        store(out, 0, wf)
        store(out, W, s * y)
        store(out, 2 * W, -(s * x))
        store(out, 3 * W, s)
        store(out, 4 * W, fma(c, span * rfac0, -s) * rinv)
        store(out, 5 * W, -(sine * span * rfac0))
        store(out, 6 * W, where_less(zero, vabs(wf), ratio, zero))  # infinite where f has rounded to zero
        store(out, 7 * W, rinv)
        pq = off(work, head.area.variables + (k // 4 * 8 + k % 4) * W)
        store(pq, 0, c)
        store(pq, 4 * W, s * z)


@device
def channels(head: Head, used: int, element: int, work: Any) -> None:
    """Write w f (1, Re b, Im b, Re b^2, ..); with several elements only neighbours of one have weight."""
    count, elements = head.channels, head.elements
    for k in range(used):
        values = off(work, head.area.geometry + k * GEOMETRY_WORDS * W)
        wf, br, bi = load(values, 0), load(values, W), load(values, 2 * W)
        if elements > 1:
            other = load(work, head.area.pairs + (k * PAIR_WORDS + 5) * W)
            wf = where_less(vabs(other - float(element)), splat(0.5), wf, splat(0.0))
        out = off(work, head.area.channels + (k // 4 * (count + 3) * 4 + k % 4) * W)
        store(out, 0, wf)
        re, im = wf, splat(0.0)
        for m in range(1, head.twojmax + 1):
            re, im = fma(re, br, -(im * bi)), fma(re, bi, im * br)
            store(out, (2 * m - 1) * 4 * W, re)
            store(out, 2 * m * 4 * W, im)


@device
def density(head: Head, ints: Any, floats: Any, used: int, work: Any) -> None:
    """U of every element channel: sums over neighbours, the self term, and the mirrored half."""
    limits, offsets = off(ints, head.ints.limits), off(ints, head.ints.offsets)
    sums, parts = off(work, head.area.sums), off(work, head.area.parts)
    independent = head.independent
    for e in range(head.elements):
        channels(head, used, e, work)
        channel_sums(
            off(work, head.area.channels), off(work, head.area.variables), used, limits, offsets, head.channels, sums
        )
        begin, columns = off(ints, head.ints.forward), off(ints, head.ints.forward_columns)
        sparse_product(2 * independent, begin, columns, off(floats, head.floats.forward), sums, parts)
        u = off(work, head.area.u + 2 * e * head.full * W)
        for n in range(independent):
            entry = off(ints, head.ints.elements + n * ELEMENT_WORDS)
            place, mirrored, sign = ldi(entry, 0) * 2 * W, ldi(entry, 1) * 2 * W, float(ldi(entry, 2))
            re, im = load(parts, 2 * n * W), load(parts, (2 * n + 1) * W)
            store(u, place, re)
            store(u, place + W, im)
            if mirrored != place:
                store(u, mirrored, re * sign)
                store(u, mirrored + W, im * -sign)
        place, own = 0, load(work, head.area.selves + e * W)
        for j in range(head.twojmax + 1):
            for _ in range(j + 1):
                store(u, place, load(u, place) + own)
                place += (j + 2) * 2 * W
            place -= 2 * W * (j + 1)
