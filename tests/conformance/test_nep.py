"""NEP through the conformance kit: ASE's contract, finite differences and the symmetries of physics."""

import pytest
from ase import Atoms
from ase.build import bulk
from support.nep_cells import rattled_cell
from support.nep_models import synthetic_nep_models

from ase_mlips import NEP
from ase_mlips.testing import check_calculator

MODELS = synthetic_nep_models()
# Not for a sum over reciprocal space: these open an axis, or put the atoms where there is no cell.
OPEN = ["pbc of each axis", "no cell", "no stress without a volume", "isolated atom", "every change is seen"]


def rattled(name: str, spacing: float = 2.6) -> Atoms:
    model = MODELS[name]
    species, positions, cell, pbc = rattled_cell(model, seed=2, spacing=spacing)
    return Atoms([model.elements[s] for s in species], positions, cell=cell, pbc=pbc)


@pytest.mark.parametrize(
    ("name", "spacing"),
    [
        ("nep3", 2.6),
        ("nep3_zbl_typewise", 1.9),
        ("nep4", 2.6),
        ("nep4_zbl_universal", 1.9),
        ("nep5", 2.6),
        ("nep5_zbl_flexible", 1.9),
        ("per_type_zbl", 1.9),
        ("charge3", 2.6),
        ("charge3_zbl", 1.9),
    ],
)
def test_synthetic_models(name: str, spacing: float) -> None:
    check_calculator(lambda: NEP(MODELS[name]), rattled(name, spacing)).raise_on_failure()


@pytest.mark.parametrize("name", ["charge1", "charge1_zbl", "charge2"])
def test_charges_in_reciprocal_space(name: str) -> None:
    """The energy jumps where a strain takes a wave vector across the end of the sum; here none is that close."""
    check_calculator(lambda: NEP(MODELS[name]), rattled(name), skip=OPEN).raise_on_failure()


def test_a_single_element() -> None:
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.05, seed=0)
    check_calculator(lambda: NEP(MODELS["nep4_one_zbl_universal"]), atoms).raise_on_failure()
