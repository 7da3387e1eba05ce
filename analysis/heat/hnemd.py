"""Thermal conductivity by homogeneous non-equilibrium molecular dynamics: a force that drives a heat flux."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.abc import GetPropertiesMixin
from ase.md.nose_hoover_chain import NoseHooverChainNVT
from ase.md.verlet import VelocityVerlet
from numpy.typing import ArrayLike

from ase_mlips.arrays import FloatArray

from ..blocking import standard_error
from ..results import new_axes
from ..tables import Tabulated
from .correlations import diffusing_currents
from .nonequilibrium import (
    WATTS,
    check_at_rest,
    check_atoms,
    check_cell,
    check_steps,
    check_timestep,
    fluctuation_error,
)
from .series import Ensemble, Meter, in_watts, series_of

_METHOD = "HNEMD"
_BLOCKS = 10
_FEWEST = 200  # values of the flux, from which on it is seen whether species diffuse


@dataclass(frozen=True, eq=False, repr=False)
class HNEMDResult(Tabulated):
    """Heat flux at F even times under a constant driving force, and the thermal conductivity.

    Attributes
    ----------
    driving_force : (3,) array
        1/A.
    timestep_fs : float
        Time between two values of the flux.
    flux : (F, 3) array
        Not divided by the volume, eV A/fs.
    temperature : (F,) array
        K.
    volume : float
        A^3.
    kappa, kappa_error : float
        Thermal conductivity along the driving force in W/(m K); the larger of its standard error over ten blocks of
        time, which is too small where these are shorter than the correlation of the flux, and of `expected_error`.
    diffusing : tuple of str
        Species that diffuse (`correlations.diffusing_currents`): kappa then depends on the zeros of the atomic
        energies.  Empty below 200 values of the flux, which cannot tell.
    """

    driving_force: FloatArray
    timestep_fs: float
    flux: FloatArray
    temperature: FloatArray
    volume: float
    kappa: float
    kappa_error: float
    diffusing: tuple[str, ...] = ()

    @property
    def expected_error(self) -> float:
        """Standard error that thermal fluctuations of the flux make, W/(m K); see `fluctuation_error`."""
        time_fs = len(self.flux) * self.timestep_fs
        return fluctuation_error(self.kappa, self.volume * time_fs, float(np.linalg.norm(self.driving_force)))

    @property
    def running(self) -> FloatArray:
        """Conductivity of the time up to each value of the flux, (F,), W/(m K)."""
        values = _conductivity(self.flux, self.driving_force, self.temperature.mean() * self.volume)
        average: FloatArray = np.cumsum(values) / np.arange(1, len(values) + 1)
        return average

    def __repr__(self) -> str:
        force = f"{np.linalg.norm(self.driving_force):.3g} 1/Å"
        length = f"{1e-3 * self.timestep_fs * len(self.flux):.4g} ps"
        return f"HNEMDResult({in_watts(self.kappa, self.kappa_error)}, driving force {force}, {length})"

    def facts(self) -> dict[str, str]:
        """The thermal conductivity with its error, the driving force and the length of the run."""
        return {
            "thermal conductivity": in_watts(self.kappa, self.kappa_error),
            "driving force": f"{np.linalg.norm(self.driving_force):.3g} 1/Å",
            "length": f"{1e-3 * self.timestep_fs * len(self.flux):.4g} ps",
            "temperature": f"{self.temperature.mean():.1f} K",
            "diffusing": ", ".join(self.diffusing) or "none",
        }

    def columns(self) -> dict[str, FloatArray]:
        """The times, the flux, the temperature, and the conductivity up to each time."""
        flux = {f"J_{axis} (eV Å/fs)": part for axis, part in zip("xyz", self.flux.T, strict=True)}
        times = 1e-3 * self.timestep_fs * np.arange(1, len(self.flux) + 1)
        ends = {"temperature (K)": self.temperature, "running average (W/(m K))": self.running}
        return {"time (ps)": times, **flux, **ends}

    def plot(self, ax: Any = None) -> Any:
        """Draw the running average against ps, with the final value and its error; returns the Axes."""
        ax = new_axes(ax)
        times = 1e-3 * self.timestep_fs * np.arange(1, len(self.flux) + 1)
        ax.plot(times, self.running, label="running average")
        ax.axhline(self.kappa, color="C1", label=rf"$\kappa$ = {in_watts(self.kappa, self.kappa_error)}")
        ax.axhspan(self.kappa - self.kappa_error, self.kappa + self.kappa_error, color="C1", alpha=0.2, lw=0)
        spread = max(6.0 * self.kappa_error, 0.5 * abs(self.kappa))
        ax.set_ylim(self.kappa - spread, self.kappa + spread)  # the first values are far off
        ax.set(xlabel="time (ps)", ylabel=r"$\kappa$ (W/(m K))")
        ax.legend(frameon=False)
        return ax


class HNEMD:
    r"""Drives a heat flux through a periodic cell of any size, and measures it.

    The force of `driving_forces` does the work :math:`J \cdot F_e` per time, a thermostat takes it away, and by linear
    response :math:`\langle J \rangle = T V \kappa F_e` (Evans, Phys. Lett. A 91, 457 (1982); Fan et al., Phys. Rev. B
    99, 064308 (2019)).  The object replaces the calculator of the atoms by a `DrivenCalculator` and attaches itself to
    the dynamics; its `result` can be had at any time, also after an interruption, and ``atoms.calc = hnemd.calculator``
    ends the driving.

    Choose the force as large as the response is linear: about 0.1 divided by the longest mean free path of phonons, or
    0.05 to 0.1 divided by the distance of neighbours in a liquid; half the force must give the same conductivity.
    `fluctuation_error` says how long a run must be.

    Parameters
    ----------
    dynamics : NoseHooverChainNVT or VelocityVerlet
        The latter heats up, and is for tests; stochastic thermostats would destroy the flux.
    driving_force : (3,) array
        F_e in 1/A.
    equilibration : int
        Steps from now on, during which the atoms are driven and nothing is measured.
    sampling : int
        Steps between two measurements of the flux.

    Raises
    ------
    ValueError
        Other dynamics, a calculator without virials of nine components, a cell that is not periodic, constraints, a
        force of zero, or numbers outside their range; during the run a cell or time step that changes or a centre of
        mass that moves.

    Examples
    --------
    >>> import numpy as np
    >>> from ase import units
    >>> from ase.build import bulk
    >>> from ase.md.velocitydistribution import Stationary, thermalize_momenta
    >>> from ase.md.nose_hoover_chain import NoseHooverChainNVT
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.analysis import HNEMD
    >>> atoms = bulk("Si", cubic=True)
    >>> atoms.calc = SNAP.embedded("Si")
    >>> thermalize_momenta(atoms, temperature_K=600, rng=np.random.default_rng(0))
    >>> Stationary(atoms)
    >>> dynamics = NoseHooverChainNVT(atoms, units.fs, temperature_K=600, tdamp=100 * units.fs)
    >>> hnemd = HNEMD(dynamics, (3e-4, 0, 0), equilibration=50)
    >>> _ = dynamics.run(100)  # in earnest 20,000 and 1,000,000
    >>> hnemd.result().plot()  # doctest: +SKIP
    """

    def __init__(
        self,
        dynamics: NoseHooverChainNVT | VelocityVerlet,
        driving_force: ArrayLike,
        *,
        equilibration: int = 0,
        sampling: int = 10,
    ) -> None:
        if not isinstance(dynamics, NoseHooverChainNVT | VelocityVerlet):
            raise ValueError(f"{_METHOD} needs ASE's NoseHooverChainNVT, got {type(dynamics).__name__}")
        atoms: Atoms = dynamics.atoms
        check_atoms(atoms, _METHOD)
        check_steps(equilibration=equilibration, sampling=sampling)
        self.calculator = atoms.calc
        driven = DrivenCalculator(atoms.calc, driving_force, half_kick=0.5 * dynamics.dt)
        if not driven.driving_force.any():
            raise ValueError(f"{_METHOD} needs a driving force that is not zero")
        self._dynamics, self._atoms, self._force = dynamics, atoms, driven.driving_force
        self._cell: FloatArray = atoms.cell.array.copy()
        self._volume = float(abs(np.linalg.det(self._cell)))
        self._meter = Meter(atoms.numbers)
        self._first = dynamics.nsteps + equilibration
        self._timestep = dynamics.dt
        self._sample_fs = float(sampling * dynamics.dt / units.fs)
        self._rows: list[FloatArray] = []
        self._driven = atoms.calc = driven
        dynamics.attach(self._sample, interval=sampling)

    def __repr__(self) -> str:
        force = f"{np.linalg.norm(self._force):.3g} 1/Å"
        return f"HNEMD({self._atoms.get_chemical_formula()}, driving force {force})"

    def result(self) -> HNEMDResult:
        """What has been measured up to now.

        Raises
        ------
        ValueError
            Nothing has been measured yet.

        Warns
        -----
        UserWarning
            When species diffuse, so that the value depends on the zeros of the atomic energies, and when it is not
            larger than its error, so that it says nothing.
        """
        if not self._rows:
            raise ValueError(f"nothing is measured yet: the equilibration lasts until step {self._first}")
        series = series_of(np.array(self._rows), self._meter.species, self._sample_fs)
        temperature = float(series.temperature.mean())
        values = _conductivity(series.total, self._force, temperature * self._volume)
        size = len(values) // _BLOCKS
        blocks = values[len(values) - size * _BLOCKS :].reshape(_BLOCKS, -1).mean(axis=1) if size else values[:1]
        moving: tuple[str, ...] = ()
        if len(values) >= _FEWEST:
            moving = diffusing_currents(Ensemble((series,), self._sample_fs, temperature, self._volume)).names
        found = HNEMDResult(
            self._force,
            self._sample_fs,
            series.total,
            series.temperature,
            self._volume,
            float(values.mean()),
            float(standard_error(blocks)),
            moving,
        )
        found = replace(found, kappa_error=float(np.fmax(found.kappa_error, found.expected_error)))
        _warn(found)
        return found

    def _sample(self) -> None:
        if self._atoms.calc is not self._driven:
            return
        check_cell(self._atoms, self._cell, _METHOD)
        check_timestep(self._dynamics, self._timestep)
        if not self._rows:
            check_at_rest(self._atoms.get_velocities(), self._atoms.get_masses(), _METHOD)
        if self._dynamics.nsteps > self._first:
            self._rows.append(self._meter.measure(self.calculator, self._atoms))


class DrivenCalculator(GetPropertiesMixin):  # type: ignore[misc]
    """A calculator whose forces are increased by those of `driving_forces`.

    Parameters
    ----------
    calculator : PotentialCalculator
        Any NEP, MTP, SNAP, ...; everything but the forces is its.
    driving_force : (3,) array
        F_e in 1/A.
    half_kick : float
        In ASE's unit of time.  The driving force depends on velocities, and dynamics that apply a force for this time
        from the present velocities on are of second order only with the force in the middle of it, which is given.
        With 0 it is that of the present velocities.

    Raises
    ------
    ValueError
        A calculator without virials of nine components or one that is driven already, or no vector of three numbers.
    """

    name = "driven"

    def __init__(self, calculator: Any, driving_force: ArrayLike, *, half_kick: float = 0.0) -> None:
        if isinstance(calculator, DrivenCalculator):
            raise ValueError("the atoms are driven already: set atoms.calc to the calculator without driving force")
        if not all(hasattr(calculator, name) for name in ("get_virials", "get_heat_flux_parts")):
            raise ValueError(
                f"{_METHOD} needs a calculator with virials of nine components per atom, as MTP, NEP and SNAP are, "
                f"got {type(calculator).__name__}"
            )
        force = np.array(driving_force, dtype=np.float64)
        if force.shape != (3,) or not np.isfinite(force).all():
            raise ValueError(f"expected a driving force of three finite numbers in 1/A, got {driving_force!r}")
        self.calculator, self.driving_force, self._half_kick = calculator, force, half_kick

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """One of ASE's properties; ValueError for forces without atoms, since they depend on the velocities."""
        value = self.calculator.get_property(name, atoms, allow_calculation)
        if name != "forces" or value is None:
            return value
        if atoms is None:
            raise ValueError("the driving force depends on the velocities: ask for forces with the atoms")
        energies, virials = self.calculator.get_property("energies", atoms), self.calculator.get_virials(atoms)
        masses, velocities = atoms.get_masses(), atoms.get_velocities()
        options = {"masses": masses, "driving_force": self.driving_force}
        extra = driving_forces(energies, virials, velocities=velocities, **options)
        if self._half_kick:
            velocities += 0.5 * self._half_kick * (value + extra) / masses[:, None]
            extra = driving_forces(energies, virials, velocities=velocities, **options)
        return value + extra


