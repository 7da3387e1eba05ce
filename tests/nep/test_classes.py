"""The class of calculator that a NEP model calls for."""

from __future__ import annotations

import copy
import pickle

import pytest
from ase.calculators.calculator import get_calculator_class
from support.nep_models import synthetic_nep_models

from ase_mlips import NEP, load
from ase_mlips.calculator import PotentialCalculator
from ase_mlips.nep import QNEP, NEPDipole, NEPPolarizability, write_nep

MODELS = synthetic_nep_models()
ENERGIES = PotentialCalculator.implemented_properties
CLASSES = {
    "nep3": (NEP, ENERGIES),
    "nep5": (NEP, ENERGIES),
    "charge1_zbl": (QNEP, [*ENERGIES, "charges"]),
    "charge3": (QNEP, [*ENERGIES, "charges"]),
    "dipole": (NEPDipole, ["dipole"]),
    "polarizability": (NEPPolarizability, []),
}


@pytest.mark.parametrize("name", CLASSES)
def test_a_model_gets_the_class_of_what_it_gives(name, tmp_path):
    write_nep(tmp_path / "nep.txt", MODELS[name])
    expected, properties = CLASSES[name]
    made = [
        NEP(MODELS[name], skin=0.5),
        NEP(tmp_path / "nep.txt", skin=0.5),
        NEP(model=str(tmp_path / "nep.txt"), skin=0.5),
        load(tmp_path / "nep.txt", skin=0.5),
        expected(tmp_path / "nep.txt", skin=0.5),
        NEP(MODELS[name], skin=0.5).subset(MODELS[name].elements),
    ]
    for calculator in [*made, copy.deepcopy(made[0]), pickle.loads(pickle.dumps(made[0]))]:
        assert type(calculator) is expected
        assert isinstance(calculator, NEP)
        assert calculator.implemented_properties == properties
        assert "implemented_properties" not in vars(calculator)
        assert calculator.parameters["skin"] == 0.5
        assert calculator.model == MODELS[name]


@pytest.mark.parametrize("kind", [NEP, QNEP, NEPDipole, NEPPolarizability])
def test_ase_finds_the_class_by_the_name_that_it_stores(kind):
    name = next(name for name, (expected, _) in CLASSES.items() if expected is kind)
    assert get_calculator_class(NEP(MODELS[name]).name) is kind


def test_a_model_of_another_class_is_refused(tmp_path):
    write_nep(tmp_path / "nep.txt", MODELS["nep4"])
    for model in (MODELS["nep4"], tmp_path / "nep.txt"):
        with pytest.raises(ValueError, match="expected a model for NEPDipole, got one for NEP: nep4"):
            NEPDipole(model)
    with pytest.raises(ValueError, match="expected a model for QNEP, got one for NEPPolarizability: nep4_polariz"):
        QNEP(MODELS["polarizability"])


def test_a_class_of_ones_own_stays_what_it_is():
    class Named(NEP):
        def __init__(self, name, model):
            self.title = name
            super().__init__(model)

    calculator = Named("mine", MODELS["nep4"])
    assert type(calculator) is Named
    assert type(copy.deepcopy(calculator)) is Named
    assert copy.deepcopy(calculator).title == "mine"
