"""Constant tables of a POD model: channels, harmonics and monomials in their sums, and the terms of four bodies.

On the unit sphere every polynomial is one in y and z plus x times another; the sums over neighbours are kept in that
basis.  With harmonics H of sum_m H_lm(u) H_lm(v) = P_l(u.v), powers of cosines are c^p = sum_l t_pl P_l(c).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from math import comb, factorial

import numpy as np
from numpy.polynomial import legendre, polynomial

from ..arrays import FloatArray, IntArray
from ..engine.packing import Sparse
from .model import PodBasis, four_body_powers

Polynomial = dict[tuple[int, int, int], float]  # powers of x, y, z -> coefficient


@dataclass(frozen=True)
class Channels:
    """Channels of `lanes.channel_sums`, three extra ones included: all R_m, all R_m x, then the R_m of two bodies only.

    The sums of one radial function m lie together, those of R_m before those of R_m x.
    """

    limits: IntArray
    offsets: IntArray


@dataclass(frozen=True)
class Terms:
    """Sum of products of three monomial sums for each four-body function and triple of elements, in runs.

    A run is the part of a function that has the same first factor.

    Attributes
    ----------
    runs : (R + 1, 3) int array
        Place of the descriptor behind the first one of its radial function, place of the first factor, first term.
    factors : (T, 2) int array
        Places of the second and third factor.
    weights : (T,) array
    """

    runs: IntArray
    factors: IntArray
    weights: FloatArray


def channels(basis: PodBasis) -> Channels:
    """Limits and places for all radial functions of a model."""
    n2, n3, *_ = basis.radial_functions
    degree = basis.angular_degrees[0]
    even, size = _count(degree), angular_sums(degree)
    odd = n3 if degree > 0 else 0
    limits = [degree] * n3 + [degree - 1] * odd + [0] * max(0, n2 - n3)
    offsets = [m * size for m in range(n3)] + [m * size + even for m in range(odd)]
    offsets += [n3 * size + k for k in range(max(0, n2 - n3) + 3)]
    return Channels(np.array([*limits, -1, -1, -1], np.int32), np.array(offsets, np.int32))


def angular_sums(degree: int) -> int:
    """Independent polynomials on the sphere up to a degree."""
    return (degree + 1) ** 2


def monomials(degree: int) -> list[tuple[int, int, int]]:
    """Powers of x, y and z up to a total degree."""
    return [(a, b, c) for a, b, c in product(range(degree + 1), repeat=3) if a + b + c <= degree]


def angular_matrix(degree: int, four: int) -> Sparse:
    """From the sums of one radial function to those of harmonics up to `degree` and of `monomials` up to `four`."""
    polynomials = [h for own in harmonics(degree) for h in own] + [{powers: 1.0} for powers in monomials(four)]
    return Sparse.from_rows([_in_sums(own, degree) for own in polynomials])


def harmonics(degree: int) -> list[list[Polynomial]]:
    """Real solid harmonics about the x axis for each l; their squares of one l add up to 1 on the sphere."""
    found = []
    for order in range(degree + 1):
        own = []
        for m in range(order + 1):
            along = legendre.leg2poly([0.0] * order + [1.0])
            along = polynomial.polyder(along, m) if m else along
            norm = np.sqrt((2.0 if m else 1.0) * factorial(order - m) / factorial(order + m))
            for part in range(2 if m else 1):  # real and imaginary part of (y + i z)^m
                around = {(m - k, k): comb(m, k) * (-1.0) ** (k // 2) for k in range(part, m + 1, 2)}
                terms = product(enumerate(along), around.items())
                own.append({(a, b, c): norm * float(x) * sign for (a, x), ((b, c), sign) in terms if x != 0.0})
        found.append(own)
    return found


def _in_sums(own: Polynomial, degree: int) -> dict[int, float]:
    """A polynomial by the sums of one radial function: x^2 = 1 - y^2 - z^2."""
    row: dict[int, float] = {}
    for (a, b, c), value in own.items():
        half = a // 2
        for i, j in product(range(half + 1), repeat=2):
            if i + j <= half:
                ways = factorial(half) // (factorial(i) * factorial(j) * factorial(half - i - j))
                place = _place(a % 2, b + 2 * i, c + 2 * j, degree)
                row[place] = row.get(place, 0.0) + value * ways * (-1.0) ** (i + j)
    return {place: value for place, value in row.items() if value != 0.0}


def _place(a: int, b: int, c: int, degree: int) -> int:
    """Where `lanes.channel_sums` puts x^a y^b z^c, rows b of c = 0 .. limit - b."""
    limit = degree - a
    return (_count(degree) if a else 0) + b * (limit + 1) - b * (b - 1) // 2 + c


def _count(degree: int) -> int:
    return (degree + 1) * (degree + 2) // 2


def powers_to_legendre(degree: int) -> FloatArray:
    """t[p, l] of c^p = sum_l t[p, l] P_l(c)."""
    t = np.zeros((degree + 1, degree + 1))
    for p in range(degree + 1):
        t[p, : p + 1] = legendre.poly2leg([0.0] * p + [1.0])
    return np.where(np.abs(t) < 1e-14, 0.0, t)


def pairs(elements: int) -> IntArray:
    """Pairs a <= b of elements in LAMMPS's order."""
    return np.array(list(combinations_with_replacement(range(elements), 2)), np.int32).reshape(-1, 2)


