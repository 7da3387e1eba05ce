"""The streamed solvers against dense least squares."""

import tracemalloc

import numpy as np
import pytest

from ase_mlips.fit.linear import Reduction, Solution, solve

SOLVERS = ["cholesky", "qr", "svd"]


def problem(rows, columns, *, seed=0):
    generator = np.random.default_rng(seed)
    scales = 10.0 ** generator.uniform(-4, 4, columns)
    return generator.normal(size=(rows, columns)) * scales, generator.normal(size=rows)


def dense(A, b):
    """Least squares of the whole matrix at once, with columns of equal length for the sake of accuracy."""
    length = np.linalg.norm(A, axis=0)
    return np.linalg.lstsq(A / length, b, rcond=None)[0] / length


def reduce(A, b, *, solver="cholesky", block=100):
    reduction = Reduction(A.shape[1] + 1, triangular=solver != "cholesky")
    rows = np.column_stack([A, b])
    for first in range(0, len(rows), block):
        reduction.add(rows[first : first + block])
    return reduction


def fit(A, b, *, solver="cholesky", penalty=None) -> Solution:
    return solve({0: reduce(A, b, solver=solver)}, {0: 1.0}, penalty=penalty, solver=solver)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("rows", [30, 512, 1700])
def test_agrees_with_dense_least_squares(solver, rows):
    A, b = problem(rows, 12)
    solution = fit(A, b, solver=solver)
    np.testing.assert_allclose(solution.coefficients, dense(A, b), rtol=1e-11)
    assert (solution.rank, solution.solver) == (12, solver)


@pytest.mark.parametrize("solver", SOLVERS)
def test_weights_multiply_residuals(solver):
    parts = {key: problem(rows, 5, seed=rows) for key, rows in (("few", 40), ("many", 900), ("unused", 30))}
    weights = {"few": 20.0, "many": 0.3, "unused": 0.0}
    solution = solve({k: reduce(*p, solver=solver) for k, p in parts.items()}, weights, solver=solver)
    A = np.vstack([weights[k] * parts[k][0] for k in ("few", "many")])
    b = np.concatenate([weights[k] * parts[k][1] for k in ("few", "many")])
    np.testing.assert_allclose(solution.coefficients, dense(A, b), rtol=1e-11)


@pytest.mark.parametrize("solver", SOLVERS)
def test_reductions_can_be_used_again(solver):
    A, b = problem(700, 4)
    reductions = {"x": reduce(A, b, solver=solver), "y": reduce(*problem(60, 4, seed=1), solver=solver)}
    first = solve(reductions, {"x": 1.0, "y": 2.0}, solver=solver).coefficients
    solve(reductions, {"x": 5.0, "y": 0.1}, solver=solver)
    again = solve(reductions, {"x": 1.0, "y": 2.0}, solver=solver).coefficients
    assert np.array_equal(first, again)


@pytest.mark.parametrize("solver", SOLVERS)
def test_penalty_is_relative_to_the_length_of_the_column(solver):
    A, b = problem(300, 6)
    penalty = np.array([0.0, 0.5, 0.5, 2.0, 0.5, 0.0])
    ridge = np.diag(np.sqrt(penalty) * np.linalg.norm(A, axis=0))
    expected = dense(np.vstack([A, ridge]), np.append(b, np.zeros(6)))
    np.testing.assert_allclose(fit(A, b, solver=solver, penalty=penalty).coefficients, expected, rtol=1e-11)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_column_of_zeros_gets_no_coefficient(solver):
    A, b = problem(80, 5)
    A[:, 2] = 0.0
    solution = fit(A, b, solver=solver)
    assert solution.coefficients[2] == 0.0
    assert solution.rank == 4
    others = [0, 1, 3, 4]
    expected = dense(A[:, others], b)
    np.testing.assert_allclose(solution.coefficients[others], expected, rtol=1e-11)


@pytest.mark.parametrize("solver", ["qr", "svd"])
def test_dependent_columns_share_one_coefficient(solver):
    A, b = problem(80, 5)
    A[:, 4] = A[:, 1]
    solution = fit(A, b, solver=solver)
    assert solution.rank == 4
    assert solution.condition == np.inf
    np.testing.assert_allclose(solution.coefficients[1], solution.coefficients[4], rtol=1e-9)
    expected = dense(A[:, :4], b)
    np.testing.assert_allclose(A @ solution.coefficients, A[:, :4] @ expected, rtol=1e-9, atol=1e-9)


def test_orthogonal_solvers_reach_where_normal_equations_do_not():
    x = np.linspace(0.0, 1.0, 600)
    A = x[:, None] ** np.arange(14)  # condition near 1e10, its square beyond double precision
    truth = np.cos(np.arange(14))
    with pytest.raises(np.linalg.LinAlgError, match="choose solver 'qr' or a ridge"):
        fit(x[:, None] ** np.arange(24), A @ truth)  # so many that rounding errors hide it on no processor
    for solver in ("qr", "svd"):
        np.testing.assert_allclose(fit(A, A @ truth, solver=solver).coefficients, truth, rtol=1e-3)


@pytest.mark.parametrize("solver", SOLVERS)
def test_condition_is_that_of_the_scaled_matrix(solver):
    A, b = problem(200, 8)
    A[:, 1] = A[:, 0] + 1e-3 * A[:, 1] * np.abs(A[0, 0] / A[0, 1])
    exact = np.linalg.cond(A / np.linalg.norm(A, axis=0))
    assert 0.9 * exact < fit(A, b, solver=solver).condition < 1.001 * exact


@pytest.mark.parametrize("triangular", [False, True])
def test_memory_does_not_grow_with_the_rows(triangular):
    reduction = Reduction(21, triangular=triangular)
    rows = np.random.default_rng(0).normal(size=(200, 21))
    tracemalloc.start()
    for _ in range(100):
        reduction.add(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.25 * 100 * rows.nbytes


def test_few_rows_need_no_square_matrix():
    reduction = Reduction(2001)
    tracemalloc.start()
    reduction.add(np.ones((3, 2001)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2001 * 8


def test_added_rows_are_copied():
    A, b = problem(50, 3)
    rows = np.column_stack([A, b])
    reduction = Reduction(4)
    reduction.add(rows)
    rows[:] = 0.0
    expected = dense(A, b)
    np.testing.assert_allclose(solve({0: reduction}, {0: 1.0}).coefficients, expected, rtol=1e-11)


def test_rows_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"expected shape \(m, 4\), got \(2, 3\)"):
        Reduction(4).add(np.zeros((2, 3)))


def test_nothing_with_a_weight_is_an_error():
    with pytest.raises(ValueError, match="nothing to fit"):
        solve({0: reduce(*problem(10, 2))}, {0: 0.0})


@pytest.mark.parametrize(("kept_for", "solver"), [("cholesky", "qr"), ("qr", "cholesky")])
def test_a_solver_refuses_the_other_kind_of_matrix(kept_for, solver):
    with pytest.raises(ValueError, match=f"solver: {solver} cannot use"):
        solve({0: reduce(*problem(10, 2), solver=kept_for)}, {0: 1.0}, solver=solver)
