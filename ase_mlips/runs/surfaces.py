"""Energy of a surface from slabs of several thicknesses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.build import surface as slab_of
from ase.calculators.calculator import BaseCalculator

from ase_mlips.analysis.results import Interrupted, new_axes
from ase_mlips.phonons.cells import require_crystal

from ..arrays import FloatArray
from .crystals import Before, at_rest, energy_of, located, relaxed_positions
from .fields import chosen, require_count, require_lengths, require_positive
from .settings import Settings
from .sizes import in_all_sizes
from .traced import Traced, origin_of
from .yaml_files import conform

_JOULE = 1e20 / units.kJ * 1e3  # J/m^2 in an eV/A^2
_ASIDE = 1e-3  # A: no plane of atoms lies on the cut, on whose side rounding would decide


@dataclass(frozen=True)
class SurfaceRun(Settings):
    """Settings of `surface_energy`.

    Attributes
    ----------
    miller : tuple of three int
        Miller indices in the cell of the structure, so that a cubic crystal should come as its cubic cell.
    thicknesses : tuple of float
        Least thicknesses of the slabs in A.
    vacuum : float
        On each side of a slab, in A.
    cut : float, optional
        Height at which the crystal is cut, from 0 to 1 in units of the distance of the lattice planes; it decides which
        atoms are at the surface.  By default the middle of the widest gap between atoms.
    relax : {"cell", "shape", "positions", "none"}
        What of the crystal is relaxed before, with the symmetry kept.
    fmax : float
        Largest force in eV/A at the end of a relaxation.
    steps : int
        Give up a relaxation after so many.
    """

    miller: tuple[int, int, int] = (1, 0, 0)
    thicknesses: tuple[float, ...] = (8.0, 12.0, 16.0)
    vacuum: float = 10.0
    cut: float | None = None
    relax: Before = "cell"
    fmax: float = 0.005
    steps: int = 500

    def __post_init__(self) -> None:
        conform(self)
        if not any(self.miller):
            raise ValueError(f"miller: expected three integers, not all zero, got {self.miller!r}")
        require_lengths("thicknesses", self.thicknesses)
        require_positive("vacuum", self.vacuum, "A")
        if self.cut is not None and not 0.0 <= self.cut < 1.0:
            raise ValueError(f"cut: expected a number from 0 to below 1, got {self.cut!r}")
        require_positive("fmax", self.fmax, "eV/A")
        require_count("steps", self.steps)


@dataclass(frozen=True, eq=False, repr=False)
class SurfaceEnergy(Traced):
    """Energy per area that a surface costs; where both faces of the slab differ, the mean of both.

    There is no error bar, as nothing is random: the change from one thickness to the next says how far the energy is
    from that of a thick crystal.

    Attributes
    ----------
    formula : str
    miller : tuple of three int
    area : float
        Of one face of the slabs, in A^2.
    thicknesses : (S,) array
        Of the slabs before relaxation, their volume in the crystal by the area, in A, ascending.
    atoms : (S,) array
        Numbers of atoms of the slabs.
    unrelaxed, energies : (S,) array
        J/m^2, before and after the atoms have moved.
    origin : str
        `provenance_of` the calculator as JSON.
    """

    formula: str
    miller: tuple[int, int, int]
    area: float
    thicknesses: FloatArray
    atoms: FloatArray
    unrelaxed: FloatArray
    energies: FloatArray
    origin: str = "{}"

    @property
    def energy(self) -> float:
        """In J/m^2, of the thickest slab."""
        return float(self.energies[-1])

    @property
    def change(self) -> float:
        """By how much the energy in J/m^2 differs from that of the slab before; NaN where there is one only."""
        return float(self.energies[-1] - self.energies[-2]) if len(self.energies) > 1 else float("nan")

    def facts(self) -> dict[str, str]:
        """The energy, and what is known of its convergence."""
        known = len(self.energies) > 1
        last = (
            f"{round(self.change, 4) + 0.0:+.4f} J/m^2 from {self.thicknesses[-2]:.1f} A"
            if known
            else "not known, one only"
        )
        return {
            "surface": f"{self.formula} {_in_words(self.miller)}",
            "energy": f"{self.energy:.4f} J/m^2 ({1e3 * self.energy / _JOULE:.2f} meV/A^2)",
            "unrelaxed": f"{self.unrelaxed[-1]:.4f} J/m^2",
            "slab": f"{self.atoms[-1]:.0f} atoms, {self.thicknesses[-1]:.1f} A",
            "change with thickness": last,
        }

    def columns(self) -> dict[str, FloatArray]:
        """What belongs to each slab."""
        return {
            "thickness (A)": self.thicknesses,
            "atoms": self.atoms,
            "unrelaxed (J/m^2)": self.unrelaxed,
            "energy (J/m^2)": self.energies,
        }

    def plot(self, ax: Any = None) -> Any:
        """Draw the energies against the thickness of the slab; returns the Axes."""
        ax = new_axes(ax)
        ax.plot(self.thicknesses, self.unrelaxed, "s--", color="gray", mfc="white", label="unrelaxed")
        ax.plot(self.thicknesses, self.energies, "o-", label=f"relaxed, {self.energy:.3f} J/m$^2$")
        ax.set(xlabel="thickness of the slab (Å)", ylabel="surface energy (J/m$^2$)")
        ax.set_title(f"{self.formula} {_in_words(self.miller)}")
        ax.legend(frameon=False)
        return ax


def surface_energy(
    atoms: Atoms, calc: BaseCalculator, settings: SurfaceRun | None = None, **fields: Any
) -> SurfaceEnergy:
    """Energy of a surface, relaxed within its smallest cell: a reconstruction in larger ones is not found.

    Slabs are made of whole cells by `ase.build.surface`, and so have the composition of the crystal.

    Parameters
    ----------
    atoms : Atoms
        Crystal, not changed.
    calc : ASE calculator
    settings : SurfaceRun, optional
    **fields
        Those of `SurfaceRun`, in place of `settings`.

    Raises
    ------
    ValueError
        `atoms` is not a crystal or has forces, or a setting is out of range.
    CalculationFailed
        The crystal, or all slabs, did not relax or gave energies that are not finite.
    Interrupted
        After Ctrl-C, with the slabs that were complete.

    Warns
    -----
    UserWarning
        A slab is left out because its calculation failed.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.runs import surface_energy
    >>> found = surface_energy(bulk("Mo", cubic=True), SNAP.embedded("Mo"), miller=(1, 1, 0))
    >>> print(f"{found.energy:.1f} J/m^2")
    2.4 J/m^2
    """
    run = chosen(SurfaceRun, settings, fields)
    require_crystal(atoms, "a surface needs")
    rest = at_rest(atoms, calc, run.relax, run.fmax, run.steps)
    single = energy_of(rest, calc) / len(rest)
    divisor = gcd(*run.miller)
    miller = (run.miller[0] // divisor, run.miller[1] // divisor, run.miller[2] // divisor)
    reciprocal = np.asarray(miller) @ rest.cell.reciprocal()
    distance = 1.0 / float(np.linalg.norm(reciprocal))
    cut = _widest_gap(rest.positions @ reciprocal) if run.cut is None else run.cut
    rest.positions += reciprocal * distance * (_ASIDE - cut * distance)
    planes = sorted({int(np.ceil(thickness / distance - 1e-9)) for thickness in run.thicknesses})
    slabs = [slab_of(rest, miller, count, vacuum=run.vacuum, periodic=True) for count in planes]
    area = float(np.linalg.norm(np.cross(*slabs[0].cell.array[:2])))

    def measure(slab: Atoms) -> tuple[float, ...]:
        with located(f"the slab of {len(slab)} atoms"):
            states = slab, relaxed_positions(slab, calc, run.fmax, run.steps)
            costs = [_JOULE * (energy_of(state, calc) - len(slab) * single) / (2.0 * area) for state in states]
        return float(len(slab) / len(rest)) * rest.get_volume() / area, float(len(slab)), *costs

    rows, interrupted = in_all_sizes(slabs, measure, "slabs")
    found = SurfaceEnergy(rest.get_chemical_formula(), miller, area, *np.array(rows).T)
    found = replace(found, origin=origin_of(calc))
    if interrupted:
        raise Interrupted(found, len(rows))
    return found


def _widest_gap(heights: FloatArray) -> float:
    """Middle of the widest gap between heights that repeat after one."""
    ordered = np.sort(heights % 1.0)
    gaps = np.diff(np.append(ordered, ordered[0] + 1.0))
    widest = int(np.argmax(gaps > gaps.max() - 1e-3))  # the first of those that are equal but for rounding
    return float((ordered[widest] + 0.5 * gaps[widest]) % 1.0)


def _in_words(miller: tuple[int, int, int]) -> str:
    return f"({''.join(f'{index}' if index >= 0 else f'-{-index}' for index in miller)})"