def four_body_terms(basis: PodBasis, stride: int) -> Terms:
    """Functions c_jk^x c_jl^y c_kl^z of each triple of elements as products of monomial sums.

    c_jk^x = sum_alpha x!/alpha! u_j^alpha u_k^alpha and so on, so that a function is a sum over alpha, beta, gamma of
    products of the sums of u_j^(alpha + beta), u_k^(alpha + gamma) and u_l^(beta + gamma).  Equal products are joined.

    Parameters
    ----------
    basis : PodBasis
    stride : int
        From the sums of one element to those of the next.
    """
    radial, degree = basis.radial_functions[2], basis.angular_degrees[1]
    place: dict[tuple[int, ...], int] = {powers: n for n, powers in enumerate(monomials(degree))}
    runs: list[tuple[int, int, int]] = []
    factors: list[tuple[int, ...]] = []
    weights: list[float] = []
    expanded = [_expanded(powers) for powers in four_body_powers(degree)] if radial else []
    for t, triple in enumerate(combinations_with_replacement(range(len(basis.elements)), 3)):
        for n, terms in enumerate(expanded):
            joined: dict[tuple[int, ...], float] = {}
            for powers, weight in terms:
                key = tuple(sorted(place[own] + e * stride for own, e in zip(powers, triple, strict=True)))
                joined[key] = joined.get(key, 0.0) + weight
            for first in sorted({key[0] for key in joined}):
                runs.append((n + t * len(expanded) * radial, first, len(factors)))
                own = [(key[1:], weight) for key, weight in sorted(joined.items()) if key[0] == first]
                factors += [key for key, _ in own]
                weights += [weight for _, weight in own]
    runs.append((0, 0, len(factors)))
    return Terms(np.array(runs, np.int32), np.array(factors, np.int32).reshape(-1, 2), np.array(weights, float))


def _expanded(powers: tuple[int, int, int]) -> list[tuple[tuple[tuple[int, ...], ...], float]]:
    """The three monomials and the weight of every term of one function."""
    found = []
    for alpha, beta, gamma in product(*(_of_degree(n) for n in powers)):
        weight = float(np.prod([_multinomial(own) for own in (alpha, beta, gamma)]))
        factors = ((alpha, beta), (alpha, gamma), (beta, gamma))
        found.append((tuple(tuple(p + q for p, q in zip(*two, strict=True)) for two in factors), weight))
    return found


def _of_degree(n: int) -> list[tuple[int, int, int]]:
    return [(a, b, n - a - b) for a in range(n + 1) for b in range(n - a + 1)]


def _multinomial(powers: tuple[int, ...]) -> int:
    return factorial(sum(powers)) // int(np.prod([factorial(n) for n in powers]))
