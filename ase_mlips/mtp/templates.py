"""Untrained potentials of any level, with the tables of moments that MLIP ships.

A scalar is a contraction of up to four moments ``M_{mu,nu}`` (Shapeev, Multiscale Model. Simul. 14, 1153 (2016),
section 2), of level ``2 + 4 mu + nu`` each.  It is described by a graph: its moments are the vertices, and as many
indices as an edge says are contracted between two of them.  The same graph with indices left free describes the
tensors out of which scalars are computed; both are *kinds*.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, combinations_with_replacement, pairwise, permutations, product
from math import factorial, prod

import numpy as np

from ..arrays import IntArray
from ..files.records import integer
from .model import MtpModel, Species, ordered

MAX_LEVEL = 28
_MAX_FACTORS, _MAX_MU, _MAX_NU = 4, 5, 10

Powers = tuple[int, int, int]
Matrix = Sequence[Sequence[int]]


@dataclass(frozen=True, order=True)
class _Kind:
    """A graph in a certain order of its vertices; kinds are sorted by these fields.

    Of vertex i, `key` has its rank nu_i, followed by the contractions with vertices i + 1, i + 2, ...
    """

    count: int
    mus: tuple[int, ...]
    key: tuple[tuple[int, ...], ...]

    def __hash__(self) -> int:
        return hash((self.mus, self.key))

    @property
    def ranks(self) -> list[int]:
        return [row[0] for row in self.key]

    @property
    def contractions(self) -> list[list[int]]:
        """The symmetric matrix of the numbers of contracted indices."""
        matrix = [[0] * self.count for _ in range(self.count)]
        for i, row in enumerate(self.key):
            for j, alpha in enumerate(row[1:], i + 1):
                matrix[i][j] = matrix[j][i] = alpha
        return matrix

    @property
    def free(self) -> list[int]:
        """How many indices of each vertex are not contracted."""
        return [nu - sum(row) for nu, row in zip(self.ranks, self.contractions, strict=True)]


@dataclass(frozen=True)
class _Plan:
    """How a kind is computed: the product of two others, summed over the indices of the edges that are cut.

    `left` and `right` are kinds, each with the vertices of the parent that its own stand for.
    """

    left: tuple[_Kind, tuple[int, ...]]
    right: tuple[_Kind, tuple[int, ...]]
    cuts: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, eq=False)
class Tables:
    """The tables of `MtpModel` of these names."""

    basic: IntArray
    times: IntArray
    n_moments: int
    mapping: IntArray


def untrained(
    level: int,
    species: Species,
    *,
    min_dist: float = 2.0,
    max_dist: float = 5.0,
    radial_size: int = 8,
) -> MtpModel:
    """A potential without coefficients, equal to MLIP's template of that level.

    Parameters
    ----------
    level : int
        2 to 28.  All scalars have even levels, so that an odd one gives what the even one below it does.
    species : sequence of str, or dict of str to int
        Chemical symbols, in the order that the types shall have, or the type of each.
    min_dist, max_dist : float
        Range of the radial functions in A; the latter is the cutoff.
    radial_size : int
        Number of Chebyshev polynomials in each radial function.

    Raises
    ------
    ValueError
        Where an argument is out of range.

    Examples
    --------
    >>> from ase_mlips import MTP
    >>> MTP.untrained(8, ["Si"])
    MtpModel(Si: RBChebyshev, 9 basis functions, 26 parameters, 2 to 5 A, untrained)
    """
    level = integer("level", level, 2, MAX_LEVEL)
    radial_size = integer("radial_size", radial_size, 1, 1000)
    tables = moment_tables(level - level % 2)
    names = ordered(species)
    if not names:
        raise ValueError("expected species as chemical symbols, got none")
    return MtpModel(
        species=names,
        radial_basis="RBChebyshev",
        scaling=1.0,
        min_dist=min_dist,
        max_dist=max_dist,
        radial_coefficients=np.zeros((0, 0, int(tables.basic[:, 0].max()) + 1, radial_size)),
        basic=tables.basic,
        times=tables.times,
        n_moments=tables.n_moments,
        mapping=tables.mapping,
        species_coefficients=np.zeros(0),
        moment_coefficients=np.zeros(0),
        name="MTP1m",
    )


@cache
def moment_tables(level: int) -> Tables:
    """MLIP's tables of all scalars up to `level`."""
    scalars = sorted(_scalars(level))
    plans = _plans(scalars)
    kinds = {*scalars, *plans}
    numbers: dict[_Kind, dict[tuple[Powers, ...], int]] = defaultdict(dict)
    basic: list[tuple[int, int, int, int]] = []
    for mu, nu in _basic_ranks(kinds):
        for powers in _powers(nu):
            numbers[_Kind(1, (mu,), ((nu,),))][powers,] = len(basic)
            basic.append((mu, *powers))
    times: list[tuple[int, int, int, int]] = []
    moments = len(basic)
    for kind in sorted(plans, key=_by_depth(plans)):
        known: dict[tuple[tuple[tuple[int, int], int], ...], int] = {}
        for component in product(*map(_powers, kind.free)):
            terms = _terms(plans[kind], component, numbers)
            number = known.setdefault(terms, moments)
            numbers[kind][component] = number
            if number == moments:
                times += [(first, second, multiplicity, number) for (first, second), multiplicity in terms]
                moments += 1
    mapping = [numbers[kind][((0, 0, 0),) * kind.count] for kind in scalars]
    return Tables(_array(basic, 4), _array(times, 4), moments, _array(mapping, 0))


