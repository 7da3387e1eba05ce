"""Diffusion coefficients of walkers for which they are known, from positions and from velocities."""

import re

import numpy as np
import pytest
from ase_mlips.analysis.diffusion.diffusion import Diffusion, average, einstein_diffusion
from ase_mlips.analysis.diffusion.msd import mean_squared_displacement
from ase_mlips.analysis.diffusion.velocities import green_kubo_diffusion
from support.walkers import brownian, hopping, langevin, langevin_diffusion, rattling, trajectory

UNIT = 1e-4  # cm^2/s of 1 A^2/ps


def einstein(positions, **options):
    return einstein_diffusion(mean_squared_displacement(trajectory(positions), drift=None), **options)


def test_einstein_gives_cm2_per_s_and_lines_through_the_curve():
    d = einstein(brownian(1))
    value, error = d["Li"]
    assert abs(value - 0.25 * UNIT) < 3.0 * error
    assert error < 0.02 * value
    assert (d.method, d.dimensions, d.runs) == ("Einstein", 3, 1)
    start, end = d.windows[0]
    inside = (d.times >= start) & (d.times <= end)
    line = d.intercepts[0] + 6.0 * value / UNIT * d.times[inside]
    np.testing.assert_allclose(line, d.curves[0, inside], rtol=0.2)


def test_the_time_step_only_changes_the_unit():
    x = brownian(2, 500, 10)
    slow = einstein_diffusion(mean_squared_displacement(trajectory(x, timestep_fs=1000.0)))
    fast = einstein_diffusion(mean_squared_displacement(trajectory(x, timestep_fs=10.0)))
    np.testing.assert_allclose(fast.coefficients, 100.0 * slow.coefficients)
    np.testing.assert_allclose(fast.errors, 100.0 * slow.errors)
    np.testing.assert_allclose(fast.windows, slow.windows / 100.0)


@pytest.mark.parametrize(("direction", "factor"), [("x", 1.0), ("y", 4.0), ("z", 0.25)])
def test_directions(direction, factor):
    d = einstein(brownian(3) * [1.0, 2.0, 0.5], direction=direction)
    value, error = d["Li"]
    assert d.dimensions == 1
    assert abs(value - factor * 0.25 * UNIT) < 3.0 * error < 0.1 * value


def test_window_in_ps():
    d = einstein(brownian(4), window_ps=(20.0, 150.0))
    np.testing.assert_allclose(d.windows, [[20.0, 150.0]])
    with pytest.raises(ValueError, match="at least 3 lags within 1 to 1999 ps"):
        einstein(brownian(4), window_ps=(20.0, 3000.0))


def test_green_kubo_is_einstein():
    velocities = langevin(5)
    source = trajectory(np.cumsum(velocities, axis=0), velocities=1e-3 * velocities)
    expected = UNIT * langevin_diffusion()
    green_kubo = green_kubo_diffusion(source, drift=None)
    one, one_error = green_kubo["Li"]
    other, other_error = einstein_diffusion(mean_squared_displacement(source, drift=None))["Li"]
    assert abs(one - expected) < 3.0 * one_error < 0.1 * expected
    assert abs(other - expected) < 3.0 * other_error < 0.1 * expected
    assert abs(one - other) < 3.0 * np.hypot(one_error, other_error)
    assert 20.0 < green_kubo.windows[0, 0] < 200.0  # the memory is 10 ps
    assert green_kubo.windows[0, 1] == pytest.approx(2.0 * green_kubo.windows[0, 0])
    assert green_kubo.verdicts == ("diffuses",)


@pytest.mark.parametrize("together", [1, 4])
def test_green_kubo_errors_cover_the_truth(together):
    z = []
    for seed in range(40):
        velocities = np.repeat(langevin(100 + seed, 2000, 16), together, axis=1)
        source = trajectory(velocities, velocities=1e-3 * velocities)
        value, error = green_kubo_diffusion(source, drift=None)["Li"]
        z.append((value / UNIT - langevin_diffusion()) / error * UNIT)
    z = np.array(z)[np.isfinite(z)]
    assert len(z) >= 25
    assert np.mean(np.abs(z) < 3.0) >= 0.95
    assert abs(np.mean(z)) < 0.5  # of the integral, less than half an error bar is cut off
    assert 0.6 < np.std(z) < 1.4  # 1 within three of its own errors, 1 / sqrt(80)


