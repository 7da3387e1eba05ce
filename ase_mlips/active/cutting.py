"""Cutting the surroundings of an atom out of a large structure, small enough to be labelled."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.geometry import get_distances

from ase_mlips.arrays import FloatArray, Int64Array

RADIUS = 7.0  # A, MLIP's
CLOSEST = 0.8  # of the smallest distance in the structure: nearer atoms do not stay on both sides of a boundary


def cut_cluster(atoms: Atoms, center: int, *, radius: float = RADIUS) -> Atoms:
    """The atoms within `radius` in A of an atom, periodic images included, in vacuum.

    The first atom is the central one, at the origin.  ``info["center"]`` is its number in `atoms`, and
    ``arrays["original"]`` holds that of each.

    Raises
    ------
    ValueError
        There is no such atom, or the radius is not positive.
    """
    numbers, vectors = _surroundings(atoms, center, radius)
    return _piece(atoms, center, numbers, vectors)


def cut_cell(atoms: Atoms, center: int, *, radius: float = RADIUS) -> Atoms:
    """A small periodic cell around an atom, in which its surroundings up to `radius` in A are those of `atoms`.

    The cell is a cube of edge ``2 radius`` with the atom in its middle.  Atoms that come too close to others across its
    boundary, closer than 0.8 of the smallest distance in `atoms`, are left out, those far from the centre first; none
    within `radius` of it is.

    Parameters and errors are those of `cut_cluster`, and so is what is said of the atoms.
    """
    numbers, vectors = _surroundings(atoms, center, np.sqrt(3.0) * radius)
    inside = np.all((vectors >= -radius) & (vectors < radius), axis=1)
    numbers, vectors = numbers[inside], vectors[inside]
    edge = 2.0 * radius
    kept = _apart(vectors, edge, CLOSEST * _smallest_distance(vectors), radius)
    piece = _piece(atoms, center, numbers[kept], vectors[kept])
    piece.set_cell(np.full(3, edge))
    piece.pbc = True
    piece.positions += radius
    return piece


def _surroundings(atoms: Atoms, center: int, radius: float) -> tuple[Int64Array, FloatArray]:
    """Numbers (P,) of the atoms around one, itself first, and the vectors (P, 3) to them, by their length."""
    if not 0 <= center < len(atoms):
        raise ValueError(f"center: expected the number of one of {len(atoms)} atoms, from 0 on, got {center}")
    if not radius > 0.0:
        raise ValueError(f"radius: expected a positive number in A, got {radius}")
    cell = atoms.cell.complete()
    fractions = cell.scaled_positions(atoms.positions - atoms.positions[center])
    fractions -= np.where(atoms.pbc, np.round(fractions), 0.0)
    heights = atoms.cell.complete().volume / np.linalg.norm(np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1)
    most = np.where(atoms.pbc, np.ceil(radius / heights + 0.5), 0).astype(int)
    images = np.array(list(np.ndindex(*(2 * most + 1)))) - most
    vectors = ((fractions[:, None] + images) @ cell.array).reshape(-1, 3)
    lengths = np.round(np.linalg.norm(vectors, axis=1), 9)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] < radius]
    return order // len(images), vectors[order]


def _smallest_distance(vectors: FloatArray) -> float:
    distances = get_distances(vectors)[1]
    np.fill_diagonal(distances, np.inf)
    return float(distances.min(initial=np.inf))


def _apart(vectors: FloatArray, edge: float, closest: float, radius: float) -> list[int]:
    """Which atoms stay, the central one first, so that none is too close to another across the boundary."""
    kept: list[int] = []
    for place, vector in enumerate(vectors):
        differences = vectors[kept] - vector
        images = differences - edge * np.round(differences / edge)
        crossing = np.any(images != differences, axis=1)
        near = np.linalg.norm(images, axis=1) < closest
        if np.linalg.norm(vector) <= radius or not np.any(crossing & near):
            kept.append(place)
    return kept


def _piece(atoms: Atoms, center: int, numbers: Int64Array, vectors: FloatArray) -> Atoms:
    piece = Atoms(atoms.numbers[numbers], vectors)
    piece.info["center"] = int(center)
    piece.arrays["original"] = numbers
    return piece
