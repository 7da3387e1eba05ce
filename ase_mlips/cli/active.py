"""``ase-mlips active``: a potential that asks for the labels which it needs."""

from __future__ import annotations

import os
import shlex
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from ase import Atoms

from ase_mlips.active.exploring import explorers, final_explorers
from ase_mlips.active.labelling import labeller_of
from ase_mlips.active.learning import learner_of
from ase_mlips.active.loop import ActiveLearning
from ase_mlips.active.results import ActiveResult
from ase_mlips.active.settings import ActiveRun
from ase_mlips.runs.executors import processes
from ase_mlips.runs.jobs import read_job

from .common import plain_warnings, read_frames
from .fit_files import read
from .jobs import command_settings, named_options, write_job


def run(args: Namespace) -> int:
    """Learn in ``args.output``, from where it stands; 1 when it has not converged, or waits for labels."""
    if args.structure is None:
        return _run_job(args)
    if args.start is None:
        raise ValueError("expected MODEL, STRUCTURES and START, or a job alone")
    args.model = args.template
    settings = command_settings(args, ActiveRun)
    if args.write_job:
        return write_job(args, "active", settings)
    if args.force:
        raise ValueError(f"--force: {args.output} is gone on with, and never replaced; choose another folder for -o")
    cells, start = (list(read_frames(name, species=args.species)) for name in (args.structure, args.start))
    test = [] if settings.test is None else read(settings.test, args.species)
    with named_options(vars(settings)), plain_warnings():
        learning = _learning(args, settings, cells, start)
        try:
            with _pool(settings.workers) as executor:
                result = learning.run(start, test=test, executor=executor, tell=lambda said: print(said, flush=True))
        except KeyboardInterrupt as error:
            error.add_note(f"; {args.output} has all that was complete; the same command goes on")
            raise
    _describe(result, args, learning.learner.ending)
    return 0 if result.converged else 1


def _run_job(args: Namespace) -> int:
    """Run a job that was given in place of everything else."""
    from .run import run as run_job

    kind = read_job(args.template).kind
    if kind != "active":
        raise ValueError(f"{args.template}: run: expected active, got {kind!r}, which ase-mlips run takes")
    return run_job(Namespace(job=args.template, arguments=args.arguments, force=args.force, restart=False))


def _learning(args: Namespace, settings: ActiveRun, cells: list[Atoms], start: list[Atoms]) -> ActiveLearning:
    elements = sorted({symbol for atoms in (*cells, *start) for symbol in atoms.get_chemical_symbols()})
    learner = learner_of(args.model, settings, elements, species=args.species, threads=args.threads or 1)
    return ActiveLearning(
        args.output,
        learner,
        labeller_of(settings.labeller, settings.labeller_options),
        explorers=explorers(settings, cells),
        final=final_explorers(settings, cells),
        settings=settings,
    )


@contextmanager
def _pool(workers: int) -> Iterator[Executor | None]:
    if workers == 1:
        yield None
        return
    with processes(workers) as executor:
        yield executor


def _describe(result: ActiveResult, args: Namespace, ending: str) -> None:
    facts = result.facts()
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name.ljust(width)}  {value}")
    model = f", the model is {os.path.join(args.output, f'model{ending}')}" if len(result.rounds) else ""
    print(f"wrote data.extxyz, report.txt and others to {args.output}{model}")
    if result.waiting:
        print(f"go on with: ase-mlips {shlex.join(args.arguments)}")
