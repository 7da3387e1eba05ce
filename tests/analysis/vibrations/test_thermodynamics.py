"""Heat capacity, free energy and entropy against closed forms and phonopy."""

import numpy as np
import pytest
from ase import units
from ase_mlips.analysis.vibrations.thermodynamics import Thermodynamics, thermodynamics
from ase_mlips.analysis.vibrations.vdos import VDOS, vdos
from matplotlib.figure import Figure
from support.harmonic import ordered_alloy

KELVIN = np.array([0.0, 10.0, 100.0, 300.0, 1000.0])
PLANCK = 1e12 * units._hplanck / units._e  # eV/THz
BOLTZMANN = units.kB  # eV/K


def test_einstein_oscillator():
    result = thermodynamics([5.0], KELVIN)
    x = PLANCK * 5.0 / (BOLTZMANN * KELVIN[1:])
    capacity = (0.5 * x / np.sinh(0.5 * x)) ** 2
    entropy = 0.5 * x / np.tanh(0.5 * x) - np.log(2.0 * np.sinh(0.5 * x))
    free = np.log(2.0 * np.sinh(0.5 * x)) * BOLTZMANN * KELVIN[1:]
    np.testing.assert_allclose(result.heat_capacity[1:], BOLTZMANN * capacity, rtol=1e-9)
    rounding = 1e-14 * BOLTZMANN  # of the closed form, a small difference at 10 K
    np.testing.assert_allclose(result.entropy[1:], BOLTZMANN * entropy, rtol=1e-9, atol=rounding)
    np.testing.assert_allclose(result.free_energy[1:], free, rtol=1e-9)
    np.testing.assert_allclose(result.energy, result.free_energy + KELVIN * result.entropy, rtol=1e-12)
    assert result.zero_point_energy == pytest.approx(0.5 * PLANCK * 5.0, rel=1e-12)
    assert (result.heat_capacity[0], result.entropy[0]) == (0.0, 0.0)
    assert result.free_energy[0] == result.energy[0] == result.zero_point_energy
    assert (result.states, result.omitted) == (1.0, 0.0)
    assert result.zero_point_energy == pytest.approx(0.5 * 4.135667696e-3 * 5.0, rel=1e-6)  # CODATA 2018


def test_classical_limit():
    """3N k_B at high temperature, from which the next term is sum (h f / k T)^2 / 12."""
    frequencies = np.random.default_rng(0).uniform(1.0, 15.0, 30)
    result = thermodynamics(frequencies, 5000.0)
    x = PLANCK * frequencies / (BOLTZMANN * 5000.0)
    assert result.heat_capacity[0] / units.kB == pytest.approx(30.0 - (x**2).sum() / 12.0, rel=1e-6)
    assert result.entropy[0] / units.kB == pytest.approx((1.0 - np.log(x)).sum(), rel=1e-4)


def test_trajectory_has_the_thermodynamics_of_phonopy():
    """At 100 K and above the harmonic VDOS, of 3N states, is that of phonopy's 3N - 3 modes."""
    crystal, kelvin = ordered_alloy(), [50.0, 100.0, 300.0, 1000.0]
    phonons = crystal.phonons
    phonons.run_mesh([3, 3, 3], is_gamma_center=True)
    phonons.run_thermal_properties(temperatures=kelvin, cutoff_frequency=1e-3)
    expected = phonons.thermal_properties
    cells = 27 / (units.mol / units.J)  # to eV of the supercell
    for source in (vdos(crystal.trajectory(8192, 20.0)), crystal.frequencies):
        result = thermodynamics(source, kelvin)
        scale = cells * result.states / len(crystal.frequencies)
        np.testing.assert_allclose(result.heat_capacity, scale * expected.heat_capacity, rtol=1e-5)
        np.testing.assert_allclose(result.entropy, scale * expected.entropy, rtol=1e-5)
        np.testing.assert_allclose(result.free_energy, 1e3 * scale * expected.free_energy, rtol=1e-5, atol=1e-4)
        assert result.zero_point_energy == pytest.approx(0.5 * PLANCK * crystal.frequencies.mean() * result.states)


