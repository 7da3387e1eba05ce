"""The MTP model: what an MLIP file says, checked and frozen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..files.elements import ELEMENTS
from ..files.records import Record, finite, frozen_array, integer, require_shape

Species = Iterable[str] | Mapping[str, int]

RADIAL_BASES = ("RBChebyshev", "RBChebyshev_repuls", "BChebyshev", "BChebyshev_repuls", "RBTaylor")
MAX_RADIAL = 1000  # radial functions, and basis functions of each
MAX_RANK = 100  # a + b + c
MAX_MOMENTS = 10**6
MAX_LABEL = 10**9 - 1


@dataclass(frozen=True, eq=False, repr=False)
class MtpModel(Record):
    """A moment tensor potential (Shapeev, Multiscale Model. Simul. 14, 1153 (2016)).

    Arrays are copied and made read-only.  Two models are equal if all their fields are, bit by bit.

    Attributes
    ----------
    species : tuple of str, or of None
        Chemical symbol of each type, in MLIP's order; None where the file does not say.  Empty only in an untrained
        model whose types are still open.
    radial_basis : str
        One of `RADIAL_BASES`.
    scaling : float
        Multiplies every radial basis function.
    min_dist, max_dist : float
        In A; `max_dist` is the cutoff of all pairs.
    radial_coefficients : (S, S, K, R) array
        c[centre][neighbour][mu][n]; of shape (0, 0, K, R) in an untrained model.
    basic : (nB, 4) array
        mu, a, b, c of each basic moment ``sum_j f_mu(r) u_x^a u_y^b u_z^c``.
    times : (nT, 4) array
        i0, i1, multiplicity, i3: ``M[i3] += multiplicity * M[i0] * M[i1]``, in this order.  All rows of a moment
        stand together, before it is used.
    n_moments : int
        Basic and composite moments.
    mapping : (nS,) array
        Which moments are the basis functions B_m.
    species_coefficients, moment_coefficients : (S,), (nS,) arrays
        In eV; empty in an untrained model.
    name, tag : str
        What the file calls the potential, one word without ``#``, and a remark in one line; either may be empty.
    labels : tuple of int, optional
        The numbers of the types in the file and in configurations that go with it, where they are not 0 to S - 1:
        MLIP-3 files may have atomic numbers.

    Raises
    ------
    ValueError
        Where a field has no meaning, or does not go with another one: ``expected <field> ..., got ...``.
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
    labels: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        self._require_texts()
        self._require_species()
        self._require_radial_basis()
        self._require_moments()
        self._require_coefficients()

    def _require_texts(self) -> None:
        for field, value, joint in (("name", self.name, ""), ("tag", self.tag, " ")):
            if not isinstance(value, str) or value != joint.join(value.split()) or "#" in value or "\0" in value:
                what = "one line" if joint else "one word"
                raise ValueError(f"expected {field} to be {what} without #, got {value!r}")

    def _require_species(self) -> None:
        if isinstance(self.species, str):
            raise ValueError(f"expected species as a sequence of symbols, got the string {self.species!r}")
        object.__setattr__(self, "species", ordered(self.species))
        for n, symbol in enumerate(self.species):
            if symbol is None and self.species[0] is None:
                continue
            if symbol not in ELEMENTS or self.species[0] is None:
                raise ValueError(f"expected species to be chemical symbols, or all None, got {symbol!r}")
            if symbol in self.species[:n]:
                raise ValueError(f"expected species to be distinct, got {symbol} twice")
        if self.labels is not None:
            labels = tuple(integer("labels", label, 0, MAX_LABEL) for label in self.labels)
            if len(labels) != len(self.species) or len(set(labels)) < len(labels):
                raise ValueError(f"expected labels as {len(self.species)} distinct numbers, got {labels}")
            object.__setattr__(self, "labels", None if labels == tuple(range(len(labels))) else labels)

    def _require_radial_basis(self) -> None:
        if self.radial_basis not in RADIAL_BASES:
            raise ValueError(f"expected radial_basis to be one of {', '.join(RADIAL_BASES)}, got {self.radial_basis!r}")
        for name in ("scaling", "min_dist", "max_dist"):
            object.__setattr__(self, name, finite(name, getattr(self, name)))
        if self.min_dist <= 0.0:
            raise ValueError(f"expected min_dist to be positive, got {self.min_dist:g}")
        if self.max_dist <= self.min_dist:
            raise ValueError(f"expected max_dist above min_dist {self.min_dist:g}, got {self.max_dist:g}")

    def _require_moments(self) -> None:
        for name, width in (("basic", 4), ("times", 4), ("mapping", 0)):
            object.__setattr__(self, name, frozen_integers(name, getattr(self, name), width))
        object.__setattr__(self, "n_moments", integer("n_moments", self.n_moments, 1, MAX_MOMENTS))
        count = len(self.basic)
        if not 0 < count <= self.n_moments:
            raise ValueError(f"expected basic of 1 to {self.n_moments} rows, got {count}")
        _require("basic", self.basic, np.all(self.basic >= 0, axis=1), "without negative numbers")
        _require("basic", self.basic, self.basic[:, 0] < MAX_RADIAL, f"with mu below {MAX_RADIAL}")
        ranks = self.basic[:, 1:].sum(axis=1, dtype=np.int64)
        _require("basic", self.basic, ranks <= MAX_RANK, f"with a + b + c up to {MAX_RANK}")
        self._require_times(count)
        if not 0 < len(self.mapping) <= self.n_moments:
            raise ValueError(f"expected mapping of 1 to {self.n_moments} moments, got {len(self.mapping)}")
        defined = self._defined()
        _require("mapping", self.mapping, _within(self.mapping, self.n_moments), f"with moments below {self.n_moments}")
        _require("mapping", self.mapping, defined[self.mapping], "with moments that are basic or that times define")
        first = np.zeros(len(self.mapping), dtype=bool)
        first[np.unique(self.mapping, return_index=True)[1]] = True
        _require("mapping", self.mapping, first, "with distinct moments")

    def _require_times(self, basics: int) -> None:
        first, second, multiplicity, target = self.times.T
        factors = self.times[:, :2]
        _require("times", self.times, multiplicity > 0, "with positive multiplicities")
        known = (target >= basics) & (target < self.n_moments)
        _require("times", self.times, known, f"with products between {basics} and {self.n_moments - 1}")
        _require("times", self.times, np.all(factors >= 0, axis=1), "with factors that are not negative")
        _require("times", self.times, np.maximum(first, second) < target, "with factors before the product")
        _require("times", self.times, np.diff(target, prepend=0) >= 0, "with products in ascending order")
        defined = np.all(self._defined()[factors], axis=1)
        _require("times", self.times, defined, "with factors that are basic or that times define")

    def _defined(self) -> BoolArray:
        """Of each moment whether it is basic or the product of some row."""
        defined = np.arange(self.n_moments) < len(self.basic)
        defined[self.times[:, 3]] = True
        return defined

    def _require_coefficients(self) -> None:
        for name in ("radial_coefficients", "species_coefficients", "moment_coefficients"):
            object.__setattr__(self, name, frozen_array(name, getattr(self, name)))
        radial = self.radial_coefficients
        if radial.ndim != 4:
            raise ValueError(f"expected radial_coefficients of 4 dimensions, got {radial.ndim}")
        integer("the size of the radial basis in radial_coefficients", radial.shape[3], 1, MAX_RADIAL)
        types, scalars = (len(self.species), len(self.mapping)) if self.trained else (0, 0)
        if self.trained and not self.species:
            raise ValueError("expected species of a trained model, got none")
        if self.labels is not None and not self.trained:
            raise ValueError(f"expected no labels of an untrained model, got {self.labels}")
        require_shape("moment_coefficients", self.moment_coefficients, (scalars,))
        require_shape("species_coefficients", self.species_coefficients, (types,))
        require_shape("radial_coefficients", radial, (types, types, self.radial_functions, radial.shape[3]))

    def __repr__(self) -> str:
        names = "-".join(symbol or "?" for symbol in self.species) or "no species"
        parts = [
            self.radial_basis,
            f"{len(self.mapping)} basis functions",
            f"{self.n_parameters} parameters",
            f"{self.min_dist:.4g} to {self.max_dist:.4g} A",
            *([] if self.trained else ["untrained"]),
        ]
        return f"MtpModel({names}: {', '.join(parts)})"

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

    @property
    def n_parameters(self) -> int:
        """How many coefficients the model has, or will have once trained: radial, of species and of moments."""
        types = len(self.species)
        return types * types * self.radial_functions * self.radial_size + types + len(self.mapping)

    def with_species(self, symbols: Species) -> MtpModel:
        """The same model with its types named; an untrained one may also be given another number of them.

        Parameters
        ----------
        symbols : sequence of str, or dict of str to int
            Chemical symbols in the order of the file's types, or the type of each.

        Raises
        ------
        ValueError
            If their number is not that of the types, or if they are not distinct chemical symbols.
        """
        names = ordered(symbols)
        if len(names) != len(self.species) and (self.trained or not names):
            given = ", ".join(map(str, names)) or "none"
            raise ValueError(f"expected species as {max(1, len(self.species))} chemical symbols, got {given}")
        if None in names:
            raise ValueError("expected species as chemical symbols, got None")
        return replace(self, species=names)


