"""Heat fluxes over time: what recorders write, what a replay gives and what Green-Kubo and cepstral analysis take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from ase import Atoms, units
from ase.data import chemical_symbols
from numpy.typing import NDArray

from ase_mlips.arrays import FloatArray
from ase_mlips.heat_flux import HeatFlux

from ..formatting import with_error
from ..results import new_axes
from ..tables import Tabulated
from .kernels_currents import peculiar

#: W/(m K) per (eV A/fs)^2 fs / (K^2 A^3): kappa = KAPPA / (T^2 V) times the integral of <J(0) J(t)>.
KAPPA = 1e25 * float(units._e) ** 2 / float(units._k)

UNKNOWN = "unknown"  # ensemble

_EVEN_VOLUME = 1e-6  # relative change of a volume that is only rounding


def in_watts(value: float, error: float | None) -> str:
    """A thermal conductivity with its standard error, as all results write it: ``0.27(4) W/(m K)``."""
    return f"{with_error(value, error)} W/(m K)"


class HeatFluxCalculator(Protocol):
    """What recorders and replays need: any `PotentialCalculator`."""

    def get_heat_flux_parts(self, atoms: Atoms, velocities: FloatArray | None = None) -> HeatFlux:
        """In ASE's units."""


@dataclass(frozen=True, eq=False, repr=False)
class HeatFluxSeries(Tabulated):
    """Heat flux of one run at F even times, not divided by the volume, seen from the centre of mass.

    Attributes
    ----------
    timestep_fs : float
        Time between two frames.
    convective, conductive : (F, 3) arrays
        Parts of the flux in eV A/fs.
    currents : dict of (F, 3) arrays
        ``J_s = sum_(i in s) v_i`` of each species in A/fs.
    temperature : (F,) array
        In K.
    volume : (F,) array
        In A^3; 0 where the cell is not periodic in all directions.
    ensemble : str
        "NVE", the name of another dynamics of ASE such as "Langevin", or "unknown".
    """

    timestep_fs: float
    convective: FloatArray
    conductive: FloatArray
    currents: dict[str, FloatArray]
    temperature: FloatArray
    volume: FloatArray
    ensemble: str = field(default=UNKNOWN, kw_only=True)

    @property
    def total(self) -> FloatArray:
        """The flux, (F, 3), in eV A/fs."""
        return self.convective + self.conductive

    def __len__(self) -> int:
        return len(self.convective)

    def __getitem__(self, frames: slice) -> HeatFluxSeries:
        """Some of the frames, for example ``series[1000:]``; a step makes the time step longer (ValueError)."""
        if not isinstance(frames, slice) or (frames.step is not None and frames.step < 1):
            raise ValueError(f"expected frames as a slice that goes forward, such as 1000:, got {frames!r}")
        return HeatFluxSeries(
            self.timestep_fs * (frames.step or 1),
            self.convective[frames],
            self.conductive[frames],
            {name: current[frames] for name, current in self.currents.items()},
            self.temperature[frames],
            self.volume[frames],
            ensemble=self.ensemble,
        )

    def shifted(self, shifts: Mapping[str, float]) -> Self:
        """The series that atomic energies ``U_i + c_s`` (eV) would have given: ``J + sum_s c_s J_s``.

        Raises
        ------
        ValueError
            A species that is not there.
        """
        unknown = shifts.keys() - self.currents.keys()
        if unknown:
            raise ValueError(f"expected shifts of {', '.join(self.currents)}, got one of {', '.join(sorted(unknown))}")
        return replace(self, convective=self.convective + self.carried(shifts))

    def carried(self, energies: Mapping[str, float]) -> FloatArray:
        """Flux ``sum_s c_s J_s`` (F, 3) in eV A/fs of energies c_s (eV) that atoms of these species carry."""
        terms = (c * self.currents[name] for name, c in energies.items())
        return np.asarray(sum(terms, np.zeros((len(self), 3))))

    def facts(self) -> dict[str, str]:
        """How long, at which temperature and volume, and in which ensemble."""
        return {
            "frames": str(len(self)),
            "length": f"{1e-3 * self.timestep_fs * len(self):.4g} ps",
            "species": ", ".join(self.currents),
            "temperature": f"{self.temperature.mean():.1f} K",
            "volume": f"{self.volume.mean():.1f} Å^3",
            "ensemble": self.ensemble,
        }

    def columns(self) -> dict[str, FloatArray]:
        """The times, the parts of the flux, the currents of the species, temperature and volume."""
        times: FloatArray = np.multiply(1e-3 * self.timestep_fs, np.arange(len(self)), dtype=np.float64)
        columns = {"time (ps)": times}
        vectors = {"convective": (self.convective, "eV Å/fs"), "conductive": (self.conductive, "eV Å/fs")}
        vectors |= {f"current {name}": (current, "Å/fs") for name, current in self.currents.items()}
        for name, (values, unit) in vectors.items():
            columns |= {f"{name} {axis} ({unit})": part for axis, part in zip("xyz", values.T, strict=True)}
        return columns | {"temperature (K)": self.temperature, "volume (Å^3)": self.volume}

    def plot(self, ax: Any = None) -> Any:
        """Draw the three components of the flux against ps; returns the Axes."""
        ax = new_axes(ax)
        times = 1e-3 * self.timestep_fs * np.arange(len(self))
        for axis, name in enumerate("xyz"):
            ax.plot(times, self.total[:, axis], label=name, linewidth=0.7)
        ax.set(xlabel="time (ps)", ylabel="heat flux (eV Å/fs)")
        ax.legend(frameon=False)
        return ax


