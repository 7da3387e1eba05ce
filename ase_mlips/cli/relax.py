"""``ase-mlips relax``: minimise the energy of a structure."""

from __future__ import annotations

from argparse import Namespace

import numpy as np
from ase import Atoms, units
from ase.filters import FrechetCellFilter
from ase.io import write
from ase.optimize import BFGS, FIRE, LBFGS

from .common import chosen_model, read_structure, replacing, require_writer

_OPTIMIZERS = {"lbfgs": LBFGS, "bfgs": BFGS, "fire": FIRE}


def run(args: Namespace) -> int:
    """Relax ``args.structure`` and write ``args.output``; 1 when it did not converge."""
    require_writer(args.output)
    atoms = read_structure(args.structure)
    if args.cell and atoms.cell.rank < 3:
        raise ValueError(f"{args.structure}: --cell needs a cell with three vectors")
    atoms.calc = chosen_model(args)
    target = FrechetCellFilter(atoms) if args.cell else atoms
    optimizer = _OPTIMIZERS[args.optimizer](target, logfile=None, trajectory=args.trajectory)
    print(f"{'step':>5} {'energy (eV)':>16} {'max |F| (eV/Å)':>15}" + (f" {'pressure (GPa)':>15}" if args.cell else ""))
    optimizer.attach(lambda: print(_line(optimizer.nsteps, atoms, with_pressure=args.cell)))
    converged = bool(optimizer.run(fmax=args.fmax, steps=args.steps))
    with replacing(args.output) as path:
        write(path, atoms)
    print(f"{'relaxed' if converged else 'NOT converged'}: {args.output}")
    print(f"energy  {atoms.get_potential_energy():.6f} eV  ({atoms.get_potential_energy() / len(atoms):.6f} eV/atom)")
    if atoms.cell.rank == 3:
        lengths = " ".join(f"{value:.5f}" for value in atoms.cell.cellpar())
        print(f"cell    {lengths}  (Å, degrees)  volume {atoms.cell.volume:.4f} Å^3")
    return 0 if converged else 1


def _line(step: int, atoms: Atoms, *, with_pressure: bool) -> str:
    force = np.linalg.norm(atoms.get_forces(), axis=1).max()
    line = f"{step:5d} {atoms.get_potential_energy():16.6f} {force:15.5f}"
    if with_pressure:
        line += f" {-atoms.get_stress()[:3].mean() / units.GPa:15.4f}"
    return line
