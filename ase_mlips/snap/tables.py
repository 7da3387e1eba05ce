"""Constant tables of the bispectrum, computed at load: channel sums to U, coupling tiles, contractions.

Doubled angular momenta throughout: j = 0, 1, .., twojmax and U^j is a (j+1) x (j+1) matrix with rows mb
and columns ma.  "Half" means the elements with 2 mb < j and, of the middle row, ma <= mb: the others follow
from U^j[j-mb][j-ma] = (-1)^(ma-mb) conj U^j[mb][ma].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from math import comb, factorial, sqrt

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray, IntArray
from ..engine.packing import Sparse
from .layout import TILE_WORDS
from .model import SnapModel, bispectrum_labels


def half_elements(j: int) -> list[tuple[int, int]]:
    """(mb, ma) of the independent elements of U^j."""
    return [(mb, ma) for mb in range(j // 2 + 1) for ma in range((mb if 2 * mb == j else j) + 1)]


def full_offset(j: int, mb: int = 0, ma: int = 0) -> int:
    """Place of U^j[mb][ma] among all complex elements of all j."""
    return j * (j + 1) * (2 * j + 1) // 6 + mb * (j + 1) + ma


def half_size(j: int) -> int:
    """Complex elements of the rows 2 mb <= j, the middle row whole."""
    return (j // 2 + 1) * (j + 1)


def half_offset(j: int, mb: int = 0, ma: int = 0) -> int:
    """Place of Y^j[mb][ma] among the rows 2 mb <= j of all j."""
    return sum(half_size(k) for k in range(j)) + mb * (j + 1) + ma


def channel_layout(twojmax: int) -> tuple[IntArray, IntArray]:
    """Limits and offsets of the channels 1, Re b, Im b, Re b^2, .. as `lanes.channel_sums` wants them."""
    limits = [twojmax] + [twojmax - m for m in range(1, twojmax + 1) for _ in range(2)]
    sizes = [(limit + 1) * (limit + 2) // 2 for limit in limits]
    offsets = np.cumsum([0, *sizes])
    return (
        np.array([*limits, -1, -1, -1], np.int32),
        np.array([*offsets, offsets[-1], offsets[-1]], np.int32),
    )


def _powers(base: FloatArray, n: int) -> list[NDArray[np.complex128]]:
    """base**0 .. base**n as polynomials packed into one variable."""
    result = [np.ones(1, complex)]
    for _ in range(n):
        result.append(np.convolve(result[-1], base))
    return result


def sums_to_u(twojmax: int) -> Sparse:
    """The matrix from the channel sums to the independent elements of U, real and imaginary parts in turn.

    With a = c - i z and b as Cayley-Klein parameters, c^2 + z^2 + |b|^2 = 1, an element is b^m (or its
    conjugate, m = |ma - mb|) times a polynomial in the real variables c and z: Wigner's formula (Varshalovich
    et al., section 4.3.1) with |b|^2 replaced.  Polynomials are packed as c = t, z = t^(twojmax+1).
    """
    step = twojmax + 1
    a = np.zeros(step + 1, complex)
    a[1], a[step] = 1.0, -1.0j
    b2 = np.zeros(2 * step + 1, complex)
    b2[0], b2[2], b2[2 * step] = 1.0, -1.0, -1.0
    a_powers, conj_powers, b2_powers = (_powers(x, twojmax) for x in (a, a.conj(), b2))
    _, offsets = channel_layout(twojmax)
    rows: list[dict[int, float]] = []
    for j in range(twojmax + 1):
        for mb, ma in half_elements(j):
            m = abs(ma - mb)
            poly = np.zeros(step * step, complex)
            for r in range(mb + 1):
                q = ma - mb + r
                if not 0 <= q <= j - mb:
                    continue
                term = np.convolve(a_powers[mb - r], conj_powers[j - mb - q])
                term = np.convolve(term, b2_powers[min(r, q)])
                poly[: term.size] += (-1) ** q * comb(mb, r) * comb(j - mb, q) * term
            norm = sqrt(factorial(ma) * factorial(j - ma) / (factorial(mb) * factorial(j - mb)))
            sign = 1.0 if ma < mb else -1.0  # b for ma < mb, its conjugate for ma > mb
            real: dict[int, float] = {}
            imaginary: dict[int, float] = {}
            for place in np.nonzero(poly)[0]:
                z_power, c_power = divmod(int(place), step)
                limit = twojmax - m
                # rows of the sums are powers of c, columns powers of z
                within = c_power * (limit + 1) - c_power * (c_power - 1) // 2 + z_power
                value = norm * poly[place]
                if m == 0:
                    real[within] = value.real
                    imaginary[within] = value.imag
                else:
                    re, im = int(offsets[2 * m - 1]) + within, int(offsets[2 * m]) + within
                    real[re], real[im] = value.real, -sign * value.imag
                    imaginary[re], imaginary[im] = value.imag, sign * value.real
            rows += [{k: v for k, v in part.items() if v != 0.0} for part in (real, imaginary)]
    return Sparse.from_rows(rows)


def mirror(twojmax: int) -> list[tuple[int, int, float]]:
    """For each independent element in turn: its place in full U, its mirror's place, the sign."""
    return [
        (full_offset(j, mb, ma), full_offset(j, j - mb, j - ma), float((-1) ** (ma - mb)))
        for j in range(twojmax + 1)
        for mb, ma in half_elements(j)
    ]


