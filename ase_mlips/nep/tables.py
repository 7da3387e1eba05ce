"""Constant tables of the NEP descriptors and networks, computed at load."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import factorial, pi, sqrt

import numpy as np

from ..arrays import FloatArray, IntArray
from ..engine.packing import Sparse, W, padded
from .model import NepNetwork

Polynomial = dict[tuple[int, int, int], float]


def channel_layout(functions: int, l_max: int) -> tuple[IntArray, IntArray]:
    """Limits and offsets of the channels g_n and, behind them, g_n x as `lanes.channel_sums` wants them."""
    limits = [l_max] * functions + [l_max - 1] * functions
    offsets = np.cumsum([0, *((limit + 1) * (limit + 2) // 2 for limit in limits)])
    return (
        np.array([*limits, -1, -1, -1], np.int32),
        np.array([*offsets, offsets[-1], offsets[-1]], np.int32),
    )


def spherical_harmonics(l_max: int) -> list[Polynomial]:
    """Real orthonormal Y_lm, l = 1 .. l_max, m = 0, 1c, 1s, 2c, .., as polynomials in x, y, z on the unit sphere.

    Y = N P_l^(m)(z) {Re, Im}(x + i y)^m with P_l^(m) the m-th derivative of the Legendre polynomial: no
    Condon-Shortley phase.
    """
    result = []
    for order in range(1, l_max + 1):
        legendre = np.polynomial.legendre.leg2poly([0.0] * order + [1.0])
        for m in range(order + 1):
            in_z = np.polynomial.polynomial.polyder(legendre, m)
            norm = sqrt((2 * order + 1) / (4 * pi) * factorial(order - m) / factorial(order + m) * (2 if m else 1))
            for part in range(2 if m else 1):  # real, imaginary
                poly: Polynomial = {}
                for k in range(part, m + 1, 2):  # (x + i y)^m = sum binomial x^(m-k) (i y)^k
                    sign = (-1) ** (k // 2)
                    binomial = factorial(m) // (factorial(k) * factorial(m - k))
                    for power, value in enumerate(in_z):
                        if value:
                            poly[m - k, k, power] = float(norm * sign * binomial * value)
                result.append(poly)
    return result


def on_sphere(poly: Polynomial) -> Polynomial:
    """The same with at most one factor x, by x^2 = 1 - y^2 - z^2."""
    result: Polynomial = {}
    stack = list(poly.items())
    while stack:
        (a, b, c), value = stack.pop()
        if a < 2:
            result[a, b, c] = result.get((a, b, c), 0.0) + value
        else:
            stack += [((a - 2, b, c), value), ((a - 2, b + 2, c), -value), ((a - 2, b, c + 2), -value)]
    return {key: value for key, value in result.items() if abs(value) > 1e-14}


def sums_to_moments(functions: int, l_max: int) -> Sparse:
    """The matrix from the channel sums to the moments S_{n,lm}, n slowest."""
    _, offsets = channel_layout(functions, l_max)
    harmonics = [on_sphere(y) for y in spherical_harmonics(l_max)]
    rows = []
    for n in range(functions):
        for poly in harmonics:
            row = {}
            for (a, b, c), value in poly.items():
                limit = l_max - a
                row[int(offsets[n + a * functions]) + b * (limit + 1) - b * (b - 1) // 2 + c] = value
            rows.append(row)
    return Sparse.from_rows(rows)


def wigner_3j(j: tuple[int, int, int], m: tuple[int, int, int]) -> float:
    """Wigner's 3j symbol for integers (Racah's formula)."""
    (j1, j2, j3), (m1, m2, m3) = j, m
    if m1 + m2 + m3 or any(abs(b) > a for a, b in zip(j, m, strict=True)) or not abs(j1 - j2) <= j3 <= j1 + j2:
        return 0.0
    f = factorial
    total = 0.0
    for k in range(max(0, j2 - j3 - m1, j1 - j3 + m2), min(j1 + j2 - j3, j1 - m1, j2 + m2) + 1):
        total += (-1) ** k / (
            f(k) * f(j1 + j2 - j3 - k) * f(j1 - m1 - k) * f(j2 + m2 - k) * f(j3 - j2 + m1 + k) * f(j3 - j1 - m2 + k)
        )
    triangle = f(j1 + j2 - j3) * f(j1 - j2 + j3) * f(-j1 + j2 + j3) / f(j1 + j2 + j3 + 1)
    square = f(j1 + m1) * f(j1 - m1) * f(j2 + m2) * f(j2 - m2) * f(j3 + m3) * f(j3 - m3)
    sign = -1.0 if (j1 - j2 - m3) % 2 else 1.0
    return sign * sqrt(triangle * square) * total


def _complex_moment(order: int, m: int) -> Iterator[tuple[int, complex]]:
    """Complex moment A_m as real moments: (place within the l of m = 0, 1c, 1s, .., factor)."""
    if m == 0:
        yield 0, 1.0
    else:
        phase = (-1) ** m if m > 0 else 1
        yield 2 * abs(m) - 1, phase / sqrt(2)
        yield 2 * abs(m), phase * (1j if m > 0 else -1j) / sqrt(2)


def invariant_monomials(triple: tuple[int, int, int]) -> dict[tuple[int, int, int], float]:
    """q_{l1 l2 l3} = sum 3j A_{l1 m1} A_{l2 m2} A_{l3 m3} as monomials of real moments, places counted from l = 1."""
    found: dict[tuple[int, int, int], complex] = {}
    for ms in product(*(range(-order, order + 1) for order in triple)):
        weight = wigner_3j(triple, (ms[0], ms[1], ms[2]))
        if weight == 0.0:
            continue
        for parts in product(*(list(_complex_moment(order, m)) for order, m in zip(triple, ms, strict=True))):
            places = sorted(order * order - 1 + place for order, (place, _) in zip(triple, parts, strict=True))
            key = (places[0], places[1], places[2])
            factor = parts[0][1] * parts[1][1] * parts[2][1]
            found[key] = found.get(key, 0.0) + weight * factor
    return {key: value.real for key, value in found.items() if abs(value) > 1e-12}


def chebyshev_values(coefficients: FloatArray) -> FloatArray:
    """Coefficients of T_k of g_n / fc, of the same shape.

    `coefficients` [n, k, ..] belong to f_k = (T_k + 1) fc / 2 (Fan et al. 2022, eq. 6).
    """
    values = coefficients / 2
    values[:, 0] = coefficients[:, 0] + coefficients[:, 1:].sum(1) / 2
    return values


def pack_network(network: NepNetwork, nets: int) -> FloatArray:
    """Weights of each type: w0 by tiles of eight neurons, w0 by tiles of eight descriptors, b0, w1, charge, bias.

    Neurons and descriptors that fill up a tile have weight zero.
    """
    _, hidden, size = network.w0.shape
    h, d = padded(hidden), padded(size)
    rows = []
    for t in range(nets):
        w0 = np.zeros((h, d))
        w0[:hidden, :size] = network.w0[t]
        charge = network.charge[t] if network.charge is not None else np.zeros(hidden)
        by_neuron = w0[:, :size].reshape(h // W, W, size).transpose(0, 2, 1)
        by_descriptor = w0[:hidden].reshape(hidden, d // W, W).transpose(1, 0, 2)
        vectors = [np.pad(v, (0, h - hidden)) for v in (network.b0[t], network.w1[t], charge)]
        bias = network.bias + (network.type_bias[t] if network.type_bias is not None else 0.0)
        rows.append(np.concatenate([by_neuron.ravel(), by_descriptor.ravel(), *vectors, [bias]]))
    return np.array(rows)
