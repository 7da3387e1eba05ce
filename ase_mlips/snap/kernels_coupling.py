"""U coupled with itself in register tiles: Y at once for linear models, by way of Z and B for any other head."""

from __future__ import annotations

from typing import Any

from ..engine.jit import device, device_from_source
from ..engine.lanes import sparse_product
from ..engine.simd import REGISTERS, W, fma, ldf, ldi, load, load_splat, off, splat, stf, store
from .layout import B_WORDS, ELEMENT_WORDS, LARGEST_TILE, TILE_WORDS, Y_WORDS, Head

_NAMES = {"fma": fma, "load": load, "load_splat": load_splat, "off": off, "splat": splat, "store": store}
_ARGUMENTS = "count, outer, inner, u1, step1, u2, step2, out, d0, d1"


def _tile_source(n1: int, n2: int) -> str:
    """A tile of n1 x n2 complex outer products, kept in registers over the K rows that are summed."""
    pairs = [(p, q) for p in range(n1) for q in range(n2)]
    lines = [f"def tile_{n1}_{n2}({_ARGUMENTS}):"]
    lines += [f"    r{p}{q} = i{p}{q} = splat(0.0)" for p, q in pairs]
    lines += ["    for k in range(count):", "        constant = load_splat(outer, k)"]
    for p in range(n1):
        lines += [
            f"        a{p} = load(u1, {2 * p * W}) * constant",
            f"        b{p} = load(u1, {(2 * p + 1) * W}) * constant",
        ]
    for q in range(n2):
        lines += [f"        c, d = load(u2, {2 * q * W}), load(u2, {(2 * q + 1) * W})"]
        for p in range(n1):
            lines += [f"        r{p}{q} = fma(a{p}, c, r{p}{q})", f"        i{p}{q} = fma(a{p}, d, i{p}{q})"]
        for p in range(n1):
            lines += [f"        r{p}{q} = fma(-b{p}, d, r{p}{q})", f"        i{p}{q} = fma(b{p}, c, i{p}{q})"]
    lines += ["        u1 = off(u1, step1)", "        u2 = off(u2, -step2)"]
    for diagonal in range(n1 + n2 - 1):
        on = [(p, q) for p, q in pairs if p + q == diagonal]
        indent = "    "
        if n1 > 1:  # corners of a row alone are never cut off
            lines += [f"    if d0 <= {diagonal} and {diagonal} <= d1:"]
            indent *= 2
        for part, place in (("r", 2 * diagonal * W), ("i", (2 * diagonal + 1) * W)):
            value = f"load(out, {place})"
            for p, q in on:
                value = f"fma(load_splat(inner, {p * n2 + q}), {part}{p}{q}, {value})"
            lines += [f"{indent}store(out, {place}, {value})"]
    return "\n".join(lines)


def _tiles_source(shapes: list[tuple[int, int]]) -> str:
    lines = [f"def tile(n1, n2, {_ARGUMENTS}):"]
    for k, (n1, n2) in enumerate(shapes):
        lines += [f"    {'elif' if k else 'if'} n1 == {n1} and n2 == {n2}:", f"        tile_{n1}_{n2}({_ARGUMENTS})"]
    return "\n".join(lines)


_ROWS, _COLUMNS = (range(1, n + 1) for n in LARGEST_TILE[REGISTERS])
_SHAPES = [(n1, n2) for n1 in _ROWS for n2 in _COLUMNS]
_TILES = {f"tile_{n1}_{n2}": device_from_source(f"tile_{n1}_{n2}", _tile_source(n1, n2), _NAMES) for n1, n2 in _SHAPES}
tile = device_from_source("tile", _tiles_source(_SHAPES), _TILES)


