"""``ase-mlips eos``, ``elastic``, ``vacancy``, ``surface`` and ``neb``: from a model and a structure to a result."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ase_mlips.analysis.results import Interrupted
from ase_mlips.analysis.tables import Tabulated
from ase_mlips.files.signals import deferred_interrupt
from ase_mlips.runs import (
    ElasticConstants,
    ElasticRun,
    EOSRun,
    MinimumEnergyPath,
    NEBRun,
    SurfaceRun,
    VacancyRun,
    elastic_constants,
    equation_of_state,
    minimum_energy_path,
    surface_energy,
    vacancy,
)

from .common import chosen_model, plain_warnings, print_table, read_structure
from .jobs import command_settings, named_options, origin, write_job
from .outputs import claim_numbers, file_of, model_files, save_result
from .signals import INTERRUPTED

_CHECKS: dict[str, tuple[type[Any], Callable[..., Any]]] = {
    "eos": (EOSRun, equation_of_state),
    "elastic": (ElasticRun, elastic_constants),
    "vacancy": (VacancyRun, vacancy),
    "surface": (SurfaceRun, surface_energy),
    "neb": (NEBRun, minimum_energy_path),
}


def run(args: Namespace) -> int:
    """Do ``args.check``, print what matters, and write numbers and a picture; 1 when a band did not converge."""
    kind, check = _CHECKS[args.check]
    settings = command_settings(args, kind)
    if args.write_job:
        return write_job(args, args.check, settings)
    structures = [args.structure, *([args.final] if args.check == "neb" else [])]
    claim_numbers(args, [*map(file_of, structures), *model_files(args.model)])
    cells = [read_structure(name, args.species) for name in structures]
    calc = chosen_model(args)
    about = json.dumps(origin(args, calc))
    with named_options(vars(settings)), plain_warnings():
        try:
            result = replace(check(*cells, calc, settings), origin=about)
        except Interrupted as interruption:
            found = replace(interruption.result, origin=about)
            written = save_result(found, found.plot, args.output, beginning=True)
            print(f"ase-mlips: interrupted; what was complete is in {written}", file=sys.stderr)
            return INTERRUPTED
    # A result that is there gets written, and without the picture it would not be complete.
    with deferred_interrupt() as interrupted:
        try:  # before anything is printed, as whoever reads that may have gone
            written = save_result(result, result.plot, args.output, force=args.force)
        finally:
            _describe(result)
        print(f"wrote {written}")
    if interrupted.is_set():
        return INTERRUPTED
    return int(isinstance(result, MinimumEnergyPath) and not result.converged)


def _describe(result: Tabulated) -> None:
    facts = result.facts()
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name.ljust(width)}  {value}")
    if isinstance(result, ElasticConstants):
        axes = ("xx", "yy", "zz", "yz", "xz", "xy")
        rows = [[axis, *(f"{value + 0.0:.2f}" for value in row)] for axis, row in zip(axes, result.tensor, strict=True)]
        print_table(["GPa", *axes], [[cell.replace("-0.00", "0.00") for cell in row] for row in rows])
        return
    columns = result.columns()
    rows = [[f"{value:.6g}" for value in row] for row in zip(*columns.values(), strict=True)]
    print_table(list(columns), rows)
