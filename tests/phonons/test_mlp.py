"""An ASE calculator as phonopy's machine-learning potential."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from phonopy import Phonopy
from phonopy.sscha.core import MLPSSCHA
from support.springs import Springs, rock_salt

from ase_mlips import SNAP
from ase_mlips.phonons import CalculatorMLP
from ase_mlips.phonons.cells import new_phonopy, to_ase


def displaced(atoms, repeats, number):
    phonopy = new_phonopy(atoms, np.eye(3, dtype=int) * repeats)
    phonopy.generate_displacements(distance=0.05, number_of_snapshots=number, random_seed=3)
    return phonopy


@pytest.mark.parametrize(
    ("atoms", "make_calculator"),
    [(bulk("Si", a=5.46), lambda: SNAP.embedded("Si")), (bulk("Cu", a=3.6), EMT)],
    ids=["silicon", "copper"],
)
def test_evaluate_mlp(atoms, make_calculator):
    phonopy = displaced(atoms, 2, 3)
    phonopy.mlp = CalculatorMLP(make_calculator())
    phonopy.evaluate_mlp()
    for k, cell in enumerate(phonopy.supercells_with_displacements):
        alone = to_ase(cell)
        alone.calc = make_calculator()
        np.testing.assert_allclose(phonopy.forces[k], alone.get_forces(), rtol=0, atol=1e-12)
        assert phonopy.supercell_energies[k] == pytest.approx(alone.get_potential_energy(), abs=1e-10)


def test_stresses_in_the_order_of_phonopy():
    atoms = bulk("Si", a=5.46)
    cells = displaced(atoms, 2, 2).supercells_with_displacements
    mlp = CalculatorMLP(SNAP.embedded("Si"))
    assert mlp.mlp is mlp.calc
    energies, forces, stresses = mlp.evaluate(cells)
    assert (energies.shape, forces.shape, stresses.shape) == ((2,), (2, 16, 3), (2, 6))
    tensor = SNAP.embedded("Si").get_stress(to_ase(cells[1]))
    np.testing.assert_allclose(stresses[1], tensor[[0, 1, 2, 5, 3, 4]], atol=1e-12)


def test_no_stress():
    class WithoutStress(Springs):
        implemented_properties = ("energy", "forces")

    cells = displaced(rock_salt(), 2, 2).supercells_with_displacements
    stresses = CalculatorMLP(WithoutStress()).evaluate(cells)[2]
    assert stresses.shape == (2, 6)
    assert np.isnan(stresses).all()


def test_self_consistent_phonons_of_a_harmonic_crystal_are_the_harmonic_ones():
    springs = Springs()
    phonopy = displaced(rock_salt(), 2, 4)
    sscha = MLPSSCHA(
        phonopy, CalculatorMLP(springs), temperature=300.0, number_of_snapshots=6, max_iterations=1, random_seed=5
    )
    sscha.run()
    found = sscha.phonopy
    assert isinstance(found, Phonopy)
    q = np.array([0.5, 0.5, 0.5])
    wave_vector = 2.0 * np.pi * q @ np.linalg.inv(found.primitive.cell).T
    expected = springs.frequencies(wave_vector, Atoms("NaCl").get_masses()) * found.unit_conversion_factor
    np.testing.assert_allclose(found.run_qpoints([q]).frequencies[0], expected, rtol=1e-6)
