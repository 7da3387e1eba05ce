"""Who labels: a calculator, here or on other processes, or somebody elsewhere through files.

Labels are kept in a folder as soon as they are there, one file for each structure, so that none is made twice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor
from copy import deepcopy
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.geometry import find_mic
from ase.io import read, write

from ase_mlips import load
from ase_mlips.files.text import replace_files
from ase_mlips.runs.executors import completed

from .settings import FILES

Format = Literal["extxyz", "poscar", "cfg"]

_CALCULATOR = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_INPUTS = {"extxyz": ("structure.extxyz", "extxyz"), "poscar": ("POSCAR", "vasp"), "cfg": ("structure.cfg", "mlip-cfg")}
RESULTS = {"labelled.extxyz": "extxyz", "labelled.cfg": "mlip-cfg", "vasprun.xml": "vasp-xml", "OUTCAR": "vasp-out"}
FAILED = "failed"
_SAME = 0.01  # A
_DIGITS = {"energy": 8, "forces": 8, "stress": 12}  # behind the point of eV, eV/A and eV/A^3
_SHOWN = 3


class Labels:
    """Labels in a folder: ``0007.extxyz`` holds those of structure 7, and ``0007.failed`` says why there are none.

    Parameters
    ----------
    folder : path
        It is made when the first label is there.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def keep(self, number: int, atoms: Atoms) -> None:
        """Write a labelled structure.

        Raises
        ------
        ValueError
            It lacks an energy, or a label is not finite.
        """
        results = atoms.calc.results if atoms.calc else {}
        if "energy" not in results and "forces" not in results:
            raise ValueError("expected an energy or forces, got neither")
        for name in ("energy", "forces", "stress"):
            if name in results and not np.isfinite(results[name]).all():
                raise ValueError(f"expected finite labels, got another {name}")
        copy = atoms.copy()
        # Last bits may depend on what a calculator did before, and a learning that was interrupted must end the same.
        rounded = {name: np.round(results[name], digits) for name, digits in _DIGITS.items() if name in results}
        copy.calc = SinglePointCalculator(copy, **rounded)
        self._write(f"{number:04d}.extxyz", as_text(copy))

    def drop(self, number: int, reason: str) -> None:
        """Note that a structure cannot be labelled."""
        self._write(f"{number:04d}.{FAILED}", " ".join(reason.split()) + "\n")

    def missing(self, count: int) -> list[int]:
        """Which of so many structures are still to be labelled."""
        return [number for number in range(count) if not (self._kept(number).exists() or self._dropped(number))]

    def frames(self, count: int) -> list[Atoms]:
        """All that are labelled, in order."""
        return [read(self._kept(number)) for number in range(count) if self._kept(number).exists()]

    def reasons(self, count: int) -> dict[int, str]:
        """Why there are no labels, by number."""
        return {number: reason for number in range(count) if (reason := self._dropped(number))}

    def retry(self) -> None:
        """Forget which structures could not be labelled."""
        for path in self.folder.glob(f"*.{FAILED}"):
            path.unlink()

    def _kept(self, number: int) -> Path:
        return self.folder / f"{number:04d}.extxyz"

    def _dropped(self, number: int) -> str:
        path = self.folder / f"{number:04d}.{FAILED}"
        return path.read_text(encoding="utf-8").strip() if path.exists() else ""

    def _write(self, name: str, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_files({os.fspath(self.folder / name): text.encode()})


class Labeller(Protocol):
    """Who makes labels."""

    def label(self, structures: Mapping[int, Atoms], labels: Labels, executor: Executor | None) -> str:
        """Keep or drop those structures that are ready, by their numbers; say what the others wait for."""


@dataclass(frozen=True, eq=False)
class CalculatorLabeller:
    """A calculator of ASE; one that fails leaves the structure out.

    Attributes
    ----------
    calc : ase.calculators.calculator.BaseCalculator
        With an executor each structure gets a copy of it, with a directory of its own.
    """

    calc: BaseCalculator

    def label(self, structures: Mapping[int, Atoms], labels: Labels, executor: Executor | None) -> str:
        """Label all of them."""
        for number, found in self._found(structures, labels.folder, executor):
            if isinstance(found, Atoms):
                labels.keep(number, found)
            else:
                labels.drop(number, found)
        return ""

    def _found(
        self, structures: Mapping[int, Atoms], folder: Path, executor: Executor | None
    ) -> Iterator[tuple[int, Atoms | str]]:
        if executor is None:
            for number, atoms in structures.items():
                yield number, labelled(self.calc, atoms)
            return
        places = {number: folder / f"{number:04d}" for number in structures}
        waiting = {
            executor.submit(_labelled_apart, self.calc, atoms, places[number]): number
            for number, atoms in structures.items()
        }
        yield from ((number, future.result()) for number, future in completed(waiting))


def _labelled_apart(calc: BaseCalculator, atoms: Atoms, directory: Path) -> Atoms | str:
    """By a copy of the calculator, which may write files into a directory of its own."""
    own = deepcopy(calc)
    if hasattr(own, "directory"):
        own.directory = os.fspath(directory)
    return labelled(own, atoms)


def labelled(calc: BaseCalculator, atoms: Atoms) -> Atoms | str:
    """A copy with energy, forces and, where there are some, stress; or the sentence that says why there is none."""
    copy = atoms.copy()
    names = ["energy", "forces"]
    if copy.cell.rank == 3 and copy.pbc.all() and "stress" in calc.implemented_properties:
        names.append("stress")
    try:
        found = {name: np.array(calc.get_property(name, copy)) for name in names}
    except BrokenExecutor:
        raise
    except Exception as error:  # of any program behind the calculator; the sentence goes to the log
        return f"{type(error).__name__}: {error}"
    unreal = [name for name, values in found.items() if not np.isfinite(values).all()]
    if unreal:
        return f"{' and '.join(unreal)} not finite"
    copy.calc = SinglePointCalculator(copy, **found | {"energy": float(found["energy"])})
    return copy


@dataclass(frozen=True)
class FileLabeller:
    """A folder for each structure, where somebody puts the result.

    ``to-label/0007`` gets the structure, and is looked at for ``labelled.extxyz``, ``labelled.cfg``, ``vasprun.xml`` or
    ``OUTCAR``, whose last frame counts.  A file ``failed`` there, which may say why, leaves the structure out.

    Attributes
    ----------
    format : {"extxyz", "poscar", "cfg"}
        Of the structures.
    """

    format: Format = "extxyz"

    def label(self, structures: Mapping[int, Atoms], labels: Labels, executor: Executor | None) -> str:
        """Take what is there.

        Raises
        ------
        ValueError
            A result is of another structure, or not finite.
        """
        place = labels.folder.parent / "to-label"
        waiting = []
        for number, atoms in structures.items():
            folder = place / f"{number:04d}"
            self._write(folder, atoms)
            if (folder / FAILED).exists():
                text = (folder / FAILED).read_text(encoding="utf-8", errors="replace").strip()
                labels.drop(number, text or f"{folder / FAILED} is there")
            elif isinstance(found := _result(folder, atoms), Atoms):
                try:
                    labels.keep(number, found)
                except ValueError as error:
                    raise ValueError(f"{folder}: {error}") from None
            else:
                waiting.append(found)
        if not waiting:
            return ""
        more = f" and {len(waiting) - _SHOWN} more" if len(waiting) > _SHOWN else ""
        return f"waiting for {len(waiting)} of {len(structures)} labels: {'; '.join(waiting[:_SHOWN])}{more}"

    def _write(self, folder: Path, atoms: Atoms) -> None:
        name, form = _INPUTS[self.format]
        if (folder / name).exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        text = StringIO()
        write(text, atoms, format=form)
        replace_files({os.fspath(folder / name): text.getvalue().encode()})


def _result(folder: Path, atoms: Atoms) -> Atoms | str:
    """The labelled structure of a folder, or what it waits for."""
    there = [name for name in RESULTS if (folder / name).exists()]
    if not there:
        return f"{folder} has none of {', '.join(RESULTS)}"
    path = folder / there[0]
    try:
        found = read(path, -1, format=RESULTS[there[0]])
    except Exception as error:  # of ASE's readers, on a file that another program may still be writing
        return f"{path} cannot be read yet ({type(error).__name__}: {' '.join(str(error).split())[:80]})"
    results = found.calc.results if found.calc else {}
    if "energy" not in results or "forces" not in results:
        return f"{path} has no energy or no forces yet"
    _require_same(path, found, atoms)
    copy = atoms.copy()
    kept = {name: results[name] for name in ("energy", "forces", "stress") if name in results}
    copy.calc = SinglePointCalculator(copy, **kept)
    return copy


def _require_same(path: Path, found: Atoms, atoms: Atoms) -> None:
    """ValueError where a result is of another structure than was asked for."""
    if not np.array_equal(found.numbers, atoms.numbers):
        raise ValueError(f"{path}: expected {atoms.symbols} in this order, got {found.symbols}")
    cell = atoms.cell.array
    if np.abs(found.cell.array - cell).max() > _SAME:
        raise ValueError(f"{path}: expected the cell {cell.tolist()}, got {found.cell.array.tolist()}")
    apart = find_mic(found.positions - atoms.positions, atoms.cell, pbc=atoms.pbc)[1].max()
    if apart > _SAME:
        raise ValueError(f"{path}: expected the positions that were asked for, got others, up to {apart:.3g} A away")


def labeller_of(name: str, options: Mapping[str, Any] | None = None) -> Labeller:
    """The labeller that settings name, see `ActiveRun`.

    Raises
    ------
    OSError, ValueError
        There is none of that name, or it cannot be made with these options.
    """
    kind, _, form = name.partition(":")
    if kind == FILES:
        if form and form not in get_args(Format):
            raise ValueError(f"labeller: expected files, files:poscar or files:cfg, got {name!r}")
        return FileLabeller(form or "extxyz")  # type: ignore[arg-type]
    if not _CALCULATOR.fullmatch(name) or kind == "embedded" or os.path.exists(name):
        return CalculatorLabeller(load(name, **(options or {})))
    try:
        found = getattr(import_module(kind), form)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"labeller: {name!r} cannot be imported: {error}") from None
    return CalculatorLabeller(found(**(options or {})))


def as_text(frames: Atoms | Sequence[Atoms]) -> str:
    """Frames as extended xyz."""
    text = StringIO()
    write(text, frames, format="extxyz")
    return text.getvalue()
