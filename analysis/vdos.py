"""Vibrational density of states from the velocity autocorrelation function."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from .correlation import correlation

FloatArray = NDArray[np.float64]

_MEV_PER_THZ = 1e15 * units._hplanck / units._e
_INVERSE_CM_PER_THZ = 1e10 / units._c
_PADDING = 4  # zeros after C(t) make the grid of frequencies finer than the resolution: smooth curves, peaks not missed


@dataclass(frozen=True, eq=False, repr=False)
class VDOS:
    """Vibrational density of states.

    Attributes
    ----------
    frequencies : (K,) array
        THz, from 0 to the Nyquist frequency, equally spaced.
    total : (K,) array
        States per THz; the integral by the trapezoidal rule is exactly 3N.
    partials : dict of (K,) arrays
        The share of each element's kinetic energy; they add up to `total`.
    """

    frequencies: FloatArray
    total: FloatArray
    partials: dict[str, FloatArray]

    def __repr__(self) -> str:
        return f"VDOS({', '.join(self.partials)}, {len(self.total)} frequencies to {self.frequencies[-1]:.4g} THz)"

    @property
    def frequencies_mev(self) -> FloatArray:
        """The frequencies as energies h f in meV."""
        return self.frequencies * float(_MEV_PER_THZ)

    @property
    def frequencies_cm1(self) -> FloatArray:
        """The frequencies as wave numbers f / c in 1/cm."""
        return self.frequencies * float(_INVERSE_CM_PER_THZ)

    def plot(self, ax: Any = None) -> Any:
        """Draw the total and, for several elements, their shares against THz; returns the Axes."""
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.subplots()[1]
        ax.plot(self.frequencies, self.total, label="total")
        if len(self.partials) > 1:
            for element, share in self.partials.items():
                ax.plot(self.frequencies, share, label=element, linewidth=1.0)
            ax.legend(frameon=False)
        ax.set(xlabel="frequency (THz)", ylabel="states per THz", ylim=(0.0, None))
        return ax

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to a NumPy .npz file, from which `load` makes the same object."""
        arrays: dict[str, Any] = {f"partial {element}": share for element, share in self.partials.items()}
        with open(path, "wb") as file:
            np.savez(file, frequencies=self.frequencies, total=self.total, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> VDOS:
        """Read what `save` wrote."""
        with np.load(path) as data:
            partials = {key.split()[1]: data[key] for key in data.files if key.startswith("partial ")}
            return cls(data["frequencies"], data["total"], partials)


def vdos(
    source: Iterable[Atoms] | FloatArray,
    timestep_fs: float,
    *,
    masses: ArrayLike | None = None,
    symbols: Sequence[str] | None = None,
    correlation_time_fs: float | None = None,
    remove_drift: bool = True,
) -> VDOS:
    """Vibrational density of states of a trajectory.

    The mass-weighted velocity autocorrelation ``C(t) = <sum_i m_i v_i(0) . v_i(t)>``, times a Hann window that ends
    at the longest lag, is cosine transformed (Dickey and Paskin, Phys. Rev. 188, 1407 (1969)).  A longer
    correlation time resolves finer detail (about ``1 / correlation_time_fs``) with more noise.

    Parameters
    ----------
    source : iterable of Atoms or (F, N, 3) array
        Frames with velocities, or velocities in any unit.
    timestep_fs : float
        Time between two frames in fs; frequencies up to ``500 / timestep_fs`` THz are seen, faster ones fold back.
    masses : (N,) array, optional
        In any unit.  Required with an array; by default those of the first frame.
    symbols : sequence of N str, optional
        Chemical symbols for the shares.  By default those of the first frame; with an array, no shares.
    correlation_time_fs : float, optional
        Longest lag in fs; by default a quarter of the trajectory.
    remove_drift : bool
        Subtract the velocity of the centre of mass; the 3N - 3 modes left are still normalised to 3N.

    Raises
    ------
    ValueError
        When the shapes do not match, there are fewer than three frames, all atoms rest, a velocity is not finite or the
        correlation time is shorter than two frames or longer than the trajectory.
    """
    velocities, weights, elements = _trajectory(source, masses, symbols)
    lags = _number_of_lags(len(velocities), timestep_fs, correlation_time_fs)
    if remove_drift:
        velocities = velocities - np.einsum("n,tna->ta", weights / weights.sum(), velocities)[:, None]
    velocities = np.sqrt(weights)[:, None] * velocities
    frequencies = np.linspace(0.0, 500.0 / timestep_fs, _PADDING * lags + 1)
    spectra = {str(e): _spectrum(velocities[:, elements == e], lags) for e in np.unique(elements)}
    total: FloatArray = np.sum(list(spectra.values()), axis=0)
    states = frequencies[1] * (total.sum() - 0.5 * (total[0] + total[-1]))
    if not 0.0 < states < np.inf:
        raise ValueError("expected finite velocities that are not all zero (a single atom: with remove_drift=False)")
    scale = 3.0 * len(weights) / states
    partials = {e: scale * spectrum for e, spectrum in spectra.items() if e}
    return VDOS(frequencies, scale * total, partials)


def _trajectory(
    source: Iterable[Atoms] | FloatArray, masses: ArrayLike | None, symbols: Sequence[str] | None
) -> tuple[FloatArray, FloatArray, NDArray[np.str_]]:
    """Velocities (F, N, 3), masses (N,) and symbols (N,), the latter empty strings where they are not known."""
    if isinstance(source, np.ndarray):
        velocities = np.asarray(source, dtype=np.float64)
    else:
        velocities, first = _velocities(source)
        masses = first.get_masses() if masses is None else masses
        symbols = first.get_chemical_symbols() if symbols is None else symbols
    if velocities.ndim != 3 or velocities.shape[2] != 3 or len(velocities) < 3 or velocities.shape[1] == 0:
        raise ValueError(f"expected velocities of shape (F, N, 3) with at least 3 frames, got {velocities.shape}")
    if masses is None:
        raise ValueError("masses are required with an array of velocities")
    weights = np.asarray(masses, dtype=np.float64)
    elements = np.full(velocities.shape[1], "") if symbols is None else np.asarray(symbols, dtype=np.str_)
    for name, values in (("masses", weights), ("symbols", elements)):
        if values.shape != velocities.shape[1:2]:
            raise ValueError(f"expected {velocities.shape[1]} {name}, got shape {values.shape}")
    if not np.all(weights > 0.0):
        raise ValueError("expected positive masses")
    return velocities, weights, elements


def _velocities(frames: Iterable[Atoms]) -> tuple[FloatArray, Atoms]:
    """Velocities of all frames, of which only the first is kept."""
    first = Atoms()
    rows: list[FloatArray] = []
    for atoms in frames:
        first = first if rows else atoms
        if len(atoms) != len(first):
            raise ValueError(f"frame {len(rows)} has {len(atoms)} atoms, the first one {len(first)}")
        rows.append(atoms.get_velocities())
    return np.array(rows), first


def _number_of_lags(frames: int, timestep_fs: float, correlation_time_fs: float | None) -> int:
    if not 0.0 < timestep_fs < np.inf:
        raise ValueError(f"expected a positive timestep_fs, got {timestep_fs}")
    if correlation_time_fs is None:
        return max(frames // 4, 2)
    lags = correlation_time_fs / timestep_fs
    if not 1.5 <= lags <= frames - 1:
        shortest, longest = 2 * timestep_fs, (frames - 1) * timestep_fs
        raise ValueError(
            f"expected a correlation time of {shortest:g} to {longest:g} fs, got {correlation_time_fs:g} fs"
        )
    return round(lags)


def _spectrum(velocities: FloatArray, lags: int) -> FloatArray:
    """Cosine transform of the windowed autocorrelation, in units of its own."""
    padded = np.zeros(_PADDING * lags + 1)
    padded[: lags + 1] = 0.5 * (1.0 + np.cos(np.pi * np.arange(lags + 1) / lags))
    padded[: lags + 1] *= correlation(velocities, max_lag=lags)
    spectrum: FloatArray = fft.dct(padded, type=1)
    return spectrum
