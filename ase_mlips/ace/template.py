"""ACE models that are still to be fitted: all independent functions up to given ranks, n and l."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations_with_replacement, product

import numpy as np

from ..arrays import FloatArray, IntArray
from .coupling import couplings, intermediates
from .model import AceModel, Bond, Embedding, Function

Factor = tuple[int, int, int]  # element, n, l


def ace_template(
    elements: Sequence[str],
    *,
    cutoff: float | Sequence[Sequence[float]],
    nmax: Sequence[int],
    lmax: Sequence[int],
    radial_basis: str = "ChebExpCos",
    scale: float = 3.0,
) -> AceModel:
    """A linear model without coefficients (they are zero), to be fitted.

    Its functions are all products, of each rank up to the number of `nmax`, that do not change under rotations and
    reflections and are linearly independent.

    Parameters
    ----------
    elements : sequence of str
    cutoff : float or (E, E) sequence
        In A, of all bonds or of each, the element of the central atom first.
    nmax, lmax : sequences of int
        For rank 1, 2, ..: how many radial functions, and the largest l; that of rank 1 is 0.
    radial_basis : str
        One of `RADIAL_BASES`.
    scale : float
        lambda of the radial basis.

    Raises
    ------
    ValueError
        Lists of different lengths, or a value that has no meaning.
    """
    if len(nmax) != len(lmax) or not nmax or min(nmax) < 1 or min(lmax) < 0 or lmax[0] != 0:
        raise ValueError(f"expected nmax >= 1 and lmax of as many ranks, the first 0, got {list(nmax)}, {list(lmax)}")
    count = len(elements)
    cutoffs = np.broadcast_to(np.asarray(cutoff, float), (count, count))
    base, radial, top = max(nmax), max(nmax[1:], default=1), max(lmax)
    coefficients = np.zeros((radial, top + 1, base))
    coefficients[range(radial), :, range(radial)] = 1.0
    bonds = tuple(tuple(Bond(radial_basis, coefficients, float(own), scale) for own in row) for row in cutoffs)
    functions = tuple(
        function
        for rank, (n, degree) in enumerate(zip(nmax, lmax, strict=True), 1)
        for function in _of_rank(count, rank, n, degree)
    )
    embedding = Embedding("FinnisSinclair", np.ones(2))
    return AceModel(tuple(elements), np.zeros(count), bonds, (functions,) * count, (embedding,) * count, "distance")


def _of_rank(count: int, rank: int, nmax: int, lmax: int) -> Iterator[Function]:
    """Independent functions of one rank; all have the weight zero."""
    factors = list(product(range(count), range(1, nmax + 1), range(lmax + 1)))
    for chosen in combinations_with_replacement(factors, rank):
        others, ns, ls = zip(*chosen, strict=True)
        for ms, values in _independent(ls, _repeats(chosen)):
            yield Function(others, ns, ls, ms, np.zeros((len(ms), 1)), values)


def _repeats(chosen: Sequence[Factor]) -> tuple[int, ...]:
    """For each factor the number of the first one that equals it."""
    return tuple(chosen.index(factor) for factor in chosen)


@cache
def _independent(ls: tuple[int, ...], repeats: tuple[int, ...]) -> list[tuple[IntArray, FloatArray]]:
    """Couplings of these momenta that stay independent where some of the factors are equal."""
    found: list[tuple[IntArray, FloatArray]] = []
    basis: list[FloatArray] = []
    columns: dict[tuple[tuple[int, int], ...], int] = {}
    if len(ls) == 1:
        return [couplings(ls, ())] if ls == (0,) else []
    candidates = [couplings(ls, inner) for inner in intermediates(ls)]
    for ms, _ in candidates:
        for row in ms.tolist():
            columns.setdefault(tuple(sorted(zip(repeats, row, strict=True))), len(columns))
    for ms, values in candidates:
        vector = np.zeros(len(columns))
        for row, value in zip(ms.tolist(), values, strict=True):
            vector[columns[tuple(sorted(zip(repeats, row, strict=True)))]] += value
        rest = vector.copy()
        for _ in range(2):
            for own in basis:
                rest -= (rest @ own) * own
        if np.linalg.norm(rest) > 1e-8:
            basis.append(rest / np.linalg.norm(rest))
            found.append((ms, values))
    return found
