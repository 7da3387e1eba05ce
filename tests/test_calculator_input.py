"""What a calculator accepts as atoms, and how it refuses the rest and results that are not finite."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import (
    CalculationFailed,
    CalculatorSetupError,
)
from support import morse
from support.morse import Morse, MorseCalculator

from ase_mlips.calculator import PotentialCalculator


@pytest.fixture
def atoms() -> Atoms:
    return morse.crystal()


class Spoiled(Morse):
    """Gives NaN in one array once `name` is set."""

    name = ""

    def evaluate(self, neighbors, species, num_threads=1):
        evaluation = super().evaluate(neighbors, species, num_threads)
        if self.name:
            getattr(evaluation, self.name)[2] = np.nan
        return evaluation


def test_number_of_atoms_may_change(atoms):
    calculator = atoms.calc
    for other in (atoms, atoms[:5], atoms * (1, 2, 1), Atoms("Au"), Atoms(), atoms):
        forces = calculator.get_forces(other)
        np.testing.assert_allclose(forces, MorseCalculator().get_forces(other), atol=1e-13)
        assert forces.shape == (len(other), 3)


def test_zero_atoms_and_an_isolated_atom():
    for atoms in (Atoms(), Atoms("Cu")):
        atoms.calc = MorseCalculator()
        assert atoms.get_potential_energy() == 0.0
        assert not atoms.get_forces().any()


def test_any_layout_and_type_of_positions_is_accepted(atoms):
    expected = atoms.get_forces()
    atoms.arrays["positions"] = np.asfortranarray(atoms.positions)
    np.testing.assert_array_equal(atoms.get_forces(), expected)
    atoms.arrays["positions"].flags.writeable = False
    np.testing.assert_array_equal(atoms.get_forces(), expected)
    assert atoms.calc.potential.calls == 1
    atoms.arrays["positions"] = atoms.positions.astype(np.float32)
    np.testing.assert_allclose(atoms.get_forces(), expected, atol=1e-4)


@pytest.mark.parametrize(("symbol", "name"), [("Si", "Si"), ("X", "X")])
def test_a_foreign_element_is_named(atoms, symbol, name):
    atoms.symbols[3] = symbol
    with pytest.raises(CalculatorSetupError, match=f"atom 3 is {name}; this MorseCalculator covers only Cu, Au"):
        atoms.get_forces()


@pytest.mark.parametrize("number", [-1, 119, 4000])
def test_a_number_of_no_element_is_named(atoms, number):
    atoms.numbers[0] = number
    with pytest.raises(CalculatorSetupError, match=f"atom 0 is atomic number {number}"):
        atoms.get_forces()


def test_elements_of_a_potential_must_be_chemical_symbols():
    class Nameless(Morse):
        elements = ("Cu", "type2")

    with pytest.raises(CalculatorSetupError, match="'type2' is not a chemical symbol"):
        PotentialCalculator(Nameless())


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("array", ["positions", "cell"])
def test_input_that_is_not_finite_is_refused_and_leaves_nothing(atoms, value, array):
    expected = atoms.get_forces()
    kept = getattr(atoms, array)[1, 2]
    getattr(atoms, array)[1, 2] = value
    for _ in range(2):
        with pytest.raises(CalculatorSetupError, match="finite"):
            atoms.get_forces()
    assert atoms.calc.results == {}
    assert atoms.calc.get_property("forces", atoms, allow_calculation=False) is None
    getattr(atoms, array)[1, 2] = kept
    np.testing.assert_allclose(atoms.get_forces(), expected, atol=1e-13)


@pytest.mark.parametrize("name", ["energies", "forces", "virials"])
def test_a_result_that_is_not_finite_is_named_and_leaves_nothing(atoms, name):
    atoms.calc = PotentialCalculator(Spoiled())
    atoms.get_forces()
    atoms.calc.potential.name = name
    atoms.positions[0] += 0.01
    for _ in range(2):
        with pytest.raises(CalculationFailed, match=f"{name}: .* atom 2"):
            atoms.get_potential_energy()
    assert atoms.calc.results == {}
    assert atoms.calc.atoms is None
    atoms.calc.potential.name = ""
    assert np.isfinite(atoms.get_potential_energy())
