"""The POD model: what a parameter and a coefficient file of LAMMPS's ``pair_style pod`` say, checked and frozen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import comb

import numpy as np

from ..arrays import FloatArray, Int64Array
from ..files.elements import ELEMENTS
from ..files.records import Record, finite, frozen_array, integer, require_shape
from ..files.text import quoted
from ..heads.network import Network

BODIES = ("two", "three", "four", "five", "six", "seven")
MAX_ANGULAR = (12, 6, 12, 12, 12)  # of three to seven bodies
ANGULAR_TERMS = (1, 2, 4, 7, 11, 16, 23)  # four-body functions up to each degree
LEAST_RIN, MOST_RCUT = 1e-2, 1e3  # A
MAX_DEGREE = 40  # of the polynomials of the snapshots
MAX_DESCRIPTORS = 20_000


@dataclass(frozen=True, eq=False, repr=False)
class PodBasis(Record):
    """Proper orthogonal descriptors B of an atom.

    Attributes
    ----------
    elements : tuple of str
        Chemical symbols; their order is that of the descriptors.
    rin, rcut : float
        Inner and outer radius in A; atoms that are nearer than `rin` feel the same functions, which grow there.
    bessel_degree, inverse_degree : int
        Number of the functions of each kind that the radial functions are made of.
    radial_functions : six ints
        Number of radial functions in terms of two to seven bodies.
    angular_degrees : five ints
        Highest power of cosines in terms of three to seven bodies.
    expansion : (S, n) array or None
        Coefficients of the radial functions in the S snapshots; None for those that LAMMPS makes, see
        `radial.expansion`.

    Raises
    ------
    ValueError
        Where a field has no meaning; the message is ``expected <field> ..., got ...``.
    """

    elements: tuple[str, ...]
    rin: float
    rcut: float
    bessel_degree: int
    inverse_degree: int
    radial_functions: tuple[int, ...]
    angular_degrees: tuple[int, ...]
    expansion: FloatArray | None = None

    def __post_init__(self) -> None:
        self._require_elements()
        self._require_radii()
        self._require_sizes()
        if self.expansion is not None:
            object.__setattr__(self, "expansion", frozen_array("expansion", self.expansion))
            require_shape("expansion", self.expansion, (self.snapshots, self.n_radial))

    def _require_elements(self) -> None:
        if isinstance(self.elements, str):
            raise ValueError(f"expected elements as a sequence of symbols, got the string {self.elements!r}")
        object.__setattr__(self, "elements", tuple(self.elements))
        if not self.elements:
            raise ValueError("expected elements, got none")
        for symbol in self.elements:
            if symbol not in ELEMENTS:
                raise ValueError(f"expected elements to be chemical symbols, got {quoted(str(symbol))}")
        if len(set(self.elements)) < len(self.elements):
            twice = next(s for n, s in enumerate(self.elements) if s in self.elements[:n])
            raise ValueError(f"expected elements to be distinct, got {twice} twice")

    def _require_radii(self) -> None:
        for name in ("rin", "rcut"):
            object.__setattr__(self, name, finite(name, getattr(self, name)))
        if self.rin < LEAST_RIN:
            raise ValueError(f"expected rin to be at least {LEAST_RIN}, got {self.rin}")
        if not self.rin + 1e-3 < self.rcut <= MOST_RCUT:
            raise ValueError(f"expected rcut between rin = {self.rin} and {MOST_RCUT:g}, got {self.rcut}")
        for name in ("bessel_degree", "inverse_degree"):
            object.__setattr__(self, name, integer(name, getattr(self, name), 0, MAX_DEGREE))

    def _require_sizes(self) -> None:
        """Conditions of LAMMPS on the sizes, and a bound on all of it."""
        for name, lengths in (("radial_functions", BODIES), ("angular_degrees", BODIES[1:])):
            values = tuple(getattr(self, name))
            if len(values) != len(lengths):
                raise ValueError(f"expected {name} of {', '.join(lengths)} bodies, got {len(values)} numbers")
            highest = (self.snapshots,) * 6 if name == "radial_functions" else MAX_ANGULAR
            checked = (integer(name, n, 0, most) for n, most in zip(values, highest, strict=True))
            object.__setattr__(self, name, tuple(checked))
            three, four, *others = getattr(self, name)[-5:]
            if not three >= four >= max(others):
                many = ", ".join(map(str, (three, four, *others)))
                raise ValueError(f"expected {name} of three >= four >= five, six and seven bodies, got {many}")
        few = sum(self.descriptor_counts)
        count = few if few > MAX_DESCRIPTORS else self.n_descriptors
        if not 1 <= count <= MAX_DESCRIPTORS:
            raise ValueError(f"expected radial_functions that make 1 to {MAX_DESCRIPTORS} descriptors, got {count}")

    def __repr__(self) -> str:
        bodies = 2 + max((k for k, n in enumerate((*self.descriptor_counts, *map(len, self.products))) if n), default=0)
        name = type(self).__name__
        return (
            f"{name}({'-'.join(self.elements)}: up to {BODIES[bodies - 2]} bodies, {self.n_descriptors} descriptors,"
            f" rin {self.rin:g} A, rcut {self.rcut:g} A)"
        )

    @property
    def snapshots(self) -> int:
        """S, the number of functions that the radial functions are made of."""
        return 3 * self.bessel_degree + self.inverse_degree

    @property
    def n_radial(self) -> int:
        """How many radial functions the terms of all bodies use."""
        return max(self.radial_functions[:2])

    @property
    def n_descriptors(self) -> int:
        """M, the number of descriptors of an atom."""
        return sum(self.descriptor_counts) + sum(map(len, self.products))

    @cached_property
    def descriptor_counts(self) -> tuple[int, int, int]:
        """Descriptors of two, three and four bodies."""
        E, (n2, n3, n4, *_), (p3, p4, *_) = len(self.elements), self.radial_functions, self.angular_degrees
        return n2 * E, (p3 + 1) * n3 * comb(E + 1, 2), ANGULAR_TERMS[p4] * n4 * comb(E + 2, 3)

    @cached_property
    def products(self) -> tuple[Int64Array, Int64Array, Int64Array]:
        """Numbers (n, 2) of the two descriptors whose product is each descriptor of five, six and seven bodies."""
        sets = [self._factors(body) for body in (0, 1)]
        pairs = ((0, 0), (0, 1), (1, 1))
        return tuple(  # type: ignore[return-value]
            _products(sets[a], sets[b], n, degree)
            for (a, b), n, degree in zip(pairs, self.radial_functions[3:], self.angular_degrees[2:], strict=True)
        )

    def _factors(self, body: int) -> Int64Array:
        """Of three (0) or four (1) bodies: block of elements, radial function, degree, m and descriptor, (n, 5)."""
        first = sum(self.descriptor_counts[: body + 1])
        degrees = np.arange(self.angular_degrees[0] + 1) if body == 0 else four_body_degrees(self.angular_degrees[1])
        kinds, radial = len(degrees), self.radial_functions[1 + body]
        blocks = self.descriptor_counts[1 + body] // max(1, kinds * radial)
        i, j, k = np.indices((blocks, radial, kinds)).reshape(3, -1)
        m = k + j * kinds
        return np.stack([i, j, degrees[k], m, first + m + i * kinds * radial], axis=1)


@dataclass(frozen=True, eq=False, repr=False)
class PodModel(Record):
    r"""Coefficients of the energy in proper orthogonal descriptors.

    .. math:: U_i = c_0 + \sum_k P_k(B) \sum_m c_{km} B_m

    with one environment cluster, P = 1, or with several (N. C. Nguyen, Phys. Rev. B 107, 144103 (2023)).  With one,
    half of ``B.Q.B`` may be added, or a neural network.

    Attributes
    ----------
    basis : PodBasis
    constants : (E,) array
        Energy of an isolated atom in eV; zero without `onebody`.
    coefficients : (E, C, M) array
        Of each environment cluster and descriptor, in eV.
    onebody : bool
        Whether files of the model hold constants.
    projections : (E, M, D) array or None
        From descriptors to the D principal components that tell environments apart, present if C > 1 only.
    centroids : (E, C, D) array or None
        Of the environment clusters, likewise.
    quadratic : (E, M (M + 1) / 2) array or None
        Upper triangle of the symmetric matrix Q of each element, row by row, in eV.
    network : Network or None
        Whose energy is added.

    Raises
    ------
    ValueError
        Where a field has no meaning; the message is ``expected <field> ..., got ...``.
    """

    basis: PodBasis
    constants: FloatArray
    coefficients: FloatArray
    onebody: bool = True
    projections: FloatArray | None = None
    centroids: FloatArray | None = None
    quadratic: FloatArray | None = None
    network: Network | None = None

    def __post_init__(self) -> None:
        for name in ("constants", "coefficients", "projections", "centroids", "quadratic"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, frozen_array(name, value))
        if self.onebody not in (0, 1):
            raise ValueError(f"expected onebody to be 0 or 1, got {self.onebody!r}")
        object.__setattr__(self, "onebody", bool(self.onebody))
        E, M = len(self.elements), self.basis.n_descriptors
        if self.coefficients.ndim != 3 or self.coefficients.shape[1] == 0:
            raise ValueError(f"expected coefficients of shape ({E}, clusters, {M}), got {self.coefficients.shape}")
        C = self.clusters
        require_shape("constants", self.constants, (E,))
        require_shape("coefficients", self.coefficients, (E, C, M))
        if not self.onebody and self.constants.any():
            raise ValueError("expected constants to be zero because onebody is 0, got others")
        if not self.onebody:  # negative zeros are equal, but not bit by bit
            object.__setattr__(self, "constants", frozen_array("constants", np.zeros(E)))
        if (self.projections is None) != (C == 1) or (self.centroids is None) != (C == 1):
            raise ValueError(f"expected projections and centroids if there are several clusters only, got {C} clusters")
        if self.projections is not None and self.centroids is not None:
            D = self.projections.shape[-1]
            require_shape("projections", self.projections, (E, M, D))
            require_shape("centroids", self.centroids, (E, C, D))
        self._require_head(E, M)

    def _require_head(self, elements: int, descriptors: int) -> None:
        network = self.network
        if (self.quadratic is not None) + (network is not None) + (self.clusters > 1) > 1:
            raise ValueError("expected one of quadratic, network and several clusters at most, got more of them")
        if self.quadratic is not None:
            require_shape("quadratic", self.quadratic, (elements, descriptors * (descriptors + 1) // 2))
        if network is not None and network.sizes[0] != descriptors:
            raise ValueError(f"expected network sizes that begin with {descriptors}, got {network.sizes}")
        if network is not None and len(network.parameters) not in (1, elements):
            raise ValueError(
                f"expected network parameters of {elements} elements or one, got {len(network.parameters)}"
            )

    def __repr__(self) -> str:
        return f"PodModel({self.head}{', ' if self.head else ''}{self.basis!r})"

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols."""
        return self.basis.elements

    @property
    def cutoff(self) -> float:
        """Distance in A from which on two atoms do not interact."""
        return self.basis.rcut

    @property
    def clusters(self) -> int:
        """C, the number of environment clusters."""
        return int(self.coefficients.shape[1])

    @property
    def head(self) -> str:
        """What there is beside one linear combination of the descriptors, in words; empty for nothing."""
        if self.network is not None:
            return f"network {'x'.join(map(str, self.network.sizes[1:-1]))}"
        if self.quadratic is not None:
            return "quadratic"
        return f"{self.clusters} environment clusters" if self.clusters > 1 else ""


