"""The vibrational density of states of systems whose spectrum is known."""

import numpy as np
import pytest
from ase import Atoms, units
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from ase_mlips.analysis.vibrations.vdos import VDOS, vdos
from matplotlib.figure import Figure
from support.harmonic import THZ, ordered_alloy

DT = 2.0  # fs
TIME = DT * np.arange(4000)


def moving(velocities, symbols=None, timestep_fs=DT):
    """Trajectory with these velocities (F, N, 3)."""
    velocities = np.asarray(velocities, dtype=float)
    symbols = ["Si"] * velocities.shape[1] if symbols is None else symbols
    arguments = {"symbols": symbols, "cell": np.eye(3), "pbc": False, "timestep_fs": timestep_fs}
    return Trajectory.from_arrays(np.zeros_like(velocities), velocities=velocities, **arguments)


def oscillators(frequencies, amplitudes=None):
    """Velocities (F, N, 3) of independent harmonic oscillators along x, frequencies in THz."""
    frequencies = np.asarray(frequencies, dtype=float)
    amplitudes = np.ones(len(frequencies)) if amplitudes is None else amplitudes
    velocities = np.zeros((len(TIME), len(frequencies), 3))
    velocities[:, :, 0] = amplitudes * np.cos(2e-3 * np.pi * frequencies * TIME[:, None] + np.arange(len(frequencies)))
    return velocities


def integral(curve, result):
    return np.trapezoid(curve, result.frequencies)


@pytest.fixture(scope="module")
def crystal_dos():
    """The spectrum of an exact harmonic trajectory of 164 ps, seen from velocities."""
    return vdos(ordered_alloy().trajectory(8192, 20.0))


@pytest.mark.parametrize("frequency", [3.0, 15.6, 60.0])
def test_harmonic_oscillator_peaks_at_its_frequency(frequency):
    result = vdos(moving(oscillators([frequency])), correlation_time_fs=2000.0, drift=None)
    assert result.frequencies[np.argmax(result.total)] == pytest.approx(frequency, abs=0.25)
    mean = integral(result.frequencies * result.total, result) / 3.0
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
    result = vdos(moving(series, timestep_fs=1.0), correlation_time_fs=4000.0, drift=None)
    expected = np.sqrt(spring / mass) * 15.6333023
    assert result.frequencies[np.argmax(result.total)] == pytest.approx(expected, abs=0.125)


def test_crystal_has_the_moments_of_its_dynamical_matrix(crystal_dos):
    """A resolution of 0.024 THz widens <f^2> by about 1/(8 T^2) of a correlation time T, 1e-5 of it."""
    crystal = ordered_alloy()
    modes = len(crystal.frequencies)
    states = integral(crystal_dos.total, crystal_dos)
    assert states == pytest.approx(3 * len(crystal.atoms), rel=1e-12)
    first, second = (integral(crystal_dos.frequencies**n * crystal_dos.total, crystal_dos) / states for n in (1, 2))
    assert first == pytest.approx(crystal.frequencies.mean(), rel=3e-6)
    assert second == pytest.approx(THZ**2 * np.trace(crystal.dynamical_matrix) / modes, rel=3e-5)


def counting_error(result, frequencies, beyond):
    """Largest error of the share of states below f, where f is further than `beyond` from each mode."""
    middle = np.cumsum(result.total) - 0.5 * (result.total + result.total[0])
    exact = np.searchsorted(frequencies, result.frequencies) / len(frequencies)
    away = np.abs(result.frequencies[:, None] - frequencies).min(axis=1) >= beyond
    assert away.any()
    return np.abs(middle * result.frequencies[1] / integral(result.total, result) - exact)[away].max()


