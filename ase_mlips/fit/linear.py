"""Streamed linear least squares: rows come block by block, memory grows with the number of columns alone.

The rows ``[A | b]`` of one key (say, the forces of one group of frames) are reduced either to their Gram matrix or
to a triangular factor.  Reductions of several keys are combined with weights afterwards, so that weights, ridge and
the choice of keys may change without another pass over the data.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import scipy.linalg

from ..arrays import BoolArray, FloatArray

Solver = Literal["cholesky", "qr", "svd"]
Key = TypeVar("Key", bound=Hashable)

# the normal equations square the condition number of A; beyond this little is left of double precision
LARGEST_GRAM_CONDITION = 1e15
# a column this much shorter than the longest holds what rounding left of sums that cancel, and no data
LEAST_LENGTH = 1e-10


@dataclass(frozen=True, eq=False, repr=False)
class Solution:
    """Coefficients that minimise ``|W (A c - b)|^2 + sum_k penalty_k |W A_k|^2 c_k^2``.

    Attributes
    ----------
    coefficients : (n,) array
        Zero where `dropped`.
    condition : float
        Ratio of the extreme singular values of A after each column was scaled to unit length (with its penalty);
        an estimate from below, inf where A is numerically rank-deficient.
    rank : int
        Number of independent columns; where it is below n the solution of least scaled norm was taken.
    solver : str
        The method that was used: "cholesky", "qr" or "svd".
    lengths : (n,) array
        Length ``|W A_k|`` of each column.
    target_length : float
        Length of ``W b``.
    dropped : (n,) bool array
        Columns without entries or with no more than rounding errors (`LEAST_LENGTH`), and those that were excluded.
    """

    coefficients: FloatArray
    condition: float
    rank: int
    solver: Solver
    lengths: FloatArray
    target_length: float
    dropped: BoolArray

    def __repr__(self) -> str:
        n = len(self.coefficients)
        return f"Solution({n} coefficients, {self.solver}, rank {self.rank}, condition {self.condition:.2g})"


class Reduction:
    """Rows ``[A | b]`` reduced to ``[A | b]^T [A | b]`` or, if `triangular`, to R of ``[A | b] = Q R``.

    Few rows are kept as they are, which needs less memory than a square matrix and lets BLAS work on large blocks.

    Parameters
    ----------
    width : int
        Number of columns of A plus one.
    triangular : bool
    """

    def __init__(self, width: int, triangular: bool = False) -> None:
        self._width = width
        self.triangular = triangular
        # a QR costs as much for the rows of R as for new ones; a Gram matrix only wants blocks that suit BLAS
        self._block = max(512, 2 * width) if triangular else 512
        self._pending: list[FloatArray] = []
        self._waiting = 0
        self._matrix: FloatArray | None = None

    def empty_copy(self) -> Reduction:
        """Another one of the same width and kind, without rows."""
        return Reduction(self._width, self.triangular)

    def add(self, rows: FloatArray, weight: float = 1.0) -> None:
        """Take in rows (m, width), each multiplied by `weight`; they are copied."""
        if rows.ndim != 2 or rows.shape[1] != self._width:
            raise ValueError(f"rows: expected shape (m, {self._width}), got {rows.shape}")
        self._pending.append(weight * rows)
        self._waiting += len(rows)
        if self._waiting >= self._block:
            self.matrix()

    def absorb(self, other: Reduction, weight: float) -> None:
        """Take in the rows behind another reduction of the same kind, each multiplied by `weight`."""
        if other._matrix is not None and self.triangular:
            self.add(other._matrix, weight)
        elif other._matrix is not None:
            self._matrix = np.zeros_like(other._matrix) if self._matrix is None else self._matrix
            self._matrix += weight**2 * other._matrix
        for rows in other._pending:
            self.add(rows, weight)

    def matrix(self) -> FloatArray:
        """The upper triangle of the Gram matrix (what is below means nothing), or R with at most `width` rows."""
        rows = np.concatenate(self._pending) if self._pending else np.zeros((0, self._width))
        self._pending, self._waiting = [], 0
        if self.triangular:
            self._matrix = _triangle(rows if self._matrix is None else np.concatenate([self._matrix, rows]))
        else:
            gram = np.zeros((self._width, self._width), order="F") if self._matrix is None else self._matrix
            # in place, because the order is Fortran's
            self._matrix = scipy.linalg.blas.dsyrk(1.0, rows.T, beta=1.0, c=gram, overwrite_c=True)
        return self._matrix


def solve(
    reductions: Mapping[Key, Reduction],
    weights: Mapping[Key, float],
    *,
    penalty: FloatArray | None = None,
    solver: Solver = "cholesky",
    excluded: BoolArray | None = None,
) -> Solution:
    """Weighted least squares over all keys of `reductions`.

    Parameters
    ----------
    reductions : mapping of Reduction
        All of one width and kind: Gram matrices for "cholesky", triangular for "qr" and "svd".
    weights : mapping of float
        What each residual of that key is multiplied with before it is squared.
    penalty : (n,) array, optional
        Ridge of each column relative to the squared length of that (weighted) column.
    solver : {"cholesky", "qr", "svd"}
    excluded : (n,) bool array, optional
        Columns to leave out; their coefficients are zero.

    Raises
    ------
    ValueError
        There is no row with a weight, or the reductions are of the kind that `solver` cannot use.
    numpy.linalg.LinAlgError
        "cholesky" found the matrix not to be positive definite.
    """
    used = [(reduction, weights[key]) for key, reduction in reductions.items() if weights[key] != 0.0]
    if not used:
        raise ValueError("nothing to fit: no rows have a weight")
    if used[0][0].triangular == (solver == "cholesky"):
        kind = "triangular factors" if used[0][0].triangular else "Gram matrices"
        raise ValueError(f"solver: {solver} cannot use {kind}")
    total = used[0][0].empty_copy()
    for reduction, weight in used:
        total.absorb(reduction, weight)
    matrix = total.matrix()
    n = matrix.shape[1] - 1
    penalty = np.zeros(n) if penalty is None else penalty
    lengths = np.sqrt(matrix.diagonal()) if solver == "cholesky" else np.linalg.norm(matrix, axis=0)
    dropped = lengths[:n] <= LEAST_LENGTH * lengths[:n].max(initial=0.0)
    if excluded is not None:
        dropped |= excluded
    if solver == "cholesky":
        return _solve_gram(matrix, penalty, lengths, dropped)
    return _solve_triangular(matrix, penalty, lengths, dropped, solver)


def _solve_gram(gram: FloatArray, penalty: FloatArray, lengths: FloatArray, dropped: BoolArray) -> Solution:
    n = len(gram) - 1
    active = np.flatnonzero(~dropped)
    scale = lengths[active]
    scaled = gram[np.ix_(active, active)] / np.outer(scale, scale)
    scaled[np.diag_indices_from(scaled)] = 1.0 + penalty[active]
    try:
        factor = scipy.linalg.cholesky(scaled, lower=False)
    except np.linalg.LinAlgError as error:
        message = "the normal equations are singular in double precision; choose solver 'qr' or a ridge"
        raise np.linalg.LinAlgError(message) from error
    coefficients = np.zeros(n)
    coefficients[active] = scipy.linalg.cho_solve((factor, False), gram[active, n] / scale) / scale
    condition = _condition(factor)
    return Solution(coefficients, condition, len(active), "cholesky", lengths[:n], float(lengths[n]), dropped)


def _solve_triangular(
    factor: FloatArray, penalty: FloatArray, lengths: FloatArray, dropped: BoolArray, solver: Solver
) -> Solution:
    n = factor.shape[1] - 1
    active = np.flatnonzero(~dropped)
    scale = lengths[active]
    ridge = np.diag(np.sqrt(penalty[active]))
    rows = np.vstack([factor[:, active] / scale, ridge[penalty[active] > 0.0]])
    target = np.concatenate([factor[:, n], np.zeros(len(rows) - len(factor))])
    driver, tolerance = ("gelsd" if solver == "svd" else "gelsy"), np.finfo(float).eps * max(rows.shape)
    solved, _, rank, values = scipy.linalg.lstsq(rows, target, cond=tolerance, lapack_driver=driver)
    coefficients = np.zeros(n)
    coefficients[active] = solved / scale
    if rank < len(active):
        condition = np.inf
    else:
        condition = float(values[0] / values[-1]) if solver == "svd" else _condition(_triangle(rows))
    return Solution(coefficients, condition, int(rank), solver, lengths[:n], float(lengths[n]), dropped)


def _condition(factor: FloatArray, steps: int = 12) -> float:
    """Ratio of the extreme singular values of an upper triangular matrix, by power iteration from below."""
    if np.any(factor.diagonal() == 0.0):
        return np.inf
    large = small = np.cos(np.arange(len(factor)))  # any fixed vector without symmetry
    for _ in range(steps):
        large = factor.T @ (factor @ (large / np.linalg.norm(large)))
        small = small / np.linalg.norm(small)
        small = scipy.linalg.solve_triangular(factor, scipy.linalg.solve_triangular(factor, small, trans=1))
    return float(np.sqrt(np.linalg.norm(large) * np.linalg.norm(small)))


def _triangle(rows: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.qr(rows, mode="r"))  # asarray for mypy alone: numpy's stub promises a pair
