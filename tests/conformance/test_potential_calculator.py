"""The adapter passes the whole kit."""

from __future__ import annotations

import pytest
from ase import Atoms
from ase.build import bulk
from support.morse import MorseCalculator

from ase_mlips.testing import check_calculator


def rattled(atoms: Atoms, gold: int) -> Atoms:
    atoms.rattle(0.1, seed=3)
    atoms.symbols[gold] = "Au"
    return atoms


SYSTEMS = {
    "cubic": rattled(bulk("Cu", cubic=True), 2),
    "primitive, smaller than the cutoff": rattled(bulk("Cu").repeat((2, 1, 1)), 1),
    "triclinic": rattled(
        Atoms("Cu3", [[0, 0, 0], [2.5, 0.2, 0], [0.4, 1.1, 2.2]], cell=[5, 6, 7, 75, 83, 101], pbc=True), 0
    ),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_everything_passes(name):
    check_calculator(MorseCalculator, SYSTEMS[name]).raise_on_failure()


def test_other_keywords_change_nothing():
    check_calculator(lambda: MorseCalculator(skin=0.0, num_threads=1), SYSTEMS["cubic"]).raise_on_failure()
