"""Whether a thermal conductivity of equilibrium runs can be published."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ase_mlips.arrays import FloatArray

from .correlations import Diffusing, reduced_integrals, without_species
from .plateau import Plateau
from .series import UNKNOWN, Ensemble, HeatFluxSeries

CONVERGED = "converged"

_PERIODS = 200.0  # of the heat flux that all runs together must last
_LARGEST_ERROR = 1.0 / 3.0  # of the value
_DISAGREE = 3.0  # standard errors of the difference of two halves
_LOCAL = ("Langevin", "Andersen")  # in the names of dynamics that act on single atoms


def thermostats(ensemble: Ensemble) -> tuple[str, ...]:
    """Dynamics of the runs that are known not to be at constant energy."""
    return tuple(dict.fromkeys(run.ensemble for run in ensemble.runs if run.ensemble not in ("NVE", UNKNOWN)))


def destroyed_by(ensemble: Ensemble) -> str | None:
    """What makes the heat flux of these runs none of the atoms alone: a thermostat that changes single momenta."""
    for name in thermostats(ensemble):
        if any(word in name for word in _LOCAL):
            return (
                f"thermostatted: {name} dynamics changes the momentum of each atom and so destroys the heat flux;"
                " record one at constant energy (NVE)"
            )
    return None


def too_short(ensemble: Ensemble, coefficients: FloatArray) -> str | None:
    """Whether all runs together are shorter than 200 mean periods of the heat flux.

    The period is one over the mean frequency of the spectrum of the flux that `explained` leaves.  Fewer of them cannot
    tell the plateau of vibrations from that of all, and the error bar knows nothing of what comes later.  Simulated,
    with 100 runs of 100, 200 and 300 periods each, values more than three standard errors off were found in: 0, 4 and
    5 % for one exponential decay; 14, 5 and 4 % for vibrations and a decay in five periods; 11, 7 and 9 % where nine
    tenths of the integral come of a decay in ten periods; and 14, 15 and 7 % where half of it comes of a decay in a
    fifth of a period and half of one in seven periods.
    """
    period = mean_period(ensemble, coefficients)
    length = sum(len(run) for run in ensemble.runs)
    if length >= _PERIODS * period:
        return None
    step = 1e-3 * ensemble.timestep_fs
    needed = f"at least {_PERIODS:.0f}, {step * _PERIODS * period:.3g} ps, are needed"
    return f"too short: {step * length:.3g} ps are {length / period:.0f} mean periods of the heat flux; {needed}"


def too_uncertain(value: float, error: float) -> str | None:
    """Whether the standard error exceeds a third of the value."""
    if error <= _LARGEST_ERROR * value:
        return None
    if not value > 0.0:
        return "too short: the value is not larger than zero"
    longer = (error / (_LARGEST_ERROR * value)) ** 2
    return (
        f"too short: the standard error is {error / value:.0%} of the value, more than {_LARGEST_ERROR:.0%}; runs of at"
        f" least {longer:.1f} times the length are needed"
    )


def halves_differ(ensemble: Ensemble, coefficients: FloatArray, diffusing: Diffusing, plateau: Plateau) -> str | None:
    """Whether the first and the second halves of all runs differ by more than three standard errors."""
    values = []
    for cut in (_first_half, _second_half):
        half = ensemble._replace(runs=tuple(cut(run) for run in ensemble.runs))
        integrals = reduced_integrals(half, coefficients, diffusing, plateau.last)
        values.append(float(without_species(plateau.average(integrals))) / 3.0)
    # The error of a half is sqrt(2) that of all, and that of the difference twice.
    error = 2.0 * abs(np.mean(values)) * plateau.relative_error(3.0 * sum(len(run) for run in ensemble.runs))
    if not abs(values[0] - values[1]) > _DISAGREE * error:
        return None
    return (
        f"too short: the first halves of the runs give {values[0]:.2g} W/(m K) and the second ones {values[1]:.2g},"
        " which chance does not explain; they are not yet in equilibrium, or change slowly"
    )


def mean_period(ensemble: Ensemble, coefficients: FloatArray) -> float:
    """One over the mean frequency of the heat flux, in frames, whatever the zeros of the atomic energies."""
    energies = dict(zip(ensemble.species, coefficients, strict=True))
    power = weighted = 0.0
    for run in ensemble.runs:
        flux = run.total - run.carried(energies)
        spectrum = np.sum(np.abs(fft.rfft(flux - flux.mean(axis=0), axis=0)) ** 2, axis=1)
        power += spectrum.sum()
        weighted += spectrum @ fft.rfftfreq(len(run))
    return float(power / weighted)


def _first_half(run: HeatFluxSeries) -> HeatFluxSeries:
    return run[: len(run) // 2]


def _second_half(run: HeatFluxSeries) -> HeatFluxSeries:
    return run[len(run) // 2 :]
