"""The velocity autocorrelation function of motions that are known."""

from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from ase_mlips.analysis.vibrations.vacf import VACF, vacf
from matplotlib.figure import Figure
from support.harmonic import THZ, ordered_alloy


def trajectory(velocities=None, positions=None, symbols=None, timestep_fs=2.0):
    shape = (velocities if positions is None else positions).shape
    symbols = ["Li"] * shape[1] if symbols is None else symbols
    positions = np.zeros(shape) if positions is None else positions
    arguments = {"symbols": symbols, "cell": np.eye(3), "pbc": False, "timestep_fs": timestep_fs}
    return Trajectory.from_arrays(positions, velocities=velocities, **arguments)


def test_all_pairs_of_frames_count():
    velocities = np.random.default_rng(1).normal(size=(30, 4, 3))
    groups = {"pair": [1, 2]}
    result = vacf(trajectory(velocities), drift=None, max_lag_ps=0.02, groups=groups)
    np.testing.assert_allclose(result.times, 0.002 * np.arange(11))
    for lag in range(11):
        products = velocities[: 30 - lag] * velocities[lag:]
        np.testing.assert_allclose(result.directions[:, lag], 1e6 * products.mean(axis=(0, 1)), atol=1e-4)
        np.testing.assert_allclose(
            result.group_directions["pair"][:, lag], 1e6 * products[:, 1:3].mean(axis=(0, 1)), atol=1e-4
        )
    np.testing.assert_allclose(result.total, result.directions.sum(axis=0))
    np.testing.assert_allclose(result.normalized, result.total / result.total[0])
    assert len(vacf(trajectory(velocities)).times) == 8  # up to a quarter of the trajectory


def test_elements_are_means_over_their_atoms():
    velocities = np.random.default_rng(2).normal(size=(50, 5, 3))
    series = trajectory(velocities, symbols=["Li", "S", "Li", "Li", "S"])
    result = vacf(series, drift=None)
    np.testing.assert_allclose(result.total, 0.6 * result.partials["Li"] + 0.4 * result.partials["S"])
    weighted = vacf(series, drift=None, mass_weighted=True)
    for k, symbol in enumerate(("Li", "S")):
        np.testing.assert_allclose(weighted.partials[symbol], series.masses[k] * result.partials[symbol])
    np.testing.assert_allclose(weighted.total, 0.6 * weighted.partials["Li"] + 0.4 * weighted.partials["S"])
    assert weighted.mass_weighted
    assert not result.mass_weighted


def test_harmonic_crystal():
    """C(t) is a sum of cosines; at t = 0 of 3 k_B T for each atom, of which the centre of mass has none."""
    crystal, step = ordered_alloy(), 10.0
    result = vacf(crystal.trajectory(16384, step), mass_weighted=True, max_lag_ps=2.0)
    energy = units.kB * 300.0 * (1e3 * units.fs) ** 2  # amu A^2/ps^2
    cosines = np.cos(2.0 * np.pi * np.outer(result.times, crystal.frequencies)).sum(axis=1)
    np.testing.assert_allclose(result.total, energy * cosines / len(crystal.atoms), atol=1e-3 * result.total[0])
    assert crystal.frequencies[-1] == pytest.approx(THZ * np.sqrt(np.linalg.eigvalsh(crystal.dynamical_matrix)[-1]))


def test_velocities_between_frames_where_there_are_none():
    positions = np.cumsum(np.random.default_rng(3).normal(size=(60, 3, 3)), axis=0)
    result = vacf(trajectory(positions=positions), drift=None)
    expected = vacf(trajectory(np.diff(positions, axis=0) / 2.0), drift=None)
    np.testing.assert_allclose(result.total, expected.total, atol=1e-9 * expected.total[0])


def test_integral_of_a_random_walk_is_its_diffusion_coefficient():
    """Steps of variance s^2 = 2 D dt in each direction: all of the integral is the half step at t = 0."""
    step = np.sqrt(2.0 * 0.25 * 0.002)  # A, D = 0.25 A^2/ps, dt = 0.002 ps
    positions = np.cumsum(step * np.random.default_rng(4).normal(size=(4000, 50, 3)), axis=0)
    result = vacf(trajectory(positions=positions), drift=None, max_lag_ps=0.02)
    integral = np.trapezoid(result.total, result.times) / 3.0
    # The standard error of ten lags, each of 600,000 products.
    error = 0.25 * np.sqrt(0.5**2 * 2.0 + 9.5) * 2.0 / np.sqrt(600_000)
    assert abs(integral - 0.25) < 4.0 * error


def test_drift_and_one_atom():
    velocities = np.tile([1.0, 2.0, 2.0], (20, 1, 1))
    np.testing.assert_allclose(vacf(trajectory(velocities), drift=None).total, 9e6)
    for alone in (trajectory(velocities), trajectory(positions=np.cumsum(0.1 * velocities, axis=0) + 3.7)):
        with pytest.raises(
            ValueError, match=r"expected atoms that move relative to each other \(a single one: drift=N"
        ):
            vacf(alone)


def test_save_load_and_plot(tmp_path):
    velocities = np.random.default_rng(5).normal(size=(50, 2, 3))
    for weighted, unit in ((False, "(Å²/ps²)"), (True, "(amu Å²/ps²)")):
        result = vacf(trajectory(velocities, symbols=["Li", "S"]), mass_weighted=weighted)
        result.save(tmp_path / "vacf.npz")
        loaded = VACF.load(tmp_path / "vacf.npz")
        np.testing.assert_array_equal(loaded.partials["S"], result.partials["S"])
        assert loaded.mass_weighted is weighted
        ax = loaded.plot(Figure().subplots())
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["total", "Li", "S"]
        assert ax.get_ylabel().endswith(unit)


@pytest.mark.parametrize(
    ("frames", "arguments", "message"),
    [
        (1, {}, "at least 3 frames, got 1"),
        (10, {"max_lag_ps": 0.001}, "of 4 to 18 fs, got 1 fs"),
        (10, {"groups": {"Na": []}}, "group 'Na'"),
    ],
)
def test_bad_input(frames, arguments, message):
    with pytest.raises(ValueError, match=message):
        vacf(trajectory(np.ones((frames, 2, 3))), **arguments)


def test_dynasor_and_tidynamics_find_the_same():
    with np.load(Path(__file__).parents[2] / "reference" / "dynasor" / "vacf.npz") as data:
        result = vacf(trajectory(data["velocities"]), drift=None, max_lag_ps=239 * 0.002)
        scale = 1e-12 * result.total[0]
        np.testing.assert_allclose(result.directions, 1e6 * data["dynasor"], rtol=1e-10, atol=scale)
        np.testing.assert_allclose(result.total, 1e6 * data["tidynamics"], rtol=1e-10, atol=scale)
