"""Thermal conductivity by the Green-Kubo formula: its parts, its error and the correction for diffusing species."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.stats import f as variance_ratio

from ase_mlips.arrays import FloatArray

from .cepstral import FEWEST, cepstral
from .correlations import (
    Correlations,
    Diffusing,
    diffusing_currents,
    explained,
    integrated,
    mean_correlations,
    reduced,
    reduced_integrals,
    run_correlations,
    running_without_species,
    without_species,
)
from .green_kubo_result import GreenKubo
from .plateau import FALL, Plateau, find_plateau
from .series import Ensemble, HeatFluxSeries, as_ensemble, in_watts
from .verdict import CONVERGED, destroyed_by, halves_differ, mean_period, thermostats, too_short, too_uncertain

_UNLIKELY = 0.05  # probability of chance below which a difference between directions is significant
_EARLIEST = 2.0  # mean periods of the heat flux: half of the lag from which on the integral may be averaged
_SHARE = 0.1  # of kappa, convective and cross terms together, from which on a mixture needs a warning
_CHANGE = 0.1  # of the temperature, between parts of the runs, that needs one
_GAUGE = (
    "{part:.3g} of the {total:.3g} W/(m K) of {species} involve the convective flux, which contains the arbitrary zero "
    "of the atomic energies: where atoms diffuse, plain Green-Kubo depends on it and differs from model to model. "
    "{advice}"
)
_DIFFUSING = (
    "Relative to the centre of mass {names} diffuse here: publish kappa_corrected, which does not depend on it."
)
_CRYSTAL = "No species was found to diffuse here, so that it cancels; a longer run can make sure of that."


def green_kubo(
    series: HeatFluxSeries | Sequence[HeatFluxSeries],
    *,
    max_lag_ps: float | None = None,
    window_ps: tuple[float, float] | None = None,
    blocks: int = 1,
) -> GreenKubo:
    """Thermal conductivity ``kappa_ab = 1/(k_B T^2 V) int_0^inf <J_a(0) J_b(t)> dt`` of equilibrium runs.

    The integral is averaged over a window t1 ... 2 t1 of its upper limit, which is its value with correlations that
    fade out over the window.  t1 is twice the shortest time at which this average agrees with those at 2, 4, 8, ...
    times that time within their errors (`find_plateau`), and at least four mean periods of the heat flux, one over the
    mean frequency of its spectrum, so that vibrations have faded.  The standard error of a plateau value is
    ``2 kappa sqrt(4 t1 / 3 / (3 T))`` for a total length T.  A run that is only some times longer than the slowest
    correlations can end on the false plateau of the fast ones: look at the curves, and at the cepstral value.

    The scatter between runs replaces that error where it is larger, and so does the standard error of the mean of xx,
    yy and zz where these differ by more than that error allows (with a probability of 5 %): then theory says too
    little, or the system is anisotropic.  One run cannot tell these apart, and its directions count as equivalent.
    Several can: where the differences between directions are common to all of them (analysis of variance, 5 %), they
    are no error.  For a crystal that is not cubic give several runs or `blocks`, and look at `tensor`.

    No value can be published (`GreenKubo.verdict`) where a thermostat acts on single atoms (Langevin, Andersen), which
    the file of a recorder says; where all runs together last less than 200 mean periods of the heat flux (28 ps for
    0.14 ps in Cu7PS6), in which a plateau of vibrations looks like that of all; where there is no plateau, or the
    window is too late; where the standard error exceeds a third of the value; and where the halves of the runs differ
    by more than three standard errors.

    With several species, ``kappa_corrected = [L_EE - L_ES L_SS^-1 L_SE] / (k_B T^2 V)``, with the integrals L of the
    correlations of the heat flux E and the species currents S, is the conductivity in the absence of a current of
    particles.  It does not depend on the zeros of the atomic energies, and nor does the automatic window.  The currents
    S are those combinations that diffuse, by three standard errors (`correlations.diffusing_currents`).  The others,
    whose integrals vanish, only have their share of the flux at equal times taken out, which removes noise
    (`correlations.explained`; Bertossa et al., Phys. Rev. Lett. 122, 255901 (2019)).

    Parameters
    ----------
    series : HeatFluxSeries or sequence of them
        One run, or independent ones of the same system, at constant volume and energy.
    max_lag_ps : float, optional
        Longest lag of the curves; by default four times the end of the window, at most a quarter of the shortest run.
    window_ps : (float, float), optional
        Lags between which the running integrals are averaged, instead of the automatic choice.
    blocks : int
        Cut each run into so many blocks, which count as independent runs.

    Raises
    ------
    ValueError
        Fewer than 200 frames in a run or block, no flux, no periodic cell, a volume that changes, runs of different
        systems, or a lag out of range.

    Warns
    -----
    UserWarning
        When the verdict is not "converged"; when a thermostat acts on all atoms together; when parts of the runs differ
        in temperature; when the value depends on arbitrary atomic energies, because several species diffuse or more
        than 10 % of the conductivity involves the convective flux; and when the value and that of cepstral analysis
        differ by more than three standard errors, or the error of the latter is larger than the value.

    Examples
    --------
    A flux whose correlations decay within 0.08 ps, as a file of `HeatFluxRecorder` would give it:

    >>> import numpy as np
    >>> from scipy.signal import lfilter
    >>> from ase_mlips.analysis import HeatFluxSeries, green_kubo
    >>> flux = lfilter([0.02], [1, -0.95], np.random.default_rng(0).normal(size=(50_000, 3)), axis=0)
    >>> zero, one = np.zeros_like(flux), np.ones(50_000)
    >>> series = HeatFluxSeries(4.0, zero, flux, {"Ar": zero}, 300 * one, 8000 * one, ensemble="NVE")
    >>> kappa = green_kubo(series)
    >>> kappa.verdict
    'converged'
    >>> kappa
    GreenKubo(9.2(1.0) W/(m K), kappa, window 1.45 to 2.9 ps, 300 K)
    """
    ensemble = _in_blocks(series, blocks)
    coefficients, diffusing = explained(ensemble), diffusing_currents(ensemble)
    plateau, doubt = _plateau(ensemble, coefficients, diffusing, window_ps)
    lags = _number_of_lags(ensemble, plateau, max_lag_ps)
    each = [run_correlations(run, ensemble, lags) for run in ensemble.runs]
    mean = mean_correlations(each)
    running = {name: integrated(curve, ensemble) for name, curve in mean.hcacf.items()}
    parts = {name: float(np.trace(plateau.average(curve))) / 3.0 for name, curve in running.items()}
    plain = _estimate(lambda onsager: onsager[..., 0, 0], each, mean, plateau)
    matrices = reduced(mean.onsager, coefficients, diffusing)
    corrected = partial(_corrected, coefficients=coefficients, diffusing=diffusing)
    free = _estimate(corrected, each, mean, plateau) if ensemble.species else None
    publish = "kappa_corrected" if diffusing.names else "kappa"
    spectral = cepstral(ensemble.runs, corrected=publish == "kappa_corrected")
    step = 1e-3 * ensemble.timestep_fs
    chosen = free if free is not None and diffusing.names else plain
    doubt = destroyed_by(ensemble) or too_short(ensemble, coefficients) or doubt or too_uncertain(*chosen[:2])
    result = GreenKubo(
        times=step * np.arange(lags + 1, dtype=np.float64),
        hcacf=mean.hcacf,
        running=running,
        window_ps=(step * plateau.first, step * plateau.last),
        parts=parts,
        tensor=plateau.average(running["total"]),
        kappa=plain.value,
        error=plain.error,
        verdict=doubt or halves_differ(ensemble, coefficients, diffusing, plateau) or CONVERGED,
        run_kappas=plain.alone,
        running_corrected=None if free is None else running_without_species(matrices, plateau.average(matrices)),
        kappa_corrected=None if free is None else free.value,
        error_corrected=None if free is None else free.error,
        diffusing=diffusing.names,
        publish=publish,
        cepstral_kappa=spectral.kappa,
        cepstral_error=spectral.error,
        temperature=ensemble.temperature,
        volume=ensemble.volume,
    )
    _warn(result, ensemble)
    return result


def _corrected(onsager: FloatArray, coefficients: FloatArray, diffusing: Diffusing) -> FloatArray:
    return without_species(reduced(onsager, coefficients, diffusing))


class _Estimate(NamedTuple):
    """A value, its standard error, and the value of each run, (R,)."""

    value: float
    error: float
    alone: FloatArray


def _estimate(
    kind: Callable[[FloatArray], FloatArray], each: Sequence[Correlations], mean: Correlations, plateau: Plateau
) -> _Estimate:
    """What `kind` makes of the integrals in the window; the error is the largest of three, see `green_kubo`."""
    value = float(kind(plateau.average(mean.onsager)))
    alone = np.array([kind(plateau.average(one.onsager)) for one in each])
    theory = error = abs(value) * plateau.relative_error(3.0 * mean.frames)
    if len(alone) > 1:
        shares = np.array([one.frames for one in each]) / mean.frames
        error = max(error, float(np.sqrt(np.sum(shares**2 * (alone - value) ** 2) * len(alone) / (len(alone) - 1))))
    directions = np.std(kind(plateau.average(mean.axes)), ddof=1) / np.sqrt(3.0)
    # Of three independent values of this error, (directions / theory)^2 is distributed exponentially.
    differ = directions > theory * np.sqrt(-np.log(_UNLIKELY))
    if differ and not _anisotropic(np.array([kind(plateau.average(one.axes)) for one in each])):
        error = max(error, float(directions))
    return _Estimate(value, error, alone)


def _anisotropic(kappas: FloatArray) -> bool:
    """Whether runs (R, 3) agree on which directions conduct better; False for one run, which cannot say."""
    runs = len(kappas)
    if runs < 2:
        return False
    differences = kappas - kappas.mean(axis=1, keepdims=True)
    common = differences.mean(axis=0)
    between = runs * np.sum(common**2) / 2.0
    within = np.sum((differences - common) ** 2) / (2.0 * (runs - 1))
    return bool(between > within * variance_ratio.isf(_UNLIKELY, 2, 2 * (runs - 1)))


def _in_blocks(series: HeatFluxSeries | Sequence[HeatFluxSeries], blocks: int) -> Ensemble:
    """The runs, checked and cut into so many blocks each."""
    ensemble = as_ensemble(series, FEWEST)
    _warn_of_temperature(ensemble)
    if not isinstance(blocks, int | np.integer) or blocks < 1:
        raise ValueError(f"expected a positive number of blocks, got {blocks!r}")
    if blocks == 1:
        return ensemble
    runs = []
    for run in ensemble.runs:
        length = len(run) // blocks
        runs += [run[k * length : (k + 1) * length] for k in range(blocks)]
    return as_ensemble(runs, FEWEST)


def _plateau(
    ensemble: Ensemble, coefficients: FloatArray, diffusing: Diffusing, window_ps: tuple[float, float] | None
) -> tuple[Plateau, str | None]:
    """The window that was asked for, or the automatic one, and what is wrong with it.

    A plateau must begin before the end of the window, and a window that ends beyond a quarter of the shortest run is
    noise.  For one that was asked for the plateau may begin earlier than for the automatic one.

    The automatic window ends at a quarter of the shortest run, or before.  It is that of the corrected integral, which
    does not depend on the zeros of the atomic energies; of the flux that `explained` leaves, where nothing diffuses.
    """
    shortest = min(len(run) for run in ensemble.runs)
    # Beyond an eighth of a run the noise is half of the value and says nothing; the window may end at a quarter.
    integrals = reduced_integrals(ensemble, coefficients, diffusing, shortest // 8)
    samples = 3.0 * sum(len(run) for run in ensemble.runs)
    if window_ps is None:
        earliest = _EARLIEST * mean_period(ensemble, coefficients)
        plateau = find_plateau(integrals, samples, without_species, earliest=earliest)
    else:
        plateau = find_plateau(integrals, samples, without_species, rise=FALL)
    step = 1e-3 * ensemble.timestep_fs
    begins = plateau.first // 2  # half of the lag from which on it is averaged
    window = plateau if window_ps is None else Plateau(*_lags_of_window(window_ps, ensemble.timestep_fs, shortest))
    if window.last > shortest // 4:
        return window, (
            f"window too late: it ends beyond a quarter of the {step * shortest:.4g} ps of a run or block, where the"
            " integral is noise; a longer run is needed, or an earlier window"
        )
    if not plateau.found or begins >= window.last:
        return window, (
            f"no plateau: the integral still changes at {step * window.last:.4g} ps, the end of the window; a longer"
            " run is needed, or a later window"
        )
    return window, None


def _lags_of_window(window_ps: tuple[float, float], timestep_fs: float, frames: int) -> tuple[int, int]:
    """A window in frames (ValueError)."""
    edges = 1e3 * np.asarray(window_ps, dtype=np.float64) / timestep_fs
    if edges.shape != (2,) or not np.isfinite(edges).all() or not 1 <= round(edges[0]) < round(edges[1]) < frames:
        step = 1e-3 * timestep_fs
        raise ValueError(
            f"expected a window of two increasing lags from {step:g} (a frame) to {step * (frames - 1):g} ps, got "
            f"{window_ps}"
        )
    return round(edges[0]), round(edges[1])


def _number_of_lags(ensemble: Ensemble, plateau: Plateau, max_lag_ps: float | None) -> int:
    shortest = min(len(run) for run in ensemble.runs)
    if max_lag_ps is None:
        return max(plateau.last, min(4 * plateau.last, shortest // 4))
    lags = round(1e3 * max_lag_ps / ensemble.timestep_fs) if np.isfinite(max_lag_ps) else 0
    if not plateau.last <= lags < shortest:
        first, last = (1e-3 * ensemble.timestep_fs * edge for edge in (plateau.last, shortest - 1))
        raise ValueError(f"expected max_lag_ps from {first:g} (the end of the window) to {last:g}, got {max_lag_ps:g}")
    return lags


def _warn_of_temperature(ensemble: Ensemble) -> None:
    """Warn where a quarter of the runs or one of several runs is hotter or colder than fluctuations explain."""
    quarters = [part for run in ensemble.runs for part in np.array_split(run.temperature, 4)]
    means = [part.mean() for part in quarters]
    if np.ptp(means) > max(_CHANGE * ensemble.temperature, 2.0 * float(np.median([np.std(part) for part in quarters]))):
        warnings.warn(
            f"the temperature is {min(means):.0f} K in one part of the runs and {max(means):.0f} K in another: this is"
            " no equilibrium, or are no runs of one state; look at it before you believe the thermal conductivity",
            UserWarning,
            stacklevel=4,
        )


def _warn(result: GreenKubo, ensemble: Ensemble) -> None:
    if not result.converged:
        warnings.warn(f"no thermal conductivity: {result.verdict}", UserWarning, stacklevel=3)
        return
    if names := thermostats(ensemble):
        warnings.warn(
            f"{' and '.join(names)} dynamics changes the heat flux, the less the longer its coupling time: compare with"
            " a run at constant energy (NVE)",
            UserWarning,
            stacklevel=3,
        )
    for message in (_gauge(result, tuple(ensemble.runs[0].currents)), _disagreement(result)):
        if message:
            warnings.warn(message, UserWarning, stacklevel=3)


def _gauge(result: GreenKubo, species: tuple[str, ...]) -> str | None:
    share = result.convective_share
    if len(species) < 2 or not (result.diffusing or abs(share) > _SHARE):
        return None
    advice = _DIFFUSING.format(names=" and ".join(result.diffusing)) if result.diffusing else _CRYSTAL
    part = result.parts["total"] - result.parts["conductive"]
    return _GAUGE.format(part=part, total=result.parts["total"], species=", ".join(species), advice=advice)


def _disagreement(result: GreenKubo) -> str | None:
    value, error = result.best
    spectral = in_watts(result.cepstral_kappa, result.cepstral_error)
    if result.cepstral_error > abs(value):
        return (
            f"the running integral gives {in_watts(value, error)}, less than the error of cepstral analysis,"
            f" {spectral}: longer or more runs are needed"
        )
    if abs(value - result.cepstral_kappa) > 3.0 * np.hypot(error, result.cepstral_error):
        return (
            f"the running integral gives {in_watts(value, error)} and cepstral analysis {spectral}: one misses slow"
            " correlations, draw both"
        )
    return None
