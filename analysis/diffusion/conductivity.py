"""Ionic conductivity: of ions that move independently (Nernst-Einstein), of all ions together, and their ratio."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from ase import units
from numpy.typing import ArrayLike

from ase_mlips.arrays import FloatArray

from ..blocking import mean_of_runs
from ..correlation import squared_displacements
from ..formatting import below, with_error
from ..results import new_axes
from ..tables import Tabulated
from ..trajectories.series import Series
from ..trajectories.trajectory import Source, Trajectory, as_trajectory
from .brownian import Statistics, excess, fit_line
from .msd import Displacements, displacements, frames_of_window, lag_times, sampled_lags
from .window import AT_REST, Judgement, common_verdict, judge, longest_of_fits

_SIEMENS_PER_M = float(1e22 * units._e**2 / units._k)  # e^2 A^2/ps / (k_B K A^3)
_FRAMEWORK = "framework"
_NEUTRAL = 1e-6  # e, of the cell, by an ion
_ROUNDING = 1e-12  # collective displacement, over the independent one, of charges that cannot move together


@dataclass(frozen=True, eq=False, repr=False)
class Conductivity(Tabulated):
    """Ionic conductivity, averaged over the directions, with standard errors (one sigma).

    Only species that diffuse count.  All values are NaN where a species with a charge is "too short", or none diffuses.

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
    verdicts : tuple of S str
        Of these species, see `einstein_diffusion`.
    bound : float
        Upper limit (95 %) in S/m of what species that do not diffuse add to `nernst_einstein`.
    times : (K,) array
        In ps.
    independent_curve, collective_curve : (K,) array
        ``sum_s N_s q_s^2 <Dr_s^2>`` and ``<|sum_i q_i Dr_i|^2>`` in e^2 A^2, of species that diffuse.
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
    verdicts: tuple[str, ...]
    bound: float
    times: FloatArray
    independent_curve: FloatArray
    collective_curve: FloatArray
    runs: int = 1

    def __repr__(self) -> str:
        of = f", mean of {self.runs} runs" if self.runs > 1 else ""
        numbers = [
            f"Nernst-Einstein {with_error(self.nernst_einstein, self.nernst_einstein_error)} S/m",
            f"collective {with_error(self.collective, self.collective_error)} S/m",
            f"Haven ratio {with_error(self.haven, self.haven_error)}",
        ]
        kinds = [f"{symbol}: {verdict}" for symbol, verdict in zip(self.symbols, self.verdicts, strict=True)]
        rest = [f"species that do not diffuse: {below(self.bound)} S/m"] if self.bound else []
        return f"Conductivity({self.temperature:g} K{of}: {', '.join(numbers)}; {', '.join(kinds + rest)})"

    def facts(self) -> dict[str, str]:
        """The conductivities and the Haven ratio with their errors, and what each species does."""
        kinds = {
            f"{symbol} ({charge:+g} e)": verdict
            for symbol, charge, verdict in zip(self.symbols, self.charges, self.verdicts, strict=True)
        }
        return {
            "temperature": f"{self.temperature:g} K",
            "runs": str(self.runs),
            "collective": f"{with_error(self.collective, self.collective_error)} S/m",
            "Nernst-Einstein": f"{with_error(self.nernst_einstein, self.nernst_einstein_error)} S/m",
            "Haven ratio": with_error(self.haven, self.haven_error),
            **kinds,
        }

    def columns(self) -> dict[str, FloatArray]:
        """The times, and the squared displacements of the charges, alone and together."""
        return {
            "time (ps)": self.times,
            "independent (e^2 Å^2)": self.independent_curve,
            "collective (e^2 Å^2)": self.collective_curve,
        }

    def plot(self, ax: Any = None) -> Any:
        """Draw the squared displacements of the charges, alone and together, against ps; returns the Axes."""
        ax = new_axes(ax)
        for name, curve, value, error in (
            ("independent", self.independent_curve, self.nernst_einstein, self.nernst_einstein_error),
            ("collective", self.collective_curve, self.collective, self.collective_error),
        ):
            ax.plot(self.times, curve, label=f"{name}: {with_error(value, error)} S/m")
        ax.legend(frameon=False)
        ax.set(xlabel="time (ps)", ylabel="squared displacement of charge (e² Å²)", xlim=(0.0, self.times[-1]))
        ax.set_ylim(bottom=0.0)
        return ax

    @classmethod
    def _averaged(cls, results: list[Conductivity]) -> Conductivity:
        first = results[0]
        for other in results:
            same = (other.symbols, other.temperature) == (first.symbols, first.temperature)
            if not (same and np.array_equal(other.charges, first.charges) and np.array_equal(other.times, first.times)):
                raise ValueError("expected conductivities of the same ions at the same temperature and times")
        (single, together), (error, together_error) = mean_of_runs(
            [np.array([other.nernst_einstein, other.collective]) for other in results],
            [np.array([other.nernst_einstein_error, other.collective_error]) for other in results],
        )
        return replace(
            first,
            nernst_einstein=float(single),
            nernst_einstein_error=float(error),
            collective=float(together),
            collective_error=float(together_error),
            haven=float(single / together) if together else float("nan"),
            haven_error=_error_of_ratio(single, error, together, together_error),
            verdicts=tuple(common_verdict(each) for each in zip(*(other.verdicts for other in results), strict=True)),
            bound=float(np.mean([other.bound for other in results])),
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
    drift: str | ArrayLike | None = "framework",
    window_ps: tuple[float, float] | None = None,
) -> Conductivity:
    """Ionic conductivity from the displacements of the ions that diffuse.

    Charges that do not sum to zero over the cell, as those of the mobile ions alone, carry a current that depends on
    who looks at it: relative to the centre of mass of all atoms, which mobile ions drag along, the collective
    conductivity is too small (by a quarter for lithium in Li3PS4).  What an electrode sees is relative to the
    framework, which is therefore the frame of reference by default.

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
    drift : "framework", "all", symbol, indices, mask or None
        Subtract the motion of the centre of mass of the species that do not diffuse (of all atoms where there is no
        such species), of all atoms, of these atoms, or none.
    window_ps : (float, float), optional
        Times in ps between which lines are fitted; by default as in `einstein_diffusion` for each species, and for the
        collective displacement from the latest start of these windows on.

    Warns
    -----
    UserWarning
        When the charges do not sum to zero and the frame of reference is the centre of mass of all atoms.

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
    by_framework = isinstance(drift, str) and drift == _FRAMEWORK
    series = source.series("positions", drift="all" if by_framework else drift)
    frames, volume = series.shape[0], series.volume
    if volume <= 0.0:
        raise ValueError(f"{source.name}: a conductivity needs a cell with three vectors")
    if frames < 4:
        raise ValueError(f"{source.name}: expected at least 4 frames for a conductivity, got {frames}")
    lags = longest_of_fits(frames, frames)
    times = lag_times(timestep, lags)
    window = None if window_ps is None else frames_of_window(window_ps, times)
    origin = _framework(series, source, lags) if by_framework else None
    if origin is None and isinstance(drift, str) and drift in ("all", _FRAMEWORK):
        _warn_of_frame(charges, source)
    ions = [_ions(series, source, (symbol, charge), (lags, window), origin) for symbol, charge in charges.items()]
    unit = _SIEMENS_PER_M / (6.0 * timestep * volume * temperature)
    counted = [ion for ion in ions if ion.judgement.verdict != AT_REST]
    # Relative to the framework, its own charges only rattle; relative to anything else they move against the ions.
    moving = counted if origin is not None else ions
    alone, together = _alone(ions, counted), _together(moving, counted, window, lags)
    value, error, collective, collective_error = unit * np.array([*alone[1:], *together[1:]])
    result = Conductivity(
        float(value),
        float(error),
        float(collective),
        float(collective_error),
        float(value / collective) if collective else float("nan"),
        _error_of_ratio(value, error, collective, collective_error),
        float(temperature),
        tuple(charges),
        np.array(list(charges.values()), dtype=np.float64),
        tuple(ion.judgement.verdict for ion in ions),
        unit * float(np.nansum([ion.weight * ion.judgement.bound for ion in ions])),
        times,
        alone.curve,
        together.curve,
    )
    return series.deliver(result)


class _Ions(NamedTuple):
    """Those of a species: what is known of their motion, and of that of their charge.

    `charge` is q in e and `weight` ``N q^2``; `curve` (K,) their mean squared displacement, `dipole` (F, 3) the sum of
    charge times position in e A, and `excess` (J,) the spread of their squared displacements over a Gaussian's in A^4.
    """

    judgement: Judgement
    charge: float
    weight: float
    curve: FloatArray
    dipole: FloatArray
    excess: FloatArray


class _Sum(NamedTuple):
    """Squared displacement of charges `curve` (K,) in e^2 A^2, its `slope` per frame and the `error` of that."""

    curve: FloatArray
    slope: float
    error: float


def _framework(series: Series, source: Trajectory, lags: int) -> FloatArray | None:
    """How the centre of mass of all species that do not diffuse moves, (F, 3) in A; None where there are none."""
    names, masses = np.array(source.symbols), source.masses
    center, total = np.zeros((series.shape[0], 3)), 0.0
    for symbol in dict.fromkeys(source.symbols):
        members = np.flatnonzero(names == symbol)
        moved = displacements(series, members, lags)
        if _judged(moved, series.shape[0], len(members), None).verdict == AT_REST:
            mass = float(masses[members[0]])
            center += mass * moved.summed
            total += mass * len(members)
    if total == 0.0:
        return None
    center /= total
    return np.asarray(center - center[0])


def _ions(
    series: Series,
    source: Trajectory,
    ion: tuple[str, float],
    ends: tuple[int, tuple[int, int] | None],
    origin: FloatArray | None,
) -> _Ions:
    """Motion of a species and its charge relative to an origin; `ends`: the longest lag and the window, if given."""
    (symbol, charge), (lags, window) = ion, ends
    members = np.flatnonzero(np.array(source.symbols) == symbol)
    moved = displacements(series, members, lags, origin=origin)
    judgement = _judged(moved, series.shape[0], len(members), window)
    beyond = excess(moved.mean, sampled_lags(lags), moved.spread[:, 3])
    return _Ions(judgement, charge, len(members) * charge**2, moved.mean.sum(axis=1), charge * moved.summed, beyond)


def _judged(moved: Displacements, frames: int, atoms: int, window: tuple[int, int] | None) -> Judgement:
    some = sampled_lags(len(moved.mean) - 1)
    beyond = excess(moved.mean, some, moved.spread[:, 3])
    return judge(moved.mean, Statistics(frames, atoms, some, beyond, moved.blocks), window)


def _alone(ions: list[_Ions], counted: list[_Ions]) -> _Sum:
    """Sum over species that move independently."""
    lines = [ion.judgement.line for ion in counted]
    curve = np.sum([np.zeros_like(ions[0].curve), *(ion.weight * ion.curve for ion in counted)], axis=0)
    weights = np.array([ion.weight for ion in counted])
    if not counted:
        return _Sum(curve, np.nan, np.nan)
    slope = float(np.sum(weights * [line.slope for line in lines]))
    return _Sum(curve, slope, float(np.linalg.norm(weights * [line.error for line in lines])))


def _together(moving: list[_Ions], counted: list[_Ions], window: tuple[int, int] | None, lags: int) -> _Sum:
    """All charge at once, as one walker."""
    lines = [ion.judgement.line for ion in counted]
    if not counted or not np.all(np.isfinite([line.slope for line in lines])):
        return _Sum(np.full(lags + 1, np.nan), np.nan, np.nan)
    dipole = np.sum([ion.dipole for ion in moving], axis=0)
    curve = squared_displacements(dipole[:, None], max_lag=lags)
    total: FloatArray = curve.sum(axis=1)
    if total.max() <= _ROUNDING * np.max([ion.weight * ion.curve.max() for ion in counted]):
        return _Sum(np.zeros_like(total), 0.0, 0.0)
    # Cumulants of independent ions add up.
    beyond = np.sum([ion.weight * ion.charge**2 * ion.excess for ion in counted], axis=0)
    ends = window or (max(line.first for line in lines), max(line.last for line in lines))
    line = fit_line(curve, Statistics(len(dipole), 1, sampled_lags(lags), beyond), ends)
    return _Sum(total, line.slope, line.error)


def _warn_of_frame(charges: Mapping[str, float], source: Trajectory) -> None:
    """Warn where charges do not sum to zero while their motion is relative to all atoms."""
    symbols = list(source.symbols)
    total = sum(charge * symbols.count(symbol) for symbol, charge in charges.items())
    if abs(total) > _NEUTRAL * len(symbols):
        warnings.warn(
            f"the charges sum to {total:g} e over the cell, so that the collective conductivity depends on the frame of"
            " reference, here the centre of mass of all atoms: give the charges of all species, or drift= the symbol"
            " of the framework",
            UserWarning,
            stacklevel=3,
        )


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
