"""What a calculator gives: ASE's contract on results and properties, with a potential that is a few lines of NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.calculator import (
    CalculatorSetupError,
    PropertyNotImplementedError,
)
from support import morse
from support.listing import listed
from support.morse import Morse, MorseCalculator

import ase_mlips.results
from ase_mlips.calculator import PotentialCalculator
from ase_mlips.potential import Evaluation


@pytest.fixture
def atoms() -> Atoms:
    return morse.crystal()


@pytest.fixture
def cluster() -> Atoms:
    return morse.cluster()


def test_results_hold_only_what_ase_knows_in_its_shapes(atoms):
    atoms.get_forces()
    shapes = {name: np.shape(value) for name, value in atoms.calc.results.items()}
    assert shapes == {
        "energy": (),
        "free_energy": (),
        "energies": (8,),
        "forces": (8, 3),
        "stress": (6,),
        "stresses": (8, 6),
    }
    assert type(atoms.calc.results["energy"]) is float
    assert atoms.calc.export_properties()["energy"] == atoms.get_potential_energy()


def test_results_are_those_of_the_potential(atoms):
    calculator = atoms.calc
    evaluation = calculator.potential.evaluate(*listed(calculator, atoms))
    stress = -evaluation.virials.sum(0) / atoms.get_volume()
    assert atoms.get_potential_energy() == pytest.approx(evaluation.energies.sum(), rel=1e-14)
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()
    np.testing.assert_array_equal(atoms.get_potential_energies(), evaluation.energies)
    np.testing.assert_array_equal(atoms.get_forces(), evaluation.forces)
    np.testing.assert_array_equal(calculator.get_virials(atoms), evaluation.virials)
    np.testing.assert_allclose(atoms.get_stress(voigt=False), (stress + stress.T) / 2, atol=1e-15)
    np.testing.assert_allclose(atoms.get_stresses().sum(0), atoms.get_stress(), atol=1e-15)


def test_stresses_are_symmetrised_virials_over_the_volume(cluster):
    cluster.set_cell([[7.0, 0.0, 0.5], [0.3, -8.0, 0.0], [0.0, 1.0, 9.0]])
    virials = cluster.calc.get_virials(cluster)
    assert np.abs(virials - virials.transpose(0, 2, 1)).max() > 1e-3
    expected = -(virials + virials.transpose(0, 2, 1)) / (2.0 * cluster.get_volume())
    np.testing.assert_allclose(cluster.get_stresses(voigt=False), expected, atol=1e-16)


def test_energy_of_many_atoms_is_summed_with_compensation():
    class Constant(Morse):
        def evaluate(self, neighbors, species, num_threads=1):
            n = len(species)
            return Evaluation(np.full(n, 0.1), np.zeros((n, 3)), np.zeros((n, 3, 3)))

    atoms = Atoms("Cu100000", cell=np.full(3, 200.0))
    atoms.positions = np.random.default_rng(0).uniform(0.0, 200.0, (100000, 3))
    atoms.calc = PotentialCalculator(Constant())
    assert atoms.get_potential_energy() == pytest.approx(1e4, rel=2e-16)


def test_no_stress_without_three_cell_vectors(atoms):
    atoms.pbc = [True, True, False]
    atoms.cell[2] = 0.0
    for getter in (atoms.get_stress, atoms.get_stresses):
        with pytest.raises(PropertyNotImplementedError, match="span a volume"):
            getter()
    assert atoms.calc.get_property("stress", atoms, allow_calculation=False) is None
    assert set(atoms.calc.results) == {"energy", "free_energy", "energies", "forces"}
    assert atoms.calc.potential.calls == 1


def test_unknown_properties_are_not_implemented(atoms):
    with pytest.raises(PropertyNotImplementedError, match="dipole"):
        atoms.get_dipole_moment()


def test_one_pass_serves_every_getter(atoms):
    atoms.get_potential_energy()
    atoms.get_potential_energy(force_consistent=True)
    atoms.get_potential_energies()
    atoms.get_forces()
    atoms.get_stress()
    atoms.get_stresses()
    atoms.calc.get_virials(atoms)
    atoms.calc.get_heat_flux(atoms)
    assert atoms.calc.potential.calls == 1


@pytest.mark.parametrize("method", ["get_virials", "get_heat_flux"])
def test_methods_of_our_own_calculate_when_needed(atoms, method):
    getattr(atoms.calc, method)(atoms)
    atoms.positions[0, 0] += 1e-3
    getattr(atoms.calc, method)(atoms)
    assert atoms.calc.potential.calls == 2
    atoms.get_forces()
    assert atoms.calc.potential.calls == 2


def test_calculate_may_be_called_directly(atoms):
    calculator = MorseCalculator()
    calculator.calculate(atoms)
    np.testing.assert_array_equal(calculator.results["forces"], atoms.get_forces())
    calculator.calculate(atoms, ["energy"], ["positions"])
    assert calculator.potential.calls == 2
    calculator.calculate()
    assert calculator.potential.calls == 3
    assert calculator.get_property("energy") == atoms.get_potential_energy()
    assert calculator.potential.calls == 3


def test_without_atoms_the_error_says_so():
    with pytest.raises(CalculatorSetupError, match="no atoms"):
        MorseCalculator().get_potential_energy()


def test_a_subclass_may_add_to_results(atoms):
    class Shifted(MorseCalculator):
        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            self.results["energy"] += 10.0

    energy = atoms.get_potential_energy()
    atoms.calc = Shifted()
    assert atoms.get_potential_energy() == pytest.approx(energy + 10.0)


def test_every_kernel_is_compiled_for_one_signature(atoms):
    for other in (atoms, Atoms(), atoms[::2]):
        atoms.calc.get_forces(other)
    compiled = getattr(ase_mlips.results._summarise, "signatures", None)
    if compiled is None:
        pytest.skip("kernels are not compiled in this run")
    assert len(compiled) == 1


def test_heat_flux_is_the_time_derivative_of_the_energy_moment(cluster):
    """For a free cluster J = d/dt sum_i r_i E_i, here along the exact motion to second order in time."""
    accelerations = cluster.get_forces() / cluster.get_masses()[:, None]
    positions, velocities = cluster.positions.copy(), cluster.get_velocities()

    def moment(t):
        cluster.positions = positions + t * velocities + 0.5 * t**2 * accelerations
        cluster.set_velocities(velocities + t * accelerations)
        kinetic = 0.5 * cluster.get_masses() * (cluster.get_velocities() ** 2).sum(1)
        return (kinetic + cluster.get_potential_energies()) @ cluster.positions

    flux = cluster.calc.get_heat_flux(cluster)
    step = 0.01 * units.fs
    derivative = (moment(step) - moment(-step)) / (2.0 * step)
    np.testing.assert_allclose(flux, derivative, atol=1e-6 * np.abs(derivative).max())


def test_heat_flux_follows_the_velocities_of_unchanged_positions(cluster):
    flux = cluster.calc.get_heat_flux(cluster)
    cluster.set_momenta(-cluster.get_momenta())
    np.testing.assert_allclose(cluster.calc.get_heat_flux(cluster), -flux, rtol=1e-12)
    assert cluster.calc.potential.calls == 1


def test_repr_is_short():
    assert repr(MorseCalculator()) == "MorseCalculator(Cu, Au, cutoff=5 A)"
