"""Structures at the minimum of the energy, or of the enthalpy where there is a pressure."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator
from ase.constraints import FixSymmetry
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS, FIRE, LBFGS
from ase.optimize.optimize import Optimizer
from ase.parallel import DummyMPI

from ase_mlips.files.signals import deferred_interrupt

from .fields import chosen
from .provenance import provenance_of
from .results import RelaxResult
from .settings import RelaxRun

Observer = Callable[[int, Atoms], None]

SYMPREC = 1e-5  # A
_LARGEST_STRAIN = 0.05  # in one step
_LONGEST_STEP = 0.2  # A
_OPTIMIZERS = {"lbfgs": LBFGS, "bfgs": BFGS, "fire": FIRE}


def relax(
    atoms: Atoms,
    calc: BaseCalculator,
    settings: RelaxRun | None = None,
    *,
    trajectory: str | os.PathLike[str] | None = None,
    origin: Mapping[str, Any] | None = None,
    **fields: Any,
) -> RelaxResult:
    """Relax a structure with any ASE calculator.

    Ctrl-C lets the present step end and returns what there is; the second one does not wait.

    Parameters
    ----------
    atoms : Atoms
        Not changed.
    calc : ase.calculators.calculator.BaseCalculator
    settings : RelaxRun, optional
    trajectory : path, optional
        ``X.traj``, to which every step is written; ``info["provenance"]`` says where it comes from.
    origin : mapping, optional
        What the result says of where it comes from; by default `provenance_of` the calculator.
    **fields
        Those of `RelaxRun`, in place of `settings`.

    Returns
    -------
    RelaxResult
        Whose `converged` is False when the forces did not become small enough.

    Raises
    ------
    ValueError
        A cell is to be relaxed that the structure does not have, or symmetry to be kept where there is none.
    CalculationFailed
        From the calculator.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.runs import relax
    >>> result = relax(bulk("Si", a=5.3), SNAP.embedded("Si"), cell=True, symmetry=True, fmax=1e-4)
    >>> print(f"{result.atoms.get_volume():.1f} A^3, {result.converged}")
    40.9 A^3, True
    """
    work = atoms.copy()
    work.calc = calc
    about = dict(origin or provenance_of(calc))
    work.info["provenance"] = about  # for the trajectory
    return relax_in_place(work, chosen(RelaxRun, settings, fields), trajectory=trajectory, origin=about)


def relax_in_place(
    atoms: Atoms,
    settings: RelaxRun,
    *,
    trajectory: str | os.PathLike[str] | None = None,
    observe: Observer | None = None,
    origin: Mapping[str, Any] | None = None,
) -> RelaxResult:
    """Like `relax`, with atoms that have their calculator and are moved; `observe` gets each step and its atoms."""
    require_relaxable(settings, atoms)
    own = list(atoms.constraints)
    if settings.symmetry:
        atoms.set_constraint([*own, FixSymmetry(atoms, symprec=SYMPREC)])
    history = _History(settings, atoms, observe)
    path = None if trajectory is None else os.fspath(trajectory)
    with _optimizer(settings, atoms, path) as optimizer:
        optimizer.attach(history, 1, optimizer)
        converged, interrupted = _minimised(optimizer, settings)
    atoms.set_constraint(own)
    return history.result(
        converged=converged, interrupted=interrupted, origin=dict(origin or provenance_of(atoms.calc))
    )


def require_relaxable(settings: RelaxRun, atoms: Atoms) -> None:
    """ValueError where a structure has no cell to be relaxed, or no symmetry to be kept."""
    if settings.cell and atoms.cell.rank < 3:
        raise ValueError("cell: needs a cell with three vectors")
    if settings.cell and not atoms.pbc.any():
        raise ValueError("cell: needs a periodic axis, whose length it can relax; pbc is False along all three")
    if settings.symmetry and not (atoms.pbc.all() and atoms.cell.rank == 3):
        raise ValueError("symmetry: needs a crystal that is periodic in three directions")


def _optimizer(settings: RelaxRun, atoms: Atoms, trajectory: str | None) -> Optimizer:
    target = atoms
    if settings.cell:
        free = [True] * 6 if settings.symmetry else _periodic_strains(atoms)
        pressure = settings.pressure * units.GPa
        target = FrechetCellFilter(atoms, mask=free, constant_volume=settings.constant_volume, scalar_pressure=pressure)
    # The filter lets steps of the cell grow with 1 / N; FixSymmetry fails where they are large.
    longest = min(_LONGEST_STEP, _LARGEST_STRAIN * len(atoms)) if settings.symmetry else _LONGEST_STEP
    kind, alone = _OPTIMIZERS[settings.method], DummyMPI()
    return kind(target, logfile=None, trajectory=trajectory, maxstep=longest, comm=alone)


def _periodic_strains(atoms: Atoms) -> list[bool]:
    """Which of the strains xx yy zz yz xz xy leave an axis as it is that is not periodic and along x, y or z."""
    free = [bool(atoms.pbc[k]) or np.abs(np.delete(atoms.cell.array[k], k)).max() > 1e-8 for k in range(3)]
    return [*free, free[1] and free[2], free[0] and free[2], free[0] and free[1]]


def _minimised(optimizer: Optimizer, settings: RelaxRun) -> tuple[bool, bool]:
    """Whether the forces became small enough, and whether Ctrl-C came before; it waits until a step is complete."""
    converged = False
    with deferred_interrupt() as interrupted, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "logm result may be inaccurate")  # SciPy's, in the last digits
        for converged in optimizer.irun(fmax=settings.fmax, steps=settings.steps):
            if interrupted.is_set() and not converged:
                return False, True
    return bool(converged), False


class _History:
    """Observer that remembers energies, forces and pressures."""

    def __init__(self, settings: RelaxRun, atoms: Atoms, observe: Observer | None) -> None:
        self._atoms, self._observe = atoms, observe
        self._with_pressure = settings.cell
        self._rows: list[list[float]] = []

    def __call__(self, optimizer: Optimizer) -> None:
        atoms = self._atoms
        row = [float(optimizer.nsteps), atoms.get_potential_energy(), largest_force(atoms)]
        self._rows.append([*row, pressure_of(atoms)] if self._with_pressure else row)
        if self._observe is not None:
            self._observe(optimizer.nsteps, atoms)

    def result(self, *, converged: bool, interrupted: bool, origin: dict[str, Any]) -> RelaxResult:
        atoms, table = self._atoms, np.array(self._rows).T
        return RelaxResult(
            converged=converged,
            interrupted=interrupted,
            steps=int(table[0, -1]),
            energies=table[1].copy(),
            max_forces=table[2].copy(),
            pressures=table[3].copy() if self._with_pressure else None,
            structure={
                "numbers": atoms.numbers.copy(),
                "positions": atoms.get_positions(),
                "cell": atoms.cell.array.copy(),
                "pbc": atoms.pbc.copy(),
            },
            origin=json.dumps(origin),
        )


def largest_force(atoms: Atoms) -> float:
    """Largest force on an atom in eV/A, after constraints."""
    return float(np.linalg.norm(atoms.get_forces(), axis=1).max())


def pressure_of(atoms: Atoms) -> float:
    """In GPa, before constraints."""
    return float(-atoms.get_stress(apply_constraint=False)[:3].mean() / units.GPa)