class Ensemble(NamedTuple):
    """Independent runs of one system: their common time step in fs, mean temperature in K and volume in A^3."""

    runs: tuple[HeatFluxSeries, ...]
    timestep_fs: float
    temperature: float
    volume: float

    @property
    def prefactor(self) -> float:
        """W/(m K) of an integral of ``<J(0) J(t)>`` in (eV A/fs)^2 fs."""
        return KAPPA / (self.temperature**2 * self.volume)

    @property
    def species(self) -> tuple[str, ...]:
        """Species whose currents are independent: all but the last one, since the total momentum is zero."""
        return tuple(self.runs[0].currents)[:-1]


def as_ensemble(series: HeatFluxSeries | Sequence[HeatFluxSeries], fewest: int) -> Ensemble:
    """Check that these runs have a thermal conductivity and belong together.

    Parameters
    ----------
    series : HeatFluxSeries or sequence of them
    fewest : int
        Frames that each run must have.

    Raises
    ------
    ValueError
        No run, too few frames, a cell that is not periodic or changes, values that are not finite, no flux, runs of
        different systems or time steps, or one run twice.
    """
    runs = (series,) if isinstance(series, HeatFluxSeries) else tuple(series)
    if not runs:
        raise ValueError("expected at least one heat flux series")
    if not all(isinstance(run, HeatFluxSeries) for run in runs):
        raise ValueError(f"expected HeatFluxSeries, such as read_heat_flux gives, got {series!r}")
    for run in runs:
        _check_run(run, fewest)
    first = runs[0]
    volumes = np.array([run.volume.mean() for run in runs])
    for run, volume in zip(runs, volumes, strict=True):
        if run.currents.keys() != first.currents.keys():
            raise ValueError(
                f"expected runs of one system, got {', '.join(first.currents)} and {', '.join(run.currents)}"
            )
        if abs(run.timestep_fs - first.timestep_fs) > 1e-6 * first.timestep_fs:
            raise ValueError(f"expected runs of one time step, got {first.timestep_fs:g} and {run.timestep_fs:g} fs")
        if abs(volume - volumes[0]) > _EVEN_VOLUME * volumes[0]:
            raise ValueError(f"expected runs of one volume, got {volumes[0]:g} and {volume:g} A^3")
    _check_independent(runs, fewest)
    lengths = [len(run) for run in runs]
    temperature = float(np.average([run.temperature.mean() for run in runs], weights=lengths))
    return Ensemble(runs, first.timestep_fs, temperature, float(volumes[0]))


