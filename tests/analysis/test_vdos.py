"""The vibrational density of states of systems whose spectrum is known."""

import numpy as np
import pytest
from ase import Atoms, units
from ase_mlips.analysis import VDOS, vdos
from matplotlib.figure import Figure

DT = 2.0  # fs
TIME = DT * np.arange(4000)


def oscillators(frequencies, amplitudes=None):
    """Velocities (F, N, 3) of independent harmonic oscillators along x, frequencies in THz."""
    frequencies = np.asarray(frequencies, dtype=float)
    amplitudes = np.ones(len(frequencies)) if amplitudes is None else amplitudes
    velocities = np.zeros((len(TIME), len(frequencies), 3))
    velocities[:, :, 0] = amplitudes * np.cos(2e-3 * np.pi * frequencies * TIME[:, None] + np.arange(len(frequencies)))
    return velocities


@pytest.mark.parametrize("frequency", [3.0, 15.6, 60.0])
def test_harmonic_oscillator_peaks_at_its_frequency(frequency):
    result = vdos(oscillators([frequency]), DT, masses=[28.0], correlation_time_fs=2000.0, remove_drift=False)
    assert result.frequencies[np.argmax(result.total)] == pytest.approx(frequency, abs=0.25)
    mean = np.trapezoid(result.frequencies * result.total, result.frequencies) / 3.0
    assert mean == pytest.approx(frequency, abs=0.125)  # half a step of the grid


def test_oscillator_integrated_by_molecular_dynamics():
    """Mass on a spring: f = sqrt(k/m)/(2 pi); the velocity Verlet error at 1 fs is 1e-4 of it."""
    spring, mass = 5.0, 28.085
    position, velocity, step = 0.1, 0.0, 1.0 * units.fs
    series = np.zeros((8000, 1, 3))
    for t in range(len(series)):
        velocity -= 0.5 * step * spring * position / mass
        position += step * velocity
        velocity -= 0.5 * step * spring * position / mass
        series[t, 0, 0] = velocity
    result = vdos(series, 1.0, masses=[mass], correlation_time_fs=4000.0, remove_drift=False)
    expected = np.sqrt(spring / mass) * 15.6333023
    assert result.frequencies[np.argmax(result.total)] == pytest.approx(expected, abs=0.125)


def test_integral_is_three_n_and_shares_add_up():
    velocities = np.random.default_rng(3).normal(size=(400, 6, 3))
    result = vdos(velocities, 1.0, masses=[28, 28, 28, 16, 16, 16], symbols=["Si"] * 3 + ["O"] * 3)
    assert np.trapezoid(result.total, result.frequencies) == pytest.approx(18.0, rel=1e-12)
    np.testing.assert_allclose(sum(result.partials.values()), result.total, atol=1e-12 * result.total.max())
    assert result.frequencies[-1] == pytest.approx(500.0)


def test_shares_are_weighted_by_mass():
    """Equipartition: a heavy atom as fast as a light one carries more of the kinetic energy."""
    masses = np.array([1.0, 9.0])
    result = vdos(oscillators([10.0, 20.0]), DT, masses=masses, symbols=["H", "Be"], remove_drift=False)
    share = {e: np.trapezoid(g, result.frequencies) for e, g in result.partials.items()}
    assert share["H"] == pytest.approx(6.0 * 0.1, rel=1e-3)
    assert share["Be"] == pytest.approx(6.0 * 0.9, rel=1e-3)


def test_drift_is_removed():
    velocities = oscillators([10.0, 10.0], amplitudes=[1.0, 1.0]) + np.array([0.0, 5.0, 0.0])
    still = vdos(velocities, DT, masses=[1.0, 2.0])
    drifting = vdos(velocities, DT, masses=[1.0, 2.0], remove_drift=False)
    assert still.total[0] < 1e-3 * still.total.max()
    assert np.argmax(drifting.total) == 0


def test_frames_give_what_their_velocities_give():
    velocities = oscillators([5.0, 12.0])[:200]
    frames = []
    for v in velocities:
        frames.append(Atoms("GaN", positions=[[0, 0, 0], [2, 0, 0]]))
        frames[-1].set_velocities(v)
    result = vdos(iter(frames), DT)
    expected = vdos(velocities, DT, masses=frames[0].get_masses(), symbols=["Ga", "N"])
    np.testing.assert_allclose(result.total, expected.total, rtol=1e-9)
    assert set(result.partials) == {"Ga", "N"}


def test_units():
    result = VDOS(np.array([0.0, 1.0]), np.zeros(2), {})
    assert result.frequencies_mev[1] == pytest.approx(4.13566770, rel=1e-7)
    assert result.frequencies_cm1[1] == pytest.approx(33.3564095, rel=1e-7)


def test_save_load_and_plot(tmp_path):
    result = vdos(oscillators([5.0, 12.0]), DT, masses=[1, 1], symbols=["H", "D"])
    result.save(tmp_path / "vdos.out")
    loaded = VDOS.load(tmp_path / "vdos.out")
    np.testing.assert_array_equal(loaded.total, result.total)
    np.testing.assert_array_equal(loaded.partials["D"], result.partials["D"])
    ax = loaded.plot(Figure().subplots())
    assert len(ax.lines) == 3
    assert "THz" in ax.get_xlabel()


@pytest.mark.parametrize(
    ("source", "arguments", "message"),
    [
        (np.ones((10, 2, 3)), {}, "masses are required"),
        (np.ones((10, 2, 3)), {"masses": [1.0]}, "expected 2 masses"),
        (np.ones((10, 2, 3)), {"masses": [1.0, 0.0]}, "positive masses"),
        (np.ones((10, 2, 3)), {"masses": [1, 1], "symbols": ["H"]}, "expected 2 symbols"),
        (np.ones((10, 2)), {"masses": [1, 1]}, r"\(F, N, 3\)"),
        (np.ones((2, 2, 3)), {"masses": [1, 1]}, "at least 3 frames"),
        (np.zeros((10, 2, 3)), {"masses": [1, 1]}, "not all zero"),
        (np.full((10, 2, 3), np.nan), {"masses": [1, 1]}, "finite"),
        (np.ones((10, 2, 3)), {"masses": [1, 1], "correlation_time_fs": 10.0}, "2 to 9 fs"),
        ([Atoms("H"), Atoms("H"), Atoms("H2")], {}, "frame 2 has 2 atoms"),
        ([], {}, "at least 3 frames"),
    ],
)
def test_bad_input(source, arguments, message):
    with pytest.raises(ValueError, match=message):
        vdos(source, 1.0, **arguments)


@pytest.mark.parametrize("timestep", [0.0, -1.0, np.nan, np.inf])
def test_bad_timestep(timestep):
    with pytest.raises(ValueError, match="timestep_fs"):
        vdos(np.ones((10, 2, 3)), timestep, masses=[1, 1])
