"""``ase-mlips relax``: minimise the energy of a structure."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.filters import FrechetCellFilter
from ase.io import write
from ase.optimize import BFGS, FIRE, LBFGS
from ase.optimize.optimize import Optimizer

from ase_mlips.files.appending import AppendedFile

from .common import (
    chosen_model,
    deferred_interrupt,
    read_structure,
    require_writer,
    results_frame,
    warn_if_not_periodic,
)
from .outputs import claim, file_of, model_files, replacing, unfinished
from .signals import INTERRUPTED

_OPTIMIZERS = {"lbfgs": LBFGS, "bfgs": BFGS, "fire": FIRE}


def run(args: Namespace) -> int:
    """Relax ``args.structure`` and write ``args.output``; 1 when it did not converge."""
    require_writer(args.output)
    inputs = [file_of(args.structure), *model_files(args.model)]
    claim({"-o": args.output, "--trajectory": args.trajectory}, inputs, force=args.force)
    atoms = read_structure(args.structure, args.species)
    if args.cell:
        _require_periodic_cell(atoms, args.structure)
    else:
        warn_if_not_periodic(atoms, args.structure)
    atoms.calc = chosen_model(args)
    target = FrechetCellFilter(atoms, mask=_periodic_strains(atoms)) if args.cell else atoms
    # LBFGS scales steps of the cell badly and may wander off.
    method = args.optimizer or ("bfgs" if args.cell else "lbfgs")
    with _held(args.trajectory, force=args.force):
        optimizer = _OPTIMIZERS[method](target, logfile=None, trajectory=args.trajectory)
        steps = _Steps(optimizer, atoms, with_pressure=args.cell)
        try:
            converged = _relaxed(optimizer, args)
        except BaseException as error:
            if kept := _keep(steps, args.output):
                error.add_note(f"; {kept}")
            raise
    if converged is None:
        print(f"ase-mlips: interrupted; {_keep(steps, args.output)}", file=sys.stderr)
        return INTERRUPTED
    with replacing(args.output, force=args.force) as path:
        write(path, atoms)
    print(f"{'relaxed' if converged else 'NOT converged'}: {args.output}")
    print(f"energy  {atoms.get_potential_energy():.6f} eV  ({atoms.get_potential_energy() / len(atoms):.6f} eV/atom)")
    if atoms.cell.rank == 3:
        lengths = " ".join(f"{value:.5f}" for value in atoms.cell.cellpar())
        print(f"cell    {lengths}  (Å, degrees)  volume {atoms.cell.volume:.4f} Å^3")
    return 0 if converged else 1


def _held(path: str | None, *, force: bool) -> AbstractContextManager[Any]:
    """Keep other runs from writing this file."""
    return nullcontext() if path is None else AppendedFile(path, new=not force)


class _Steps:
    """Observer that prints each step and remembers its structure."""

    def __init__(self, optimizer: Optimizer, atoms: Atoms, *, with_pressure: bool) -> None:
        self._optimizer, self._atoms, self._with_pressure = optimizer, atoms, with_pressure
        self.reached: tuple[int, Atoms] | None = None
        pressure = f" {'pressure (GPa)':>15}" if with_pressure else ""
        print(f"{'step':>5} {'energy (eV)':>16} {'max |F| (eV/Å)':>15}{pressure}")
        optimizer.attach(self)

    def __call__(self) -> None:
        """Note the present step."""
        self.reached = self._optimizer.nsteps, results_frame(self._atoms, self._atoms.calc.results)
        print(_line(self._optimizer.nsteps, self._atoms, with_pressure=self._with_pressure))


def _relaxed(optimizer: Optimizer, args: Namespace) -> bool | None:
    """Whether the forces became small enough; None after Ctrl-C, which waits until a step is complete."""
    converged = False
    with deferred_interrupt() as interrupted:
        for converged in optimizer.irun(fmax=args.fmax, steps=args.steps):
            if interrupted.is_set() and not converged:
                return None
    return bool(converged)


def _keep(steps: _Steps, output: str) -> str:
    """Write the last structure that was reached, if any, and say so."""
    if steps.reached is None:
        return ""
    number, frame = steps.reached
    output = unfinished(output)
    with replacing(output) as path:
        write(path, frame)
    return f"{output} is the structure of step {number}, which is not relaxed"


def _require_periodic_cell(atoms: Atoms, name: str) -> None:
    if atoms.cell.rank < 3:
        raise ValueError(f"{name}: --cell needs a cell with three vectors")
    if not atoms.pbc.any():
        raise ValueError(
            f"{name}: --cell needs a periodic axis, whose length it can relax; pbc is False along all three"
        )


def _periodic_strains(atoms: Atoms) -> list[bool]:
    """Which of the strains xx yy zz yz xz xy leave an axis as it is that is not periodic and along x, y or z."""
    free = [bool(atoms.pbc[k]) or np.abs(np.delete(atoms.cell.array[k], k)).max() > 1e-8 for k in range(3)]
    return [*free, free[1] and free[2], free[0] and free[2], free[0] and free[1]]


def _line(step: int, atoms: Atoms, *, with_pressure: bool) -> str:
    force = np.linalg.norm(atoms.get_forces(), axis=1).max()
    line = f"{step:5d} {atoms.get_potential_energy():16.6f} {force:15.5f}"
    if with_pressure:
        line += f" {-atoms.get_stress()[:3].mean() / units.GPa:15.4f}"
    return line
