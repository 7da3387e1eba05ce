"""What the non-equilibrium methods for the thermal conductivity have in common."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms, units
from ase.md.md import MolecularDynamics

from ase_mlips.arrays import FloatArray

#: W/(m K) of 1 eV/(fs A K); with ASE's unit of time in the place of fs it is 157376.92.
WATTS = 1e25 * float(units._e)

_AT_REST = 1e-6  # speed of the centre of mass relative to the thermal speed that is only rounding


def check_atoms(atoms: Atoms, method: str) -> None:
    """Refuse what has no bulk thermal conductivity.

    Raises
    ------
    ValueError
        A cell that is not periodic or has no volume, constraints, or fewer than two atoms.
    """
    if not atoms.pbc.all() or not atoms.cell.rank == 3:
        raise ValueError(
            f"{method} needs a cell that is periodic in all three directions, got pbc={atoms.pbc.tolist()}"
        )
    if atoms.constraints:
        raise ValueError(f"{method} needs atoms that are free to move: remove the constraints")
    if len(atoms) < 2:
        raise ValueError(f"{method} needs at least two atoms, got {len(atoms)}")


def check_steps(**steps: int) -> None:
    """Refuse numbers of steps that are not positive; `equilibration` may be 0 (ValueError)."""
    for name, value in steps.items():
        least = 0 if name == "equilibration" else 1
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise ValueError(f"expected {name}= as a number of steps of at least {least}, got {value!r}")


def check_cell(atoms: Atoms, cell: FloatArray, method: str) -> None:
    """Refuse a cell that is no longer what it was at the beginning (ValueError)."""
    if not np.array_equal(atoms.cell.array, cell):
        raise ValueError(f"the cell has changed: {method} needs a run at constant volume")


def check_timestep(dynamics: MolecularDynamics, timestep: float) -> None:
    """Refuse a time step that is no longer what it was at the beginning (ValueError)."""
    if dynamics.dt != timestep:
        raise ValueError("the time step has changed: what is measured needs a constant one")


def check_at_rest(velocities: FloatArray, masses: FloatArray, method: str) -> None:
    """Refuse atoms that drift together (ValueError)."""
    drift = masses @ velocities / masses.sum()
    thermal = np.sqrt(masses @ (velocities**2).sum(axis=1) / masses.sum())
    if np.linalg.norm(drift) > _AT_REST * thermal:
        raise ValueError(
            f"{method} needs a centre of mass at rest: call Stationary of ase.md.velocitydistribution before the run"
        )


def jackknife(blocks: FloatArray, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Standard errors of a function (..., n) -> (..., m) of means, from the means (B, n) of independent blocks.

    The function is evaluated without each of the blocks in turn (jackknife); NaN from a single block.
    """
    count = len(blocks)
    if count < 2:
        return np.full_like(function(blocks.mean(axis=0)), np.nan)
    values = function((blocks.sum(axis=0) - blocks) / (count - 1))
    error: FloatArray = np.sqrt((count - 1) * values.var(axis=0))
    return error


def fluctuation_error(kappa: float, volume_time: float, drive: float) -> float:
    """Standard error ``sqrt(2 k_B |kappa| / (V t)) / drive`` of a thermal conductivity, W/(m K).

    By Green and Kubo's formula the mean over the time t of the equilibrium flux has the variance
    ``2 k_B T^2 V kappa / t``, and the flux that is driven is ``T V kappa F_e``.  A temperature gradient drives like the
    force ``F_e = |dT/dz| / T``; that the flux is fixed there and the gradient fluctuates makes little difference.

    Parameters
    ----------
    kappa : float
        W/(m K).
    volume_time : float
        V t in A^3 fs; t must be longer than the correlation of the flux or the memory of the profile.
    drive : float
        F_e or |dT/dz| / T in 1/A.
    """
    return float(np.sqrt(2.0 * units.kB * WATTS * abs(kappa) / volume_time) / drive)
