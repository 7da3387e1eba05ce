"""ASE's integrators with their degrees of freedom counted, targets that move, and a state that can be kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.constraints import FixAtoms, FixCom
from ase.md.bussi import Bussi
from ase.md.langevin import Langevin
from ase.md.md import MolecularDynamics
from ase.md.nose_hoover_chain import MTKNPT, IsotropicMTKNPT, NoseHooverChainNVT, NoseHooverChainThermostat
from ase.md.verlet import VelocityVerlet
from ase.parallel import DummyMPI

from ase_mlips.arrays import FloatArray

from .settings import MDRun

_CELL_SLOWER = 10.0  # times the damping of the thermostat
_SYMMETRIC = 6  # independent strains of a cell that does not turn

# What the chains of thermostats remember beside positions, momenta and cell.
_STATES: dict[type[Any], tuple[str, ...]] = {
    NoseHooverChainNVT: ("_thermostat._eta", "_thermostat._p_eta"),
    IsotropicMTKNPT: (
        *("_thermostat._eta", "_thermostat._p_eta", "_barostat._xi", "_barostat._p_xi"),
        *("_eps", "_p_eps", "_cell0", "_volume0"),
    ),
    MTKNPT: ("_thermostat._eta", "_thermostat._p_eta", "_barostat._xi", "_barostat._p_xi", "_p_g"),
}
# Their masses, and the momenta that go with these.
_MASSES = {"_thermostat._Q": "_thermostat._p_eta", "_barostat._R": "_barostat._p_xi"}
_CELL_MOMENTA = {IsotropicMTKNPT: "_p_eps", MTKNPT: "_p_g"}


def require_suitable(settings: MDRun, atoms: Atoms) -> None:
    """ValueError where the ensemble does not suit the structure."""
    own = own_constraints(atoms)
    if settings.has_pressure and (own or atoms.cell.rank < 3 or not atoms.pbc.all()):
        raise ValueError(f"{settings.ensemble} needs a periodic cell and no constraints")
    if settings.ensemble == "nose-hoover" and not all(isinstance(constraint, FixAtoms) for constraint in own):
        raise ValueError("nose-hoover takes no constraints other than FixAtoms; langevin and bussi do")


def own_constraints(atoms: Atoms) -> list[Any]:
    """Constraints of the structure but that of the centre of mass."""
    return [constraint for constraint in atoms.constraints if not isinstance(constraint, FixCom)]


def constrain(settings: MDRun, atoms: Atoms) -> int:
    """Fix the centre of mass where nothing else is fixed; returns the number of degrees of freedom."""
    own = own_constraints(atoms)
    atoms.set_constraint(own)
    at_rest = not own and len(atoms) > 1
    if at_rest and (settings.has_pressure or settings.ensemble == "nose-hoover"):
        return 3 * len(atoms) - 3  # these equations of motion leave it at rest
    if at_rest:
        # Noise would let the whole system drift; ASE also counts the 3N - 3 degrees of freedom by it.
        atoms.set_constraint(_FixedCentre(atoms.get_masses()))
    freedom = int(atoms.get_number_of_degrees_of_freedom())
    if freedom < 1:
        raise ValueError("nothing can move: constraints hold all degrees of freedom")
    return freedom


class _FixedCentre(FixCom):  # type: ignore[misc]
    """FixCom with the bits of ASE's, which sums over the masses again at each call, in Python."""

    def __init__(self, masses: FloatArray) -> None:
        self._masses, self._column, self._total = masses, masses[:, None], masses.sum()
        self._squares = sum(masses**2)

    def __deepcopy__(self, memo: dict[int, Any]) -> _FixedCentre:
        return self  # nothing changes it

    def adjust_positions(self, atoms: Atoms, new: FloatArray) -> None:
        new += self._masses @ atoms.positions / self._total - self._masses @ new / self._total

    def adjust_momenta(self, atoms: Atoms, momenta: FloatArray) -> None:
        momenta -= self._column * (momenta.sum(axis=0) / self._total)

    def adjust_forces(self, atoms: Atoms, forces: FloatArray) -> None:
        forces -= self._column * (self._masses @ forces / self._squares)


def draw_velocities(atoms: Atoms, temperature: float, rng: np.random.Generator) -> None:
    """Maxwell-Boltzmann velocities of a temperature in K; the whole rests, if nothing holds it."""
    masses = atoms.get_masses()[:, None]
    momenta = np.sqrt(masses * units.kB * temperature) * rng.standard_normal((len(atoms), 3))
    if len(atoms) > 1 and all(isinstance(constraint, FixCom) for constraint in atoms.constraints):
        momenta -= masses * momenta.sum(axis=0) / masses.sum()
    atoms.set_momenta(momenta)


def temperature_of(atoms: Atoms, freedom: int) -> float:
    """Temperature in K of so many degrees of freedom."""
    return float(2 * atoms.get_kinetic_energy() / (freedom * units.kB))


def noise(seed: int, step: int) -> np.random.Generator:
    """The random numbers from a saved step to the next one: the same ones after a restart, those of no other step."""
    return np.random.default_rng([seed, step, 1])


