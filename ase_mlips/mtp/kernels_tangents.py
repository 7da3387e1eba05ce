"""Moments with their derivatives along a displacement, and the reverse of both.

Every quantity has a tangent, written with a dot: for a product (A B)' = A' B + A B'.  The reverse pass of the tangents
of all moments gives G = dE/dM and, from the tangents, H = d(a E + E')/dM.
"""

from __future__ import annotations

from typing import Any

from ..engine.jit import device, device_from_source
from ..engine.simd import W, fma, ldi, load, off, splat, store, transpose8
from .kernels_products import NAMES
from .layout import Head

_SLOTS = range(4)


def _all(names: str, sources: str) -> str:
    """An assignment for four slots: ``{s}`` stands for the slot."""
    return ", ".join(names.format(s=s) for s in _SLOTS) + " = " + ", ".join(sources.format(s=s) for s in _SLOTS)


def _sums_source(channels: int) -> str:
    """The sums of a tile of `channels` channels and four slots with their tangents."""
    letters = "ab"[:channels]
    lines = [f"def tangent_tile_{channels}(F, Fd, pq, pqd, limits, offsets, S, Sd):"]
    for n, x in enumerate(letters):
        lines += [f"    {_all(x + '{s}', 'load(F, ' + str(4 * n) + ' * W + {s} * W)')}"]
        lines += [f"    {_all(x + 'd{s}', 'load(Fd, ' + str(4 * n) + ' * W + {s} * W)')}"]
        lines += [f"    l{x}, e{x} = ldi(limits, {n}), ldi(offsets, {n}) * W"]
    for x, offset in (("p", 0), ("q", 4)):
        lines += [f"    {_all(x + '{s}', 'load(pq, ' + str(offset) + ' * W + {s} * W)')}"]
        lines += [f"    {_all(x + 'd{s}', 'load(pqd, ' + str(offset) + ' * W + {s} * W)')}"]
    lines += ["    h0 = h1 = h2 = h3 = splat(1.0)", "    hd0 = hd1 = hd2 = hd3 = splat(0.0)"]
    lines += ["    for b in range(la + 1):", "        m0, m1, m2, m3 = h0, h1, h2, h3"]
    lines += ["        md0, md1, md2, md3 = hd0, hd1, hd2, hd3", "        c = 0"]
    for last in range(channels, 0, -1):
        lines += [f"        while c <= l{letters[last - 1]} - b:"]
        for x in letters[:last]:
            value, change = f"load(S, e{x})", f"load(Sd, e{x})"
            for s in _SLOTS:
                value = f"fma({x}{s}, m{s}, {value})"
                change = f"fma({x}d{s}, m{s}, fma({x}{s}, md{s}, {change}))"
            lines += [
                f"            store(S, e{x}, {value})",
                f"            store(Sd, e{x}, {change})",
                f"            e{x} += W",
            ]
        lines += [f"            {_all('md{s}', 'fma(md{s}, q{s}, m{s} * qd{s})')}"]
        lines += [f"            {_all('m{s}', 'm{s} * q{s}')}", "            c += 1"]
    lines += [f"        {_all('hd{s}', 'fma(hd{s}, p{s}, h{s} * pd{s})')}", f"        {_all('h{s}', 'h{s} * p{s}')}"]
    return "\n".join(lines)


def _forward_source(n: int) -> str:
    """M[target] += sum_k A_k M[B_k] for the rows of a run with n terms, and the same for the tangents."""
    terms = range(n)
    lines = [f"def tangent_forward_{n}(rows, stream, weights, m, t):"]
    for k in terms:
        lines += [f"    w, at = load_splat(weights, {k}), ldi(stream, {k}) * W"]
        lines += [f"    a{k}, b{k} = load(m, at) * w, load(t, at) * w"]
    lines += [f"    row = off(stream, {n})", "    for r in range(rows):", "        at = ldi(row, 0) * W"]
    lines += ["        value, even, odd = load(m, at), load(t, at), splat(0.0)"]
    for k in terms:
        lines += [f"        e = ldi(row, {k + 1}) * W", "        x = load(m, e)"]
        lines += [f"        value = fma(a{k}, x, value)", f"        even = fma(b{k}, x, even)"]
        lines += [f"        odd = fma(a{k}, load(t, e), odd)"]
    lines += ["        store(m, at, value)", "        store(t, at, even + odd)", f"        row = off(row, {n + 1})"]
    return "\n".join(lines)


