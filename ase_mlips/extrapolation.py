"""Active learning during a simulation: keep what extrapolates, stop where the potential must not be trusted."""

from __future__ import annotations

import os
import re
from io import StringIO

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from ase.io import write

from .files.appending import AppendedFile
from .files.text import read_text
from .grades.grade import Grade

_STEP = re.compile(r"(?:^|\s)step=(\d+)(?:\s|$)")


class ExtrapolationError(RuntimeError):
    """The extrapolation grade has passed the limit; the configuration is in the file of the observer."""


class ExtrapolationObserver:
    """Watches the extrapolation grade: ``dynamics.attach(ExtrapolationObserver(atoms, "kept.extxyz"), interval=10)``.

    Optimisers take it, too.

    Parameters
    ----------
    atoms : Atoms
        With a calculator that has `get_extrapolation_grade`: an `MTP`, `NEP` or `SNAP` with an active set, or a
        `Committee`, whose grade is the largest deviation of a force in eV/A.
    path : path, optional
        Extended xyz file to which configurations are appended; ``info["extrapolation_grade"]`` holds their grade.
        Without it they are in `frames` only.
    select, stop : float
        Configurations of a grade above `select` are kept; above `stop` the run ends with an `ExtrapolationError` after
        the configuration is kept.  The defaults are those of the Cu7PS6 study (Liu et al.): 3 and 10.

    Attributes
    ----------
    grades : list of float
        Of every configuration seen.
    frames : list of Atoms
        Those that were kept.
    """

    def __init__(
        self,
        atoms: Atoms,
        path: str | os.PathLike[str] | None = None,
        *,
        select: float = 3.0,
        stop: float = 10.0,
    ) -> None:
        if not 0.0 < select <= stop:
            raise ValueError(f"select and stop: expected 0 < select <= stop, got {select} and {stop}")
        self.atoms, self.path, self.select, self.stop = atoms, path, select, stop
        self.grades: list[float] = []
        self.frames: list[Atoms] = []

    @property
    def kept(self) -> int:
        """How many configurations were kept."""
        return len(self.frames)

    def __call__(self) -> None:
        """Grade the present configuration."""
        self.watch({})

    def watch(self, info: dict[str, int | float]) -> None:
        """The same, with something more to be said of the configuration, such as its step, should it be kept."""
        try:
            found = self.atoms.calc.get_extrapolation_grade(self.atoms)
        except CalculationFailed:  # of coincident atoms: there is no grade, but a configuration to be looked at
            found = Grade(np.nan, None)
        self.grades.append(found.configuration)
        if found.configuration <= self.select:
            return
        self._keep(found, info)
        if not found.configuration <= self.stop:  # NaN stops the run too
            grade = f"extrapolation grade {found.configuration:.3g} is above {self.stop:g}"
            place = "" if self.path is None else f": the configuration is in {os.fspath(self.path)}"
            raise ExtrapolationError(grade + place)

    def _keep(self, found: Grade, info: dict[str, int | float]) -> None:
        copy = self.atoms.copy()
        copy.info |= info
        copy.info["extrapolation_grade"] = found.configuration
        if found.neighborhoods is not None:
            copy.arrays["extrapolation_grades"] = found.neighborhoods
        self.frames.append(copy)
        if self.path is None:
            return
        text = StringIO()
        write(text, copy, format="extxyz")
        with AppendedFile(self.path, new=False) as file:
            file.append(text.getvalue().encode())


def forget_later(path: str | os.PathLike[str], step: int) -> None:
    """Cut kept configurations behind the last whole one that is not of a step after `step`, to go on from there."""
    if not os.path.exists(path):
        return
    lines = read_text(path).splitlines(keepends=True)
    place, size = 0, 0
    while place < len(lines):
        count = lines[place].strip()
        end = place + 2 + int(count) if count.isdecimal() else len(lines) + 1
        if end > len(lines) or not lines[end - 1].endswith("\n"):
            break
        found = _STEP.search(lines[place + 1])
        if found and int(found[1]) > step:
            break
        size += sum(len(line.encode()) for line in lines[place:end])
        place = end
    with AppendedFile(path, new=False) as file:
        file.truncate(size)
