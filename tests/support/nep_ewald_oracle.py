"""Electrostatics of qNEP in plain NumPy: energies, potentials, forces and virials of given charges.

qNEP: arXiv 2601.19034.  The sums are those of P. P. Ewald, Ann. Phys. 369, 253 (1921), cut off at the longest radial
cutoff in real space and at 2 pi alpha in reciprocal space.
"""

from dataclasses import dataclass
from itertools import product
from math import erfc as erfc_of
from math import exp, pi, sqrt

import numpy as np
from scipy.special import erfc

from .nep_descriptor_oracle import Pairs

COULOMB = 14.399645  # e^2 / (4 pi eps0) in eV A


@dataclass(frozen=True)
class Electrostatics:
    """Energy and derivatives at fixed charges.

    Attributes
    ----------
    energies : (N,)
        eV; their sum E is quadratic in the charges.
    potentials : (N,)
        dE / dq_i in V.
    gradients : (P, 3)
        dE_i / dr_ij of the real-space part in eV/A.
    forces, virials : (N, 3), (N, 3, 3)
        Of the reciprocal part in eV/A and eV.
    """

    energies: np.ndarray
    potentials: np.ndarray
    gradients: np.ndarray
    forces: np.ndarray
    virials: np.ndarray


def electrostatics(mode: int, cutoff: float, charges, positions, cell, *, pairs: Pairs) -> Electrostatics:
    """Electrostatics of `charges` (N,) in e; `mode` is ``NepModel.charge_mode``, `cutoff` the longest radial one in A.

    `pairs` holds all pairs within `cutoff`.
    """
    alpha = pi / cutoff
    potentials, gradients = np.zeros(len(charges)), np.zeros((len(pairs.r), 3))
    forces, virials = np.zeros((len(charges), 3)), np.zeros((len(charges), 3, 3))
    if mode in (1, 3):
        kernel, slope = (screened if mode == 1 else shifted)(pairs.r, alpha, cutoff)
        inside = pairs.within(cutoff)
        kernel, slope = np.where(inside, kernel, 0.0), np.where(inside, slope, 0.0)
        np.add.at(potentials, pairs.i, COULOMB * charges[pairs.j] * kernel)
        gradients += (0.5 * COULOMB * charges[pairs.i] * charges[pairs.j] * slope)[:, None] * pairs.u
    if mode == 1:
        potentials -= 2.0 * COULOMB * alpha / sqrt(pi) * charges
    if mode in (1, 2):
        at_atoms, forces, virials = reciprocal(alpha, charges, positions, cell)
        potentials += at_atoms
    return Electrostatics(0.5 * charges * potentials, potentials, gradients, forces, virials)


def screened(r, alpha: float, cutoff: float):
    """erfc(alpha r) / r and its derivative."""
    value = erfc(alpha * r) / r
    return value, -value / r - 2.0 * alpha / sqrt(pi) * np.exp(-((alpha * r) ** 2)) / r


def shifted(r, alpha: float, cutoff: float):
    """The same plus A r + B, which bring value and derivative to zero at `cutoff`."""
    value, slope = screened(r, alpha, cutoff)
    A = erfc_of(pi) / cutoff**2 + 2.0 * alpha / sqrt(pi) * exp(-(pi**2)) / cutoff
    B = -erfc_of(pi) / cutoff - A * cutoff
    return value + A * r + B, slope + A


def reciprocal(alpha: float, charges, positions, cell):
    """Potentials (N,), forces (N, 3) and virials (N, 3, 3) of ``E = sum_k COULOMB G(k) |S(k)|^2`` over the full sphere.

    The virial of an atom is its share q_i Re(S* exp(i k r_i)) of each term's.
    """
    volume = abs(np.linalg.det(cell))
    k = wave_vectors(cell, 2.0 * pi * alpha)
    k2 = np.sum(k**2, axis=1)
    G = COULOMB * 2.0 * pi / volume * np.exp(-k2 / (4.0 * alpha**2)) / k2
    wave = np.exp(1j * positions @ k.T)
    S = charges @ wave
    share, slope = (wave * S.conj()).real, (1j * wave * S.conj()).real
    potentials = 2.0 * share @ G
    forces = -2.0 * charges[:, None] * ((slope * G) @ k)
    tensors = np.eye(3) - (1.0 / (2.0 * alpha**2) + 2.0 / k2)[:, None, None] * k[:, :, None] * k[:, None, :]
    virials = charges[:, None, None] * np.einsum("ik,k,kab->iab", share, G, tensors)
    return potentials, forces, virials


def wave_vectors(cell, longest: float):
    """Reciprocal lattice vectors (K, 3) with 0 < |k| < `longest`."""
    basis = 2.0 * pi * np.linalg.inv(cell).T
    reach = [int(longest * np.linalg.norm(vector) / (2.0 * pi)) + 1 for vector in cell]
    k = np.array(list(product(*(range(-n, n + 1) for n in reach)))) @ basis
    length = np.linalg.norm(k, axis=1)
    return k[(length < longest) & np.any(k != 0.0, axis=1)]