def _backward_source(n: int) -> str:
    """G and H of the factors from those of the targets, for the rows of a run with n terms."""
    terms = range(n)
    lines = [f"def tangent_backward_{n}(rows, stream, weights, m, t, d, h):"]
    for k in terms:
        lines += [f"    p{k} = ldi(stream, {k}) * W", f"    w{k} = load_splat(weights, {k})"]
        lines += [f"    a{k}, b{k} = load(m, p{k}) * w{k}, load(t, p{k}) * w{k}"]
        lines += [f"    g{k}, f{k} = splat(0.0), splat(0.0)"]
    lines += [f"    row = off(stream, {n})", "    for r in range(rows):"]
    lines += ["        at = ldi(row, 0) * W", "        g, f = load(d, at), load(h, at)"]
    for k in terms:
        lines += [f"        e = ldi(row, {k + 1}) * W", "        x = load(m, e)", f"        g{k} = fma(g, x, g{k})"]
        lines += [f"        f{k} = fma(f, x, fma(g, load(t, e), f{k}))"]
        lines += [f"        store(d, e, fma(g, a{k}, load(d, e)))"]
        lines += [f"        store(h, e, fma(f, a{k}, fma(g, b{k}, load(h, e))))"]
    lines += [f"        row = off(row, {n + 1})"]
    for k in terms:
        lines += [f"    store(d, p{k}, fma(w{k}, g{k}, load(d, p{k})))"]
        lines += [f"    store(h, p{k}, fma(w{k}, f{k}, load(h, p{k})))"]
    return "\n".join(lines)


tangent_tile_1, tangent_tile_2 = (device_from_source(f"tangent_tile_{n}", _sums_source(n), NAMES) for n in range(1, 3))
(
    tangent_forward_1,
    tangent_forward_2,
    tangent_forward_3,
    tangent_forward_4,
    tangent_forward_5,
    tangent_forward_6,
) = (device_from_source(f"tangent_forward_{n}", _forward_source(n), NAMES) for n in range(1, 7))
(
    tangent_backward_1,
    tangent_backward_2,
    tangent_backward_3,
    tangent_backward_4,
    tangent_backward_5,
    tangent_backward_6,
) = (device_from_source(f"tangent_backward_{n}", _backward_source(n), NAMES) for n in range(1, 7))


