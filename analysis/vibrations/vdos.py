"""Vibrational density of states from the velocity autocorrelation function."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import units
from numpy.typing import ArrayLike
from scipy import fft

from ase_mlips.arrays import FloatArray

from ..trajectories.trajectory import Source, Trajectory, as_trajectory
from .resolved import Groups, Resolved, velocity_correlations

MEV_PER_THZ = float(1e15 * units._hplanck / units._e)
INVERSE_CM_PER_THZ = float(1e10 / units._c)
_PADDING = 4  # zeros after C(t) make the grid of frequencies finer than the resolution: smooth curves, peaks not missed
_MANY = 0.01  # share of the states in the last twentieth of the frequencies that makes a warning; noise has 0.05
_RESOLVING = 40  # lags with which a peak is narrower than that twentieth
_UNITS = {"THz": ("THz", 1.0), "meV": ("meV", MEV_PER_THZ), "1/cm": ("cm⁻¹", INVERSE_CM_PER_THZ)}


@dataclass(frozen=True, eq=False, repr=False)
class VDOS(Resolved):
    """Vibrational density of states in states per THz.

    The shares of directions, elements and groups are those of the kinetic energy.  Along x, y and z they are
    `directions`, `partial_directions` and `group_directions`; `total`, `partials` and `groups` sum these up.  The
    directions, and the elements, add up to `total`, whose integral by the trapezoidal rule is exactly 3N.

    Attributes
    ----------
    frequencies : (K,) array
        THz, from 0 to the Nyquist frequency, equally spaced.
    """

    frequencies: FloatArray

    @property
    def frequencies_mev(self) -> FloatArray:
        """The frequencies as energies h f in meV."""
        return self.frequencies * MEV_PER_THZ

    @property
    def frequencies_cm1(self) -> FloatArray:
        """The frequencies as wave numbers f / c in 1/cm."""
        return self.frequencies * INVERSE_CM_PER_THZ

    def facts(self) -> dict[str, str]:
        """The numbers of states, and the mean frequencies."""
        facts = {}
        for name, density in {"all atoms": self.total, **self.partials, **self.groups}.items():
            states = float(np.trapezoid(density, self.frequencies))
            mean = float(density @ self.frequencies / density.sum())
            facts[name] = f"{states:.1f} states, mean frequency {mean:.4g} THz"
        return facts

    def columns(self) -> dict[str, FloatArray]:
        """The frequencies, and the densities along each direction, in all, and of each element and group."""
        return {"frequency (THz)": self.frequencies, **self._curves("states/THz")}

    def plot(self, ax: Any = None, *, unit: str = "THz") -> Any:
        """Draw the total, the elements if there are several, and the groups; returns the Axes.

        Frequencies and states per frequency are in `unit`: "THz", "meV" or "1/cm".  The picture ends where less than
        a thousandth of all states is left.
        """
        if unit not in _UNITS:
            raise ValueError(f"expected one of the units {', '.join(_UNITS)}, got {unit!r}")
        name, factor = _UNITS[unit]
        x = factor * self.frequencies
        ax = self._draw(ax, x, 1.0 / factor)
        below = np.cumsum(self.total)
        last = np.argmax(below >= 0.999 * below[-1])
        ax.set(xlabel=f"frequency ({name})", ylabel=f"states per {name}")
        ax.set(xlim=(0.0, min(1.1 * x[last], x[-1])), ylim=(0.0, None))
        return ax


def vdos(
    trajectory: Source | Trajectory,
    *,
    timestep_fs: float | None = None,
    correlation_time_fs: float | None = None,
    groups: Groups | None = None,
    drift: ArrayLike | None = "all",
    from_positions: bool = False,
) -> VDOS:
    """Vibrational density of states of a trajectory.

    The mass-weighted velocity autocorrelation ``C(t) = <sum_i m_i v_i(0) . v_i(t)>``, times a Hann window that ends
    at the longest lag, is cosine transformed (Dickey and Paskin, Phys. Rev. 188, 1407 (1969)).  A longer
    correlation time resolves finer detail (about ``1 / correlation_time_fs``) with more noise.

    Without velocities in the trajectory those between each two frames are taken, ``(r(t + dt) - r(t)) / dt``, and
    the spectrum is divided by their response ``(sin(pi f dt) / (pi f dt))^2``, so that it is right up to the
    Nyquist frequency; what vibrates faster folds back.

    Parameters
    ----------
    trajectory : path, Atoms objects or Trajectory
        Any trajectory.
    timestep_fs : float, optional
        Time between two frames in fs, where the trajectory does not know it; frequencies up to ``500 / timestep_fs``
        THz are seen, faster ones fold back.
    correlation_time_fs : float, optional
        Longest lag in fs; by default a quarter of the trajectory.
    groups : dict of str to symbol, indices or mask, optional
        Groups of atoms whose shares are wanted; they may overlap.
    drift : "all", symbol, indices, mask or None
        Subtract the motion of the centre of mass of all atoms, of these atoms, or none.  The 3N - 3 modes left are
        still normalised to 3N.
    from_positions : bool
        Use the positions although there are velocities.

    Raises
    ------
    ValueError
        When there are fewer than three frames (four of positions), the time step is not known, all atoms rest, the
        correlation time is shorter than two frames or longer than the trajectory, a group is empty, or the trajectory
        cannot be read.
    Interrupted
        At Ctrl-C while reading, with the result of the frames read so far.

    Warns
    -----
    UserWarning
        When more than 1 % of the states lie in the last twentieth below the Nyquist frequency.

    Examples
    --------
    Two atoms that oscillate at 10 THz:

    >>> import numpy as np
    >>> from ase_mlips.analysis import Trajectory, vdos
    >>> positions = np.zeros((2000, 2, 3))
    >>> positions[:, 0, 0] = 0.1 * np.sin(2 * np.pi * 0.01 * 2.0 * np.arange(2000))  # a frame every 2 fs
    >>> positions[:, 1, 0] = 5.0 - positions[:, 0, 0]
    >>> trajectory = Trajectory.from_arrays(positions, symbols=["H", "H"], cell=10 * np.eye(3), timestep_fs=2.0)
    >>> spectrum = vdos(trajectory)
    >>> print(f"{spectrum.frequencies[spectrum.total.argmax()]:.1f} THz")
    10.0 THz
    """
    source = as_trajectory(trajectory, timestep_fs)
    sums = velocity_correlations(
        source,
        mass_weighted=True,
        correlation_time_fs=correlation_time_fs,
        groups=groups,
        drift=drift,
        from_positions=from_positions,
    )
    lags = sums.total.curves.shape[1] - 1
    frequencies = np.linspace(0.0, 500.0 / sums.timestep_fs, _PADDING * lags + 1)
    response = np.sinc(1e-3 * sums.timestep_fs * frequencies) ** 2 if sums.differences else 1.0
    total = _spectrum(sums.total.curves) / response
    states = np.trapezoid(total.sum(axis=0), dx=frequencies[1])
    _warn_of_folding(source.name, total.sum(axis=0) / states * frequencies[1], frequencies[-1], lags)
    scale = 3.0 * len(source.numbers) / states / response
    partials, grouped = (
        {name: scale * _spectrum(share.curves) for name, share in part.items()} for part in (sums.partials, sums.groups)
    )
    return sums.series.deliver(VDOS(scale * response * total, partials, grouped, frequencies))


def _warn_of_folding(name: str, shares: FloatArray, highest: float, lags: int) -> None:
    """Warn of states near the highest frequency: probably there are more above it, which are seen at wrong ones."""
    if lags < _RESOLVING:
        return
    end = float(shares[-len(shares) // 20 :].sum())
    if end > _MANY:
        warnings.warn(
            f"{name}: {end:.1%} of the states lie within 5% of {highest:.4g} THz, the highest frequency that frames"
            f" {500.0 / highest:.4g} fs apart can show; faster vibrations appear at wrong frequencies: save more"
            " frames",
            UserWarning,
            stacklevel=3,
        )


def _spectrum(correlations: FloatArray) -> FloatArray:
    """Cosine transforms of the rows after a Hann window, in units of their own."""
    lags = correlations.shape[1] - 1
    padded = np.zeros((len(correlations), _PADDING * lags + 1))
    padded[:, : lags + 1] = 0.5 * (1.0 + np.cos(np.pi * np.arange(lags + 1) / lags)) * correlations
    spectrum: FloatArray = fft.dct(padded, type=1, axis=1)
    return spectrum
