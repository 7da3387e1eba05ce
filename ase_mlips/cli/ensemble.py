"""``ase-mlips ensemble``: many independent runs, which another call continues."""

from __future__ import annotations

import sys
from argparse import Namespace

import numpy as np

from ase_mlips.analysis.formatting import with_error
from ase_mlips.runs import EnsembleResult, EnsembleRun, run_ensemble
from ase_mlips.runs.ensembles import require_suitable
from ase_mlips.runs.executors import processes

from .common import chosen_model, plain_warnings, print_table, read_structure, warn_if_not_periodic
from .jobs import command_settings, named_options, write_job
from .signals import INTERRUPTED

_HEADER = ["K", "runs", "mean K", "E (eV/atom)"]


def run(args: Namespace) -> int:
    """Run what is missing in ``args.folder``, and print the means of each temperature."""
    if args.structure is None:
        from .run import run as run_job  # here, as it imports this module

        return run_job(Namespace(job=args.model, force=args.force, restart=False, arguments=args.arguments))
    settings = command_settings(args, EnsembleRun)
    if args.write_job:
        return write_job(args, "ensemble", settings)
    atoms = read_structure(args.structure, args.species)
    warn_if_not_periodic(atoms, args.structure)
    with plain_warnings(), named_options(vars(settings)):
        require_suitable(settings, atoms)
        calc = chosen_model(args)
        try:
            with processes(args.workers) as executor:
                found = run_ensemble(atoms, calc, settings, folder=args.folder, executor=executor)
        except KeyboardInterrupt:
            print(f"ase-mlips: interrupted; the same command continues what is in {args.folder}", file=sys.stderr)
            return INTERRUPTED
    print_table(_HEADER, [_row(found, temperature) for temperature in found.temperatures])
    for member in found.failed:
        print(f"ase-mlips: {member.trajectory}: {member.error}", file=sys.stderr)
    print(f"wrote {len(found.members) - len(found.failed)} runs to {args.folder}")
    return 1 if found.failed else 0


def _row(found: EnsembleResult, temperature: float) -> list[str]:
    columns = found.columns()
    own = columns["wanted/K"] == temperature
    cells = [f"{temperature:g}", str(own.sum())]
    for name, scale in (("temperature/K", 1.0), ("potential/eV", found.atoms)):
        values = columns[name][own] / scale if name in columns else np.empty(0)
        error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
        cells.append(with_error(float(values.mean()), error) if len(values) else "-")
    return cells
