"""Active learning during molecular dynamics: keep what extrapolates, stop where the potential must not be trusted."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from ase.io import write

from .grades.grade import Grade


class ExtrapolationError(RuntimeError):
    """The extrapolation grade has passed the limit; the configuration is in the file of the observer."""


class ExtrapolationObserver:
    """Watches the extrapolation grade: ``dynamics.attach(ExtrapolationObserver(atoms, "kept.extxyz"), interval=10)``.

    Parameters
    ----------
    atoms : Atoms
        With an `MTP` calculator that has an active set.
    path : path
        Extended xyz file to which configurations are appended; ``info["extrapolation_grade"]`` holds their grade.
    select, stop : float
        Configurations of a grade above `select` are kept; above `stop` the run ends with an `ExtrapolationError` after
        the configuration is kept.  The defaults are those of the Cu7PS6 study (Liu et al.): 3 and 10.

    Attributes
    ----------
    grades : list of float
        Of every configuration seen.
    kept : int
        How many were written.
    """

    def __init__(self, atoms: Atoms, path: str | os.PathLike[str], *, select: float = 3.0, stop: float = 10.0) -> None:
        if not 0.0 < select <= stop:
            raise ValueError(f"select and stop: expected 0 < select <= stop, got {select} and {stop}")
        self.atoms, self.path, self.select, self.stop = atoms, Path(path), select, stop
        self.grades: list[float] = []
        self.kept = 0

    def __call__(self) -> None:
        """Grade the present configuration."""
        try:
            found = self.atoms.calc.get_extrapolation_grade(self.atoms)
        except CalculationFailed:  # of coincident atoms: there is no grade, but a configuration to be looked at
            found = Grade(np.nan, None)
        self.grades.append(found.configuration)
        if found.configuration <= self.select:
            return
        copy = self.atoms.copy()
        copy.info["extrapolation_grade"] = found.configuration
        if found.neighborhoods is not None:
            copy.arrays["extrapolation_grades"] = found.neighborhoods
        write(self.path, copy, format="extxyz", append=True)
        self.kept += 1
        if not found.configuration <= self.stop:  # NaN stops the run too
            grade = f"extrapolation grade {found.configuration:.3g} is above {self.stop:g}"
            raise ExtrapolationError(f"{grade}: the configuration is in {self.path}")
