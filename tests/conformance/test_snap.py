"""SNAP through the conformance kit: ASE's contract, finite differences and the symmetries of physics."""

import pytest
from ase import Atoms
from support.snap_models import network_models, rattled_cell, synthetic_models

from ase_mlips import SNAP
from ase_mlips.testing import check_calculator


@pytest.mark.parametrize(
    "name", ["tj6", "two", "quadratic_two", "chem_one", "zbl_beyond_snap", "two_inner", "network_two"]
)
def test_synthetic_models(name: str) -> None:
    model = (synthetic_models() | network_models())[name]
    species, positions, cell, pbc = rattled_cell(model, seed=2)
    atoms = Atoms([model.elements[s] for s in species], positions, cell=cell, pbc=pbc)
    check_calculator(lambda: SNAP(model), atoms).raise_on_failure()


@pytest.mark.parametrize("symbol", ["Si", "Mo"])
def test_embedded_models(symbol: str) -> None:
    from ase.build import bulk

    atoms = bulk(symbol, cubic=True)
    atoms.rattle(0.05, seed=0)
    check_calculator(lambda: SNAP.embedded(symbol), atoms).raise_on_failure()
