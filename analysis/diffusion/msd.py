"""Mean squared displacement of a trajectory: of single atoms and of all ions of a species together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ase_mlips.arrays import FloatArray, Int64Array

from ..correlation import squared_displacements
from ..results import new_axes
from ..tables import Tabulated
from ..trajectories.atoms import selected_atoms
from ..trajectories.series import Series
from ..trajectories.trajectory import Source, Trajectory, as_trajectory
from .brownian import BLOCKS

_SAMPLED_LAGS = 32  # lags at which the spread between displacements is measured
_FINE = 4  # time origins within a lag that count in blocks: more are more of the same
_SAMPLES = 20_000  # displacements used for it: error bars need no more


@dataclass(frozen=True, eq=False, repr=False)
class MSD(Tabulated):
    """Mean squared displacements of S species at K lags, averaged over atoms and time origins.

    Attributes
    ----------
    times : (K,) array
        Lags in ps, from 0.
    symbols : tuple of S str
        The species, in the order of their first atoms.
    counts : (S,) array of int
        Atoms of each species.
    directional : (S, K, 3) array
        ``<(x_i(t) - x_i(0))^2>`` in A^2 along x, y and z.
    collective : (S, K, 3) array
        ``<(sum_i x_i(t) - x_i(0))^2> / N`` in A^2, of all N atoms of the species together; equal to `directional` for
        atoms that move independently.
    sampled_lags : (J,) array of int
        Lags in frames at which `spreads` is known.
    spreads : (S, J, 4) array
        Variance, in A^4, of the squared displacement of an atom: along x, y, z and in space.  Error bars need it.
    blocks : (S, runs * 8, J, 3) array
        `directional` at these lags over eight blocks of successive time origins of each trajectory.  Error bars
        need them.
    frames : int
        Frames of the trajectory, of each one if it is an average.
    runs : int
        Independent trajectories that were averaged.
    """

    times: FloatArray
    symbols: tuple[str, ...]
    counts: Int64Array
    directional: FloatArray
    collective: FloatArray
    sampled_lags: Int64Array
    spreads: FloatArray
    blocks: FloatArray
    frames: int
    runs: int = 1

    @property
    def partials(self) -> dict[str, FloatArray]:
        """In space, for each species, (K,) in A^2."""
        return {symbol: curve.sum(axis=1) for symbol, curve in zip(self.symbols, self.directional, strict=True)}

    @property
    def total(self) -> FloatArray:
        """In space, averaged over all atoms, (K,) in A^2."""
        mean: FloatArray = np.einsum("s,skx->k", self.counts / self.counts.sum(), self.directional)
        return mean

    def facts(self) -> dict[str, str]:
        """How long, of how many runs, and how far the atoms of each species are after half of the longest lag."""
        half = len(self.times) // 2
        facts = {"lags": f"to {self.times[-1]:.4g} ps", "runs": str(self.runs)}
        for (symbol, curve), count in zip(self.partials.items(), self.counts, strict=True):
            facts[f"{symbol} ({count} atoms)"] = f"{curve[half]:.4g} Å^2 after {self.times[half]:.4g} ps"
        return facts

    def columns(self) -> dict[str, FloatArray]:
        """The lags, and in space and along each direction the displacements of each species."""
        curves = {"time (ps)": self.times, "total (Å^2)": self.total}
        for symbol, parts in zip(self.symbols, self.directional, strict=True):
            curves[f"{symbol} (Å^2)"] = parts.sum(axis=1)
            curves |= {f"{symbol} {axis} (Å^2)": part for axis, part in zip("xyz", parts.T, strict=True)}
        return curves

    def plot(self, ax: Any = None) -> Any:
        """Draw each species, and the total if there are several, against ps; returns the Axes."""
        ax = new_axes(ax)
        if len(self.symbols) > 1:
            ax.plot(self.times, self.total, color="0.6", label="total")
        for symbol, curve in self.partials.items():
            ax.plot(self.times, curve, label=symbol)
        ax.legend(frameon=False)
        ax.set(xlabel="time (ps)", ylabel="mean squared displacement (Å²)", xlim=(0.0, self.times[-1]))
        ax.set_ylim(bottom=0.0)
        return ax

    @classmethod
    def _averaged(cls, results: list[MSD]) -> MSD:
        first = results[0]
        for other in results:
            same = other.symbols == first.symbols and np.array_equal(other.counts, first.counts)
            if not (same and other.frames == first.frames and np.array_equal(other.times, first.times)):
                raise ValueError("expected mean squared displacements of the same atoms at the same times")
        runs = np.array([other.runs for other in results])
        return replace(
            first,
            directional=np.average([other.directional for other in results], axis=0, weights=runs),
            collective=np.average([other.collective for other in results], axis=0, weights=runs),
            spreads=np.average([other.spreads for other in results], axis=0, weights=runs),
            blocks=np.concatenate([other.blocks for other in results], axis=1),
            runs=int(runs.sum()),
        )


def mean_squared_displacement(
    trajectory: Source | Trajectory,
    *,
    timestep_fs: float | None = None,
    atoms: str | ArrayLike | None = None,
    drift: str | ArrayLike | None = "all",
    max_lag_ps: float | None = None,
) -> MSD:
    """Mean squared displacement over all time origins, per species and direction, of atoms and of their sum.

    Parameters
    ----------
    trajectory : path, Atoms objects or Trajectory
        Any trajectory; it is unwrapped.
    timestep_fs : float, optional
        Time from one frame to the next in fs, where the trajectory does not know it.
    atoms : symbol, indices or mask, optional
        Which atoms count; all by default.
    drift : "all", symbol, indices, mask or None
        Subtract the motion of the centre of mass of all atoms, of these atoms (a framework), or none.
    max_lag_ps : float, optional
        Longest lag; by default as long as the trajectory.

    Raises
    ------
    ValueError
        When there is only one frame, the time step is not known, the selection is empty, the longest lag is not within
        the trajectory, or the trajectory cannot be read.
    Interrupted
        At Ctrl-C while reading, with the result of the frames read so far.

    Examples
    --------
    Walkers whose steps have a variance of 0.25 A^2 along each axis:

    >>> import numpy as np
    >>> from ase_mlips.analysis import Trajectory, mean_squared_displacement
    >>> steps = np.random.default_rng(0).normal(scale=0.5, size=(1000, 50, 3))
    >>> walk = Trajectory.from_arrays(steps.cumsum(0), symbols=["Li"] * 50, cell=20 * np.eye(3), timestep_fs=1000)
    >>> msd = mean_squared_displacement(walk, drift=None)
    >>> print(f"{msd.partials['Li'][10]:.1f} A^2 after {msd.times[10]:g} ps")
    7.5 A^2 after 10 ps
    """
    source = as_trajectory(trajectory, timestep_fs)
    timestep = 1e-3 * source.timestep_fs
    chosen = selected_atoms(atoms, source.symbols, name="atoms")
    series = source.series("positions", drift=drift)
    frames = series.shape[0]
    if frames < 2:
        raise ValueError(f"{source.name}: expected at least 2 frames for a displacement, got {frames}")
    lags = frames - 1 if max_lag_ps is None else longest_lag(frames, timestep, max_lag_ps)
    names = np.array(source.symbols)[chosen]
    symbols = tuple(dict.fromkeys(names.tolist()))
    parts = [displacements(series, chosen[names == symbol], lags) for symbol in symbols]
    counts = np.array([np.count_nonzero(names == symbol) for symbol in symbols])
    together = [squared_displacements(part.summed[:, None], max_lag=lags) for part in parts]
    result = MSD(
        lag_times(timestep, lags),
        symbols,
        counts,
        np.array([part.mean for part in parts]),
        np.array(together) / counts[:, None, None],
        sampled_lags(lags),
        np.array([part.spread for part in parts]),
        np.array([part.blocks for part in parts]),
        frames,
    )
    return series.deliver(result)


class Displacements(NamedTuple):
    """Of some atoms: `mean` squares (K, 3), `summed` positions (F, 3), `spread` of the squares (J, 4).

    `blocks` (B, J, 3) are the mean squares over blocks of time origins at the sampled lags.
    """

    mean: FloatArray
    summed: FloatArray
    spread: FloatArray
    blocks: FloatArray


def displacements(series: Series, atoms: Int64Array, lags: int, *, origin: FloatArray | None = None) -> Displacements:
    """Squared displacements of the unwrapped positions of some atoms up to a lag, reading them block by block.

    `origin` (F, 3), if given, is subtracted from all positions.
    """
    frames = series.shape[0]
    squares, summed = np.zeros((lags + 1, 3)), np.zeros((frames, 3))
    some = sampled_lags(lags)
    moments, blocks = np.zeros((len(some), 2, 4)), np.zeros((BLOCKS, len(some), 3))
    for _, block in series.blocks(atoms):
        if origin is not None:
            block -= origin[:, None]
        squares += squared_displacements(block, max_lag=lags)
        summed += block.sum(axis=1)
        moments += [_moments(block, int(lag)) for lag in some]
        blocks += np.stack([_in_blocks(block, int(lag)) for lag in some], axis=1)
    moments /= len(atoms)
    spread = moments[:, 1] - moments[:, 0] ** 2
    return Displacements(squares / len(atoms), summed, spread, blocks / len(atoms))


def sampled_lags(lags: int) -> Int64Array:
    """Some lags in frames, up to the longest, evenly spaced on a logarithmic scale."""
    return np.unique(np.rint(np.geomspace(1, lags, _SAMPLED_LAGS)).astype(np.int64))


def lag_times(timestep: float, lags: int) -> FloatArray:
    """Lags of 0, 1, ... frames in ps."""
    return np.multiply(timestep, np.arange(lags + 1), dtype=np.float64)


def longest_lag(frames: int, timestep: float, max_lag_ps: float, *, name: str = "max_lag_ps") -> int:
    """A time in ps in frames, between the second frame and the last one."""
    lags = round(max_lag_ps / timestep) if np.isfinite(max_lag_ps) else 0
    if not 1 <= lags < frames:
        longest = timestep * (frames - 1)
        raise ValueError(f"expected {name} from {timestep:g} to {longest:g} ps, got {max_lag_ps:g}")
    return lags


def frames_of_window(window_ps: tuple[float, float], times: FloatArray) -> tuple[int, int]:
    """First and last lag, in frames, of a fit between two times in ps."""
    first, last = (round(time / times[1]) if np.isfinite(time) else -1 for time in window_ps)
    if not 1 <= first < first + 2 <= last < len(times):
        raise ValueError(
            f"expected a window of at least 3 lags within {times[1]:g} to {times[-1]:g} ps, got {tuple(window_ps)}"
        )
    return first, last


def _in_blocks(block: FloatArray, lag: int) -> FloatArray:
    """Mean squared displacement, summed over atoms, of blocks of successive time origins, (B, 3)."""
    columns = block.transpose(1, 2, 0)  # contiguous in time
    edges = np.linspace(0, len(block) - lag, BLOCKS + 1).astype(np.int64)
    step = max(1, lag // _FINE)
    result = np.zeros((BLOCKS, 3))
    for k, (first, last) in enumerate(pairwise(edges)):
        change = columns[:, :, first + lag : last + lag : step] - columns[:, :, first:last:step]
        result[k] = np.einsum("naf,naf->a", change, change) / max(1, change.shape[2])
    return result


def _moments(block: FloatArray, lag: int) -> FloatArray:
    """First and second moment of the squared displacement along x, y, z and in space, summed over atoms, (2, 4)."""
    step = max(1, (len(block) - lag) * block.shape[1] // _SAMPLES)
    squares = (block[lag::step] - block[: len(block) - lag : step]) ** 2
    rows = squares.reshape(-1, 3).T.copy()
    rows = np.concatenate([rows, rows.sum(axis=0, keepdims=True)])
    return np.array([rows.sum(axis=1), np.einsum("xn,xn->x", rows, rows)]) / len(squares)
