"""What watches a run: the guard against explosion, the limit of a model's uncertainty, the recorder of files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import CalculationFailed
from ase.md.md import MolecularDynamics

from ase_mlips.extrapolation import ExtrapolationObserver
from ase_mlips.results import results_frame

from .ensembles import own_constraints, state_of, temperature_of
from .settings import MDRun
from .trajectory import LogFile, TrajectoryFile

HOTTEST = 1e5  # K, or ten times what the run is to begin with: beyond, atoms no longer feel each other
KEPT = ("step", "time_fs", "run")  # what a frame's info says beyond the structure's own
STATE = "thermostat"
_COLUMNS = ("step", "time/ps", "temperature/K", "potential/eV", "kinetic/eV", "total/eV")
_UNDER_PRESSURE = ("pressure/GPa", "volume/A^3")
_FULL = ("xx/GPa", "yy/GPa", "zz/GPa", "yz/GPa", "xz/GPa", "xy/GPa")


class Guard:
    """Observer that ends a run whose time step is too long, or whose atoms came too close, before a frame is written.

    Parameters
    ----------
    dynamics : MolecularDynamics
    hottest : float
        K.
    freedom : int
        Number of degrees of freedom.
    """

    def __init__(self, dynamics: MolecularDynamics, hottest: float, freedom: int) -> None:
        self._dynamics, self._hottest, self._freedom = dynamics, hottest, freedom
        # Half of the limit, far from all rounding, as if all atoms were as light as the lightest one.
        self._safe = 0.5 * freedom * units.kB * hottest * float(dynamics.masses.min())

    def __call__(self) -> None:
        """Raise CalculationFailed where the temperature is too high or not a number."""
        momenta = self._dynamics.atoms.arrays["momenta"].ravel()
        if momenta.dot(momenta) <= self._safe:
            return
        temperature = temperature_of(self._dynamics.atoms, self._freedom)
        if not temperature <= self._hottest:
            raise CalculationFailed(
                f"step {self._dynamics.nsteps}: the temperature is {temperature:.3g} K, above {self._hottest:.3g} K: "
                f"the run has exploded; take a time step shorter than {self._dynamics.dt / units.fs:g} fs, or another "
                "structure or model"
            )


@dataclass(frozen=True)
class Limit:
    """How uncertain a model may be.

    Attributes
    ----------
    column : str
        Of the log.
    measure : callable
        From atoms to the number that is logged.
    largest : float
    words : str
        What it is, for messages.
    """

    column: str
    measure: Callable[[Atoms], float]
    largest: float
    words: str


def limits(settings: MDRun, calc: Any) -> list[Limit]:
    """The limits that are wanted; ValueError where the calculator does not offer them."""
    found = []
    if settings.max_grade is not None:
        grade = _offered(calc, "max_grade", "get_extrapolation_grade", "an extrapolation grade, as an MTP does")
        found.append(
            Limit("grade", lambda atoms: float(grade(atoms).configuration), settings.max_grade, "extrapolation grade")
        )
    if settings.max_deviation is not None:
        deviations = _offered(calc, "max_deviation", "get_force_deviations", "deviations, as a Committee does")
        found.append(
            Limit(
                "deviation/(eV/A)",
                lambda atoms: float(np.linalg.norm(deviations(atoms), axis=1).max()),
                settings.max_deviation,
                "deviation of a force among the models, in eV/A,",
            )
        )
    return found


def watch(settings: MDRun, dynamics: MolecularDynamics, path: str | None) -> ExtrapolationObserver:
    """Attach what keeps the configurations that extrapolate and ends the run; ValueError where there is no grade."""
    select, stop = settings.grade_limits
    atoms = dynamics.atoms
    setting = "grade_break" if settings.grade_select is None else "grade_select"
    grade = _offered(atoms.calc, setting, "get_extrapolation_grade", "an extrapolation grade, as an MTP does")
    grade(atoms)  # fails before any file is made
    observer = ExtrapolationObserver(atoms, path, select=select, stop=stop)
    dynamics.attach(lambda: observer.watch({"step": dynamics.nsteps}), settings.grade_interval)
    return observer


def _offered(calc: Any, setting: str, method: str, what: str) -> Callable[[Atoms], Any]:
    found: Callable[[Atoms], Any] | None = getattr(calc, method, None)
    if found is None:
        raise ValueError(f"{setting}: needs a calculator that gives {what}; {calc!r} does not")
    return found


class Table:
    """The rows of a run's log.

    Parameters
    ----------
    dynamics : MolecularDynamics
    settings : MDRun
    freedom : int
        Number of degrees of freedom.
    """

    def __init__(self, dynamics: MolecularDynamics, settings: MDRun, freedom: int) -> None:
        self._dynamics, self._settings, self._freedom = dynamics, settings, freedom
        self._limits = limits(settings, dynamics.atoms.calc)
        under_pressure = _UNDER_PRESSURE if settings.has_pressure else ()
        full = _FULL if settings.ensemble == "npt-full" else ()
        self.columns = (*_COLUMNS, *under_pressure, *full, *(limit.column for limit in self._limits))

    def row(self, time_fs: float) -> list[float]:
        """What the log says of the present step, without its number."""
        atoms = self._dynamics.atoms
        potential, kinetic = atoms.get_potential_energy(), atoms.get_kinetic_energy()
        temperature = temperature_of(atoms, self._freedom)
        row = [1e-3 * time_fs, temperature, potential, kinetic, potential + kinetic]
        if self._settings.has_pressure:
            stress = atoms.get_stress(include_ideal_gas=True)
            row += [-stress[:3].mean() / units.GPa, atoms.get_volume()]
            row += (-stress / units.GPa).tolist() if self._settings.ensemble == "npt-full" else []
        return row + [limit.measure(atoms) for limit in self._limits]

    def require_certain(self, row: list[float]) -> None:
        """CalculationFailed where a row says that the model must not be trusted."""
        for limit, value in zip(self._limits, row[len(row) - len(self._limits) :], strict=True):
            if not value <= limit.largest:  # not a number, too
                raise CalculationFailed(
                    f"step {self._dynamics.nsteps}: the {limit.words} is {value:.3g}, above {limit.largest:g}: the "
                    "model must not be trusted here"
                )


class Recorder:
    """Observer that writes log and trajectory, if there are any, and remembers the rows.

    Parameters
    ----------
    table : Table
    dynamics : MolecularDynamics
    files : (TrajectoryFile, LogFile) or None
    settings : str
        What all parts of one run have in common.
    """

    def __init__(
        self, table: Table, dynamics: MolecularDynamics, files: tuple[TrajectoryFile, LogFile] | None, settings: str
    ) -> None:
        self._table, self._dynamics, self._files, self._settings = table, dynamics, files, settings
        self.last_step: int | None = dynamics.atoms.info.get("step")
        self._constraints = own_constraints(dynamics.atoms)
        self.rows: list[list[float]] = []

    def __call__(self) -> None:
        """Write the present step, if it is not what the run was continued from."""
        step = self._dynamics.nsteps
        if step == self.last_step:
            return
        time_fs = step * self._dynamics.dt / units.fs
        row = self._table.row(time_fs)
        if self._files is not None:
            trajectory, log = self._files
            log.write(step, row)
            trajectory.write(self.frame(step, time_fs))
        self.last_step = step
        self.rows.append([float(step), *row])
        self._table.require_certain(row)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of what is in the rows."""
        return self._table.columns

    def frame(self, step: int, time_fs: float) -> Atoms:
        """The present atoms with their results, and with all that a restart needs."""
        atoms = self._dynamics.atoms
        frame = results_frame(atoms, atoms.calc.results)
        frame.set_constraint(self._constraints)
        frame.info |= dict(zip(KEPT, (step, time_fs, self._settings), strict=True))
        if state := state_of(self._dynamics):
            frame.info[STATE] = state
        return frame
