"""Crystals at rest: relaxed before a check, strained, or refused with their forces and stresses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator, CalculationFailed
from ase.calculators.fd import FiniteDifferenceCalculator
from ase.optimize import LBFGS
from ase.parallel import DummyMPI

from ase_mlips.phonons.relaxation import max_force, relax

from ..arrays import FloatArray

Before = Literal["cell", "shape", "positions", "none"]

_MAX_FORCE = 0.01  # eV/A
_STRAIN = 1e-5  # of difference quotients of energies


def at_rest(atoms: Atoms, calc: BaseCalculator, relaxed: Before, fmax: float, steps: int) -> Atoms:
    """A copy of a crystal, relaxed as asked for under its space group; without calculator.

    Raises
    ------
    ValueError
        It has forces of more than 0.01 eV/A, which is what the others would be measured against.
    CalculationFailed
        The relaxation did not converge.
    """
    if relaxed != "none":
        relaxing = calc if relaxed == "positions" else with_stress(calc)
        with located("the crystal"):
            return relax(atoms, relaxing, what=relaxed, fmax=fmax, steps=steps).atoms
    force = max_force(atoms, calc)
    if force > _MAX_FORCE:
        raise ValueError(
            f"the structure is not relaxed: the largest force is {force:.3g} eV/A, where {_MAX_FORCE} is "
            f"allowed, and the stress is {in_words(stress_in_gpa(atoms, calc))}; relax it first"
        )
    bare = atoms.copy()
    bare.set_constraint()
    return bare


def with_stress(calc: BaseCalculator) -> BaseCalculator:
    """The calculator, or one around it that has stresses from differences of energies."""
    if "stress" in calc.implemented_properties:
        return calc
    consistent = "free_energy" in calc.implemented_properties
    return FiniteDifferenceCalculator(calc, eps_disp=None, eps_strain=_STRAIN, force_consistent=consistent)


def stress_in_gpa(atoms: Atoms, calc: BaseCalculator) -> FloatArray:
    """Stress (6,) in GPa, tension positive, in the order xx yy zz yz xz xy.

    Raises
    ------
    CalculationFailed
        It is not finite.
    """
    stress: FloatArray = np.asarray(with_stress(calc).get_property("stress", atoms)) / units.GPa
    if not np.isfinite(stress).all():
        raise CalculationFailed(f"{calc!r} gave a stress that is not finite")
    return stress


def energy_of(atoms: Atoms, calc: BaseCalculator) -> float:
    """Energy in eV.

    Raises
    ------
    CalculationFailed
        It is not finite.
    """
    energy = float(calc.get_property("energy", atoms))
    if not np.isfinite(energy):
        raise CalculationFailed(f"{calc!r} gave an energy that is not finite")
    return energy


def relaxed_positions(atoms: Atoms, calc: BaseCalculator, fmax: float, steps: int) -> Atoms:
    """A copy whose atoms have moved to a minimum of the energy within the cell; without calculator.

    Raises
    ------
    CalculationFailed
        The largest force is still above `fmax`, in eV/A, after so many steps.
    """
    work = atoms.copy()
    work.calc = calc
    with LBFGS(work, logfile=None, comm=DummyMPI()) as optimizer:
        converged = optimizer.run(fmax=fmax, steps=steps)
    if not converged:
        force = max_force(work, calc)
        raise CalculationFailed(f"not relaxed after {steps} steps: the largest force is still {force:.2g} eV/A")
    work.calc = None
    return work


@contextmanager
def located(where: str) -> Iterator[None]:
    """Say of a calculation that fails which one it was."""
    try:
        yield
    except CalculationFailed as error:
        raise CalculationFailed(f"{where}: {error}") from error


def in_words(stress: FloatArray) -> str:
    """The six components of a stress in GPa."""
    return f"{' '.join(f'{value:.3g}' for value in stress)} GPa (xx yy zz yz xz xy)"
