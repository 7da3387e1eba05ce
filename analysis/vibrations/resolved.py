"""Velocity autocorrelations by direction, element and group of atoms: what `vacf` and `vdos` share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ase_mlips.arrays import BoolArray, FloatArray

from ..correlation import correlation
from ..results import new_axes
from ..tables import Tabulated
from ..trajectories.atoms import selected_atoms
from ..trajectories.series import Series
from ..trajectories.trajectory import Trajectory

Groups = Mapping[str, ArrayLike]

_NOTHING = 1e-24  # A^2, mean square of what atoms move from frame to frame: less is rounding


@dataclass(frozen=True, eq=False, repr=False)
class Resolved(Tabulated):
    """Curves along x, y and z, each of K points, of all atoms and of some of them.

    Attributes
    ----------
    directions : (3, K) array
        Of all atoms.
    partial_directions : dict of (3, K) arrays
        Of the atoms of each element, in the order of the atoms (RDF and ADF have that of the atomic numbers).
    group_directions : dict of (3, K) arrays
        Of each group of atoms that was asked for.
    """

    directions: FloatArray
    partial_directions: dict[str, FloatArray]
    group_directions: dict[str, FloatArray]

    @property
    def total(self) -> FloatArray:
        """Sum over the directions, (K,)."""
        summed: FloatArray = self.directions.sum(axis=0)
        return summed

    @property
    def partials(self) -> dict[str, FloatArray]:
        """Sum over the directions for each element, (K,)."""
        return {name: curves.sum(axis=0) for name, curves in self.partial_directions.items()}

    @property
    def groups(self) -> dict[str, FloatArray]:
        """Sum over the directions for each group, (K,)."""
        return {name: curves.sum(axis=0) for name, curves in self.group_directions.items()}

    def _curves(self, unit: str) -> dict[str, FloatArray]:
        """The total along each direction and in all, the elements and the groups, by name with unit."""
        along = {f"total {axis} ({unit})": curve for axis, curve in zip("xyz", self.directions, strict=True)}
        kinds = {f"{name} ({unit})": curve for name, curve in (self.partials | self.groups).items()}
        return {f"total ({unit})": self.total, **along, **kinds}

    def _draw(self, ax: Any, x: FloatArray, scale: float) -> Any:
        """Draw the total, the elements if there are several, and the groups; returns the Axes."""
        ax = new_axes(ax)
        ax.plot(x, scale * self.total, label="total", color="black")
        shares = (self.partials if len(self.partials) > 1 else {}) | self.groups
        for name, curve in shares.items():
            ax.plot(x, scale * curve, label=name, linewidth=1.0)
        if shares:
            ax.legend(frameon=False)
        return ax


class Share(NamedTuple):
    """Number of atoms, and their ``sum_i w_i <v_ia(0) v_ia(t)>``, (3, lags + 1), in the unit of w times A^2/fs^2."""

    atoms: int
    curves: FloatArray


class VelocityCorrelations(NamedTuple):
    """Of all atoms, of each element and of each group.

    `differences` says that they are not of velocities but of displacements between frames, divided by the time step;
    `series` is what was read.
    """

    timestep_fs: float
    differences: bool
    total: Share
    partials: dict[str, Share]
    groups: dict[str, Share]
    series: Series


def velocity_correlations(
    trajectory: Trajectory,
    *,
    mass_weighted: bool,
    correlation_time_fs: float | None,
    groups: Groups | None,
    drift: ArrayLike | None,
    from_positions: bool,
) -> VelocityCorrelations:
    """Autocorrelation of the velocities, averaged over all time origins.

    Raises
    ------
    ValueError
        For what `vdos` and `vacf` say.
    """
    timestep, symbols = trajectory.timestep_fs, np.array(trajectory.symbols)
    elements = {symbol: symbols == symbol for symbol in dict.fromkeys(trajectory.symbols)}
    members = {
        name: np.isin(np.arange(len(symbols)), selected_atoms(atoms, trajectory.symbols, name=f"group {name!r}"))
        for name, atoms in (groups or {}).items()
    }
    differences = from_positions or not _has_velocities(trajectory)
    series = trajectory.series("positions" if differences else "velocities", drift=drift)
    steps = series.shape[0] - differences
    if steps < 3:
        raise ValueError(f"{trajectory.name}: expected at least {3 + differences} frames, got {series.shape[0]}")
    lags = _number_of_lags(steps, timestep, correlation_time_fs)
    selections = [*elements.values(), *members.values()]
    weights = trajectory.masses if mass_weighted else np.ones(len(symbols))
    # Atoms of equal weight in the same selections are summed at once, so that each atom is transformed only once.
    kinds, kind_of = np.unique([*selections, weights], axis=1, return_inverse=True)
    sums = np.array([_summed(series, kind_of == kind, lags, differences) for kind in range(kinds.shape[1])])
    sums *= (kinds[-1] / (timestep**2 if differences else 1.0))[:, None, None]
    shares = [Share(mask.sum(), sums[row != 0.0].sum(axis=0)) for mask, row in zip(selections, kinds, strict=False)]
    if not _NOTHING < sums[:, :, 0].sum() / weights.sum() * timestep**2 < np.inf:
        name = trajectory.name
        raise ValueError(f"{name}: expected atoms that move relative to each other (a single one: drift=None)")
    partials = dict(zip(elements, shares[: len(elements)], strict=True))
    grouped = dict(zip(members, shares[len(elements) :], strict=True))
    return VelocityCorrelations(timestep, differences, Share(len(symbols), sums.sum(axis=0)), partials, grouped, series)


def _summed(series: Series, atoms: BoolArray, lags: int, differences: bool) -> FloatArray:
    """Autocorrelations of a series, or of its steps from frame to frame, summed over atoms, (3, lags + 1)."""
    total = np.zeros((3, lags + 1))
    for _, block in series.blocks(np.flatnonzero(atoms)):
        moving = np.diff(block, axis=0) if differences else block
        total += [correlation(moving[:, :, axis], max_lag=lags) for axis in range(3)]
    return total


def _has_velocities(trajectory: Trajectory) -> bool:
    try:
        trajectory.chunks(velocities=True)  # says so before it reads anything
    except ValueError:
        return False
    return True


def _number_of_lags(steps: int, timestep_fs: float, correlation_time_fs: float | None) -> int:
    """Longest lag, in frames; a quarter of the trajectory if there is no wish."""
    if correlation_time_fs is None:
        return max(steps // 4, 2)
    lags = correlation_time_fs / timestep_fs
    if not 1.5 <= lags < steps - 0.5:
        shortest, longest = 2 * timestep_fs, (steps - 1) * timestep_fs
        raise ValueError(f"expected a longest lag of {shortest:g} to {longest:g} fs, got {correlation_time_fs:g} fs")
    return round(lags)
