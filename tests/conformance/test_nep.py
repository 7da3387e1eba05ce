"""NEP through the conformance kit: ASE's contract, finite differences and the symmetries of physics."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from support.nep_cells import rattled_cell
from support.nep_ewald_oracle import wave_vectors
from support.nep_models import synthetic_nep_models

from ase_mlips import NEP
from ase_mlips.testing import check_calculator

MODELS = synthetic_nep_models()
# Not for a sum over reciprocal space: these open an axis, or put the atoms where there is no cell.
OPEN = ["pbc of each axis", "no cell", "no stress without a volume", "isolated atom", "every change is seen"]


# Lattice vectors as long as a cutoff, of which there are many copies, would spoil finite differences: second
# derivatives jump there.  These spacings (A) avoid that; at the lower one atoms are within the nuclear repulsion.
WIDE, CLOSE = 2.6, 1.85


def rattled(name: str, spacing: float) -> Atoms:
    model = MODELS[name]
    species, positions, cell, pbc = rattled_cell(model, seed=2, spacing=spacing)
    return Atoms([model.elements[s] for s in species], positions, cell=cell, pbc=pbc)


@pytest.mark.parametrize(
    ("name", "spacing"),
    [
        ("nep3", WIDE),
        ("nep3_zbl_typewise", CLOSE),
        ("nep4", WIDE),
        ("nep4_zbl_universal", CLOSE),
        ("nep5", WIDE),
        ("nep5_zbl_flexible", CLOSE),
        ("per_type_zbl", CLOSE),
        ("charge3", WIDE),
        ("charge3_zbl", CLOSE),
    ],
)
def test_synthetic_models(name: str, spacing: float) -> None:
    check_calculator(lambda: NEP(MODELS[name]), rattled(name, spacing)).raise_on_failure()


@pytest.mark.parametrize("name", ["charge1", "charge1_zbl", "charge2"])
def test_charges_in_reciprocal_space(name: str) -> None:
    """The energy jumps where a strain takes a wave vector across the end of the sum, hence a cell where none does."""
    atoms = rattled(name, 2.4)
    end = 2.0 * np.pi**2 / MODELS[name].radial_cutoffs.max()
    lengths = np.linalg.norm(wave_vectors(atoms.cell.array, 1.1 * end), axis=1)
    assert np.abs(lengths / end - 1.0).min() > 1e-3  # more than any strain of the kit
    check_calculator(lambda: NEP(MODELS[name]), atoms, skip=OPEN).raise_on_failure()


def test_a_single_element() -> None:
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.05, seed=0)
    check_calculator(lambda: NEP(MODELS["nep4_one_zbl_universal"]), atoms).raise_on_failure()
