"""The MTP model: what an MLIP file says, checked and frozen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..fields import Record

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]

RADIAL_BASES = ("RBChebyshev", "RBChebyshev_repuls", "BChebyshev", "BChebyshev_repuls", "RBTaylor")


@dataclass(frozen=True, eq=False, repr=False)
class MtpModel(Record):
    """A moment tensor potential (Shapeev, Multiscale Model. Simul. 14, 1153 (2016)).

    Attributes
    ----------
    species : tuple of str, or of None
        Chemical symbol of each type, in MLIP's order; None where the file does not say.
    radial_basis : str
        One of `RADIAL_BASES`.
    scaling : float
        Multiplies every radial basis function.
    min_dist, max_dist : float
        In A; `max_dist` is the cutoff of all pairs.
    radial_coefficients : (S, S, K, R) array
        c[centre][neighbour][mu][n]; empty in an untrained model.
    basic : (nB, 4) array
        mu, a, b, c of each basic moment ``sum_j f_mu(r) u_x^a u_y^b u_z^c``.
    times : (nT, 4) array
        i0, i1, multiplicity, i3: ``M[i3] += multiplicity * M[i0] * M[i1]``, in this order.
    n_moments : int
        Basic and composite moments.
    mapping : (nS,) array
        Which moments are the basis functions B_m.
    species_coefficients, moment_coefficients : (S,), (nS,) arrays
        In eV; empty in an untrained model.
    """

    species: tuple[str | None, ...]
    radial_basis: str
    scaling: float
    min_dist: float
    max_dist: float
    radial_coefficients: FloatArray
    basic: IntArray
    times: IntArray
    n_moments: int
    mapping: IntArray
    species_coefficients: FloatArray
    moment_coefficients: FloatArray
    name: str = "MTP"
    tag: str = ""

    @property
    def trained(self) -> bool:
        """Whether the model has coefficients and can be evaluated."""
        return self.moment_coefficients.size > 0

    @property
    def radial_size(self) -> int:
        """R, the number of radial basis functions."""
        return int(self.radial_coefficients.shape[3])

    @property
    def radial_functions(self) -> int:
        """K, the number of radial functions f_mu."""
        return int(self.basic[:, 0].max()) + 1