def four_body_powers(degree: int) -> list[tuple[int, int, int]]:
    """Powers of c_jk, c_jl and c_kl in the four-body functions up to a degree, in LAMMPS's order."""
    return [
        (x, y, total - x - y)
        for total in range(degree + 1)
        for x in range(total, -1, -1)
        for y in range(min(x, total - x), -1, -1)
        if total - x - y <= y
    ]


def four_body_degrees(degree: int) -> Int64Array:
    """Total degree of each of these functions."""
    return np.array([sum(powers) for powers in four_body_powers(degree)])


def _products(first: Int64Array, second: Int64Array, n: int, degree: int) -> Int64Array:
    """Pairs (n, 2) of descriptors, the conditions being those of LAMMPS, also where the two sets differ."""
    a, b = (own[(own[:, 1] < n) & (own[:, 2] <= degree)] for own in (first, second))
    if len(a) * len(b) > MAX_DESCRIPTORS**2 // 10:
        raise ValueError(f"expected radial_functions that make 1 to {MAX_DESCRIPTORS} descriptors, got more products")
    kept = (b[:, 3] >= a[:, None, 3]) & (b[:, 0] >= a[:, None, 0])
    kept &= (a[:, None, 1] + b[:, 1] < n) & (a[:, None, 2] + b[:, 2] <= degree)
    left, right = np.nonzero(kept)
    return np.stack([a[left, 4], b[right, 4]], axis=1)
