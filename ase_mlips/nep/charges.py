"""Electrostatics of qNEP: what the charges that the network predicts do to each other.

Fan et al., arXiv:2601.19034 (2026).  The cutoff in real space is the longest radial one, alpha = pi / cutoff, and
reciprocal space ends at 2 pi alpha.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, exp, pi, sqrt

import numpy as np

from ..arrays import FloatArray
from ..engine import zbl
from ..engine.neighbors import NeighborList
from ..files.records import one_line
from . import kernels_charge

COULOMB = zbl.COULOMB
MAX_WAVES = 10_000_000  # of a half sphere: a cube of 270 A for a cutoff of 5 A
MAX_TERMS = 20_000_000_000  # waves times atoms, some minutes a call


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        return one_line(self)


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
        Modes 1 and 2 where the structure is not periodic along three independent vectors, or is so large that the sum
        has more than `MAX_WAVES` wave vectors or `MAX_TERMS` of them times atoms.
    """
    n, alpha = neighbors.n, pi / cutoff
    potentials, forces, virials = np.zeros(n), np.zeros((n, 3)), np.zeros((n, 3, 3))
    if mode in (1, 3):
        tilt = erfc(pi) / cutoff**2 + 2 * alpha / sqrt(pi) * exp(-(pi**2)) / cutoff if mode == 3 else 0.0
        shift = -erfc(pi) / cutoff - tilt * cutoff if mode == 3 else 0.0
        kernels_charge.screened_pairs(
            *neighbors.buffers,
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
        require_cost(volume, cutoff, n)
        # of the reduced cell: in a skewed one nearly all multiples within reach lie beyond the sphere
        basis = np.ascontiguousarray(2 * pi * np.linalg.inv(neighbors.reduced_cell).T)
        constants = np.array([COULOMB * 2 * pi / volume, alpha, 2 * pi * alpha, 0.0])
        points, waves = np.ascontiguousarray(neighbors.positions[:n]), np.empty((n, 2))
        while kernels_charge.reciprocal(points, basis, constants, charges, potentials, forces, virials, waves):
            constants[3] += 1.0  # between the parts Python sees Ctrl-C
    return Electrostatics(0.5 * charges * potentials, potentials, forces, virials)


def require_cost(volume: float, cutoff: float, atoms: int) -> None:
    """ValueError where the sum would take too long; the number of waves grows with the volume, vacuum included."""
    waves = volume * (2 * pi**2 / cutoff) ** 3 / (12 * pi**2)
    if waves > MAX_WAVES or waves * atoms > MAX_TERMS:
        raise ValueError(
            f"this model sums charges in reciprocal space, over {waves:.2g} wave vectors for a cell of {volume:.3g} A^3"
            f" with {atoms} atoms: expected at most {MAX_WAVES:.2g}, and {MAX_TERMS:.2g} times atoms; take less vacuum"
        )
