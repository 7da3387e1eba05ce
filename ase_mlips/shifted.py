"""Potentials whose atomic energies have another zero: for studies of what depends on it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .arrays import FloatArray, IntArray
from .calculator import PotentialCalculator
from .engine.neighbors import NeighborList
from .potential import Evaluation, Potential


class ShiftedPotential:
    """``U_i + c_s`` with one constant for each species s; forces and virials are those of the potential.

    Parameters
    ----------
    potential : Potential
    shifts : dict of str to float
        c_s in eV for chemical symbols of the potential; those that are absent are not shifted.

    Raises
    ------
    ValueError
        An element that the potential lacks, or a shift that is not finite.
    """

    def __init__(self, potential: Potential, shifts: Mapping[str, float]) -> None:
        self.potential = potential
        self.elements, self.cutoff = potential.elements, potential.cutoff
        self.inexact_flux: str = getattr(potential, "inexact_flux", "")
        unknown = sorted(shifts.keys() - set(self.elements))
        if unknown:
            raise ValueError(f"expected shifts of {', '.join(self.elements)}, got one of {', '.join(unknown)}")
        self.shifts: FloatArray = np.array([shifts.get(element, 0.0) for element in self.elements], np.float64)
        if not np.isfinite(self.shifts).all():
            raise ValueError(f"expected finite shifts in eV, got {dict(shifts)}")

    def evaluate(self, neighbors: NeighborList, species: IntArray, num_threads: int = 1) -> Evaluation:
        """The evaluation of the potential with the shifted energies."""
        evaluation = self.potential.evaluate(neighbors, species, num_threads)
        return evaluation._replace(energies=evaluation.energies + self.shifts[species])


def shifted(calculator: PotentialCalculator, shifts: Mapping[str, float]) -> PotentialCalculator:
    """A calculator with the same forces and stress whose atomic energies are shifted by a constant per species.

    Parameters
    ----------
    calculator : PotentialCalculator
        Any NEP, MTP, SNAP, ...; it is not changed.
    shifts : dict of str to float
        eV for chemical symbols, as in ``shifted(calc, {"Cu": 1.0})``.

    Raises
    ------
    ValueError
        Another calculator, an element that the potential lacks, or a shift that is not finite.
    """
    if not isinstance(calculator, PotentialCalculator):
        raise ValueError(f"expected a calculator of ase_mlips, got {type(calculator).__name__}")
    settings = {name: calculator.parameters[name] for name in ("skin", "num_threads")}
    return ShiftedCalculator(ShiftedPotential(calculator.potential, shifts), **settings)


class ShiftedCalculator(PotentialCalculator):
    """What `shifted` makes."""

    potential: ShiftedPotential

    def _describe(self) -> str:
        shifts = zip(self.potential.elements, self.potential.shifts, strict=True)
        return ", ".join(f"{element} {shift:+g} eV" for element, shift in shifts)
