"""Composite moments as sums of products, forwards and backwards; see `tables.program`."""

from __future__ import annotations

from typing import Any

from ..engine.jit import device, device_from_source
from ..engine.simd import W, fma, ldi, load, load_splat, off, splat, store
from .layout import Head

NAMES = {
    "W": W,
    "fma": fma,
    "ldi": ldi,
    "load": load,
    "load_splat": load_splat,
    "off": off,
    "splat": splat,
    "store": store,
}


def _forward_source(n: int) -> str:
    """M[target] += sum_k A_k M[B_k] for the rows of a run with n terms."""
    terms = range(n)
    lines = [f"def forward_{n}(rows, stream, weights, m):"]
    lines += [f"    a{k} = load(m, ldi(stream, {k}) * W) * load_splat(weights, {k})" for k in terms]
    lines += [f"    row = off(stream, {n})", "    for r in range(rows):", "        at = ldi(row, 0) * W"]
    lines += ["        even = load(m, at)", "        odd = splat(0.0)"]
    for k in terms:
        total = "odd" if k % 2 else "even"
        lines += [f"        {total} = fma(a{k}, load(m, ldi(row, {k + 1}) * W), {total})"]
    lines += ["        store(m, at, even + odd)", f"        row = off(row, {n + 1})"]
    return "\n".join(lines)


def _backward_source(n: int) -> str:
    """dE/dA_k and dE/dB_k from dE/dM[target] for the rows of a run with n terms."""
    terms = range(n)
    lines = [f"def backward_{n}(rows, stream, weights, m, d):"]
    for k in terms:
        lines += [f"    p{k} = ldi(stream, {k}) * W", f"    w{k} = load_splat(weights, {k})"]
        lines += [f"    a{k} = load(m, p{k}) * w{k}", f"    g{k} = splat(0.0)"]
    lines += [f"    row = off(stream, {n})", "    for r in range(rows):", "        g = load(d, ldi(row, 0) * W)"]
    for k in terms:
        lines += [f"        b = ldi(row, {k + 1}) * W", f"        g{k} = fma(g, load(m, b), g{k})"]
        lines += [f"        store(d, b, fma(g, a{k}, load(d, b)))"]
    lines += [f"        row = off(row, {n + 1})"]
    lines += [f"    store(d, p{k}, fma(w{k}, g{k}, load(d, p{k})))" for k in terms]
    return "\n".join(lines)


forward_1, forward_2, forward_3, forward_4, forward_5, forward_6 = (
    device_from_source(f"forward_{n}", _forward_source(n), NAMES) for n in range(1, 7)
)
backward_1, backward_2, backward_3, backward_4, backward_5, backward_6 = (
    device_from_source(f"backward_{n}", _backward_source(n), NAMES) for n in range(1, 7)
)


@device
def products(head: Head, ints: Any, floats: Any, m: Any) -> None:
    """All composite moments from the basic ones."""
    for k in range(head.basic, head.moments):
        store(m, k * W, splat(0.0))
    stream, weights = off(ints, head.ints.program), off(floats, head.floats.weights)
    for _ in range(head.runs):
        n, rows = ldi(stream, 0), ldi(stream, 1)
        body = off(stream, 2)
        if n == 1:
            forward_1(rows, body, weights, m)
        elif n == 2:
            forward_2(rows, body, weights, m)
        elif n == 3:
            forward_3(rows, body, weights, m)
        elif n == 4:
            forward_4(rows, body, weights, m)
        elif n == 5:
            forward_5(rows, body, weights, m)
        else:
            forward_6(rows, body, weights, m)
        stream, weights = off(body, n + rows * (n + 1)), off(weights, n)


@device
def product_derivatives(head: Head, ints: Any, floats: Any, m: Any, d: Any) -> None:
    """dE/dM of all moments from those of the basis functions: the runs in reverse order."""
    weights = off(floats, head.floats.weights)
    for k in range(head.runs - 1, -1, -1):
        stream = off(ints, head.ints.program + ldi(ints, head.ints.runs + 2 * k))
        n, rows = ldi(stream, 0), ldi(stream, 1)
        body, own = off(stream, 2), off(weights, ldi(ints, head.ints.runs + 2 * k + 1))
        if n == 1:
            backward_1(rows, body, own, m, d)
        elif n == 2:
            backward_2(rows, body, own, m, d)
        elif n == 3:
            backward_3(rows, body, own, m, d)
        elif n == 4:
            backward_4(rows, body, own, m, d)
        elif n == 5:
            backward_5(rows, body, own, m, d)
        else:
            backward_6(rows, body, own, m, d)