def test_green_kubo_of_atoms_that_only_vibrate():
    for seed in range(6):
        source = trajectory(rattling(seed, 1500, 16, width=0.25, tau=3.0), timestep_fs=10.0)
        d = green_kubo_diffusion(source)
        assert d.verdicts == ("does not diffuse",)
        assert np.isnan(d["Li"]).all()
        assert 0.0 < d.bounds[0] < 5e-6


def test_green_kubo_of_a_bump_is_too_short():
    """Within a cage the integral rises and falls; up to where it falls, it looks like diffusion."""
    for seed in range(6):
        x = rattling(seed, 300, 32, width=0.8, tau=60.0)
        assert green_kubo_diffusion(trajectory(x, timestep_fs=10.0)).verdicts == ("too short",)


def test_green_kubo_from_positions():
    velocities = langevin(6, 3000, 32)
    source = trajectory(np.cumsum(velocities, axis=0))
    value, error = green_kubo_diffusion(source, drift=None)["Li"]
    assert abs(value - UNIT * langevin_diffusion()) < 3.0 * error


def test_integral_that_has_not_converged():
    velocities = langevin(7, 400, 8, tau=100.0)
    source = trajectory(velocities, velocities=velocities)
    d = green_kubo_diffusion(source, max_lag_ps=20.0)
    assert d.verdicts == ("too short",)
    assert np.isnan(d.windows).all()
    read = green_kubo_diffusion(source, max_lag_ps=20.0, cutoff_ps=10.0)
    assert read.verdicts == ("window given",)
    np.testing.assert_array_equal(read.windows, [[10.0, 10.0]])
    assert read.coefficients[0] == read.curves[0, 10]


@pytest.fixture(scope="module")
def mixture():
    """Lithium that diffuses among sulfur that does not, and a chlorine atom of which one cannot say."""
    still = rattling(1, 600, 10, width=0.2)
    x = np.concatenate([brownian(0, 600, 20, d=0.05), still, 2.0 * rattling(3, 600, 1, width=1.0)], axis=1)
    return trajectory(x, symbols=["Li"] * 20 + ["S"] * 10 + ["Cl"], timestep_fs=100.0)


def test_verdicts(mixture):
    d = einstein_diffusion(mean_squared_displacement(mixture, drift=None))
    assert d.verdicts == ("diffuses", "does not diffuse", "too short")
    assert np.isfinite(d["Li"]).all()
    for symbol in ("S", "Cl"):
        assert np.isnan(d[symbol]).all()
    np.testing.assert_array_equal(np.isnan(d.windows[:, 0]), [False, True, True])
    np.testing.assert_array_equal(np.isfinite(d.bounds), [False, True, False])
    moved = mean_squared_displacement(mixture, drift=None).partials["S"][200] / (6 * 20.0)
    assert d.bounds[1] == pytest.approx(UNIT * (moved + 3.0 * 9.0 / (6.0 * 10 * 60.0)))
    assert re.fullmatch(r"D\[Li\] = \d\.\d+\(\d+\)e-5 cm\^2/s", d.describe("Li"))
    assert re.fullmatch(r"S does not diffuse: D < \d(\.\d)?e-\d cm\^2/s", d.describe("S"))
    assert d.describe("Cl") == "Cl: too short for a diffusion coefficient"
    assert repr(d) == f"Diffusion(Einstein: {d.describe('Li')}; {d.describe('S')}; {d.describe('Cl')})"


def test_a_window_that_is_given_counts_for_all_that_moves(mixture):
    d = einstein_diffusion(mean_squared_displacement(mixture, drift=None), window_ps=(2.0, 15.0))
    assert d.verdicts == ("window given", "does not diffuse", "window given")
    assert np.isfinite(d["Cl"]).all()
    assert np.isnan(d["S"]).all()


