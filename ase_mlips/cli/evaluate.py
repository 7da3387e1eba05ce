"""``ase-mlips evaluate``: energies, forces and stresses of many structures."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, CalculatorError
from ase.io.extxyz import write_xyz
from tqdm import tqdm

from ase_mlips.places import require_place

from .common import chosen_model, print_table, read_frames, replacing, results_frame
from .errors import Comparison, print_errors, save_parity

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
    if args.output is not None:
        _check_output(args.output, args.files)
    if args.parity is not None:
        _check_parity(args.parity)
    calculator, comparison = chosen_model(args), Comparison()
    with _opened(args.output) if args.output else nullcontext() as out:
        summaries = [_evaluate_file(calculator, name, out, comparison, args.species) for name in args.files]
    print_table(_HEADER, [summary.row() for summary in summaries])
    print_errors(comparison)
    if args.output:
        print(f"wrote {sum(s.frames for s in summaries)} frames to {args.output}")
    if args.parity:
        with replacing(args.parity) as path:
            save_parity(comparison, str(path))
        print(f"wrote {args.parity}")
    return 0


@contextmanager
def _opened(output: str) -> Iterator[IO[str]]:
    with replacing(output) as path, open(path, "w", encoding="utf-8") as file:
        yield file


def _check_output(output: str, files: list[str]) -> None:
    if not output.endswith((".xyz", ".extxyz")):
        raise ValueError(f"{output}: results are written as extended XYZ, expected a name that ends in .extxyz or .xyz")
    for name in files:
        source = name if os.path.exists(name) else name.rpartition("@")[0]
        if os.path.exists(output) and os.path.exists(source) and os.path.samefile(output, source):
            raise ValueError(f"{output}: is an input too, its labels would be lost")


def _check_parity(picture: str) -> None:
    if not picture.endswith(_PICTURES):
        raise ValueError(
            f"--parity {picture}: expected a name that ends in {', '.join(_PICTURES[:-1])} or {_PICTURES[-1]}"
        )
    require_place(picture)


def _evaluate_file(
    calculator: Calculator, name: str, out: IO[str] | None, comparison: Comparison, species: Sequence[str] | None
) -> _Summary:
    summary = _Summary(name)
    frames = read_frames(name, species=species)
    for atoms in tqdm(frames, desc=name, unit="frame", disable=None, leave=False):
        labels = comparison.label(atoms, name)
        atoms.calc = calculator
        try:
            atoms.get_potential_energy()
            atoms.get_forces()
        except (ValueError, CalculatorError) as error:
            error.add_note(f"{name}: frame {summary.frames}")
            raise
        summary.add(atoms, calculator.results)
        comparison.add(name, labels, calculator.results)
        if out is not None:
            write_xyz(out, results_frame(atoms, calculator.results))
    return summary
