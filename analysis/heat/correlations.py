"""Correlations of the heat flux with itself and with the currents of species, and what their integrals say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid

from ..correlation import correlation
from .plateau import Plateau
from .series import Ensemble, FloatArray, HeatFluxSeries

PARTS = ("total", "convective", "conductive", "cross")
_PIECES = 4  # of a run, to see how much the integral of a species current scatters
_SIGNIFICANT = 3.0  # standard errors
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
    """`names` of species that diffuse; `directions` (S, D): combinations of the currents of `Correlations` that do."""

    names: tuple[str, ...]
    directions: FloatArray


def diffusing_currents(ensemble: Ensemble, plateau: Plateau) -> Diffusing:
    """Combinations of species currents whose integral is larger than zero by three standard errors.

    In a crystal the integral of ``<J_s(0) J_s(t)>`` vanishes, as ``sum_i r_i`` is bounded, and so does that of species
    that form one rigid framework, relative to each other.  To divide by such an integral would be to divide by noise,
    so only the eigenvectors of the matrix of integrals that are not noise are kept.  The scatter is that between
    directions, runs and, where these are long enough, four pieces of each run.
    """
    names = ensemble.species
    if not names:
        return Diffusing((), np.empty((0, 0)))
    pieces = [piece for run in ensemble.runs for piece in _pieces(run, plateau.last)]
    scale = np.sqrt([np.mean([np.mean(piece[name] ** 2) for piece in pieces]) for name in names])
    scale[scale == 0.0] = 1.0
    samples = np.array([_integrals([p[name][:, a] for name in names], plateau) for p in pieces for a in range(3)])
    samples /= np.outer(scale, scale)
    vectors = np.linalg.eigh(samples.mean(axis=0))[1]
    kept = _significant(np.einsum("ik,sij,jk->sk", vectors, samples, vectors))
    every = tuple(ensemble.runs[0].currents)
    own = np.array([[_integrals([p[name][:, a]], plateau)[0, 0] for name in every] for p in pieces for a in range(3)])
    moving = tuple(name for name, found in zip(every, _significant(own), strict=True) if found)
    return Diffusing(moving if kept.any() else (), vectors[:, kept] / scale[:, None])


def reduced(onsager: FloatArray, coefficients: FloatArray, diffusing: Diffusing) -> FloatArray:
    """The matrix (..., 1 + D, 1 + D) of J' of `explained` and of the currents that diffuse."""
    directions = diffusing.directions
    change = np.zeros((1 + directions.shape[1], onsager.shape[-1]))
    change[0, 0], change[0, 1:], change[1:, 1:] = 1.0, -coefficients, directions.T
    return np.asarray(change @ onsager @ change.T)


def _pieces(run: HeatFluxSeries, lags: int) -> list[dict[str, FloatArray]]:
    """The species currents of a run, in pieces that are long enough."""
    count = _PIECES if len(run) > 2 * _PIECES * lags else 1
    parts = {name: np.array_split(current, count) for name, current in run.currents.items()}
    return [{name: values[k] for name, values in parts.items()} for k in range(count)]


def _integrals(currents: Sequence[FloatArray], plateau: Plateau) -> FloatArray:
    """Integrals (S, S) of the correlations of currents (F,)."""
    matrix = np.empty((len(currents), len(currents)))
    for i, one in enumerate(currents):
        for j, other in enumerate(currents[: i + 1]):
            curve = _symmetric(one, None if i == j else other, plateau.last)
            matrix[i, j] = matrix[j, i] = plateau.average(cumulative_trapezoid(curve, initial=0.0))
    return matrix


def _significant(samples: FloatArray) -> NDArray[np.bool_]:
    """Columns (N, K) whose mean exceeds zero by three standard errors, (K,)."""
    error = np.std(samples, axis=0, ddof=1) / np.sqrt(len(samples))
    return np.asarray(np.mean(samples, axis=0) > _SIGNIFICANT * error)


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
