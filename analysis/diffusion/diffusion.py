"""Diffusion coefficients with error bars: the result, from mean squared displacements, and of many runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from ase_mlips.arrays import FloatArray

from ..blocking import mean_of_runs
from ..formatting import below, with_error
from ..results import new_axes
from ..tables import Tabulated
from .brownian import Statistics, excess
from .conductivity import Conductivity
from .msd import MSD, frames_of_window
from .window import AT_REST, common_verdict, judge

CM2_PER_S = 1e-4  # 1 A^2/ps

Averaged = TypeVar("Averaged", "Diffusion", MSD, Conductivity)


@dataclass(frozen=True, eq=False, repr=False)
class Diffusion(Tabulated):
    """Self-diffusion coefficients of S species.

    Attributes
    ----------
    method : str
        "Einstein" or "Green-Kubo".
    symbols : tuple of S str
    coefficients : (S,) array
        In cm^2/s; NaN where the verdict is "does not diffuse" or "too short".
    errors : (S,) array
        Standard errors (one sigma) in cm^2/s.
    times : (K,) array
        In ps, of `curves`.
    curves : (S, K) array
        Einstein: mean squared displacements in A^2.  Green-Kubo: running integrals in cm^2/s.
    curve_errors : (S, K) array or None
        Standard errors of `curves`, where they are known: of Green-Kubo integrals and of averages over runs.
    windows : (S, 2) array
        Einstein: the times in ps between which the line was fitted.  Green-Kubo: between which the integral was
        averaged.  NaN without a coefficient.
    intercepts : (S,) array
        Of the lines, in A^2; 0 for Green-Kubo.
    verdicts : tuple of S str
        "diffuses", "does not diffuse", "too short" or "window given", see `einstein_diffusion`.
    bounds : (S,) array
        Upper limits (95 %) in cm^2/s of the coefficients of species that do not diffuse; NaN for the others.
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
    verdicts: tuple[str, ...]
    bounds: FloatArray
    dimensions: int = 3
    runs: int = 1

    def __getitem__(self, symbol: str) -> tuple[float, float]:
        """Coefficient of a species and its standard error in cm^2/s."""
        if symbol not in self.symbols:
            raise KeyError(f"no {symbol} here, only {', '.join(self.symbols)}")
        k = self.symbols.index(symbol)
        return float(self.coefficients[k]), float(self.errors[k])

    def describe(self, symbol: str) -> str:
        """One sentence: the coefficient with its error, or why there is none."""
        value, error = self[symbol]
        k = self.symbols.index(symbol)
        if np.isfinite(value):
            return f"D[{symbol}] = {with_error(value, error)} cm^2/s"
        if self.verdicts[k] == AT_REST:
            return f"{symbol} {AT_REST}: D {below(self.bounds[k])} cm^2/s"
        return f"{symbol}: {self.verdicts[k]} for a diffusion coefficient"

    def __repr__(self) -> str:
        of = f", mean of {self.runs} runs" if self.runs > 1 else ""
        return f"Diffusion({self.method}{of}: {'; '.join(self.describe(symbol) for symbol in self.symbols)})"

    def facts(self) -> dict[str, str]:
        """The coefficient of each species with its error, or why there is none."""
        return {"method": self.method, "runs": str(self.runs)} | {s: self.describe(s) for s in self.symbols}

    def columns(self) -> dict[str, FloatArray]:
        """The times and the curves, with their errors where these are known."""
        unit = "Å^2" if self.method == "Einstein" else "cm^2/s"
        columns = {"time (ps)": self.times}
        for k, symbol in enumerate(self.symbols):
            columns[f"{symbol} ({unit})"] = self.curves[k]
            if self.curve_errors is not None:
                columns[f"error of {symbol}"] = self.curve_errors[k]
        return columns

    def plot(self, ax: Any = None) -> Any:
        """Draw the curves, with the fitted lines or the ends of the integrals, against ps; returns the Axes."""
        ax = new_axes(ax)
        einstein = self.method == "Einstein"
        for k, symbol in enumerate(self.symbols):
            (line,) = ax.plot(self.times, self.curves[k], label=self.describe(symbol))
            start, end = self.windows[k]
            if self.curve_errors is not None:
                low, high = (self.curves[k] + sign * self.curve_errors[k] for sign in (-1, 1))
                ax.fill_between(self.times, low, high, color=line.get_color(), alpha=0.2, linewidth=0.0)
            if not np.isfinite(self.coefficients[k]):
                continue
            if einstein:
                ends = np.array([start, end])
                slope = 2.0 * self.dimensions * self.coefficients[k] / CM2_PER_S
                ax.plot(ends, self.intercepts[k] + slope * ends, color="black", linestyle="--", linewidth=1.0)
            else:
                ax.axvspan(start, end, color=line.get_color(), alpha=0.1, linewidth=1.0)
                ax.hlines(self.coefficients[k], start, end, color="black", linestyle="--", linewidth=1.0)
        ax.legend(frameon=False)
        ylabel = "mean squared displacement (Å²)" if einstein else "integral of the velocity autocorrelation (cm^2/s)"
        ax.set(xlabel="time (ps)", ylabel=ylabel, xlim=(0.0, self.times[-1]))
        return ax

    @classmethod
    def _averaged(cls, results: list[Diffusion]) -> Diffusion:
        first = results[0]
        for other in results:
            same = (other.method, other.symbols, other.dimensions) == (first.method, first.symbols, first.dimensions)
            if not (same and np.array_equal(other.times, first.times)):
                raise ValueError("expected diffusion coefficients of the same species by the same method and times")
        mean, error = mean_of_runs([other.coefficients for other in results], [other.errors for other in results])
        curves, curve_errors = mean_of_runs([other.curves for other in results])
        return replace(
            first,
            coefficients=mean,
            errors=error,
            curves=curves,
            curve_errors=curve_errors,
            windows=np.mean([other.windows for other in results], axis=0),
            intercepts=np.mean([other.intercepts for other in results], axis=0),
            verdicts=tuple(
                common_verdict(verdicts) for verdicts in zip(*(other.verdicts for other in results), strict=True)
            ),
            bounds=np.mean([other.bounds for other in results], axis=0),
            runs=len(results),
        )


