"""``ase-mlips evaluate``: energies, forces and stresses of many structures."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator, CalculatorError
from ase.io.extxyz import write_xyz
from tqdm import tqdm

from .common import chosen_model, print_table, read_frames, replacing, results_frame

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
    if args.output is not None:
        _check_output(args.output, args.files)
    calculator = chosen_model(args)
    with _opened(args.output) if args.output else nullcontext() as out:
        summaries = [_evaluate_file(calculator, name, out, args.species) for name in args.files]
    print_table(_HEADER, [summary.row() for summary in summaries])
    if args.output:
        print(f"wrote {sum(s.frames for s in summaries)} frames to {args.output}")
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


def _evaluate_file(calculator: Calculator, name: str, out: IO[str] | None, species: Sequence[str] | None) -> _Summary:
    summary = _Summary(name)
    for atoms in tqdm(read_frames(name, species=species), desc=name, unit="frame", disable=None, leave=False):
        labels = atoms.calc.results if atoms.calc is not None else {}
        atoms.calc = calculator
        try:
            atoms.get_potential_energy()
            atoms.get_forces()
        except (ValueError, CalculatorError) as error:
            error.add_note(f"{name}: frame {summary.frames}")
            raise
        summary.add(atoms, calculator.results, labels)
        if out is not None:
            write_xyz(out, results_frame(atoms, calculator.results))
    return summary
