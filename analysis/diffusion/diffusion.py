"""Diffusion coefficients with error bars: from mean squared displacements, from velocities, and of many runs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ..correlation import FloatArray, correlation
from ..results import Result, new_axes
from ..trajectories.atoms import selected_atoms
from ..trajectories.trajectory import Source, Trajectory, as_trajectory
from .brownian import Statistics, excess, fit_line
from .conductivity import Conductivity
from .msd import MSD, frames_of_window, lag_times, longest_lag

_CM2_PER_S = 1e-4  # 1 A^2/ps
_NOISE = 1.5  # standard errors: root mean square of a velocity autocorrelation that has decayed

Averaged = TypeVar("Averaged", "Diffusion", MSD, Conductivity)


@dataclass(frozen=True, eq=False, repr=False)
class Diffusion(Result):
    """Self-diffusion coefficients of S species.

    Attributes
    ----------
    method : str
        "Einstein" or "Green-Kubo".
    symbols : tuple of S str
    coefficients : (S,) array
        In cm^2/s.
    errors : (S,) array
        Standard errors (one sigma) in cm^2/s.
    times : (K,) array
        In ps, of `curves`.
    curves : (S, K) array
        Einstein: mean squared displacements in A^2.  Green-Kubo: running integrals in cm^2/s.
    curve_errors : (S, K) array or None
        Standard errors of `curves`, where they are known: of Green-Kubo integrals and of averages over runs.
    windows : (S, 2) array
        Einstein: the times in ps between which the line was fitted.  Green-Kubo: 0 and the end of the integral.
    intercepts : (S,) array
        Of the lines, in A^2; 0 for Green-Kubo.
    dimensions : int
        3, or 1 along one direction.
    runs : int
        Independent trajectories that were averaged.
    """

    method: str
    symbols: tuple[str, ...]
    coefficients: FloatArray
    errors: FloatArray
    times: FloatArray
    curves: FloatArray
    curve_errors: FloatArray | None
    windows: FloatArray
    intercepts: FloatArray
    dimensions: int = 3
    runs: int = 1

    def __getitem__(self, symbol: str) -> tuple[float, float]:
        """Coefficient of a species and its standard error in cm^2/s."""
        if symbol not in self.symbols:
            raise KeyError(f"no {symbol} here, only {', '.join(self.symbols)}")
        k = self.symbols.index(symbol)
        return float(self.coefficients[k]), float(self.errors[k])

    def plot(self, ax: Any = None) -> Any:
        """Draw the curves, with the fitted lines or the ends of the integrals, against ps; returns the Axes."""
        ax = new_axes(ax)
        einstein = self.method == "Einstein"
        for k, symbol in enumerate(self.symbols):
            label = f"{symbol}: D = {self.coefficients[k]:.3g} ± {self.errors[k]:.1g} cm²/s"
            (line,) = ax.plot(self.times, self.curves[k], label=label)
            start, end = self.windows[k]
            if self.curve_errors is not None:
                low, high = (self.curves[k] + sign * self.curve_errors[k] for sign in (-1, 1))
                ax.fill_between(self.times, low, high, color=line.get_color(), alpha=0.2, linewidth=0.0)
            if einstein:
                ends = np.array([start, end])
                slope = 2.0 * self.dimensions * self.coefficients[k] / _CM2_PER_S
                ax.plot(ends, self.intercepts[k] + slope * ends, color="black", linestyle="--", linewidth=1.0)
            else:
                ax.axvline(end, color=line.get_color(), linestyle=":", linewidth=1.0)
        ax.legend(frameon=False)
        ylabel = "mean squared displacement (Å²)" if einstein else "integral of the velocity autocorrelation (cm²/s)"
        ax.set(xlabel="time (ps)", ylabel=ylabel, xlim=(0.0, self.times[-1]))
        return ax

    @classmethod
    def _averaged(cls, results: list[Diffusion]) -> Diffusion:
        first = results[0]
        for other in results:
            same = (other.method, other.symbols, other.dimensions) == (first.method, first.symbols, first.dimensions)
            if not (same and np.array_equal(other.times, first.times)):
                raise ValueError("expected diffusion coefficients of the same species by the same method and times")
        mean, error = _mean_and_error([other.coefficients for other in results])
        curves, curve_errors = _mean_and_error([other.curves for other in results])
        return replace(
            first,
            coefficients=mean,
            errors=error,
            curves=curves,
            curve_errors=curve_errors,
            windows=np.mean([other.windows for other in results], axis=0),
            intercepts=np.mean([other.intercepts for other in results], axis=0),
            runs=len(results),
        )


def einstein_diffusion(
    msd: MSD, *, window_ps: tuple[float, float] | None = None, direction: str | None = None
) -> Diffusion:
    """Diffusion coefficients from the slopes of mean squared displacements, ``D = slope / (2 dimensions)``.

    The line is fitted by generalised least squares with the covariance of the correlated points; the standard error
    includes the rattling of the atoms and the rarity of their hops (see `brownian`), and takes the atoms of a species
    as independent walkers.  Where they are not, average independent runs.

    Of 200 sets of 32 Brownian walkers over 1000 frames 67.5 % were found within one standard error of the truth, 94.5 %
    within two and 99.5 % within three.

    Parameters
    ----------
    msd : MSD
        Of one trajectory or of an average.
    window_ps : (float, float), optional
        Times in ps between which the line is fitted; by default beyond the ballistic and caged motion, found
        from the agreement of the slopes of later and later fits.
    direction : "x", "y" or "z", optional
        Along one direction instead of in space.

    Raises
    ------
    ValueError
        When the window is not within the times of `msd`, or there are too few of them.
    """
    if direction not in (None, "x", "y", "z"):
        raise ValueError(f"expected direction 'x', 'y' or 'z', got {direction!r}")
    axes = slice(None) if direction is None else slice("xyz".index(direction), "xyz".index(direction) + 1)
    column = 3 if direction is None else axes.start
    curves = msd.directional[:, :, axes]
    window = None if window_ps is None else frames_of_window(window_ps, msd.times)
    lags = msd.sampled_lags
    lines = []
    for curve, count, spread in zip(curves, msd.counts, msd.spreads, strict=True):
        beyond = excess(curve, lags, spread[:, column])
        lines.append(fit_line(curve, Statistics(msd.frames, msd.runs * int(count), lags, beyond), window))
    dimensions = curves.shape[2]
    unit = _CM2_PER_S / (2.0 * dimensions * msd.times[1])
    return Diffusion(
        "Einstein",
        msd.symbols,
        unit * np.array([line.slope for line in lines]),
        unit * np.array([line.error for line in lines]),
        msd.times,
        curves.sum(axis=2),
        None,
        msd.times[1] * np.array([(line.first, line.last) for line in lines]),
        np.array([line.intercept for line in lines]),
        dimensions,
        msd.runs,
    )


def green_kubo_diffusion(
    trajectory: Source | Trajectory,
    *,
    timestep_fs: float | None = None,
    atoms: str | ArrayLike | None = None,
    drift: str | ArrayLike | None = "all",
    max_lag_ps: float | None = None,
    cutoff_ps: float | None = None,
) -> Diffusion:
    """Diffusion coefficients from velocities, ``D = 1/3 int_0^cutoff <v(0) . v(t)> dt``.

    The standard error is that of a cut integral of a Gaussian process, ``D 2 sqrt(cutoff / (3 N time))`` for N
    independent atoms (Jones and Mandadapu, J. Chem. Phys. 136, 154102 (2012)).

    Parameters
    ----------
    trajectory : path, Atoms objects or Trajectory
        With velocities, or else frames close enough for differences between positions to be velocities.
    timestep_fs : float, optional
        Time between two frames in fs, where the trajectory does not know it.
    atoms : symbol, indices or mask, optional
        Which atoms count; all by default.
    drift : "all", symbol, indices, mask or None
        Subtract the motion of the centre of mass of all atoms, of these atoms (a framework), or none.
    max_lag_ps : float, optional
        End of the running integral; by default a quarter of the trajectory.
    cutoff_ps : float, optional
        Where the integral is read; by default at twice the time at which the autocorrelation has sunk into noise.

    Raises
    ------
    ValueError
        When there are fewer than four frames, the time step is not known, the selection is empty or a time is not
        within the trajectory.
    Interrupted
        At Ctrl-C while reading, with the result of the frames read so far.
    """
    source = as_trajectory(trajectory, timestep_fs)
    timestep = 1e-3 * source.timestep_fs
    chosen = selected_atoms(atoms, source.symbols, name="atoms")
    series = source.series("velocities", drift=drift)
    frames = series.shape[0]
    if frames < 4:
        raise ValueError(f"{source.name}: expected at least 4 frames for an integral, got {frames}")
    lags = max(2, frames // 4) if max_lag_ps is None else longest_lag(frames, timestep, max_lag_ps)
    end = None if cutoff_ps is None else longest_lag(lags + 1, timestep, cutoff_ps, name="cutoff_ps")
    names = np.array(source.symbols)[chosen]
    rows = []
    for symbol in dict.fromkeys(names.tolist()):
        members = chosen[names == symbol]
        curve = np.zeros((3, lags + 1))
        for _, block in series.blocks(members):
            curve += [correlation(block[:, :, axis], max_lag=lags) for axis in range(3)]
        curve *= 1e6 / len(members)  # A^2/ps^2
        rows.append((symbol, *_integrated(curve, timestep, frames * len(members), end)))
    symbols, integrals, errors, ends = zip(*rows, strict=True)
    pick = np.array(ends)[:, None]
    times = lag_times(timestep, lags)
    result = Diffusion(
        "Green-Kubo",
        symbols,
        np.take_along_axis(np.array(integrals), pick, 1)[:, 0],
        np.take_along_axis(np.array(errors), pick, 1)[:, 0],
        times,
        np.array(integrals),
        np.array(errors),
        np.stack([np.zeros(len(ends)), times[pick[:, 0]]], axis=1),
        np.zeros(len(ends)),
    )
    return series.deliver(result)


def average(results: Sequence[Averaged]) -> Averaged:
    """Average over independent trajectories of the same system.

    Diffusion coefficients and conductivities get the standard error of the mean of the runs, which supposes nothing
    about the motion and falls as ``1 / sqrt(runs)``.  Mean squared displacements are averaged point by point, for one
    fit of all runs.

    Parameters
    ----------
    results : sequence of Diffusion, of MSD or of Conductivity

    Raises
    ------
    ValueError
        When there are fewer than two results, or they are not of the same kind, species and times.
    """
    items = list(results)
    if len(items) < 2:
        raise ValueError(f"expected at least two runs to average, got {len(items)}")
    kind = type(items[0])
    if not issubclass(kind, Diffusion | MSD | Conductivity) or any(type(item) is not kind for item in items):
        raise ValueError("expected a list of Diffusion, of MSD or of Conductivity")
    return kind._averaged(items)


def _mean_and_error(values: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Mean over runs and its standard error."""
    return np.mean(values, axis=0), np.std(values, axis=0, ddof=1) / np.sqrt(len(values))