@device
def tangent_sums(
    F: Any, Fd: Any, pq: Any, pqd: Any, used: int, limits: Any, offsets: Any, channels: int, S: Any, Sd: Any
) -> None:
    """`lanes.channel_sums` with tangents; `Fd` is laid out as `F`, `pqd` [used / 4][4][4] begins like `pq`."""
    total = ldi(offsets, channels)
    for e in range(total):
        store(S, e * W, splat(0.0))
        store(Sd, e * W, splat(0.0))
    for group in range(used // 4):
        values, changes = off(pq, group * 8 * W), off(pqd, group * 16 * W)
        for ch in range(0, channels, 2):
            at = (group * (channels + 3) + ch) * 4 * W
            if ch + 1 < channels:
                tangent_tile_2(off(F, at), off(Fd, at), values, changes, off(limits, ch), off(offsets, ch), S, Sd)
            else:
                tangent_tile_1(off(F, at), off(Fd, at), values, changes, off(limits, ch), off(offsets, ch), S, Sd)


@device
def turn(spare: Any) -> None:
    """Transpose eight vectors."""
    v = transpose8(
        load(spare, 0),
        load(spare, W),
        load(spare, 2 * W),
        load(spare, 3 * W),
        load(spare, 4 * W),
        load(spare, 5 * W),
        load(spare, 6 * W),
        load(spare, 7 * W),
    )
    for lane in range(W):
        store(spare, lane * W, v[lane])


@device
def tangent_products(head: Head, ints: Any, floats: Any, m: Any, t: Any) -> None:
    """All composite moments and their tangents from the basic ones; see `kernels_products.products`."""
    for k in range(head.basic, head.moments):
        store(m, k * W, splat(0.0))
        store(t, k * W, splat(0.0))
    stream, weights = off(ints, head.ints.program), off(floats, head.floats.weights)
    for _ in range(head.runs):
        n, rows = ldi(stream, 0), ldi(stream, 1)
        body = off(stream, 2)
        if n == 1:
            tangent_forward_1(rows, body, weights, m, t)
        elif n == 2:
            tangent_forward_2(rows, body, weights, m, t)
        elif n == 3:
            tangent_forward_3(rows, body, weights, m, t)
        elif n == 4:
            tangent_forward_4(rows, body, weights, m, t)
        elif n == 5:
            tangent_forward_5(rows, body, weights, m, t)
        else:
            tangent_forward_6(rows, body, weights, m, t)
        stream, weights = off(body, n + rows * (n + 1)), off(weights, n)


@device
def tangent_product_derivatives(head: Head, ints: Any, floats: Any, m: Any, t: Any, d: Any, h: Any) -> None:
    """G and H of all moments from those of the basis functions: the runs in reverse order."""
    weights = off(floats, head.floats.weights)
    for k in range(head.runs - 1, -1, -1):
        stream = off(ints, head.ints.program + ldi(ints, head.ints.runs + 2 * k))
        n, rows = ldi(stream, 0), ldi(stream, 1)
        body, own = off(stream, 2), off(weights, ldi(ints, head.ints.runs + 2 * k + 1))
        if n == 1:
            tangent_backward_1(rows, body, own, m, t, d, h)
        elif n == 2:
            tangent_backward_2(rows, body, own, m, t, d, h)
        elif n == 3:
            tangent_backward_3(rows, body, own, m, t, d, h)
        elif n == 4:
            tangent_backward_4(rows, body, own, m, t, d, h)
        elif n == 5:
            tangent_backward_5(rows, body, own, m, t, d, h)
        else:
            tangent_backward_6(rows, body, own, m, t, d, h)


@device
def channel_slopes(D: Any, Dd: Any, pq: Any, pqd: Any, limits: Any, offsets: Any, channels: int, out: Any) -> None:
    """The reverse of `tangent_sums` by the channels of four slots.

    With D = dE/dS and Dd its tangent, `out` [channels][2][4] receives dE/dF = v and its tangent w + v_p p' + v_q q'.
    """
    for ch in range(channels):
        at, limit, own = ldi(offsets, ch) * W, ldi(limits, ch), off(out, ch * 8 * W)
        for slot in range(0, 4, 2):
            _horner(off(D, at), off(Dd, at), limit, off(pq, slot * W), off(pqd, slot * W), off(own, slot * W))


@device
def _horner(D: Any, Dd: Any, limit: int, pq: Any, pqd: Any, out: Any) -> None:
    """Double Horner scheme of two slots over p (rows) and q (columns): D with first derivatives, Dd without."""
    p0, p1, q0, q1 = load(pq, 0), load(pq, W), load(pq, 4 * W), load(pq, 5 * W)
    v0 = v1 = x0 = x1 = y0 = y1 = w0 = w1 = splat(0.0)
    e = ((limit + 1) * (limit + 2) // 2 - 1) * W
    for b in range(limit, -1, -1):
        g0 = g1 = load(D, e)
        h0 = h1 = load(Dd, e)
        t0 = t1 = splat(0.0)
        e -= W
        for _ in range(limit - b):
            d, k = load(D, e), load(Dd, e)
            t0, t1 = fma(t0, q0, g0), fma(t1, q1, g1)
            g0, g1 = fma(g0, q0, d), fma(g1, q1, d)
            h0, h1 = fma(h0, q0, k), fma(h1, q1, k)
            e -= W
        x0, x1 = fma(x0, p0, v0), fma(x1, p1, v1)
        v0, v1 = fma(v0, p0, g0), fma(v1, p1, g1)
        y0, y1 = fma(y0, p0, t0), fma(y1, p1, t1)
        w0, w1 = fma(w0, p0, h0), fma(w1, p1, h1)
    store(out, 0, v0)
    store(out, W, v1)
    store(out, 4 * W, fma(x0, load(pqd, 0), fma(y0, load(pqd, 4 * W), w0)))
    store(out, 5 * W, fma(x1, load(pqd, W), fma(y1, load(pqd, 5 * W), w1)))
