"""Thermal expansion from phonons at several volumes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from ase_mlips.analysis.results import Result, new_axes

from .cells import Supercell, supercell_matrix, warn_of_small_supercell
from .gruneisen import scaled
from .harmonic import harmonic
from .relaxation import Relaxation, relax
from .result import NOISE, Phonons

FloatArray = NDArray[np.float64]

_STRAINS = (-0.03, -0.015, 0.0, 0.015, 0.03, 0.045, 0.06)
_STEP = 5.0  # K from one temperature to the next in phonopy's difference quotients
_JOULE_PER_MOLE = units._e * units._Nav


@dataclass(frozen=True, eq=False, repr=False)
class QuasiHarmonic(Result):
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
        Relative changes of the volume, at least five.
    mesh : float
        A length in A, see `Phonons`.

    Raises
    ------
    ValueError
        Fewer than five strains or three temperatures, temperatures that do not ascend, or `atoms` is no crystal.
    CalculationFailed
        A relaxation did not converge, or the fit to the equation of state failed.
    """
    from phonopy import run_qha

    chosen = np.linspace(0.0, 1000.0, 101) if temperatures is None else np.asarray(temperatures, dtype=np.float64)
    if chosen.ndim != 1 or len(chosen) == 0 or chosen[0] < 0.0 or not (np.diff(chosen) > 0.0).all():
        raise ValueError("temperatures: expected ascending temperatures in K that are not negative")
    if len(strains) < 5:
        raise ValueError(f"strains: the equation of state needs at least five volumes, got {len(strains)}")
    ground = relax(atoms, calc).atoms
    matrix = supercell_matrix(ground, supercell)
    warn_of_small_supercell(ground, matrix, calc)
    points = [
        _at_volume(ground, calc, matrix, 1.0 + strain)
        for strain in tqdm(sorted(strains), desc="volumes", leave=False, disable=None)
    ]
    _warn_of_imaginary([phonopy for _, phonopy in points], sorted(strains), mesh)
    energies = [r.energy * len(phonopy.primitive) / len(r.atoms) for r, phonopy in points]
    grid = np.unique(np.maximum(np.concatenate([chosen - _STEP, chosen, chosen + _STEP]), 0.0))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Lattice parameter")  # they are not used
        found = run_qha([phonopy for _, phonopy in points], grid, energies, mesh=mesh, exclude_gamma_acoustic=True)
    if found.equilibrium_volumes.max() > found.volumes.max():
        warnings.warn("the crystal expands beyond the largest of the strains: take larger ones", UserWarning, 2)
    at = np.searchsorted(found.temperatures, chosen)
    return QuasiHarmonic(
        chosen,
        found.equilibrium_volumes[at],
        found.thermal_expansion[at],
        found.bulk_moduli[at] / units.GPa,
        found.heat_capacity_P.heat_capacities[at] * _JOULE_PER_MOLE,
        found.gruneisen_parameters[at],
        found.gibbs_free_energies[at],
    )


def _at_volume(ground: Atoms, calc: BaseCalculator, matrix: Any, volume: float) -> tuple[Relaxation, Any]:
    relaxation = relax(scaled(ground, volume), calc, what="shape")
    return relaxation, harmonic(relaxation.atoms, calc, matrix)


def _warn_of_imaginary(phonopys: list[Any], strains: list[float], mesh: float) -> None:
    for phonopy, strain in zip(phonopys, strains, strict=True):
        lowest = float(Phonons(phonopy).zone(mesh)[2].min())
        if lowest < -NOISE:
            warnings.warn(
                f"imaginary modes of up to {-lowest:.3g}i THz at a volume changed by {strain:+.3g} are left out of "
                "its free energy",
                UserWarning,
                stacklevel=3,
            )
