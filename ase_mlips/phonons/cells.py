"""Crystals as ASE and as phonopy hold them, and what a structure must be like to have phonons."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntMatrix = NDArray[np.int64]
Supercell = int | float | Sequence[int] | Sequence[Sequence[int]]

SYMPREC = 1e-5  # A, of phonopy
_NEARLY = 1e-2  # A, within which a symmetry was probably meant


def to_phonopy(atoms: Atoms) -> Any:
    """The same crystal as a ``PhonopyAtoms``, with its masses."""
    from phonopy.structure.atoms import PhonopyAtoms

    return PhonopyAtoms(
        numbers=atoms.numbers, cell=atoms.cell.array, positions=atoms.positions, masses=atoms.get_masses()
    )


def to_ase(cell: Any) -> Atoms:
    """The same crystal as ASE's Atoms, periodic in three directions."""
    return Atoms(numbers=cell.numbers, cell=cell.cell, positions=cell.positions, masses=cell.masses, pbc=True)


def require_crystal(atoms: Atoms) -> None:
    """Raise ValueError, in one sentence, for what is not a crystal."""
    if len(atoms) == 0:
        raise ValueError("phonons need a structure with atoms, got none")
    if not atoms.pbc.all():
        raise ValueError(
            f"phonons need a crystal that is periodic in three directions, got pbc = {atoms.pbc.tolist()}; "
            "for a slab or a molecule leave vacuum in the cell and set atoms.pbc = True"
        )
    if atoms.cell.rank < 3:
        raise ValueError("phonons need a cell of three vectors that span a volume")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise ValueError("the structure has positions or a cell that are not finite")


def supercell_matrix(atoms: Atoms, supercell: Supercell) -> IntMatrix:
    """Integer matrix (3, 3) of a supercell.

    Parameters
    ----------
    supercell : int, float, three ints or a (3, 3) matrix of ints
        Repetitions; a float is the least distance in A between opposite faces, for which each vector is repeated
        as often as it takes.

    Raises
    ------
    ValueError
        For anything else, and where the matrix spans no volume.
    """
    if isinstance(supercell, float):
        if not 0.0 < supercell < np.inf:
            raise ValueError(f"supercell: expected a positive length in A, got {supercell}")
        return np.diag(np.ceil(supercell / thicknesses(atoms.cell.array) - 1e-9).astype(np.int64))
    matrix = np.asarray(supercell)
    if matrix.shape == ():
        matrix = np.full(3, matrix)
    if matrix.shape == (3,):
        matrix = np.diag(matrix)
    if matrix.shape != (3, 3) or not np.issubdtype(matrix.dtype, np.integer):
        raise ValueError(
            f"supercell: expected one or three integers, a 3x3 matrix of them or a length, got {supercell}"
        )
    if round(np.linalg.det(matrix)) < 1:
        raise ValueError(f"supercell: expected a matrix with a positive determinant, got {supercell}")
    return matrix.astype(np.int64)


def thicknesses(cell: FloatArray) -> FloatArray:
    """Distances (3,) in A between the opposite faces of a cell."""
    distances: FloatArray = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    return distances


def warn_of_small_supercell(atoms: Atoms, matrix: IntMatrix, calc: BaseCalculator) -> None:
    """UserWarning where a supercell is thinner than twice the cutoff of `calc`, if it has one that is known."""
    cutoff = getattr(getattr(calc, "potential", None), "cutoff", None)
    if cutoff is None:
        return
    thinnest = float(thicknesses(matrix @ atoms.cell.array).min())
    if thinnest < 2.0 * cutoff:
        enough = np.ceil(2.0 * cutoff / thicknesses(atoms.cell.array)).astype(int)
        warnings.warn(
            f"the supercell is {thinnest:.2f} A thick, less than twice the cutoff of {cutoff:.2f} A: an atom feels "
            f"several images of a displaced one, whose force constants then mix; {' x '.join(map(str, enough))} "
            "cells are enough",
            UserWarning,
            stacklevel=3,
        )


def space_group(atoms: Atoms, symprec: float = SYMPREC) -> str:
    """International symbol and number, for example ``Fd-3m (227)``.

    Raises
    ------
    ValueError
        When spglib finds none, for example because atoms coincide.
    """
    import spglib
    from ase.utils import OldSpglibError, spglib_new_errorhandling

    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    try:
        found = spglib_new_errorhandling(spglib.get_spacegroup)(cell, symprec=symprec)
    except (spglib.error.SpglibError, OldSpglibError) as error:
        raise ValueError(f"the structure has no space group: {error}") from error
    return str(found)


def warn_of_lost_symmetry(atoms: Atoms) -> None:
    """UserWarning where a structure is symmetric only within a hundredth of an angstrom."""
    exact, meant = space_group(atoms), space_group(atoms, _NEARLY)
    if exact != meant:
        warnings.warn(
            f"the structure has space group {exact} within {SYMPREC:g} A but {meant} within {_NEARLY:g} A: more "
            "displacements are needed and degenerate modes split; if the latter is meant, use "
            "ase.spacegroup.symmetrize.refine_symmetry first",
            UserWarning,
            stacklevel=3,
        )


def new_phonopy(atoms: Atoms, matrix: IntMatrix) -> Any:
    """A ``Phonopy`` of a crystal, whose primitive cell is that of its space group."""
    from phonopy import Phonopy
    from phonopy.structure.cells import guess_primitive_matrix

    cell = to_phonopy(atoms)
    # Given as a matrix: with "auto" phonopy warns that its default has changed.
    return Phonopy(cell, supercell_matrix=matrix, primitive_matrix=guess_primitive_matrix(cell, symprec=SYMPREC))
