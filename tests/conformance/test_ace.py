"""ACE through the conformance kit: ASE's contract, finite differences and the symmetries of physics."""

import pytest
from ase import Atoms
from support.ace_models import synthetic_ace_models
from support.evaluations import scattered

from ase_mlips import ACE
from ase_mlips.testing import check_calculator


@pytest.mark.parametrize("name", ["exp_cos", "pow", "zbl", "three", "network_two"])
def test_synthetic_models(name: str) -> None:
    model = synthetic_ace_models()[name]
    species, positions, cell, pbc = scattered(len(model.elements), count=8, edge=6.5, pbc=(True,) * 3, seed=4)
    atoms = Atoms([model.elements[s] for s in species], positions, cell=cell, pbc=pbc)
    check_calculator(lambda: ACE(model), atoms).raise_on_failure()
