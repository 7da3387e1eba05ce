"""From a model to the polynomial that kernels evaluate, computed once at load.

Harmonics are taken real and without their normalisation: with w = u_x + i u_y and polynomials Q_lm(u_z) of leading
coefficient 1, ``Y_lm = N_lm Q_lm w^m`` for m >= 0.  A sum A_lm over neighbours is ``N_lm (c + i s)`` then, and
``A_l,-m = (-1)^m N_lm (c - i s)``.  Functions are real polynomials of the numbers c and s, of which equal monomials are
joined.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from math import factorial, sqrt

import numpy as np

from ..arrays import FloatArray, IntArray
from .model import AceModel, Function
from .radial import to_chebyshev

Monomial = tuple[int, ...]  # nodes, ascending
NEGLIGIBLE = 1e-15  # relative to the sum of a function's weights: what is left of coefficients that cancel


@dataclass(frozen=True)
class BondTables:
    """Radial functions and sums of the neighbours of one element.

    Attributes
    ----------
    series : (R, K) array
        Radial functions by T_0, T_1, ..; equal ones once.
    channels : list of lists of int
        For each l the radial functions of its sums.
    first : int
        Node of the first sum; they are ordered by l, channel and c_0, c_1, s_1, c_2, ..
    """

    series: FloatArray
    channels: list[list[int]]
    first: int


@dataclass(frozen=True)
class Program:
    """Functions, or densities, as sums of ``node * sum_k c_k node_k``.

    Attributes
    ----------
    products : (N, 2) int array
        Factors of the nodes behind the sums and the node that is 1.
    groups : int array
        For each group its target, the node in front, the number n of terms and n nodes.
    weights : array
        For each group n rows of a weight for each density.
    begin : (T + 1, 2) int array
        Where the groups of each target begin in `groups` and in `weights`.
    """

    products: IntArray
    groups: IntArray
    weights: FloatArray
    begin: IntArray


@dataclass(frozen=True)
class ElementTables:
    """What the atoms of one element need.

    Attributes
    ----------
    bonds : list of BondTables
    sums : int
        Number of nodes that are sums over neighbours; the next one is 1.
    program : Program
    """

    bonds: list[BondTables]
    sums: int
    program: Program


@cache
def normalisation(degree: int, m: int) -> float:
    """N_lm, with the phase of Condon and Shortley and the factor sqrt(4 pi)."""
    leading = factorial(2 * degree) / (2**degree * factorial(degree) * factorial(degree - m))
    return float((-1) ** m * sqrt((2 * degree + 1) * factorial(degree - m) / factorial(degree + m)) * leading)


def recursion(top: int) -> FloatArray:
    """b_lm of ``Q_{l+1,m} = z Q_lm - b_lm Q_{l-1,m}``, at place ``l (l + 1) / 2 + m``."""
    values = [
        (degree * degree - m * m) / (4.0 * degree * degree - 1.0)
        for degree in range(top + 1)
        for m in range(degree + 1)
    ]
    return np.array(values)


class _Sums:
    """Nodes that are sums over neighbours, of one central element, as functions ask for them."""

    def __init__(self, model: AceModel, element: int) -> None:
        self._model, self._element = model, element
        count = len(model.elements)
        self._series: list[dict[bytes, int]] = [{} for _ in range(count)]
        self._values: list[list[FloatArray]] = [[] for _ in range(count)]
        self._channels: list[dict[int, list[int]]] = [{} for _ in range(count)]
        self._known: dict[tuple[int, ...], tuple[int, int, int]] = {}
        self.merged: list[tuple[int, int, int]] = []

    def factor(self, other: int, n: int, degree: int, *, alone: bool) -> tuple[int, int, int]:
        """Element, l and number of the channel of A_nl, or of the sum of g_n."""
        key = other, n, degree, alone
        if key not in self._known:
            bond, base = self._model.bonds[self._element][other], np.zeros(self._model.base)
            if alone:
                base[n - 1] = 1.0
            elif n <= bond.coefficients.shape[0] and degree < bond.coefficients.shape[1]:
                base[: bond.coefficients.shape[2]] = bond.coefficients[n - 1, degree]
            self._known[key] = self.channel(other, base, degree)
        return self._known[key]

    def channel(self, other: int, base: FloatArray, degree: int) -> tuple[int, int, int]:
        """The channel of ``sum_k base_k g_k``."""
        bond = self._model.bonds[self._element][other]
        values = base @ to_chebyshev(bond.radial_basis, self._model.base, bond.cutoff)
        number = self._series[other].setdefault(values.tobytes(), len(self._values[other]))
        if number == len(self._values[other]):
            self._values[other].append(values)
        own = self._channels[other].setdefault(degree, [])
        if number not in own:
            own.append(number)
        return other, degree, own.index(number)

    def finish(self) -> tuple[list[BondTables], int]:
        """Tables of all neighbours, and the number of nodes."""
        tables, first = [], 0
        for values, channels in zip(self._values, self._channels, strict=True):
            size = self._model.base + 1
            lists = [channels.get(degree, []) for degree in range(max(channels, default=-1) + 1)]
            tables.append(BondTables(np.reshape(values, (len(values), size)), lists, first))
            first += sum(len(own) * (2 * degree + 1) for degree, own in enumerate(lists))
        return tables, first


def element_tables(model: AceModel, element: int, *, described: bool) -> ElementTables:
    """Tables for the atoms of an element: of the densities or, with `described`, of each descriptor."""
    sums = _Sums(model, element)
    functions = model.functions[element]
    if described:
        parts = [(k, function, function.couplings[:, None]) for k, function in enumerate(functions)]
        pairs: list[tuple[tuple[int, int, int], FloatArray]] = []
    else:
        weights = _density_weights(model, element)
        high = [function for function in functions if function.rank > 1]
        parts = [(0, function, function.weights @ weights) for function in high]
        pairs = _pair_functions(sums, model, element, [f for f in functions if f.rank == 1], weights)
    expanded = [(target, function, own, _factors(sums, function)) for target, function, own in parts]
    bonds, count = sums.finish()
    place = _Places(bonds)
    targets: list[dict[Monomial, FloatArray]] = [{} for _ in range(len(functions) if described else 1)]
    for target, function, own, factors in expanded:
        _add(targets[target], function, own, factors, place)
    for factor, own in pairs:
        targets[0][(place(factor, 0, 0),)] = own
    return ElementTables(bonds, count, program(targets, count))


def _density_weights(model: AceModel, element: int) -> FloatArray:
    """Matrix (P, P') from the model's densities to those of kernels: one where the embedding is linear."""
    embedding = model.embeddings[element]
    if embedding.linear:
        return embedding.parameters[::2, None].copy()
    return np.eye(embedding.densities)


def _pair_functions(
    sums: _Sums, model: AceModel, element: int, functions: list[Function], weights: FloatArray
) -> list[tuple[tuple[int, int, int], FloatArray]]:
    """All of rank 1 as one radial function for each neighbour and density."""
    P = weights.shape[1]
    base = np.zeros((len(model.elements), P, model.base))
    for function in functions:
        base[function.elements[0], :, function.ns[0] - 1] += function.weights.sum(axis=0) @ weights
    found: dict[tuple[int, int, int], FloatArray] = {}
    for other, p in np.argwhere(np.any(base != 0.0, axis=2)).tolist():
        factor = sums.channel(other, base[other, p], 0)
        found[factor] = found.get(factor, np.zeros(P)) + np.eye(P)[p]
    return list(found.items())


def _factors(sums: _Sums, function: Function) -> list[tuple[int, int, int]]:
    names = zip(function.elements, function.ns, function.ls, strict=True)
    return [sums.factor(*name, alone=function.rank == 1) for name in names]


class _Places:
    """Nodes of c_m and s_m of a channel."""

    def __init__(self, bonds: list[BondTables]) -> None:
        self._first: dict[tuple[int, int], int] = {}
        for other, bond in enumerate(bonds):
            place = bond.first
            for degree, own in enumerate(bond.channels):
                self._first[other, degree] = place
                place += len(own) * (2 * degree + 1)

    def __call__(self, factor: tuple[int, int, int], m: int, sine: int) -> int:
        other, degree, number = factor
        return self._first[other, degree] + number * (2 * degree + 1) + (0 if m == 0 else 2 * m - 1 + sine)


def _add(
    target: dict[Monomial, FloatArray],
    function: Function,
    weights: FloatArray,
    factors: list[tuple[int, int, int]],
    place: _Places,
) -> None:
    """Add the real part of a function, as monomials, to those of a target."""
    found: dict[Monomial, FloatArray] = {}
    for ms, own in zip(function.ms.tolist(), weights, strict=True):
        for nodes, value in _real_part(ms, factors, place):
            found[nodes] = found[nodes] + value * own if nodes in found else value * own
    least = NEGLIGIBLE * np.abs(weights).sum()
    for nodes, own in found.items():
        if np.abs(own).max() > least:
            target[nodes] = target[nodes] + own if nodes in target else own


def _real_part(ms: list[int], factors: list[tuple[int, int, int]], place: _Places) -> Iterable[tuple[Monomial, float]]:
    """Monomials of ``Re prod_t A_t`` with their coefficients."""
    terms: list[tuple[Monomial, float, int]] = [((), 1.0, 0)]  # nodes, coefficient, power of i
    for factor, m in zip(factors, ms, strict=True):
        degree, size = factor[1], abs(m)
        scale = normalisation(degree, size) * ((-1.0) ** m if m < 0 else 1.0)
        cosine = place(factor, size, 0)
        if m == 0:
            terms = [((*nodes, cosine), value * scale, power) for nodes, value, power in terms]
            continue
        sine, sign = cosine + 1, -1.0 if m < 0 else 1.0
        terms = [((*nodes, cosine), value * scale, power) for nodes, value, power in terms] + [
            ((*nodes, sine), value * scale * sign, power + 1) for nodes, value, power in terms
        ]
    return [
        (tuple(sorted(nodes)), value if power % 4 == 0 else -value) for nodes, value, power in terms if power % 2 == 0
    ]


def program(targets: list[dict[Monomial, FloatArray]], sums: int) -> Program:
    """Sort monomials into groups that have all but one factor in common, and make nodes of what they have in common.

    Which factor is set apart is chosen so that groups become large.
    """
    nodes: dict[Monomial, int] = {(): sums, **{(k,): k for k in range(sums)}}
    products: list[tuple[int, int]] = []

    def node(front: Monomial) -> int:
        if front not in nodes:
            before = node(front[:-1])
            products.append((before, front[-1]))
            nodes[front] = sums + len(products)
        return nodes[front]

    stream: list[int] = []
    weights: list[float] = []
    begin = [(0, 0)]
    for number, monomials in enumerate(targets):
        for front, members in sorted(_grouped(monomials).items()):
            stream += [number, node(front), len(members), *(single for single, _ in members)]
            for _, own in members:
                weights += own.tolist()
        begin.append((len(stream), len(weights)))
    return Program(
        np.array(products, np.int32).reshape(-1, 2),
        np.array(stream, np.int32),
        np.array(weights),
        np.array(begin, np.int32),
    )


def _grouped(monomials: dict[Monomial, FloatArray]) -> dict[Monomial, list[tuple[int, FloatArray]]]:
    """Monomials by all factors but one: largest groups first."""
    fronts: dict[Monomial, list[tuple[int, Monomial]]] = {}
    for monomial in monomials:
        for place, single in enumerate(monomial):
            if place == 0 or single != monomial[place - 1]:
                fronts.setdefault(monomial[:place] + monomial[place + 1 :], []).append((single, monomial))
    left = set(monomials)
    groups: dict[Monomial, list[tuple[int, FloatArray]]] = {}
    for front in sorted(fronts, key=lambda front: (-len(fronts[front]), front)):
        members = [(single, monomial) for single, monomial in fronts[front] if monomial in left]
        if members:
            left.difference_update(monomial for _, monomial in members)
            groups[front] = [(single, monomials[monomial]) for single, monomial in sorted(members)]
    return groups