def _integrated(
    curve: FloatArray, timestep: float, samples: int, end: int | None
) -> tuple[FloatArray, FloatArray, int]:
    """Running integral of an autocorrelation (3, K) in A^2/ps^2, its standard error, both in cm^2/s, and its end."""
    steps = 0.5 * timestep * (curve[:, 1:] + curve[:, :-1])
    integrals = _CM2_PER_S * np.concatenate([np.zeros((3, 1)), np.cumsum(steps, axis=1)], axis=1)
    # Bartlett: the noise of each point at long lags is the integral of the squared autocorrelation.
    variance = float(np.sum(2.0 * curve**2) - np.sum(curve[:, 0] ** 2)) / samples
    end = _decay(curve.sum(axis=0), variance) if end is None else end
    k = np.arange(curve.shape[1])
    relative = 2.0 * np.sqrt(k / samples)
    total = integrals.mean(axis=0)
    theory = relative * float(np.sqrt(np.sum(integrals[:, end] ** 2))) / 3.0
    # An autocorrelation that has not decayed, as in a crystal, leaves the oscillations of its integral.
    left = np.std(total[end // 2 :]) if end == curve.shape[1] - 1 else 0.0
    return total, np.hypot(theory, left), end


def _decay(curve: FloatArray, variance: float) -> int:
    """Twice the first lag k from which, up to 2 k, the curve is no larger than its noise: below it hides a tail."""
    squares = np.concatenate([[0.0], np.cumsum(curve**2)])
    k = np.arange(1, (len(curve) - 1) // 2 + 1)
    quiet = np.flatnonzero((squares[2 * k + 1] - squares[k]) / (k + 1) <= _NOISE**2 * variance)
    if len(quiet) == 0:
        warnings.warn(
            "the velocity autocorrelation has not decayed at the longest lag, the diffusion coefficient not converged",
            stacklevel=4,
        )
        return len(curve) - 1
    return 2 * int(k[quiet[0]])