@device
def couple(words: Any, tiles: int, outer: Any, inner: Any, first: Any, second: Any, out: Any, column: int) -> None:
    """Add the products of U `first` and U `second` to `out`, which is Y (column 9) or the store of Z (column 10)."""
    for t in range(tiles):
        w = off(words, t * TILE_WORDS)
        c, d = off(outer, ldi(w, 3)), off(inner, ldi(w, 4))
        u1, step1 = off(first, ldi(w, 5) * 2 * W), ldi(w, 6) * 2 * W
        u2, step2 = off(second, ldi(w, 7) * 2 * W), ldi(w, 8) * 2 * W
        y = off(out, ldi(w, column) * 2 * W)
        tile(ldi(w, 0), ldi(w, 1), ldi(w, 2), c, d, u1, step1, u2, step2, y, ldi(w, 11) % 8, ldi(w, 11) // 8)


@device
def zero(p: Any, n: int) -> None:
    """Clear n vectors."""
    for e in range(n):
        store(p, e * W, splat(0.0))


@device
def y_direct(head: Head, ints: Any, floats: Any, kind: int, work: Any) -> Any:
    """Y of a linear model whose eight atoms are of one type; returns their energies.

    B is a cubic form in U, so sum_k beta_k B_k = Re(Y* . U) / 3 needs neither Z nor B.
    """
    u, y = off(work, head.area.u), off(work, head.area.y)
    zero(y, 2 * head.half)
    outer = off(floats, head.floats.direct + kind * head.outer_size)
    inner, words = off(floats, head.floats.inner), off(ints, head.ints.tiles)
    couple(words, head.n_tiles, outer, inner, u, u, y, 9)
    return load_splat(floats, head.floats.shift + kind) + half_dot(head, ints, u, y, 0, head.independent, 3) / 3.0


@device
def half_dot(head: Head, ints: Any, u: Any, y: Any, first: int, count: int, column: int) -> Any:
    """Weighted sum over half of Re(U* y); `column` 3: y holds all j, 4: it holds one."""
    even = odd = splat(0.0)
    for n in range(first, first + count):
        entry = off(ints, head.ints.elements + n * ELEMENT_WORDS)
        a, b, weight = ldi(entry, 0) * 2 * W, ldi(entry, column) * 2 * W, splat(float(ldi(entry, 5)))
        even = fma(load(u, a) * weight, load(y, b), even)
        odd = fma(load(u, a + W) * weight, load(y, b + W), odd)
    return even + odd


@device
def store_z(head: Head, ints: Any, floats: Any, work: Any) -> None:
    """Z of every coupling and, with chemflag, of every pair of elements."""
    elements, full, size = head.elements, 2 * head.full * W, 2 * head.zsize
    z = off(work, head.area.z)
    zero(z, elements * elements * size)
    for e1 in range(elements):
        for e2 in range(elements):
            u1, u2 = off(work, head.area.u + e1 * full), off(work, head.area.u + e2 * full)
            out = off(z, (e1 * elements + e2) * size * W)
            if e1 == e2:
                outer, inner = off(floats, head.floats.outer), off(floats, head.floats.inner)
                couple(off(ints, head.ints.tiles), head.n_tiles, outer, inner, u1, u2, out, 10)
            else:
                outer, inner = off(floats, head.floats.outer_mixed), off(floats, head.floats.inner_mixed)
                couple(off(ints, head.ints.tiles_mixed), head.n_tiles_mixed, outer, inner, u1, u2, out, 10)


@device
def bispectrum(head: Head, ints: Any, floats: Any, work: Any) -> None:
    """B from U and the stored Z."""
    for t in range(head.n_b):
        entry = off(ints, head.ints.b + t * B_WORDS)
        u = off(work, head.area.u + 2 * ldi(entry, 1) * head.full * W)
        z, k = off(work, head.area.z + 2 * ldi(entry, 0) * W), ldi(entry, 4)
        b = half_dot(head, ints, u, z, ldi(entry, 2), ldi(entry, 3), 4)
        isolated = load_splat(floats, head.floats.b0 + k) * load(work, head.area.selves + ldi(entry, 1) * W)
        store(work, head.area.descriptors + k * W, b - isolated)


@device
def lane_coefficients(head: Head, floats: Any, work: Any) -> None:
    """Write the coefficients of each lane's type side by side."""
    n, types = head.coefficients, off(work, head.area.types)
    out, table = off(work, head.area.coefficients), off(floats, head.floats.coefficients)
    for lane in range(W):
        row = off(table, int(ldf(types, lane)) * n)
        for k in range(n):
            stf(out, k * W + lane, ldf(row, k))


@device
def y_from_z(head: Head, terms: Any, factors: Any, first: int, last: int, work: Any) -> None:
    """Y of all elements from the stored Z and beta, by the terms first .. last-1."""
    half = 2 * head.half
    zero(off(work, head.area.y), head.elements * half)
    for t in range(first, last):
        entry = off(terms, t * Y_WORDS)
        z, y = off(work, head.area.z + 2 * ldi(entry, 0) * W), off(work, head.area.y + 2 * ldi(entry, 1) * W)
        beta = load(work, head.area.beta + ldi(entry, 3) * W) * ldf(factors, t)
        for n in range(2 * ldi(entry, 2)):
            store(y, n * W, fma(beta, load(z, n * W), load(y, n * W)))


@device
def y_to_derivatives(head: Head, ints: Any, floats: Any, work: Any) -> None:
    """dE/dS of every element channel from Y."""
    begin, columns = off(ints, head.ints.reverse), off(ints, head.ints.reverse_columns)
    values, sums = off(floats, head.floats.reverse), head.sums
    for e in range(head.elements):
        y = off(work, head.area.y + 2 * e * head.half * W)
        sparse_product(sums, begin, columns, values, y, off(work, head.area.sum_derivatives + e * sums * W))
