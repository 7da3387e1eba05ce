"""Functions of the sums over neighbours, forwards and backwards; see `tables.Program`."""

from __future__ import annotations

from typing import Any

from ..engine.jit import device
from ..engine.simd import W, fma, ldi, load, load_splat, off, splat, store
from .layout import Element, Head


@device
def products(head: Head, element: Element, ints: Any, m: Any) -> None:
    """All nodes behind the sums; clears nothing."""
    store(m, element.sums * W, splat(1.0))
    stream, at = off(ints, head.ints.products + element.products), off(m, (element.sums + 1) * W)
    for _ in range(element.n_products):
        store(at, 0, load(m, ldi(stream, 0)) * load(m, ldi(stream, 1)))
        stream, at = off(stream, 2), off(at, W)


@device
def product_derivatives(head: Head, element: Element, ints: Any, m: Any, d: Any) -> None:
    """From the derivatives by all nodes those by the sums."""
    stream = off(ints, head.ints.products + element.products)
    for k in range(element.n_products - 1, -1, -1):
        a, b, g = ldi(stream, 2 * k), ldi(stream, 2 * k + 1), load(d, (element.sums + 1 + k) * W)
        store(d, a, fma(g, load(m, b), load(d, a)))
        store(d, b, fma(g, load(m, a), load(d, b)))


@device
def clear(d: Any, count: int) -> None:
    """Zero so many vectors."""
    for k in range(count):
        store(d, k * W, splat(0.0))


@device
def linear_energy(head: Head, element: Element, ints: Any, floats: Any, m: Any, d: Any) -> Any:
    """The only density, which is the energy, and its derivatives by the nodes."""
    stream, c = off(ints, head.ints.groups + element.groups), off(floats, head.floats.weights + element.weights)
    energy = splat(0.0)
    for _ in range(element.n_groups):
        q, n = ldi(stream, 1), ldi(stream, 2)
        front, total = load(m, q), splat(0.0)
        for k in range(n):
            node, weight = ldi(stream, 3 + k), load_splat(c, k)
            total = fma(weight, load(m, node), total)
            store(d, node, fma(weight, front, load(d, node)))
        energy = fma(front, total, energy)
        store(d, q, load(d, q) + total)
        stream, c = off(stream, 3 + n), off(c, n)
    return energy


@device
def densities(head: Head, element: Element, ints: Any, floats: Any, m: Any, rho: Any) -> None:
    """All densities; `rho` is cleared first."""
    stream, c = off(ints, head.ints.groups + element.groups), off(floats, head.floats.weights + element.weights)
    P = element.densities
    clear(rho, P)
    for _ in range(element.n_groups):
        front, n = load(m, ldi(stream, 1)), ldi(stream, 2)
        for p in range(P):
            total = splat(0.0)
            for k in range(n):
                total = fma(load_splat(c, k * P + p), load(m, ldi(stream, 3 + k)), total)
            store(rho, p * W, fma(front, total, load(rho, p * W)))
        stream, c = off(stream, 3 + n), off(c, n * P)


@device
def density_derivatives(head: Head, element: Element, ints: Any, floats: Any, m: Any, slopes: Any, d: Any) -> None:
    """Derivatives by the nodes from those by the densities."""
    stream, c = off(ints, head.ints.groups + element.groups), off(floats, head.floats.weights + element.weights)
    P = element.densities
    for _ in range(element.n_groups):
        q, n = ldi(stream, 1), ldi(stream, 2)
        front, back = load(m, q), splat(0.0)
        for p in range(P):
            slope, total = load(slopes, p * W), splat(0.0)
            own = slope * front
            for k in range(n):
                node, weight = ldi(stream, 3 + k), load_splat(c, k * P + p)
                total = fma(weight, load(m, node), total)
                store(d, node, fma(weight, own, load(d, node)))
            back = fma(slope, total, back)
        store(d, q, load(d, q) + back)
        stream, c = off(stream, 3 + n), off(c, n * P)


@device
def two_densities(head: Head, element: Element, ints: Any, floats: Any, m: Any, rho: Any) -> None:
    """`densities` for two of them, which most potentials have."""
    stream, c = off(ints, head.ints.groups + element.groups), off(floats, head.floats.weights + element.weights)
    rho0 = rho1 = splat(0.0)
    for _ in range(element.n_groups):
        front, n = load(m, ldi(stream, 1)), ldi(stream, 2)
        a = b = splat(0.0)
        for k in range(n):
            value = load(m, ldi(stream, 3 + k))
            a, b = fma(load_splat(c, 2 * k), value, a), fma(load_splat(c, 2 * k + 1), value, b)
        rho0, rho1 = fma(front, a, rho0), fma(front, b, rho1)
        stream, c = off(stream, 3 + n), off(c, 2 * n)
    store(rho, 0, rho0)
    store(rho, W, rho1)


@device
def two_density_derivatives(head: Head, element: Element, ints: Any, floats: Any, m: Any, slopes: Any, d: Any) -> None:
    """`density_derivatives` for two densities."""
    stream, c = off(ints, head.ints.groups + element.groups), off(floats, head.floats.weights + element.weights)
    slope0, slope1 = load(slopes, 0), load(slopes, W)
    for _ in range(element.n_groups):
        q, n = ldi(stream, 1), ldi(stream, 2)
        front, back = load(m, q), splat(0.0)
        for k in range(n):
            node = ldi(stream, 3 + k)
            weight = fma(load_splat(c, 2 * k), slope0, load_splat(c, 2 * k + 1) * slope1)
            back = fma(weight, load(m, node), back)
            store(d, node, fma(weight, front, load(d, node)))
        store(d, q, load(d, q) + back)
        stream, c = off(stream, 3 + n), off(c, 2 * n)


@device
def descriptors(head: Head, element: Element, ints: Any, floats: Any, m: Any, out: Any) -> None:
    """Every function; those that other elements have beyond the own ones are zero."""
    stream, c = off(ints, head.ints.groups + element.groups), off(floats, head.floats.weights + element.weights)
    clear(out, head.descriptors)
    for _ in range(element.n_groups):
        at, front, n = ldi(stream, 0), load(m, ldi(stream, 1)), ldi(stream, 2)
        total = splat(0.0)
        for k in range(n):
            total = fma(load_splat(c, k), load(m, ldi(stream, 3 + k)), total)
        store(out, at, fma(front, total, load(out, at)))
        stream, c = off(stream, 3 + n), off(c, n)


@device
def descriptor_derivatives(
    head: Head, element: Element, ints: Any, floats: Any, first: int, last: int, beta: Any, work: Any
) -> None:
    """Derivatives by the nodes from those, `beta`, by the functions first .. last-1."""
    targets = off(ints, head.ints.targets + element.targets)
    stream = off(ints, head.ints.groups + element.groups + ldi(targets, 2 * first))
    c = off(floats, head.floats.weights + element.weights + ldi(targets, 2 * first + 1))
    m, d = off(work, head.area.nodes), off(work, head.area.derivatives)
    left = ldi(targets, 2 * last) - ldi(targets, 2 * first)
    while left > 0:
        slope, q, n = load(beta, ldi(stream, 0)), ldi(stream, 1), ldi(stream, 2)
        own, total = slope * load(m, q), splat(0.0)
        for k in range(n):
            node, weight = ldi(stream, 3 + k), load_splat(c, k)
            total = fma(weight, load(m, node), total)
            store(d, node, fma(weight, own, load(d, node)))
        store(d, q, fma(slope, total, load(d, q)))
        stream, c, left = off(stream, 3 + n), off(c, n), left - 3 - n
