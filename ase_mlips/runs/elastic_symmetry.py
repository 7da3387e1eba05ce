"""What the space group of a crystal leaves of its elastic tensor, and which strains are enough to find it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms

from ase_mlips.phonons.cells import space_group

from ..arrays import FloatArray

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))  # xx yy zz yz xz xy, as ASE has them

_SAME = 1e-8  # of singular values, relative
_WELL_POSED = 0.25  # of singular values that a strain must add; all six strains together have only ones


def strain_matrix(strain: FloatArray) -> FloatArray:
    """Symmetric matrix (3, 3) of a strain (6,) in Voigt's notation, in which shears count twice."""
    matrix = np.zeros((3, 3))
    for (a, b), value in zip(VOIGT, strain, strict=True):
        matrix[a, b] = matrix[b, a] = value if a == b else 0.5 * value
    return matrix


def strained(atoms: Atoms, strain: FloatArray) -> Atoms:
    """A copy of a crystal with a strain (6,), the atoms moved with the cell."""
    copy = atoms.copy()
    copy.set_cell(atoms.cell.array @ (np.eye(3) + strain_matrix(strain)), scale_atoms=True)
    return copy


def invariant_tensors(atoms: Atoms, symprec: float) -> FloatArray:
    """Tensors (K, 6, 6) in Voigt's notation, of which that of the crystal is a sum; K is 3 to 21 constants.

    Raises
    ------
    ValueError
        When the structure has no space group.
    """
    units = [np.zeros((6, 6)) for _ in range(21)]
    for unit, (row, column) in zip(units, zip(*np.triu_indices(6), strict=True), strict=True):
        unit[row, column] = unit[column, row] = 1.0
    turns = [_voigt_rotation(rotation) for rotation in _rotations(atoms, symprec)]
    averages = np.array([np.mean([turn @ unit @ turn.T for turn in turns], axis=0) for unit in units])
    _, sizes, rows = np.linalg.svd(averages.reshape(21, 36))
    kept = sizes > _SAME * sizes[0]
    tensors: FloatArray = rows[: int(kept.sum())].reshape(-1, 6, 6)
    return tensors


def enough_strains(
    candidates: FloatArray, rows_of: Callable[[FloatArray], FloatArray], constants: int
) -> tuple[int, ...]:
    """Which of the candidates (S, 6), as few as a greedy choice finds, determine all constants.

    `rows_of` gives the equations (M, K) in the constants that one strain contributes.
    """
    chosen: list[int] = []
    equations = np.empty((0, constants))
    while _rank(equations) < constants:
        gains = [_rank(np.vstack([equations, rows_of(strain)])) for strain in candidates]
        chosen.append(int(np.argmax(gains)))
        equations = np.vstack([equations, rows_of(candidates[chosen[-1]])])
    return tuple(chosen)


def _rank(equations: FloatArray) -> int:
    return int(np.linalg.matrix_rank(equations, tol=_WELL_POSED)) if len(equations) else 0


def _rotations(atoms: Atoms, symprec: float) -> FloatArray:
    """Cartesian matrices (R, 3, 3) of the point group."""
    import spglib

    space_group(atoms, symprec)  # raises where there is none
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    fractional = np.unique(spglib.get_symmetry_dataset(cell, symprec=symprec).rotations, axis=0)
    columns = atoms.cell.array.T
    return np.array([_orthogonal(columns @ rotation @ np.linalg.inv(columns)) for rotation in fractional])


def _orthogonal(matrix: FloatArray) -> FloatArray:
    """The closest orthogonal matrix; a cell is symmetric only within the tolerance of its space group."""
    left, _, right = np.linalg.svd(matrix)
    product: FloatArray = left @ right
    return product


def _voigt_rotation(rotation: FloatArray) -> FloatArray:
    """Matrix (6, 6) that turns stresses in Voigt's notation."""
    turn = np.zeros((6, 6))
    for row, (a, b) in enumerate(VOIGT):
        for column, (c, d) in enumerate(VOIGT):
            turn[row, column] = rotation[a, c] * rotation[b, d]
            if c != d:
                turn[row, column] += rotation[a, d] * rotation[b, c]
    return turn
