"""Means over frames and their errors."""

import numpy as np
import pytest
from ase_mlips.analysis.blocking import BlockAverage, standard_error
from scipy.signal import lfilter


def averaged(samples) -> BlockAverage:
    average = BlockAverage()
    for sample in samples:
        average.add(sample)
    return average


@pytest.mark.parametrize("frames", [1, 2, 15, 16, 17, 31, 100, 1000])
def test_mean_and_blocks_are_those_of_the_frames(frames):
    samples = np.random.default_rng(frames).normal(size=(frames, 2, 3))
    average = averaged(samples)
    assert average.frames == frames
    np.testing.assert_allclose(average.mean, samples.mean(axis=0), atol=1e-13)
    blocks = average.blocks
    assert min(frames, 8) <= len(blocks) <= 15
    length = 1 << (frames // len(blocks)).bit_length() - 1
    assert frames - length * len(blocks) < length
    expected = samples[: length * len(blocks)].reshape(len(blocks), length, 2, 3).mean(axis=1)
    np.testing.assert_allclose(blocks, expected, atol=1e-13)


def test_samples_are_not_kept_nor_changed():
    sample = np.ones(3)
    average = BlockAverage()
    for _ in range(5):
        average.add(sample)
    np.testing.assert_array_equal(sample, 1.0)
    sample[:] = 7.0
    assert average.mean.tolist() == [1.0] * 3


def test_error_of_correlated_frames():
    """Autoregressive series of correlation time 10: the naive error of the mean would be 4.4 times too small."""
    phi, frames, series = np.exp(-0.1), 4000, 400
    noise = np.random.default_rng(0).normal(size=(frames + 200, series))
    samples = lfilter([1.0], [1.0, -phi], noise, axis=0)[200:]
    error = standard_error(averaged(samples).blocks)
    truth = 1.0 / (1.0 - phi) / np.sqrt(frames)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(truth, rel=0.05)
    assert np.sqrt(np.mean(samples.mean(axis=0) ** 2)) == pytest.approx(truth, rel=0.1)


def test_one_block_has_no_error():
    assert np.isnan(standard_error(np.ones((1, 4)))).all()
    assert standard_error(np.array([[1.0], [3.0]])) == pytest.approx(1.0)
