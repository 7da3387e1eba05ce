"""Diffusion coefficients from velocities: where the integral of their autocorrelation is level, and its error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import cumulative_trapezoid

from ase_mlips.arrays import FloatArray, Int64Array

from ..correlation import correlation
from ..heat.plateau import Plateau
from ..trajectories.atoms import selected_atoms
from ..trajectories.series import Series
from ..trajectories.trajectory import Source, Trajectory, as_trajectory
from .diffusion import CM2_PER_S, Diffusion
from .msd import lag_times, longest_lag
from .window import AT_REST, CAGE, DIFFUSES, GIVEN, GROWTH, SHARP, TOO_SHORT, is_at_rest, upper_limit

_PART = 4  # the longest lag is this part of a trajectory
_LADDER = 2.0**0.25  # from one time to the next that is tried
_NEAR, _FAR = 1.5, 2.0  # standard errors to averages at two and four times that time, and at 8, 16, ... times
_PIECES = 8, 4  # of the trajectory, whose scatter is the least error
_ROOM = 1.5  # length of a piece over the longest lag of the integral


def green_kubo_diffusion(
    trajectory: Source | Trajectory,
    *,
    timestep_fs: float | None = None,
    atoms: str | ArrayLike | None = None,
    drift: str | ArrayLike | None = "all",
    max_lag_ps: float | None = None,
    cutoff_ps: float | None = None,
) -> Diffusion:
    """Diffusion coefficients from velocities, ``D = 1/3 int_0^infinity <v(0) . v(t)> dt``.

    The running integral is averaged over t ... 2 t, where t is twice the shortest time at which the atoms have left
    their cages, with a mean squared displacement (the integral of the integral) of 1 A^2, and from which on the average
    agrees with those at twice and four times that time within 1.5 standard errors, and at 8, 16, ... times within 2.
    The verdicts are those of `einstein_diffusion`: a species "diffuses" where there is such a time, the coefficient is
    known to 25 % and moves an atom by 5 A^2 within a third of the trajectory; it "does not diffuse" where the mean
    squared displacement stays below 1 A^2 and is level.

    The standard error is that of an average of the integral of a Gaussian process for N independent atoms, ``D 2 sqrt(4
    t / (9 N time))`` (as of Jones and Mandadapu, J. Chem. Phys. 136, 154102 (2012)), or what the scatter between eight
    pieces of the trajectory (four, of a late plateau) says, whichever is larger: atoms that move together are not
    independent.  A plateau so late that four pieces do not reach it counts as none.

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
        Where the integral is read, whatever it looks like; only species that do not diffuse have no coefficient then
        either.

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
    lags = max(2, frames // _PART) if max_lag_ps is None else longest_lag(frames, timestep, max_lag_ps)
    end = None if cutoff_ps is None else longest_lag(lags + 1, timestep, cutoff_ps, name="cutoff_ps")
    names = np.array(source.symbols)[chosen]
    symbols = tuple(dict.fromkeys(names.tolist()))
    found = [_species(series, chosen[names == symbol], (lags, end), timestep) for symbol in symbols]
    windows = np.array([(one.plateau.first, one.plateau.last) for one in found])
    values = np.array([one.value for one in found])
    return series.deliver(
        Diffusion(
            "Green-Kubo",
            symbols,
            values,
            np.array([one.error for one in found]),
            lag_times(timestep, lags),
            CM2_PER_S / 3.0 * np.array([one.integral for one in found]),
            CM2_PER_S / 3.0 * np.array([one.noise for one in found]),
            np.where(np.isfinite(values)[:, None], timestep * windows, np.nan),
            np.zeros(len(found)),
            tuple(one.verdict for one in found),
            np.array([one.bound for one in found]),
        )
    )


class _Species(NamedTuple):
    """Running `integral` (K,) of an autocorrelation, its `noise` (K,), and what is read from it, in cm^2/s."""

    integral: FloatArray
    noise: FloatArray
    plateau: Plateau
    value: float
    error: float
    verdict: str
    bound: float


def _species(series: Series, atoms: Int64Array, ends: tuple[int, int | None], timestep: float) -> _Species:
    """The coefficient of some atoms; `ends` are the longest lag and where the integral is read, if that is given."""
    frames, (lags, end) = series.shape[0], ends
    integral = timestep * cumulative_trapezoid(_autocorrelation(series, atoms, slice(None), lags), initial=0.0)
    displacement = 2.0 * timestep * cumulative_trapezoid(integral, initial=0.0)
    samples = 3.0 * frames * len(atoms)
    plateau = _plateau(integral, displacement, samples) if end is None else Plateau(end, end)
    value = float(plateau.average(integral) if end is None else integral[end])
    theory, scatter = abs(value) * plateau.relative_error(samples), _scatter(series, atoms, plateau, timestep)
    error = max(theory, scatter if np.isfinite(scatter) or end is None else 0.0)
    noise = (error if np.isfinite(error) else theory) * np.sqrt(np.arange(lags + 1.0) / max(1, plateau.last))
    nothing = float("nan")
    if is_at_rest(displacement, lags):
        bound = CM2_PER_S / 6.0 / timestep * upper_limit(displacement, lags, len(atoms) * frames)
        return _Species(integral, noise, plateau, nothing, nothing, AT_REST, bound)
    value, error = CM2_PER_S / 3.0 * value, CM2_PER_S / 3.0 * error
    if end is not None:
        return _Species(integral, noise, plateau, value, error, GIVEN, nothing)
    rise = 6.0 * value / CM2_PER_S * timestep * frames / 3.0
    if not plateau.found or rise < GROWTH or error > SHARP * value:
        return _Species(integral, noise, plateau, nothing, nothing, TOO_SHORT, nothing)
    return _Species(integral, noise, plateau, value, error, DIFFUSES, nothing)


def _autocorrelation(series: Series, atoms: Int64Array, frames: slice, lags: int) -> FloatArray:
    """Of the velocities of some atoms, summed over directions, (K,) in A^2/ps^2."""
    curve = np.zeros(lags + 1)
    for _, block in series.blocks(atoms):
        curve += correlation(block[frames], max_lag=lags)
    return curve * 1e6 / len(atoms)


def _plateau(integral: FloatArray, displacement: FloatArray, samples: float) -> Plateau:
    """Where to average the running integral, see `green_kubo_diffusion`."""
    longest = (len(integral) - 1) // 4
    trials = np.unique(np.rint(_LADDER ** np.arange(np.log(max(longest, 1)) / np.log(_LADDER))).astype(np.int64))
    for t in (int(k) for k in trials if displacement[k] >= CAGE):
        mean = Plateau(t, 2 * t).average(integral)
        factors = 2 ** np.arange(1, int(np.log2((len(integral) - 1) / (2 * t))) + 1)
        means = np.array([Plateau(int(k) * t, 2 * int(k) * t).average(integral) for k in factors])
        # int (w' - w)^2 dt, where w is 1 up to t and falls to 0 at 2 t, and w' is the same for a multiple of t.
        squares = t * (4.0 * factors - 5.0) / 3.0
        noise = 2.0 * np.maximum(abs(mean), np.abs(means)) * np.sqrt(squares / samples)
        if np.all(np.abs(means - mean) <= np.where(factors <= 4, _NEAR, _FAR) * noise):
            return Plateau(2 * t, 4 * t)
    return Plateau(max(1, longest * 2), max(2, longest * 4), found=False)


def _scatter(series: Series, atoms: Int64Array, plateau: Plateau, timestep: float) -> float:
    """Standard error of the integral by its scatter between pieces; infinite where these would be too short for it."""
    fitting = [pieces for pieces in _PIECES if series.shape[0] // pieces >= _ROOM * plateau.last]
    if not fitting:
        return float("inf")
    length, values = series.shape[0] // fitting[0], []
    for k in range(fitting[0]):
        curve = _autocorrelation(series, atoms, slice(k * length, (k + 1) * length), plateau.last)
        integral = timestep * cumulative_trapezoid(curve, initial=0.0)
        values.append(integral[-1] if plateau.first == plateau.last else plateau.average(integral))
    return float(np.std(values, ddof=1) / np.sqrt(fitting[0]))
