"""MTP through the conformance kit: ASE's contract, finite differences and the symmetries of physics."""

import pytest
from ase.build import bulk
from support.mtp_cells import as_atoms, crystal
from support.mtp_models import synthetic_mtp_model

from ase_mlips import MTP
from ase_mlips.testing import check_calculator


@pytest.mark.parametrize(
    ("name", "spacing"), [("l02_repuls", 2.6), ("l02_repuls", 1.85), ("l06", 2.6), ("l08", 2.6), ("l16", 2.6)]
)
def test_synthetic_models(name: str, spacing: float) -> None:
    """At the lower spacing (A) atoms are within the repulsion."""
    model = synthetic_mtp_model(name)
    check_calculator(lambda: MTP(model), as_atoms(model, crystal(model, seed=2, spacing=spacing))).raise_on_failure()


def test_a_bulk_crystal() -> None:
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.05, seed=0)
    check_calculator(lambda: MTP(synthetic_mtp_model("l16")), atoms).raise_on_failure()
