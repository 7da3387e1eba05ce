"""Crystals as ASE and as phonopy hold them, and what a structure must be like to have phonons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.neighborlist import neighbor_list

from ..arrays import FloatArray, Int64Array
from .arguments import as_array, warn

Supercell = int | float | Sequence[int] | Sequence[Sequence[int]]

SYMPREC = 1e-5  # A, of phonopy
_COINCIDENT = 1e-3  # A
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


def require_crystal(atoms: Atoms, needing: str = "phonons need") -> None:
    """Raise ValueError, in one sentence that begins with `needing`, for what is not a crystal."""
    if len(atoms) == 0:
        raise ValueError(f"{needing} a structure with atoms, got none")
    if not atoms.pbc.all():
        raise ValueError(
            f"{needing} a crystal that is periodic in three directions, got pbc = {atoms.pbc.tolist()}; "
            "for a slab or a molecule leave vacuum in the cell and set atoms.pbc = True"
        )
    if atoms.cell.rank < 3:
        raise ValueError(f"{needing} a cell of three vectors that span a volume")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise ValueError("the structure has positions or a cell that are not finite")
    i, j = neighbor_list("ij", atoms, _COINCIDENT)
    if len(i):
        raise ValueError(f"atoms {i[0]} and {j[0]} are at the same place")


def require_oscillators(atoms: Atoms) -> None:
    """Raise ValueError, in one sentence, for a crystal that phonopy cannot take or displaced cells would not keep."""
    require_crystal(atoms)
    if np.linalg.det(atoms.cell.array) < 0.0:
        raise ValueError("phonons need a right-handed cell: exchange two of its vectors")
    masses = atoms.get_masses()
    if not (np.isfinite(masses).all() and (masses > 0.0).all()):
        raise ValueError("phonons need masses that are positive and finite")
    if atoms.get_initial_magnetic_moments().any():
        raise ValueError(
            "displaced cells would lose the initial magnetic moments: where the calculator does not need them, call "
            "atoms.set_initial_magnetic_moments(None)"
        )
    if atoms.get_initial_charges().any():
        raise ValueError(
            "displaced cells would lose the initial charges: where the calculator does not need them, call "
            "atoms.set_initial_charges(None)"
        )


def supercell_matrix(atoms: Atoms, supercell: Supercell) -> Int64Array:
    """Integer matrix (3, 3) of a supercell.

    Parameters
    ----------
    supercell : int, float, three ints or a (3, 3) matrix of ints
        Repetitions; a float is the least distance in A between opposite faces, for which each vector is repeated
        as often as it takes.

    Raises
    ------
    ValueError
        For anything else, where the matrix spans no volume, and for a supercell of one atom.
    """
    if isinstance(supercell, float):
        if not 0.0 < supercell < np.inf:
            raise ValueError(f"supercell: expected a positive length in A, got {supercell}")
        supercell = np.ceil(supercell / thicknesses(atoms.cell.array) - 1e-9).astype(np.int64).tolist()
    matrix = as_array(supercell)
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
    if len(atoms) * round(np.linalg.det(matrix)) == 1:
        raise ValueError("supercell: one atom alone has only frequencies of zero, take a larger supercell")
    return matrix.astype(np.int64)


def thicknesses(cell: FloatArray) -> FloatArray:
    """Distances (3,) in A between the opposite faces of a cell."""
    distances: FloatArray = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    return distances


def warn_of_small_supercell(atoms: Atoms, matrix: Int64Array, calc: BaseCalculator) -> None:
    """UserWarning where a supercell is thinner than twice the cutoff of `calc`, if it has one that is known."""
    cutoff = getattr(getattr(calc, "potential", None), "cutoff", None)
    if cutoff is None:
        return
    thinnest = float(thicknesses(matrix @ atoms.cell.array).min())
    if thinnest < 2.0 * cutoff:
        enough = np.ceil(2.0 * cutoff / thicknesses(atoms.cell.array)).astype(int)
        warn(
            f"the supercell is {thinnest:.2f} A thick, less than twice the cutoff of {cutoff:.2f} A: an atom feels "
            f"several images of a displaced one, whose force constants then mix; {' x '.join(map(str, enough))} "
            "cells are enough"
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
        warn(
            f"the structure has space group {exact} within {SYMPREC:g} A but {meant} within {_NEARLY:g} A: more "
            "displacements are needed and degenerate modes split; if the latter is meant, use "
            "ase.spacegroup.symmetrize.refine_symmetry first"
        )


def new_phonopy(atoms: Atoms, matrix: Int64Array, primitive: FloatArray | None = None) -> Any:
    """A ``Phonopy`` of a crystal, whose primitive cell is that of its space group unless a matrix is given."""
    from phonopy import Phonopy

    cell = to_phonopy(atoms)
    # Given as a matrix: with "auto" phonopy warns that its default has changed.
    found = primitive_matrix(cell) if primitive is None else primitive
    return Phonopy(cell, supercell_matrix=matrix, primitive_matrix=found)


def primitive_matrix(cell: Any) -> FloatArray:
    """Matrix (3, 3) that makes the primitive cell of a ``PhonopyAtoms``.

    Raises
    ------
    ValueError
        Atoms that the symmetry exchanges have different masses; phonopy would take the frequencies to have it too.
    """
    import spglib
    from phonopy.structure.cells import guess_primitive_matrix

    dataset = spglib.get_symmetry_dataset(cell.totuple(), symprec=SYMPREC)
    if dataset is not None and not np.allclose(cell.masses, cell.masses[dataset.crystallographic_orbits]):
        raise ValueError(
            "atoms that the symmetry exchanges have different masses, but phonopy's symmetry is that of the elements: "
            "give all of them the same mass"
        )
    matrix: FloatArray = guess_primitive_matrix(cell, symprec=SYMPREC)
    return matrix