def test_crystal_has_the_states_that_phonopy_finds(crystal_dos):
    """Phonopy at the wave vectors that fit into the supercell; its degenerate modes are steps of up to 0.05."""
    phonons = ordered_alloy().phonons
    phonons.run_mesh([3, 3, 3], is_gamma_center=True)
    modes = np.sort(np.repeat(phonons.mesh.frequencies, phonons.mesh.weights, axis=0).ravel())[3:]
    np.testing.assert_allclose(modes, ordered_alloy().frequencies, atol=1e-5)
    assert counting_error(crystal_dos, modes, beyond=0.0) < 0.5 * 8 / len(modes) + 0.003  # half the largest step
    assert counting_error(crystal_dos, modes, beyond=0.024) < 1e-3


def test_crystal_has_the_density_that_phonopy_draws(crystal_dos):
    """Both smeared with the same Gaussian, far wider than the resolution of the trajectory."""
    phonons, sigma = ordered_alloy().phonons, 0.15
    phonons.run_mesh([3, 3, 3], is_gamma_center=True)
    grid = np.arange(0.6, 6.0, 0.05)
    phonons.run_total_dos(
        sigma=sigma, freq_min=grid[0], freq_max=grid[-1] + 1e-6, freq_pitch=0.05, use_tetrahedron_method=False
    )
    np.testing.assert_allclose(phonons.total_dos.frequency_points, grid, atol=1e-9)
    kernel = np.exp(-0.5 * ((grid[:, None] - crystal_dos.frequencies) / sigma) ** 2) / (sigma * np.sqrt(2.0 * np.pi))
    seen = kernel @ crystal_dos.total * crystal_dos.frequencies[1] * 53 / 54  # as many states as modes that move
    expected = 27 * phonons.total_dos.dos
    np.testing.assert_allclose(seen, expected, atol=0.01 * expected.max())


def test_shares_are_those_of_the_modes(crystal_dos):
    """At equipartition an atom, and a direction, has the share of the squared eigenvectors, 1 - m/M but for drift."""
    crystal = ordered_alloy()
    masses = crystal.atoms.get_masses()
    for symbol in ("Cu", "Au"):
        expected = (3.0 * (1.0 - masses / masses.sum()))[np.array(crystal.atoms.symbols) == symbol].sum() * 54 / 53
        assert integral(crystal_dos.partials[symbol], crystal_dos) == pytest.approx(expected, rel=0.05)
    for curve in crystal_dos.directions:
        assert integral(curve, crystal_dos) == pytest.approx(54.0, rel=0.1)


def test_positions_alone_tell_the_same():
    crystal = ordered_alloy()
    expected = vdos(crystal.trajectory(4096, 40.0))
    for result in (
        vdos(crystal.trajectory(4097, 40.0, velocities=False)),
        vdos(crystal.trajectory(4097, 40.0), from_positions=True),
    ):
        assert integral(result.total, result) == pytest.approx(162.0, rel=1e-12)
        np.testing.assert_allclose(result.frequencies, expected.frequencies)
        np.testing.assert_allclose(result.total, expected.total, atol=0.01 * expected.total.max())
    # The highest mode moves five times a time of 1/5.2 THz: without the response it would lose a seventh.
    assert np.sinc(0.04 * crystal.frequencies[-1]) ** 2 < 0.87


@pytest.mark.filterwarnings("ignore:.*save more frames")
def test_directions_elements_and_groups_add_up():
    velocities = np.random.default_rng(3).normal(size=(400, 6, 3))
    groups = {"first": [0, 3, -2], "rest": np.array([False, True, True, False, False, True]), "all": range(6)}
    result = vdos(moving(velocities, ["Si", "O", "Si", "O", "O", "H"], 1.0), groups=groups)
    assert integral(result.total, result) == pytest.approx(18.0, rel=1e-12)
    assert result.frequencies[-1] == pytest.approx(500.0)
    tight = {"atol": 1e-12 * result.total.max(), "rtol": 0.0}
    np.testing.assert_allclose(result.directions.sum(axis=0), result.total, **tight)
    np.testing.assert_allclose(sum(result.partial_directions.values()), result.directions, **tight)
    np.testing.assert_allclose(sum(result.partials.values()), result.total, **tight)
    np.testing.assert_allclose(result.groups["first"] + result.groups["rest"], result.total, **tight)
    np.testing.assert_allclose(result.group_directions["all"], result.directions, **tight)
    assert list(result.partials) == ["Si", "O", "H"]


