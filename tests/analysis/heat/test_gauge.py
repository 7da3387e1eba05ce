"""Green-Kubo in mixtures: what does not depend on the zeros of the atomic energies, and what is said of the rest."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from ase_mlips.analysis.heat.correlations import diffusing_currents
from ase_mlips.analysis.heat.green_kubo import green_kubo
from ase_mlips.analysis.heat.green_kubo_result import GreenKubo
from ase_mlips.analysis.heat.series import HeatFluxSeries, as_ensemble
from support.heat_series import mixture, ornstein_uhlenbeck

TRUE = 2.5  # W/(m K)


def test_onsager_correction_does_not_depend_on_the_zero_of_energy():
    reference = green_kubo_of_mixture(mixture(50_000, shifts=(0.0, 0.0), kappa=TRUE, seed=1))
    window = reference.window_ps
    for shifts in ((20.0, 0.0), (0.0, -20.0), (-7.0, 30.0)):
        result = green_kubo_of_mixture(mixture(50_000, shifts=shifts, kappa=TRUE, seed=1), window)
        assert result.kappa > 5.0 * TRUE
        assert result.kappa_corrected == pytest.approx(reference.kappa_corrected, rel=1e-8)
        np.testing.assert_allclose(result.running_corrected, reference.running_corrected, rtol=1e-8, atol=1e-8 * TRUE)
        assert result.publish == "kappa_corrected"
        assert result.best == (result.kappa_corrected, result.error_corrected)
        assert result.cepstral_kappa == pytest.approx(reference.cepstral_kappa, rel=1e-8)
    assert abs(reference.kappa_corrected - TRUE) < 3.0 * reference.error_corrected


def green_kubo_of_mixture(series: HeatFluxSeries, window: tuple[float, float] | None = None) -> GreenKubo:
    with pytest.warns(
        UserWarning, match=r"arbitrary zero of the atomic energies.*diffuse here: publish kappa_corrected"
    ):
        return green_kubo(series, window_ps=window)


def test_three_species():
    runs = [mixture(20_000, shifts=(4.0, -3.0, 2.0), kappa=TRUE, seed=seed) for seed in range(6)]
    result = green_kubo_of_mixture(runs)
    assert result.diffusing == ("Ar", "Kr", "Xe")
    assert abs(result.kappa_corrected - TRUE) < 3.0 * result.error_corrected
    other = green_kubo_of_mixture([run.shifted({"Ar": 9.0, "Xe": -5.0}) for run in runs], result.window_ps)
    assert other.kappa_corrected == pytest.approx(result.kappa_corrected, rel=1e-8)


@pytest.mark.parametrize("seed", range(10))
def test_a_rigid_framework_is_one_species(seed):
    """Its two species move as one but for vibrations, whose integral is noise by which nothing must be divided."""
    two = mixture(10_000, shifts=(2.0, -2.0), kappa=TRUE, seed=seed)
    vibration = np.diff(ornstein_uhlenbeck(10_001, decay=3.0, seed=500 + seed).total, axis=0)
    ions, framework = two.currents.values()
    currents = {"Ar": ions, "Kr": 0.4 * framework + vibration, "Xe": 0.6 * framework - vibration}
    three = green_kubo_of_mixture(replace(two, currents=currents), (0.4, 0.8))
    expected = green_kubo_of_mixture(two, (0.4, 0.8))
    assert abs(three.kappa_corrected - expected.kappa_corrected) < 0.2 * expected.error_corrected


def test_corrected_error_bars():
    """40 seeds, correction of ten times the value: within 3 standard errors at least 95 %."""
    z = []
    for seed in range(40):
        result = green_kubo_of_mixture(mixture(10_000, shifts=(4.0, -3.0), kappa=TRUE, seed=seed), (0.4, 0.8))
        z.append((result.kappa_corrected - TRUE) / result.error_corrected)
    assert np.mean(np.abs(np.array(z)) < 3.0) >= 0.95


def test_a_crystal_needs_no_correction():
    """Species currents whose integral vanishes: a shift changes nothing but the convective share, of which we warn."""
    crystal = mixture(50_000, kappa=TRUE, diffuses=False, seed=3)
    crystal = replace(crystal, convective=0.01 * crystal.total, conductive=0.99 * crystal.total)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = green_kubo(crystal)
    assert plain.publish == "kappa"
    assert plain.diffusing == ()
    assert plain.best == (plain.kappa, plain.error)
    assert abs(plain.kappa_corrected - plain.kappa) < 0.5 * plain.error
    assert abs(plain.kappa - TRUE) < 3.0 * plain.error
    moved = green_kubo(crystal.shifted({"Ar": 0.5}), window_ps=plain.window_ps)
    assert abs(moved.kappa - plain.kappa) < plain.error


@pytest.mark.parametrize("diffuses", [True, False])
@pytest.mark.parametrize("shifts", [{"Ar": 3.0}, {"Kr": -20.0, "Xe": 1.0}])
def test_zeros_of_energy_change_neither_the_window_nor_the_corrected_value(shifts, diffuses):
    series = mixture(10_000, shifts=(0.2, 0.0, 0.1), kappa=TRUE, diffuses=diffuses)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        first, other = green_kubo(series), green_kubo(series.shifted(shifts))
    assert other.window_ps == first.window_ps
    assert other.diffusing == first.diffusing
    assert bool(first.diffusing) == diffuses
    assert other.kappa_corrected == pytest.approx(first.kappa_corrected, rel=1e-8)
    assert other.error_corrected == pytest.approx(first.error_corrected, rel=1e-6)
    np.testing.assert_allclose(other.running_corrected, first.running_corrected, rtol=1e-6, atol=1e-8 * TRUE)
    assert abs(other.kappa - first.kappa) > 1e-4 * TRUE


def test_a_large_convective_share_of_a_mixture_is_said():
    crystal = mixture(20_000, kappa=TRUE, diffuses=False, seed=3)  # a fifth is convective
    with pytest.warns(UserWarning, match=r"0\.4\d+ of the 2\.5\d W/\(m K\) of Ar, Kr.*No species was found to diffuse"):
        green_kubo(crystal)


def test_one_species_has_no_gauge():
    """Its current is zero but for rounding, whatever its conductivity: no correction, no warning."""
    series = ornstein_uhlenbeck(20_000)
    rounding = {"Ar": 1e-16 * np.random.default_rng(0).normal(size=(20_000, 3))}
    result = green_kubo(replace(series, currents=rounding))
    assert result.kappa_corrected is None
    assert result.running_corrected is None
    assert result.publish == "kappa"


def vibrating(frames: int, decay: float, seed: int) -> HeatFluxSeries:
    """A crystal of two species whose current decays more slowly than the heat flux, by e in `decay` frames."""
    bounded = ornstein_uhlenbeck(frames + 1, decay=decay, seed=7_000 + seed).total
    current = np.diff(bounded, axis=0)
    return replace(ornstein_uhlenbeck(frames, seed=seed), currents={"Ar": current, "Kr": -current})


@pytest.mark.parametrize(("frames", "runs"), [(5_000, 1), (5_000, 4)])
def test_species_that_vibrate_slowly_do_not_diffuse(frames, runs):
    """100 seeds, decay in five times that of the heat flux: two at most are called diffusing, one at most is missed."""
    wrong = missed = 0
    for seed in range(100):
        vibrations = [vibrating(frames, 100.0, 10 * seed + k) for k in range(runs)]
        wrong += bool(diffusing_currents(as_ensemble(vibrations, 200)).names)
        diffusion = [mixture(frames, seed=10 * seed + k) for k in range(runs)]
        missed += diffusing_currents(as_ensemble(diffusion, 200)).names != ("Ar", "Kr")
    assert wrong <= 2
    assert missed <= 1


def test_a_framework_beside_ions_adds_no_second_direction():
    """100 seeds: two species of a framework vibrate relative to each other, one more diffuses."""
    directions = []
    for seed in range(100):
        two = mixture(10_000, seed=seed)
        vibration = np.diff(ornstein_uhlenbeck(10_001, decay=50.0, seed=5_000 + seed).total, axis=0)
        ions, framework = two.currents.values()
        currents = {"Ar": ions, "Kr": 0.4 * framework + vibration, "Xe": 0.6 * framework - vibration}
        found = diffusing_currents(as_ensemble(replace(two, currents=currents), 200))
        assert "Ar" in found.names
        directions.append(found.directions.shape[1])
    assert directions.count(1) >= 99


def test_runs_of_unequal_length_share_their_lowest_frequencies():
    runs = [mixture(frames, seed=frames) for frames in (400, 10_000)]
    assert diffusing_currents(as_ensemble(runs, 200)).names == ("Ar", "Kr")
    assert diffusing_currents(as_ensemble([vibrating(400, 20.0, 1), vibrating(10_000, 20.0, 2)], 200)).names == ()


def test_the_corrected_curve_has_no_poles_and_its_average_is_the_value():
    """Ions that also vibrate: the integral of their current passes through zero before it is level."""
    series = mixture(20_000, shifts=(4.0, -3.0), kappa=TRUE, seed=4)
    phase = 0.4 * np.arange(20_000)[:, None]
    envelope = ornstein_uhlenbeck(20_000, decay=15.0, seed=77).total
    vibration = np.diff(1.5 * envelope * np.cos(phase), axis=0, prepend=0.0)
    currents = {"Ar": series.currents["Ar"] + vibration, "Kr": series.currents["Kr"] - vibration}
    result = green_kubo_of_mixture(replace(series, currents=currents))
    first, last = (round(edge / 0.004) for edge in result.window_ps)
    average = np.trapezoid(result.running_corrected[first : last + 1]) / (last - first)
    assert average == pytest.approx(result.kappa_corrected, rel=1e-8)
    assert result.running_corrected[0] == 0.0
    assert np.abs(result.running_corrected).max() < 3.0 * TRUE


def test_where_a_combination_diffuses_a_species_is_named():
    """Vibrations of one against the other hide that both move together against a third, heavy one."""
    series = mixture(10_000, shifts=(0.0, 0.0, 0.0))
    slow, vibration = ornstein_uhlenbeck(10_000, decay=8.0, seed=5).total, np.zeros((10_000, 3))
    vibration[1:] = 5e3 * np.diff(ornstein_uhlenbeck(10_000, decay=20.0, seed=6).total, axis=0)
    currents = {"Ar": slow + vibration, "Kr": slow - vibration, "Xe": -2.0 * slow + 0.5 * vibration}
    found = diffusing_currents(as_ensemble(replace(series, currents=currents), 200))
    assert bool(found.names) == bool(found.directions.size)
