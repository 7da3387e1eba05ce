"""Lattice thermal conductivities, in all and by the modes that carry them."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from ase_mlips.analysis.results import new_axes
from ase_mlips.analysis.tables import Tabulated

from ..arrays import FloatArray, Int64Array
from .arguments import require_word
from .tables import room

By = Literal["frequency", "mean free path"]

_HARDLY = 1e-3  # of the conductivity
_UNITS = {"frequency": "THz", "mean free path": "A"}
_TENSOR = {"xx": (0, 0), "yy": (1, 1), "zz": (2, 2), "yz": (1, 2), "xz": (0, 2), "xy": (0, 1)}


@dataclass(frozen=True, eq=False, repr=False)
class CumulativeConductivity(Tabulated):
    """Thermal conductivity of all modes up to a frequency or a mean free path.

    Attributes
    ----------
    by : str
        "frequency" or "mean free path".
    temperature : float
        K.
    limits : (K,) array
        THz or A, ascending.
    kappa : (K, 3, 3) array
        Of the modes up to each limit, in W/(m K); the last one is all.
    """

    by: str
    temperature: float
    limits: FloatArray
    kappa: FloatArray

    @property
    def mean(self) -> FloatArray:
        """A third of the trace, (K,), in W/(m K)."""
        return _third(self.kappa)

    def half(self) -> float:
        """The limit in THz or A below which half of the mean is carried."""
        return float(self.limits[np.searchsorted(self.mean, 0.5 * self.mean[-1])])

    def facts(self) -> dict[str, str]:
        """In all, and the limit of the first half."""
        return {
            f"kappa at {self.temperature:g} K": f"{self.mean[-1]:.4g} W/(m K)",
            f"half of it below a {self.by} of": f"{self.half():.4g} {_UNITS[self.by]}",
        }

    def columns(self) -> dict[str, FloatArray]:
        """The limits, the mean and the tensor."""
        return {f"{self.by} ({_UNITS[self.by]})": self.limits, **_tensor_columns(self.kappa)}

    def plot(self, ax: Any = None, **style: Any) -> Any:
        """Draw the mean against the limit; `style` goes to matplotlib's ``step``.  Returns the Axes."""
        ax = new_axes(ax)
        # Modes that carry nothing, of paths near zero, would fill most of a logarithmic scale.
        shown = self.mean > _HARDLY * self.mean[-1] if self.by == "mean free path" else self.limits > 0.0
        ax.step(self.limits[shown], self.mean[shown], where="post", **style)
        if self.by == "mean free path":
            ax.set(xlabel="mean free path (Å)", xscale="log")
        else:
            ax.set(xlabel="frequency (THz)", xlim=(0.0, None))
        ax.set(ylabel=f"cumulative $\\kappa$ at {self.temperature:g} K (W/m K)", ylim=(0.0, None))
        return ax


@dataclass(frozen=True, eq=False, repr=False)
class ThermalConductivity(Tabulated):
    """Lattice thermal conductivity.

    Attributes
    ----------
    temperatures : (T,) array
        K.
    kappa : (T, 3, 3) array
        W/(m K).
    mesh : (3,) array
        Of q points.
    method : str
        "rta" or "lbte".
    frequencies : (Q, 3n) array
        THz, of the modes at the irreducible q points.
    mean_free_paths : (T, Q, 3n) array
        A.
    mode_kappa : (T, Q, 3n, 3, 3) array
        W/(m K), what each mode and its images under the symmetry carry; the sum is `kappa`.
    symmetrised : dict of float
        By how much the sum rule and the exchange symmetry, which noise in the forces breaks, changed the force
        constants "fc2" and "fc3": the norm of the change over the norm.  Empty where force constants were given and
        left as they are.
    phono3py : Phono3py or None
        For everything that is not here.  It does not go into a file: None after `load`.
    """

    temperatures: FloatArray
    kappa: FloatArray
    mesh: Int64Array
    method: str
    frequencies: FloatArray = field(default_factory=lambda: np.empty((0, 0)))
    mean_free_paths: FloatArray = field(default_factory=lambda: np.empty((0, 0, 0)))
    mode_kappa: FloatArray = field(default_factory=lambda: np.empty((0, 0, 0, 3, 3)))
    symmetrised: dict[str, float] = field(default_factory=dict)
    phono3py: InitVar[Any] = None

    def __post_init__(self, phono3py: Any) -> None:
        object.__setattr__(self, "phono3py", phono3py)

    @property
    def mean(self) -> FloatArray:
        """A third of the trace, (T,), in W/(m K)."""
        return _third(self.kappa)

    def cumulative(self, by: By = "mean free path", *, temperature: float | None = None) -> CumulativeConductivity:
        """How much the modes up to a frequency or a mean free path carry.

        Parameters
        ----------
        by : {"frequency", "mean free path"}
        temperature : float, optional
            One of `temperatures` in K.  By default the one closest to 300 K.

        Raises
        ------
        ValueError
            Another word, or a temperature that was not computed.
        """
        require_word("by", by, get_args(By))
        at = room(self.temperatures)
        if temperature is not None:
            near = np.flatnonzero(np.isclose(self.temperatures, temperature))
            if len(near) == 0:
                raise ValueError(f"temperature: expected one of {self.temperatures.tolist()} in K, got {temperature!r}")
            at = int(near[0])
        values = (self.frequencies if by == "frequency" else self.mean_free_paths[at]).ravel()
        order = np.argsort(values, kind="stable")
        kappa = np.cumsum(self.mode_kappa[at].reshape(-1, 3, 3)[order], axis=0)
        return CumulativeConductivity(by, float(self.temperatures[at]), values[order], kappa)

    def facts(self) -> dict[str, str]:
        """The value near 300 K, how it was found, and what was done to the force constants."""
        at = room(self.temperatures)
        changes = ", ".join(f"{name} by {100.0 * change:.2g} %" for name, change in self.symmetrised.items())
        return {
            f"kappa at {self.temperatures[at]:g} K": f"{self.mean[at]:.4g} W/(m K)",
            "method": self.method,
            "mesh": " x ".join(map(str, self.mesh)),
            "symmetrised": changes or "no",
        }

    def columns(self) -> dict[str, FloatArray]:
        """Temperatures, mean and tensor."""
        return {"temperature (K)": self.temperatures, **_tensor_columns(self.kappa)}

    def plot(self, ax: Any = None) -> Any:
        """Draw the diagonal of the tensor, or its mean where that is all, against the temperature; returns the Axes."""
        ax = new_axes(ax)
        diagonal = np.diagonal(self.kappa, axis1=1, axis2=2)
        if np.ptp(diagonal, axis=1).max() < 1e-3 * diagonal.max():
            ax.plot(self.temperatures, self.mean, marker="o", markersize=3.0)
        else:
            for k, name in enumerate(("xx", "yy", "zz")):
                ax.plot(self.temperatures, diagonal[:, k], marker="o", markersize=3.0, label=name)
            ax.legend(frameon=False)
        ax.set(xlabel="temperature (K)", ylabel="$\\kappa$ (W/m K)", xscale="log", yscale="log")
        return ax


def _third(kappa: FloatArray) -> FloatArray:
    third: FloatArray = np.trace(kappa, axis1=-2, axis2=-1) / 3.0
    return third


def _tensor_columns(kappa: FloatArray) -> dict[str, FloatArray]:
    tensor = {f"{name} (W/(m K))": kappa[:, a, b] for name, (a, b) in _TENSOR.items()}
    return {"kappa (W/(m K))": _third(kappa), **tensor}