def _check_run(run: HeatFluxSeries, fewest: int) -> None:
    if len(run) < fewest:
        raise ValueError(f"expected at least {fewest} frames of the heat flux, got {len(run)}")
    parts = (run.convective, run.conductive, run.temperature, run.volume, *run.currents.values())
    if not all(np.isfinite(part).all() for part in parts):
        raise ValueError("the heat flux has values that are not finite")
    if not run.total.any():
        raise ValueError("the heat flux is zero throughout")
    if not (run.volume > 0.0).all():
        raise ValueError("a thermal conductivity needs a cell that is periodic in all three directions")
    if np.ptp(run.volume) > _EVEN_VOLUME * run.volume.mean():
        raise ValueError("the volume changes: Green-Kubo needs a run at constant volume, best at constant energy (NVE)")
    if not run.temperature.mean() > 0.0:
        raise ValueError("a thermal conductivity needs a temperature above 0 K")


def _check_independent(runs: Sequence[HeatFluxSeries], fewest: int) -> None:
    """Refuse runs that begin alike, also where one of them is longer."""
    seen: dict[bytes, int] = {}
    for k, run in enumerate(runs):
        before = seen.setdefault(run.total[:fewest].tobytes(), k)
        if before != k:
            raise ValueError(f"expected independent runs, got the same heat flux as runs {before + 1} and {k + 1}")


def require_heat_flux(calculator: object) -> None:
    """Refuse a calculator that gives no heat flux.

    Raises
    ------
    ValueError
        It has no `get_heat_flux_parts`.
    """
    if not hasattr(calculator, "get_heat_flux_parts"):
        raise ValueError(
            "a heat flux needs a calculator with get_heat_flux_parts, as SNAP, NEP and MTP of ase_mlips have it, got "
            f"{type(calculator).__name__}"
        )


class Meter:
    """Takes the heat flux of configurations of the same atoms.

    Attributes
    ----------
    species : tuple of S str
        In the order of their first atoms.
    kinds : (N,) array of int32
        Which of them each atom is.
    """

    def __init__(self, numbers: NDArray[Any]) -> None:
        """Take the atomic numbers (N,)."""
        found = list(dict.fromkeys(numbers.tolist()))
        self.species = tuple(chemical_symbols[number] for number in found)
        self.kinds = np.array([found.index(number) for number in numbers.tolist()], np.int32)
        self._per_kelvin = 1.0 / (units.kB * max(3 * len(numbers) - 3, 1))
        self._velocities = np.empty((len(numbers), 3))
        self._cell = b"", 0.0  # that of the last volume

    def measure(self, calculator: HeatFluxCalculator, atoms: Atoms) -> FloatArray:
        """Convective and conductive flux, currents of the species, temperature and volume, (6 + 3 S + 2,).

        Of the atoms with their present momenta, seen from the centre of mass; fluxes and currents are per fs.
        ValueError for another number of atoms.
        """
        if len(atoms) != len(self.kinds):
            raise ValueError(f"the number of atoms has changed from {len(self.kinds)} to {len(atoms)}")
        row = np.empty(8 + 3 * len(self.species))
        twice_kinetic = peculiar(atoms.get_momenta(), atoms.get_masses(), self.kinds, self._velocities, row[6:-2])
        row[:3], row[3:6] = calculator.get_heat_flux_parts(atoms, self._velocities)
        row *= units.fs
        row[-2] = self._per_kelvin * twice_kinetic
        row[-1] = self._volume(atoms)
        return row

    def _volume(self, atoms: Atoms) -> float:
        cell = atoms.cell.array.tobytes() + atoms.pbc.tobytes()
        if cell != self._cell[0]:
            self._cell = cell, float(atoms.cell.volume) if atoms.pbc.all() else 0.0
        return self._cell[1]


def series_of(rows: FloatArray, species: Sequence[str], timestep_fs: float, ensemble: str = UNKNOWN) -> HeatFluxSeries:
    """The series of rows (F, 6 + 3 S + 2) of `Meter`."""
    currents = {name: rows[:, 6 + 3 * k : 9 + 3 * k].copy() for k, name in enumerate(species)}
    parts = (rows[:, :3].copy(), rows[:, 3:6].copy(), currents, rows[:, -2].copy(), rows[:, -1].copy())
    return HeatFluxSeries(timestep_fs, *parts, ensemble=ensemble)
