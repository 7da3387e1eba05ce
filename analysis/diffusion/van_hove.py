"""Van Hove functions: how far an atom has moved after a time, and where the others are then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.geometry import complete_cell
from numpy.typing import ArrayLike

from ase_mlips.arrays import BoolArray, FloatArray, Int64Array

from ..results import new_axes
from ..tables import Tabulated
from ..trajectories.atoms import selected_atoms
from ..trajectories.series import Series
from ..trajectories.trajectory import Source, Trajectory, as_trajectory
from .kernels_van_hove import count_pairs
from .msd import longest_lag

_PAIRS = 50_000_000  # distances at each time: beyond, some time origins are left out


@dataclass(frozen=True, eq=False, repr=False)
class VanHove(Tabulated):
    """Van Hove correlation functions at T times and B distances.

    Attributes
    ----------
    times : (T,) array
        In ps.
    edges : (B + 1,) array
        Edges of the bins in A.
    own : (T, B) array
        Self part ``G_s(r, t)`` in A^-3: density of probability to find an atom at r from where it was;
        ``int G_s 4 pi r^2 dr = 1`` as far as the bins reach.
    distinct : (T, B) array
        Distinct part over the mean density, ``G_d(r, t) / rho``: at t = 0 the radial distribution function.  NaN beyond
        half the width of the cell, and everywhere without a cell.
    """

    times: FloatArray
    edges: FloatArray
    own: FloatArray
    distinct: FloatArray

    @property
    def r(self) -> FloatArray:
        """Centres of the bins in A, (B,)."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    def facts(self) -> dict[str, str]:
        """The times, and how far the bins reach."""
        return {"times": f"{', '.join(f'{time:.4g}' for time in self.times)} ps", "r": f"to {self.edges[-1]:.4g} Å"}

    def columns(self) -> dict[str, FloatArray]:
        """The distance, and the self and the distinct part at each time."""
        columns = {"r (Å)": self.r}
        for time, own, distinct in zip(self.times, self.own, self.distinct, strict=True):
            columns |= {f"self {time:.4g} ps (1/Å^3)": own, f"distinct {time:.4g} ps": distinct}
        return columns

    def plot(self, ax: Any = None) -> Any:
        """Draw the self part, as ``4 pi r^2 G_s``, solid and the distinct part dashed against A; returns the Axes."""
        ax = new_axes(ax)
        for time, own, distinct in zip(self.times, self.own, self.distinct, strict=True):
            (line,) = ax.plot(self.r, 4.0 * np.pi * self.r**2 * own, label=f"{time:.3g} ps")
            ax.plot(self.r, distinct, color=line.get_color(), linestyle="--", linewidth=1.0)
        ax.legend(frameon=False)
        ax.set(xlabel="r (Å)", ylabel="4πr² Gₛ (1/Å), distinct part (dashed)", xlim=(0.0, self.edges[-1]))
        ax.set_ylim(bottom=0.0)
        return ax


def van_hove(
    trajectory: Source | Trajectory,
    times_ps: ArrayLike,
    *,
    atoms: str | ArrayLike | None = None,
    edges: ArrayLike | None = None,
    timestep_fs: float | None = None,
    drift: str | ArrayLike | None = "all",
) -> VanHove:
    """Self and distinct van Hove functions of some atoms.

    Parameters
    ----------
    trajectory : path, Atoms objects or Trajectory
        Any trajectory; it is unwrapped.
    times_ps : float or (T,) array
        Times in ps, rounded to frames; 0 is allowed.
    atoms : symbol, indices or mask, optional
        Which atoms; all by default.
    edges : (B + 1,) array, optional
        Edges of the bins in A; by default 200 bins to 10 A.
    timestep_fs : float, optional
        Time between two frames in fs, where the trajectory does not know it.
    drift : "all", symbol, indices, mask or None
        Subtract the motion of the centre of mass of all atoms, of these atoms (a framework), or none.

    Raises
    ------
    ValueError
        When a time is not within the trajectory, the edges do not ascend from 0 or above, the selection is empty or the
        time step is not known.
    Interrupted
        At Ctrl-C while reading, with the result of the frames read so far.
    """
    source = as_trajectory(trajectory, timestep_fs)
    timestep = 1e-3 * source.timestep_fs
    chosen = selected_atoms(atoms, source.symbols, name="atoms")
    bins = np.linspace(0.0, 10.0, 201) if edges is None else np.array(edges, dtype=np.float64)
    if bins.ndim != 1 or len(bins) < 2 or not (np.isfinite(bins).all() and bins[0] >= 0 and np.all(np.diff(bins) > 0)):
        raise ValueError(f"expected at least two edges that ascend from 0 A or above, got {bins}")
    series = source.series("positions", drift=drift)
    frames = series.shape[0]
    times = np.atleast_1d(np.asarray(times_ps, dtype=np.float64))
    lags = [0 if time == 0.0 else longest_lag(frames, timestep, float(time), name="times_ps") for time in times]
    volumes = 4.0 / 3.0 * np.pi * np.diff(bins**3)
    own = _own(series, chosen, lags, bins) / volumes
    distinct = np.array([_distinct(series, source.pbc, chosen, lag, bins) for lag in lags]) / volumes
    return series.deliver(VanHove(timestep * np.array(lags), bins, own, distinct))


def _own(series: Series, atoms: Int64Array, lags: list[int], edges: FloatArray) -> FloatArray:
    """Fraction of the displacements in each bin, (T, B)."""
    shares = np.zeros((len(lags), len(edges) - 1))
    for _, block in series.blocks(atoms):
        for row, lag in zip(shares, lags, strict=True):
            distances = np.linalg.norm(block[lag:] - block[: len(block) - lag], axis=2)
            row += np.histogram(distances, edges)[0] / (len(distances) * len(atoms))
    return shares


def _distinct(series: Series, pbc: BoolArray, atoms: Int64Array, lag: int, edges: FloatArray) -> FloatArray:
    """Other atoms around each atom over their mean density, for each bin, in A^3."""
    result = np.full(len(edges) - 1, np.nan)
    cells = series.cells
    if series.volume <= 0.0 or not pbc.all() or len(atoms) < 2:
        return result
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cells), axis=1)
    known = edges[1:] <= 0.5 * heights.min() * (1.0 + 1e-12)
    if not known.any():
        return result
    inside = edges[: int(known.sum()) + 1]
    counts = np.zeros(len(inside) - 1, dtype=np.int64)
    frames = series.shape[0]
    step = max(1, (frames - lag) * len(atoms) ** 2 // _PAIRS)
    origins = np.arange(0, frames - lag, step)
    both = [(block[origins], block[origins + lag]) for _, block in series.blocks(atoms)]
    earlier, later = (np.concatenate(parts, axis=1) for parts in zip(*both, strict=True))
    for k, origin in enumerate(origins):
        cell = complete_cell(cells[origin + lag])
        count_pairs(earlier[k], later[k], cell, np.linalg.inv(cell), inside, counts)
    density = (len(atoms) - 1) / series.volume
    result[known] = counts / (len(origins) * len(atoms) * density)
    return result
