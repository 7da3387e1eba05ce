"""Quantum thermodynamics of harmonic vibrations: heat capacity, free energy and entropy from a density of states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import units
from numpy.typing import ArrayLike

from ase_mlips.arrays import FloatArray

from ..results import new_axes
from ..tables import Tabulated
from .vdos import VDOS

_ROOM = 300.0  # K
_EV_PER_THZ = float(1e12 * units._hplanck / units._e)


@dataclass(frozen=True, eq=False, repr=False)
class Thermodynamics(Tabulated):
    """Thermodynamic functions of independent harmonic oscillators, of all states together, not per atom.

    Multiply by ``ase.units.mol / ase.units.J`` (96485) for J/mol.

    Attributes
    ----------
    temperatures : (T,) array
        K.
    heat_capacity : (T,) array
        At constant volume, eV/K.
    free_energy : (T,) array
        Helmholtz free energy with the zero-point energy, eV.
    entropy : (T,) array
        eV/K.
    energy : (T,) array
        Mean energy with the zero-point energy, eV.
    zero_point_energy : float
        eV.
    states : float
        Number of vibrational states that count, 3N for a whole `VDOS`.
    omitted : float
        Number of states at frequencies that are not positive and are left out (see `thermodynamics`).
    """

    temperatures: FloatArray
    heat_capacity: FloatArray
    free_energy: FloatArray
    entropy: FloatArray
    energy: FloatArray
    zero_point_energy: float
    states: float
    omitted: float

    def facts(self) -> dict[str, str]:
        """The number of states, the zero-point energy and the heat capacity at the temperature closest to 300 K."""
        k = int(np.abs(self.temperatures - _ROOM).argmin())
        capacity = self.heat_capacity[k] / (units.kB * self.states)
        return {
            "states": f"{self.states:.6g}",
            "zero-point energy": f"{self.zero_point_energy:.4g} eV",
            f"heat capacity at {self.temperatures[k]:g} K": f"{capacity:.4f} k_B per state",
        }

    def columns(self) -> dict[str, FloatArray]:
        """The temperatures and the four functions of them."""
        return {
            "temperature (K)": self.temperatures,
            "heat capacity (eV/K)": self.heat_capacity,
            "free energy (eV)": self.free_energy,
            "entropy (eV/K)": self.entropy,
            "energy (eV)": self.energy,
        }

    def plot(self, ax: Any = None) -> Any:
        """Draw the heat capacity per state in units of k_B, with its classical limit; returns the Axes."""
        ax = new_axes(ax)
        ax.plot(self.temperatures, self.heat_capacity / (units.kB * self.states))
        ax.axhline(1.0, color="0.6", linewidth=0.8, linestyle=":")
        ax.set(xlabel="temperature (K)", ylabel=r"$C_V$ / ($k_B \times$ number of states)", ylim=(0.0, 1.05))
        return ax


def thermodynamics(
    frequencies: VDOS | ArrayLike, temperatures: ArrayLike, *, density: ArrayLike | None = None
) -> Thermodynamics:
    """Thermodynamic functions of vibrations in the harmonic approximation.

    With ``x = h f / (k_B T)`` and the density of states g(f), ``C_V = k_B int g x^2 e^x / (e^x - 1)^2 df`` and
    ``F = int g (h f / 2 + k_B T ln(1 - e^-x)) df`` (Born and Huang, Dynamical Theory of Crystal Lattices,
    section 4); the integrals are trapezoidal sums.

    Low frequencies: a density that starts at f = 0 may have states there, for which the entropy is infinite, although
    its integral is finite.  They are counted at ``step / (2 pi)``, with which the sum over equal steps integrates the
    logarithm right (Stirling's formula).  Other states at frequencies that are not positive, those of imaginary modes
    and of translations, have no quantum statistics: they are left out, and `omitted` says how many.  The entropy of a
    liquid or of diffusing ions is not that of oscillators, and not to be found like this.

    Parameters
    ----------
    frequencies : VDOS or (K,) array
        A density of states, or frequencies in THz.
    temperatures : float or (T,) array
        K, zero or positive.
    density : (K,) array, optional
        States per THz at the frequencies, which then must increase.  Without it each frequency is one mode.

    Raises
    ------
    ValueError
        When the shapes do not match, a number is not finite, a temperature is negative, the frequencies of a density
        do not increase, or no state has a positive frequency.

    Examples
    --------
    >>> from ase import units
    >>> from ase_mlips.analysis import thermodynamics
    >>> oscillator = thermodynamics([15.0], [0, 300])  # one mode of 15 THz
    >>> print(f"{oscillator.zero_point_energy:.3f} eV, {oscillator.heat_capacity[1] / units.kB:.2f} k_B at 300 K")
    0.031 eV, 0.63 k_B at 300 K
    """
    if isinstance(frequencies, VDOS):
        if density is not None:
            raise ValueError("a VDOS has a density of its own, none can be given with it")
        f, states = _states(frequencies.frequencies, frequencies.total)
    else:
        f, states = _states(np.asarray(frequencies, dtype=np.float64), density)
    kelvin = np.atleast_1d(np.asarray(temperatures, dtype=np.float64))
    if kelvin.ndim != 1 or kelvin.size == 0 or not np.all(np.isfinite(kelvin) & (kelvin >= 0.0)):
        raise ValueError("expected temperatures in K that are not negative")
    counted = f > 0.0
    if not states[counted].sum() > 0.0:
        raise ValueError("expected vibrational states at positive frequencies, in THz")
    quanta, weights = _EV_PER_THZ * f[counted], states[counted]
    curves = np.array([_of_temperature(quanta, weights, units.kB * t) for t in kelvin])
    capacity, excess, free = curves.T
    zero = 0.5 * float(weights @ quanta)
    entropy = np.divide(excess - free, kelvin, out=np.zeros_like(kelvin), where=kelvin > 0.0)
    omitted = float(states[~counted].sum())
    return Thermodynamics(
        kelvin, units.kB * capacity, zero + free, entropy, zero + excess, zero, float(weights.sum()), omitted
    )


def _states(frequencies: FloatArray, density: ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    """Frequencies in THz and the number of states at each."""
    if frequencies.ndim != 1 or frequencies.size == 0 or not np.all(np.isfinite(frequencies)):
        raise ValueError("expected a list of finite frequencies in THz")
    if density is None:
        return frequencies, np.ones_like(frequencies)
    values = np.asarray(density, dtype=np.float64)
    if values.shape != frequencies.shape or not np.all(np.isfinite(values)):
        raise ValueError(f"expected a finite density at each of {len(frequencies)} frequencies, got {values.shape}")
    steps = np.diff(frequencies)
    if len(steps) == 0 or not np.all(steps > 0.0):
        raise ValueError("expected at least two frequencies of a density, each larger than the one before")
    widths = 0.5 * (np.append(steps, 0.0) + np.append(0.0, steps))
    if frequencies[0] == 0.0:
        frequencies = np.concatenate(([steps[0] / (2.0 * np.pi)], frequencies[1:]))
    return frequencies, widths * values


def _of_temperature(quanta: FloatArray, states: FloatArray, kt: float) -> tuple[float, float, float]:
    """Heat capacity (k_B), energy and free energy (eV), the latter two above the zero-point energy."""
    if kt == 0.0:
        return 0.0, 0.0, 0.0
    x = quanta / kt
    decay = np.exp(-x)
    lost = -np.expm1(-x)
    capacity = states @ (x**2 * decay / lost**2)
    return float(capacity), float(states @ (quanta * decay / lost)), float(kt * (states @ np.log(lost)))
