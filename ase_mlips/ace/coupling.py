"""Invariant products of spherical harmonics: Clebsch-Gordan coefficients along a tree.

R. Drautz, Phys. Rev. B 99, 014104 (2019), appendix; G. Dusson et al., J. Comput. Phys. 454, 110946 (2022), section 4.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from math import factorial, sqrt

import numpy as np

from ..arrays import FloatArray, IntArray

Factor = tuple[int, int, int]  # element, n, l


@cache
def clebsch_gordan(j1: int, m1: int, j2: int, m2: int, J: int, M: int) -> float:
    """``<j1 m1 j2 m2 | J M>`` by Racah's formula; zero where that has no meaning."""
    outside = abs(m1) > j1 or abs(m2) > j2 or abs(M) > J or not abs(j1 - j2) <= J <= j1 + j2
    if outside or m1 + m2 != M:
        return 0.0
    f = factorial
    total = 0.0
    for k in range(max(0, j2 - J - m1, j1 - J + m2), min(j1 + j2 - J, j1 - m1, j2 + m2) + 1):
        below = f(k) * f(j1 + j2 - J - k) * f(j1 - m1 - k) * f(j2 + m2 - k) * f(J - j2 + m1 + k) * f(J - j1 - m2 + k)
        total += (-1) ** k / below
    triangle = (2 * J + 1) * f(J + j1 - j2) * f(J - j1 + j2) * f(j1 + j2 - J) / f(j1 + j2 + J + 1)
    states = f(J + M) * f(J - M) * f(j1 - m1) * f(j1 + m1) * f(j2 - m2) * f(j2 + m2)
    return sqrt(triangle) * sqrt(states) * total


@cache
def tree(rank: int) -> tuple[tuple[int, int], ...]:
    """Which two momenta each step couples; factors are 0 .. rank - 1, the result of step s is rank + s.

    Pairs of factors first, then the results in the order in which they were made; a last odd factor comes at the end.
    """
    steps = [(2 * k, 2 * k + 1) for k in range(rank // 2)]
    made = deque(rank + k for k in range(rank // 2))
    while len(made) > 1:
        steps.append((made.popleft(), made.popleft()))
        made.append(rank + len(steps) - 1)
    if rank % 2 and rank > 1:
        steps.append((made.popleft(), rank - 1))
    return tuple(steps)


def intermediates(ls: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """All sets of rank - 2 intermediate momenta with which these couple to zero."""
    steps = tree(len(ls))

    def extend(known: list[int], step: int) -> Iterator[tuple[int, ...]]:
        if step == len(steps):
            yield tuple(known[len(ls) : -1])
            return
        a, b = (known[k] for k in steps[step])
        lowest, highest = (abs(a - b), a + b) if step < len(steps) - 1 else (0, 0 if a == b else -1)
        for momentum in range(lowest, highest + 1):
            yield from extend([*known, momentum], step + 1)

    if sum(ls) % 2 == 0:
        yield from extend(list(ls), 0)


def couplings(ls: Sequence[int], inner: Sequence[int]) -> tuple[IntArray, FloatArray]:
    """All m (M, rank), the first one the fastest, with coefficients (M,) that are not zero.

    Parameters
    ----------
    ls : sequence of int
    inner : sequence of int
        The intermediate momenta, rank - 2 of them.

    Raises
    ------
    ValueError
        These momenta do not couple to zero.
    """
    rank = len(ls)
    if rank == 1:
        if tuple(ls) != (0,) or len(inner):
            raise ValueError(f"expected l = 0 and no intermediate momenta of rank 1, got {list(ls)}, {list(inner)}")
        return np.zeros((1, 1), np.int32), np.ones(1)
    if len(inner) != rank - 2:
        raise ValueError(f"expected {rank - 2} intermediate momenta of rank {rank}, got {list(inner)}")
    momenta, steps = [*ls, *inner, 0], tree(rank)
    rows, values = [], []
    for backwards in product(*(range(-degree, degree + 1) for degree in reversed(ls[:-1]))):
        ms = [*reversed(backwards), -sum(backwards)]
        if abs(ms[-1]) > ls[-1]:
            continue
        value, known = 1.0, list(ms)
        for step, (a, b) in enumerate(steps):
            known.append(known[a] + known[b])
            value *= clebsch_gordan(momenta[a], known[a], momenta[b], known[b], momenta[rank + step], known[-1])
            if value == 0.0:
                break
        if value != 0.0:
            rows.append(ms)
            values.append(value)
    if not rows:
        raise ValueError(f"expected momenta that couple to zero, got l = {list(ls)} with L = {list(inner)}")
    return np.array(rows, np.int32), np.array(values)
