"""The SNAP model: what a .snapparam and a .snapcoeff file say, checked and frozen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Zbl:
    """The screened nuclear repulsion that LAMMPS overlays (``pair_style hybrid/overlay zbl inner outer``).

    Attributes
    ----------
    inner, outer : float
        The switching function acts between these distances, in A; the pair energy is zero from `outer` on.
    charges : tuple of float
        Nuclear charge of each element, in the model's order.
    """

    inner: float
    outer: float
    charges: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class SnapModel:
    """A SNAP potential; names and defaults are those of LAMMPS's ``pair_style snap``.

    Attributes
    ----------
    elements : tuple of str
        Chemical symbols.  Their order is that of `radii`, `weights`, `coefficients` and, with
        `chemflag`, of the element triplets of the descriptors.
    radii, weights : (E,) arrays
        ``R`` in A and ``w`` of each element; the cutoff of a pair is ``rcutfac * (R_i + R_j)``.
    coefficients : (E, n) array
        Constant, then K linear and, with `quadraticflag`, K (K + 1) / 2 quadratic ones (upper triangle, rows first), in eV.
    twojmax : int
        Twice the largest angular momentum J of the bispectrum.
    """

    elements: tuple[str, ...]
    radii: FloatArray
    weights: FloatArray
    coefficients: FloatArray
    twojmax: int
    rcutfac: float
    rfac0: float = 0.99363
    rmin0: float = 0.0
    switchflag: bool = True
    bzeroflag: bool = True
    quadraticflag: bool = False
    chemflag: bool = False
    bnormflag: bool = False
    wselfallflag: bool = False
    switchinnerflag: bool = False
    sinner: FloatArray | None = None
    dinner: FloatArray | None = None
    zbl: Zbl | None = None

    @property
    def n_descriptors(self) -> int:
        """K, the number of bispectrum components of an atom (with `chemflag`, of all element triplets)."""
        return len(bispectrum_labels(self.twojmax)) * (len(self.elements) ** 3 if self.chemflag else 1)

    @property
    def cutoff(self) -> float:
        """Largest distance at which two atoms interact, in A."""
        snap = 2.0 * self.rcutfac * float(np.max(self.radii))
        return max(snap, self.zbl.outer) if self.zbl else snap


def bispectrum_labels(twojmax: int) -> list[tuple[int, int, int]]:
    """The triplets (j1, j2, j) of doubled angular momenta in LAMMPS's order.

    ``j2 <= j1 <= j`` (Thompson et al., J. Comput. Phys. 285, 316 (2015), section 2.2).
    """
    return [
        (j1, j2, j)
        for j1 in range(twojmax + 1)
        for j2 in range(j1 + 1)
        for j in range(j1 - j2, min(twojmax, j1 + j2) + 1, 2)
        if j >= j1
    ]
