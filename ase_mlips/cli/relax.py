"""``ase-mlips relax``: minimise the energy of a structure."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.io import write

from ase_mlips.files.appending import AppendedFile
from ase_mlips.results import results_frame
from ase_mlips.runs.relaxation import relax_in_place, require_relaxable
from ase_mlips.runs.settings import RelaxRun

from .common import chosen_model, read_structure, require_writer, warn_if_not_periodic
from .jobs import command_settings, named_options, origin, write_job
from .outputs import claim, file_of, model_files, replacing, unfinished
from .signals import INTERRUPTED


def run(args: Namespace) -> int:
    """Relax ``args.structure`` and write ``args.output``; 1 when it did not converge."""
    require_writer(args.output)
    settings = command_settings(args, RelaxRun)
    if args.write_job:
        return write_job(args, "relax", settings)
    inputs = [file_of(args.structure), *model_files(args.model)]
    claim({"-o": args.output, "--trajectory": args.trajectory}, inputs, force=args.force)
    atoms = read_structure(args.structure, args.species)
    _require_relaxable(settings, atoms, args.structure)
    atoms.calc = chosen_model(args)
    about = atoms.info["provenance"] = origin(args, atoms.calc)
    steps = _Steps(with_pressure=settings.cell)
    with _held(args.trajectory, force=args.force):
        try:
            result = relax_in_place(atoms, settings, trajectory=args.trajectory, observe=steps, origin=about)
        except BaseException as error:
            if kept := _keep(steps, args.output):
                error.add_note(f"; {kept}")
            raise
    if result.interrupted:
        print(f"ase-mlips: interrupted; {_keep(steps, args.output)}", file=sys.stderr)
        return INTERRUPTED
    with replacing(args.output, force=args.force) as path:
        write(path, atoms)
    print(f"{'relaxed' if result.converged else 'NOT converged'}: {args.output}")
    print(f"energy  {atoms.get_potential_energy():.6f} eV  ({atoms.get_potential_energy() / len(atoms):.6f} eV/atom)")
    if atoms.cell.rank == 3:
        lengths = " ".join(f"{value:.5f}" for value in atoms.cell.cellpar())
        print(f"cell    {lengths}  (Å, degrees)  volume {atoms.cell.volume:.4f} Å^3")
    return 0 if result.converged else 1


def _require_relaxable(settings: RelaxRun, atoms: Atoms, name: str) -> None:
    try:
        with named_options(vars(settings)):
            require_relaxable(settings, atoms)
    except ValueError as error:
        error.add_note(name)
        raise
    if not settings.cell:
        warn_if_not_periodic(atoms, name)


def _held(path: str | None, *, force: bool) -> AbstractContextManager[Any]:
    """Keep other runs from writing this file."""
    return nullcontext() if path is None else AppendedFile(path, new=not force)


class _Steps:
    """Observer that prints each step and remembers its structure."""

    def __init__(self, *, with_pressure: bool) -> None:
        self._with_pressure = with_pressure
        self.reached: tuple[int, Atoms] | None = None
        pressure = f" {'pressure (GPa)':>15}" if with_pressure else ""
        print(f"{'step':>5} {'energy (eV)':>16} {'max |F| (eV/Å)':>15}{pressure}")

    def __call__(self, step: int, atoms: Atoms) -> None:
        """Note the present step."""
        self.reached = step, results_frame(atoms, atoms.calc.results)
        print(_line(step, atoms, with_pressure=self._with_pressure))


def _keep(steps: _Steps, output: str) -> str:
    """Write the last structure that was reached, if any, and say so."""
    if steps.reached is None:
        return ""
    number, frame = steps.reached
    output = unfinished(output)
    with replacing(output) as path:
        write(path, frame)
    return f"{output} is the structure of step {number}, which is not relaxed"


def _line(step: int, atoms: Atoms, *, with_pressure: bool) -> str:
    force = np.linalg.norm(atoms.get_forces(), axis=1).max()
    line = f"{step:5d} {atoms.get_potential_energy():16.6f} {force:15.5f}"
    if with_pressure:
        line += f" {-atoms.get_stress()[:3].mean() / units.GPa:15.4f}"
    return line
