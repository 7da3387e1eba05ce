"""Descriptors from the moments of the density around an atom, and the way back, for eight atoms at a time.

Harmonics of one radial function give the terms of three bodies, ``sum_j,k R_m R_m c_jk^p = sum_l t_pl A_l.A_l``, its
monomials those of four (see `tables.four_body_terms`), and products of these descriptors those of five to seven.
"""

from __future__ import annotations

from typing import Any

from ..engine.jit import device
from ..engine.lanes import sparse_product
from ..engine.simd import W, fma, ldi, load, load_splat, off, splat, store
from .layout import Head


@device
def moments(head: Head, ints: Any, floats: Any, work: Any) -> None:
    """Harmonics and monomials of all elements and radial functions from the sums over neighbours."""
    begin, columns = off(ints, head.ints.forward), off(ints, head.ints.forward_columns)
    values = off(floats, head.floats.forward)
    for e in range(head.types):
        for m in range(head.three):
            rows = head.stride if m < head.four else head.harmonics
            sums = off(work, head.area.sums + (e * head.sums + m * head.size) * W)
            out = off(work, head.area.moments + (e * head.three + m) * head.stride * W)
            sparse_product(rows, begin, columns, values, sums, out)


@device
def two_bodies(head: Head, ints: Any, work: Any) -> None:
    """Sums of the radial functions of each element."""
    offsets, b = off(ints, head.ints.offsets), off(work, head.area.descriptors)
    for e in range(head.types):
        sums = off(work, head.area.sums + e * head.sums * W)
        for m in range(head.two):
            store(b, (m + head.two * e) * W, load(sums, radial_sum(head, offsets, m) * W))


@device
def radial_sum(head: Head, offsets: Any, m: int) -> Any:
    """Place of sum_k R_m among the sums of an element."""
    if m < head.three:
        return ldi(offsets, m)
    return ldi(offsets, head.channels + m - head.radial)


@device
def three_bodies(head: Head, ints: Any, floats: Any, work: Any) -> None:
    """Powers of the cosine between two neighbours, for each pair of elements and radial function."""
    pairs, legendre = off(ints, head.ints.pairs), off(work, head.area.legendre)
    begin, columns = off(ints, head.ints.powers), off(ints, head.ints.powers_columns)
    values, element = off(floats, head.floats.powers), head.three * head.stride
    out = off(work, head.area.descriptors + head.first * W)
    for pair in range(head.pairs):
        first, second = ldi(pairs, 2 * pair) * element, ldi(pairs, 2 * pair + 1) * element
        for m in range(head.three):
            a = off(work, head.area.moments + (first + m * head.stride) * W)
            b = off(work, head.area.moments + (second + m * head.stride) * W)
            k = 0
            for order in range(head.degree + 1):
                total = splat(0.0)
                for _ in range(2 * order + 1):
                    total = fma(load(a, k), load(b, k), total)
                    k += W
                store(legendre, order * W, total)
            sparse_product(head.degree + 1, begin, columns, values, legendre, out)
            out = off(out, (head.degree + 1) * W)


@device
def four_bodies(head: Head, ints: Any, floats: Any, work: Any) -> None:
    """Functions of three angles, for each triple of elements and radial function."""
    runs, factors = off(ints, head.ints.runs), off(ints, head.ints.factors)
    weights, b = off(floats, head.floats.weights), off(work, head.area.descriptors)
    for k in range(head.second, head.third):
        store(b, k * W, splat(0.0))
    for m in range(head.four):
        u = off(work, head.area.moments + (m * head.stride + head.harmonics) * W)
        own = off(b, (head.second + m * head.angular) * W)
        for run in range(head.runs):
            at, end = ldi(runs, 3 * run) * W, ldi(runs, 3 * run + 5)
            inner = splat(0.0)
            for t in range(ldi(runs, 3 * run + 2), end):
                second, third = load(u, ldi(factors, 2 * t) * W), load(u, ldi(factors, 2 * t + 1) * W)
                inner = fma(second * third, load_splat(weights, t), inner)
            store(own, at, fma(inner, load(u, ldi(runs, 3 * run + 1) * W), load(own, at)))


@device
def products(head: Head, ints: Any, work: Any) -> None:
    """Descriptors of five to seven bodies."""
    b, factors = off(work, head.area.descriptors), off(ints, head.ints.products)
    for k in range(head.descriptors - head.third):
        left, right = load(b, ldi(factors, 2 * k) * W), load(b, ldi(factors, 2 * k + 1) * W)
        store(b, (head.third + k) * W, left * right)