def test_average_of_runs_with_and_without_a_coefficient(mixture):
    one = einstein_diffusion(mean_squared_displacement(mixture, drift=None))
    x = np.concatenate([rattling(5, 600, 20, width=0.2), rattling(1, 600, 11, width=0.2)], axis=1)
    rest = trajectory(x, symbols=["Li"] * 20 + ["S"] * 10 + ["Cl"], timestep_fs=100.0)
    other = einstein_diffusion(mean_squared_displacement(rest, drift=None))
    mean = average([one, other])
    assert mean.verdicts == ("too short", "does not diffuse", "too short")
    assert np.isnan(mean.coefficients).all()
    assert mean.bounds[1] == pytest.approx(0.5 * (one.bounds[1] + other.bounds[1]))


def test_a_short_piece_of_a_run_agrees_with_it_or_says_that_it_is_too_short():
    for seed in range(4):
        whole = hopping(seed, 3000, 32) + rattling(seed + 100, 3000, 32)
        value, error = einstein(whole)["Li"]
        for frames in (600, 300):
            short, its_error = einstein(whole[:frames])["Li"]
            assert np.isnan(short) or abs(short - value) < 3.0 * np.hypot(error, its_error)


def test_error_of_an_average_falls_with_the_root_of_the_runs():
    runs = [einstein(brownian(seed, 200, 8), window_ps=(2.0, 20.0)) for seed in range(256)]
    few, many = average(runs[:64]), average(runs)
    assert many.errors[0] == pytest.approx(0.5 * few.errors[0], rel=0.3)  # a deviation of 64 is known to 9 %
    assert abs(many.coefficients[0] - 0.25 * UNIT) < 3.0 * many.errors[0]
    assert many.runs == 256
    single = np.mean([run.errors[0] for run in runs])
    assert many.errors[0] == pytest.approx(single / 16.0, rel=0.2)  # the error bars of single runs are honest
    np.testing.assert_allclose(many.curves, np.mean([run.curves for run in runs], axis=0))


def test_one_fit_of_an_average_agrees_with_the_average_of_fits():
    curves = [mean_squared_displacement(trajectory(brownian(seed, 200, 8)), drift=None) for seed in range(64)]
    window = (2.0, 20.0)
    together = einstein_diffusion(average(curves), window_ps=window)
    apart = average([einstein_diffusion(curve, window_ps=window) for curve in curves])
    np.testing.assert_allclose(together.coefficients, apart.coefficients, rtol=0.005)
    np.testing.assert_allclose(together.errors, apart.errors, rtol=0.3)
    assert together.runs == 64


def test_kept_in_a_file_and_drawn(tmp_path):
    velocities = langevin(8, 500, 8)
    source = trajectory(np.cumsum(velocities, axis=0), velocities=1e-3 * velocities)
    first = einstein_diffusion(mean_squared_displacement(source))
    for d in (first, average([first, first]), green_kubo_diffusion(source)):
        d.save(tmp_path / "d.npz")
        again = Diffusion.load(tmp_path / "d.npz")
        assert repr(again) == repr(d)
        assert (again.method, again.symbols) == (d.method, ("Li",))
        np.testing.assert_array_equal(again.errors, d.errors)
        ax = d.plot()
        assert ax.get_legend().get_texts()[0].get_text() == d.describe("Li")
        ax.figure.clear()
    with pytest.raises(KeyError, match="no Na here, only Li"):
        first["Na"]


def test_bad_input():
    source = trajectory(brownian(0, 20, 3))
    d = einstein_diffusion(mean_squared_displacement(source))
    with pytest.raises(ValueError, match="direction 'x', 'y' or 'z'"):
        einstein_diffusion(mean_squared_displacement(source), direction="w")
    with pytest.raises(ValueError, match="at least two runs"):
        average([d])
    with pytest.raises(ValueError, match="expected a list of"):
        average([d, 1.0])
    with pytest.raises(ValueError, match="same species by the same method"):
        average([d, green_kubo_diffusion(source, cutoff_ps=2.0)])
    with pytest.raises(ValueError, match="at least 4 frames"):
        green_kubo_diffusion(trajectory(brownian(0, 3, 2)))
    with pytest.raises(ValueError, match="cutoff_ps from 1 to 5 ps"):
        green_kubo_diffusion(source, cutoff_ps=6.0)
    with pytest.raises(ValueError, match="timestep_fs="):
        green_kubo_diffusion(trajectory(brownian(0, 20, 2), timestep_fs=None))