def einstein_diffusion(
    msd: MSD, *, window_ps: tuple[float, float] | None = None, direction: str | None = None
) -> Diffusion:
    """Diffusion coefficients from the slopes of mean squared displacements, ``D = slope / (2 dimensions)``.

    The line is fitted by generalised least squares with the covariance of the correlated points.  The standard error
    includes the rattling of the atoms and the rarity of their hops, and is never less than what blocks in time say
    (see `brownian`), which covers atoms that move together.

    Short runs show how atoms rattle and not how they diffuse.  Each species gets a verdict:

    - "diffuses" where there is a window beyond vibrations and cages, in which the mean squared displacement is a
      straight line that rises by 5 A^2, about the square of a hop, and later windows agree;
    - "does not diffuse" where the mean squared displacement stays below 1 A^2 and is level; `bounds` then has an upper
      limit of the coefficient (95 %);
    - "too short" in all other cases: there is no coefficient.

    `window.judge` has the conditions in full.  Their thresholds were chosen by simulation: of Brownian walkers, walkers
    with inertia, hops between cages of one and of several sites, walkers that share their noise, crystals that only
    vibrate, and pieces of 3 to 60 ps of molecular dynamics of liquid Si, Li3PS4 and Cu7PS6.  A crossover that is slower
    than the trajectory and smooth cannot be told from diffusion.

    Parameters
    ----------
    msd : MSD
        Of one trajectory or of an average.
    window_ps : (float, float), optional
        Times in ps between which the line is fitted, whatever the mean squared displacement looks like; only species
        that do not diffuse have no coefficient then either.
    direction : "x", "y" or "z", optional
        Along one direction instead of in space.

    Raises
    ------
    ValueError
        When the window is not within the times of `msd`, or there are too few of them.

    Examples
    --------
    Walkers whose steps in 1 ps have a variance of 0.25 A^2 along each axis, so that D is 1.25e-5 cm^2/s:

    >>> import numpy as np
    >>> from ase_mlips.analysis import Trajectory, einstein_diffusion, mean_squared_displacement
    >>> steps = np.random.default_rng(0).normal(scale=0.5, size=(1000, 50, 3))
    >>> walk = Trajectory.from_arrays(steps.cumsum(0), symbols=["Li"] * 50, cell=20 * np.eye(3), timestep_fs=1000)
    >>> einstein_diffusion(mean_squared_displacement(walk, drift=None))
    Diffusion(Einstein: D[Li] = 1.266(14)e-5 cm^2/s)
    """
    if direction not in (None, "x", "y", "z"):
        raise ValueError(f"expected direction 'x', 'y' or 'z', got {direction!r}")
    axes = slice(None) if direction is None else slice("xyz".index(direction), "xyz".index(direction) + 1)
    column = 3 if direction is None else axes.start
    curves = msd.directional[:, :, axes]
    window = None if window_ps is None else frames_of_window(window_ps, msd.times)
    lags = msd.sampled_lags
    found = []
    for curve, count, spread, blocks in zip(curves, msd.counts, msd.spreads, msd.blocks, strict=True):
        beyond = excess(curve, lags, spread[:, column])
        known = Statistics(msd.frames, msd.runs * int(count), lags, beyond, blocks[:, :, axes], msd.runs)
        found.append(judge(curve, known, window))
    dimensions = curves.shape[2]
    unit = CM2_PER_S / (2.0 * dimensions * msd.times[1])
    lines = [one.line for one in found]
    values = unit * np.array([line.slope for line in lines])
    ends = msd.times[1] * np.array([(line.first, line.last) for line in lines])
    return Diffusion(
        "Einstein",
        msd.symbols,
        values,
        unit * np.array([line.error for line in lines]),
        msd.times,
        curves.sum(axis=2),
        None,
        np.where(np.isfinite(values)[:, None], ends, np.nan),
        np.array([line.intercept for line in lines]),
        tuple(one.verdict for one in found),
        unit * np.array([one.bound for one in found]),
        dimensions,
        msd.runs,
    )


def average(results: Sequence[Averaged]) -> Averaged:
    """Average over independent trajectories of the same system.

    Diffusion coefficients and conductivities get the standard error of the mean of the runs, which falls as
    ``1 / sqrt(runs)``; never less than the errors of the runs together, since the scatter of a few runs says little: of
    two it is below a third of what it should be in one of four cases.  A species that has no coefficient in one run has
    none in the average.  Mean squared displacements are averaged point by point, for one fit of all runs.

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
