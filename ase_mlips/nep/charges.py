"""Electrostatics of qNEP: what the charges that the network predicts do to each other.

Fan et al., arXiv:2601.19034 (2026).  The cutoff in real space is the longest radial one, alpha = pi / cutoff, and
reciprocal space ends at 2 pi alpha.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, exp, pi, sqrt

import numpy as np

from ..neighbors import NeighborList
from ..potential import FloatArray
from . import kernels_charge

COULOMB = 14.399645  # e^2 / (4 pi eps0) in eV A, the value of GPUMD


@dataclass(frozen=True)
class Electrostatics:
    """Energy of fixed charges and its derivatives.

    Attributes
    ----------
    energies, potentials : (N,) arrays
        Share of each atom in eV, and dE/dq_i in V.
    forces, virials : (N, 3), (N, 3, 3) arrays
        eV/A, eV.
    """

    energies: FloatArray
    potentials: FloatArray
    forces: FloatArray
    virials: FloatArray


def electrostatics(mode: int, cutoff: float, charges: FloatArray, neighbors: NeighborList) -> Electrostatics:
    """Interaction of charges.

    Parameters
    ----------
    mode : int
        1: real and reciprocal space, 2: reciprocal space only, 3: real space, shifted and tilted to end smoothly.
    cutoff : float
        A.
    charges : (N,) array
        e.

    Raises
    ------
    ValueError
        Modes 1 and 2 where the structure is not periodic along three independent vectors.
    """
    n, alpha = neighbors.n, pi / cutoff
    potentials, forces, virials = np.zeros(n), np.zeros((n, 3)), np.zeros((n, 3, 3))
    if mode in (1, 3):
        tilt = erfc(pi) / cutoff**2 + 2 * alpha / sqrt(pi) * exp(-(pi**2)) / cutoff if mode == 3 else 0.0
        shift = -erfc(pi) / cutoff - tilt * cutoff if mode == 3 else 0.0
        kernels_charge.screened_pairs(
            neighbors.positions,
            neighbors.shifts,
            neighbors.start,
            neighbors.idx,
            neighbors.code,
            charges,
            np.array([COULOMB, alpha, cutoff, tilt, shift]),
            potentials,
            forces,
            virials,
        )
    if mode == 1:
        potentials -= 2 * COULOMB * alpha / sqrt(pi) * charges
    if mode in (1, 2):
        cell = neighbors.cell
        volume = abs(float(np.linalg.det(cell)))
        if not (neighbors.pbc.all() and volume > 0.0):
            raise ValueError("this model sums charges in reciprocal space: it needs three periodic cell vectors")
        basis = np.ascontiguousarray(2 * pi * np.linalg.inv(cell).T)
        constants = np.array([COULOMB * 2 * pi / volume, alpha, 2 * pi * alpha])
        points = np.ascontiguousarray(neighbors.positions[:n])
        kernels_charge.reciprocal(points, basis, constants, charges, potentials, forces, virials, np.empty((n, 2)))
    return Electrostatics(0.5 * charges * potentials, potentials, forces, virials)
