"""Published phonons of Stillinger-Weber silicon, with LAMMPS as the calculator."""

import importlib.util

import numpy as np
import pytest
from ase.build import bulk
from support.lammps_peer import require_lammps
from support.stillinger_weber import CAPACITY, CONDUCTIVITY, LATTICE, REFERENCE, stillinger_weber

from ase_mlips.phonons import conduct, phonons, third_order

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def calc(tmp_path_factory):
    require_lammps()
    return stillinger_weber(tmp_path_factory.mktemp("potential"))


def test_frequencies_and_heat_capacity(calc):
    result = phonons(bulk("Si", a=LATTICE, cubic=True), calc, supercell=2)
    for q, expected in REFERENCE.values():
        found = result.frequencies(q)[0]
        np.testing.assert_allclose(found[list(expected)], list(expected.values()), rtol=0, atol=1e-3)
    assert result.thermal([300.0], mesh=(32, 32, 32)).heat_capacity[0] == pytest.approx(CAPACITY, abs=2e-3)


@pytest.mark.skipif(importlib.util.find_spec("phono3py") is None, reason="phono3py is not here")
def test_thermal_conductivity_of_a_coarse_mesh(calc):
    """502, 275 and 132 W/(m K) on 11^3 points; the benchmark has the 19^3 points of `CONDUCTIVITY`."""
    made = third_order(bulk("Si", a=LATTICE, cubic=True), calc, supercell=2)
    found = conduct(made, mesh=(11, 11, 11), temperatures=np.array(list(CONDUCTIVITY)), method="rta")
    np.testing.assert_allclose(found.mean, [502.0, 275.0, 132.0], rtol=0.02)
