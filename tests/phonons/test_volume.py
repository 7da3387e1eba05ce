"""Grüneisen parameters and thermal expansion, of a crystal in which both are known in closed form."""

import numpy as np
import pytest
from ase import units
from support.springs import Springs, rock_salt

from ase_mlips.phonons import Gruneisen, QuasiHarmonic, gruneisen, phonons, quasi_harmonic

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
