"""BFGS on functions whose minimum is known, and where there is none to be found."""

import numpy as np
import pytest

from ase_mlips.fit.quasi_newton import Descent, Point, line_search


def rosenbrock(x):
    a, b = x[:-1], x[1:]
    gradient = np.zeros_like(x)
    gradient[:-1] = -400.0 * a * (b - a**2) - 2.0 * (1.0 - a)
    gradient[1:] += 200.0 * (b - a**2)
    return float(np.sum(100.0 * (b - a**2) ** 2 + (1.0 - a) ** 2)), gradient


def run(function, x, steps):
    state = Descent.begin(function, x)
    for _ in range(steps):
        new = state.step(function)
        if new is None:
            break
        assert new.point.value <= state.point.value
        state = new
    return state


@pytest.mark.parametrize("size", [2, 10])
def test_the_minimum_is_found(size):
    state = run(rosenbrock, np.full(size, -1.2), 200)
    np.testing.assert_allclose(state.point.x, 1.0, atol=1e-6)
    assert state.evaluations < 400


def test_a_quadratic_function_is_learnt():
    rng = np.random.default_rng(0)
    half = rng.normal(size=(6, 6))
    matrix = half @ half.T + np.eye(6)
    state = run(lambda x: (float(0.5 * x @ matrix @ x), matrix @ x), rng.normal(size=6), 60)
    assert state.point.value < 1e-12


def test_there_is_no_way_down_from_a_minimum():
    assert Descent.begin(lambda x: (float(x @ x), 2.0 * x), np.zeros(3)).step(lambda x: (float(x @ x), 2.0 * x)) is None
    rising = Descent.begin(lambda x: (float(np.sum(x)), -np.ones(2)), np.zeros(2))  # a gradient that is wrong
    assert rising.step(lambda x: (float(np.sum(x)), -np.ones(2))) is None


def test_a_line_may_lead_to_where_nothing_is_finite():
    def function(x):
        with np.errstate(invalid="ignore"):
            return float(x[0] ** 2 if abs(x[0]) < 3.0 else np.inf), 2.0 * x

    start = Point(np.array([2.0]), *function(np.array([2.0])))
    found, trials = line_search(function, start, np.array([-4.0]), 100.0)
    assert found is not None
    assert found.value < start.value
    assert trials > 1


def test_a_step_promises_no_more_than_ten_times_the_last_gain():
    tried = []

    def function(x):
        tried.append(x.copy())
        return float(np.sum(x**2)), 2.0 * x

    x = np.array([1.0, 2.0])
    start = Descent(Point(x, *function(x)), 1e6 * np.eye(2), False, 1, gain=0.01)
    found = start.step(function)
    slope = start.point.gradient @ (tried[1] - x)
    assert slope == pytest.approx(-0.1, rel=1e-12)
    assert found.gain == start.point.value - found.point.value > 0.0
