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
    atoms = read_structure(args.structure, args.species)
    if args.cell and atoms.cell.rank < 3:
        raise ValueError(f"{args.structure}: --cell needs a cell with three vectors")
    atoms.calc = chosen_model(args)
    target = FrechetCellFilter(atoms, mask=_periodic_strains(atoms)) if args.cell else atoms
    # LBFGS scales steps of the cell badly and may wander off.
    method = args.optimizer or ("bfgs" if args.cell else "lbfgs")
    with replacing(args.output) as path:  # first of all, so that a name that cannot be written costs no work
        optimizer = _OPTIMIZERS[method](target, logfile=None, trajectory=args.trajectory)
        pressure = f" {'pressure (GPa)':>15}" if args.cell else ""
        print(f"{'step':>5} {'energy (eV)':>16} {'max |F| (eV/Å)':>15}{pressure}")
        optimizer.attach(lambda: print(_line(optimizer.nsteps, atoms, with_pressure=args.cell)))
        converged = bool(optimizer.run(fmax=args.fmax, steps=args.steps))
        write(path, atoms)
    print(f"{'relaxed' if converged else 'NOT converged'}: {args.output}")
    print(f"energy  {atoms.get_potential_energy():.6f} eV  ({atoms.get_potential_energy() / len(atoms):.6f} eV/atom)")
    if atoms.cell.rank == 3:
        lengths = " ".join(f"{value:.5f}" for value in atoms.cell.cellpar())
        print(f"cell    {lengths}  (Å, degrees)  volume {atoms.cell.volume:.4f} Å^3")
    return 0 if converged else 1


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
