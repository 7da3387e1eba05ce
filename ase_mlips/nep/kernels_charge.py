"""Electrostatics of given charges: potentials dE/dq, forces and virials of screened pairs and of reciprocal space."""

from __future__ import annotations

from math import cos, erfc, exp, pi, sin, sqrt
from typing import Any

from ..engine.jit import device, kernel
from ..engine.neighbors.kernels_pairs import pointers
from ..engine.simd import ldf, ldi, off


@kernel
def screened_pairs(
    memory: Any, pairs: Any, charges: Any, constants: Any, potentials: Any, forces: Any, virials: Any
) -> None:
    """Add the pair part ``K/2 sum q_i q_j (erfc(alpha r)/r + A r + B)`` of r below the cutoff.

    `constants` are K, alpha, cutoff, A, B; the virial is assigned to the neighbour.
    """
    coulomb, alpha, cutoff, a, b = constants
    positions, shifts, start, idx, code = pointers(memory, pairs)
    for i in range(charges.size):
        own = off(positions, 4 * i)
        for k in range(ldi(start, i), ldi(start, i + 1)):
            j = ldi(idx, k)
            other, shift = off(positions, 4 * j), off(shifts, 4 * ldi(code, k))
            x = ldf(other, 0) + ldf(shift, 0) - ldf(own, 0)
            y = ldf(other, 1) + ldf(shift, 1) - ldf(own, 1)
            z = ldf(other, 2) + ldf(shift, 2) - ldf(own, 2)
            square = x * x + y * y + z * z
            if square >= cutoff * cutoff:
                continue
            r = sqrt(square)
            value = erfc(alpha * r) / r
            slope = a - value / r - 2.0 * alpha / sqrt(pi) * exp(-alpha * alpha * square) / r
            potentials[i] += coulomb * charges[j] * (value + a * r + b)
            _add_pair(i, j, x, y, z, 0.5 * coulomb * charges[i] * charges[j] * slope / r, forces, virials)


@device
def _add_pair(i: int, j: int, x: float, y: float, z: float, push: float, forces: Any, virials: Any) -> None:
    r = (x, y, z)
    for a in range(3):
        forces[i, a] += push * r[a]
        forces[j, a] -= push * r[a]
        for b in range(3):
            virials[j, a, b] -= r[a] * push * r[b]


@kernel
def reciprocal(
    positions: Any, basis: Any, constants: Any, charges: Any, potentials: Any, forces: Any, virials: Any, waves: Any
) -> bool:
    """Add a part of ``sum_k K (2 pi / V) exp(-k^2 / 4 alpha^2) / k^2 |S(k)|^2`` over 0 < |k| < 2 pi alpha.

    Parameters
    ----------
    basis : (3, 3) array
        Reciprocal lattice vectors with the factor 2 pi.
    constants : (4,) array
        K (2 pi / V), alpha, the longest wave vector, and which multiple of the first vector to add, from 0 on.
    virials : (N, 3, 3) array
        Each atom's share is q_i Re(S* exp(i k r_i)) of the term.
    waves : (N, 2) array
        Scratch.

    Returns
    -------
    bool
        Whether there is another multiple.
    """
    strength, alpha, longest, multiple = constants
    reach, h = _reach(basis, longest), int(multiple)  # half of the sphere; the other half gives the same
    for k in range(-reach[1] if h > 0 else 0, reach[1] + 1):
        for m in range(-reach[2] if h > 0 or k > 0 else 1, reach[2] + 1):
            x = h * basis[0, 0] + k * basis[1, 0] + m * basis[2, 0]
            y = h * basis[0, 1] + k * basis[1, 1] + m * basis[2, 1]
            z = h * basis[0, 2] + k * basis[1, 2] + m * basis[2, 2]
            square = x * x + y * y + z * z
            if square < longest * longest:
                weight = 2.0 * strength * exp(-square / (4.0 * alpha * alpha)) / square
                shape = 1.0 / (2.0 * alpha * alpha) + 2.0 / square
                _add_wave((x, y, z), weight, shape, positions, charges, potentials, forces, virials, waves)
    return h < reach[0]


@device
def _reach(basis: Any, longest: float) -> tuple[int, int, int]:
    """Largest index along each reciprocal vector that a sphere can contain."""
    volume = 0.0
    for a in range(3):
        b, c = (a + 1) % 3, (a + 2) % 3
        volume += basis[0, a] * (basis[1, b] * basis[2, c] - basis[1, c] * basis[2, b])
    found = (_index(basis, 1, 2, volume, longest), _index(basis, 2, 0, volume, longest))
    return found[0], found[1], _index(basis, 0, 1, volume, longest)


@device
def _index(basis: Any, p: int, q: int, volume: float, longest: float) -> int:
    square = 0.0
    for a in range(3):
        b, c = (a + 1) % 3, (a + 2) % 3
        square += (basis[p, b] * basis[q, c] - basis[p, c] * basis[q, b]) ** 2
    return int(longest * sqrt(square) / abs(volume)) + 1


@device
def _add_wave(
    k: Any, weight: float, shape: float, positions: Any, charges: Any, potentials: Any, forces: Any, virials: Any,
    waves: Any
) -> None:  # fmt: skip
    real = imaginary = 0.0
    for i in range(charges.size):
        phase = k[0] * positions[i, 0] + k[1] * positions[i, 1] + k[2] * positions[i, 2]
        waves[i, 0], waves[i, 1] = cos(phase), sin(phase)
        real += charges[i] * waves[i, 0]
        imaginary += charges[i] * waves[i, 1]
    for i in range(charges.size):
        share = weight * (waves[i, 0] * real + waves[i, 1] * imaginary)
        slope = weight * (waves[i, 0] * imaginary - waves[i, 1] * real)
        potentials[i] += 2.0 * share
        for a in range(3):
            forces[i, a] -= 2.0 * charges[i] * slope * k[a]
            virials[i, a, a] += charges[i] * share
            for b in range(3):
                virials[i, a, b] -= charges[i] * share * shape * k[a] * k[b]
