"""The covariance of mean squared displacements against direct sums, samples, and the coverage of the error bars."""

import numpy as np
import pytest
from ase_mlips.analysis.diffusion.brownian import Statistics, covariance, excess, fit_line
from ase_mlips.analysis.diffusion.msd import displacements, sampled_lags
from ase_mlips.analysis.diffusion.window import AT_REST, DIFFUSES, GIVEN, TOO_SHORT, judge
from ase_mlips.analysis.trajectories.series import Series
from support.walkers import brownian, hopping, in_groups, langevin, langevin_diffusion, rattling


def overlaps(n, m, frames):
    """Sum over all pairs of windows of the squared number of steps they share."""
    t, u = np.arange(frames - n)[:, None], np.arange(frames - m)
    return np.sum(np.maximum(0, np.minimum(t + n, u + m) - np.maximum(t, u)) ** 2)


@pytest.mark.parametrize("frames", [13, 40])
def test_covariance_of_brownian_motion_counts_the_shared_steps(frames):
    lags = np.array([1, 2, 5, 6, 11])
    steps = 0.7
    expected = [[2.0 * steps**2 * overlaps(n, m, frames) / ((frames - n) * (frames - m)) for m in lags] for n in lags]
    np.testing.assert_allclose(covariance(lags, frames - lags, steps * np.arange(40)), expected, rtol=1e-12)


def test_covariance_with_noise_is_that_of_many_samples():
    rng = np.random.default_rng(5)
    frames, lags, runs = 60, np.array([1, 3, 8, 15]), 20000
    x = np.cumsum(rng.normal(size=(frames, runs)), axis=0) + 1.5 * rng.normal(size=(frames, runs))
    samples = [np.mean((x[k:] - x[:-k]) ** 2, axis=0) for k in lags]
    curve = np.arange(60) + 2.0 * 1.5**2
    curve[0] = 0.0
    expected = covariance(lags, frames - lags, curve)
    deviation = (np.cov(samples) - expected) / np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert np.abs(deviation).max() < 6.0 / np.sqrt(runs)  # of a covariance, 1 to 2 / sqrt(runs) with heavy tails


def statistics(positions, lags):
    series = Series([(positions, np.zeros((len(positions), 3, 3)))])
    moved = displacements(series, np.arange(positions.shape[1]), lags)
    some = sampled_lags(lags)
    beyond = excess(moved.mean, some, moved.spread[:, 3])
    return moved.mean, Statistics(*positions.shape[:2], some, beyond, moved.blocks)


