"""What the Green-Kubo formula gives: the thermal conductivity, the curves that it comes from, and a verdict on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ase_mlips.arrays import FloatArray

from ..results import new_axes
from ..tables import Tabulated
from .series import in_watts
from .verdict import CONVERGED


@dataclass(frozen=True, eq=False, repr=False)
class GreenKubo(Tabulated):
    """Thermal conductivity from the autocorrelation of the heat flux.

    `save` writes an .npz file for `load` and ``numpy.load``.  The keys of its arrays are ``times``, ``tensor``,
    ``run_kappas`` and, of several species, ``running_corrected``, as below; ``hcacf.0`` to ``hcacf.3`` and
    ``running.0`` to ``running.3`` are the parts total, convective, conductive and cross.  The key ``header of the
    result`` holds all other attributes as JSON.

    Parts have the names "total", "convective" (convective with itself), "conductive" and "cross" (twice the product
    of both); the last three add up to the first.

    Attributes
    ----------
    times : (K,) array
        Lags in ps, from 0.
    hcacf : dict of (K, 3, 3) arrays
        ``<J_a(0) J_b(t)>`` of each part, symmetrised, in (eV A/fs)^2.
    running : dict of (K, 3, 3) arrays
        kappa_ab(t) of each part in W/(m K).
    window_ps : tuple of two floats
        Lags between which the running integrals are averaged.
    parts : dict of float
        Average over x, y, z and this window of each part, in W/(m K).
    tensor : (3, 3) array
        kappa_ab in W/(m K), averaged over this window.
    kappa, error : float
        ``parts["total"]`` and its standard error in W/(m K): the largest of what theory says for a plateau there, the
        scatter between runs, and that between directions, see `green_kubo`.  What a longer run would add to a running
        integral without a plateau is not in it.
    verdict : str
        "converged", or why no thermal conductivity can be published: "thermostatted: ...", "no plateau: ...",
        "window too late: ..." or "too short: ...", in a sentence with numbers; see `green_kubo`.
    run_kappas : (R,) array
        kappa of each run (or block) alone.
    running_corrected : (K,) array or None
        Onsager-corrected kappa(t), averaged over x, y, z, in W/(m K): the integral of the flux less the currents of
        species that diffuse, with the energies that explain most of it in the window.  None where there is one species.
    kappa_corrected, error_corrected : float or None
        Its value from the window, and the standard error of that.
    diffusing : tuple of str
        Species that diffuse relative to the centre of mass, see `correlations.diffusing_currents`.
    publish : str
        "kappa" or "kappa_corrected", the attribute that is the thermal conductivity of this system.
    cepstral_kappa, cepstral_error : float
        From cepstral analysis (`cepstral`) of the same runs, of the same kind as `publish` says.
    temperature, volume : float
        Of the runs, in K and A^3.
    """

    times: FloatArray
    hcacf: dict[str, FloatArray]
    running: dict[str, FloatArray]
    window_ps: tuple[float, float]
    parts: dict[str, float]
    tensor: FloatArray
    kappa: float
    error: float
    verdict: str
    run_kappas: FloatArray
    running_corrected: FloatArray | None
    kappa_corrected: float | None
    error_corrected: float | None
    diffusing: tuple[str, ...]
    publish: str
    cepstral_kappa: float
    cepstral_error: float
    temperature: float
    volume: float

    @property
    def convective_share(self) -> float:
        """Share of kappa that is not the conductive flux with itself."""
        return 1.0 - self.parts["conductive"] / self.parts["total"]

    @property
    def converged(self) -> bool:
        """Whether the verdict is "converged"."""
        return self.verdict == CONVERGED

    @property
    def best(self) -> tuple[float, float]:
        """The value to publish and its standard error, in W/(m K); NaN where there is none, see `verdict`."""
        return self._chosen if self.converged else (float("nan"), float("nan"))

    @property
    def _chosen(self) -> tuple[float, float]:
        """The value of the window and its standard error, whatever the verdict."""
        if self.publish == "kappa_corrected" and self.kappa_corrected is not None and self.error_corrected is not None:
            return self.kappa_corrected, self.error_corrected
        return self.kappa, self.error

    def __repr__(self) -> str:
        first, last = self.window_ps
        window = f"window {first:.3g} to {last:.3g} ps, {self.temperature:.0f} K"
        return f"GreenKubo({in_watts(*self.best) if self.converged else self.verdict}, {self.publish}, {window})"

    def facts(self) -> dict[str, str]:
        """The thermal conductivity with its error, or why there is none, and where it comes from."""
        first, last = self.window_ps
        return {
            "thermal conductivity": in_watts(*self.best) if self.converged else f"none; {self.verdict}",
            "published": self.publish,
            "window": f"{first:.6g} to {last:.6g} ps",
            "temperature": f"{self.temperature:.1f} K",
        }

    def columns(self) -> dict[str, FloatArray]:
        """The lags, and the running integrals, averaged over x, y and z."""
        columns = {"time (ps)": self.times}
        for name, curve in self.running.items():
            columns[f"{name} (W/(m K))"] = np.trace(curve, axis1=1, axis2=2) / 3.0
        if self.running_corrected is not None:
            columns["corrected (W/(m K))"] = self.running_corrected
        return columns

    def plot(self, ax: Any = None) -> Any:
        """Draw the running integrals, the window and its value, and the cepstral value; returns the Axes."""
        ax = new_axes(ax)
        for name, curve in self.running.items():
            style = {"color": "k", "linewidth": 1.6} if name == "total" else {"linewidth": 0.9}
            ax.plot(self.times, np.trace(curve, axis1=1, axis2=2) / 3.0, label=name, **style)
        if self.running_corrected is not None:
            ax.plot(self.times, self.running_corrected, color="C3", linewidth=1.6, label="Onsager-corrected")
        value, error = self._chosen
        color, label = ("0.8", in_watts(value, error)) if self.converged else ("mistyrose", "not converged")
        ax.fill_between(self.window_ps, value - error, value + error, color=color, zorder=0, label=label)
        bar = {"fmt": "o", "capsize": 3, "color": "C4", "label": "cepstral"}
        ax.errorbar([self.times[-1]], [self.cepstral_kappa], [self.cepstral_error], **bar)
        ax.axhline(0.0, color="0.6", linewidth=0.6, zorder=0)
        ax.set(xlabel="time (ps)", ylabel="thermal conductivity (W/(m K))")
        ax.legend(frameon=False, fontsize="small", ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        return ax
