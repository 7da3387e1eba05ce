"""Temperature dependence of diffusion: activation energy, prefactor and extrapolation, with errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import units
from numpy.typing import ArrayLike

from ..correlation import FloatArray
from ..results import Result, new_axes
from .diffusion import Diffusion

_KB = float(units.kB)  # eV/K


@dataclass(frozen=True, eq=False, repr=False)
class Arrhenius(Result):
    """``D(T) = prefactor exp(-activation_energy / (k_B T))`` with standard errors (one sigma).

    Attributes
    ----------
    activation_energy, activation_energy_error : float
        In eV.
    prefactor, prefactor_error : float
        In the unit of `coefficients`, for diffusion cm^2/s.
    covariance : (2, 2) array
        Of the logarithm of the prefactor and the activation energy in eV.
    temperatures : (T,) array
        In K.
    coefficients : (T,) array
        What was fitted.
    errors : (T,) array or None
        Their standard errors.
    """

    activation_energy: float
    activation_energy_error: float
    prefactor: float
    prefactor_error: float
    covariance: FloatArray
    temperatures: FloatArray
    coefficients: FloatArray
    errors: FloatArray | None

    def extrapolate(self, temperature: float) -> tuple[float, float]:
        """Value at a temperature in K, and its standard error, in the unit of `coefficients`.

        Raises
        ------
        ValueError
            When the temperature is not positive.
        """
        if not 0.0 < temperature < np.inf:
            raise ValueError(f"expected a positive temperature in K, got {temperature}")
        row = np.array([1.0, -1.0 / (_KB * temperature)])
        value = self.prefactor * float(np.exp(row[1] * self.activation_energy))
        return value, value * float(np.sqrt(row @ self.covariance @ row))

    def plot(self, ax: Any = None) -> Any:
        """Draw the points, the line and its band of one standard error against 1000 K / T; returns the Axes."""
        ax = new_axes(ax)
        inverse = 1000.0 / self.temperatures
        line = np.linspace(inverse.min(), inverse.max(), 100)
        values, errors = np.array([self.extrapolate(1000.0 / x) for x in line]).T
        label = f"{self.activation_energy:.3f} ± {self.activation_energy_error:.3f} eV"
        (drawn,) = ax.plot(line, values, label=label)
        # On a logarithmic axis the band is symmetric in the logarithm.
        band = np.exp(errors / values)
        ax.fill_between(line, values / band, values * band, color=drawn.get_color(), alpha=0.2, linewidth=0.0)
        ax.errorbar(inverse, self.coefficients, self.errors, fmt="o", color="black", capsize=2.0)
        ax.set(xlabel="1000 K / T", ylabel="D (cm²/s)", yscale="log")
        ax.legend(frameon=False)
        return ax


def arrhenius(
    temperatures: ArrayLike,
    coefficients: ArrayLike | Sequence[Diffusion],
    *,
    errors: ArrayLike | None = None,
    symbol: str | None = None,
) -> Arrhenius:
    """Fit the logarithm of diffusion coefficients, weighted by their errors, against the inverse temperature.

    Parameters
    ----------
    temperatures : (T,) array
        In K.
    coefficients : (T,) array or sequence of T Diffusion
        Diffusion coefficients in cm^2/s (or any other thermally activated quantity).
    errors : (T,) array, optional
        Standard errors; those of the `Diffusion` results if these are given.  Without any, all points weigh the same
        and their scatter gives the errors, which needs three temperatures.
    symbol : str, optional
        Species of the `Diffusion` results, where they have several.

    Raises
    ------
    ValueError
        When shapes differ, a temperature, coefficient or error is not positive, or there are too few different
        temperatures.
    """
    if isinstance(coefficients, Sequence) and any(isinstance(item, Diffusion) for item in coefficients):
        pairs = [_of_species(item, symbol) for item in coefficients]
        errors = [error for _, error in pairs] if errors is None else errors
        coefficients = [value for value, _ in pairs]
    values = np.asarray(coefficients, dtype=np.float64)
    sigma = None if errors is None else np.asarray(errors, dtype=np.float64)
    t = np.asarray(temperatures, dtype=np.float64)
    for name, array in (("temperatures", t), ("coefficients", values), ("errors", sigma)):
        if array is not None and (
            array.ndim != 1 or array.shape != t.shape or not np.all((array > 0) & np.isfinite(array))
        ):
            raise ValueError(f"expected {len(t) if t.ndim else 1} positive {name}, got {array}")
    needed = 2 if sigma is not None else 3
    if len(np.unique(t)) < needed:
        raise ValueError(f"expected at least {needed} different temperatures, got {len(np.unique(t))}")
    design = np.stack([np.ones(len(t)), -1.0 / (_KB * t)], axis=1)
    weighted = design if sigma is None else design * (values / sigma)[:, None] ** 2
    inverse: FloatArray = np.linalg.inv(weighted.T @ design)
    solution = inverse @ (weighted.T @ np.log(values))
    if sigma is None:
        inverse *= np.sum((np.log(values) - design @ solution) ** 2) / (len(t) - 2)
    prefactor = float(np.exp(solution[0]))
    return Arrhenius(
        float(solution[1]),
        float(np.sqrt(inverse[1, 1])),
        prefactor,
        prefactor * float(np.sqrt(inverse[0, 0])),
        inverse,
        t,
        values,
        sigma,
    )


def _of_species(item: Any, symbol: str | None) -> tuple[float, float]:
    if not isinstance(item, Diffusion):
        raise ValueError(f"expected Diffusion results only, got a {type(item).__name__}")
    if symbol is None and len(item.symbols) > 1:
        raise ValueError(f"which species? give symbol= one of {', '.join(item.symbols)}")
    if symbol is not None and symbol not in item.symbols:
        raise ValueError(f"there is no {symbol} among {', '.join(item.symbols)}")
    return item[symbol or item.symbols[0]]