def half_weight(j: int, mb: int, ma: int) -> float:
    """Weight of an element in sums over half of U^j."""
    return 1.0 if 2 * mb == j and 2 * ma == j else 2.0


def y_to_sums(twojmax: int) -> Sparse:
    """The transpose of `sums_to_u` with the half-sum weights, from Y (rows 2 mb <= j) to dE/dS."""
    forward = sums_to_u(twojmax)
    elements = [(j, mb, ma) for j in range(twojmax + 1) for mb, ma in half_elements(j)]
    rows: list[dict[int, float]] = [{} for _ in range(int(channel_layout(twojmax)[1][-1]))]
    for r in range(2 * len(elements)):
        j, mb, ma = elements[r // 2]
        place = 2 * half_offset(j, mb, ma) + r % 2
        for k in range(forward.begin[r], forward.begin[r + 1]):
            rows[forward.columns[k]][place] = half_weight(j, mb, ma) * float(forward.values[k])
    return Sparse.from_rows(rows)


@cache
def clebsch_gordan(j1: int, j2: int, j: int, mb1: int, mb2: int) -> float:
    """<j1 m1 j2 m2 | j m1+m2> with doubled j and indices mb = m + j/2 (Racah's formula, exact until the roots)."""
    aa, bb = 2 * mb1 - j1, 2 * mb2 - j2
    cc = aa + bb
    if abs(cc) > j:
        return 0.0
    f = factorial
    total = 0
    low = max(0, (j2 - j - aa) // 2, (j1 - j + bb) // 2)
    high = min((j1 + j2 - j) // 2, (j1 - aa) // 2, (j2 + bb) // 2)
    scale = f((j1 + j2 - j) // 2) * f((j1 - aa) // 2) * f((j2 + bb) // 2)
    for k in range(low, high + 1):
        down = (
            f(k)
            * f((j1 + j2 - j) // 2 - k)
            * f((j1 - aa) // 2 - k)
            * f((j2 + bb) // 2 - k)
            * f((j - j2 + aa) // 2 + k)
            * f((j - j1 - bb) // 2 + k)
        )
        total += (-1) ** k * (scale * f(j) ** 2 // down)
    square = f((j1 + aa) // 2) * f((j1 - aa) // 2) * f((j2 + bb) // 2) * f((j2 - bb) // 2)
    square *= f((j + cc) // 2) * f((j - cc) // 2) * (j + 1)
    triangle = f((j1 + j2 - j) // 2) * f((j1 - j2 + j) // 2) * f((j2 - j1 + j) // 2)
    norm = sqrt(square * triangle / f((j1 + j2 + j) // 2 + 1))
    return total / (scale * f(j) ** 2) * norm


def couplings(twojmax: int) -> list[tuple[int, int, int]]:
    """All (j1, j2, j) with j1 >= j2 for which Z^j_{j1 j2} exists."""
    return [
        (j1, j2, j)
        for j1 in range(twojmax + 1)
        for j2 in range(j1 + 1)
        for j in range(j1 - j2, min(twojmax, j1 + j2) + 1, 2)
    ]


def z_offsets(twojmax: int) -> dict[tuple[int, int, int], int]:
    """Where the rows 2 mb <= j of each Z begin, in complex elements, and under (-1, -1, -1) their total."""
    offsets, place = {}, 0
    for j1, j2, j in couplings(twojmax):
        offsets[j1, j2, j] = place
        place += half_size(j)
    offsets[-1, -1, -1] = place
    return offsets


@dataclass(frozen=True)
class Tiles:
    """Register tiles of all couplings (j1, j2, j), rows mb.

    ``words`` [n][12]: rows n1, columns n2, K, place of the K constants C[mb1] in `outer`, of the n1 x n2
    constants C[ma1] in `inner`, start and row stride of U^j1, start and row stride of U^j2 (walked backwards),
    start in Y, start in Z, first and last anti-diagonal packed as d0 + 8 d1.  Places in U, Y, Z count complex elements.
    """

    words: IntArray
    outer: FloatArray
    inner: FloatArray
    triplet: IntArray  # for each constant of `outer`, the number of its (j1, j2, j) in `couplings`


def coupling_tiles(twojmax: int, largest: tuple[int, int], *, bnorm: bool, symmetric: bool) -> Tiles:
    """Cut the products C C U^j1 U^j2 into tiles, of `largest` rows and columns at most.

    With `symmetric` (both factors of one element) terms of j1 = j2 are taken once with mb1 <= mb2 and doubled.
    """
    words: list[list[int]] = []
    outer: list[float] = []
    inner: list[float] = []
    triplet: list[int] = []
    z_places = z_offsets(twojmax)
    for number, (j1, j2, j) in enumerate(couplings(twojmax)):
        s = (j1 + j2 - j) // 2
        fold = symmetric and j1 == j2
        for mb in range(j // 2 + 1):
            first = max(0, mb + s - j2)
            last = min(j1, mb + s)
            if fold:
                last = min(last, (mb + s) // 2)
            k_place = len(outer)
            for mb1 in range(first, last + 1):
                mb2 = mb + s - mb1
                twice = 2.0 if fold and mb1 < mb2 else 1.0
                outer.append(twice * clebsch_gordan(j1, j2, j, mb1, mb2) / (j + 1 if bnorm else 1))
                triplet.append(number)
            ma_last = mb if 2 * mb == j else j
            for row in range(0, j1 + 1, largest[0]):
                n1 = min(largest[0], j1 + 1 - row)
                column0, column1 = max(0, s - (row + n1 - 1)), min(j2, ma_last + s - row)
                for column in range(column0, column1 + 1, largest[1]):
                    n2 = min(largest[1], column1 + 1 - column)
                    start = row + column - s  # ma of the first anti-diagonal
                    d0, d1 = max(0, -start), min(n1 + n2 - 2, ma_last - start)
                    if d0 > d1:
                        continue
                    words.append(
                        [
                            n1,
                            n2,
                            last - first + 1,
                            k_place,
                            len(inner),
                            full_offset(j1, first, row),
                            j1 + 1,
                            full_offset(j2, mb + s - first, column),
                            j2 + 1,
                            half_offset(j, mb, 0) + start,
                            z_places[j1, j2, j] + mb * (j + 1) + start,
                            d0 + 8 * d1,
                        ]
                    )
                    for p in range(n1):
                        for q in range(n2):
                            valid = d0 <= p + q <= d1
                            inner.append(clebsch_gordan(j1, j2, j, row + p, column + q) if valid else 0.0)
    words.sort(key=lambda word: word[:3])  # tiles of equal loops in a row: the processor predicts their ends
    return Tiles(
        np.array(words, np.int32).reshape(-1, TILE_WORDS),
        np.array(outer, float),
        np.array(inner, float),
        np.array(triplet, np.int32),
    )


def adjoint_term(j1: int, j2: int, j: int, *, bnorm: bool) -> tuple[tuple[int, int, int], tuple[int, int, int], float]:
    """Which coefficient multiplies Z^j_{j1 j2} in Y^j, and its factor, as LAMMPS counts.

    Returns the triplet, sorted as in `bispectrum_labels`; for each of its three places the place (of j1, j2, j)
    whose element stands there; and how often the product occurs in B (Thompson et al. 2015, eq. 5, differentiated).
    """
    if j >= j1:
        label, order, factor = (j1, j2, j), (0, 1, 2), 3.0 if j1 == j2 == j else 2.0 if j1 == j else 1.0
    elif j >= j2:
        label, order, factor = (j, j2, j1), (2, 1, 0), 2.0 if j2 == j else 1.0
    else:
        label, order, factor = (j2, j, j1), (1, 2, 0), 1.0
    if j1 > j and not bnorm:
        factor *= (j1 + 1) / (j + 1)
    return label, order, factor


@dataclass(frozen=True)
class Contractions:
    """Which stored Z make which B, and which beta times which Z make Y.

    ``b`` [n][5]: place of Z, element of U, first independent element of U^j and their number, descriptor.
    ``y`` [n][4]: place of Z, place of Y, complex elements, descriptor; sorted by descriptor.
    """

    b: IntArray
    y: IntArray
    factors: FloatArray


def contractions(twojmax: int, elements: int, *, bnorm: bool, lammps: bool) -> Contractions:
    """Tables for `elements` channels.

    With several elements some descriptors are equal, for example abc and bac where j1 = j2.  With `lammps` Y is made as
    LAMMPS does, which counts on equal coefficients of equal descriptors; else it is the derivative whatever they are.
    """
    labels, numbers, places = bispectrum_labels(twojmax), label_numbers(twojmax), z_offsets(twojmax)
    z_size, y_size = places[-1, -1, -1], half_offset(twojmax + 1)
    first = np.cumsum([0, *(len(half_elements(j)) for j in range(twojmax + 1))])
    b_terms: list[tuple[int, ...]] = []
    y_terms: dict[tuple[int, ...], float] = {}

    def descriptor(e: tuple[int, ...], label: tuple[int, int, int]) -> int:
        return ((e[0] * elements + e[1]) * elements + e[2]) * len(labels) + numbers[label]

    def add(k: int, e: tuple[int, ...], j: tuple[int, ...], factor: float) -> None:
        z = (e[0] * elements + e[1]) * z_size + places[j[0], j[1], j[2]]
        key = (k, z, e[2] * y_size + half_offset(j[2]), half_size(j[2]))
        y_terms[key] = y_terms.get(key, 0.0) + factor

    for e in product(range(elements), repeat=3):
        for label in labels:
            (j1, j2, j), k = label, descriptor(e, label)
            z = (e[0] * elements + e[1]) * z_size + places[label]
            b_terms.append((z, e[2], int(first[j]), int(first[j + 1] - first[j]), k))
            if not lammps:
                add(k, e, label, 1.0)
                add(k, (e[2], e[1], e[0]), (j, j2, j1), 1.0 if bnorm else (j + 1) / (j1 + 1))
                add(k, (e[2], e[0], e[1]), (j, j1, j2), 1.0 if bnorm else (j + 1) / (j2 + 1))
        for coupling in couplings(twojmax) if lammps else ():
            label, order, factor = adjoint_term(*coupling, bnorm=bnorm)
            add(descriptor(tuple(e[o] for o in order), label), e, coupling, factor)
    keys = sorted(y_terms)
    return Contractions(
        np.array(b_terms, np.int32),
        np.array([(z, y, size, k) for k, z, y, size in keys], np.int32),
        np.array([y_terms[key] for key in keys]),
    )


def label_numbers(twojmax: int) -> dict[tuple[int, int, int], int]:
    """Number of each bispectrum component."""
    return {label: k for k, label in enumerate(bispectrum_labels(twojmax))}


def forces_are_a_gradient(model: SnapModel) -> bool:
    """Whether an atom's energy has the same derivative by all descriptors that are equal, to 1e-6 of the largest.

    LAMMPS's contraction, which this package follows for polynomials, takes that for granted.
    """
    if not model.chemflag or model.network is not None:
        return True
    groups, K = equal_descriptors(model), model.n_descriptors
    for row in model.coefficients:
        slopes = [row[1 : 1 + K]]
        if model.quadraticflag:
            matrix = np.zeros((K, K))
            matrix[np.triu_indices(K)] = row[1 + K :]
            matrix += np.triu(matrix, 1).T
            slopes += [matrix[:, group].sum(axis=1) for group in groups]
        for values in slopes:
            spread = max(float(np.ptp(values[group])) for group in groups)
            if spread > 1e-6 * float(np.abs(model.coefficients[:, 1:]).max()):
                return False
    return True


def equal_descriptors(model: SnapModel) -> list[list[int]]:
    """Groups of descriptors of a model with `chemflag` that are equal: an exchange of equal j moves only elements."""
    elements, labels = len(model.elements), bispectrum_labels(model.twojmax)
    groups: dict[tuple[object, ...], list[int]] = {}
    for e in product(range(elements), repeat=3):
        for k, label in enumerate(labels):
            key = (label, *sorted(zip(label, e, strict=True)))
            number = ((e[0] * elements + e[1]) * elements + e[2]) * len(labels) + k
            groups.setdefault(key, []).append(number)
    return list(groups.values())