def judged(positions):
    return judge(*statistics(positions, len(positions) // 3))


def deviations(make, d, seeds):
    """Of the diffusion coefficient from the true one, in its own standard errors; share of runs that have one."""
    found = [judged(make(seed)) for seed in range(seeds)]
    lines = [one.line for one in found if one.verdict == DIFFUSES]
    return np.array([(line.slope - 6.0 * d) / line.error for line in lines]), len(lines) / seeds


def test_blocks_average_to_the_curve():
    x = brownian(0, 401, 5)
    curve, known = statistics(x, 100)
    for k, lag in enumerate(known.lags[:4]):  # beyond, not every time origin counts
        np.testing.assert_allclose(known.blocks[:, k].mean(axis=0), curve[lag], rtol=0.02)
    change = x[1 + 350 : 401] - x[350:400]
    np.testing.assert_allclose(known.blocks[-1, 0], (change**2).sum(axis=1).mean(axis=0) / 5)


def test_error_bars_of_brownian_walkers_cover_the_truth():
    z, share = deviations(lambda seed: brownian(seed, 1000, 32, d=0.05), 0.05, 60)
    assert share >= 0.95
    assert np.mean(np.abs(z) < 3.0) >= 0.98
    # Of 60 seeds a share p is found within 3 sqrt(p (1 - p) / 60) of a Gaussian's 68.3 and 95.4 %.
    assert np.mean(np.abs(z) < 1.0) == pytest.approx(0.683, abs=0.18)
    assert np.mean(np.abs(z) < 2.0) == pytest.approx(0.954, abs=0.081)


@pytest.mark.parametrize(
    ("make", "d"),
    [
        (lambda seed: 0.1 * np.cumsum(langevin(seed, 2000, 24), axis=0), 0.01 * langevin_diffusion()),
        (lambda seed: brownian(seed, 2000, 24, d=0.02) + rattling(seed + 1000, 2000, 24), 0.02),
        (lambda seed: hopping(seed, 2000, 24), 0.0075),
        (lambda seed: hopping(seed, 2000, 24) + rattling(seed + 1000, 2000, 24), 0.0075),
        (lambda seed: in_groups(seed, 2000, 48, d=0.02), 0.02),
        (
            lambda seed: 0.1 * np.cumsum(np.repeat(langevin(seed, 2000, 12), 4, axis=1), axis=0),
            0.01 * langevin_diffusion(),
        ),
    ],
    ids=["ballistic", "caged", "hopping", "hopping between cages", "in groups", "ballistic in groups"],
)
def test_error_bars_of_other_motion_cover_the_truth(make, d):
    z, share = deviations(make, d, 20)
    assert share >= 0.8
    assert np.sum(np.abs(z) > 3.0) <= 1  # of 16 to 20
    assert abs(z.mean()) < 3.0 / np.sqrt(len(z))
    assert 0.5 < z.std() < 1.5  # 1 within three of its own errors, 1 / sqrt(40)


def test_blocks_in_time_see_what_walkers_share():
    curve, known = statistics(np.repeat(brownian(0, 4000, 8), 8, axis=1), 200)
    line, naive = (fit_line(curve, one, (4, 128)) for one in (known, known._replace(blocks=None)))
    assert line.slope == naive.slope
    assert line.error == pytest.approx(np.sqrt(8.0) * naive.error, rel=0.6)  # a deviation of eight is known to 27 %


def test_ballistic_motion_is_left_out():
    curve, known = statistics(np.cumsum(langevin(1, 2000), axis=0), 600)
    line = judge(curve, known).line
    assert 20 <= line.first <= 150  # two to fifteen times the memory of the velocity
    assert fit_line(curve, known, (1, 5)).slope < 0.3 * line.slope


def cages_of_sites(seed, frames, atoms=48, timestep=0.01):
    """Walkers that hop between six sites of a cage every 2 ps, and to another cage every 17 ps, in frames of 10 fs."""
    rng = np.random.default_rng(seed)
    drawn = np.where(rng.random((frames, atoms)) < timestep / 2.0, np.arange(frames)[:, None], 0)
    sites = 1.2 * np.concatenate([np.eye(3), -np.eye(3)])[rng.integers(0, 6, (frames, atoms))]
    within = np.take_along_axis(sites, np.maximum.accumulate(drawn, axis=0)[:, :, None], axis=0)
    cages = hopping(seed, frames, atoms, rate=0.06 * timestep, length=3.5)
    return within + cages + rattling(seed, frames, atoms, width=0.35, tau=8.0)


@pytest.mark.parametrize("frames", [300, 600])
def test_a_run_that_shows_hops_in_a_cage_only_is_too_short(frames):
    # The slopes of these runs are two to four times that of diffusion, which sets in after 5 ps.
    assert [judged(cages_of_sites(seed, frames)).verdict for seed in range(6)] == [TOO_SHORT] * 6


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
    for seed in range(3):
        found = judged(vibrating(seed, frames, d, timestep))
        if d == 0.0:
            assert found.verdict == AT_REST
        if found.verdict == AT_REST:
            assert 6.0 * d < found.bound
        elif found.verdict == DIFFUSES:
            assert abs(found.line.slope - 6.0 * d) < 3.5 * found.line.error


@pytest.mark.parametrize("rate", [1e-5, 1e-4])
def test_limits_of_atoms_that_hardly_hop(rate):
    """Of 0.16 and 1.6 hops a run; where no atom is seen to hop for long, the limit covers what it may do."""
    found = [judged(hopping(seed, 1000, 16, rate=rate) + rattling(seed, 1000, 16, width=0.25)) for seed in range(40)]
    at_rest = [one for one in found if one.verdict == AT_REST]
    assert len(at_rest) > 20
    assert all(one.verdict in (AT_REST, TOO_SHORT) for one in found)
    assert np.mean([one.bound > rate * 3.0**2 for one in at_rest]) >= 0.95
    assert all(np.isnan(one.line.slope) for one in found)


def test_a_window_is_obeyed():
    curve, known = statistics(brownian(3), 400)
    found = judge(curve, known, (40, 300))
    assert found.verdict == GIVEN
    assert (found.line.first, found.line.last) == (40, 300)
    assert found.line.error > 2.0 * fit_line(curve, known, (2, 300)).error


def test_atoms_at_rest_do_not_diffuse():
    line = fit_line(np.zeros((20, 3)), Statistics(100, 5), (2, 15))
    assert (line.slope, line.error) == (0.0, 0.0)
    for window in (None, (10, 100)):
        found = judged(rattling(0, 600, 20, width=0.25)) if window is None else judge(
            *statistics(rattling(0, 600, 20, width=0.25), 200), window
        )  # fmt: skip
        assert (found.verdict, np.isnan(found.line.slope)) == (AT_REST, True)
        assert 0.0 < found.bound < 0.01
    assert judge(np.zeros((20, 3)), Statistics(100, 5)).verdict == AT_REST


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
        judge(np.ones((3, 3)), Statistics(100, 5))