def ordered(species: Any) -> tuple[Any, ...]:
    """Chemical symbols in the order of their types.

    Parameters
    ----------
    species : str, sequence of str, or dict of str to int
        In this order, or with their types 0, 1, ...

    Raises
    ------
    ValueError
        A set, which has another order in another process, or a dictionary whose types are not 0, 1, ...
    """
    if isinstance(species, set | frozenset):
        raise ValueError(f"expected species in the order of their types, got a set of {len(species)}")
    if isinstance(species, Mapping):
        if set(species.values()) != set(range(len(species))):
            raise ValueError(f"expected the types of species to be 0 to {len(species) - 1}, got {dict(species)}")
        return tuple(sorted(species, key=species.__getitem__))
    return (species,) if isinstance(species, str) else tuple(species)


def frozen_integers(name: str, values: Any, width: int) -> IntArray:
    """A read-only copy of a table of `width` columns, or of a list where that is 0; of 32-bit integers."""
    try:
        array = np.array(values)
    except ValueError:
        raise ValueError(f"expected {name} to be a table of integers, got rows of several lengths") from None
    if array.size == 0:
        array = np.zeros((0, width) if width else 0, dtype=np.int32)
    if array.dtype.kind not in "iu":
        raise ValueError(f"expected {name} to be integers, got {array.dtype}")
    if array.ndim != (2 if width else 1) or (width and array.shape[1] != width):
        raise ValueError(f"expected {name} of shape {f'(rows, {width})' if width else '(length,)'}, got {array.shape}")
    limits = np.iinfo(np.int32)
    if array.size and (int(array.min()) < limits.min or int(array.max()) > limits.max):
        raise ValueError(f"expected {name} to fit into 32 bits, got numbers from {array.min()} to {array.max()}")
    result = np.array(array, dtype=np.int32, order="C")
    result.setflags(write=False)
    return result


def _within(values: IntArray, count: int) -> BoolArray:
    return (values >= 0) & (values < count)


def _require(name: str, rows: IntArray, right: BoolArray, what: str) -> None:
    """ValueError that shows the first of `rows` that is not right."""
    if not right.all():
        n = int(np.argmin(right))
        raise ValueError(f"expected {name} {what}, got {rows[n].tolist()} at {n}")
