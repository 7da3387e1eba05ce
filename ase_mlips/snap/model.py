"""The SNAP model: what a .snapparam and a .snapcoeff file say, checked and frozen."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..files.records import Record, finite, frozen_array, integer, require_shape
from ..heads.network import Network

MAX_TWOJMAX = 20
SYMBOL = re.compile(r"(?!NULL$)[A-Za-z][A-Za-z0-9_]*")  # NULL is LAMMPS's word for no element
_FLAGS = ("switchflag", "bzeroflag", "quadraticflag", "chemflag", "bnormflag", "wselfallflag", "switchinnerflag")
_ARRAYS = ("radii", "weights", "coefficients", "sinner", "dinner")


@dataclass(frozen=True, eq=False, repr=False)
class Zbl(Record):
    """The screened nuclear repulsion that LAMMPS overlays (``pair_style hybrid/overlay zbl inner outer``).

    Attributes
    ----------
    inner, outer : float
        The switching function acts between these distances, in A; the pair energy is zero from `outer` on.
    charges : tuple of float
        Nuclear charge of each element, in the model's order.

    Raises
    ------
    ValueError
        Unless 0 < inner < outer and all charges are positive and finite.
    """

    inner: float
    outer: float
    charges: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("inner", "outer"):
            object.__setattr__(self, name, finite(f"zbl {name}", getattr(self, name)))
        if not 0.0 < self.inner < self.outer:
            raise ValueError(f"expected zbl cutoffs 0 < inner < outer, got {self.inner} and {self.outer}")
        object.__setattr__(self, "charges", tuple(finite("zbl charges", z) for z in self.charges))
        if min(self.charges, default=1.0) <= 0.0:
            raise ValueError(f"expected zbl charges that are positive, got {min(self.charges)}")


@dataclass(frozen=True, eq=False, repr=False)
class SnapModel(Record):
    """A SNAP potential; names and defaults are those of LAMMPS's ``pair_style snap``.

    Arrays are copied and made read-only.  Two models are equal if all their fields are, bit by bit.

    Attributes
    ----------
    elements : tuple of str
        Chemical symbols.  Their order is that of `radii`, `weights`, `coefficients` and, with
        `chemflag`, of the element triplets of the descriptors.
    radii, weights : (E,) arrays
        ``R`` in A and ``w`` of each element; the cutoff of a pair is ``rcutfac * (R_i + R_j)``.
    coefficients : (E, n) array
        Constant, then K linear and, with `quadraticflag`, K (K + 1) / 2 quadratic ones (upper triangle, rows
        first), in eV.  Of shape (E, 0) where a network takes their place.
    twojmax : int
        Twice the largest angular momentum J of the bispectrum, 0 to 20.
    rcutfac, rfac0, rmin0 : float
        Scale of the cutoffs, and the fraction of pi and the distance in A that the map from distances to angles
        ends and starts with.
    switchflag, bzeroflag, quadraticflag, chemflag, bnormflag, wselfallflag, switchinnerflag : bool
        Smooth cutoff; descriptors of an isolated atom subtracted; quadratic terms; descriptors of element triplets;
        descriptors divided by 2 j + 1; an atom's own density in all element channels; inner switching function.
    sinner, dinner : (E,) arrays or None
        Centre and half-width of the inner switching function in A, present with `switchinnerflag` only.
    zbl : Zbl or None
    network : Network or None
        Gives the energy of an atom from its descriptors, in place of the polynomial.

    Raises
    ------
    ValueError
        Where a field has no meaning; the message is ``expected <field> ..., got ...``.
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
    network: Network | None = None

    def __post_init__(self) -> None:
        self._normalise()
        self._require_elements()
        self._require_scalars()
        self._require_arrays()
        self._require_head()
        if self.zbl is not None and len(self.zbl.charges) != len(self.elements):
            raise ValueError(f"expected zbl charges of {len(self.elements)} elements, got {len(self.zbl.charges)}")

    def _normalise(self) -> None:
        """Give every field its declared type, arrays as read-only copies."""
        if isinstance(self.elements, str):
            raise ValueError(f"expected elements as a sequence of symbols, got the string {self.elements!r}")
        object.__setattr__(self, "elements", tuple(self.elements))
        for name in _ARRAYS:
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, frozen_array(name, value))
        for name in ("rcutfac", "rfac0", "rmin0"):
            object.__setattr__(self, name, finite(name, getattr(self, name)))
        for name in _FLAGS:
            value = getattr(self, name)
            if not isinstance(value, int | np.bool_ | np.integer) or value not in (0, 1):
                raise ValueError(f"expected {name} to be 0 or 1, got {value!r}")
            object.__setattr__(self, name, bool(value))
        object.__setattr__(self, "twojmax", integer("twojmax", self.twojmax, 0, MAX_TWOJMAX))

    def _require_elements(self) -> None:
        if not self.elements:
            raise ValueError("expected elements, got none")
        for symbol in self.elements:
            if not isinstance(symbol, str) or not SYMBOL.fullmatch(symbol):
                raise ValueError(f"expected elements to be chemical symbols, got {symbol!r}")
        if len(set(self.elements)) < len(self.elements):
            twice = next(s for n, s in enumerate(self.elements) if s in self.elements[:n])
            raise ValueError(f"expected elements to be distinct, got {twice} twice")

    def _require_scalars(self) -> None:
        if self.rcutfac <= 0.0:
            raise ValueError(f"expected rcutfac to be positive, got {self.rcutfac}")
        if not 0.0 < self.rfac0 <= 1.0:
            raise ValueError(f"expected rfac0 between 0 and 1, got {self.rfac0}")
        if self.rmin0 < 0.0:
            raise ValueError(f"expected rmin0 not to be negative, got {self.rmin0}")

    def _require_arrays(self) -> None:
        count = len(self.elements)
        require_shape("radii", self.radii, (count,))
        require_shape("weights", self.weights, (count,))
        if np.min(self.radii) <= 0.0:
            raise ValueError(f"expected radii to be positive, got {np.min(self.radii)}")
        shortest = 2.0 * self.rcutfac * float(np.min(self.radii))
        if self.rmin0 >= shortest:
            raise ValueError(f"expected rmin0 below the shortest cutoff {shortest:.6g}, got {self.rmin0}")
        if not np.isfinite(self.cutoff) or shortest == 0.0:
            raise ValueError(f"expected rcutfac that gives finite positive cutoffs, got {self.rcutfac}")
        for name, values in (("sinner", self.sinner), ("dinner", self.dinner)):
            if values is None and self.switchinnerflag:
                raise ValueError(f"expected {name} because switchinnerflag is 1, got none")
            if values is not None and not self.switchinnerflag:
                raise ValueError(f"expected {name} to be absent because switchinnerflag is 0, got {values.size} values")
            if values is not None:
                require_shape(name, values, (count,))
        if self.dinner is not None and np.min(self.dinner) <= 0.0:
            raise ValueError(f"expected dinner to be positive, got {np.min(self.dinner)}")

    def _require_head(self) -> None:
        count, network = len(self.elements), self.network
        if network is None:
            quadratic = self.n_descriptors * (self.n_descriptors + 1) // 2 if self.quadraticflag else 0
            require_shape("coefficients", self.coefficients, (count, 1 + self.n_descriptors + quadratic))
            return
        require_shape("coefficients", self.coefficients, (count, 0))
        if self.quadraticflag:
            raise ValueError("expected quadraticflag to be 0 because there is a network, got 1")
        if network.sizes[0] != self.n_descriptors:
            raise ValueError(f"expected network sizes that begin with {self.n_descriptors}, got {network.sizes}")
        if len(network.parameters) not in (1, count):
            raise ValueError(f"expected network parameters of {count} elements or one, got {len(network.parameters)}")

    def __repr__(self) -> str:
        kinds = [name.removesuffix("flag") for name in ("quadraticflag", "chemflag") if getattr(self, name)]
        parts = [f"twojmax {self.twojmax}", *kinds, f"{self.n_descriptors} descriptors", f"cutoff {self.cutoff:.4g} A"]
        if self.network is not None:
            parts.append(f"network {'x'.join(map(str, self.network.sizes[1:]))}")
        if self.zbl is not None:
            parts.append(f"zbl {self.zbl.inner:g} to {self.zbl.outer:g} A")
        return f"SnapModel({'-'.join(self.elements)}: {', '.join(parts)})"

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
