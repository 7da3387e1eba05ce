"""The ACE model: what a .yace, .ace or .yaml file says, checked and frozen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..arrays import FloatArray, IntArray
from ..files.records import Record, finite, frozen_array, integer, require_shape
from ..heads.network import Network

RADIAL_BASES = ("ChebExpCos", "ChebPow", "ChebLinear", "SBessel")
EMBEDDINGS = ("FinnisSinclair", "FinnisSinclairShiftedScaled")
INNER_CUTOFFS = ("density", "distance", "zbl")
MAX_RANK, MAX_L, MAX_N, MAX_DENSITIES = 8, 20, 1000, 100


@dataclass(frozen=True, eq=False, repr=False)
class Embedding(Record):
    """From the densities of an atom to its energy, ``F = sum_p w_p F_p(rho_p)``.

    Attributes
    ----------
    name : str
        One of `EMBEDDINGS`.
    parameters : (2 P,) array
        Weight w and exponent m of each of the P densities, w_1, m_1, w_2, ..
    rho_core_cutoff, drho_core_cutoff : float
        Where the core repulsion of an atom, in eV, has switched F off, and width of the switch.

    Raises
    ------
    ValueError
        Where a field has no meaning; the message is ``expected <field> ..., got ...``.
    """

    name: str
    parameters: FloatArray
    rho_core_cutoff: float = 1e5
    drho_core_cutoff: float = 250.0

    def __post_init__(self) -> None:
        if self.name not in EMBEDDINGS:
            raise ValueError(f"expected npoti to be {' or '.join(EMBEDDINGS)}, got {self.name!r}")
        object.__setattr__(self, "parameters", frozen_array("FS_parameters", self.parameters))
        size = self.parameters.size
        if self.parameters.ndim != 1 or size == 0 or size % 2 or size > 2 * MAX_DENSITIES:
            raise ValueError(f"expected FS_parameters to be pairs of weight and exponent, got {size} numbers")
        if np.min(self.parameters[1::2]) <= 0.0:
            raise ValueError(f"expected exponents in FS_parameters above 0, got {np.min(self.parameters[1::2])}")
        for name in ("rho_core_cutoff", "drho_core_cutoff"):
            object.__setattr__(self, name, finite(name, getattr(self, name)))
        if self.drho_core_cutoff <= 0.0:
            raise ValueError(f"expected drho_core_cutoff to be positive, got {self.drho_core_cutoff}")

    @property
    def densities(self) -> int:
        """P."""
        return self.parameters.size // 2

    @property
    def linear(self) -> bool:
        """Whether F is linear in all densities."""
        return bool(np.all(np.abs(self.parameters[1::2] - 1.0) < 1e-10))


@dataclass(frozen=True, eq=False, repr=False)
class Bond(Record):
    """Radial functions of a neighbour, for one element of the central atom and one of the neighbour.

    Attributes
    ----------
    radial_basis : str
        One of `RADIAL_BASES`, which gives g_k(r).
    coefficients : (N, L + 1, K) array
        Of the radial functions, ``R_nl = sum_k c[n, l, k] g_k``; zero where other bonds of the model have more.
    cutoff, dcut : float
        In A; the second is the width of a further switch of ChebExpCos below the cutoff.
    scale : float
        lambda of the radial basis.
    core : (2,) array
        Strength and decay of the core repulsion.
    inner_cutoff, inner_width : float
        Radial functions or energy are switched off below the first, within the second, in A.

    Raises
    ------
    ValueError
        Where a field has no meaning; the message is ``expected <field> ..., got ...``.
    """

    radial_basis: str
    coefficients: FloatArray
    cutoff: float
    scale: float = 1.0
    dcut: float = 0.01
    core: FloatArray = (0.0, 0.0)  # type: ignore[assignment]
    inner_cutoff: float = 0.0
    inner_width: float = 0.0

    def __post_init__(self) -> None:
        if self.radial_basis not in RADIAL_BASES:
            raise ValueError(f"expected radbasename to be one of {', '.join(RADIAL_BASES)}, got {self.radial_basis!r}")
        for name in ("coefficients", "core"):
            object.__setattr__(self, name, frozen_array(name, getattr(self, name)))
        if self.coefficients.ndim != 3:
            raise ValueError(f"expected radcoefficients [n][l][k], got {self.coefficients.ndim} levels")
        require_shape("core", self.core, (2,))
        for name in ("cutoff", "scale", "dcut", "inner_cutoff", "inner_width"):
            object.__setattr__(self, name, finite(name, getattr(self, name)))
        if not 0.0 < self.cutoff < 1e3:
            raise ValueError(f"expected rcut above 0 and below 1000 A, got {self.cutoff}")
        if self.radial_basis in ("ChebExpCos", "ChebPow") and not 0.0 < self.scale < 100.0:
            raise ValueError(f"expected radparameters of {self.radial_basis} above 0 and below 100, got {self.scale}")
        if self.dcut < 0.0 or self.inner_cutoff < 0.0 or self.inner_width < 0.0:
            raise ValueError("expected dcut, rcut_in and dcut_in not to be negative")


@dataclass(frozen=True, eq=False, repr=False)
class Function(Record):
    """A basis function: products of one atomic base function each of several neighbours' sums.

    Attributes
    ----------
    elements, ns, ls : tuples of int
        Number of the element, n (from 1) and l of each factor A; of rank 1 the factor is the sum of g_n.
    ms : (M, rank) int32 array
        m of the factors of each product.
    weights : (M, P) array
        Of each product in each of the P densities.
    couplings : (M,) array, optional
        Of each product in the descriptor that this function is; by default the weights in the first density.

    Raises
    ------
    ValueError
        Where a field has no meaning; the message is ``expected <field> ..., got ...``.
    """

    elements: tuple[int, ...]
    ns: tuple[int, ...]
    ls: tuple[int, ...]
    ms: IntArray
    weights: FloatArray
    couplings: FloatArray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        rank = integer("rank", len(self.ns), 1, MAX_RANK)
        if len(self.elements) != rank or len(self.ls) != rank:
            raise ValueError(f"expected mus, ns and ls of {rank} numbers, got {self.elements}, {self.ns}, {self.ls}")
        for name, lowest, highest in (("elements", 0, 200), ("ns", 1, MAX_N), ("ls", 0, MAX_L)):
            values = tuple(integer(name, value, lowest, highest) for value in getattr(self, name))
            object.__setattr__(self, name, values)
        weights = frozen_array("ctildes", self.weights)
        if weights.ndim != 2 or 0 in weights.shape:
            raise ValueError(f"expected ctildes of rows and densities, got shape {weights.shape}")
        object.__setattr__(self, "weights", weights)
        couplings = weights[:, 0] if self.couplings is None else self.couplings
        object.__setattr__(self, "couplings", frozen_array("couplings", couplings))
        require_shape("couplings", self.couplings, weights.shape[:1])
        ms: IntArray = np.array(self.ms, np.int32)
        if ms.shape != (len(weights), rank):
            raise ValueError(f"expected ms_combs of shape {(len(weights), rank)}, got {ms.shape}")
        if np.any(np.abs(ms) > np.array(self.ls)):
            raise ValueError(f"expected ms_combs between -l and l, got {int(np.abs(ms).max())}")
        ms.setflags(write=False)
        object.__setattr__(self, "ms", ms)
        if rank == 1 and self.ls != (0,):
            raise ValueError(f"expected l = 0 of a function of rank 1, got {self.ls[0]}")

    @property
    def rank(self) -> int:
        """Number of factors; the body order is one more."""
        return len(self.ns)


@dataclass(frozen=True, eq=False, repr=False)
class AceModel(Record):
    """An atomic cluster expansion (R. Drautz, Phys. Rev. B 99, 014104 (2019)).

    Two models are equal if all their fields are, bit by bit.

    Attributes
    ----------
    elements : tuple of str
        Chemical symbols.
    energies : (E,) array
        Energy of the isolated atom of each element in eV.
    bonds : tuple of E tuples of E Bond
        By the element of the central atom, then by that of the neighbour.
    functions : tuple of E tuples of Function
        By the element of the central atom, in the order of the descriptors.
    embeddings : tuple of E Embedding
    inner_cutoff_type : str
        One of `INNER_CUTOFFS`: what the core repulsion is and what is switched off near the nucleus.
    network : Network or None
        Gives the energy of an atom from its descriptors, in place of densities and embedding.
    coefficients : (E, K) array or None
        Of the descriptors, in eV, whose linear combination is added to the network; only beside one.
    spline_bins : float
        Width in A of the bins of LAMMPS's splines.  It is kept for writing; here nothing is a spline.

    Raises
    ------
    ValueError
        Where a field has no meaning; the message is ``expected <field> ..., got ...``.
    """

    elements: tuple[str, ...]
    energies: FloatArray
    bonds: tuple[tuple[Bond, ...], ...]
    functions: tuple[tuple[Function, ...], ...]
    embeddings: tuple[Embedding, ...]
    inner_cutoff_type: str = "density"
    network: Network | None = None
    coefficients: FloatArray | None = None
    spline_bins: float = 0.001

    def __post_init__(self) -> None:
        object.__setattr__(self, "elements", tuple(self.elements))
        object.__setattr__(self, "energies", frozen_array("E0", self.energies))
        count = len(self.elements)
        if count == 0 or len(set(self.elements)) < count or not all(map(str.isidentifier, self.elements)):
            raise ValueError(f"expected elements to be distinct chemical symbols, got {', '.join(self.elements)}")
        require_shape("E0", self.energies, (count,))
        if self.inner_cutoff_type not in INNER_CUTOFFS:
            expected = ", ".join(INNER_CUTOFFS)
            raise ValueError(f"expected inner_cutoff_type to be one of {expected}, got {self.inner_cutoff_type!r}")
        sizes = {len(self.bonds), len(self.functions), len(self.embeddings), *map(len, self.bonds)}
        if sizes != {count}:
            raise ValueError(f"expected bonds, functions and embeddings of {count} elements, got {sorted(sizes)}")
        for element in range(count):
            self._require_functions(element)
        network = self.network
        if network is not None and network.sizes[0] != self.n_descriptors:
            raise ValueError(f"expected network sizes that begin with {self.n_descriptors}, got {network.sizes}")
        if network is not None and len(network.parameters) not in (1, count):
            raise ValueError(f"expected network parameters of {count} elements or one, got {len(network.parameters)}")
        if self.coefficients is not None:
            if network is None:
                raise ValueError("expected coefficients beside a network only, got them without one")
            object.__setattr__(self, "coefficients", frozen_array("coefficients", self.coefficients))
            require_shape("coefficients", self.coefficients, (count, self.n_descriptors))
        if not 1e-6 <= finite("deltaSplineBins", self.spline_bins) <= 1.0:
            raise ValueError(f"expected deltaSplineBins between 1e-6 and 1 A, got {self.spline_bins}")

    def _require_functions(self, element: int) -> None:
        symbol, densities = self.elements[element], self.embeddings[element].densities
        size = np.max([bond.coefficients.shape[:2] for row in self.bonds for bond in row], axis=0)
        for function in self.functions[element]:
            if function.weights.shape[1] != densities:
                got = function.weights.shape[1]
                raise ValueError(f"expected functions of {symbol} with {densities} densities, got {got}")
            for other, n, degree in zip(function.elements, function.ns, function.ls, strict=True):
                if other >= len(self.elements):
                    raise ValueError(f"expected mus below {len(self.elements)}, got {other}")
                if function.rank == 1 and n > self.base:
                    raise ValueError(f"expected ns of rank 1 up to {self.base}, got {n}")
                if function.rank > 1 and (n > size[0] or degree >= size[1]):
                    raise ValueError(f"expected n up to {size[0]} and l below {size[1]}, got n = {n}, l = {degree}")

    def __repr__(self) -> str:
        counts = "+".join(str(len(own)) for own in self.functions)
        parts = [f"{counts} functions of rank <= {self.rank}", f"cutoff {self.cutoff:.4g} A"]
        densities = max(embedding.densities for embedding in self.embeddings)
        if self.network is not None:
            parts.append(f"network {'x'.join(map(str, self.network.sizes[1:]))}")
        elif not self.linear:
            parts.append(f"{densities} densit{'ies' if densities > 1 else 'y'}")
        return f"AceModel({'-'.join(self.elements)}: {', '.join(parts)})"

    @cached_property
    def base(self) -> int:
        """Largest number K of base functions g_k of any bond; rank 1 may use them all."""
        return max(int(bond.coefficients.shape[2]) for row in self.bonds for bond in row)

    @property
    def rank(self) -> int:
        """Highest rank of the functions."""
        return max((function.rank for own in self.functions for function in own), default=0)

    @property
    def linear(self) -> bool:
        """Whether the energy is linear in the densities."""
        return self.network is None and all(embedding.linear for embedding in self.embeddings)

    @property
    def n_descriptors(self) -> int:
        """K, the largest number of functions of an element; others have zeros behind theirs."""
        return max(1, *map(len, self.functions))

    @property
    def cutoff(self) -> float:
        """Largest distance at which two atoms interact, in A."""
        return max(bond.cutoff for row in self.bonds for bond in row)
