"""What runs return."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from ase_mlips.analysis.results import new_axes
from ase_mlips.analysis.tables import Tabulated
from ase_mlips.arrays import FloatArray


@dataclass(frozen=True, eq=False, repr=False)
class MDResult(Tabulated):
    """A molecular dynamics run, or the part of it that one call has run.

    Attributes
    ----------
    ensemble : str
    log : dict of str to array (K,)
        Columns of the log by name with unit: step, time/ps, temperature/K, potential/eV, kinetic/eV, total/eV, and
        what the ensemble and the settings add.
    first_step, last_step : int
    timestep : float
        fs.
    seconds : float
        Time that the computer took.
    interrupted : bool
        Ctrl-C has ended it.
    structure : dict of str to array
        numbers (N,), positions (N, 3) in A, momenta (N, 3) in ASE's units, cell (3, 3) in A and pbc (3,) of the end.
    origin : str
        `provenance_of` the calculator as JSON.
    stopped : str
        Why the run has ended before its time: which extrapolation grade at which step.  Empty otherwise.
    selected : int
        How many configurations were kept because they extrapolate.
    largest_grade : float or None
        Of those that were graded.
    """

    ensemble: str
    log: dict[str, FloatArray]
    first_step: int
    last_step: int
    timestep: float
    seconds: float
    interrupted: bool
    structure: dict[str, Any]
    origin: str
    stopped: str = ""
    selected: int = 0
    largest_grade: float | None = None

    @property
    def atoms(self) -> Atoms:
        """The structure of the end with its velocities, without calculator and constraints."""
        return Atoms(**self.structure)

    @property
    def provenance(self) -> dict[str, Any]:
        """Model with the SHA-256 of its files, versions, seed and command."""
        found: dict[str, Any] = json.loads(self.origin)
        return found

    @property
    def steps(self) -> int:
        """How many steps were run."""
        return self.last_step - self.first_step

    @property
    def temperature(self) -> float:
        """Mean of the log in K."""
        return float(self.log["temperature/K"].mean())

    @property
    def drift(self) -> float:
        """Slope of the total energy in meV/atom/ps; of two rows of the log or more."""
        times, energies = self.log["time/ps"], self.log["total/eV"]
        return energy_drift(times, energies) / len(self.structure["numbers"])

    @property
    def speed(self) -> float:
        """Nanoseconds of dynamics per day of computing."""
        return nanoseconds_per_day(self.steps * self.timestep, self.seconds)

    def facts(self) -> dict[str, str]:
        """Length, mean temperature, and what else is known of the run."""
        found = {"ensemble": self.ensemble, "atoms": str(len(self.structure["numbers"]))}
        found["steps"] = f"{self.first_step} to {self.last_step} of {self.timestep:g} fs"
        if self.log:
            found["temperature"] = f"{self.temperature:.1f} ± {self.log['temperature/K'].std():.1f} K"
            if "pressure/GPa" in self.log:
                found["pressure"] = f"{self.log['pressure/GPa'].mean():.3g} GPa"
        if self.largest_grade is not None:
            found["largest extrapolation grade"] = f"{self.largest_grade:.3g}, {self.selected} configurations kept"
        if self.stopped:
            found["stopped"] = self.stopped
        if self.interrupted:
            found["interrupted"] = "yes"
        return found

    def columns(self) -> dict[str, FloatArray]:
        """The log."""
        return self.log

    def plot(self, ax: Any = None) -> Any:
        """Draw temperature and potential energy per atom against time; returns the Axes of the temperature."""
        ax = new_axes(ax)
        other = ax.twinx()
        times = self.log.get("time/ps", np.empty(0))
        ax.plot(times, self.log.get("temperature/K", times), color="C3")
        other.plot(times, self.log.get("potential/eV", times) / len(self.structure["numbers"]), color="C0")
        ax.set(xlabel="time (ps)", title=self.ensemble)
        ax.set_ylabel("temperature (K)", color="C3")
        other.set_ylabel("potential energy (eV/atom)", color="C0")
        return ax


@dataclass(frozen=True, eq=False, repr=False)
class RelaxResult(Tabulated):
    """A relaxation.

    Attributes
    ----------
    converged : bool
        The forces are as small as was wanted.
    interrupted : bool
        Ctrl-C has ended it.
    steps : int
    energies, max_forces : array (K,)
        Energy in eV and largest force on an atom in eV/A of the beginning and of each step.
    pressures : array (K,) or None
        In GPa, where the cell was relaxed.
    structure : dict of str to array
        numbers (N,), positions (N, 3) in A, cell (3, 3) in A and pbc (3,) of the end.
    origin : str
        `provenance_of` the calculator as JSON.
    """

    converged: bool
    interrupted: bool
    steps: int
    energies: FloatArray
    max_forces: FloatArray
    pressures: FloatArray | None
    structure: dict[str, Any]
    origin: str

    @property
    def atoms(self) -> Atoms:
        """The structure of the end, without calculator and constraints."""
        return Atoms(**self.structure)

    @property
    def provenance(self) -> dict[str, Any]:
        """Model with the SHA-256 of its files, versions and command."""
        found: dict[str, Any] = json.loads(self.origin)
        return found

    @property
    def energy(self) -> float:
        """At the end, in eV."""
        return float(self.energies[-1])

    @property
    def max_force(self) -> float:
        """Largest force on an atom at the end, in eV/A."""
        return float(self.max_forces[-1])

    def facts(self) -> dict[str, str]:
        """Whether it converged, and where."""
        found = {
            "structure": self.atoms.get_chemical_formula(),
            "converged": "yes" if self.converged else "no",
            "energy": f"{self.energy:.6f} eV",
            "largest force": f"{self.max_force:.2g} eV/A",
            "steps": str(self.steps),
        }
        if self.pressures is not None:
            found["pressure"] = f"{round(self.pressures[-1], 4) + 0.0:g} GPa"
        return found

    def columns(self) -> dict[str, FloatArray]:
        """Energy, largest force and, of cells, pressure by step."""
        found = {
            "step": np.arange(len(self.energies), dtype=np.float64),
            "energy/eV": self.energies,
            "force/(eV/A)": self.max_forces,
        }
        return found if self.pressures is None else found | {"pressure/GPa": self.pressures}

    def plot(self, ax: Any = None) -> Any:
        """Draw the largest force and the energy above that of the end against the step; returns the Axes."""
        ax = new_axes(ax)
        other = ax.twinx()
        steps = np.arange(len(self.energies))
        ax.semilogy(steps, self.max_forces, color="C3")
        other.plot(steps, 1e3 * (self.energies - self.energy) / len(self.structure["numbers"]), color="C0")
        ax.set_xlabel("step")
        ax.set_ylabel("largest force (eV/Å)", color="C3")
        other.set_ylabel("energy above the end (meV/atom)", color="C0")
        return ax


def energy_drift(times_ps: FloatArray, energies: FloatArray) -> float:
    """Slope of a straight line through the energies (eV), in meV/ps."""
    return float(1e3 * np.polyfit(times_ps - times_ps[0], energies - energies[0], 1)[0])


def nanoseconds_per_day(femtoseconds: float, seconds: float) -> float:
    """Dynamics per day of computing."""
    return float(femtoseconds / 1e6 * 86400.0 / seconds)
