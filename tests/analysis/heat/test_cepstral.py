"""Cepstral analysis of fluxes whose thermal conductivity is known."""

from dataclasses import replace

import numpy as np
import pytest
from ase_mlips.analysis.formatting import with_error
from ase_mlips.analysis.heat.cepstral import Cepstral, cepstral
from matplotlib.figure import Figure
from support.heat_series import mixture, ornstein_uhlenbeck

KAPPA = 2.5


def test_known_conductivity_is_within_the_error_bar():
    """200 seeds: within 3 standard errors at least 95 %, within 2 at least 90 %, and the error bar is not too large."""
    results = [cepstral(ornstein_uhlenbeck(20_000, seed=seed, kappa=KAPPA)) for seed in range(200)]
    z = np.array([(result.kappa - KAPPA) / result.error for result in results])
    assert np.mean(np.abs(z) < 3.0) >= 0.95
    assert np.mean(np.abs(z) < 2.0) >= 0.90
    assert 0.55 < np.mean(np.abs(z) < 1.0) < 0.80
    assert abs(np.mean([result.kappa for result in results]) / KAPPA - 1.0) < 0.02


def test_more_data_give_a_smaller_error():
    short, long = (cepstral(ornstein_uhlenbeck(frames, seed=1, kappa=KAPPA)) for frames in (5_000, 500_000))
    assert long.error < 0.25 * short.error
    assert abs(long.kappa - KAPPA) < 3.0 * long.error


def test_runs_count_as_samples():
    runs = [ornstein_uhlenbeck(5_000, seed=seed, kappa=KAPPA) for seed in range(8)]
    one, all_of_them = cepstral(runs[0]), cepstral(runs)
    assert abs(all_of_them.kappa - KAPPA) < 3.0 * all_of_them.error
    assert all_of_them.error < 0.5 * one.error


def test_white_noise_needs_one_coefficient_or_few():
    result = cepstral(ornstein_uhlenbeck(20_000, decay=0.01, seed=3, kappa=KAPPA))
    assert result.coefficients <= 8
    assert abs(result.kappa - KAPPA) < 3.0 * result.error
    assert result.cutoff_thz == pytest.approx(0.9 * result.frequencies[-1], rel=0.02)


def test_the_whole_spectrum_up_to_the_nyquist_frequency():
    """For white noise the expected logarithm is known at each point, at the two real ones too."""
    values = []
    for seed in range(300):
        series = ornstein_uhlenbeck(200, decay=0.01, seed=seed, kappa=KAPPA)
        values.append(np.log(cepstral(series, cutoff_thz=125.0).smooth / KAPPA).mean())
    assert abs(np.mean(values)) < 3.0 * np.std(values) / np.sqrt(300)


@pytest.mark.parametrize("cutoff", [10.0, 20.0, 40.0])
def test_the_cutoff_hardly_matters(cutoff):
    result = cepstral(ornstein_uhlenbeck(100_000, seed=5, kappa=KAPPA), cutoff_thz=cutoff)
    assert abs(result.kappa - KAPPA) < 3.0 * result.error
    assert result.cutoff_thz == pytest.approx(cutoff, rel=0.01)


def test_species_currents_are_taken_out():
    """The flux is that of a known part and multiples of the currents, of any size."""
    series = mixture(50_000, kappa=KAPPA, shifts=(30.0, -20.0), seed=2)
    plain, corrected = cepstral(series), cepstral(series, corrected=True)
    assert plain.kappa > 10.0 * KAPPA
    assert abs(corrected.kappa - KAPPA) < 3.0 * corrected.error
    assert corrected.corrected
    low = slice(1, len(corrected.smooth))
    assert np.mean(corrected.spectrum[low] / corrected.smooth[1:]) == pytest.approx(1.0, abs=0.05)
    other = cepstral(series.shifted({"Ar": 5.0, "Kr": -7.0}), corrected=True)
    assert other.kappa == pytest.approx(corrected.kappa, rel=1e-8)


@pytest.mark.parametrize("factors", [(1.0, -1.0, 0.0), (1.0, -0.3, -0.7), (0.0, 1.0, -1.0)])
def test_currents_that_depend_on_each_other_count_once(factors):
    series = mixture(5_000, kappa=KAPPA, shifts=(30.0, -20.0), seed=2)
    current = series.currents["Ar"]
    names = ("Ar", "Kr", "Xe")
    dependent = replace(series, currents={name: factor * current for name, factor in zip(names, factors, strict=True)})
    expected, found = cepstral(series, corrected=True), cepstral(dependent, corrected=True)
    assert found.kappa == pytest.approx(expected.kappa, rel=1e-8)
    assert found.error == pytest.approx(expected.error, rel=1e-8)


def test_corrected_error_bars():
    """100 seeds: within 3 standard errors at least 95 %."""
    results = [cepstral(mixture(20_000, kappa=KAPPA, shifts=(2.0, -1.0), seed=s), corrected=True) for s in range(100)]
    z = np.array([(result.kappa - KAPPA) / result.error for result in results])
    assert np.mean(np.abs(z) < 3.0) >= 0.95
    assert np.mean(np.abs(z) < 1.0) > 0.5


def test_result_can_be_saved_and_drawn(tmp_path):
    result = cepstral(ornstein_uhlenbeck(5_000, kappa=KAPPA))
    result.save(tmp_path / "result.npz")
    assert Cepstral.load(tmp_path / "result.npz").kappa == result.kappa
    value = with_error(result.kappa, result.error)
    assert repr(result) == f"Cepstral({value} W/(m K), up to {result.cutoff_thz:.3g} THz)"
    ax = result.plot(Figure().subplots())
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), result.smooth)
    assert result.smooth[0] == pytest.approx(result.kappa)


def test_input_that_has_no_conductivity():
    series = ornstein_uhlenbeck(5_000)
    with pytest.raises(ValueError, match="at least 200 frames"):
        cepstral(series[:199])
    with pytest.raises(ValueError, match=r"cutoff_thz from 2\.5 to 125 THz, got 1"):
        cepstral(series, cutoff_thz=1.0)
    with pytest.raises(ValueError, match="4 species need at least 2 independent runs"):
        cepstral(mixture(5_000, shifts=(1.0, 2.0, 3.0, 4.0)), corrected=True)