def test_phonopy_total_dos():
    """The same density, integrated by phonopy and here."""
    phonons = ordered_alloy().phonons
    phonons.run_mesh([3, 3, 3], is_gamma_center=True)
    phonons.run_total_dos(sigma=0.1, freq_min=0.0, freq_max=6.0, freq_pitch=0.001, use_tetrahedron_method=False)
    dos = phonons.total_dos
    result = thermodynamics(dos.frequency_points, 300.0, density=dos.dos)
    # the Gaussians of the three translations are cut in half at f = 0
    assert result.states == pytest.approx(6.0 - 1.5 / 27.0, rel=1e-6)
    assert result.omitted == 0.0


def test_debye_crystal_freezes_as_the_cube_of_the_temperature():
    """g = 9N f^2 / f_D^3: C_V = (12 pi^4 / 5) N k_B (T / T_D)^3 at low temperatures."""
    f = np.linspace(0.0, 10.0, 20001)
    result = thermodynamics(f, [2.0, 5.0], density=9.0 * f**2 / 10.0**3)
    debye = PLANCK * 10.0 / BOLTZMANN
    expected = 12.0 * np.pi**4 / 5.0 * (result.temperatures / debye) ** 3
    np.testing.assert_allclose(result.heat_capacity / BOLTZMANN, expected, rtol=1e-5)
    assert result.states == pytest.approx(3.0, rel=1e-6)
    assert result.zero_point_energy == pytest.approx(9.0 / 8.0 * PLANCK * 10.0, rel=1e-6)


@pytest.mark.parametrize(("points", "tolerance"), [(41, 1e-4), (401, 1e-6)])
def test_states_at_zero_frequency_have_the_entropy_of_their_range(points, tolerance):
    """One state between 0 and 4 THz, nearly classical: S = k_B (1 - <ln x>) with <ln f> = ln 4 - 1."""
    f = np.linspace(0.0, 4.0, points)
    result = thermodynamics(f, 3000.0, density=np.full(points, 0.25))
    x = PLANCK * 4.0 / (BOLTZMANN * 3000.0)
    exact = 2.0 - np.log(x) + x**2 / 72.0  # the first quantum correction of S is <x^2> / 24
    assert result.entropy[0] / BOLTZMANN == pytest.approx(exact, rel=tolerance)
    assert (result.states, result.omitted) == (pytest.approx(1.0), 0.0)


def test_imaginary_modes_and_translations_are_left_out_and_counted():
    result = thermodynamics([-3.0, 0.0, 0.0, 5.0], KELVIN)
    expected = thermodynamics([5.0], KELVIN)
    assert (result.states, result.omitted) == (1.0, 3.0)
    np.testing.assert_array_equal(result.free_energy, expected.free_energy)
    f = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    assert thermodynamics(f, 300.0, density=[0.0, 1.0, 0.0, 1.0, 0.0]).omitted == 1.0


def test_save_load_and_plot(tmp_path):
    result = thermodynamics(np.full(6, 8.0), np.linspace(0.0, 1000.0, 50))
    result.save(tmp_path / "cv.npz")
    loaded = Thermodynamics.load(tmp_path / "cv.npz")
    np.testing.assert_array_equal(loaded.entropy, result.entropy)
    assert loaded.zero_point_energy == result.zero_point_energy
    ax = loaded.plot(Figure().subplots())
    assert ax.lines[0].get_ydata()[-1] == pytest.approx(0.988, abs=1e-3)


@pytest.mark.parametrize(
    ("frequencies", "temperatures", "density", "message"),
    [
        ([], 300.0, None, "list of finite frequencies"),
        ([np.nan], 300.0, None, "list of finite frequencies"),
        (3.0, 300.0, None, "list of finite frequencies"),
        ([0.0, -1.0], 300.0, None, "positive frequencies"),
        ([1.0], -5.0, None, "temperatures"),
        ([1.0], [np.inf], None, "temperatures"),
        ([1.0], [], None, "temperatures"),
        ([1.0, 2.0], 300.0, [1.0], "density at each of 2 frequencies"),
        ([1.0, 2.0], 300.0, [1.0, np.nan], "finite density"),
        ([2.0, 1.0], 300.0, [1.0, 1.0], "larger than the one before"),
        ([2.0], 300.0, [1.0], "at least two frequencies"),
        ([1.0, 2.0], 300.0, [0.0, 0.0], "vibrational states"),
        (VDOS(np.ones((3, 2)), {}, {}, np.array([0.0, 1.0])), 300.0, [1.0, 1.0], "of its own"),
    ],
)
def test_bad_input(frequencies, temperatures, density, message):
    with pytest.raises(ValueError, match=message):
        thermodynamics(frequencies, temperatures, density=density)
