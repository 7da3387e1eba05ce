"""What a calculator hands to its potential."""

from __future__ import annotations

from ase import Atoms

from ase_mlips.arrays import IntArray
from ase_mlips.calculator import PotentialCalculator
from ase_mlips.engine.neighbors import NeighborList


def listed(calculator: PotentialCalculator, atoms: Atoms) -> tuple[NeighborList, IntArray]:
    """The neighbour list and the species of `atoms`, for one thread that asks the calculator nothing else meanwhile."""
    with calculator._listed(atoms) as listing:
        return listing