def test_a_direction_is_that_direction():
    velocities = np.stack([oscillators([f])[:, :, 0] for f in (5.0, 10.0, 20.0)], axis=2)
    result = vdos(moving(velocities), drift=None)
    peaks = result.frequencies[np.argmax(result.directions, axis=1)]
    np.testing.assert_allclose(peaks, [5.0, 10.0, 20.0], atol=0.25)


@pytest.mark.filterwarnings("ignore:.*save more frames")
def test_rotation_leaves_the_total():
    velocities = np.random.default_rng(4).normal(size=(300, 5, 3))
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    expected, result = (vdos(moving(v, list("COCOH"), 1.0)) for v in (velocities, velocities @ turn))
    np.testing.assert_allclose(result.total, expected.total, atol=1e-12 * expected.total.max())
    np.testing.assert_allclose(result.partials["O"], expected.partials["O"], atol=1e-12 * expected.total.max())
    assert np.abs(result.directions - expected.directions).max() > 0.01 * expected.total.max()


@pytest.mark.parametrize("frequency", [4.0, 20.0])
def test_window_is_normalised(frequency):
    """One sharp frequency of n states becomes the transform of the Hann window: height n T at correlation time T."""
    result = vdos(moving(oscillators([frequency])), correlation_time_fs=2000.0, drift=None)
    assert result.total.max() == pytest.approx(3.0 * 2.0, rel=2e-3)
    assert integral(result.total, result) == pytest.approx(3.0, rel=1e-12)
    half = result.frequencies[result.total > 0.5 * result.total.max()]
    assert np.ptp(half) == pytest.approx(1.0 / 2.0, abs=2.0 * result.frequencies[1])


def test_shares_are_weighted_by_mass():
    """Equipartition: a heavy atom as fast as a light one carries more of the kinetic energy."""
    trajectory = moving(oscillators([10.0, 20.0]), ["H", "Be"])
    result = vdos(trajectory, drift=None)
    heavy = trajectory.masses[1] / trajectory.masses.sum()
    assert integral(result.partials["H"], result) == pytest.approx(6.0 * (1.0 - heavy), rel=1e-3)
    assert integral(result.partials["Be"], result) == pytest.approx(6.0 * heavy, rel=1e-3)


def test_drift_is_removed():
    velocities = oscillators([10.0, 10.0]) + np.array([0.0, 5.0, 0.0])
    still = vdos(moving(velocities, ["H", "He"]))
    assert still.total[0] < 1e-3 * still.total.max()
    assert np.argmax(vdos(moving(velocities, ["H", "He"]), drift=None).total) == 0
    framework = vdos(moving(velocities, ["H", "He"]), drift=[1])
    assert np.abs(framework.partials["He"]).max() < 1e-12 * framework.total.max()


def test_frames_give_what_their_velocities_give():
    velocities = oscillators([5.0, 12.0])[:200]
    frames = []
    for v in velocities:
        frames.append(Atoms("GaN", positions=[[0, 0, 0], [2, 0, 0]]))
        frames[-1].set_velocities(v)
    result = vdos(iter(frames), timestep_fs=DT)
    expected = vdos(moving(velocities, ["Ga", "N"]))
    np.testing.assert_allclose(result.total, expected.total, rtol=1e-9, atol=1e-9 * expected.total.max())
    assert list(result.partials) == ["Ga", "N"]


def test_units():
    zeros = np.zeros((3, 2))
    result = VDOS(zeros, {}, {}, np.array([0.0, 1.0]))
    assert result.frequencies_mev[1] == pytest.approx(4.13566770, rel=1e-7)
    assert result.frequencies_cm1[1] == pytest.approx(33.3564095, rel=1e-7)