def driving_forces(
    energies: FloatArray, virials: FloatArray, *, velocities: FloatArray, masses: FloatArray, driving_force: FloatArray
) -> FloatArray:
    """Forces that drive a heat flux (Fan et al., Phys. Rev. B 99, 064308 (2019)), without their total.

    ``F_i = E_i F_e + F_e W_i - (m_i / M) sum_j (E_j F_e + F_e W_j)`` with ``E_i = m_i v_i^2 / 2 + U_i``.  The total is
    taken away in proportion to the masses, as by a common acceleration, which does no work on atoms that are at rest as
    a whole: the power is exactly ``J . F_e`` in mixtures, too.  Velocities count from the centre of mass.

    Parameters
    ----------
    energies : (N,) array
        Atomic energies U_i in eV.
    virials : (N, 3, 3) array
        Those of `Evaluation`, eV.
    velocities : (N, 3) array
        In ASE's units.
    masses : (N,) array
        amu.
    driving_force : (3,) array
        F_e in 1/A.

    Returns
    -------
    (N, 3) array
        eV/A.
    """
    shares = masses / masses.sum()
    peculiar = velocities - shares @ velocities
    totals = energies + 0.5 * masses * np.einsum("ia,ia->i", peculiar, peculiar)
    forces: FloatArray = totals[:, None] * driving_force
    forces += np.einsum("a,iab->ib", driving_force, virials)  # three times as fast as a product of matrices
    forces -= shares[:, None] * np.einsum("ib->b", forces)
    return forces


def _conductivity(flux: FloatArray, force: FloatArray, temperature_volume: float) -> FloatArray:
    """W/(m K) of the components along the force of a flux (F, 3) in eV A/fs."""
    values: FloatArray = WATTS * (flux @ force) / (temperature_volume * (force @ force))
    return values


def _warn(result: HNEMDResult) -> None:
    if result.diffusing:
        warnings.warn(
            f"relative to the centre of mass {' and '.join(result.diffusing)} diffuse here: the conductivity of HNEMD"
            " then depends on the arbitrary zero of the atomic energies and differs from model to model, like that of"
            " plain Green-Kubo; record the heat flux at constant energy, and take kappa_corrected of green_kubo",
            UserWarning,
            stacklevel=3,
        )
    if not result.kappa > result.kappa_error:
        force, length = np.linalg.norm(result.driving_force), 1e-3 * result.timestep_fs * len(result.flux)
        warnings.warn(
            f"the driving force of {force:.3g} / A is too weak for {length:.4g} ps: the conductivity,"
            f" {in_watts(result.kappa, result.kappa_error)}, is not larger than its error; take a larger force, as long"
            " as the response is linear, or a longer run",
            UserWarning,
            stacklevel=3,
        )
