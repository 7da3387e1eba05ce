"""The covariance of mean squared displacements against direct sums, samples, and the coverage of the error bars."""

import numpy as np
import pytest
from ase_mlips.analysis.correlation import squared_displacements
from ase_mlips.analysis.diffusion.brownian import Statistics, covariance, excess, fit_line
from ase_mlips.analysis.diffusion.msd import displacements, sampled_lags
from ase_mlips.analysis.trajectories.series import Series
from support.walkers import brownian, hopping, langevin, langevin_diffusion, rattling


def overlaps(n, m, frames):
    """Sum over all pairs of windows of the squared number of steps they share."""
    t, u = np.arange(frames - n)[:, None], np.arange(frames - m)
    return np.sum(np.maximum(0, np.minimum(t + n, u + m) - np.maximum(t, u)) ** 2)


@pytest.mark.parametrize("frames", [13, 40])
def test_covariance_of_brownian_motion_counts_the_shared_steps(frames):
    lags = np.array([1, 2, 5, 6, 11])
    steps = 0.7
    expected = [[2.0 * steps**2 * overlaps(n, m, frames) / ((frames - n) * (frames - m)) for m in lags] for n in lags]
    np.testing.assert_allclose(covariance(lags, frames, steps * np.arange(40)), expected, rtol=1e-12)


def test_covariance_with_noise_is_that_of_many_samples():
    rng = np.random.default_rng(5)
    frames, lags, runs = 60, np.array([1, 3, 8, 15]), 20000
    x = np.cumsum(rng.normal(size=(frames, runs)), axis=0) + 1.5 * rng.normal(size=(frames, runs))
    samples = [np.mean((x[k:] - x[:-k]) ** 2, axis=0) for k in lags]
    curve = np.arange(60) + 2.0 * 1.5**2
    curve[0] = 0.0
    expected = covariance(lags, frames, curve)
    deviation = (np.cov(samples) - expected) / np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert np.abs(deviation).max() < 6.0 / np.sqrt(runs)  # of a covariance, 1 to 2 / sqrt(runs) with heavy tails


def statistics(positions, lags):
    series = Series([(positions, np.zeros((len(positions), 3, 3)))])
    moved = displacements(series, np.arange(positions.shape[1]), lags)
    some = sampled_lags(lags)
    return moved.mean, Statistics(*positions.shape[:2], some, excess(moved.mean, some, moved.spread[:, 3]))


def deviations(make, d, seeds):
    """Of the diffusion coefficient from the true one, in its own standard errors."""
    result = []
    for seed in range(seeds):
        positions = make(seed)
        line = fit_line(*statistics(positions, len(positions) // 5))
        result.append((line.slope - 6.0 * d) / line.error)
    return np.array(result)


def test_error_bars_of_brownian_walkers_cover_the_truth():
    z = np.abs(deviations(lambda seed: brownian(seed, 1000, 32), 0.25, 200))
    assert np.mean(z < 3.0) >= 0.99
    # Of 200 seeds a share p is found within 3 sqrt(p (1 - p) / 200) of a Gaussian's 68.3 and 95.4 %.
    assert np.mean(z < 1.0) == pytest.approx(0.683, abs=0.099)
    assert np.mean(z < 2.0) == pytest.approx(0.954, abs=0.045)


@pytest.mark.parametrize(
    ("make", "d"),
    [
        (lambda seed: np.cumsum(langevin(seed, 2000, 24), axis=0), langevin_diffusion()),
        (lambda seed: brownian(seed, 2000, 24, d=0.02) + rattling(seed + 1000, 2000, 24), 0.02),
        (lambda seed: hopping(seed, 2000, 24), 0.0075),
        (lambda seed: hopping(seed, 2000, 24) + rattling(seed + 1000, 2000, 24), 0.0075),
    ],
    ids=["ballistic", "caged", "hopping", "hopping between cages"],
)
def test_error_bars_of_other_motion_cover_the_truth(make, d):
    z = deviations(make, d, 40)
    assert np.mean(np.abs(z) < 3.0) >= 0.95
    assert abs(z.mean()) < 3.0 / np.sqrt(40)
    assert 0.6 < z.std() < 1.4  # 1 within three of its own errors, 1 / sqrt(80)


def test_ballistic_motion_is_left_out():
    curve, known = statistics(np.cumsum(langevin(1, 2000), axis=0), 400)
    line = fit_line(curve, known)
    assert 20 <= line.first <= 100  # two to ten times the memory of the velocity
    assert fit_line(curve, known, (1, 5)).slope < 0.3 * line.slope


def vibrating(seed, frames, d, timestep=0.005, atoms=64):
    """Walkers on which twenty undamped modes are imposed, (F, N, 3): what generalised least squares do not expect."""
    rng = np.random.default_rng(seed)
    positions = np.cumsum(rng.normal(scale=np.sqrt(2.0 * d), size=(frames, atoms, 3)), axis=0)
    for frequency in rng.uniform(3.0, 12.0, 20):
        phase = 2.0 * np.pi * (frequency * timestep * np.arange(frames) + rng.random())
        positions += 0.3 / frequency * rng.normal(size=(atoms, 3)) * np.cos(phase)[:, None, None]
    return positions


@pytest.mark.parametrize("d", [0.0, 2.5e-5, 1e-4, 5e-4])
@pytest.mark.parametrize(("frames", "timestep"), [(4000, 0.005), (800, 0.05)])
def test_vibrations_that_go_on_are_no_diffusion(d, frames, timestep):
    z = []
    for seed in range(6):
        line = fit_line(*statistics(vibrating(seed, frames, d, timestep), frames // 5))
        z.append((line.slope - 6.0 * d) / line.error)
        assert abs(line.slope - 6.0 * d) < 5e-4
    assert np.mean(np.abs(z) < 3.0) >= 5 / 6


def test_a_window_is_obeyed():
    curve, known = statistics(brownian(3), 400)
    line = fit_line(curve, known, (40, 300))
    assert (line.first, line.last) == (40, 300)
    assert line.error > 2.0 * fit_line(curve, known, (2, 300)).error


def test_atoms_at_rest_do_not_diffuse():
    line = fit_line(np.zeros((20, 3)), Statistics(100, 5))
    assert (line.slope, line.error) == (0.0, 0.0)
    caged = squared_displacements(rattling(0, atoms=20), max_lag=400) / 20
    line = fit_line(caged, Statistics(2000, 20))
    assert abs(line.slope) < 3.0 * line.error < 1e-3


@pytest.mark.parametrize("window", [(50, 999), (100, 999), (700, 999)])
def test_windows_up_to_the_end(window):
    lags = np.arange(1000.0)
    line = fit_line(np.repeat(2.0 * lags[:, None], 3, axis=1), Statistics(1000, 5), window)
    assert line.slope == pytest.approx(6.0)
    assert 0.0 < line.error < np.inf


@pytest.mark.parametrize("window", [(0, 9), (5, 6), (5, 20), (9, 5)])
def test_bad_windows(window):
    with pytest.raises(ValueError, match="at least 3 lags within 1 to 19 frames"):
        fit_line(np.ones((20, 3)), Statistics(100, 5), window)


def test_too_few_lags():
    with pytest.raises(ValueError, match="at least 4 lags"):
        fit_line(np.ones((3, 3)), Statistics(100, 5))
