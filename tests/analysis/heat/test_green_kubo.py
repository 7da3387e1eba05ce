"""The Green-Kubo formula with fluxes whose thermal conductivity is known."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from ase_mlips.analysis.correlation import correlation
from ase_mlips.analysis.formatting import with_error
from ase_mlips.analysis.heat.green_kubo import green_kubo
from ase_mlips.analysis.heat.green_kubo_result import GreenKubo
from ase_mlips.analysis.heat.plateau import find_plateau
from ase_mlips.analysis.heat.series import KAPPA, HeatFluxSeries
from matplotlib.figure import Figure
from support.heat_series import mixture, ornstein_uhlenbeck

TRUE = 2.5  # W/(m K)

# Curves, windows and errors also of runs that are too short for a value to be published; see test_verdict.
pytestmark = pytest.mark.filterwarnings("ignore:no thermal conductivity", "ignore:the running integral")


def test_constants():
    """The figures of CODATA 2018, in the units of flux series, and with ps instead of fs."""
    assert pytest.approx(1.85924878e10, rel=1e-6) == KAPPA
    assert pytest.approx(1.602176634e-19**2 * 1e10**2 * 1e5 / 1.380649e-23, rel=1e-6) == KAPPA


def test_formula_by_hand():
    """kappa_ab(t) from the definition, with double loops over times."""
    rng = np.random.default_rng(0)
    series = replace(
        ornstein_uhlenbeck(300), convective=rng.normal(size=(300, 3)), conductive=rng.normal(size=(300, 3))
    )
    result = green_kubo(series, window_ps=(0.008, 0.020), max_lag_ps=0.04)
    J, factor = series.total, 1.85924878e10 / (300.0**2 * 8000.0)
    expected = np.zeros((11, 3, 3))
    for lag in range(11):
        products = np.mean([np.outer(J[t], J[t + lag]) for t in range(300 - lag)], axis=0)
        expected[lag] = 0.5 * (products + products.T)
    np.testing.assert_allclose(result.hcacf["total"], expected, atol=1e-12)
    running = [np.trapezoid(expected[: k + 1], dx=4.0, axis=0) for k in range(11)]
    np.testing.assert_allclose(result.running["total"], factor * np.array(running), rtol=1e-6, atol=1e-6 * factor)
    np.testing.assert_allclose(result.times, 0.004 * np.arange(11))
    window = factor * np.trapezoid(running[2:6], axis=0) / 3.0
    np.testing.assert_allclose(result.tensor, window, rtol=1e-6, atol=1e-6 * factor)
    assert result.kappa == pytest.approx(np.trace(window) / 3.0, rel=1e-6)
    assert result.window_ps == pytest.approx((0.008, 0.020))


def test_parts_add_up():
    result = green_kubo(ornstein_uhlenbeck(5_000))
    total = result.running["total"]
    np.testing.assert_allclose(sum(result.running[name] for name in ("convective", "conductive", "cross")), total)
    assert result.parts["convective"] == pytest.approx(0.01 * result.kappa)
    assert result.parts["cross"] == pytest.approx(0.18 * result.kappa)
    assert result.convective_share == pytest.approx(0.19)


def test_known_conductivity_is_within_the_error_bar():
    """200 seeds: within 3 standard errors at least 95 %, within 2 at least 90 %, and the error bar is not too large."""
    results = [green_kubo(ornstein_uhlenbeck(5_000, decay=5.0, seed=seed, kappa=TRUE)) for seed in range(200)]
    z = np.array([(result.kappa - TRUE) / result.error for result in results])
    assert np.mean(np.abs(z) < 3.0) >= 0.95
    assert np.mean(np.abs(z) < 2.0) >= 0.90
    assert 0.55 < np.mean(np.abs(z) < 1.0) < 0.80
    assert abs(np.mean([result.kappa for result in results]) / TRUE - 1.0) < 0.04


def test_error_of_a_window_is_what_theory_says():
    """Window of five to ten decay times: the scatter of 200 runs, which is known to 5 % of itself."""
    window = (0.1, 0.2)
    results = [
        green_kubo(ornstein_uhlenbeck(5_000, decay=5.0, seed=s, kappa=TRUE), window_ps=window) for s in range(200)
    ]
    values = np.array([result.kappa for result in results])
    assert np.mean([result.error for result in results]) == pytest.approx(values.std(), rel=0.15)
    assert abs(values.mean() - TRUE) < 3.0 * values.std() / np.sqrt(200)


def test_independent_runs():
    runs = [ornstein_uhlenbeck(20_000 + 1000 * seed, seed=seed, kappa=TRUE) for seed in range(12)]
    one, many = green_kubo(runs[0]), green_kubo(runs)
    assert many.run_kappas.shape == (12,)
    assert abs(many.kappa - TRUE) < 3.0 * many.error
    assert many.error < 0.5 * one.error
    weights = [len(run) for run in runs]
    assert many.kappa == pytest.approx(np.average(many.run_kappas, weights=weights))


def test_runs_that_disagree_have_the_larger_error():
    """Glassy systems: each run has another conductivity."""
    runs = [ornstein_uhlenbeck(20_000, seed=seed, kappa=kappa) for seed, kappa in enumerate((1.0, 2.0, 3.0, 4.0))]
    result = green_kubo(runs)
    assert result.error == pytest.approx(result.run_kappas.std(ddof=1) / 2.0)
    assert result.error > 0.4


def test_blocks_of_one_run():
    series = ornstein_uhlenbeck(40_000, seed=4, kappa=TRUE)
    result = green_kubo(series, blocks=5)
    assert result.run_kappas.shape == (5,)
    assert abs(result.kappa - TRUE) < 3.0 * result.error
    expected = green_kubo([series[k * 8000 : (k + 1) * 8000] for k in range(5)])
    assert result.kappa == expected.kappa
    with pytest.raises(ValueError, match="positive number of blocks"):
        green_kubo(series, blocks=0)


def optical(frames: int, seed: int) -> tuple[HeatFluxSeries, float]:
    """Slow decay of a twentieth of the amplitude, and a strong vibration, which decays too; and its conductivity."""
    slow = ornstein_uhlenbeck(frames, decay=100.0, seed=seed, kappa=TRUE)
    envelope = [ornstein_uhlenbeck(frames, decay=60.0, seed=5000 + 10 * seed + k, kappa=TRUE) for k in range(2)]
    phase = 0.6 * np.arange(frames)[:, None]
    strong = 4.0 * (envelope[0].total * np.cos(phase) + envelope[1].total * np.sin(phase))
    # The integral of 16 C cos(0.6 t), by the geometric sum with its first term halved.
    ratio = np.exp(-1.0 / 60.0 + 0.6j)
    start = TRUE * (2.0 * (1.0 - np.exp(-1.0 / 60.0))) / (1.0 + np.exp(-1.0 / 60.0))
    added = 16.0 * start * (1.0 / (1.0 - ratio) - 0.5).real
    return replace(slow, conductive=slow.conductive + strong), TRUE + added


def test_vibrations_do_not_end_the_integral_early():
    """The correlation passes zero after three frames and oscillates; the slow part lasts for hundreds."""
    results = []
    for seed in range(20):
        series, expected = optical(60_000, seed)
        results.append(green_kubo(series))
    hcacf = np.trace(results[0].hcacf["total"], axis1=1, axis2=2)
    assert hcacf[5] < -0.5 * hcacf[0]
    z = np.array([(result.kappa - expected) / result.error for result in results])
    assert np.mean(np.abs(z) < 3.0) >= 0.95
    assert np.median([result.window_ps[0] for result in results]) > 0.004 * 200


def test_a_slow_part_that_sets_in_after_fast_ones_have_faded():
    """A tenth of the conductivity is there after ten frames, the rest comes in hundreds: no false plateau."""
    for seed in range(10):
        fast = ornstein_uhlenbeck(40_000, decay=2.0, seed=seed, kappa=0.1 * TRUE)
        slow = ornstein_uhlenbeck(40_000, decay=200.0, seed=100 + seed, kappa=0.9 * TRUE)
        result = green_kubo(replace(fast, conductive=fast.total + slow.total, convective=0.0 * fast.total))
        assert result.window_ps[0] > 0.004 * 200
        assert abs(result.kappa - TRUE) < 3.0 * result.error


def test_no_plateau_is_said():
    drift = np.linspace(-1.0, 1.0, 5_000)[:, None] + 0.1 * ornstein_uhlenbeck(5_000).total
    drifting = replace(ornstein_uhlenbeck(5_000), conductive=drift)
    with pytest.warns(UserWarning, match="no thermal conductivity"):
        result = green_kubo(drifting)
    assert not result.converged
    assert np.isnan(result.best).all()
    assert not green_kubo(drifting, window_ps=(0.4, 0.8)).converged


def test_a_plateau_is_there_after_the_correlation_has_faded():
    series = ornstein_uhlenbeck(60_000, decay=100.0)
    found = green_kubo(series)
    assert found.converged
    assert green_kubo(series, window_ps=found.window_ps).converged
    with pytest.warns(UserWarning, match="no plateau: the integral still changes at 0.08 ps"):
        assert not green_kubo(series, window_ps=(0.04, 0.08)).converged


def stretched(series: HeatFluxSeries, kappas: tuple[float, float, float]) -> HeatFluxSeries:
    """The series with other conductivities along x, y, z, relative to what they are."""
    factors = np.sqrt(kappas)
    return replace(series, convective=factors * series.convective, conductive=factors * series.conductive)


def test_directions_that_differ_are_an_error_of_one_run():
    """19.6, 1.6 and 1.5 are no 7.6 +- 2.5."""
    result = green_kubo(stretched(ornstein_uhlenbeck(5_000), (2.6, 0.2, 0.2)), window_ps=(0.4, 0.8))
    directions = np.diagonal(result.tensor)
    assert result.error == pytest.approx(np.std(directions, ddof=1) / np.sqrt(3.0))
    assert result.error > 1.5


def test_directions_that_differ_by_chance_leave_the_error():
    """More than theory allows in one case of twenty: 200 seeds."""
    window = (0.4, 0.8)
    results = [green_kubo(ornstein_uhlenbeck(20_000, seed=seed), window_ps=window) for seed in range(200)]
    theory = [result.kappa * 2.0 * np.sqrt((100 + 100 / 3) / 60_000) for result in results]
    larger = np.mean([result.error > 1.01 * error for result, error in zip(results, theory, strict=True)])
    assert 0.01 <= larger <= 0.10


def test_anisotropy_that_all_runs_share_is_no_error():
    runs = [stretched(ornstein_uhlenbeck(20_000, seed=seed), (1.4, 1.4, 0.2)) for seed in range(4)]
    result = green_kubo(runs, window_ps=(0.4, 0.8))
    assert result.tensor[0, 0] > 3.0 * result.tensor[2, 2]
    assert result.error < 0.2
    assert abs(result.kappa - TRUE) < 3.0 * result.error


def test_directions_that_differ_from_run_to_run_are_an_error():
    kappas = ((2.6, 0.2, 0.2), (2.8, 0.1, 0.1))
    runs = [stretched(ornstein_uhlenbeck(5_000, seed=seed), factors) for seed, factors in enumerate(kappas)]
    runs[1] = replace(
        runs[1], convective=np.roll(runs[1].convective, 1, 1), conductive=np.roll(runs[1].conductive, 1, 1)
    )
    result = green_kubo(runs, window_ps=(0.4, 0.8))
    assert result.error == pytest.approx(np.std(np.diagonal(result.tensor), ddof=1) / np.sqrt(3.0))


def test_the_picture_shows_all_of_every_curve():
    """A negative cross part that is larger than the total, as in crystals of several elements."""
    series = ornstein_uhlenbeck(5_000)
    ax = green_kubo(replace(series, convective=2.0 * series.total, conductive=-series.total)).plot(Figure().subplots())
    low, high = ax.get_ylim()
    for line in ax.lines:
        y = np.asarray(line.get_ydata())
        assert low < np.nanmin(y)
        assert np.nanmax(y) < high


def test_plateau_of_a_known_curve():
    times = np.arange(2_000)
    curve = 1.0 - np.exp(-times / 30.0)
    short, long = find_plateau(curve, 1e4), find_plateau(curve, 1e8)
    assert short.found
    assert long.found
    assert short.last == 2 * short.first
    assert long.first > 2 * short.first
    # What is missing is small against the standard error.
    for plateau, samples in ((short, 1e4), (long, 1e8)):
        assert 1.0 - plateau.average(curve) < 0.5 * plateau.relative_error(samples)
    assert not find_plateau(times.astype(float), 1e8).found


def test_runs_that_change_their_temperature_are_said():
    series = ornstein_uhlenbeck(20_000)
    noise = 1.0 + 0.05 * np.random.default_rng(0).normal(size=20_000)
    steady = replace(series, temperature=noise * series.temperature)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        green_kubo(steady)
    rising = replace(series, temperature=np.where(np.arange(20_000) > 15_000, 100.0, 1.0) * steady.temperature)
    other = replace(ornstein_uhlenbeck(20_000, seed=1), temperature=1.2 * steady.temperature)
    for wrong, said in ((rising, "300 K in one part of the runs and 29988 K"), ([steady, other], "300 K.* and 360 K")):
        with pytest.warns(UserWarning, match=said):
            green_kubo(wrong)


def test_a_run_that_is_too_short_and_a_window_at_its_end():
    with pytest.warns(UserWarning, match="no thermal conductivity: too short: 1.2 ps are 5 mean periods"):
        green_kubo(ornstein_uhlenbeck(300, decay=40.0, seed=10), window_ps=(0.02, 0.04))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert not green_kubo(ornstein_uhlenbeck(5_000), window_ps=(12.0, 19.0)).converged


def test_result_can_be_saved_and_drawn(tmp_path):
    with pytest.warns(UserWarning, match="publish kappa_corrected"):
        result = green_kubo(mixture(20_000, shifts=(1.0, 1.0)))
    result.save(tmp_path / "kappa.npz")
    loaded = GreenKubo.load(tmp_path / "kappa.npz")
    assert loaded.best == result.best
    np.testing.assert_array_equal(loaded.running["cross"], result.running["cross"])
    labels = {text.get_text() for text in result.plot(Figure().subplots()).get_legend().get_texts()}
    value = f"{with_error(*result.best)} W/(m K)"
    assert labels == {"total", "convective", "conductive", "cross", "Onsager-corrected", "cepstral", value}
    assert repr(result).startswith(f"GreenKubo({value}, kappa_corrected, window ")


def test_the_integral_is_that_of_correlation():
    series = ornstein_uhlenbeck(2_000)
    result = green_kubo(series, max_lag_ps=1.0)
    expected = correlation(series.total, max_lag=250) / 3.0
    np.testing.assert_allclose(
        np.trace(result.hcacf["total"], axis1=1, axis2=2) / 3.0, expected, atol=1e-12 * expected[0]
    )


def test_input_that_has_no_conductivity():
    series = ornstein_uhlenbeck(1_000)
    growing = replace(series, volume=series.volume * np.linspace(1.0, 1.01, 1_000))
    cases = {
        "at least 200 frames of the heat flux, got 150": series[:150],
        "periodic in all three directions": replace(series, volume=0.0 * series.volume),
        "volume changes.*NVE": growing,
        "not finite": replace(series, conductive=series.conductive * np.nan),
        "above 0 K": replace(series, temperature=0.0 * series.temperature),
        "at least one heat flux series": [],
        "such as read_heat_flux gives, got 'flux.txt'": "flux.txt",
        "zero throughout": replace(series, convective=0.0 * series.total, conductive=0.0 * series.total),
        "independent runs, got the same heat flux as runs 1 and 3": [series, series[300:], series],
        "independent runs, got the same heat flux as runs 1 and 2": [series, series[:500]],
        "one system, got Ar and Ne": [series, replace(series, currents={"Ne": series.currents["Ar"]})],
        "one time step, got 4 and 2 fs": [series, replace(series, timestep_fs=2.0)],
        r"one volume, got 8000 and 9000 A\^3": [series, replace(series, volume=series.volume + 1000.0)],
    }
    for message, wrong in cases.items():
        with pytest.raises(ValueError, match=message):
            green_kubo(wrong)
    for window in ((0.0, 1.0), (1.0, 1.0), (1.0, 5.0), (np.nan, 1.0), (1.0, np.inf), (1.0,), 5.0):
        with pytest.raises(ValueError, match=r"two increasing lags from 0\.004 \(a frame\) to 3\.996 ps"):
            green_kubo(series, window_ps=window)
    with pytest.raises(ValueError, match=r"from 0\.2 \(the end of the window\) to 3\.996"):
        green_kubo(series, window_ps=(0.1, 0.2), max_lag_ps=0.1)
    with pytest.raises(ValueError, match=r"max_lag_ps from .* got nan"):
        green_kubo(series, window_ps=(0.1, 0.2), max_lag_ps=np.nan)
    with pytest.raises(ValueError, match=r"positive number of blocks, got 2\.5"):
        green_kubo(series, blocks=2.5)
