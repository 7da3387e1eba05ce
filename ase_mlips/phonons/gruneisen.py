"""How frequencies change with the volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator

from ase_mlips.analysis.results import new_axes
from ase_mlips.analysis.tables import Tabulated

from ..arrays import FloatArray
from .arguments import Mesh, any_mesh, checked_temperatures, require_mesh
from .cells import new_phonopy
from .force_constants import DISTANCE, displace, produce_force_constants
from .forces import evaluate
from .relaxation import relax
from .result import Phonons
from .tables import between

_SLOWEST = 0.1  # THz: below, the ratio of two differences says nothing
_KELVIN_PER_THZ = 1e12 * units._hplanck / units._k


@dataclass(frozen=True, eq=False, repr=False)
class Gruneisen(Tabulated):
    r"""Mode Grüneisen parameters :math:`\gamma = -\partial \ln \omega / \partial \ln V`.

    Attributes
    ----------
    q_points : (Q, 3) array
        Irreducible points of a mesh.
    weights : (Q,) array
        They add up to 1.
    frequencies : (Q, 3n) array
        THz.
    parameters : (Q, 3n) array
        Of the same modes; NaN below 0.1 THz.
    """

    q_points: FloatArray
    weights: FloatArray
    frequencies: FloatArray
    parameters: FloatArray

    def facts(self) -> dict[str, str]:
        """The mean at 300 K and the range."""
        known = np.isfinite(self.parameters).any()
        return {
            "mean at 300 K": f"{self.mean(300.0):.4g}" if known else "not known",
            "parameters": between(self.parameters, "").strip(),
        }

    def columns(self) -> dict[str, FloatArray]:
        """A row for each mode."""
        branches = self.frequencies.shape[1]
        q = {f"q{k + 1}": np.repeat(self.q_points[:, k], branches) for k in range(3)}
        return {
            **q,
            "weight": np.repeat(self.weights, branches),
            "frequency (THz)": self.frequencies.ravel(),
            "parameter": self.parameters.ravel(),
        }

    def mean(self, temperature: float) -> float:
        """Mean over all modes, weighted by their heat capacities at a positive temperature in K."""
        if np.ndim(temperature) != 0:
            raise ValueError(f"temperature: expected one in K, got {temperature!r}")
        (kelvin,) = checked_temperatures(temperature, positive=True)
        x = _KELVIN_PER_THZ * np.where(self.frequencies > _SLOWEST, self.frequencies, np.nan) / kelvin
        # Relative to the slowest mode: in the cold, all capacities are too small for a float.
        capacity = self.weights[:, None] * (x / np.expm1(-x)) ** 2 * np.exp(np.nanmin(x) - x)
        return float(np.nansum(capacity * self.parameters) / np.nansum(capacity))

    def plot(self, ax: Any = None) -> Any:
        """Draw the parameters against the frequencies; returns the Axes."""
        ax = new_axes(ax)
        for branch in range(self.frequencies.shape[1]):
            ax.plot(self.frequencies[:, branch], self.parameters[:, branch], ".", markersize=3.0)
        ax.set(xlabel="frequency (THz)", ylabel="Grüneisen parameter")
        return ax


def gruneisen(phonons: Phonons, calc: BaseCalculator, *, strain: float = 0.01, mesh: Mesh = 60.0) -> Gruneisen:
    """Mode Grüneisen parameters from two more volumes, by phonopy.

    Parameters
    ----------
    phonons : Phonons
        At the volume in question, of the same calculator.
    strain : float
        The cell is scaled to ``1 + strain`` and ``1 - strain`` times its volume, and the positions relaxed; Born
        charges and the dielectric tensor stay what they are.
    mesh
        See `Phonons`.

    Raises
    ------
    ValueError
        A strain that is not small and positive, or a mesh that is none.
    """
    from phonopy import PhonopyGruneisen

    if not 0.0 < strain < 0.2:
        raise ValueError(f"strain: expected a small positive change of the volume, got {strain}")
    require_mesh(mesh)
    larger, smaller = (_at_volume(phonons, calc, 1.0 + s) for s in (strain, -strain))
    run = PhonopyGruneisen(phonons.phonopy, larger, smaller)
    with any_mesh():
        numbers = phonons.phonopy.run_mesh(mesh, is_gamma_center=True).mesh_numbers
        run.set_mesh(numbers, is_gamma_center=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        q_points, weights, frequencies, _, parameters = run.get_mesh()
    parameters = np.where(frequencies > _SLOWEST, parameters, np.nan)
    return Gruneisen(q_points, weights / weights.sum(), frequencies, parameters)


def _at_volume(phonons: Phonons, calc: BaseCalculator, volume: float) -> Any:
    """A ``Phonopy`` with the same supercell, primitive cell and Born charges, at so many times the volume."""
    original = phonons.phonopy
    atoms = relax(scaled(phonons.atoms, volume), calc, what="positions").atoms
    made = new_phonopy(atoms, phonons.supercell, original.primitive_matrix)
    fitted = displace(made, distance=DISTANCE, snapshots=None)
    made.forces = evaluate(made.supercells_with_displacements, calc)["forces"]
    produce_force_constants(made, fitted=fitted)
    made.nac_params = original.nac_params
    return made


def scaled(atoms: Atoms, volume: float) -> Atoms:
    """A copy whose cell is so many times as large, of the same shape."""
    copy = atoms.copy()
    copy.set_cell(atoms.cell.array * volume ** (1.0 / 3.0), scale_atoms=True)
    return copy
