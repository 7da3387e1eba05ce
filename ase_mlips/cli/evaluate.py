"""``ase-mlips evaluate``: energies, forces and stresses of many structures."""

from __future__ import annotations

import io
import sys
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator, CalculatorError
from ase.io.extxyz import write_xyz
from tqdm import tqdm

from ase_mlips.appending import AppendedFile

from .common import chosen_model, deferred_interrupt, print_table, read_frames, results_frame
from .outputs import beside, claim, file_of, give_name, model_files, unfinished
from .signals import INTERRUPTED

_HEADER = ["file", "frames", "atoms", "E (eV/atom)", "max |F| (eV/Å)"]
_HEADER += ["MAE E (meV/atom)", "MAE F (meV/Å)", "MAE stress (GPa)"]


@dataclass
class _Summary:
    """What one line of the table needs, gathered frame by frame."""

    name: str
    frames: int = 0
    atoms: int = 0
    energy: float = 0.0
    largest_force: float = 0.0
    errors: dict[str, list[float]] = field(default_factory=lambda: {"energy": [], "forces": [], "stress": []})

    def add(self, atoms: Atoms, results: dict[str, Any], labels: dict[str, Any]) -> None:
        """Count one frame; `labels` are what its file says, where it does."""
        self.frames += 1
        self.atoms += len(atoms)
        self.energy += results["energy"]
        self.largest_force = max(self.largest_force, float(np.linalg.norm(results["forces"], axis=1).max()))
        scales = {"energy": 1e3 / len(atoms), "forces": 1e3, "stress": 1.0 / units.GPa}
        for key, scale in scales.items():
            if key in results and labels.get(key) is not None:
                difference = np.abs(np.asarray(results[key]) - np.asarray(labels[key]))
                self.errors[key].extend((scale * difference).ravel().tolist())

    def row(self) -> list[str]:
        """Cells of the table; a dash where there are no labels."""
        errors = [f"{np.mean(values):.3f}" if values else "-" for values in self.errors.values()]
        counts = [str(self.frames), str(self.atoms), f"{self.energy / self.atoms:.6f}", f"{self.largest_force:.4f}"]
        return [self.name, *counts, *errors]


def run(args: Namespace) -> int:
    """Evaluate ``args.files``, print one line each, and write ``args.output`` if it is given."""
    if args.output is not None and not args.output.endswith((".xyz", ".extxyz")):
        raise ValueError(
            f"{args.output}: results are written as extended XYZ, expected a name that ends in .extxyz or .xyz"
        )
    claim({"-o": args.output}, [*map(file_of, args.files), *model_files(args.model)], force=args.force)
    calculator = chosen_model(args)
    summaries = [_Summary(name) for name in args.files]
    with deferred_interrupt() as interrupted:
        if args.output is None:
            _evaluate_files(calculator, summaries, None, interrupted)
            said = ""
        else:
            said = _written(calculator, summaries, args, interrupted)
    print_table(_HEADER, [summary.row() for summary in summaries if summary.frames])
    if interrupted.is_set():
        print(f"ase-mlips: interrupted{said}", file=sys.stderr)
        return INTERRUPTED
    if args.output:
        print(f"wrote {sum(s.frames for s in summaries)} frames to {args.output}")
    return 0


def _written(calculator: Calculator, summaries: list[_Summary], args: Namespace, interrupted: Event) -> str:
    """Evaluate and write the output, after Ctrl-C or a failure the frames until then; returns what is to be said."""
    with beside(args.output) as new:
        try:
            with AppendedFile(new, new=True) as out:
                _evaluate_files(calculator, summaries, out, interrupted)
        except BaseException as error:
            if kept := _keep(new, summaries, args.output):
                error.add_note(kept)
            raise
        if interrupted.is_set():
            return _keep(new, summaries, args.output)
        give_name(new, args.output, force=args.force)
    return ""


def _keep(new: Path, summaries: list[_Summary], output: str) -> str:
    """Give the frames that there are a name, if there are any, and say so."""
    frames = sum(summary.frames for summary in summaries)
    if frames == 0:
        return ""
    output = unfinished(output)
    give_name(new, output)
    return f"; {output} holds all frames until then, {frames}"


def _evaluate_files(
    calculator: Calculator, summaries: list[_Summary], out: AppendedFile | None, interrupted: Event
) -> None:
    for summary in summaries:
        for atoms in tqdm(read_frames(summary.name), desc=summary.name, unit="frame", disable=None, leave=False):
            if interrupted.is_set():
                return
            labels = atoms.calc.results if atoms.calc is not None else {}
            atoms.calc = calculator
            try:
                atoms.get_potential_energy()
                atoms.get_forces()
            except (ValueError, CalculatorError) as error:
                error.add_note(f"{summary.name}: frame {summary.frames}")
                raise
            if out is not None:
                text = io.StringIO()
                write_xyz(text, results_frame(atoms, calculator.results))
                out.append(text.getvalue().encode())
            summary.add(atoms, calculator.results, labels)
