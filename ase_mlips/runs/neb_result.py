"""A path of least energy: its barrier, its images and its figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from scipy.interpolate import CubicHermiteSpline

from ase_mlips.analysis.results import new_axes

from ..arrays import BoolArray, FloatArray, Int64Array
from .traced import Traced


@dataclass(frozen=True, eq=False, repr=False)
class MinimumEnergyPath(Traced):
    """Images along the path of least energy, the ends among them.

    Barriers have no error bar, as nothing is random: `max_force` says how far the band is from its minimum, and with
    more images one sees whether a barrier is missed.

    Attributes
    ----------
    formula : str
    numbers : (N,) array
        Atomic numbers.
    cell : (3, 3) array
        A.
    pbc : (3,) array
    positions : (M, N, 3) array
        A, not wrapped.
    energies : (M,) array
        eV.
    forces : (M, N, 3) array
        Of the potential, in eV/A.
    climbed : bool
        Whether the highest image has climbed to the saddle point.
    converged : bool
    max_force : float
        Largest force on the band that is left, in eV/A.
    steps : int
    origin : str
        `provenance_of` the calculator as JSON.
    """

    formula: str
    numbers: Int64Array
    cell: FloatArray
    pbc: BoolArray
    positions: FloatArray
    energies: FloatArray
    forces: FloatArray
    climbed: bool
    converged: bool
    max_force: float
    steps: int
    origin: str = "{}"

    @property
    def barrier(self) -> float:
        """Energy of the highest image above the first one, in eV."""
        return float(self.energies.max() - self.energies[0])

    @property
    def reverse_barrier(self) -> float:
        """Energy of the highest image above the last one, in eV."""
        return float(self.energies.max() - self.energies[-1])

    @property
    def distances(self) -> FloatArray:
        """Length (M,) of the path up to each image in A, all atoms taken together."""
        steps = np.sqrt((np.diff(self.positions, axis=0) ** 2).sum((1, 2)))
        return np.concatenate([[0.0], np.cumsum(steps)])

    @property
    def hop(self) -> tuple[int, float]:
        """The atom that moves farthest from end to end, and how far in A."""
        moved = np.linalg.norm(self.positions[-1] - self.positions[0], axis=1)
        return int(moved.argmax()), float(moved.max())

    def images(self) -> list[Atoms]:
        """The structures, with energies and forces."""
        found = []
        for positions, energy, forces in zip(self.positions, self.energies, self.forces, strict=True):
            atoms = Atoms(numbers=self.numbers, positions=positions, cell=self.cell, pbc=self.pbc)
            atoms.calc = SinglePointCalculator(atoms, energy=float(energy), forces=forces)
            found.append(atoms)
        return found

    def spline(self) -> CubicHermiteSpline:
        """Energy in eV above the first image, as a function of `distances`, from energies and slopes of the images."""
        tangents = np.gradient(self.positions.reshape(len(self.positions), -1), axis=0)
        tangents /= np.linalg.norm(tangents, axis=1)[:, None]
        slopes = -(self.forces.reshape(tangents.shape) * tangents).sum(1)
        return CubicHermiteSpline(self.distances, self.energies - self.energies[0], slopes)

    def facts(self) -> dict[str, str]:
        """The barriers, the atom that hops, and whether the band has converged."""
        atom, length = self.hop
        symbol = Atoms(numbers=self.numbers[[atom]]).get_chemical_formula()
        highest = int(self.energies.argmax())
        inner = 0 < highest < len(self.energies) - 1
        return {
            "hop": f"{symbol} (atom {atom}) by {length:.3f} A in {self.formula}",
            "barrier": f"{self.barrier:.4f} eV, back {self.reverse_barrier:.4f} eV",
            "highest image": f"{highest} of 0 to {len(self.energies) - 1}" + ("" if inner else ", an end: no barrier"),
            "saddle point": "by the climbing image" if self.climbed and inner else "not searched",
            "converged": f"{'yes' if self.converged else 'NO'}, {self.max_force:.2g} eV/A after {self.steps} steps",
        }

    def columns(self) -> dict[str, FloatArray]:
        """Distances and energies of the images."""
        return {"distance (A)": self.distances, "energy (eV)": self.energies - self.energies[0]}

    def plot(self, ax: Any = None) -> Any:
        """Draw the energies of the images, and the spline through them, against the path; returns the Axes."""
        ax = new_axes(ax)
        spline = self.spline()
        line = np.linspace(0.0, self.distances[-1], 200)
        ax.plot(line, spline(line), label=f"barrier {self.barrier:.3f} eV, back {self.reverse_barrier:.3f} eV")
        ax.plot(self.distances, self.energies - self.energies[0], "o", color="black")
        title = self.facts()["hop"].replace(" A ", " Å ") + ("" if self.converged else ", NOT converged")
        ax.set(xlabel="path (Å)", ylabel="energy (eV)", title=title)
        ax.margins(y=0.15)
        ax.legend(frameon=False)
        return ax
