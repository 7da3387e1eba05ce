"""``ase-mlips lammps``: LAMMPS with a potential on the ranks of mpirun, and the files that it reads."""

from __future__ import annotations

import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ase_mlips.lammps.errors import raise_together
from ase_mlips.lammps.inputs import data_text, input_text, split_input
from ase_mlips.runs.settings import MDRun

from .common import chosen_model, read_structure, warn_if_not_periodic
from .jobs import named_options
from .outputs import claim, file_of, replacing

_INSTALL = 'pip install "ase-mlips[lammps]"'


def run(args: Namespace) -> int:
    """Write files with ``args.write``, else run ``args.input`` on all ranks."""
    if args.write:
        return _write(args)
    for name in ("model", "elements"):
        if getattr(args, name) is None:
            raise ValueError(f"{args.input}: expected --{name}; with --write, a structure becomes an input of LAMMPS")
    comm = _world()
    try:
        return _host(args, comm)
    except (Exception, KeyboardInterrupt) as error:
        return _ended(error, comm)


def _ended(error: BaseException, comm: Any) -> int:
    """Raise on the first rank what all ranks have met; the others are silent."""
    message = str(error)
    if type(error).__name__ == "MPIAbortException":  # of LAMMPS on one rank, for which the others would wait
        print(f"ase-mlips: {message}", file=sys.stderr, flush=True)
        comm.Abort(1)
    if comm.rank != 0:
        return 1
    if type(error) is Exception:  # LAMMPS knows no other kind
        raise ValueError(message.removeprefix("ERROR: ")) from error
    raise error


def _host(args: Namespace, comm: Any) -> int:
    """Start LAMMPS, let it read the input up to the model, attach that, and let it read the rest."""
    from lammps import lammps

    from ase_mlips.lammps import attach

    calc, parts = _together(comm, lambda: (chosen_model(args), _parts(args.input)))
    variables = [word for variable in args.var for word in ("-var", *variable)]
    lmp = lammps(comm=comm, cmdargs=["-log", args.log, *variables])
    with tempfile.TemporaryDirectory() as folder:
        names = comm.bcast([os.path.join(folder, name) for name in ("before", "after")])
        _together(
            comm, lambda: [Path(name).write_text(text) for name, text in zip(names, parts, strict=True)], first=True
        )
        lmp.file(names[0])
        attachment = attach(lmp, calc, args.elements, skin=args.skin, num_threads=args.threads)
        if comm.rank == 0:
            print(f"ase-mlips: {calc!r} for {' '.join(args.elements)}, ranks: {comm.size}", flush=True)
        lmp.file(names[1])
        comm.Barrier()  # before the folder of the first rank is removed
    if comm.rank == 0:
        spent = {name: value for name, value in vars(attachment.timings).items() if isinstance(value, float)}
        words = ", ".join(f"{name} {seconds:.2f}" for name, seconds in spent.items())
        print(f"ase-mlips: {attachment.timings.steps} force calls; seconds of the first rank: {words}")
    lmp.close()
    return 0


def _parts(path: str) -> tuple[str, str]:
    from ase_mlips.lammps.checks import require_harmless

    before, after = split_input(Path(path).read_text(encoding="utf-8"), path)
    require_harmless(after.splitlines())
    return before, after


def _together(comm: Any, work: Callable[[], Any], *, first: bool = False) -> Any:
    """The result of work that every rank does, or the first one alone; an error of one is raised on all."""
    result, error = None, None
    try:
        if comm.rank == 0 or not first:
            result = work()
    except Exception as caught:
        error = caught
    raise_together(comm, error)
    return result


def _world() -> Any:
    try:
        import lammps  # noqa: F401
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # the latter from mpi4py where there is no MPI
        raise ValueError(f"LAMMPS with MPI is not installed ({error}): {_INSTALL}") from None
    return MPI.COMM_WORLD


def _write(args: Namespace) -> int:
    """A data file and an input of LAMMPS."""
    names = [name for name in MDRun.__dataclass_fields__ if hasattr(args, name)]
    chosen = {name: getattr(args, name) for name in names}
    script = f"{args.write}.in"
    claim({"--write": [args.write, script]}, [file_of(args.input)], force=args.force)
    atoms = read_structure(args.input, args.species)
    warn_if_not_periodic(atoms, args.input)
    elements = args.elements or list(dict.fromkeys(atoms.symbols))
    with named_options(chosen):
        settings = MDRun(**chosen)
        dump = f"{args.write}.lammpstrj"
        text = input_text(atoms, elements, settings, data=args.write, dump=dump, heat_flux=args.heat_flux)
        data = data_text(atoms, elements, tilted=settings.ensemble == "npt-full")
    for path, content in ((args.write, data), (script, text)):
        with replacing(path, force=args.force) as place:
            Path(place).write_text(content, encoding="utf-8")
    model = args.model or "MODEL"
    print(f"wrote {args.write} and {script}; run it with:")
    print(f"mpirun -np 2 ase-mlips lammps {script} --model {model} --elements {' '.join(elements)}")
    return 0
