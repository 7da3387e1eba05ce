"""From a structure and a calculator to phonons."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from ..arrays import Int64Array
from .arguments import require_distance, require_word
from .cells import (
    Supercell,
    new_phonopy,
    require_oscillators,
    supercell_matrix,
    warn_of_lost_symmetry,
    warn_of_small_supercell,
)
from .force_constants import DISTANCE, displace, produce_force_constants
from .forces import evaluate
from .relaxation import What, max_force, relax
from .result import Phonons

MAX_FORCE = 0.01  # eV/A


def phonons(
    atoms: Atoms,
    calc: BaseCalculator,
    *,
    supercell: Supercell,
    relaxed: What | None = None,
    distance: float = DISTANCE,
    snapshots: int | None = None,
) -> Phonons:
    """Phonons by finite displacements.

    Parameters
    ----------
    atoms : Atoms
        Crystal, not changed; any cell, not only a primitive one.
    calc : ASE calculator
    supercell : int, float, three ints or a (3, 3) matrix of ints
        Repetitions of `atoms`; a float is the least thickness of the supercell in A.
    relaxed : {"cell", "shape", "positions"}, optional
        What to relax before, with the symmetry kept, see `relax`.  By default nothing.
    distance : float
        Displacement in A.
    snapshots : int, optional
        Number of supercells in which all atoms are displaced at random, for a fit of the force constants by symfc
        (Seko and Togo, Phys. Rev. B 110, 214302 (2024)).  By default single atoms are displaced, as often as the
        symmetry asks for: that is more exact, and faster unless a force call takes seconds.

    Returns
    -------
    Phonons
        Force constants obey the acoustic sum rule and are symmetric under exchange.

    Raises
    ------
    ValueError
        `atoms` is not a crystal or not relaxed, or an argument is out of range; also for magnetic moments and charges,
        which the displaced cells would lose, and for isotopes that break the symmetry.
    CalculationFailed
        The relaxation did not converge, or a force is not finite.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.phonons import phonons
    >>> silicon = phonons(bulk("Si"), SNAP.embedded("Si"), supercell=4, relaxed="cell")
    >>> silicon
    Phonons(Si2, Fd-3m (227), 64 primitive cells)
    >>> silicon.frequencies([[0, 0, 0]]).shape  # in THz
    (1, 6)
    >>> silicon.save("silicon.yaml.xz")
    """
    require_oscillators(atoms)
    require_distance(distance)
    if relaxed is not None:
        require_word("relaxed", relaxed, get_args(What))
    if snapshots is not None and (isinstance(snapshots, bool) or not isinstance(snapshots, int | np.integer)):
        raise ValueError(f"snapshots: expected the number of supercells, got {snapshots!r}")
    matrix = supercell_matrix(atoms, supercell)
    warn_of_small_supercell(atoms, matrix, calc)
    seconds: dict[str, float] = {}
    with _timed(seconds, "relaxation"):
        relaxation = None if relaxed is None else relax(atoms, calc, what=relaxed)
        atoms = atoms if relaxation is None else relaxation.atoms
        force = require_relaxed(atoms, calc)
    warn_of_lost_symmetry(atoms)
    phonopy = harmonic(atoms, calc, matrix, distance=distance, snapshots=snapshots, seconds=seconds)
    return Phonons(phonopy, force, relaxation, seconds)


def harmonic(
    atoms: Atoms,
    calc: BaseCalculator,
    matrix: Int64Array,
    *,
    distance: float = DISTANCE,
    snapshots: int | None = None,
    seconds: dict[str, float] | None = None,
) -> Any:
    """A ``Phonopy`` with the force constants of a crystal as it is; `seconds` is filled with the time of each stage."""
    seconds = {} if seconds is None else seconds
    with _timed(seconds, "symmetry and displacements"):
        phonopy = new_phonopy(atoms, matrix)
        fitted = displace(phonopy, distance, snapshots)
        cells = phonopy.supercells_with_displacements
    with _timed(seconds, "forces"):
        phonopy.forces = evaluate(cells, calc)["forces"]
    with _timed(seconds, "force constants"):
        produce_force_constants(phonopy, fitted=fitted)
    return phonopy


def require_relaxed(atoms: Atoms, calc: BaseCalculator) -> float:
    """The largest force in eV/A; ValueError where that is more than `MAX_FORCE`."""
    force = max_force(atoms, calc)
    if not force <= MAX_FORCE:
        raise ValueError(
            f"the structure is not relaxed: the largest force is {force:.3g} eV/A, and phonons need one below "
            f"{MAX_FORCE:g} eV/A; relax it first, or ask for it with relaxed='cell' or 'positions'"
        )
    return force


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - begin