def scalar_places(level: int, higher: int) -> IntArray:
    """Where the scalars of one level stand among those of a higher one, in the order of the mapping."""
    places = {kind: number for number, kind in enumerate(sorted(_scalars(higher)))}
    return np.array([places[kind] for kind in sorted(_scalars(level))], np.int32)


def _scalars(level: int) -> Iterator[_Kind]:
    """All canonical graphs without free indices up to `level`, those in several parts too."""
    for count in range(1, _MAX_FACTORS + 1):
        edges = list(combinations(range(count), 2))
        for mus in combinations_with_replacement(range(_MAX_MU + 1), count):
            rest = level - 2 * count - 4 * sum(mus)
            for alphas in _bounded(len(edges), rest // 2) if rest >= 0 else ():
                matrix = [[0] * count for _ in range(count)]
                for (i, j), alpha in zip(edges, alphas, strict=True):
                    matrix[i][j] = matrix[j][i] = alpha
                ranks = [sum(row) for row in matrix]
                if max(ranks) <= _MAX_NU:
                    kind, order = _canonical(mus, ranks, matrix)
                    if order == tuple(range(count)):
                        yield kind


def _bounded(length: int, total: int) -> Iterator[tuple[int, ...]]:
    """All tuples of `length` natural numbers whose sum is at most `total`."""
    if length == 0:
        yield ()
        return
    for first in range(total + 1):
        for others in _bounded(length - 1, total - first):
            yield (first, *others)


def _canonical(mus: tuple[int, ...], ranks: Sequence[int], matrix: Matrix) -> tuple[_Kind, tuple[int, ...]]:
    """The kind in the order of vertices that makes it smallest with mu ascending, and that order.

    Where several do, it is the first permutation of the given order.
    """
    key, order = min(
        (tuple((ranks[v], *(matrix[v][w] for w in order[n:])) for n, v in enumerate(order, 1)), order)
        for order in _orders(mus)
    )
    return _Kind(len(mus), tuple(mus[v] for v in order), key), order


@cache
def _orders(mus: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [p for p in permutations(range(len(mus))) if all(mus[v] <= mus[w] for v, w in pairwise(p))]


def _plans(scalars: Iterable[_Kind]) -> dict[_Kind, _Plan]:
    """How to compute each scalar of several factors, and whatever is needed for that."""
    plans: dict[_Kind, _Plan] = {}
    waiting = list(scalars)
    while waiting:
        kind = waiting.pop()
        if kind.count > 1 and kind not in plans:
            plans[kind] = plan = _plan(kind)
            waiting += [plan.left[0], plan.right[0]]
    return plans


def _plan(kind: _Kind) -> _Plan:
    """Cut off the vertex with the fewest contractions, or one pair of four from the other if that cuts fewer."""
    alphas = kind.contractions
    vertices = range(kind.count)

    def cut(part: tuple[int, ...]) -> int:
        return sum(alphas[v][w] for v in part for w in vertices if w not in part)

    singles: list[tuple[int, ...]] = [(v,) for v in vertices]
    best = min(singles, key=cut)
    if kind.count == 4:
        two = min(((0, 1), (0, 2), (0, 3)), key=cut)
        best = two if cut(two) < cut(best) else best
    rest = tuple(v for v in vertices if v not in best)
    cuts = tuple((v, w, alphas[v][w]) for v in best for w in rest if alphas[v][w])
    return _Plan(_operand(kind, best), _operand(kind, rest), cuts)


def _operand(kind: _Kind, vertices: tuple[int, ...]) -> tuple[_Kind, tuple[int, ...]]:
    """The part of the graph with these vertices, the contractions with others being free, and its order of them."""
    alphas, ranks = kind.contractions, kind.ranks
    part, order = _canonical(
        tuple(kind.mus[v] for v in vertices),
        [ranks[v] for v in vertices],
        [[alphas[v][w] for w in vertices] for v in vertices],
    )
    return part, tuple(vertices[n] for n in order)


def _by_depth(plans: dict[_Kind, _Plan]) -> Callable[[_Kind], tuple[int, _Kind]]:
    """The sorting key that puts operands before products."""

    @cache
    def depth(kind: _Kind) -> int:
        return 1 + max(depth(plans[kind].left[0]), depth(plans[kind].right[0])) if kind in plans else 0

    return lambda kind: (depth(kind), kind)


def _basic_ranks(kinds: Iterable[_Kind]) -> Iterator[tuple[int, int]]:
    """mu and nu of all basic moments: with each mu up to the highest nu that occurs."""
    highest: dict[int, int] = defaultdict(int)
    for kind in kinds:
        for mu, nu in zip(kind.mus, kind.ranks, strict=True):
            highest[mu] = max(highest[mu], nu)
    for mu in sorted(highest):
        for nu in range(highest[mu] + 1):
            yield mu, nu


@cache
def _powers(rank: int) -> list[Powers]:
    """The exponents of x, y and z of all monomials of this rank in MLIP's order."""
    return [(a, b, rank - a - b) for a in range(rank, -1, -1) for b in range(rank - a, -1, -1)]


def _terms(
    plan: _Plan, component: tuple[Powers, ...], numbers: dict[_Kind, dict[tuple[Powers, ...], int]]
) -> tuple[tuple[tuple[int, int], int], ...]:
    """The products of two moments, with their multiplicities, whose sum is this component, sorted."""
    (left, left_vertices), (right, right_vertices) = plan.left, plan.right
    terms: dict[tuple[int, int], int] = defaultdict(int)
    for contracted in product(*(_powers(alpha) for _, _, alpha in plan.cuts)):
        powers = list(component)
        for (v, w, _), (a, b, c) in zip(plan.cuts, contracted, strict=True):
            for u in (v, w):
                x, y, z = powers[u]
                powers[u] = (x + a, y + b, z + c)
        first = numbers[left][tuple([powers[v] for v in left_vertices])]
        second = numbers[right][tuple([powers[v] for v in right_vertices])]
        pair = (first, second) if first < second else (second, first)
        terms[pair] += prod(map(_multinomial, contracted))
    return tuple(sorted(terms.items()))


@cache
def _multinomial(powers: Powers) -> int:
    return factorial(sum(powers)) // prod(map(factorial, powers))


def _array(rows: list[tuple[int, int, int, int]] | list[int], width: int) -> IntArray:
    array = np.array(rows, dtype=np.int32).reshape((-1, width) if width else -1)
    array.setflags(write=False)
    return array
