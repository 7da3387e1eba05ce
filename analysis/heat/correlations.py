"""Correlations of the heat flux with itself and with the currents of species, and what their integrals say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import fft
from scipy.integrate import cumulative_trapezoid
from scipy.linalg import eigh

from ase_mlips.arrays import FloatArray

from ..correlation import correlation
from .series import Ensemble, HeatFluxSeries

PARTS = ("total", "convective", "conductive", "cross")
_MODES = 8  # lowest frequencies of all runs together, at which a current is looked at
_BAND = 4  # times their highest frequency, up to which it is compared with itself
_LEVEL = 0.3  # spectrum at the lowest frequencies over that above, from which on a current diffuses
_ROUNDING = 1e-6
_SINGULAR = 1e-12  # of the largest mean square of a combination of currents: one that is always zero


class Correlations(NamedTuple):
    """Those of a run of `frames` frames.

    `hcacf` holds a (K, 3, 3) array for each of `PARTS`, in (eV A/fs)^2; `axes` (K, 3, S, S) the running integrals of
    the heat flux (first) and the currents of all species but one along x, y, z, in W/(m K) for the flux.
    """

    frames: int
    hcacf: dict[str, FloatArray]
    axes: FloatArray

    @property
    def onsager(self) -> FloatArray:
        """The running integrals averaged over directions, (K, S, S)."""
        return np.asarray(self.axes.mean(axis=1))


def run_correlations(run: HeatFluxSeries, ensemble: Ensemble, lags: int) -> Correlations:
    """Correlations up to a lag in frames."""
    tensors = {"total": run.total, "convective": run.convective, "conductive": run.conductive}
    hcacf = {name: _tensor(flux, lags) for name, flux in tensors.items()}
    hcacf["cross"] = hcacf["total"] - hcacf["convective"] - hcacf["conductive"]
    currents = [run.total, *(run.currents[name] for name in ensemble.species)]
    matrix = np.empty((lags + 1, 3, len(currents), len(currents)))
    matrix[:, :, 0, 0] = np.diagonal(hcacf["total"], axis1=1, axis2=2)
    for i, one in enumerate(currents[1:], 1):
        for j, other in enumerate(currents[: i + 1]):
            for a in range(3):
                curve = _symmetric(one[:, a], None if i == j else other[:, a], lags)
                matrix[:, a, i, j] = matrix[:, a, j, i] = curve
    return Correlations(len(run), hcacf, integrated(matrix, ensemble))


def mean_correlations(each: Sequence[Correlations]) -> Correlations:
    """Average over runs, by their numbers of frames."""
    frames = [one.frames for one in each]
    hcacf = {name: np.average([one.hcacf[name] for one in each], axis=0, weights=frames) for name in PARTS}
    return Correlations(sum(frames), hcacf, np.average([one.axes for one in each], axis=0, weights=frames))


def integrated(curve: FloatArray, ensemble: Ensemble) -> FloatArray:
    """Running integral over time, (K, ...), in W/(m K) for a correlation in (eV A/fs)^2."""
    integral: FloatArray = cumulative_trapezoid(curve, axis=0, initial=0.0)
    return ensemble.prefactor * ensemble.timestep_fs * integral


def without_species(onsager: FloatArray) -> FloatArray:
    """``L_EE - L_ES L_SS^-1 L_SE`` of matrices (..., S, S); NaN where L_SS is singular, as it is at t = 0."""
    block, column = onsager[..., 1:, 1:], onsager[..., 1:, :1]
    regular = np.abs(np.linalg.det(block)) > 0.0
    safe = np.where(regular[..., None, None], block, np.eye(block.shape[-1]))
    share = (column * np.linalg.solve(safe, column)).sum(axis=(-2, -1))
    result: FloatArray = np.where(regular, onsager[..., 0, 0] - share, np.nan)
    return result


def running_without_species(onsager: FloatArray, window: FloatArray) -> FloatArray:
    """Running integral (K,) of the heat flux less the part of the currents that explains most of it in a window.

    Of matrices (K, S, S) and their average over the window (S, S), over which it is what `without_species` makes of
    the latter.  A ratio at each time would have poles, where the integral of a current passes through zero.
    """
    weights = np.concatenate(([1.0], -np.linalg.solve(window[1:, 1:], window[1:, 0])))
    return np.asarray(np.einsum("i,kij,j->k", weights, onsager, weights))


def explained(ensemble: Ensemble) -> FloatArray:
    """Coefficients (S - 1,) in eV of the currents of `Correlations` that explain most of the heat flux at equal times.

    What these energies, carried by the atoms, leave of the heat flux, J', does not depend on the zeros of the atomic
    energies.  Where nothing diffuses its integral is that of J, with less noise, as the integrals of the currents
    vanish.
    """
    currents = _all_currents(ensemble)
    total = np.concatenate([run.total.ravel() for run in ensemble.runs])
    return np.asarray(np.linalg.lstsq(currents @ currents.T, currents @ total, rcond=_SINGULAR)[0])


def independent_currents(ensemble: Ensemble) -> FloatArray:
    """Combinations (S - 1, R) of the currents of `Correlations` that are independent and not always zero."""
    currents = _all_currents(ensemble)
    squares, vectors = np.linalg.eigh(currents @ currents.T)
    return np.asarray(vectors[:, squares > _SINGULAR * squares.max(initial=0.0)])


def _all_currents(ensemble: Ensemble) -> FloatArray:
    """Of all frames, directions and runs, (S - 1, ...)."""
    samples = 3 * sum(len(run) for run in ensemble.runs)
    names = ensemble.species
    currents = [np.concatenate([run.currents[name].ravel() for run in ensemble.runs]) for name in names]
    return np.array(currents).reshape(len(names), samples)


class Diffusing(NamedTuple):
    """`names` of species that diffuse; `directions` (S - 1, D) combine the currents of `Correlations`."""

    names: tuple[str, ...]
    directions: FloatArray


def diffusing_currents(ensemble: Ensemble) -> Diffusing:
    """Combinations of species currents whose spectrum does not vanish at zero frequency.

    In a crystal ``sum_i r_i`` is bounded: the spectrum of ``J_s`` falls with the square of the frequency, and the
    integral of ``<J_s(0) J_s(t)>`` vanishes.  So it is for species that form one rigid framework, relative to each
    other.  To divide by such an integral would be to divide by noise.  A current that diffuses has a level spectrum
    at the lowest frequencies, however slowly it decays against the heat flux.

    The spectrum at the 8 lowest frequencies of all runs together is compared with that up to four times their highest:
    the ratio, whose expected value is 1 for currents that diffuse and 0.05 for others, must be above 0.3, for species
    (`names`) and for the generalised eigenvectors of both matrices (`directions`).  Simulated, 300 cases each of one
    run of 5,000 or 20,000 frames or four of 5,000: called diffusing were at most 2 % of vibrating currents that decay
    in a fiftieth of a run, 0.3 % of those in a hundredth, all that diffuse, and of two that diffuse both in 99 %.
    """
    names = ensemble.species
    if not names:
        return Diffusing((), np.empty((0, 0)))
    low, high = _lowest_frequencies(ensemble)
    own = np.diagonal(low) / np.maximum(np.diagonal(high), np.finfo(float).tiny)
    basis = independent_currents(ensemble)
    if not basis.size:
        return Diffusing((), basis)
    basis /= np.sqrt(np.einsum("ik,ij,jk->k", basis, high[:-1, :-1], basis))
    ratios, vectors = eigh(*(basis.T @ matrix[:-1, :-1] @ basis for matrix in (low, high)))
    kept = ratios > _LEVEL
    least = min(_LEVEL, own.max())  # where a combination diffuses one species must
    moving = tuple(name for name, ratio in zip(ensemble.runs[0].currents, own, strict=True) if ratio >= least)
    return Diffusing(moving if kept.any() else (), basis @ vectors[:, kept])


def _lowest_frequencies(ensemble: Ensemble) -> tuple[FloatArray, FloatArray]:
    """Matrices (S, S) of the spectra of the currents of all species: at the lowest frequencies and just above these.

    By sine transforms, which vanish at both ends of a run: what is bounded then has no share at zero frequency, whereas
    the periodogram would leak there from the vibrations.
    """
    lengths = [len(run) for run in ensemble.runs]
    edge = np.sort([k / length for length in lengths for k in range(1, _MODES + 1)])[_MODES - 1]
    low: list[FloatArray] = []
    high: list[FloatArray] = []
    for run, length in zip(ensemble.runs, lengths, strict=True):
        transforms = fft.dst(np.array(list(run.currents.values())), type=1, axis=1) / np.sqrt(length)
        last, end = (int(edge * factor * length + _ROUNDING) for factor in (1, _BAND))
        low.append(transforms[:, :last])
        high.append(transforms[:, last:end])
    first, second = (np.concatenate(parts, axis=1) for parts in (low, high))
    products = (np.einsum("ska,tka->st", part, part) / part.shape[1] for part in (first, second))
    return next(products), next(products)


def reduced(onsager: FloatArray, coefficients: FloatArray, diffusing: Diffusing) -> FloatArray:
    """The matrix (..., 1 + D, 1 + D) of J' of `explained` and of the currents that diffuse."""
    directions = diffusing.directions
    change = np.zeros((1 + directions.shape[1], onsager.shape[-1]))
    change[0, 0], change[0, 1:], change[1:, 1:] = 1.0, -coefficients, directions.T
    return np.asarray(change @ onsager @ change.T)


