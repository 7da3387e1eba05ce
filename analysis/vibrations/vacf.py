"""Velocity autocorrelation function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ase_mlips.arrays import FloatArray

from ..trajectories.trajectory import Source, Trajectory, as_trajectory
from .resolved import Groups, Resolved, Share, velocity_correlations


@dataclass(frozen=True, eq=False, repr=False)
class VACF(Resolved):
    """Velocity autocorrelation function ``<v(0) . v(t)>``, averaged over atoms and time origins.

    The curves, of all atoms, of each element and of each group, are means over their own atoms, in A^2/ps^2;
    in amu A^2/ps^2 when they are weighted by mass.  They are given along x, y and z, and `total`, `partials` and
    `groups` sum these up.  A third of the integral of a curve that is not weighted by mass, over all times, is the
    diffusion coefficient in A^2/ps.

    Attributes
    ----------
    times : (K,) array
        Lags in ps, from 0.
    mass_weighted : bool
        Whether each atom counts by its mass; the total at t = 0 is then three times k_B T.
    """

    times: FloatArray
    mass_weighted: bool

    @property
    def normalized(self) -> FloatArray:
        """The total divided by its value at t = 0, (K,)."""
        normalized: FloatArray = self.total / self.total[0]
        return normalized

    def facts(self) -> dict[str, str]:
        """How far the lags reach, and the values at t = 0."""
        unit = self._unit
        start = {f"at t = 0, {name}": f"{curve[0]:.4g} {unit}" for name, curve in (self.partials | self.groups).items()}
        return {"lags": f"to {self.times[-1]:.4g} ps", "at t = 0": f"{self.total[0]:.4g} {unit}", **start}

    def columns(self) -> dict[str, FloatArray]:
        """The lags, and the correlations along each direction, in all, and of each element and group."""
        return {"time (ps)": self.times, **self._curves(self._unit)}

    @property
    def _unit(self) -> str:
        return "amu Å^2/ps^2" if self.mass_weighted else "Å^2/ps^2"

    def plot(self, ax: Any = None) -> Any:
        """Draw the total, the elements if there are several, and the groups against ps; returns the Axes."""
        ax = self._draw(ax, self.times, 1.0)
        ax.axhline(0.0, color="0.6", linewidth=0.6, zorder=0)
        quantity, unit = ("⟨m v(0)·v(t)⟩", "amu Å²/ps²") if self.mass_weighted else ("⟨v(0)·v(t)⟩", "Å²/ps²")
        ax.set(xlabel="time (ps)", ylabel=f"{quantity} ({unit})", xlim=(0.0, self.times[-1]))
        return ax


def vacf(
    trajectory: Source | Trajectory,
    *,
    timestep_fs: float | None = None,
    max_lag_ps: float | None = None,
    groups: Groups | None = None,
    mass_weighted: bool = False,
    drift: ArrayLike | None = "all",
) -> VACF:
    """Velocity autocorrelation function of a trajectory.

    Without velocities in the trajectory those between each two frames are taken, ``(r(t + dt) - r(t)) / dt``.

    Parameters
    ----------
    trajectory : path, Atoms objects or Trajectory
        Any trajectory.
    timestep_fs : float, optional
        Time from one frame to the next in fs, where the trajectory does not know it.
    max_lag_ps : float, optional
        Longest lag; by default a quarter of the trajectory.
    groups : dict of str to symbol, indices or mask, optional
        Groups of atoms that get curves of their own; they may overlap.
    mass_weighted : bool
        Weight each atom by its mass.
    drift : "all", symbol, indices, mask or None
        Subtract the motion of the centre of mass of all atoms, of these atoms, or none.

    Raises
    ------
    ValueError
        When there are fewer than three frames, the time step is not known, all atoms rest, the longest lag is shorter
        than two frames or longer than the trajectory, a group is empty, or the trajectory cannot be read.
    Interrupted
        At Ctrl-C while reading, with the result of the frames read so far.
    """
    source = as_trajectory(trajectory, timestep_fs)
    sums = velocity_correlations(
        source,
        mass_weighted=mass_weighted,
        correlation_time_fs=None if max_lag_ps is None else 1e3 * max_lag_ps,
        groups=groups,
        drift=drift,
        from_positions=False,
    )

    times: FloatArray = 1e-3 * sums.timestep_fs * np.arange(sums.total.curves.shape[1], dtype=np.float64)
    partials, grouped = ({name: _mean(share) for name, share in part.items()} for part in (sums.partials, sums.groups))
    return sums.series.deliver(VACF(_mean(sums.total), partials, grouped, times, mass_weighted))


def _mean(share: Share) -> FloatArray:
    """Per atom, with A^2/ps^2 instead of A^2/fs^2."""
    return share.curves * (1e6 / share.atoms)
