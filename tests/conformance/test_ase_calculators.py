"""What the kit finds in two of ASE's own calculators (as of ASE 3.29)."""

from __future__ import annotations

import ase
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from packaging.version import Version

from ase_mlips.testing import check_calculator

# A race is lost only now and then: ASE's calculators keep the state of a calculation in attributes.
RACE = ("threads",)

pytestmark = pytest.mark.skipif(
    Version(ase.__version__) < Version("3.29"), reason="these are findings about ASE 3.29 and later"
)


def test_emt():
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[3] = "Au"
    atoms.rattle(0.1, seed=0)
    report = check_calculator(EMT, atoms, skip=RACE)
    assert set(report.failed) == {
        # It lists magmom and magmoms, but has them only if a calculation is asked for them by name.
        "implemented properties",
        # The base class counts them as changes unless a class lists them in ignored_changes.
        "charges and moments are ignored",
        # No check of the input: NaN in, NaN out.
        "nan is refused",
        # It keeps a lambda as an attribute, which pickle cannot save.
        "pickle and deepcopy",
    }
    details = [check.detail for check in report.checks if check.name == "stresses sum to stress"]
    assert details == ["not offered: stresses"]


@pytest.mark.parametrize("smooth", [True, False])
def test_lennard_jones(smooth):
    atoms = bulk("Ar", cubic=True, a=5.2)
    atoms.rattle(0.1, seed=0)
    report = check_calculator(lambda: LennardJones(sigma=3.4, epsilon=0.01, rc=7.0, smooth=smooth), atoms, skip=RACE)
    # For the same reasons as EMT.
    assert set(report.failed) == {"charges and moments are ignored", "nan is refused"}


def test_lennard_jones_with_a_jump_of_the_force_within_reach_of_the_difference():
    """A pair sits at the cutoff, where the unsmoothed force jumps: the finite difference sees one half of it."""
    atoms = Atoms("Ar2", [[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]], cell=[20.0, 20.0, 20.0], pbc=True)
    report = check_calculator(lambda: LennardJones(sigma=3.4, epsilon=1.0, rc=4.0), atoms, skip=RACE)
    assert "forces are minus the gradient" in report.failed
