"""``ase-mlips run``: what a file asks for, as the options of a command would."""

from __future__ import annotations

from argparse import Namespace
from importlib import import_module

from ase_mlips.runs.jobs import KINDS, read_job

from .parser import build_parser


def run(args: Namespace) -> int:
    """Run the job of ``args.job``."""
    job = read_job(args.job)
    places = [job.inputs[name] for name in KINDS[job.kind].inputs]
    chosen = build_parser().parse_args([job.kind, job.model, *places])  # the defaults of the command
    vars(chosen).update(job.options())
    chosen.arguments, chosen.force, chosen.restart = args.arguments, args.force, args.restart
    if args.restart and job.kind != "md":
        raise ValueError(f"--restart is of md, and has no meaning for {job.kind}")
    return int(import_module(f".{chosen.module}", __package__).run(chosen))
