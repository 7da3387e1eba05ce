"""Published models of Zuo et al., J. Phys. Chem. A 124, 731 (2020), in place of crystals made for tests."""

import numpy as np
import pytest
from ase.build import bulk
from support.by_hand import elastic_tensor

from ase_mlips import load
from ase_mlips.phonons import relax
from ase_mlips.runs import elastic_constants, vacancy

CRYSTALS = {"Cu": ("fcc", 3.63), "Mo": ("bcc", 3.17), "Si": ("diamond", 5.46)}


def calculator(shared, element, kind):
    folder = shared / "data" / "models" / "mvl"
    if kind == "mtp":
        return load(folder / f"{element}_mtp.mtp", species=[element])
    return load(folder / f"{element}_{kind}.snapcoeff")


@pytest.mark.parametrize(("element", "kind"), [("Cu", "mtp"), ("Mo", "qsnap"), ("Si", "snap")])
def test_elastic_constants_by_hand(shared, element, kind):
    calc = calculator(shared, element, kind)
    lattice, a = CRYSTALS[element]
    found = elastic_constants(bulk(element, lattice, a=a), calc)
    rest = relax(bulk(element, lattice, a=a), calc, fmax=1e-5).atoms
    assert np.abs(found.tensor - elastic_tensor(rest, calc)).max() < 0.1
    assert found.stable


def test_a_vacancy_in_copper_converges(shared):
    found = vacancy(bulk("Cu", a=3.63, cubic=True), calculator(shared, "Cu", "mtp"), sizes=(7.0, 10.5, 14.0))
    assert found.atoms.tolist() == [32.0, 108.0, 256.0]
    assert abs(found.change) < 0.3 * abs(found.energies[1] - found.energies[0])
    assert found.formation_energy == pytest.approx(found.extrapolated, abs=0.002)
