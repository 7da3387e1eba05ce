"""Time that the adapter itself takes, beside ASE's own base class, with a potential that does nothing.

Usage: python tests/benchmarks/overhead.py [number of atoms ...]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes

from ase_mlips.calculator import PotentialCalculator
from ase_mlips.potential import Evaluation


class NullPotential:
    """Returns arrays that were prepared before."""

    elements = ("Si",)
    cutoff = 5.0

    def __init__(self, atoms: int) -> None:
        self.prepared = Evaluation(np.zeros(atoms), np.zeros((atoms, 3)), np.zeros((atoms, 3, 3)))

    def evaluate(self, neighbors: object, species: object, num_threads: int = 1) -> Evaluation:
        return self.prepared


class NullNeighborList:
    def update(self, positions: object, cell: object, pbc: object) -> bool:
        return False


class BaseClassCalculator(Calculator):
    """What a calculator does that follows ASE's documentation."""

    implemented_properties = PotentialCalculator.implemented_properties

    def __init__(self, potential: NullPotential) -> None:
        super().__init__()
        self.potential = potential

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        evaluation = self.potential.evaluate(None, None)
        stresses = evaluation.virials.reshape(-1, 9)[:, [0, 4, 8, 5, 2, 1]] / -self.atoms.get_volume()
        energy = evaluation.energies.sum()
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "energies": evaluation.energies,
            "forces": evaluation.forces,
            "stress": stresses.sum(0),
            "stresses": stresses,
        }


def adapter(atoms: int) -> PotentialCalculator:
    """A calculator with nothing behind the adapter."""
    calculator = PotentialCalculator(NullPotential(atoms))
    calculator._neighbor_list = NullNeighborList()
    return calculator


def fastest(call: Callable[[], object], repeats: int = 40, calls: int = 250) -> float:
    """Microseconds of CPU time per call: the smallest mean of `repeats` runs."""
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        for _ in range(calls):
            call()
        times.append((time.thread_time() - start) / calls)
    return 1e6 * min(times)


def measure(atoms: Atoms) -> tuple[float, float]:
    """Microseconds of get_forces after a move (the move not counted) and for unchanged atoms."""
    positions = atoms.positions

    def move() -> None:
        positions[0, 0] += 1e-9

    def move_and_get() -> None:
        positions[0, 0] += 1e-9
        atoms.get_forces()

    atoms.get_forces()
    return fastest(move_and_get) - fastest(move), fastest(atoms.get_forces)


def main(sizes: list[int]) -> None:
    print(f"{'atoms':>6} {'':24} {'after a move':>14} {'unchanged':>12}   (us per get_forces)")
    for size in sizes:
        for name, calculator in (("PotentialCalculator", adapter(size)), ("ASE's base class", None)):
            atoms = bulk("Si", cubic=True)
            atoms = atoms.repeat((-(-size // 8), 1, 1))[:size]
            atoms.calc = calculator or BaseClassCalculator(NullPotential(size))
            moved, unchanged = measure(atoms)
            print(f"{size:6d} {name:24} {moved:14.2f} {unchanged:12.2f}")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [8, 1000])
