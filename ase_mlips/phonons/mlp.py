"""Any ASE calculator in the place of phonopy's own machine-learning potential."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase.calculators.calculator import BaseCalculator

from ..arrays import FloatArray
from .forces import evaluate

_VOIGT = [0, 1, 2, 5, 3, 4]  # xx yy zz xy yz zx, as phonopy's interface orders what ASE calls xx yy zz yz xz xy


class CalculatorMLP:
    """What phonopy and phono3py accept as ``mlp``, made of an ASE calculator.

    Then ``Phonopy.evaluate_mlp()``, phonopy's SSCHA and ``Phono3py.evaluate_mlp()`` run with it.

    Parameters
    ----------
    calc : ASE calculator

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.phonons import CalculatorMLP, phonons
    >>> calc = SNAP.embedded("Si")
    >>> phonopy = phonons(bulk("Si"), calc, supercell=4, relaxed="cell").phonopy
    >>> phonopy.generate_displacements(distance=0.05, number_of_snapshots=2, random_seed=0)
    >>> phonopy.mlp = CalculatorMLP(calc)
    >>> phonopy.evaluate_mlp()
    >>> phonopy.forces.shape
    (2, 128, 3)
    """

    def __init__(self, calc: BaseCalculator) -> None:
        self.calc = calc

    @property
    def mlp(self) -> BaseCalculator:
        """The calculator, under the name that phonopy's class has for its potential."""
        return self.calc

    def evaluate(self, supercells_with_displacements: Sequence[Any]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Energies (n,) in eV, forces (n, N, 3) in eV/A and stresses (n, 6) in eV/A^3, xx yy zz xy yz zx.

        The stresses are NaN where the calculator has none; neither `Phonopy.evaluate_mlp` nor the SSCHA looks at them.
        """
        names = ["forces", "energy"] + ["stress"] * ("stress" in self.calc.implemented_properties)
        results = evaluate(list(supercells_with_displacements), self.calc, names)
        count = len(results["energy"])
        stresses = results["stress"][:, _VOIGT] if "stress" in results else np.full((count, 6), np.nan)
        return results["energy"], results["forces"], stresses