def reduced_integrals(ensemble: Ensemble, coefficients: FloatArray, diffusing: Diffusing, lags: int) -> FloatArray:
    """The running integrals of `reduced`, averaged over runs and summed over directions, (lags + 1, 1 + D, 1 + D)."""
    energies = dict(zip(ensemble.species, coefficients, strict=True))
    matrices = []
    for run in ensemble.runs:
        currents = np.array([run.currents[name] for name in ensemble.species]).reshape(-1, len(run), 3)
        fluxes = [run.total - run.carried(energies), *np.einsum("sk,sfa->kfa", diffusing.directions, currents)]
        matrix = np.empty((lags + 1, len(fluxes), len(fluxes)))
        for i, one in enumerate(fluxes):
            for j, other in enumerate(fluxes[: i + 1]):
                matrix[:, i, j] = matrix[:, j, i] = _symmetric(one, None if i == j else other, lags)
        matrices.append(matrix)
    return integrated(np.average(matrices, axis=0, weights=[len(run) for run in ensemble.runs]), ensemble)


def _tensor(flux: FloatArray, lags: int) -> FloatArray:
    """Symmetrised correlation of the components, (K, 3, 3)."""
    tensor = np.empty((lags + 1, 3, 3))
    for a in range(3):
        for b in range(a + 1):
            tensor[:, a, b] = tensor[:, b, a] = _symmetric(flux[:, a], None if a == b else flux[:, b], lags)
    return tensor


def _symmetric(one: FloatArray, other: FloatArray | None, lags: int) -> FloatArray:
    """Mean of the correlations in both orders, summed over columns, (K,); equal for currents in equilibrium."""
    if other is None:
        return correlation(one, max_lag=lags)
    return 0.5 * (correlation(one, other, max_lag=lags) + correlation(other, one, max_lag=lags))
