"""Equation of state: energies of a crystal at several volumes, and the curve of Birch and Murnaghan through them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator
from numpy.typing import ArrayLike

from ase_mlips.analysis.formatting import with_error
from ase_mlips.analysis.results import new_axes
from ase_mlips.phonons.arguments import warn
from ase_mlips.phonons.cells import require_crystal
from ase_mlips.phonons.gruneisen import scaled
from ase_mlips.phonons.relaxation import relax

from ..arrays import FloatArray
from .crystals import energy_of, located, with_stress
from .executors import with_calculator
from .fields import chosen, require_count, require_positive
from .settings import Settings
from .traced import Traced, origin_of
from .yaml_files import conform

_PARAMETERS = 4
_STEP = 1e-6  # relative, of the difference quotients that carry errors on

AtVolume = Literal["shape", "positions", "none"]


@dataclass(frozen=True)
class EOSRun(Settings):
    """Settings of `equation_of_state`.

    Attributes
    ----------
    volume_change : float
        Largest relative change of the volume to both sides of that of the structure, below 1.
    points : int
        Number of volumes, at least 5.
    relax : {"shape", "positions", "none"}
        What is relaxed at each volume, with the symmetry kept: the shape of the cell and the positions; the positions;
        nothing.
    fmax : float
        Largest force in eV/A at the end of a relaxation.
    steps : int
        Give up a relaxation after so many.
    """

    volume_change: float = 0.04
    points: int = 11
    relax: AtVolume = "shape"
    fmax: float = 1e-3
    steps: int = 500

    def __post_init__(self) -> None:
        conform(self)
        require_positive("volume_change", self.volume_change, below=1.0)
        require_count("points", self.points, _PARAMETERS + 1)
        require_positive("fmax", self.fmax, "eV/A")
        require_count("steps", self.steps)


@dataclass(frozen=True, eq=False, repr=False)
class EquationOfState(Traced):
    """Energies at several volumes, and the curve of Birch and Murnaghan through them.

    The errors say how well energies of this potential determine the parameters, and not how far it is from nature.
    They have two parts, whose squares are added: the standard error from the residuals, and by how much a parameter
    changes when the curve gets one order more, since the energies of a potential are smooth and no such curve.

    Attributes
    ----------
    formula : str
        Of the cell that volumes and energies belong to.
    atoms : int
        Number in this cell.
    volumes : (P,) array
        A^3.
    energies : (P,) array
        eV.
    energy, volume, bulk_modulus, bulk_modulus_derivative : float
        E0 in eV, V0 in A^3, B0 in GPa, and B0' at the minimum.
    errors : (4,) array
        Their errors, in this order; NaN where the curve of one order more has no minimum.
    residual : float
        Root mean square of energies less fit, in eV.
    origin : str
        `provenance_of` the calculator as JSON.
    """

    formula: str
    atoms: int
    volumes: FloatArray
    energies: FloatArray
    energy: float
    volume: float
    bulk_modulus: float
    bulk_modulus_derivative: float
    errors: FloatArray
    residual: float
    origin: str = "{}"

    @property
    def within_range(self) -> bool:
        """Whether the minimum lies between the smallest and the largest volume."""
        return bool(self.volumes.min() <= self.volume <= self.volumes.max())

    def facts(self) -> dict[str, str]:
        """The four parameters with their errors, per cell, and how well the curve fits."""
        values = (self.energy, self.volume, self.bulk_modulus, self.bulk_modulus_derivative)
        e0, v0, b0, derivative = (with_error(*pair) for pair in zip(values, self.errors, strict=True))
        facts = {
            "cell": self.formula,
            "E0": f"{e0} eV",
            "V0": f"{v0} A^3",
            "B0": f"{b0} GPa",
            "B0'": derivative,
            "residual": f"{1e3 * self.residual / self.atoms:.2g} meV/atom",
        }
        return facts if self.within_range else facts | {"minimum": "outside of the volumes, extrapolated"}

    def columns(self) -> dict[str, FloatArray]:
        """Volumes, energies, the fit, and the pressure of the fit."""
        return {
            "volume (A^3)": self.volumes,
            "energy (eV)": self.energies,
            "fit (eV)": self.energy_at(self.volumes),
            "pressure of fit (GPa)": self.pressure_at(self.volumes),
        }

    def energy_at(self, volumes: ArrayLike) -> FloatArray:
        """Energies (V,) of the fit in eV at volumes (V,) in A^3; Birch, Phys. Rev. 71, 809 (1947)."""
        x, b = self._compression(volumes), self.bulk_modulus * units.GPa
        cubic = self.bulk_modulus_derivative * (x - 1.0) ** 3 + (x - 1.0) ** 2 * (6.0 - 4.0 * x)
        energies: FloatArray = self.energy + 9.0 / 16.0 * self.volume * b * cubic
        return energies

    def pressure_at(self, volumes: ArrayLike) -> FloatArray:
        """Pressures (V,) of the fit in GPa at volumes (V,) in A^3."""
        x = self._compression(volumes)
        shape = 1.0 + 0.75 * (self.bulk_modulus_derivative - 4.0) * (x - 1.0)
        pressure: FloatArray = 1.5 * self.bulk_modulus * (x**3.5 - x**2.5) * shape
        return pressure

    def _compression(self, volumes: ArrayLike) -> FloatArray:
        compression: FloatArray = (self.volume / np.asarray(volumes, dtype=np.float64)) ** (2.0 / 3.0)
        return compression

    def plot(self, ax: Any = None) -> Any:
        """Draw energies per atom and the fit against the volume per atom; returns the Axes."""
        ax = new_axes(ax)
        ends = np.append(self.volumes, self.volume)
        line = np.linspace(ends.min(), ends.max(), 200)
        label = f"B = {with_error(self.bulk_modulus, self.errors[2])} GPa"
        ax.plot(line / self.atoms, (self.energy_at(line) - self.energy) / self.atoms * 1e3, label=label)
        ax.plot(self.volumes / self.atoms, (self.energies - self.energy) / self.atoms * 1e3, "o", color="black")
        ax.axvline(self.volume / self.atoms, color="gray", linewidth=0.8, linestyle=":")
        ax.set(xlabel="volume (Å$^3$ / atom)", ylabel="energy (meV / atom)", title=f"{self.formula}, Birch-Murnaghan")
        ax.legend(frameon=False)
        return ax


def equation_of_state(
    atoms: Atoms, calc: BaseCalculator, settings: EOSRun | None = None, **fields: Any
) -> EquationOfState:
    """Volume, bulk modulus and its derivative at the minimum of the energy.

    Parameters
    ----------
    atoms : Atoms
        Crystal whose volume is near that at the minimum; not changed.
    calc : ASE calculator
        One without stresses gets them from differences of energies, which takes 13 times as long.
    settings : EOSRun, optional
    **fields
        Those of `EOSRun`, in place of `settings`.

    Raises
    ------
    ValueError
        `atoms` is not a crystal, a setting is out of range, or the energies have no minimum near the volumes.
    CalculationFailed
        A relaxation did not converge, or an energy is not finite.

    Warns
    -----
    UserWarning
        The minimum is not between the volumes.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.runs import equation_of_state
    >>> found = equation_of_state(bulk("Si", a=5.47), SNAP.embedded("Si"))
    >>> print(f"{found.volume:.1f} A^3, {found.bulk_modulus:.0f} GPa")
    40.9 A^3, 88 GPa
    """
    run = chosen(EOSRun, settings, fields)
    require_crystal(atoms, "an equation of state needs")
    change = run.volume_change
    factors = 1.0 + np.linspace(-change, change, run.points)
    cells = [scaled(atoms, factor) for factor in factors]
    volumes = [cell.get_volume() for cell in cells]
    tasks = list(zip(cells, factors, [run] * len(cells), strict=True))
    energies = with_calculator(_energy, calc, tasks, "volumes")
    fit = fit_birch_murnaghan(volumes, energies, atoms.get_chemical_formula(), len(atoms))
    found = replace(fit, origin=origin_of(calc))
    if not found.within_range:
        ratio = found.volume / atoms.get_volume() - 1.0
        warn(
            f"the minimum, at a volume changed by {100.0 * ratio:+.3g} %, is outside of the range of "
            f"{100.0 * change:.3g} %: begin with a structure that is relaxed"
        )
    return found


def fit_birch_murnaghan(
    volumes: ArrayLike, energies: ArrayLike, formula: str = "cell", atoms: int = 1
) -> EquationOfState:
    """Fit the third-order curve of Birch, Phys. Rev. 71, 809 (1947), to energies that are there already.

    It is a polynomial of third order in V^(-2/3), and so a linear fit.

    Parameters
    ----------
    volumes : (P,) array
        A^3, at least five that differ.
    energies : (P,) array
        eV.
    formula : str
        Name of the cell that these belong to.
    atoms : int
        Number of atoms in it.

    Raises
    ------
    ValueError
        Too few points, one that is not finite, or energies without a minimum there or nearly there.
    """
    v, e = (np.asarray(values, dtype=np.float64) for values in (volumes, energies))
    if v.ndim != 1 or v.shape != e.shape or not (np.isfinite(e).all() and np.isfinite(v).all() and (v > 0.0).all()):
        raise ValueError(f"expected as many energies as positive volumes, all finite, got {e} and {v}")
    if len(np.unique(v)) <= _PARAMETERS:
        raise ValueError(f"expected at least {_PARAMETERS + 1} different volumes, got {v}")
    middle, shift = float(v.mean()), float(e.mean())
    ratios = (middle / v) ** (2.0 / 3.0) - 1.0
    design = np.vander(ratios, _PARAMETERS, increasing=True)
    coefficients = _polynomial(ratios, e - shift, _PARAMETERS)
    residuals = e - shift - design @ coefficients
    parameters = _at_minimum(coefficients, middle)
    outside = np.inf if parameters is None else max(v.min() - parameters[1], parameters[1] - v.max())
    if parameters is None or outside > np.ptp(v):
        raise ValueError(
            f"the energies have no minimum near these volumes, {v.min():.5g} to {v.max():.5g} A^3: begin with a "
            "structure that is relaxed"
        )
    covariance = np.linalg.inv(design.T @ design) * (residuals @ residuals) / (len(v) - _PARAMETERS)
    slopes = _slopes(coefficients, middle, parameters)
    scatter = np.einsum("ij,jk,ik->i", slopes, covariance, slopes)
    higher = _polynomial(ratios, e - shift, _PARAMETERS + 1)
    beyond = _at_minimum(higher, middle, (middle / parameters[1]) ** (2.0 / 3.0) - 1.0)
    change = np.full(_PARAMETERS, np.nan) if beyond is None else beyond - parameters
    rms = float(np.sqrt(np.mean(residuals**2)))
    e0, v0, b0, derivative = (float(value) for value in parameters)
    errors = np.sqrt(scatter + change**2)
    return EquationOfState(formula, atoms, v, e, e0 + shift, v0, b0, derivative, errors, rms)


def _polynomial(places: FloatArray, values: FloatArray, parameters: int) -> FloatArray:
    """Coefficients, the constant first, of a least-squares fit."""
    design = np.vander(places, parameters, increasing=True)
    return np.asarray(np.linalg.lstsq(design, values)[0], dtype=np.float64)


def _at_minimum(coefficients: FloatArray, middle: float, near: float = 0.0) -> FloatArray | None:
    """E0 in eV, V0 in A^3, B0 in GPa and B0' (4,) of a polynomial in (middle / V)^(2/3) - 1 at its minimum nearby."""
    curve: Any = np.polynomial.Polynomial(coefficients)
    slope, second, third = (curve.deriv(order) for order in (1, 2, 3))
    minima = [float(x.real) for x in slope.roots() if abs(x.imag) < 1e-12 and second(x.real) > 0.0 and x.real > -1.0]
    if not minima:
        return None
    x = min(minima, key=lambda place: abs(place - near))
    u, v0 = x + 1.0, middle * (x + 1.0) ** -1.5
    # u = (middle / V)^(2/3), so that B = V E_VV = 4/9 u^2 E_uu / V where E_u = 0
    b0 = 4.0 / 9.0 * u**2 * second(x) / v0
    derivative = 4.0 + 2.0 / 3.0 * u * third(x) / second(x)
    return np.array([curve(x), v0, b0 / units.GPa, derivative])


def _slopes(coefficients: FloatArray, middle: float, parameters: FloatArray) -> FloatArray:
    """Derivatives (4, 4) of the parameters with respect to the coefficients; they can be differenced, being smooth."""
    steps = _STEP * np.abs(coefficients).max() * np.eye(_PARAMETERS)
    slopes = np.zeros((_PARAMETERS, _PARAMETERS))
    for k, step in enumerate(steps):
        shifted = [_at_minimum(coefficients + sign * step, middle) for sign in (1.0, -1.0)]
        high, low = (parameters if found is None else found for found in shifted)
        slopes[:, k] = (high - low) / (2.0 * step[k])
    return slopes


def _energy(calc: BaseCalculator, task: tuple[Atoms, float, EOSRun]) -> float:
    cell, factor, settings = task
    with located(f"at a volume changed by {100.0 * (factor - 1.0):+.3g} %"):
        if settings.relax == "none":
            return energy_of(cell, calc)
        relaxing = with_stress(calc) if settings.relax == "shape" else calc
        return relax(cell, relaxing, what=settings.relax, fmax=settings.fmax, steps=settings.steps).energy
