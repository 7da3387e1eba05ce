"""Cell and positions at the minimum of the energy, with the symmetry that they began with."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator, CalculationFailed
from ase.constraints import FixSymmetry
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from ase_mlips.analysis.tables import html_table

from .arguments import require_word
from .cells import SYMPREC, require_crystal, space_group

_LARGEST_STRAIN = 0.05  # in one step

What = Literal["cell", "shape", "positions"]


@dataclass(frozen=True, eq=False, repr=False)
class Relaxation:
    """A relaxed crystal.

    Attributes
    ----------
    atoms : Atoms
        Without calculator and constraints.
    energy : float
        eV, of all atoms.
    max_force : float
        Largest force left on an atom in eV/A.
    pressure : float or None
        Of the cell, in GPa; None where the calculator has no stress.
    steps : int
    space_group : str
        International symbol and number.
    """

    atoms: Atoms
    energy: float
    max_force: float
    pressure: float | None
    steps: int
    space_group: str

    def __repr__(self) -> str:
        name = self.atoms.get_chemical_formula()
        return f"Relaxation({name}, {self.space_group}, {self.steps} steps, {self.max_force:.2g} eV/A)"

    def _repr_html_(self) -> str:
        facts = {
            "crystal": f"{self.atoms.get_chemical_formula()}, {self.space_group}",
            "energy": f"{self.energy:.6f} eV",
            "largest force": f"{self.max_force:.2g} eV/A",
            "pressure": "not known" if self.pressure is None else f"{round(self.pressure, 4) + 0.0:g} GPa",
            "steps": str(self.steps),
        }
        return html_table(facts)


def relax(
    atoms: Atoms, calc: BaseCalculator, *, what: What = "cell", fmax: float = 1e-4, steps: int = 500
) -> Relaxation:
    """Relax a crystal under its space group; it may gain symmetry, but not lose it.

    Parameters
    ----------
    atoms : Atoms
        Periodic in three directions; not changed.
    what : {"cell", "shape", "positions"}
        The cell and the positions; the same at constant volume; the positions only.
    fmax : float
        Largest force in eV/A on an atom and, divided likewise, on the cell (`ase.filters.FrechetCellFilter`).
    steps : int
        Give up after so many.

    Raises
    ------
    ValueError
        `atoms` is not a crystal, or `what` is none of the words.
    CalculationFailed
        It did not converge.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.phonons import relax
    >>> relaxed = relax(bulk("Si", a=5.3), SNAP.embedded("Si"))
    >>> print(f"{relaxed.atoms.get_volume():.1f} A^3")
    40.9 A^3
    """
    require_crystal(atoms)
    require_word("what", what, get_args(What))
    space_group(atoms)  # raises where there is none
    work = atoms.copy()
    work.calc = calc
    work.set_constraint(FixSymmetry(work, symprec=SYMPREC))
    target = work if what == "positions" else FrechetCellFilter(work, constant_volume=what == "shape")
    # The filter lets steps of the cell grow with 1 / N; FixSymmetry fails where they are large.
    with (
        BFGS(target, logfile=None, maxstep=min(0.2, _LARGEST_STRAIN * len(work))) as optimizer,
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="logm result may be inaccurate")  # of the filter, by 1e-13
        converged = optimizer.run(fmax=fmax, steps=steps)
    force = max_force(work, calc)
    if not converged:
        raise CalculationFailed(f"not relaxed after {steps} steps: the largest force is still {force:.2g} eV/A")
    energy, pressure = work.get_potential_energy(), None
    if "stress" in calc.implemented_properties:
        pressure = float(-work.get_stress(apply_constraint=False)[:3].mean() / units.GPa)
    work.calc = None
    work.set_constraint()
    return Relaxation(work, float(energy), force, pressure, optimizer.nsteps, space_group(work))


def max_force(atoms: Atoms, calc: BaseCalculator) -> float:
    """Largest force on an atom in eV/A."""
    return float(np.linalg.norm(calc.get_property("forces", atoms), axis=1).max())
