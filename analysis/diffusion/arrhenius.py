"""Temperature dependence of diffusion: activation energy, prefactor and extrapolation, with errors."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import units
from numpy.typing import ArrayLike

from ase_mlips.arrays import FloatArray

from ..formatting import with_error
from ..results import new_axes
from ..tables import Tabulated
from .diffusion import Diffusion

_KB = float(units.kB)  # eV/K


@dataclass(frozen=True, eq=False, repr=False)
class Arrhenius(Tabulated):
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
    left_out : tuple of str
        Temperatures without a coefficient, and why.
    """

    activation_energy: float
    activation_energy_error: float
    prefactor: float
    prefactor_error: float
    covariance: FloatArray
    temperatures: FloatArray
    coefficients: FloatArray
    errors: FloatArray | None
    left_out: tuple[str, ...] = ()

    def __repr__(self) -> str:
        energy = with_error(self.activation_energy, self.activation_energy_error)
        numbers = f"activation energy {energy} eV, prefactor {with_error(self.prefactor, self.prefactor_error)} cm^2/s"
        rest = f"; left out: {'; '.join(self.left_out)}" if self.left_out else ""
        return f"Arrhenius({numbers}{rest})"

    def facts(self) -> dict[str, str]:
        """The activation energy and the prefactor with their errors, and what was left out."""
        facts = {
            "activation energy": f"{with_error(self.activation_energy, self.activation_energy_error)} eV",
            "prefactor": f"{with_error(self.prefactor, self.prefactor_error)} cm^2/s",
        }
        return facts | ({"left out": "; ".join(self.left_out)} if self.left_out else {})

    def columns(self) -> dict[str, FloatArray]:
        """The temperatures, what was fitted and its errors (NaN where there are none), and the fit with its error."""
        fit, error = np.array([self.extrapolate(temperature) for temperature in self.temperatures]).T
        known = np.full_like(fit, np.nan) if self.errors is None else self.errors
        return {
            "temperature (K)": self.temperatures,
            "D (cm^2/s)": self.coefficients,
            "error of D (cm^2/s)": known,
            "fit (cm^2/s)": fit,
            "error of fit (cm^2/s)": error,
        }

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

    def plot(self, ax: Any = None, *, at: Sequence[float] = ()) -> Any:
        """Draw the points, the line and its band of one standard error against 1000 K / T; returns the Axes.

        Values at the temperatures `at`, in K, are drawn as open circles.
        """
        ax = new_axes(ax)
        inverse = 1000.0 / self.temperatures
        shown = np.append(inverse, 1000.0 / np.asarray(at, dtype=np.float64))
        line = np.linspace(shown.min(), shown.max(), 100)
        values, errors = np.array([self.extrapolate(1000.0 / x) for x in line]).T
        label = f"{with_error(self.activation_energy, self.activation_energy_error)} eV"
        (drawn,) = ax.plot(line, values, label=label)
        # On a logarithmic axis the band is symmetric in the logarithm.
        band = np.exp(errors / values)
        ax.fill_between(line, values / band, values * band, color=drawn.get_color(), alpha=0.2, linewidth=0.0)
        ax.errorbar(inverse, self.coefficients, self.errors, fmt="o", color="black", capsize=2.0)
        if len(at):
            further, bars = np.array([self.extrapolate(temperature) for temperature in at]).T
            open_circles = {"fmt": "o", "color": drawn.get_color(), "mfc": "white", "capsize": 2.0}
            # Likewise the bars, which otherwise could reach below zero.
            bars = further * np.array([1.0 - np.exp(-bars / further), np.exp(bars / further) - 1.0])
            ax.errorbar(shown[len(inverse) :], further, bars, **open_circles)
        ax.set(xlabel="1000 K / T", ylabel="D (cm^2/s)", yscale="log")
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

    `Diffusion` results in which the species has no coefficient (it "does not diffuse" or the run is "too short") are
    left out, which a warning says; where the fit is above the upper limit of such a result, it says that too.

    Parameters
    ----------
    temperatures : (T,) array
        In K.
    coefficients : (T,) array or sequence of T Diffusion
        Diffusion coefficients in cm^2/s; another thermally activated quantity is fitted as well, but shown in cm^2/s.
    errors : (T,) array, optional
        Standard errors; those of the `Diffusion` results if these are given.  Without any, all points weigh the same
        and their scatter gives the errors, which needs three temperatures.
    symbol : str, optional
        Species of the `Diffusion` results, where they have several.

    Raises
    ------
    ValueError
        When shapes differ, a temperature, coefficient or error is not positive, or there are too few different
        temperatures with a coefficient.

    Warns
    -----
    UserWarning
        When temperatures are left out.

    Examples
    --------
    >>> from ase_mlips.analysis import arrhenius
    >>> arrhenius([600, 800, 1000], [1.1e-6, 1.2e-5, 5.4e-5], errors=[1e-7, 1e-6, 3e-6])
    Arrhenius(activation energy 0.504(14) eV, prefactor 0.019(4) cm^2/s)
    """
    left_out: dict[float, tuple[str, float]] = {}
    if isinstance(coefficients, Sequence) and any(isinstance(item, Diffusion) for item in coefficients):
        temperatures, coefficients, errors, left_out = _of_results(temperatures, coefficients, errors, symbol)
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
        reasons = f"; left out: {'; '.join(sentence for sentence, _ in left_out.values())}" if left_out else ""
        raise ValueError(f"expected at least {needed} different temperatures, got {len(np.unique(t))}{reasons}")
    design = np.stack([np.ones(len(t)), -1.0 / (_KB * t)], axis=1)
    weighted = design if sigma is None else design * (values / sigma)[:, None] ** 2
    inverse: FloatArray = np.linalg.inv(weighted.T @ design)
    solution = inverse @ (weighted.T @ np.log(values))
    if sigma is None:
        inverse *= np.sum((np.log(values) - design @ solution) ** 2) / (len(t) - 2)
    prefactor = float(np.exp(solution[0]))
    fit = Arrhenius(
        float(solution[1]),
        float(np.sqrt(inverse[1, 1])),
        prefactor,
        prefactor * float(np.sqrt(inverse[0, 0])),
        inverse,
        t,
        values,
        sigma,
        tuple(sentence for sentence, _ in left_out.values()),
    )
    _warn_of_left_out(fit, left_out)
    return fit


def _of_results(
    temperatures: ArrayLike, results: Sequence[Any], errors: ArrayLike | None, symbol: str | None
) -> tuple[FloatArray, FloatArray, FloatArray, dict[float, tuple[str, float]]]:
    """Temperatures, coefficients and errors of those with a coefficient; sentences and upper limits of the others."""
    pairs = np.array([_of_species(item, symbol) for item in results])
    t = np.asarray(temperatures, dtype=np.float64)
    sigma = pairs[:, 1] if errors is None else np.asarray(errors, dtype=np.float64)
    if t.shape != (len(pairs),) or sigma.shape != t.shape:
        raise ValueError(f"expected {len(pairs)} temperatures and errors, got {t.shape} and {sigma.shape}")
    kept = np.isfinite(pairs[:, 0])
    left_out = {}
    for temperature, item in zip(t[~kept], (results[int(k)] for k in np.flatnonzero(~kept)), strict=True):
        name = symbol or item.symbols[0]
        bound = float(item.bounds[item.symbols.index(name)])
        left_out[float(temperature)] = f"{temperature:g} K ({item.describe(name)})", bound
    return t[kept], pairs[kept, 0], sigma[kept], left_out


def _warn_of_left_out(fit: Arrhenius, left_out: dict[float, tuple[str, float]]) -> None:
    if not left_out:
        return
    message = f"no diffusion coefficient, left out of the fit: {'; '.join(fit.left_out)}"
    above = [t for t, (_, bound) in left_out.items() if fit.extrapolate(t)[0] > bound]
    if above:
        message += f"; the fit is above that limit at {', '.join(f'{t:g} K' for t in above)}"
    warnings.warn(message, UserWarning, stacklevel=3)


def _of_species(item: Any, symbol: str | None) -> tuple[float, float]:
    if not isinstance(item, Diffusion):
        raise ValueError(f"expected Diffusion results only, got a {type(item).__name__}")
    if symbol is None and len(item.symbols) > 1:
        raise ValueError(f"which species? give symbol= one of {', '.join(item.symbols)}")
    if symbol is not None and symbol not in item.symbols:
        raise ValueError(f"there is no {symbol} among {', '.join(item.symbols)}")
    return item[symbol or item.symbols[0]]
