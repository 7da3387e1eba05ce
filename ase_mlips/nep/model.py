"""The NEP model: what a nep.txt file says, checked and frozen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

INVARIANTS = ("222", "1111", "112", "123", "233", "134")  # beyond q_l, in the file's order


@dataclass(frozen=True, eq=False)
class Network:
    """One hidden layer of tanh: ``sum_mu w1 tanh(w0 . x - b0) - type_bias - bias``; T = 1 where all types share it (NEP3).

    Attributes
    ----------
    w0 : (T, H, D) array
    b0, w1 : (T, H) arrays
    bias : float
        Subtracted from every atom's value.
    charge : (T, H) array, optional
        Second output, without bias: the charge before neutralisation (qNEP).
    type_bias : (T,) array, optional
        Subtracted too (NEP5).
    """

    w0: FloatArray
    b0: FloatArray
    w1: FloatArray
    bias: float
    charge: FloatArray | None = None
    type_bias: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Zbl:
    """Screened nuclear repulsion on top of the network.

    Attributes
    ----------
    inner, outer : float
        In A; with `factor` the outer distance of a pair is ``min(outer, factor * (R_i + R_j))`` with covalent radii.
    factor : float, optional
        Typewise outer distances.
    typewise_inner_half : bool
        The inner distance of a pair is half the outer one (old cutoff lines of 8 tokens); else 0 where `factor` is given.
    flexible : (pairs, 10) array, optional
        Of each unordered pair of types: inner, outer, a1, b1, .., a4, b4 of its own screening function.
    """

    inner: float
    outer: float
    factor: float | None = None
    typewise_inner_half: bool = False
    flexible: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class NepModel:
    """A neuroevolution potential, NEP3, NEP4 or NEP5 (Fan et al., J. Chem. Phys. 157, 114801 (2022)).

    Attributes
    ----------
    version : int
        3, 4 or 5.
    kind : str
        "potential", "dipole" or "polarizability".
    charge_mode : int
        0, or 1, 2, 3 of qNEP: real and reciprocal space, reciprocal only, real only.
    elements : tuple of str
    radial_cutoffs, angular_cutoffs : (T,) arrays
        In A; that of a pair is the mean of its two.
    n_max, basis_size : (int, int)
        Highest indices n and k of the radial and of the angular functions.
    l_max : int
    invariants : tuple of str
        Those of `INVARIANTS` that are switched on.
    network : Network
        Of the energy or the dipole; of a polarizability model that of the tensor part.
    scalar_network : Network, optional
        Of the isotropic part of a polarizability model.
    radial, angular : (n_max + 1, basis_size + 1, T, T) arrays
        Expansion coefficients c_nk^{ij}, [n, k, centre, neighbour].
    scaler : (D,) array
        What descriptors are multiplied by before the network.
    sqrt_epsilon : float, optional
        Square root of the high-frequency dielectric constant (qNEP).
    typewise_factors : (float, float), optional
        Cutoffs of a pair are also at most these (radial, angular) times the sum of covalent radii, where positive.
    max_neighbors : (int, int)
        Of the training set; kept for writing only.
    """

    version: int
    kind: str
    elements: tuple[str, ...]
    radial_cutoffs: FloatArray
    angular_cutoffs: FloatArray
    n_max: tuple[int, int]
    basis_size: tuple[int, int]
    l_max: int
    invariants: tuple[str, ...]
    network: Network
    radial: FloatArray
    angular: FloatArray
    scaler: FloatArray
    charge_mode: int = 0
    scalar_network: Network | None = None
    sqrt_epsilon: float | None = None
    zbl: Zbl | None = None
    typewise_factors: tuple[float, float] | None = None
    max_neighbors: tuple[int, int] = (0, 0)

    @property
    def n_descriptors(self) -> int:
        """D = radial functions plus angular functions times their invariants."""
        return self.n_max[0] + 1 + (self.n_max[1] + 1) * (self.l_max + len(self.invariants))
