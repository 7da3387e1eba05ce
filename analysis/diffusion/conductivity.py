"""Ionic conductivity: of ions that move independently (Nernst-Einstein), of all ions together, and their ratio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from ase import units
from numpy.typing import ArrayLike

from ..correlation import FloatArray, squared_displacements
from ..results import Result, new_axes
from ..trajectories.series import Series
from ..trajectories.trajectory import Source, Trajectory, as_trajectory
from .brownian import Statistics, excess, fit_line
from .msd import displacements, frames_of_window, lag_times, sampled_lags

_SIEMENS_PER_M = float(1e22 * units._e**2 / units._k)  # e^2 A^2/ps / (k_B K A^3)
_ROUNDING = 1e-12  # collective displacement, over the independent one, of charges that cannot move together


@dataclass(frozen=True, eq=False, repr=False)
class Conductivity(Result):
    """Ionic conductivity, averaged over the directions, with standard errors (one sigma).

    Attributes
    ----------
    nernst_einstein, nernst_einstein_error : float
        ``sum_s N_s q_s^2 D_s / (V k_B T)`` in S/m, of ions that do not know of each other.
    collective, collective_error : float
        From the displacement of all charge, ``<|sum_i q_i (r_i(t) - r_i(0))|^2> / (6 t V k_B T)``, in S/m: what an
        experiment measures.
    haven, haven_error : float
        Haven ratio, `nernst_einstein` over `collective`; below 1 where ions help each other along.  Its error takes
        theirs as independent, which makes it too large where few hops are all there is.  NaN where the collective
        conductivity is 0, as of charges that only move with the centre of mass that `drift` holds.
    temperature : float
        In K.
    symbols : tuple of S str
    charges : (S,) array
        In e.
    times : (K,) array
        In ps.
    independent_curve, collective_curve : (K,) array
        ``sum_s N_s q_s^2 <Dr_s^2>`` and ``<|sum_i q_i Dr_i|^2>`` in e^2 A^2.
    runs : int
        Independent trajectories that were averaged.
    """

    nernst_einstein: float
    nernst_einstein_error: float
    collective: float
    collective_error: float
    haven: float
    haven_error: float
    temperature: float
    symbols: tuple[str, ...]
    charges: FloatArray
    times: FloatArray
    independent_curve: FloatArray
    collective_curve: FloatArray
    runs: int = 1

    def plot(self, ax: Any = None) -> Any:
        """Draw the squared displacements of the charges, alone and together, against ps; returns the Axes."""
        ax = new_axes(ax)
        for name, curve, value, error in (
            ("independent", self.independent_curve, self.nernst_einstein, self.nernst_einstein_error),
            ("collective", self.collective_curve, self.collective, self.collective_error),
        ):
            ax.plot(self.times, curve, label=f"{name}: {value:.3g} ± {error:.1g} S/m")
        ax.legend(frameon=False)
        ax.set(xlabel="time (ps)", ylabel="squared displacement of charge (e² Å²)", xlim=(0.0, self.times[-1]))
        ax.set_ylim(bottom=0.0)
        return ax

    @classmethod
    def _averaged(cls, results: list[Conductivity]) -> Conductivity:
        first = results[0]
        for other in results:
            same = other.symbols == first.symbols and other.temperature == first.temperature
            if not (same and np.array_equal(other.charges, first.charges) and np.array_equal(other.times, first.times)):
                raise ValueError("expected conductivities of the same ions at the same temperature and times")
        values = np.array([(other.nernst_einstein, other.collective) for other in results])
        (single, together), (error, together_error) = (
            values.mean(axis=0),
            values.std(axis=0, ddof=1) / np.sqrt(len(values)),
        )
        return replace(
            first,
            nernst_einstein=float(single),
            nernst_einstein_error=float(error),
            collective=float(together),
            collective_error=float(together_error),
            haven=float(single / together) if together else float("nan"),
            haven_error=_error_of_ratio(single, error, together, together_error),
            independent_curve=np.mean([other.independent_curve for other in results], axis=0),
            collective_curve=np.mean([other.collective_curve for other in results], axis=0),
            runs=len(results),
        )


def ionic_conductivity(
    trajectory: Source | Trajectory,
    charges: Mapping[str, float],
    *,
    temperature: float,
    timestep_fs: float | None = None,
    drift: str | ArrayLike | None = "all",
    window_ps: tuple[float, float] | None = None,
) -> Conductivity:
    """Ionic conductivity from the displacements of the ions.

    Parameters
    ----------
    trajectory : path, Atoms objects or Trajectory
        Any trajectory with a cell; it is unwrapped.
    charges : dict of str to float
        Formal charge of each species that counts, in e; the others count as neutral.
    temperature : float
        In K.
    timestep_fs : float, optional
        Time between two frames in fs, where the trajectory does not know it.
    drift : "all", symbol, indices, mask or None
        Subtract the motion of the centre of mass of all atoms, of these atoms (a framework), or none.
    window_ps : (float, float), optional
        Times in ps between which lines are fitted; by default as in `einstein_diffusion`, for each line.

    Raises
    ------
    ValueError
        When a species is not in the trajectory, a charge or the temperature makes no sense, the cell has no volume,
        there are too few frames, or the time step is not known.
    Interrupted
        At Ctrl-C while reading, with the result of the frames read so far.
    """
    source = as_trajectory(trajectory, timestep_fs)
    _check(charges, temperature, source)
    timestep = 1e-3 * source.timestep_fs
    series = source.series("positions", drift=drift)
    frames, volume = series.shape[0], series.volume
    if volume <= 0.0:
        raise ValueError(f"{source.name}: a conductivity needs a cell with three vectors")
    if frames < 4:
        raise ValueError(f"{source.name}: expected at least 4 frames for a conductivity, got {frames}")
    lags = min(frames - 1, max(frames // 5, 8))
    times = lag_times(timestep, lags)
    window = None if window_ps is None else frames_of_window(window_ps, times)
    alone = _alone(series, source.symbols, charges, lags, window)
    curve = squared_displacements(alone.dipole[:, None], max_lag=lags)
    if curve.sum(axis=1).max() <= _ROUNDING * alone.curve.max():
        curve = np.zeros_like(curve)
    line = fit_line(curve, Statistics(frames, 1, sampled_lags(lags), alone.excess), window)
    unit = _SIEMENS_PER_M / (6.0 * timestep * volume * temperature)
    value, error = unit * alone.slope, unit * alone.error
    result = Conductivity(
        value,
        error,
        unit * line.slope,
        unit * line.error,
        value / (unit * line.slope) if line.slope else float("nan"),
        _error_of_ratio(value, error, unit * line.slope, unit * line.error),
        float(temperature),
        tuple(charges),
        np.array(list(charges.values()), dtype=np.float64),
        times,
        alone.curve,
        curve.sum(axis=1),
    )
    return series.deliver(result)


class _Alone(NamedTuple):
    """Charges that move independently.

    Sum of their squared displacements `curve` (K,) in e^2 A^2, its `slope` per frame with standard `error`; their
    `dipole` (F, 3) in e A, and the `excess` (J,) of the spread of its squared displacements over a Gaussian's, e^4 A^4.
    """

    curve: FloatArray
    slope: float
    error: float
    dipole: FloatArray
    excess: FloatArray


def _alone(
    series: Series,
    symbols: Sequence[str],
    charges: Mapping[str, float],
    lags: int,
    window: tuple[int, int] | None,
) -> _Alone:
    some = sampled_lags(lags)
    curve, dipole, beyond = np.zeros(lags + 1), np.zeros((series.shape[0], 3)), np.zeros(len(some))
    slope, variance = 0.0, 0.0
    for symbol, charge in charges.items():
        members = np.flatnonzero(np.array(symbols) == symbol)
        moved = displacements(series, members, lags)
        own = excess(moved.mean, some, moved.spread[:, 3])
        line = fit_line(moved.mean, Statistics(series.shape[0], len(members), some, own), window)
        weight = len(members) * charge**2
        curve += weight * moved.mean.sum(axis=1)
        slope += weight * line.slope
        variance += (weight * line.error) ** 2
        dipole += charge * moved.summed
        beyond += weight * charge**2 * own  # cumulants of independent ions add up
    return _Alone(curve, slope, float(np.sqrt(variance)), dipole, beyond)


def _check(charges: Mapping[str, float], temperature: float, source: Trajectory) -> None:
    if not 0.0 < temperature < np.inf:
        raise ValueError(f"expected a positive temperature in K, got {temperature}")
    if not any(charges.values()) or not np.all(np.isfinite(list(charges.values()))):
        raise ValueError(f"expected finite charges of at least one species that are not all zero, got {dict(charges)}")
    missing = [symbol for symbol in charges if symbol not in source.symbols]
    if missing:
        raise ValueError(
            f"{source.name}: there is no {', '.join(missing)} among {', '.join(sorted(set(source.symbols)))}"
        )


def _error_of_ratio(a: float, error_a: float, b: float, error_b: float) -> float:
    """Standard error of a / b for independent errors."""
    return float(np.hypot(error_a, a / b * error_b) / abs(b)) if b else float("nan")
