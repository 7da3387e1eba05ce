"""Two atoms at one place: whatever is asked for, the answer is that it cannot be calculated, and for which atom."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from support.ace_models import synthetic_ace_models
from support.mtp_models import synthetic_mtp_model
from support.nep_models import synthetic_nep_models
from support.pod_models import synthetic_pod_model
from support.snap_models import network_models, synthetic_models

from ase_mlips import ACE, MTP, NEP, POD, SNAP

POTENTIAL = ["get_potential_energy", "get_forces", "get_virials", "get_descriptors"]
CHARGED = [*POTENTIAL, "get_latent_space", "get_charges", "get_born_effective_charges"]
CASES = {
    "nep4": (lambda: NEP(synthetic_nep_models()["nep4"]), [*POTENTIAL, "get_latent_space"]),
    "charge1": (lambda: NEP(synthetic_nep_models()["charge1"]), CHARGED),
    "charge3": (lambda: NEP(synthetic_nep_models()["charge3"]), CHARGED),
    "dipole": (lambda: NEP(synthetic_nep_models()["dipole"]), ["get_dipole_moment", "get_descriptors"]),
    "polarizability": (lambda: NEP(synthetic_nep_models()["polarizability"]), ["get_polarizability"]),
    "SNAP": (lambda: SNAP(synthetic_models()["two"]), [*POTENTIAL, "get_descriptor_gradients"]),
    "SNAP network": (lambda: SNAP(network_models()["network_two"]), [*POTENTIAL, "get_descriptor_gradients"]),
    "ACE": (lambda: ACE(synthetic_ace_models()["two"]), [*POTENTIAL, "get_descriptor_gradients"]),
    "ACE network": (lambda: ACE(synthetic_ace_models()["network_two"]), POTENTIAL),
    "POD": (lambda: POD(synthetic_pod_model("two_seven")), [*POTENTIAL, "get_descriptor_gradients"]),
    "POD clusters": (lambda: POD(synthetic_pod_model("clusters")), POTENTIAL),
    "MTP": (lambda: MTP(synthetic_mtp_model("l08")), [*POTENTIAL, "get_parameter_gradients"]),
}


def asked(case: str):
    make, getters = CASES[case]
    return [pytest.param(make, getter, id=f"{case}-{getter}") for getter in getters]


@pytest.mark.parametrize(("make", "getter"), [param for case in CASES for param in asked(case)])
def test_every_getter_names_the_first_of_them(make, getter):
    calc = make()
    elements = calc.potential.elements
    places = [[0, 0, 0], [2.5, 0, 0], [0, 2.5, 0], [2.5, 0, 0], [0, 0, 2.4], [9, 9, 9]]
    atoms = Atoms([elements[k % len(elements)] for k in range(6)], places, cell=[18, 18, 18], pbc=True)
    get = getattr(calc, getter)
    with pytest.raises(CalculationFailed, match=r"the model gave a value that is not finite, first for atom 1$"):
        get(atoms)
    atoms.positions[3] = [2.5, 2.5, 0.0]
    found = get(atoms)
    assert np.isfinite(getattr(found, "gradients", found)).all()


def test_grades(tmp_path):
    calc = MTP(synthetic_mtp_model("l06"), num_threads=1)
    frames = [Atoms("CuZr", [[0, 0, 0], [d, 0, 0]]) for d in (2.2, 2.5, 3.0)]
    with pytest.warns(UserWarning, match="says nothing about"):
        calc.select_active_set(frames)
    with pytest.raises(CalculationFailed, match=r"parameter gradients: .* first for atom 0"):
        calc.get_extrapolation_grade(Atoms("CuZr", np.zeros((2, 3))))
