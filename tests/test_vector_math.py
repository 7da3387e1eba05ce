"""Elementary functions of eight lanes over their whole range; run with and without compilation (NUMBA_DISABLE_JIT=1).

NumPy's own functions are exact to a digit or two; the bounds on relative and absolute errors include theirs.
"""

import numpy as np
import pytest

from ase_mlips.engine.jit import kernel
from ase_mlips.engine.simd import W, load, ptr, store
from ase_mlips.engine.vector_math import sine_cosine, softplus, vexp, vtanh

EPSILON = np.finfo(float).eps
HALF_PI = 0.5 * np.pi


@kernel
def exponentials(x, blocks, out):
    for b in range(blocks):
        store(ptr(out), b * W, vexp(load(ptr(x), b * W)))


@kernel
def tangents(x, blocks, out):
    for b in range(blocks):
        store(ptr(out), b * W, vtanh(load(ptr(x), b * W)))


@kernel
def sines_and_cosines(x, blocks, sines, cosines):
    for b in range(blocks):
        s, c = sine_cosine(load(ptr(x), b * W))
        store(ptr(sines), b * W, s)
        store(ptr(cosines), b * W, c)


@kernel
def softpluses(x, blocks, values, slopes):
    for b in range(blocks):
        value, slope = softplus(load(ptr(x), b * W))
        store(ptr(values), b * W, value)
        store(ptr(slopes), b * W, slope)


def points(low, high):
    """A multiple of W numbers: at random, evenly spaced with both ends, and next to zero where that is between."""
    rng = np.random.default_rng(0)
    near_zero = 10.0 ** rng.uniform(-300, 0, 1000) * rng.choice([-1.0, 1.0], 1000)
    near_zero = near_zero[(low <= near_zero) & (near_zero <= high)]
    return np.resize(np.concatenate([np.linspace(low, high, 3001), rng.uniform(low, high, 3000), near_zero]), 1000 * W)


def exponential(x):
    out = np.full_like(x, np.nan)
    exponentials(x, x.size // W, out)
    return out


def tangent(x):
    out = np.full_like(x, np.nan)
    tangents(x, x.size // W, out)
    return out


def sine_and_cosine(x):
    sines, cosines = np.full_like(x, np.nan), np.full_like(x, np.nan)
    sines_and_cosines(x, x.size // W, sines, cosines)
    return sines, cosines


@pytest.mark.parametrize("limits", [(-700.0, 700.0), (-30.0, 0.0), (-1.0, 1.0)])
def test_exponential(limits):
    x = points(*limits)
    np.testing.assert_allclose(exponential(x), np.exp(x), rtol=2 * EPSILON, atol=0)


def test_exponential_stops_at_its_ends():
    ends = exponential(np.array([700.0, 710.0, 1e300, np.inf, -700.0, -750.0, -1e300, -np.inf]))
    assert (ends[:4] == ends[0]).all()
    assert (ends[4:] == ends[4]).all()
    np.testing.assert_allclose(ends[[0, 4]], np.exp([700.0, -700.0]), rtol=2 * EPSILON, atol=0)


def test_exponential_of_zero_is_one():
    assert exponential(np.array([0.0, -0.0, 5e-324, -5e-324, 1e-17, -1e-17, 1e-300, -1e-300])).tolist() == [1.0] * W


@pytest.mark.parametrize("limits", [(-400.0, 400.0), (-20.0, 20.0), (-2.0, 2.0), (-0.1, 0.1)])
def test_tangent(limits):
    x = points(*limits)
    t = tangent(x)
    np.testing.assert_allclose(t, np.tanh(x), rtol=0, atol=2 * EPSILON)
    assert np.abs(t).max() <= 1.0  # 1 - tanh**2, the derivative, must not be negative


def test_tangent_far_out_is_one():
    x = np.array([0.0, -0.0, 25.0, -25.0, 1e300, -1e300, np.inf, -np.inf])
    assert tangent(x).tolist() == [0.0, 0.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]


@pytest.mark.parametrize("limit", [HALF_PI, 0.3, 1e-3])
def test_sine_and_cosine(limit):
    x = points(-limit, limit)
    sines, cosines = sine_and_cosine(x)
    np.testing.assert_allclose(sines, np.sin(x), rtol=2 * EPSILON, atol=0)
    np.testing.assert_allclose(cosines, np.cos(x), rtol=0, atol=2 * EPSILON)


def test_sine_and_cosine_at_zero_are_exact():
    sines, cosines = sine_and_cosine(np.array([0.0, -0.0, 5e-324, -5e-324, 1e-300, -1e-300, 1e-17, -1e-17]))
    assert sines.tolist() == [0.0, 0.0, 5e-324, -5e-324, 1e-300, -1e-300, 1e-17, -1e-17]
    assert cosines.tolist() == [1.0] * W


@pytest.mark.parametrize("limits", [(-690.0, 690.0), (-30.0, 30.0), (-1.0, 1.0)])
def test_softplus_and_its_derivative(limits):
    x = points(*limits)
    values, slopes = np.full_like(x, np.nan), np.full_like(x, np.nan)
    softpluses(x, x.size // W, values, slopes)
    np.testing.assert_allclose(values, np.logaddexp(0.0, x), rtol=4 * EPSILON, atol=0)
    np.testing.assert_allclose(
        slopes, np.exp(-np.logaddexp(0.0, -x)), rtol=4 * EPSILON * max(1.0, limits[1] / 4), atol=0
    )
