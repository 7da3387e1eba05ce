"""What a run is to do: frozen settings that read and write YAML."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from ase_mlips.files.text import replace_files

from .yaml_files import as_mapping, conform, read_mapping, require_known, settings_from, yaml_text

Ensemble = Literal["nve", "langevin", "bussi", "nose-hoover", "npt", "npt-full"]
Optimizer = Literal["bfgs", "lbfgs", "fire"]

_Path = str | os.PathLike[str]
_UNDER_PRESSURE = ("npt", "npt-full")


class Settings:
    """Base of settings: a frozen dataclass whose values JSON has, too, and which checks them when it is made.

    The message of an error begins with the name of the field and a colon, so that a file's line can be said.
    """

    @classmethod
    def read(cls, path: _Path) -> Self:
        """Read what `write` has written; fields with defaults may be missing.

        Raises
        ------
        OSError, ValueError
            The file cannot be read; an unknown key or a value that means nothing, with file and line.
        """
        entries = read_mapping(path)
        require_known(entries, cls.__dataclass_fields__, path)  # type: ignore[attr-defined]
        return settings_from(cls, entries, path)

    def write(self, path: _Path) -> None:
        """Write all settings that say something as YAML; a file that exists is replaced."""
        replace_files({os.fspath(path): yaml_text(as_mapping(self)).encode()})


@dataclass(frozen=True)
class MDRun(Settings):
    """Settings of a molecular dynamics run.

    Parameters
    ----------
    ensemble : {"nve", "langevin", "bussi", "nose-hoover", "npt", "npt-full"}
        Velocity Verlet; NVT by friction and noise, by rescaling, by a Nose-Hoover chain; NPT of Martyna, Tobias and
        Klein with a cell that keeps its shape, and with one all of whose vectors are free.
    temperature, temperature_end : float
        Of velocities and thermostat in K; with `temperature_end` it goes from the one to the other in `steps`.
    pressure, pressure_end : float, optional
        Of npt in GPa, 0 by default; likewise.
    timestep : float
        fs.
    steps : int
        Length of the whole run, restarts included.
    damping : float
        Time of the thermostat in fs; the cell is ten times slower.
    interval : int
        Steps from one saved frame to the next.
    heat_interval : int
        Steps from one heat flux to the next.
    seed : int, optional
        Of velocities and noise; by default a new one.
    max_grade : float, optional
        Log the extrapolation grade of a potential with an active set, and take it for an error above this one.
    max_deviation : float, optional
        Log the largest deviation of a force among the members of a `Committee` in eV/A, and end the run above this one.
    grade_select, grade_break : float, optional
        Keep the configurations whose extrapolation grade is above the one, and end the run above the other, where the
        result says so.  With one of them only, either none ends the run or the one that does is kept.
    grade_interval : int
        Steps from one of these grades to the next.

    Raises
    ------
    ValueError
        A value that means nothing, or one that the ensemble has no use for.
    """

    ensemble: Ensemble = "nve"
    temperature: float = 300.0
    temperature_end: float | None = None
    pressure: float | None = None
    pressure_end: float | None = None
    timestep: float = 1.0
    steps: int = 1000
    damping: float = 100.0
    interval: int = 10
    heat_interval: int = 5
    seed: int | None = None
    max_grade: float | None = None
    max_deviation: float | None = None
    grade_select: float | None = None
    grade_break: float | None = None
    grade_interval: int = 10

    def __post_init__(self) -> None:
        conform(self)
        for name in ("timestep", "steps", "damping", "interval", "heat_interval", "max_grade", "max_deviation"):
            _require(self, name, lambda value: value > 0, "a positive number")
        for name in ("temperature", "temperature_end", "seed"):
            _require(self, name, lambda value: value >= 0, "zero or a positive number")
        for name in ("pressure", "pressure_end"):
            if getattr(self, name) is not None and not self.has_pressure:
                raise ValueError(f"{name}: is of npt, and has no meaning in {self.ensemble}")
        for name in ("grade_select", "grade_break", "grade_interval"):
            _require(self, name, lambda value: value > 0, "a positive number")
        if self.watched and not self.grade_limits[0] <= self.grade_limits[1]:
            raise ValueError(f"grade_select: expected no more than grade_break, got {self.grade_select}")
        if self.temperature_end is not None and self.ensemble == "nve":
            raise ValueError("temperature_end: needs a thermostat; nve has none")
        for name in ("temperature", "temperature_end"):
            if self.ensemble != "nve" and getattr(self, name) == 0.0:
                raise ValueError(f"{name}: {self.ensemble} needs a temperature above zero")

    @property
    def has_pressure(self) -> bool:
        """Whether the cell moves."""
        return self.ensemble in _UNDER_PRESSURE

    @property
    def watched(self) -> bool:
        """Whether configurations are graded while it runs."""
        return self.grade_select is not None or self.grade_break is not None

    @property
    def grade_limits(self) -> tuple[float, float]:
        """Above which grade configurations are kept, and above which the run ends."""
        end = math.inf if self.grade_break is None else self.grade_break
        return (end if self.grade_select is None else self.grade_select), end

    def temperature_at(self, step: int) -> float:
        """Target of the thermostat in K."""
        return self._at(step, self.temperature, self.temperature_end)

    def pressure_at(self, step: int) -> float:
        """Target of the barostat in GPa."""
        return self._at(step, self.pressure or 0.0, self.pressure_end)

    def _at(self, step: int, start: float, end: float | None) -> float:
        return start if end is None else start + (end - start) * min(step / self.steps, 1.0)


@dataclass(frozen=True)
class RelaxRun(Settings):
    """Settings of a relaxation.

    Parameters
    ----------
    cell : bool
        Relax the cell, too.
    constant_volume : bool
        The shape of the cell only.
    symmetry : bool
        Keep the space group; more may be found, less not.
    pressure : float
        On the cell, in GPa.
    optimizer : {"bfgs", "lbfgs", "fire"}, optional
        By default LBFGS for positions, and BFGS for cells and under symmetry.
    fmax : float
        Largest force in eV/A on an atom and, divided likewise, on the cell (`ase.filters.FrechetCellFilter`).
    steps : int
        Give up after so many.

    Raises
    ------
    ValueError
        A value that means nothing, or what is said of a cell that stays.
    """

    cell: bool = False
    constant_volume: bool = False
    symmetry: bool = False
    pressure: float = 0.0
    optimizer: Optimizer | None = None
    fmax: float = 0.01
    steps: int = 500

    def __post_init__(self) -> None:
        conform(self)
        for name in ("fmax", "steps"):
            _require(self, name, lambda value: value > 0, "a positive number")
        if self.constant_volume and not self.cell:
            raise ValueError("constant_volume: is of a cell that is relaxed, which cell: true asks for")
        if self.pressure and (self.constant_volume or not self.cell):
            raise ValueError("pressure: needs a cell whose volume is relaxed")

    @property
    def method(self) -> Optimizer:
        """The optimizer that is used."""
        # LBFGS scales steps of the cell badly and may wander off.
        return self.optimizer or ("bfgs" if self.cell or self.symmetry else "lbfgs")


def _require(settings: Any, name: str, holds: Callable[[Any], bool], expected: str) -> None:
    value = getattr(settings, name)
    if value is not None and not holds(value):
        raise ValueError(f"{name}: expected {expected}, got {value!r}")


ENSEMBLES: tuple[str, ...] = get_args(Ensemble)
