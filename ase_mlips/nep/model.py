"""The NEP model: what a nep.txt file says, checked and frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import FloatArray
from ..files.records import Record, finite, frozen_array, integer, pair, require_shape
from ..files.text import quoted
from .radii import RADII

INVARIANTS = ("222", "1111", "112", "123", "233", "134")  # beyond q_l, in the file's order
KINDS = ("potential", "dipole", "polarizability")
MAX_L = 8
MAX_FUNCTIONS = 32
MAX_NEURONS = 1000
MAX_CUTOFF = 100.0  # A
MAX_NEIGHBORS = 10**9 - 1
ZBL_PAIR = 10  # numbers of a pair of types in a flexible repulsion


@dataclass(frozen=True, eq=False, repr=False)
class NepNetwork(Record):
    """One hidden layer of tanh: ``sum_mu w1 tanh(w0 . x - b0) - type_bias - bias``.

    T = 1 where all types share it (NEP3).

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

    Raises
    ------
    ValueError
        Where shapes do not fit, or a number is not finite: ``expected <field> ..., got ...``.
    """

    w0: FloatArray
    b0: FloatArray
    w1: FloatArray
    bias: float
    charge: FloatArray | None = None
    type_bias: FloatArray | None = None

    def __post_init__(self) -> None:
        for name in ("w0", "b0", "w1", "charge", "type_bias"):
            if (value := getattr(self, name)) is not None or name in ("w0", "b0", "w1"):
                object.__setattr__(self, name, frozen_array(name, value))
        object.__setattr__(self, "bias", finite("bias", self.bias))
        if self.w0.ndim != 3 or 0 in self.w0.shape:
            raise ValueError(f"expected w0 of shape (types, neurons, descriptors), got {self.w0.shape}")
        for name in ("b0", "w1", "charge"):
            if (value := getattr(self, name)) is not None:
                require_shape(name, value, self.w0.shape[:2])
        if self.type_bias is not None:
            require_shape("type_bias", self.type_bias, self.w0.shape[:1])
        integer("the number of neurons", self.w0.shape[1], 1, MAX_NEURONS)

    def __repr__(self) -> str:
        types, neurons, length = self.w0.shape
        return f"NepNetwork({types} of {neurons} neurons, {length} descriptors)"

    def _subset(self, order: list[int]) -> NepNetwork:
        return replace(
            self,
            w0=self.w0[order],
            b0=self.b0[order],
            w1=self.w1[order],
            charge=None if self.charge is None else self.charge[order],
            type_bias=None if self.type_bias is None else self.type_bias[order],
        )


@dataclass(frozen=True, eq=False, repr=False)
class NepZbl(Record):
    """Screened repulsion of the elements' nuclei, on top of the network.

    Attributes
    ----------
    inner, outer : float
        In A; with `factor` the outer distance of a pair is ``min(outer, factor * (R_i + R_j))`` with covalent radii.
    factor : float, optional
        Typewise outer distances.
    typewise_inner_half : bool
        The inner distance of a pair is half the outer one (old cutoff lines of 8 tokens); else 0 where `factor` is
        given.
    flexible : (pairs, 10) array, optional
        Of each unordered pair of types, (0, 0), (0, 1), .., (1, 1), ..: inner, outer, a1, b1, .., a4, b4 of its own
        screening function; `inner` and `outer` are then 0.

    Raises
    ------
    ValueError
        Where distances are not in order, or fields exclude each other: ``expected <field> ..., got ...``.
    """

    inner: float
    outer: float
    factor: float | None = None
    typewise_inner_half: bool = False
    flexible: FloatArray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "inner", finite("inner of zbl", self.inner))
        object.__setattr__(self, "outer", finite("outer of zbl", self.outer))
        if not isinstance(self.typewise_inner_half, bool | np.bool_):
            raise ValueError(f"expected typewise_inner_half of zbl to be a bool, got {self.typewise_inner_half!r}")
        object.__setattr__(self, "typewise_inner_half", bool(self.typewise_inner_half))
        if self.factor is not None:
            object.__setattr__(self, "factor", finite("factor of zbl", self.factor))
            if self.factor <= 0.0:
                raise ValueError(f"expected factor of zbl to be positive, got {self.factor}")
        elif self.typewise_inner_half:
            raise ValueError("expected factor of zbl because typewise_inner_half is set, got none")
        if self.flexible is not None:
            self._require_flexible()
        elif not 0.0 <= self.inner < self.outer <= MAX_CUTOFF:
            raise ValueError(
                f"expected inner and outer of zbl as 0 <= inner < outer <= {MAX_CUTOFF:g}, "
                f"got {self.inner:g} and {self.outer:g}"
            )

    def _require_flexible(self) -> None:
        table = frozen_array("flexible of zbl", self.flexible)
        object.__setattr__(self, "flexible", table)
        if self.inner or self.outer:
            raise ValueError(f"expected inner and outer of a flexible zbl to be 0, got {self.inner} and {self.outer}")
        if self.factor is not None:
            raise ValueError(f"expected no factor of a flexible zbl, got {self.factor:g}")
        if table.ndim != 2 or table.shape[1] != ZBL_PAIR:
            raise ValueError(f"expected flexible of zbl of shape (pairs, {ZBL_PAIR}), got {table.shape}")
        wrong = ~((table[:, 0] >= 0.0) & (table[:, 0] < table[:, 1]) & (table[:, 1] <= MAX_CUTOFF))
        if wrong.any():
            inner, outer = table[wrong][0, :2]
            raise ValueError(
                f"expected inner and outer of a flexible zbl as 0 <= inner < outer <= {MAX_CUTOFF:g}, "
                f"got {inner:g} and {outer:g}"
            )

    def __repr__(self) -> str:
        if self.flexible is not None:
            return f"NepZbl(flexible, {len(self.flexible)} pairs)"
        typewise = "" if self.factor is None else f", typewise {self.factor:g}"
        return f"NepZbl({self.inner:g} to {self.outer:g} A{typewise})"

    def _subset(self, order: list[int], count: int) -> NepZbl:
        if self.flexible is None:
            return self
        pairs = [(min(a, b), max(a, b)) for n, a in enumerate(order) for b in order[n:]]
        return replace(self, flexible=self.flexible[[a * count - a * (a - 1) // 2 + b - a for a, b in pairs]])


@dataclass(frozen=True, eq=False, repr=False)
class NepModel(Record):
    """A neuroevolution potential, NEP3, NEP4 or NEP5 (Fan et al., J. Chem. Phys. 157, 114801 (2022)).

    Arrays are copied and made read-only.  Two models are equal if all their fields are, bit by bit.

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
    network : NepNetwork
        Of the energy or the dipole; of a polarizability model that of the tensor part.
    scalar_network : NepNetwork, optional
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

    Raises
    ------
    ValueError
        Where a field has no meaning, or does not go with another one: ``expected <field> ..., got ...``.
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
    network: NepNetwork
    radial: FloatArray
    angular: FloatArray
    scaler: FloatArray
    charge_mode: int = 0
    scalar_network: NepNetwork | None = None
    sqrt_epsilon: float | None = None
    zbl: NepZbl | None = None
    typewise_factors: tuple[float, float] | None = None
    max_neighbors: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        self._require_elements()
        self._require_sizes()
        self._require_cutoffs()
        self._require_kind()
        self._require_arrays()
        self._require_networks()

    def _require_elements(self) -> None:
        if isinstance(self.elements, str):
            raise ValueError(f"expected elements as a sequence of symbols, got the string {self.elements!r}")
        object.__setattr__(self, "elements", tuple(self.elements))
        if not self.elements:
            raise ValueError("expected elements, got none")
        for n, symbol in enumerate(self.elements):
            if symbol not in RADII:
                shown = quoted(symbol) if isinstance(symbol, str) else repr(symbol)
                raise ValueError(f"expected elements to be chemical symbols from H to Pu, got {shown}")
            if symbol in self.elements[:n]:
                raise ValueError(f"expected elements to be distinct, got {symbol} twice")

    def _require_sizes(self) -> None:
        object.__setattr__(self, "l_max", integer("l_max", self.l_max, 0, MAX_L))
        for name, highest in (
            ("n_max", MAX_FUNCTIONS),
            ("basis_size", MAX_FUNCTIONS),
            ("max_neighbors", MAX_NEIGHBORS),
        ):
            sizes = pair(name, getattr(self, name))
            object.__setattr__(self, name, tuple(integer(name, size, 0, highest) for size in sizes))
        object.__setattr__(self, "invariants", tuple(self.invariants))
        if self.invariants != tuple(name for name in INVARIANTS if name in self.invariants):
            raise ValueError(f"expected invariants out of {', '.join(INVARIANTS)} in this order, got {self.invariants}")
        for name in self.invariants:
            if int(max(name)) > self.l_max:
                raise ValueError(f"expected l_max of at least {max(name)} for the invariant {name}, got {self.l_max}")

    def _require_cutoffs(self) -> None:
        for name in ("radial_cutoffs", "angular_cutoffs"):
            values = frozen_array(name, getattr(self, name))
            require_shape(name, values, (len(self.elements),))
            object.__setattr__(self, name, values)
            if not np.all((values > 0.0) & (values <= MAX_CUTOFF)):
                wrong = values[~((values > 0.0) & (values <= MAX_CUTOFF))][0]
                raise ValueError(f"expected {name} above 0 and up to {MAX_CUTOFF:g}, got {wrong:g}")
        for radial, angular in zip(self.radial_cutoffs, self.angular_cutoffs, strict=True):
            if angular > radial:
                raise ValueError(f"expected angular_cutoffs up to the radial ones, got {angular:g} above {radial:g}")
        if self.typewise_factors is not None:
            factors = tuple(finite("typewise_factors", f) for f in pair("typewise_factors", self.typewise_factors))
            object.__setattr__(self, "typewise_factors", factors)
            if max(factors) <= 0.0:
                raise ValueError(f"expected one of typewise_factors to be positive, got {factors}")

    def _require_kind(self) -> None:
        object.__setattr__(self, "version", integer("version", self.version, 3, 5))
        object.__setattr__(self, "charge_mode", integer("charge_mode", self.charge_mode, 0, 3))
        if self.kind not in KINDS:
            raise ValueError(f"expected kind to be one of {', '.join(KINDS)}, got {self.kind!r}")
        if self.kind != "potential" and (self.version == 5 or self.charge_mode or self.zbl is not None):
            raise ValueError(
                f"expected a {self.kind} model to be NEP3 or NEP4 without charges and zbl, got {self.token}"
            )
        if self.charge_mode and self.version != 4:
            raise ValueError(f"expected a model with charges to be NEP4, got {self.token}")
        if (self.sqrt_epsilon is None) != (self.charge_mode == 0):
            got = "none" if self.sqrt_epsilon is None else self.sqrt_epsilon
            raise ValueError(f"expected sqrt_epsilon where charge_mode is not 0 and only there, got {got}")
        if self.sqrt_epsilon is not None:
            object.__setattr__(self, "sqrt_epsilon", finite("sqrt_epsilon", self.sqrt_epsilon))

    def _require_arrays(self) -> None:
        count = len(self.elements)
        for n, name in enumerate(("radial", "angular")):
            values = frozen_array(name, getattr(self, name))
            require_shape(name, values, (self.n_max[n] + 1, self.basis_size[n] + 1, count, count))
            object.__setattr__(self, name, values)
        object.__setattr__(self, "scaler", frozen_array("scaler", self.scaler))
        require_shape("scaler", self.scaler, (self.n_descriptors,))
        if self.zbl is not None and not isinstance(self.zbl, NepZbl):
            raise ValueError(f"expected zbl to be a NepZbl, got {type(self.zbl).__name__}")
        if self.zbl is not None and self.zbl.flexible is not None:
            require_shape("flexible of zbl", self.zbl.flexible, (count * (count + 1) // 2, ZBL_PAIR))

    def _require_networks(self) -> None:
        if (self.scalar_network is None) == (self.kind == "polarizability"):
            got = "none" if self.scalar_network is None else "one"
            raise ValueError(f"expected scalar_network in polarizability models and only there, got {got}")
        types = 1 if self.version == 3 else len(self.elements)
        for name, network in (("network", self.network), ("scalar_network", self.scalar_network)):
            if network is None and name == "scalar_network":
                continue
            if not isinstance(network, NepNetwork):
                raise ValueError(f"expected {name} to be a NepNetwork, got {type(network).__name__}")
            require_shape(f"w0 of {name}", network.w0, (types, self.network.w0.shape[1], self.n_descriptors))
            if (network.charge is None) != (self.charge_mode == 0):
                got = "none" if network.charge is None else "some"
                raise ValueError(f"expected charge weights where charge_mode is not 0 and only there, got {got}")
            if (network.type_bias is None) != (self.version != 5):
                got = "none" if network.type_bias is None else "some"
                raise ValueError(f"expected type_bias in NEP5 and only there, got {got}")

    def __repr__(self) -> str:
        count = len(self.elements)
        names = "-".join(self.elements) if count <= 8 else f"{count} elements"
        cutoffs = f"cutoffs {self.radial_cutoffs.max():.4g} and {self.angular_cutoffs.max():.4g} A"
        neurons = self.network.w0.shape[1]
        return f"NepModel({self.token} {names}: {self.n_descriptors} descriptors, {neurons} neurons, {cutoffs})"

    @property
    def n_descriptors(self) -> int:
        """D = radial functions plus angular functions times their invariants."""
        return count_descriptors(self.n_max, self.l_max, self.invariants)

    @property
    def token(self) -> str:
        """First word of the model's file, such as ``nep4_zbl_charge1``."""
        zbl = "" if self.zbl is None else "_zbl"
        kind = "" if self.kind == "potential" else f"_{self.kind}"
        charge = f"_charge{self.charge_mode}" if self.charge_mode else ""
        return f"nep{self.version}{zbl}{kind}{charge}"

    def subset(self, elements: Sequence[str]) -> NepModel:
        """The same model for some of its elements, in the order given: exact, no number changes.

        Raises
        ------
        ValueError
            If the model lacks one of `elements`, one is given twice or none at all; or if a model with charges would
            lose its largest radial cutoff, which sets the range of its Coulomb interaction.
        """
        if isinstance(elements, str) or not elements:
            raise ValueError(f"expected elements as a sequence of symbols, got {elements!r}")
        for symbol in elements:
            if symbol not in self.elements:
                raise ValueError(f"expected elements out of {', '.join(self.elements)}, got {symbol!r}")
        order = [self.elements.index(symbol) for symbol in elements]
        if self.charge_mode and order and self.radial_cutoffs[order].max() < self.radial_cutoffs.max():
            widest = self.elements[int(self.radial_cutoffs.argmax())]
            raise ValueError(
                f"expected elements with {widest}, whose cutoff sets the Coulomb range, got {tuple(elements)}"
            )
        nets = [0] if self.version == 3 else order
        return replace(
            self,
            elements=tuple(elements),
            radial_cutoffs=self.radial_cutoffs[order],
            angular_cutoffs=self.angular_cutoffs[order],
            network=self.network._subset(nets),
            scalar_network=self.scalar_network and self.scalar_network._subset(nets),
            radial=self.radial[:, :, order][:, :, :, order],
            angular=self.angular[:, :, order][:, :, :, order],
            zbl=self.zbl and self.zbl._subset(order, len(self.elements)),
        )


def count_descriptors(n_max: tuple[int, int], l_max: int, invariants: tuple[str, ...]) -> int:
    """D of a model of these sizes."""
    return n_max[0] + 1 + (n_max[1] + 1) * (l_max + len(invariants))
