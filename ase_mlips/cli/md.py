"""``ase-mlips md``: molecular dynamics that can be interrupted and continued."""

from __future__ import annotations

import os
import shlex
import sys
from argparse import Namespace

from ase import Atoms

from ase_mlips.runs.ensembles import require_suitable
from ase_mlips.runs.md import Simulation, prepared_md
from ase_mlips.runs.results import MDResult
from ase_mlips.runs.settings import MDRun
from ase_mlips.runs.trajectory import MDFiles, Mode

from .common import chosen_model, plain_warnings, read_structure, warn_if_not_periodic
from .jobs import command_settings, named_options, origin, write_job
from .outputs import claim, file_of, model_files
from .signals import INTERRUPTED

STOPPED = 1  # the exit status of a run that an extrapolation grade has ended


def run(args: Namespace) -> int:
    """Run ``args.ensemble`` from ``args.structure``, or on from where ``args.trajectory`` ends."""
    mode: Mode = "replace" if args.force else "continue" if args.restart else "new"
    settings = command_settings(args, MDRun)
    files = MDFiles(args.trajectory, args.log, args.heat_flux, mode, args.selected)
    if args.write_job:
        return write_job(args, "md", settings)
    if os.path.isfile(args.trajectory) and mode == "new":
        raise ValueError(f"{args.trajectory}: exists; use --restart to continue it, --force, or -o for another name")
    outputs = {"-o": args.trajectory, "--log": files.log_path, "--heat-flux": args.heat_flux}
    if settings.watched:
        outputs["--selected"] = files.selected_path
    inputs = [file_of(args.structure), *model_files(args.model), *filter(None, [args.active_set])]
    claim(outputs, inputs, force=args.force, going_on=outputs if args.restart else ())
    atoms = read_structure(args.structure, args.species)
    _require_suitable(settings, atoms, args.structure)
    with plain_warnings(), named_options(vars(settings)):
        calc = chosen_model(args)
        with prepared_md(atoms, calc, settings, files=files, origin=origin(args, calc)) as simulation:
            if simulation.finished:
                print(f"{args.trajectory} holds all {settings.steps} steps already")
                return 0
            _say_what_begins(simulation, args)
            return _advance(simulation, args)


def _require_suitable(settings: MDRun, atoms: Atoms, name: str) -> None:
    try:
        require_suitable(settings, atoms)
    except ValueError as error:
        error.add_note(name)
        raise
    warn_if_not_periodic(atoms, name)


def _say_what_begins(simulation: Simulation, args: Namespace) -> None:
    if simulation.kept_temperature is not None:
        print(f"velocities of {args.structure} are kept, {simulation.kept_temperature:.0f} K; --temperature sets none")
    print(
        f"{args.ensemble}: {len(simulation.atoms)} atoms, steps {simulation.first} to {args.steps} of "
        f"{args.timestep:g} fs, seed {simulation.seed}"
    )
    if args.heat_flux and args.ensemble != "nve":
        print(f"ase-mlips: {args.ensemble} disturbs the heat flux; Green-Kubo needs nve", file=sys.stderr)


def _advance(simulation: Simulation, args: Namespace) -> int:
    """Run to the end, to Ctrl-C, or to a full disk, and say what happened."""
    try:
        result = simulation.advance()
    except OSError as error:
        if command := _how_to_continue(simulation, args):
            error.add_note(f"; {command}")
        raise
    if result.interrupted:
        words = "; ".join(filter(None, (simulation.kept, _how_to_continue(simulation, args))))
        print(f"ase-mlips: interrupted; {words}", file=sys.stderr)
        return INTERRUPTED
    _say_what_was_done(result, simulation)
    print(f"wrote {args.trajectory}")
    if result.selected:
        print(f"wrote {result.selected} configurations that extrapolate")
    if result.stopped:
        print(f"ase-mlips: ended at {result.stopped}", file=sys.stderr)
        return STOPPED
    return 0


def _say_what_was_done(result: MDResult, simulation: Simulation) -> None:
    atom_steps = result.steps * len(simulation.atoms)
    print(
        f"{result.steps} steps in {result.seconds:.1f} s: {result.speed:.2f} ns/day, "
        f"{1e6 * result.seconds / atom_steps:.2f} µs/atom/step"
    )
    temperatures = result.log["temperature/K"]
    if len(temperatures):
        print(f"temperature {temperatures.mean():.1f} ± {temperatures.std():.1f} K")
    if len(temperatures) > 1 and result.ensemble == "nve":
        print(f"drift of the total energy {result.drift:.2e} meV/atom/ps")


def _how_to_continue(simulation: Simulation, args: Namespace) -> str:
    if simulation.last_step is None:
        return ""
    given = [word for word in args.arguments if not word.startswith("--fo")]  # what --force was for is done
    command = [*given, *([] if args.restart else ["--restart"])]
    return f"continue with: ase-mlips {shlex.join(command)}"
