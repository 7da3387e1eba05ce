"""The correlation function against its definition."""

from importlib import import_module

import numpy as np
import pytest
from ase_mlips.analysis import correlation


def direct(a, b, max_lag):
    frames = len(a)
    return np.array([np.sum(a[: frames - k] * b[k:]) / (frames - k) for k in range(max_lag + 1)])


@pytest.mark.parametrize("shape", [(1,), (17,), (64, 3), (50, 7, 3)])
def test_autocorrelation_is_the_direct_sum(shape):
    a = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_allclose(correlation(a), direct(a, a, shape[0] - 1), rtol=1e-9, atol=1e-11)


def test_cross_correlation_is_the_direct_sum_and_has_a_direction():
    a, b = np.random.default_rng(1).normal(size=(2, 40, 5))
    np.testing.assert_allclose(correlation(a, b, max_lag=12), direct(a, b, 12), rtol=1e-9, atol=1e-11)
    delayed = np.roll(a, 3, axis=0)
    assert np.argmax(correlation(a[:30], delayed[:30], max_lag=10)) == 3


@pytest.mark.parametrize("columns", [1, 3, 10])
@pytest.mark.parametrize(
    ("frames", "max_lag"), [(64, 3), (70, 7), (71, 0), (33, 6), (260, 15), (260, 130), (263, 262), (700, 699)]
)
def test_long_series_by_stretches_are_the_direct_sum(monkeypatch, frames, max_lag, columns):
    module = import_module("ase_mlips.analysis.correlation")
    for name, value in {"_SHORTEST": 3, "_LONGEST": 4, "_TOGETHER": 3}.items():
        monkeypatch.setattr(module, name, value)
    a, b = np.random.default_rng(3).normal(size=(2, frames, columns))
    np.testing.assert_allclose(correlation(a, max_lag=max_lag), direct(a, a, max_lag), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(correlation(a, b, max_lag=max_lag), direct(a, b, max_lag), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("max_lag", [20, 8_191, 20_000, 40_000])
def test_stretches_of_a_long_series(max_lag):
    a, b = np.random.default_rng(4).normal(size=(2, 40_001, 3))
    for first, second, found in ((a, a, correlation(a, max_lag=max_lag)), (a, b, correlation(a, b, max_lag=max_lag))):
        assert found.shape == (max_lag + 1,)
        for lag in {0, 1, max_lag // 3, max_lag - 1, max_lag}:
            expected = np.sum(first[: 40_001 - lag] * second[lag:]) / (40_001 - lag)
            assert found[lag] == pytest.approx(expected, rel=1e-9, abs=1e-11)


def test_blocks_of_columns_change_nothing(monkeypatch):
    a = np.random.default_rng(2).normal(size=(30, 11))
    whole = correlation(a)
    monkeypatch.setattr(import_module("ase_mlips.analysis.correlation"), "_BLOCK", 1)
    np.testing.assert_allclose(correlation(a), whole, rtol=1e-12)


@pytest.mark.parametrize(
    ("a", "b", "max_lag", "message"),
    [
        (np.empty((0, 3)), None, None, "at least one frame"),
        (np.zeros(5), np.zeros(6), None, "same shape"),
        (np.zeros(5, complex), None, None, "real numbers, got complex128"),
        (np.zeros(5), np.zeros(5, complex), None, "real numbers, got complex128"),
        (np.zeros(5), None, 5, "between 0 and 4"),
        (np.zeros(5), None, -1, "between 0 and 4"),
    ],
)
def test_bad_input(a, b, max_lag, message):
    with pytest.raises(ValueError, match=message):
        correlation(a, b, max_lag=max_lag)
