"""MaxVol: rows of a table that span a volume which no exchange enlarges.

S. A. Goreinov et al., in Matrix Methods: Theory, Algorithms and Applications, 247 (World Scientific, 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, Int64Array
from ..files.records import one_line

THRESHOLD = 1.001  # MLIP's for the selection
INITIAL_ROW = 1e-6  # A begins as this multiple of the unit matrix


@dataclass(frozen=True, eq=False, repr=False)
class MaxVol:
    """n rows that span a volume which no exchange enlarges by more than the threshold.

    Attributes
    ----------
    A : (n, n) array
        The rows.
    S : (n, n) array
        Transpose of the inverse of A, kept by rank-one updates as MLIP does.
    sources : (n,) array
        Where each row of A comes from: ``k < n`` is row k of the start, ``n + i`` is candidate i.
    swaps : int
        Number of exchanges that were made.
    """

    A: FloatArray
    S: FloatArray
    sources: Int64Array
    swaps: int

    def __repr__(self) -> str:
        return one_line(self)


def maxvol(
    rows: FloatArray, *, threshold: float = THRESHOLD, start: tuple[FloatArray, FloatArray] | None = None
) -> MaxVol:
    """Exchange rows of a square matrix for candidates as long as its determinant grows by more than `threshold`.

    The largest element of ``C = rows A^-1`` is the factor by which that exchange changes the volume; of several equal
    ones the first in row-major order is taken.  A row that was exchanged takes the candidate's place and may come back.

    Parameters
    ----------
    rows : (P, n) array
        Candidates.
    threshold : float
        Above 1.
    start : (A, S), optional
        Matrix to begin with and the transpose of its inverse; by default 1e-6 of the unit matrix.

    Raises
    ------
    ValueError
        Threshold not above 1, wrong shapes, or candidates that are not finite.
    """
    if not threshold > 1.0:
        raise ValueError(f"expected a threshold above 1, got {threshold}")
    B = np.array(rows, dtype=np.float64)
    if B.ndim != 2 or not np.all(np.isfinite(B)):
        raise ValueError(f"expected candidates as a finite array of shape (P, n), got shape {B.shape}")
    n = B.shape[1]
    A, S = initial(n) if start is None else (np.array(part, dtype=np.float64) for part in start)
    if A.shape != (n, n) or S.shape != (n, n):
        raise ValueError(f"expected a start of shape {(n, n)}, got {A.shape} and {S.shape}")
    sources, candidates, swaps = np.arange(n), np.arange(n, n + len(B)), 0
    C = B @ S.T
    work = np.empty_like(C)
    while C.size:
        i, j = divmod(int(np.argmax(np.abs(C, out=work))), n)
        pivot = C[i, j]
        if not abs(pivot) > threshold:
            break
        S -= np.outer(S @ (B[i] - A[j]) / pivot, S[j])
        column, row = C[:, j] / pivot, C[i].copy()
        column[i] += 1.0 / pivot
        row[j] -= 1.0
        C -= np.multiply(column[:, None], row, out=work)
        A[j], B[i] = B[i], A[j].copy()
        sources[j], candidates[i] = candidates[i], sources[j]
        swaps += 1
    return MaxVol(A, S, sources, swaps)


def initial(n: int) -> tuple[FloatArray, FloatArray]:
    """The matrix A that MaxVol begins with, (n, n), and the transpose of its inverse."""
    return INITIAL_ROW * np.eye(n), np.eye(n) / INITIAL_ROW
