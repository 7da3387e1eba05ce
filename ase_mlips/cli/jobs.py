"""What commands share that run something: settings from the options, jobs as files, and where results come from."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, TypeVar

from ase_mlips.runs.jobs import KINDS, Job
from ase_mlips.runs.provenance import provenance_of

from .outputs import claim, file_of, model_files, replacing

_S = TypeVar("_S")


def command_settings(args: Namespace, cls: type[_S]) -> _S:
    """The settings whose fields are the options of a command.

    Raises
    ------
    ValueError
        They do not go together; the message names the option.
    """
    chosen = {field.name: getattr(args, field.name) for field in fields(cls)}  # type: ignore[arg-type]
    with named_options(chosen):
        return cls(**chosen)


@contextmanager
def named_options(fields_of_settings: Iterable[str]) -> Iterator[None]:
    """Let messages begin with an option of the command where they begin with the name of a field."""
    try:
        yield
    except ValueError as error:
        name, colon, rest = str(error).partition(": ")
        if not colon or name not in fields_of_settings:
            raise
        raise ValueError(f"--{name.replace('_', '-')} {rest}") from None


def write_job(args: Namespace, kind: str, settings: Any) -> int:
    """Write what the options of a command ask for as a job, instead of running it."""
    known = KINDS[kind]
    job = Job(
        kind=kind,
        model=args.model,
        settings=settings,
        inputs={name: getattr(args, name) for name in known.inputs},
        outputs={name: getattr(args, name) for name in known.outputs if getattr(args, name) is not None},
        species=None if args.species is None else tuple(args.species),
        threads=args.threads,
        active_set=getattr(args, "active_set", None),
    )
    inputs = [*map(file_of, job.inputs.values()), *model_files(args.model)]
    claim({"--write-job": args.write_job}, inputs, force=args.force)
    with replacing(args.write_job, force=args.force) as path:
        path.write_text(job.text(), encoding="utf-8")
    print(f"wrote {args.write_job}; run it with: ase-mlips run {args.write_job}")
    return 0


def origin(args: Namespace, calc: Any, seed: int | None = None) -> dict[str, Any]:
    """Where the results of a command come from."""
    return provenance_of(calc, model=args.model, seed=seed, command=["ase-mlips", *args.arguments])
