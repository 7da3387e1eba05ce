"""What independent runs have found."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ase_mlips.analysis.formatting import with_error
from ase_mlips.analysis.results import Result, new_axes
from ase_mlips.analysis.tables import Tabulated
from ase_mlips.arrays import FloatArray


@dataclass(frozen=True, eq=False, repr=False)
class EnsembleMember(Result):
    """One run of an ensemble.

    Attributes
    ----------
    temperature : float
        K.
    number : int
        Among the runs of this temperature.
    seed : int
        Of its velocities and noise.
    trajectory : str
        Its file.
    log : dict of str to array (K,)
        Columns of its log by name with unit, of the whole run whether or not it was interrupted; empty for one that
        failed.
    error : str
        Why it failed; empty for one that did not.
    value : number, array, dict of these, or a result of `ase_mlips.analysis`
        What the analysis has found, if there was one.
    analysis : str
        Name of that analysis.
    """

    temperature: float
    number: int
    seed: int
    trajectory: str
    log: dict[str, FloatArray] = field(default_factory=dict)
    error: str = ""
    value: Any = None
    analysis: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class EnsembleResult(Tabulated):
    """Independent runs, in the order of temperatures and numbers.

    Attributes
    ----------
    members : tuple of EnsembleMember
    atoms : int
        In each run.
    origin : str
        `provenance_of` the calculator as JSON.
    """

    members: tuple[EnsembleMember, ...]
    atoms: int
    origin: str

    @property
    def provenance(self) -> dict[str, Any]:
        """Model with the SHA-256 of its files, versions, seed and command."""
        found: dict[str, Any] = json.loads(self.origin)
        return found

    @property
    def temperatures(self) -> tuple[float, ...]:
        """Every temperature in K."""
        return tuple(dict.fromkeys(member.temperature for member in self.members))

    @property
    def failed(self) -> tuple[EnsembleMember, ...]:
        """The runs that did not come to their end."""
        return tuple(member for member in self.members if member.error)

    def trajectories(self, temperature: float | None = None) -> list[str]:
        """Files of the runs that came to their end, of one temperature or of all."""
        return [member.trajectory for member in self._whole(temperature)]

    def values(self, temperature: float | None = None) -> list[Any]:
        """What the analysis has found in these runs, as `average` and `arrhenius` take it."""
        return [member.value for member in self._whole(temperature)]

    def _whole(self, temperature: float | None) -> list[EnsembleMember]:
        if temperature is not None and temperature not in self.temperatures:
            raise ValueError(f"there are no runs at {temperature:g} K, only at {_listed(self.temperatures)} K")
        wanted = self.temperatures if temperature is None else (temperature,)
        return [member for member in self.members if not member.error and member.temperature in wanted]

    def facts(self) -> dict[str, str]:
        """Number of runs, temperatures, and the mean energy at each of them with its standard error."""
        found = {"runs": str(len(self.members)), "temperatures": f"{_listed(self.temperatures)} K"}
        if self.failed:
            found["failed"] = str(len(self.failed))
        for temperature in self.temperatures:
            energies = self._energies(temperature)
            if len(energies) > 1:
                error = float(energies.std(ddof=1) / np.sqrt(len(energies)))
                found[f"energy at {temperature:g} K"] = f"{with_error(float(energies.mean()), error)} eV/atom"
        return found

    def _energies(self, temperature: float) -> FloatArray:
        """Mean potential energies of the second halves of the runs, in eV/atom."""
        return np.array([_mean(member, "potential/eV") / self.atoms for member in self._whole(temperature)])

    def columns(self) -> dict[str, FloatArray]:
        """Temperature and number of each run that came to its end, and means over its second half."""
        whole = self._whole(None)
        found = {"wanted/K": np.array([member.temperature for member in whole])}
        found["number"] = np.array([float(member.number) for member in whole])
        names = [name for name in (whole[0].log if whole else {}) if name not in ("step", "time/ps")]
        return found | {name: np.array([_mean(member, name) for member in whole]) for name in names}

    def plot(self, ax: Any = None) -> Any:
        """Draw the mean potential energy of each run against the temperature; returns the Axes."""
        ax = new_axes(ax)
        columns = self.columns()
        ax.plot(columns["wanted/K"], columns.get("potential/eV", np.empty(0)) / self.atoms, "o", alpha=0.5)
        ax.set(xlabel="temperature (K)", ylabel="potential energy (eV/atom)", title=f"{len(self.members)} runs")
        return ax


def read_log(path: str) -> dict[str, FloatArray]:
    """Columns (K,) of the log of a run by name with unit."""
    with open(path, encoding="utf-8") as file:
        names = file.readline().removeprefix("#").split()
        rows = np.loadtxt(file, ndmin=2)
    return dict(zip(names, rows.reshape(-1, len(names)).T.copy(), strict=True))


def _mean(member: EnsembleMember, name: str) -> float:
    column = member.log[name]
    return float(column[len(column) // 2 :].mean())


def _listed(temperatures: tuple[float, ...]) -> str:
    return ", ".join(f"{temperature:g}" for temperature in temperatures)
