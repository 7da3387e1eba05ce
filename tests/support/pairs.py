"""Neighbour pairs without a neighbour list: every pair, every image, in NumPy."""

from __future__ import annotations

from itertools import product

import numpy as np

from ase_mlips.arrays import BoolArray, FloatArray, Int64Array

Pairs = tuple[Int64Array, Int64Array, Int64Array, FloatArray]


def image_counts(cell: FloatArray, pbc: BoolArray, cutoff: float) -> Int64Array:
    """How many cells away, per axis, an image of an atom within the cell can be within reach."""
    periodic = pbc & (np.abs(cell) > 0.0).any(axis=1)
    counts = np.zeros(3, int)
    dual = np.linalg.pinv(cell[periodic]).T
    counts[periodic] = np.ceil(cutoff * np.linalg.norm(dual, axis=1)) + 1
    return counts


def all_pairs(positions: FloatArray, cell: FloatArray, pbc: BoolArray, cutoff: float) -> Pairs:
    """i, j, S, D of all pairs nearer than `cutoff`, in no particular order."""
    periodic = pbc & (np.abs(cell) > 0.0).any(axis=1)
    turns = np.zeros((len(positions), 3))
    turns[:, periodic] = np.floor(positions @ np.linalg.pinv(cell[periodic]))
    wrapped = positions - turns @ cell
    found = []
    for multiple in product(*(range(-m, m + 1) for m in image_counts(cell, pbc, cutoff))):
        vectors = wrapped[None, :, :] - wrapped[:, None, :] + np.array(multiple) @ cell
        near = np.linalg.norm(vectors, axis=2) < cutoff
        if not any(multiple):
            np.fill_diagonal(near, False)
        i, j = np.nonzero(near)
        found.append((i, j, np.array(multiple) + turns[i] - turns[j], vectors[i, j]))
    i, j, S, D = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return i, j, np.rint(S).astype(np.int64), D


def assert_same_pairs(ours: Pairs, reference: Pairs, *, cutoff: float) -> None:
    """Same pairs and vectors; pairs whose distance is the cutoff within rounding may be in one only."""
    keyed = [
        {(i, j, *S): D for i, j, S, D in zip(*map(np.ndarray.tolist, pairs), strict=True)}
        for pairs in (ours, reference)
    ]
    for pairs, table in zip((ours, reference), keyed, strict=True):
        assert len(table) == len(pairs[0]), "a pair is listed twice"
    mine, theirs = keyed
    for key in mine.keys() ^ theirs.keys():
        distance = np.linalg.norm(mine[key] if key in mine else theirs[key])
        assert abs(distance - cutoff) < 1e-9 * cutoff, f"{key} at {distance} is in one list only"
    for key in mine.keys() & theirs.keys():
        np.testing.assert_allclose(mine[key], theirs[key], rtol=0.0, atol=1e-9)