def test_save_load_and_plot(tmp_path):
    result = vdos(moving(oscillators([5.0, 12.0]), ["H", "He"]), groups={"the first": [0]})
    result.save(tmp_path / "vdos.out")
    loaded = VDOS.load(tmp_path / "vdos.out")
    np.testing.assert_array_equal(loaded.total, result.total)
    np.testing.assert_array_equal(loaded.partials["He"], result.partials["He"])
    np.testing.assert_array_equal(loaded.groups["the first"], result.partials["H"])
    areas = []
    for unit, label, factor in (("THz", "THz", 1.0), ("meV", "meV", 4.1356677), ("1/cm", "cm⁻¹", 33.3564095)):
        ax = loaded.plot(Figure().subplots(), unit=unit)
        assert len(ax.lines) == 4
        assert label in ax.get_xlabel()
        x, y = ax.lines[0].get_data()
        assert x[-1] == pytest.approx(250.0 * factor)
        areas.append(np.trapezoid(y, x))
        assert 12.0 * factor < ax.get_xlim()[1] < 30.0 * factor
    np.testing.assert_allclose(areas, 6.0)
    with pytest.raises(ValueError, match="THz, meV, 1/cm, got 'Hz'"):
        loaded.plot(unit="Hz")


@pytest.mark.parametrize(
    ("velocities", "arguments", "message"),
    [
        (np.ones((2, 2, 3)), {}, "at least 3 frames, got 2"),
        (np.ones((1, 2, 3)), {}, "at least 3 frames, got 1"),
        (np.ones((3, 2, 3)), {"from_positions": True}, "at least 4 frames, got 3"),
        (np.zeros((10, 2, 3)), {}, "atoms that move"),
        (np.ones((10, 1, 3)), {}, "drift=None"),
        (np.ones((10, 2, 3)), {"correlation_time_fs": 20.0}, "of 4 to 18 fs, got 20 fs"),
        (np.ones((10, 2, 3)), {"correlation_time_fs": np.nan}, "of 4 to 18 fs, got nan fs"),
        (np.ones((10, 2, 3)), {"groups": {"none": []}}, "group 'none': .* selection is empty"),
        (np.ones((10, 2, 3)), {"groups": {"none": [False, False]}}, "group 'none': .* selection is empty"),
        (np.ones((10, 2, 3)), {"groups": {"long": [True]}}, "group 'long': expected a mask of 2 atoms, got one of 1"),
        (np.ones((10, 2, 3)), {"groups": {"far": [0, 2]}}, "group 'far': expected indices from -2 to 1, got 0 to 2"),
        (np.ones((10, 2, 3)), {"groups": {"half": [0.5]}}, "group 'half': expected indices of atoms or a mask of 2"),
    ],
)
def test_bad_input(velocities, arguments, message):
    with pytest.raises(ValueError, match=message):
        vdos(moving(velocities), **arguments)


def test_velocities_that_are_not_finite():
    with pytest.raises(ValueError, match="finite"):
        vdos(moving(np.full((10, 2, 3), np.nan)))


def test_unknown_timestep():
    with pytest.raises(ValueError, match="timestep_fs="):
        vdos(moving(np.random.default_rng(0).normal(size=(10, 2, 3)), timestep_fs=None))


@pytest.mark.parametrize(("frequency", "warned"), [(243.0, True), (255.0, True), (230.0, False)])
def test_states_at_the_highest_frequency_are_warned_of(frequency, warned):
    """Those from 237.5 to 250 THz; 255 THz is seen at 245 THz."""
    frames = moving(oscillators([frequency]))
    if not warned:
        vdos(frames, drift=None)
        return
    with pytest.warns(
        UserWarning, match=r"arrays: 99\.\d% of the states lie within 5% of 250 THz, .* frames 2 fs apart"
    ):
        vdos(frames, drift=None)
