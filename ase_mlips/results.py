"""What a calculation was asked for and what ASE is told: the state of the atoms, and results of the right shapes."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed, Calculator
from ase.calculators.singlepoint import SinglePointCalculator

from .arrays import FloatArray
from .engine.jit import kernel
from .potential import Evaluation

CHANGES = ("positions", "numbers", "cell", "pbc")


class Snapshot:
    """What a calculation was asked for, safe from later changes of the user's atoms."""

    __slots__ = ("_atoms", "arrays", "cell", "key", "pbc", "positions", "rest")

    def __init__(self, atoms: Atoms) -> None:
        self.key = state_key(atoms)
        self.arrays = {name: array.copy() for name, array in atoms.arrays.items()}
        self.positions: FloatArray = np.ascontiguousarray(self.arrays["positions"], np.float64)
        self.cell: FloatArray = atoms.cell.array.copy()
        self.pbc = atoms.pbc.copy()
        self.rest = (atoms.info, atoms.constraints, atoms.get_celldisp())
        self._atoms: Atoms | None = None

    @property
    def atoms(self) -> Atoms:
        if self._atoms is None:
            info, constraints, celldisp = self.rest
            self._atoms = Atoms(cell=self.cell, pbc=self.pbc, info=info, celldisp=celldisp)
            self._atoms.arrays = {name: array.copy() for name, array in self.arrays.items()}
            self._atoms.constraints = deepcopy(constraints)
        return self._atoms


def state_key(atoms: Atoms) -> tuple[bytes, bytes, bytes, bytes]:
    """What determines the results, in the order of `CHANGES`; copying the bytes beats comparing arrays."""
    arrays = atoms.arrays
    return arrays["positions"].tobytes(), arrays["numbers"].tobytes(), atoms.cell.array.tobytes(), atoms.pbc.tobytes()


def ase_results(evaluation: Evaluation, cell: FloatArray) -> dict[str, Any]:
    """ASE's results; the arrays may be those of `evaluation`, since getters copy."""
    stresses = np.empty((len(evaluation.energies), 6))
    totals = np.empty(8)
    if not _summarise(evaluation.energies, evaluation.forces, evaluation.virials, cell, stresses, totals):
        for name in ("energies", "forces", "virials"):
            checked(name, getattr(evaluation, name))
    energy = float(totals[0])
    results = {"energy": energy, "free_energy": energy, "energies": evaluation.energies, "forces": evaluation.forces}
    if totals[7] > 0.0:
        results["stress"] = totals[1:7]
        results["stresses"] = stresses
    return results


@kernel
def _summarise(
    energies: FloatArray,
    forces: FloatArray,
    virials: FloatArray,
    cell: FloatArray,
    stresses: FloatArray,
    totals: FloatArray,
) -> bool:
    """Fill totals (energy, six of stress, volume) and stresses (N, 6); True if everything is finite."""
    volume = 0.0
    for a in range(3):
        b, c = (a + 1) % 3, (a + 2) % 3
        volume += cell[0, a] * (cell[1, b] * cell[2, c] - cell[1, c] * cell[2, b])
    volume = abs(volume)
    scale = -0.5 / volume if volume > 0.0 else 0.0
    totals[:] = 0.0
    totals[7] = volume
    lost = 0.0
    finite = True
    for i in range(energies.size):
        # Compensated: a difference of two energies of many atoms is what finite differences and NVE drift look at.
        term = energies[i] - lost
        total = totals[0] + term
        lost = (total - totals[0]) - term
        totals[0] = total
        finite &= np.isfinite(energies[i])
        for a in range(3):
            finite &= np.isfinite(forces[i, a])
            b, c = (a + 1) % 3, (a + 2) % 3
            stresses[i, a] = 2.0 * scale * virials[i, a, a]
            stresses[i, 3 + a] = scale * (virials[i, b, c] + virials[i, c, b])
            for d in range(3):
                finite &= np.isfinite(virials[i, a, d])
        for k in range(6):
            totals[1 + k] += stresses[i, k]
    return finite


def checked(name: str, values: FloatArray, of_atoms: Callable[[], FloatArray] | None = None) -> FloatArray:
    """`values`, or CalculationFailed if they are not finite, as they are where two atoms coincide.

    Parameters
    ----------
    name : str
        What they are.
    values : array
        A row for each atom, or else `of_atoms` gives an array that has one and is not finite for the same reason.
    """
    if np.isfinite(values).all():
        return values
    lost = np.argwhere(~np.isfinite(values if of_atoms is None else of_atoms()))
    place = f", first for atom {lost[0, 0]}" if len(lost) else ""
    raise CalculationFailed(f"{name}: the model gave a value that is not finite{place}")


class _Kept(SinglePointCalculator):  # type: ignore[misc]
    """Results of atoms that nobody changes before they are written; ASE would compare these for each of them."""

    def __init__(self, results: dict[str, Any]) -> None:
        Calculator.__init__(self)
        self.results = results

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        return []


def results_frame(atoms: Atoms, results: dict[str, Any]) -> Atoms:
    """Copy of `atoms`, to be written, that carries energy, forces and, where there is one, stress."""
    frame = atoms.copy()
    kept: dict[str, Any] = {key: np.copy(results[key]) for key in ("forces", "stress") if key in results}
    if "energy" in results:
        kept["energy"] = results["energy"]
    frame.calc = _Kept(kept)
    return frame
