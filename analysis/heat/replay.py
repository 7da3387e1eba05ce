"""Heat fluxes of stored trajectories: what other models say about the same positions and velocities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from ase import Atoms, units

from ase_mlips.arrays import FloatArray

from ..results import Interrupted, new_axes
from ..trajectories.trajectory import Source, Trajectory, as_trajectory
from .series import HeatFluxCalculator, HeatFluxSeries, Meter, require_heat_flux, series_of

_BINS = 100  # of a distribution


class EnergyCalculator(HeatFluxCalculator, Protocol):
    """What a replay needs: any `PotentialCalculator`."""

    def get_potential_energies(self, atoms: Atoms) -> FloatArray:
        """Atomic energies (N,) in eV."""


@dataclass(frozen=True, eq=False, repr=False)
class Replay(HeatFluxSeries):
    """Heat flux and atomic energies that one model gives for a trajectory.

    Attributes
    ----------
    name : str
        Of the model.
    energies : dict of (F, N_s) arrays
        U_i in eV of the atoms of each species.
    """

    name: str
    energies: dict[str, FloatArray]

    def shifted(self, shifts: Mapping[str, float]) -> Self:
        """As that of `HeatFluxSeries`, with the atomic energies."""
        energies = {name: values + shifts.get(name, 0.0) for name, values in self.energies.items()}
        return replace(super().shifted(shifts), energies=energies)

    def facts(self) -> dict[str, str]:
        """As those of `HeatFluxSeries`, with the name of the model."""
        return {"model": self.name, **super().facts()}

    def plot(self, ax: Any = None) -> Any:
        """Draw the distribution of the atomic energies of each species; returns the Axes."""
        return plot_energies([self], ax)


def replay(
    trajectory: Source | Trajectory, calculators: Sequence[EnergyCalculator], *, timestep_fs: float | None = None
) -> list[Replay]:
    """Evaluate models on the positions and velocities of a trajectory, which is read once.

    With ``green_kubo`` of each this is the thermal conductivity for a fixed motion, which then differs between models
    only by how they divide the energy among atoms (Zhu et al., Phys. Rev. B 108, 014108 (2023)).

    Parameters
    ----------
    trajectory : path, Atoms objects or Trajectory
        With velocities, and frames a few fs apart.
    calculators : sequence of PotentialCalculator
    timestep_fs : float, optional
        Time between two frames in fs, where the trajectory does not know it.

    Returns
    -------
    list of Replay
        One of each calculator, in their order; 8 bytes of memory for each atom, frame and calculator.

    Raises
    ------
    ValueError
        No sequence, a calculator without heat flux, no velocities, an unknown time step, fewer than two frames, or a
        trajectory that cannot be read.
    Interrupted
        On Ctrl-C, with the list of results of the frames read so far.
    """
    if not isinstance(calculators, Sequence):
        raise ValueError(f"expected a sequence of calculators, got {type(calculators).__name__}")
    for calculator in calculators:
        require_heat_flux(calculator)
    source = as_trajectory(trajectory, timestep_fs)
    step = source.timestep_fs
    atoms = Atoms(numbers=source.numbers, masses=source.masses, pbc=source.pbc)
    meter = Meter(source.numbers)
    tapes = [_Tape(calculator) for calculator in calculators]
    frames = 0
    try:
        for chunk in source.chunks(velocities=True, progress="replay"):
            for cell, positions, velocities in zip(
                chunk.cells, chunk.positions, np.asarray(chunk.velocities), strict=True
            ):
                atoms.cell, atoms.positions = cell, positions
                atoms.set_velocities(velocities / units.fs)
                for tape in tapes:
                    tape.add(meter, atoms)
                frames += 1
    except KeyboardInterrupt as interrupt:
        if frames < 2:
            raise
        raise Interrupted([tape.result(meter, frames, step) for tape in tapes], frames) from interrupt
    if frames < 2:
        raise ValueError(f"{source.name}: expected at least 2 frames of a heat flux, got {frames}")
    return [tape.result(meter, frames, step) for tape in tapes]


def plot_energies(replays: Sequence[Replay], ax: Any = None) -> Any:
    """Draw the distributions of the atomic energies of several models, species by species; returns the Axes."""
    ax = new_axes(ax)
    for result in replays:
        for species, values in result.energies.items():
            density, edges = np.histogram(values, bins=_BINS, density=True)
            label = f"{species}, {result.name}" if len(replays) > 1 else species
            ax.stairs(density, edges, label=label)
    ax.set(xlabel="atomic energy (eV)", ylabel="density (1/eV)")
    ax.legend(frameon=False)
    return ax


class _Tape:
    """What one calculator gives, frame by frame."""

    def __init__(self, calculator: EnergyCalculator) -> None:
        self._calculator = calculator
        self._rows: list[FloatArray] = []
        self._energies: list[FloatArray] = []

    def add(self, meter: Meter, atoms: Atoms) -> None:
        self._rows.append(meter.measure(self._calculator, atoms))
        self._energies.append(self._calculator.get_potential_energies(atoms))

    def result(self, meter: Meter, frames: int, timestep_fs: float) -> Replay:
        series = series_of(np.array(self._rows[:frames]), meter.species, timestep_fs)
        energies = np.array(self._energies[:frames])
        of_species = {name: energies[:, meter.kinds == k] for k, name in enumerate(meter.species)}
        return Replay(**vars(series), name=repr(self._calculator), energies=of_species)