def make_dynamics(settings: MDRun, atoms: Atoms, rng: np.random.Generator, *, freedom: int) -> MolecularDynamics:
    """ASE's integrator of an ensemble, with the targets of its first step, for so many degrees of freedom."""
    timestep, damping = settings.timestep * units.fs, settings.damping * units.fs
    kelvin = {"temperature_K": settings.temperature}
    alone = {"comm": DummyMPI()}  # whatever MPI there is, a run is this process's own
    if settings.ensemble == "langevin":
        return Langevin(atoms, timestep, **kelvin, friction=1.0 / damping, fixcm=False, rng=rng, **alone)
    if settings.ensemble == "bussi":
        return Bussi(atoms, timestep, **kelvin, taut=damping, rng=rng, **alone)
    if settings.ensemble == "nve":
        return VelocityVerlet(atoms, timestep, **alone)
    if settings.ensemble == "nose-hoover":
        dynamics = NoseHooverChainNVT(atoms, timestep, **kelvin, tdamp=damping, **alone)
    else:
        kind = IsotropicMTKNPT if settings.ensemble == "npt" else MTKNPT
        pressure = (settings.pressure or 0.0) * units.GPa
        times = {"tdamp": damping, "pdamp": _CELL_SLOWER * damping}
        dynamics = kind(atoms, timestep, **kelvin, **times, pressure_au=pressure, **alone)
    _count_freedom(dynamics, freedom, kelvin["temperature_K"], damping)
    return dynamics


def _count_freedom(dynamics: MolecularDynamics, freedom: int, temperature: float, damping: float) -> None:
    """ASE counts 3N; those of the centre of mass, which stays at rest, would make small systems too hot."""
    atoms = freedom / 3.0
    dynamics._thermostat = NoseHooverChainThermostat(atoms, dynamics.masses, temperature, damping)
    if not isinstance(dynamics, NoseHooverChainNVT):
        dynamics._num_atoms_global = atoms
    if isinstance(dynamics, MTKNPT):  # nine, though the antisymmetric three, which turn the cell, stay zero
        barostat = dynamics._barostat
        barostat._R[0] *= _SYMMETRIC / barostat._cell_dof
        barostat._cell_dof = _SYMMETRIC


class Targets:
    """Observer that moves temperature and pressure along their ramps, from dynamics with the targets of the start."""

    def __init__(self, dynamics: MolecularDynamics, settings: MDRun) -> None:
        self._dynamics, self._settings = dynamics, settings
        pairs = dict(_MASSES) if hasattr(dynamics, "_barostat") else {"_thermostat._Q": "_thermostat._p_eta"}
        if hasattr(dynamics, "_barostat"):
            pairs["_barostat._W"] = _CELL_MOMENTA[type(dynamics)]
        if hasattr(dynamics, "_thermostat"):
            self._pairs = {masses: (momenta, _get(dynamics, masses) / self._kT) for masses, momenta in pairs.items()}

    @property
    def _kT(self) -> float:
        return float(self._dynamics._thermostat._kT)

    def __call__(self) -> None:
        """Set the targets of the present step."""
        step = self._dynamics.nsteps
        if self._settings.temperature_end is not None:
            self._heat(self._settings.temperature_at(step))
        if self._settings.pressure_end is not None:
            self._dynamics._pressure_au = self._settings.pressure_at(step) * units.GPa

    def _heat(self, temperature: float) -> None:
        dynamics = self._dynamics
        if isinstance(dynamics, Langevin):
            dynamics.set_temperature(temperature_K=temperature)
        elif isinstance(dynamics, Bussi):
            dynamics.temp = temperature * units.kB
            dynamics.target_kinetic_energy = 0.5 * dynamics.temp * dynamics.ndof
        else:
            self._heat_chains(temperature * units.kB)

    def _heat_chains(self, kT: float) -> None:
        """Masses keep the damping time, and momenta the velocities."""
        ratio = kT / self._kT
        for masses, (momenta, per_kT) in self._pairs.items():
            _set(self._dynamics, masses, per_kT * kT)
            _set(self._dynamics, momenta, _get(self._dynamics, momenta) * ratio)
        self._dynamics._thermostat._kT = kT
        if hasattr(self._dynamics, "_barostat"):
            self._dynamics._barostat._kT = kT


def state_of(dynamics: MolecularDynamics) -> dict[str, Any]:
    """What the integrator remembers beside positions, momenta and cell, as values that JSON has."""
    return {name: np.asarray(_get(dynamics, name)).tolist() for name in _STATES.get(type(dynamics), ())}


def restore(dynamics: MolecularDynamics, state: Mapping[str, Any]) -> None:
    """Give the integrator back what `state_of` has kept; without it, as in older files, thermostats begin at rest."""
    for name in _STATES.get(type(dynamics), ()):
        if name in state:
            value = np.asarray(state[name], dtype=np.float64)
            _set(dynamics, name, float(value) if value.ndim == 0 else value.copy())


def _get(dynamics: Any, name: str) -> Any:
    for part in name.split("."):
        dynamics = getattr(dynamics, part)
    return dynamics


def _set(dynamics: Any, name: str, value: Any) -> None:
    *holders, last = name.split(".")
    for part in holders:
        dynamics = getattr(dynamics, part)
    setattr(dynamics, last, value)
