"""Grüneisen parameters and thermal expansion, of a crystal in which both are known in closed form."""

from dataclasses import replace

import numpy as np
import phonopy
import pytest
from ase import units
from ase.calculators.calculator import CalculationFailed
from phonopy import Phonopy
from support.springs import Springs, rock_salt

from ase_mlips.phonons import Gruneisen, Phonons, QuasiHarmonic, gruneisen, phonons, quasi_harmonic
from ase_mlips.phonons.cells import to_phonopy
from ase_mlips.phonons.forces import evaluate

GAMMA = 1.7


def test_every_mode_has_the_parameter_of_the_springs(tmp_path):
    springs = Springs(gamma=GAMMA)
    result = gruneisen(phonons(rock_salt(), springs, supercell=2), springs, strain=0.005, mesh=(6, 6, 6))
    known = np.isfinite(result.parameters)
    assert np.count_nonzero(~known) == 3  # the translations
    # The difference quotient is off by (2 g + 1)(2 g + 2) strain^2 / 6.
    np.testing.assert_allclose(result.parameters[known], GAMMA, rtol=2e-4)
    assert result.weights.sum() == pytest.approx(1.0)
    assert result.mean(300.0) == pytest.approx(GAMMA, rel=2e-4)
    result.save(tmp_path / "gruneisen.npz")
    assert Gruneisen.load(tmp_path / "gruneisen.npz").mean(300.0) == result.mean(300.0)
    assert len(result.plot().lines) == 6


def test_the_mean_weights_modes_by_their_heat_capacity():
    frequencies = np.array([[1.0, 30.0]])
    result = Gruneisen(np.zeros((1, 3)), np.ones(1), frequencies, np.array([[1.0, 3.0]]))
    assert result.mean(20.0) == pytest.approx(1.0)
    assert result.mean(1e5) == pytest.approx(2.0, rel=1e-3)


def test_the_mean_at_hardly_any_temperature_is_that_of_the_slowest_mode():
    result = Gruneisen(np.zeros((1, 3)), np.ones(1), np.array([[1.0, 30.0]]), np.array([[1.0, 3.0]]))
    assert result.mean(0.01) == pytest.approx(1.0)


def test_born_charges_stay_at_other_volumes():
    springs = Springs(gamma=GAMMA)
    polar = phonons(rock_salt(), springs, supercell=2).with_born_charges(
        np.array([1.0, -1.0])[:, None, None] * np.eye(3), 3.0 * np.eye(3)
    )
    result = gruneisen(polar, springs, strain=0.005, mesh=(4, 4, 4))
    volume = polar.primitive.get_volume()
    at = []
    for strain in (-0.005, 0.005):
        other = phonons(rock_salt(volume=0.5 * volume * (1.0 + strain)), springs, supercell=2)
        at.append(other.with_born_charges(polar.phonopy.nac_params["born"], 3.0 * np.eye(3)))
    q = result.q_points[-1]
    below, above = (one.frequencies(q)[0] for one in at)
    expected = -(above - below) / 0.01 / polar.frequencies(q)[0]
    np.testing.assert_allclose(result.parameters[-1].mean(), expected.mean(), rtol=1e-3)


def test_a_primitive_cell_that_someone_else_chose():
    made = Phonopy(to_phonopy(rock_salt(cubic=True)), supercell_matrix=np.eye(3, dtype=int), primitive_matrix="P")
    made.generate_displacements()
    springs = Springs(gamma=GAMMA)
    made.forces = evaluate(made.supercells_with_displacements, springs)["forces"]
    made.produce_force_constants()
    result = gruneisen(Phonons(made), springs, strain=0.005, mesh=(2, 2, 2))
    assert result.frequencies.shape[1] == 24
    assert result.mean(300.0) == pytest.approx(GAMMA, rel=2e-4)


def test_a_fit_that_fails_at_some_temperatures(monkeypatch):
    real = phonopy.run_qha

    def without_the_hottest(*arguments, **options):
        found = real(*arguments, **options)
        return replace(found, temperatures=found.temperatures[:-1])

    monkeypatch.setattr(phonopy, "run_qha", without_the_hottest)
    strains = np.linspace(-0.02, 0.03, 5)
    with pytest.raises(CalculationFailed, match="equation of state failed at 300 K"):
        quasi_harmonic(rock_salt(), Springs(), supercell=2, temperatures=[300.0], strains=strains, mesh=8.0)


def test_temperatures_that_are_nearly_the_same_do_not_add_noise():
    springs = Springs(gamma=GAMMA, bulk=0.5)
    strains = np.linspace(-0.02, 0.03, 5)
    found = [
        quasi_harmonic(rock_salt(), springs, supercell=2, temperatures=some, strains=strains, mesh=10.0)
        for some in ([300.0], [300.0, 300.0 + 1e-6])
    ]
    np.testing.assert_allclose(found[1].heat_capacity, found[0].heat_capacity[0], rtol=1e-6)


def test_thermal_expansion_is_that_of_grueneisen(tmp_path):
    springs = Springs(gamma=GAMMA, bulk=0.5)
    temperatures = np.array([0.0, 200.0, 500.0])
    strains = np.linspace(-0.02, 0.03, 5)
    result = quasi_harmonic(rock_salt(), springs, supercell=2, temperatures=temperatures, strains=strains, mesh=40.0)
    assert result.thermal_expansion[0] == 0.0
    for k in (1, 2):
        volume = result.volumes[k]
        at_volume = phonons(rock_salt(volume=volume / 2.0), springs, supercell=2).thermal([temperatures[k]], mesh=40.0)
        capacity = at_volume.heat_capacity[0] / (units._e * units._Nav)  # eV/K
        expected = GAMMA * capacity / (result.bulk_modulus[k] * units.GPa * volume)
        assert result.thermal_expansion[k] == pytest.approx(expected, rel=0.02)
        assert result.gruneisen[k] == pytest.approx(GAMMA, rel=0.02)
        difference = temperatures[k] * expected**2 * result.bulk_modulus[k] * units.GPa * volume * units._e * units._Nav
        assert result.heat_capacity[k] == pytest.approx(at_volume.heat_capacity[0] + difference, rel=0.01)
    result.save(tmp_path / "qha.npz")
    np.testing.assert_array_equal(QuasiHarmonic.load(tmp_path / "qha.npz").volumes, result.volumes)
    np.testing.assert_array_equal(result.plot().lines[0].get_ydata(), 1e6 * result.thermal_expansion)


def test_volumes_outside_the_strains_are_named():
    springs = Springs(gamma=GAMMA, bulk=0.5)
    for strains, message in (
        (np.linspace(0.05, 0.09, 5), "smaller than at the smallest of the strains"),
        (np.linspace(-0.09, -0.05, 5), "expands beyond the largest of the strains"),
    ):
        with pytest.warns(UserWarning, match=message):
            quasi_harmonic(rock_salt(), springs, supercell=2, temperatures=[300.0], strains=strains, mesh=10.0)


def test_imaginary_modes_and_an_expansion_beyond_the_strains_are_named():
    class Softening(Springs):
        def stiffness(self, volume):
            return np.array([self.along, 60.0 * (27.5 - volume) / 27.0])

    strains = (-0.02, -0.01, 0.0, 0.01, 0.03)
    with (
        pytest.warns(UserWarning, match=r"imaginary modes of up to .*i THz at a volume changed by \+0.03"),
        pytest.warns(UserWarning, match="expands beyond the largest of the strains"),
    ):
        quasi_harmonic(rock_salt(), Softening(), supercell=2, temperatures=[10.0], strains=strains, mesh=8.0)
