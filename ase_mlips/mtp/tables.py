"""Constant tables of the moments, computed at load: channels, basic moments from channel sums, products by target."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.polynomial import chebyshev, polynomial

from ..arrays import BoolArray, FloatArray, IntArray
from ..engine.packing import Sparse
from .model import MtpModel

LONGEST = 6  # terms of a run


@dataclass(frozen=True)
class Channels:
    """Channels f_mu and f_mu x/r of `lanes.channel_sums`, sorted by descending limit.

    Attributes
    ----------
    function, odd : (C,) arrays
        mu, and whether the channel has the factor x/r.
    limits, offsets : (C + 3,) arrays
        As `lanes.channel_sums` wants them.
    """

    function: IntArray
    odd: IntArray
    limits: IntArray
    offsets: IntArray

    def place(self, mu: int, odd: int) -> int:
        """Number of a channel."""
        return int(np.flatnonzero((self.function == mu) & (self.odd == odd))[0])


def channels(basic: IntArray) -> Channels:
    """The channels that the basic moments (mu, a, b, c) need."""
    found = []
    for mu in range(int(basic[:, 0].max()) + 1):
        ranks = basic[basic[:, 0] == mu, 1:].sum(1)
        top = int(ranks.max()) if ranks.size else 0
        found += [(top - odd, mu, odd) for odd in (0, 1) if top >= odd]
    found.sort(key=lambda channel: -channel[0])
    limits = [limit for limit, _, _ in found]
    offsets = np.cumsum([0, *((limit + 1) * (limit + 2) // 2 for limit in limits)])
    return Channels(
        np.array([mu for _, mu, _ in found], np.int32),
        np.array([odd for _, _, odd in found], np.int32),
        np.array([*limits, -1, -1, -1], np.int32),
        np.array([*offsets, offsets[-1], offsets[-1]], np.int32),
    )


@cache
def _on_sphere(a: int, b: int, c: int) -> dict[tuple[int, int, int], float]:
    """x^a y^b z^c on the unit sphere with at most one factor x."""
    if a < 2:
        return {(a, b, c): 1.0}
    result: dict[tuple[int, int, int], float] = {}
    for shift, sign in (((0, 0), 1.0), ((2, 0), -1.0), ((0, 2), -1.0)):
        for key, value in _on_sphere(a - 2, b + shift[0], c + shift[1]).items():
            result[key] = result.get(key, 0.0) + sign * value
    return result


def sums_to_moments(basic: IntArray, layout: Channels) -> Sparse:
    """The matrix from the channel sums to the basic moments."""
    rows = []
    for mu, a, b, c in basic.tolist():
        row = {}
        for (odd, p, q), value in _on_sphere(a, b, c).items():
            channel = layout.place(mu, odd)
            limit = int(layout.limits[channel])
            row[int(layout.offsets[channel]) + p * (limit + 1) - p * (p - 1) // 2 + q] = value
        rows.append(row)
    return Sparse.from_rows(rows)


@dataclass(frozen=True)
class Program:
    """``M[i3] += multiplicity M[i0] M[i1]`` as runs: rows that share the same factors A, which stay in registers.

    Attributes
    ----------
    stream : int array
        For each run n, the number of rows, and n places A; for each of its rows the target and n places B.
    weights : array
        For each run the n multiplicities.
    places : (runs, 2) int array
        Where each run begins in `stream` and in `weights`.
    """

    stream: IntArray
    weights: FloatArray
    places: IntArray


def program(model: MtpModel) -> Program:
    """Compile the table of products, without those that no basis function needs.

    The terms of a target are cut into pieces of at most `LONGEST`.  Either the first or the second factors of a piece
    may be A: those that more pieces have in common are, because then the runs are longer.  Moments are worked on level
    by level: those of one level depend on lower ones only.
    """
    live = live_moments(model)
    level = np.zeros(model.n_moments, np.int64)
    terms: dict[int, list[tuple[int, int, int]]] = {}
    for i0, i1, weight, i3 in model.times.tolist():
        if live[i3]:
            level[i3] = max(level[i3], level[i0] + 1, level[i1] + 1)
            terms.setdefault(i3, []).append((i0, i1, weight))
    pieces = []
    count: dict[tuple[object, ...], int] = {}
    for target, entries in terms.items():
        parts = -(-len(entries) // LONGEST)
        for part in range(parts):
            own = entries[len(entries) * part // parts : len(entries) * (part + 1) // parts]
            keys = [(level[target], *((entry[side], entry[2]) for entry in own)) for side in (0, 1)]
            pieces.append((target, own, keys))
            for key in keys:
                count[key] = count.get(key, 0) + 1
    runs: dict[tuple[object, ...], list[list[int]]] = {}
    for target, own, keys in pieces:
        side = 0 if count[keys[0]] >= count[keys[1]] else 1
        runs.setdefault(keys[side], []).append([target, *(entry[1 - side] for entry in own)])
    stream: list[int] = []
    weights: list[float] = []
    places: list[tuple[int, int]] = []
    for key in sorted(runs, key=lambda key: key[0]):  # type: ignore[arg-type, return-value]
        places.append((len(stream), len(weights)))
        shared = [entry for entry in key[1:] if isinstance(entry, tuple)]
        stream += [len(shared), len(runs[key]), *(place for place, _ in shared)]
        weights += [float(weight) for _, weight in shared]
        for row in runs[key]:
            stream += row
    return Program(np.array(stream, np.int32), np.array(weights, float), np.array(places, np.int32).reshape(-1, 2))


def live_moments(model: MtpModel) -> BoolArray:
    """Moments that some basis function depends on."""
    live = np.zeros(model.n_moments, bool)
    live[model.mapping] = True
    for i0, i1, _, i3 in model.times[::-1].tolist():
        if live[i3]:
            live[i0] = live[i1] = True
    return live


def chebyshev_from_powers(size: int, low: float, high: float) -> FloatArray:
    """Matrix (n, k): r^n as Chebyshev coefficients of xi = (2 r - low - high) / (high - low)."""
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    result = np.zeros((size, size))
    power = np.array([1.0])
    for n in range(size):
        result[n, : n + 1] = chebyshev.poly2cheb(power)
        power = polynomial.polymul(power, [middle, half])
    return result


def chebyshev_coefficients(model: MtpModel) -> FloatArray:
    """Radial coefficients in terms of T_n(xi), scaling included: [mu, n, centre, neighbour]."""
    return np.ascontiguousarray((model.scaling * model.radial_coefficients @ to_chebyshev(model)).transpose(2, 3, 0, 1))


def to_chebyshev(model: MtpModel) -> FloatArray:
    """Matrix (n, k) from the model's radial basis, without weight and scaling, to T_k(xi)."""
    if model.radial_basis == "RBTaylor":
        return chebyshev_from_powers(model.radial_size, model.min_dist, model.max_dist)
    return np.eye(model.radial_size)
