"""Formation energy of a vacancy in supercells of several sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from ase_mlips.analysis.results import Interrupted, new_axes
from ase_mlips.phonons.cells import require_crystal, thicknesses

from ..arrays import FloatArray
from .crystals import Before, at_rest, energy_of, located, relaxed_positions
from .fields import chosen, require_count, require_lengths, require_positive
from .settings import Settings
from .sizes import in_all_sizes
from .traced import Traced, origin_of
from .yaml_files import conform

_NEAR = 1.3  # times the distance of the closest atom: those that are displaced
_DISPLACEMENT = 0.02  # A


@dataclass(frozen=True)
class VacancyRun(Settings):
    """Settings of `vacancy`.

    Attributes
    ----------
    sizes : tuple of float
        Least distances in A between opposite faces of the supercells.
    atom : int
        Index in the structure of the atom that is taken out.
    chemical_potential : float, optional
        Energy in eV of this atom where it goes to; in a crystal of one element that of an atom of the crystal.
    relax : {"cell", "shape", "positions", "none"}
        What is relaxed before, with the symmetry kept.
    fmax : float
        Largest force in eV/A at the end of a relaxation.
    steps : int
        Give up a relaxation after so many.
    """

    sizes: tuple[float, ...] = (8.0, 11.0, 14.0)
    atom: int = 0
    chemical_potential: float | None = None
    relax: Before = "cell"
    fmax: float = 0.005
    steps: int = 500

    def __post_init__(self) -> None:
        conform(self)
        require_lengths("sizes", self.sizes)
        require_count("atom", self.atom, 0)
        require_positive("fmax", self.fmax, "eV/A")
        require_count("steps", self.steps)


@dataclass(frozen=True, eq=False, repr=False)
class Vacancy(Traced):
    """Energy that a vacancy costs at constant volume, ``E(N - 1 atoms) - E(N atoms) + chemical potential``.

    There is no error bar, as nothing is random: the change from one size to the next says how far the energy is from
    that of a single vacancy.

    Attributes
    ----------
    formula, symbol : str
        Of the structure, and the element of the missing atom.
    chemical_potential : float
        eV.
    sizes : (S,) array
        Least distances in A between opposite faces of the supercells, ascending.
    atoms : (S,) array
        Number of atoms in the supercells without vacancy.
    unrelaxed, energies : (S,) array
        Formation energies in eV, before and after the atoms have moved.
    displacements : (S,) array
        Largest displacement of an atom in A.
    origin : str
        `provenance_of` the calculator as JSON.
    """

    formula: str
    symbol: str
    chemical_potential: float
    sizes: FloatArray
    atoms: FloatArray
    unrelaxed: FloatArray
    energies: FloatArray
    displacements: FloatArray
    origin: str = "{}"

    @property
    def formation_energy(self) -> float:
        """In eV, of the largest supercell."""
        return float(self.energies[-1])

    @property
    def change(self) -> float:
        """By how much the energy in eV differs from that in the supercell before; NaN where there is one only."""
        return float(self.energies[-1] - self.energies[-2]) if len(self.energies) > 1 else float("nan")

    @property
    def extrapolated(self) -> float:
        """In eV, for an infinite cell, linear in 1/N through the two largest; NaN where there is one only.

        The elastic interaction of a vacancy with its images falls with the volume of the supercell.
        """
        if len(self.energies) < 2:
            return float("nan")
        smaller, larger = self.atoms[-2:]
        return self.formation_energy + self.change * float(smaller / (larger - smaller))

    def facts(self) -> dict[str, str]:
        """The formation energy, and what is known of its convergence."""
        facts = {
            "vacancy": f"{self.symbol} in {self.formula}",
            "formation energy": f"{self.formation_energy:.4f} eV in {self.atoms[-1]:.0f} atoms",
            "unrelaxed": f"{self.unrelaxed[-1]:.4f} eV",
        }
        if len(self.energies) < 2:
            return facts | {"change with size": "not known, one size only"}
        return facts | {
            "change with size": f"{round(self.change, 4) + 0.0:+.4f} eV from {self.atoms[-2]:.0f} atoms",
            "extrapolated": f"{self.extrapolated:.4f} eV",
        }

    def columns(self) -> dict[str, FloatArray]:
        """What belongs to each supercell."""
        return {
            "atoms": self.atoms,
            "size (A)": self.sizes,
            "unrelaxed (eV)": self.unrelaxed,
            "formation energy (eV)": self.energies,
            "displacement (A)": self.displacements,
        }

    def plot(self, ax: Any = None) -> Any:
        """Draw the formation energies against 1/N, and their extrapolation; returns the Axes."""
        ax = new_axes(ax)
        inverse = 1000.0 / self.atoms
        ax.plot(inverse, self.unrelaxed, "s", color="gray", mfc="white", label="unrelaxed")
        (points,) = ax.plot(inverse, self.energies, "o", label=f"relaxed, {self.formation_energy:.3f} eV")
        if len(self.energies) > 1:
            ends, line = [0.0, inverse[-2]], [self.extrapolated, self.energies[-2]]
            label = f"extrapolated, {self.extrapolated:.3f} eV"
            ax.plot(ends, line, "--", color=points.get_color(), linewidth=1.0, label=label)
        ax.set(xlabel="1000 / number of atoms", ylabel="formation energy (eV)", xlim=(0.0, 1.1 * inverse.max()))
        ax.set_title(f"{self.symbol} vacancy in {self.formula}")
        ax.legend(frameon=False)
        return ax


def vacancy(atoms: Atoms, calc: BaseCalculator, settings: VacancyRun | None = None, **fields: Any) -> Vacancy:
    """Formation energy of a vacancy, neutral as potentials know no charge, in supercells of several sizes.

    The atoms beside the vacancy are moved by some 0.02 A, so that they can leave symmetric places, and all are relaxed
    to the next minimum, which need not be the lowest one.

    Parameters
    ----------
    atoms : Atoms
        Perfect crystal, not changed.
    calc : ASE calculator
    settings : VacancyRun, optional
    **fields
        Those of `VacancyRun`, in place of `settings`.

    Raises
    ------
    ValueError
        `atoms` is not a crystal, has forces or no atom of that index, or a setting is out of range; a compound without
        chemical potential; a supercell of one atom.
    CalculationFailed
        The crystal, or all sizes, did not relax or gave energies that are not finite.
    Interrupted
        After Ctrl-C, with the sizes that were complete.

    Warns
    -----
    UserWarning
        A size is left out because its calculation failed.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.runs import vacancy
    >>> found = vacancy(bulk("Mo", cubic=True), SNAP.embedded("Mo"), sizes=(6.0, 9.0))
    >>> print([f"{energy:.1f}" for energy in found.energies])
    ['2.8', '2.8']
    """
    run = chosen(VacancyRun, settings, fields)
    require_crystal(atoms, "a vacancy needs")
    if run.atom >= len(atoms):
        raise ValueError(f"atom: expected an index below {len(atoms)}, got {run.atom}")
    symbol = atoms.symbols[run.atom]
    if run.chemical_potential is None and len(set(atoms.symbols)) > 1:
        raise ValueError(
            f"chemical_potential: a compound does not say which energy {symbol} has where it goes to, give it in eV"
        )
    rest = at_rest(atoms, calc, run.relax, run.fmax, run.steps)
    mu = run.chemical_potential
    if mu is None:
        mu = energy_of(rest, calc) / len(rest)
    supercells = [rest * cells for cells in _repetitions(rest, run.sizes)]

    def measure(supercell: Atoms) -> tuple[float, ...]:
        with located(f"the supercell of {len(supercell)} atoms"):
            return _formation(supercell, calc, run, mu)

    rows, interrupted = in_all_sizes(supercells, measure, "supercells")
    found = Vacancy(rest.get_chemical_formula(), str(symbol), float(mu), *np.array(rows).T)
    found = replace(found, origin=origin_of(calc))
    if interrupted:
        raise Interrupted(found, len(rows))
    return found


def _repetitions(atoms: Atoms, sizes: tuple[float, ...]) -> list[tuple[int, int, int]]:
    """Different repetitions of the cell that reach the sizes, the smallest first."""
    single = thicknesses(atoms.cell.array)
    found = {tuple(int(count) for count in np.ceil(size / single - 1e-9)) for size in sizes}
    ordered = sorted(found, key=lambda counts: int(np.prod(counts)))
    if len(atoms) * int(np.prod(ordered[0])) == 1:
        raise ValueError(f"sizes: a supercell of {min(sizes):g} A has one atom, which leaves nothing; take larger ones")
    return [(a, b, c) for a, b, c in ordered]


def _formation(supercell: Atoms, calc: BaseCalculator, run: VacancyRun, mu: float) -> tuple[float, ...]:
    """Size in A, atoms, formation energies in eV before and after relaxation, and the largest displacement in A."""
    perfect = energy_of(supercell, calc)
    distances = supercell.get_distances(run.atom, range(len(supercell)), mic=True)
    near = np.delete(distances, run.atom)
    holed = supercell.copy()
    del holed[run.atom]
    before = energy_of(holed, calc) - perfect + mu
    moved = holed.copy()
    # By symmetry the atoms around might have no force along what lowers the energy.
    chosen_atoms = near < _NEAR * near.min()
    kicks = np.random.default_rng(0).normal(scale=_DISPLACEMENT, size=(int(chosen_atoms.sum()), 3))
    moved.positions[chosen_atoms] += kicks
    relaxed = relaxed_positions(moved, calc, run.fmax, run.steps)
    shift = float(np.linalg.norm(relaxed.positions - holed.positions, axis=1).max())
    size = float(thicknesses(supercell.cell.array).min())
    return size, float(len(supercell)), before, energy_of(relaxed, calc) - perfect + mu, shift