@device
def product_derivatives(head: Head, ints: Any, work: Any) -> None:
    """Add to dU/dB of three and four bodies what comes from their products."""
    b, beta, factors = off(work, head.area.descriptors), off(work, head.area.beta), off(ints, head.ints.products)
    for k in range(head.descriptors - head.third):
        i, j = ldi(factors, 2 * k) * W, ldi(factors, 2 * k + 1) * W
        own = load(beta, (head.third + k) * W)
        store(beta, i, fma(own, load(b, j), load(beta, i)))
        store(beta, j, fma(own, load(b, i), load(beta, j)))


@device
def three_body_derivatives(head: Head, ints: Any, floats: Any, m: int, work: Any) -> None:
    """Add to the derivatives by the harmonics of radial function m."""
    pairs, legendre = off(ints, head.ints.pairs), off(work, head.area.legendre)
    begin, columns = off(ints, head.ints.reverse_powers), off(ints, head.ints.reverse_powers_columns)
    values, element = off(floats, head.floats.reverse_powers), head.three * head.stride
    for pair in range(head.pairs):
        beta = off(work, head.area.beta + (head.first + (pair * head.three + m) * (head.degree + 1)) * W)
        sparse_product(head.degree + 1, begin, columns, values, beta, legendre)
        first = (ldi(pairs, 2 * pair) * element + m * head.stride) * W
        second = (ldi(pairs, 2 * pair + 1) * element + m * head.stride) * W
        a, b = off(work, head.area.moments + first), off(work, head.area.moments + second)
        da = off(work, head.area.moment_derivatives + first)
        db = off(work, head.area.moment_derivatives + second)
        k, same = 0, first == second
        for order in range(head.degree + 1):
            own = load(legendre, order * W)
            own = own + own if same else own
            for _ in range(2 * order + 1):
                store(da, k, fma(own, load(b, k), load(da, k)))
                if not same:
                    store(db, k, fma(own, load(a, k), load(db, k)))
                k += W


@device
def four_body_derivatives(head: Head, ints: Any, floats: Any, m: int, work: Any) -> None:
    """Add to the derivatives by the monomials of radial function m."""
    runs, factors = off(ints, head.ints.runs), off(ints, head.ints.factors)
    weights = off(floats, head.floats.weights)
    u = off(work, head.area.moments + (m * head.stride + head.harmonics) * W)
    du = off(work, head.area.moment_derivatives + (m * head.stride + head.harmonics) * W)
    own = off(work, head.area.beta + (head.second + m * head.angular) * W)
    for run in range(head.runs):
        beta, at, end = load(own, ldi(runs, 3 * run) * W), ldi(runs, 3 * run + 1) * W, ldi(runs, 3 * run + 5)
        outer, inner = beta * load(u, at), splat(0.0)
        for t in range(ldi(runs, 3 * run + 2), end):
            i, j, weight = ldi(factors, 2 * t) * W, ldi(factors, 2 * t + 1) * W, load_splat(weights, t)
            second, third = load(u, i), load(u, j)
            inner = fma(second * third, weight, inner)
            pull = outer * weight
            store(du, i, fma(pull, third, load(du, i)))
            store(du, j, fma(pull, second, load(du, j)))
        store(du, at, fma(beta, inner, load(du, at)))


@device
def sum_derivatives(head: Head, ints: Any, floats: Any, m: int, work: Any) -> None:
    """dU/dS of radial function m, for each element, from the derivatives by its moments."""
    four = m < head.four
    begin = off(ints, head.ints.reverse if four else head.ints.reverse_harmonics)
    columns = off(ints, head.ints.reverse_columns if four else head.ints.reverse_harmonics_columns)
    values = off(floats, head.floats.reverse if four else head.floats.reverse_harmonics)
    for e in range(head.types):
        at = (e * head.three + m) * head.stride
        moved = off(work, head.area.moment_derivatives + at * W)
        out = off(work, head.area.sum_derivatives + (e * head.sums + m * head.size) * W)
        sparse_product(head.size, begin, columns, values, moved, out)


@device
def clear_moment_derivatives(head: Head, m: int, work: Any) -> None:
    """Zero those of radial function m, for each element."""
    for e in range(head.types):
        own = off(work, head.area.moment_derivatives + (e * head.three + m) * head.stride * W)
        for k in range(head.stride):
            store(own, k * W, splat(0.0))


@device
def two_body_derivatives(head: Head, ints: Any, work: Any) -> None:
    """Add dU/dB of two bodies to dU/dS."""
    offsets, beta = off(ints, head.ints.offsets), off(work, head.area.beta)
    for e in range(head.types):
        own = off(work, head.area.sum_derivatives + e * head.sums * W)
        for m in range(head.two):
            at = radial_sum(head, offsets, m) * W
            store(own, at, load(own, at) + load(beta, (m + head.two * e) * W))
