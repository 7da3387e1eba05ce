"""Cell and positions at the minimum of the energy, with the symmetry that they began with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator, CalculationFailed

from ase_mlips.analysis.tables import html_table
from ase_mlips.runs.relaxation import pressure_of, relax_in_place
from ase_mlips.runs.settings import RelaxRun

from .arguments import require_word
from .cells import require_crystal, space_group

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
    cell = what != "positions"
    settings = RelaxRun(cell=cell, constant_volume=what == "shape", symmetry=True, fmax=fmax, steps=steps)
    work = atoms.copy()
    work.calc = calc
    work.set_constraint()
    found = relax_in_place(work, settings)
    if found.interrupted:
        raise KeyboardInterrupt
    force = max_force(work, calc)
    if not found.converged:
        left = f"the largest force is still {force:.2g} eV/A"
        if what == "cell":
            left += f", and the largest stress {np.abs(work.get_stress()).max() / units.GPa:.2g} GPa"
        raise CalculationFailed(f"not relaxed after {steps} steps: {left}")
    energy = float(work.get_potential_energy())
    pressure = pressure_of(work) if "stress" in calc.implemented_properties else None
    work.calc = None
    return Relaxation(work, energy, force, pressure, found.steps, space_group(work))


def max_force(atoms: Atoms, calc: BaseCalculator) -> float:
    """Largest force on an atom in eV/A."""
    return float(np.linalg.norm(calc.get_property("forces", atoms), axis=1).max())
