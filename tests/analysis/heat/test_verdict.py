"""What is said of runs from which no thermal conductivity can be published."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from ase_mlips.analysis.heat.correlations import explained
from ase_mlips.analysis.heat.green_kubo import green_kubo
from ase_mlips.analysis.heat.green_kubo_result import GreenKubo
from ase_mlips.analysis.heat.series import HeatFluxSeries, as_ensemble
from ase_mlips.analysis.heat.verdict import mean_period
from support.heat_series import mixture, ornstein_uhlenbeck

TRUE = 2.5  # W/(m K)


def quiet(runs, **options) -> GreenKubo:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return green_kubo(runs, **options)


def vibrating(frames: int, seed: int) -> HeatFluxSeries:
    """Nine tenths of the amplitude are vibrations of 12 frames, and most of the conductivity a decay in 60."""
    slow = ornstein_uhlenbeck(frames, decay=60.0, seed=seed, kappa=TRUE)
    envelope = [ornstein_uhlenbeck(frames, decay=30.0, seed=9_000 + 10 * seed + k, kappa=TRUE) for k in range(2)]
    phase = 0.5 * np.arange(frames)[:, None]
    strong = 4.0 * (envelope[0].total * np.cos(phase) + envelope[1].total * np.sin(phase))
    return replace(slow, conductive=slow.conductive + strong)


def test_the_mean_period_of_a_vibration():
    """A pure one has its own; shifts of the zeros of energy change nothing."""
    phase = 2.0 * np.pi * np.arange(6_000)[:, None] / 30.0 + np.arange(3)
    flux = replace(ornstein_uhlenbeck(6_000), convective=np.cos(phase), conductive=np.zeros((6_000, 3)))
    assert mean_period(as_ensemble(flux, 200), np.zeros(0)) == pytest.approx(30.0, rel=0.01)
    plain = mixture(6_000)
    periods = [mean_period(e, explained(e)) for e in (as_ensemble(plain.shifted({"Ar": c}), 200) for c in (0.0, 20.0))]
    assert periods[1] == pytest.approx(periods[0], rel=1e-8)


@pytest.mark.parametrize("make", [ornstein_uhlenbeck, vibrating])
def test_short_runs_give_no_number(make):
    """Whatever the seed: a twentieth and a third of what is needed."""
    for seed in range(20):
        run = make(12_000, seed=seed)
        ensemble = as_ensemble(run, 200)
        period = mean_period(ensemble, explained(ensemble))
        for share in (0.05, 1.0 / 3.0):
            short = run[: max(200, int(share * 200.0 * period))]
            with pytest.warns(
                UserWarning, match="no thermal conductivity: too short: .* mean periods of the heat flux"
            ):
                result = green_kubo(short)
            assert result.verdict.startswith("too short: ")
            assert not result.converged
            assert np.isnan(result.best).all()
            assert repr(result).startswith("GreenKubo(too short: ")


def test_runs_count_together():
    runs = [ornstein_uhlenbeck(4_000, seed=seed) for seed in range(4)]
    assert quiet(runs[0]).verdict.startswith("too short")
    assert green_kubo(runs).converged


def test_values_of_runs_that_are_long_enough_are_within_their_errors():
    """Published ones only, of 100 seeds of 250 periods: within three standard errors 95 %."""
    z = []
    for seed in range(100):
        result = quiet(ornstein_uhlenbeck(4_000, decay=5.0, seed=seed, kappa=TRUE))
        if result.converged:
            z.append((result.kappa - TRUE) / result.error)
    assert len(z) >= 90
    assert np.mean(np.abs(z) < 3.0) >= 0.95
    assert np.mean(np.abs(z) < 2.0) >= 0.85


def test_a_value_that_is_mostly_error_is_not_published():
    result = quiet(ornstein_uhlenbeck(12_000), window_ps=(6.0, 12.0))
    assert result.verdict.startswith("too short: the standard error is ")
    assert "times the length are needed" in result.verdict


def test_halves_that_differ_are_not_published():
    """The second half conducts half as well; with one run the whole looks as good as ever."""
    first, second = ornstein_uhlenbeck(20_000, decay=5.0, seed=1), ornstein_uhlenbeck(20_000, decay=5.0, seed=2)
    assert green_kubo(first).converged
    joined = {
        name: np.concatenate([getattr(first, name), 0.7 * getattr(second, name)])
        for name in ("convective", "conductive")
    }
    constant = {name: np.concatenate(2 * [getattr(first, name)]) for name in ("temperature", "volume")}
    changing = replace(first, **joined, **constant, currents={"Ar": np.zeros((40_000, 3))})
    assert "too short: the first halves of the runs give" in quiet(changing).verdict


@pytest.mark.parametrize("name", ["Langevin", "LangevinBAOAB", "Andersen"])
def test_thermostats_of_single_atoms_give_no_number(name):
    series = replace(ornstein_uhlenbeck(20_000), ensemble=name)
    with pytest.warns(UserWarning, match=f"no thermal conductivity: thermostatted: {name} dynamics"):
        assert np.isnan(green_kubo(series).best).all()


def test_other_thermostats_are_said_and_nve_and_unknown_ones_are_not():
    for name in ("NoseHooverChainNVT", "Bussi"):
        with pytest.warns(UserWarning, match=f"{name} dynamics changes the heat flux"):
            assert green_kubo(replace(ornstein_uhlenbeck(20_000), ensemble=name)).converged
    for name in ("NVE", "unknown"):
        assert green_kubo(replace(ornstein_uhlenbeck(20_000), ensemble=name)).converged
