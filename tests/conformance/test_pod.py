"""POD through the conformance kit: ASE's contract, finite differences and the symmetries of physics."""

import pytest
from ase import Atoms
from support.pod_models import pod_crystal, synthetic_pod_model

from ase_mlips import POD
from ase_mlips.testing import check_calculator


@pytest.mark.parametrize("name", ["four", "two_seven", "two_clusters"])
def test_synthetic_models(name: str) -> None:
    model = synthetic_pod_model(name)
    species, positions, cell, pbc = pod_crystal(model, seed=2)
    atoms = Atoms([model.elements[s] for s in species], positions, cell=cell, pbc=pbc)
    check_calculator(lambda: POD(model), atoms).raise_on_failure()
