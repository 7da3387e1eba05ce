"""Thermal expansion from phonons at several volumes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator, CalculationFailed
from numpy.typing import ArrayLike
from tqdm import tqdm

from ase_mlips.analysis.results import new_axes
from ase_mlips.analysis.tables import Tabulated

from ..arrays import FloatArray
from .arguments import as_array, checked_temperatures, require_mesh, warn
from .cells import Supercell, require_oscillators, supercell_matrix, warn_of_small_supercell
from .gruneisen import scaled
from .harmonic import harmonic
from .relaxation import Relaxation, relax
from .result import NOISE, Phonons
from .tables import room

_STRAINS = (-0.03, -0.015, 0.0, 0.015, 0.03, 0.045, 0.06)
_STEP = 5.0  # K from one temperature to the next in phonopy's difference quotients
_SAME = 0.1  # K: below, the differences of the free energies are lost in their noise
_SAME_STRAIN = 1e-6
_JOULE_PER_MOLE = units._e * units._Nav


@dataclass(frozen=True, eq=False, repr=False)
class QuasiHarmonic(Tabulated):
    """Properties of a primitive cell at zero pressure.

    Attributes
    ----------
    temperatures : (T,) array
        K.
    volumes : (T,) array
        A^3.
    thermal_expansion : (T,) array
        Of the volume, in 1/K.
    bulk_modulus : (T,) array
        Isothermal, in GPa.
    heat_capacity : (T,) array
        At constant pressure, in J/(K mol).
    gruneisen : (T,) array
        alpha B V / C_V, the thermodynamic Grüneisen parameter.
    free_energy : (T,) array
        Gibbs free energy in eV.
    """

    temperatures: FloatArray
    volumes: FloatArray
    thermal_expansion: FloatArray
    bulk_modulus: FloatArray
    heat_capacity: FloatArray
    gruneisen: FloatArray
    free_energy: FloatArray

    def facts(self) -> dict[str, str]:
        """Values near 300 K."""
        at = room(self.temperatures)
        kelvin = f"at {self.temperatures[at]:g} K"
        return {
            f"volume {kelvin}": f"{self.volumes[at]:.5g} A^3",
            f"volume expansion {kelvin}": f"{1e6 * self.thermal_expansion[at]:.4g}e-6 /K",
            f"bulk modulus {kelvin}": f"{self.bulk_modulus[at]:.4g} GPa",
            f"C_p {kelvin}": f"{self.heat_capacity[at]:.4g} J/(K mol)",
        }

    def columns(self) -> dict[str, FloatArray]:
        """Temperatures and all that depends on them."""
        return {
            "T (K)": self.temperatures,
            "V (A^3)": self.volumes,
            "expansion (1/K)": self.thermal_expansion,
            "B (GPa)": self.bulk_modulus,
            "C_p (J/K/mol)": self.heat_capacity,
            "Grueneisen": self.gruneisen,
            "G (eV)": self.free_energy,
        }

    def plot(self, ax: Any = None) -> Any:
        """Draw the thermal expansion against the temperature; returns the Axes."""
        ax = new_axes(ax)
        ax.plot(self.temperatures, 1e6 * self.thermal_expansion)
        ax.set(xlabel="temperature (K)", ylabel="volume expansion ($10^{-6}$ / K)")
        return ax


def quasi_harmonic(
    atoms: Atoms,
    calc: BaseCalculator,
    *,
    supercell: Supercell,
    temperatures: ArrayLike | None = None,
    strains: Sequence[float] = _STRAINS,
    mesh: float = 60.0,
) -> QuasiHarmonic:
    """Thermal expansion and what belongs to it, in the quasi-harmonic approximation, by ``phonopy.run_qha``.

    The crystal is relaxed; at each volume the shape of the cell and the positions are relaxed again, and the free
    energies are fitted to the equation of state of Vinet et al., J. Phys. C 19, L467 (1986).

    Parameters
    ----------
    atoms, calc, supercell
        As in `phonons`; the calculator needs a stress.
    temperatures : (T,) array, optional
        K, ascending.  Default: 0 to 1000 K.
    strains : sequence of float
        Relative changes of the volume, at least five; the volumes at all temperatures should lie between them.
    mesh : float
        A length in A, see `Phonons`.

    Raises
    ------
    ValueError
        Fewer than five different strains, a mesh of three integers, temperatures that do not ascend, or what `phonons`
        refuses.
    CalculationFailed
        A relaxation did not converge, or the fit to the equation of state failed.
    """
    from phonopy import run_qha

    chosen = checked_temperatures(np.linspace(0.0, 1000.0, 101) if temperatures is None else temperatures)
    if not (np.diff(chosen) > 0.0).all():
        raise ValueError("temperatures: expected them to be ascending")
    ordered = _checked_strains(strains)
    require_mesh(mesh)
    if np.ndim(mesh):
        raise ValueError(f"mesh: expected a length in A, for cells of several volumes, got {mesh!r}")
    require_oscillators(atoms)
    ground = relax(atoms, calc).atoms
    matrix = supercell_matrix(ground, supercell)
    warn_of_small_supercell(ground, matrix, calc)
    points = [
        _at_volume(ground, calc, matrix, 1.0 + strain)
        for strain in tqdm(ordered, desc="volumes", leave=False, disable=None)
    ]
    _warn_of_imaginary([phonopy for _, phonopy in points], ordered, mesh)
    energies = [r.energy * len(phonopy.primitive) / len(r.atoms) for r, phonopy in points]
    grid = _merged(np.maximum(np.concatenate([chosen - _STEP, chosen, chosen + _STEP]), 0.0))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Lattice parameter")  # they are not used
        found = run_qha([phonopy for _, phonopy in points], grid, energies, mesh=mesh, exclude_gamma_acoustic=True)
    failed = np.setdiff1d(grid[:-1], found.temperatures)  # the last is only for differences
    if len(failed):
        raise CalculationFailed(f"the fit to the equation of state failed at {failed[0]:g} K: take other strains")
    if found.equilibrium_volumes.max() > found.volumes.max():
        warn("the crystal expands beyond the largest of the strains: take larger ones")
    if found.equilibrium_volumes.min() < found.volumes.min():
        warn("the crystal is smaller than at the smallest of the strains: take smaller ones")
    columns = (
        found.equilibrium_volumes,
        found.thermal_expansion,
        found.bulk_moduli / units.GPa,
        found.heat_capacity_P.heat_capacities * _JOULE_PER_MOLE,
        found.gruneisen_parameters,
        found.gibbs_free_energies,
    )
    return QuasiHarmonic(chosen, *(np.interp(chosen, found.temperatures, column) for column in columns))


def _checked_strains(strains: Sequence[float]) -> list[float]:
    given = as_array(strains)
    if given.ndim != 1 or given.dtype.kind not in "iuf" or not (np.isfinite(given).all() and (given > -1.0).all()):
        raise ValueError(f"strains: expected relative changes of the volume, got {strains!r}")
    ordered = np.sort(given.astype(np.float64))
    different = np.count_nonzero(np.diff(ordered) > _SAME_STRAIN) + min(len(ordered), 1)
    if different < max(5, len(ordered)):
        raise ValueError(
            f"strains: the equation of state needs at least five volumes, all different, got {different} in {strains!r}"
        )
    return [float(strain) for strain in ordered]


def _merged(temperatures: FloatArray) -> FloatArray:
    """Ascending, without those that are nearly the one before; `_SAME` is far below `_STEP`, so that most are kept."""
    kept: list[float] = []
    for temperature in np.sort(temperatures):
        if not kept or temperature - kept[-1] > _SAME:
            kept.append(float(temperature))
    return np.array(kept)


def _at_volume(ground: Atoms, calc: BaseCalculator, matrix: Any, volume: float) -> tuple[Relaxation, Any]:
    relaxation = relax(scaled(ground, volume), calc, what="shape")
    return relaxation, harmonic(relaxation.atoms, calc, matrix)


def _warn_of_imaginary(phonopys: list[Any], strains: list[float], mesh: float) -> None:
    for phonopy, strain in zip(phonopys, strains, strict=True):
        lowest = float(Phonons(phonopy).zone(mesh)[2].min())
        if lowest < -NOISE:
            warn(
                f"imaginary modes of up to {-lowest:.3g}i THz at a volume changed by {strain:+.3g} are left out of "
                "its free energy"
            )
