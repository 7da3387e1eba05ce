"""``ase-mlips evaluate``: energies, forces and stresses of structures, compared with the labels that they carry."""

from __future__ import annotations

import io
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, CalculatorError
from ase.io.extxyz import write_xyz
from tqdm import tqdm

from ase_mlips.files.appending import AppendedFile
from ase_mlips.files.signals import deferred_interrupt
from ase_mlips.results import results_frame

from .common import chosen_model, print_table, read_frames
from .errors import Comparison, print_errors, save_parity
from .outputs import beside, claim, file_of, give_name, model_files, replacing, unfinished
from .signals import INTERRUPTED

_HEADER = ["file", "frames", "atoms", "E (eV/atom)", "max |F| (eV/Å)"]
_PICTURES = (".png", ".pdf", ".svg")


@dataclass
class _Summary:
    """What one line of the table needs, gathered frame by frame."""

    name: str
    frames: int = 0
    atoms: int = 0
    energy: float = 0.0
    largest_force: float = 0.0

    def add(self, atoms: Atoms, results: dict[str, Any]) -> None:
        """Count one frame."""
        self.frames += 1
        self.atoms += len(atoms)
        self.energy += results["energy"]
        self.largest_force = max(self.largest_force, float(np.linalg.norm(results["forces"], axis=1).max()))

    def row(self) -> list[str]:
        """Cells of the table."""
        counts = [str(self.frames), str(self.atoms)]
        return [self.name, *counts, f"{self.energy / self.atoms:.6f}", f"{self.largest_force:.4f}"]


def run(args: Namespace) -> int:
    """Evaluate ``args.files``, print one line each and the errors, and write what is asked for."""
    _require_names(args)
    outputs = {"-o": args.output, "--parity": args.parity}
    claim(outputs, [*map(file_of, args.files), *model_files(args.model)], force=args.force)
    with deferred_interrupt() as interrupted:
        work = _Work(chosen_model(args), args.species, interrupted, [_Summary(name) for name in args.files])
        said = "" if args.output is None else _write_frames(work, args)
        if args.output is None:
            work.do(None)
    print_table(_HEADER, [summary.row() for summary in work.summaries if summary.frames])
    print_errors(work.comparison)
    if interrupted.is_set():
        print(f"ase-mlips: interrupted{said}", file=sys.stderr)
        return INTERRUPTED
    if args.output:
        print(f"wrote {work.frames} frames to {args.output}")
    if args.parity:
        with replacing(args.parity, force=args.force) as path:
            save_parity(work.comparison, str(path))
        print(f"wrote {args.parity}")
    return 0


def _require_names(args: Namespace) -> None:
    if args.output is not None and not args.output.endswith((".xyz", ".extxyz")):
        raise ValueError(
            f"{args.output}: results are written as extended XYZ, expected a name that ends in .extxyz or .xyz"
        )
    if args.parity is not None and not args.parity.endswith(_PICTURES):
        raise ValueError(
            f"--parity {args.parity}: expected a name that ends in {', '.join(_PICTURES[:-1])} or {_PICTURES[-1]}"
        )


@dataclass
class _Work:
    """The frames of all files with the results of a calculator, until the event is set."""

    calculator: Calculator
    species: Sequence[str] | None
    interrupted: Event
    summaries: list[_Summary]
    comparison: Comparison = field(default_factory=Comparison)

    @property
    def frames(self) -> int:
        """How many there are so far."""
        return sum(summary.frames for summary in self.summaries)

    def do(self, out: AppendedFile | None) -> None:
        """Evaluate all frames, and write each as soon as it is done."""
        for summary in self.summaries:
            frames = read_frames(summary.name, species=self.species)
            for atoms in tqdm(frames, desc=summary.name, unit="frame", disable=None, leave=False):
                if self.interrupted.is_set():
                    return
                self._evaluate(summary, atoms, out)

    def _evaluate(self, summary: _Summary, atoms: Atoms, out: AppendedFile | None) -> None:
        labels = self.comparison.label(atoms, summary.name)
        atoms.calc = self.calculator
        try:
            atoms.get_potential_energy()
            atoms.get_forces()
        except (ValueError, CalculatorError) as error:
            error.add_note(f"{summary.name}: frame {summary.frames}")
            raise
        if out is not None:
            text = io.StringIO()
            write_xyz(text, results_frame(atoms, self.calculator.results))
            out.append(text.getvalue().encode())
        summary.add(atoms, self.calculator.results)
        self.comparison.add(summary.name, labels, self.calculator.results)


def _write_frames(work: _Work, args: Namespace) -> str:
    """Do the work and write the output, after Ctrl-C or a failure the frames until then; returns what is to be said."""
    with beside(args.output) as new:
        try:
            with AppendedFile(new, new=True) as out:
                work.do(out)
        except BaseException as error:
            if kept := _keep(new, work, args.output):
                error.add_note(kept)
            raise
        if work.interrupted.is_set():
            return _keep(new, work, args.output)
        give_name(new, args.output, force=args.force)
    return ""


def _keep(new: Path, work: _Work, output: str) -> str:
    """Give the frames that there are a name, if there are any, and say so."""
    if work.frames == 0:
        return ""
    output = unfinished(output)
    give_name(new, output)
    return f"; {output} holds all frames until then, {work.frames}"
