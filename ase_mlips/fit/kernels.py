"""Rows of the least-squares problem from descriptors and their gradients."""

from __future__ import annotations

from typing import Any

from numpy import empty

from ..engine.jit import device, kernel

VOIGT_ROWS, VOIGT_COLUMNS = (0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)  # xx yy zz yz xz xy


@device
def _add_values(row: Any, first: Any, b: Any, quadratic: Any) -> None:
    """Add the columns B_k and, if `quadratic`, B_k^2 / 2 and B_k B_l (l > k) to row[first:]."""
    K = b.shape[0]
    for k in range(K):
        row[first + k] += b[k]
    if quadratic:
        at = first + K
        for k in range(K):
            row[at] += 0.5 * b[k] * b[k]
            for m in range(1, K - k):
                row[at + m] += b[k] * b[k + m]
            at += K - k


@device
def _add_slopes(row: Any, first: Any, b: Any, g: Any, quadratic: Any) -> None:
    """Add the derivatives of the same columns, given dB_k = g_k."""
    K = b.shape[0]
    for k in range(K):
        row[first + k] += g[k]
    if quadratic:
        at = first + K
        for k in range(K):
            bk, gk = b[k], g[k]
            row[at] += bk * gk
            for m in range(1, K - k):
                row[at + m] += bk * g[k + m] + gk * b[k + m]
            at += K - k


@kernel
def design_rows(
    centers: Any,
    neighbors: Any,
    vectors: Any,
    gradients: Any,
    descriptors: Any,
    kept: Any,
    first: Any,
    quadratic: Any,
    rows: Any,
) -> None:
    """Add the columns of every atom to the rows of one configuration.

    Parameters
    ----------
    centers, neighbors : (P,) int32
        Pairs (i, j), ordered by i.
    vectors : (P, 3)
        r_ij in A.
    gradients : (P, 3, L)
        dB^i_k / dr_j.
    descriptors : (N, L)
    kept : (K,) int64
        Which of the L descriptors have columns.
    first : (N,) int32
        Column where those of the atom's element begin.
    quadratic : bool
    rows : (1 + 3 N + 6, width)
        Output, zero before: sum of the columns, minus their derivatives with respect to each r_j (x, y, z of
        atom 0 first), and their derivatives with respect to the strain (xx yy zz yz xz xy), all per coefficient.
    """
    N, K = descriptors.shape[0], kept.shape[0]
    b = empty(K)
    total = empty((9, K))  # of the pairs of one centre: three gradients, then six strain derivatives
    pull = empty((3, K))
    p = 0
    for i in range(N):
        for k in range(K):
            b[k] = descriptors[i, kept[k]]
        _add_values(rows[0], first[i], b, quadratic)
        total[:] = 0.0
        while p < centers.shape[0] and centers[p] == i:
            for c in range(3):
                for k in range(K):
                    pull[c, k] = -gradients[p, c, kept[k]]
                for k in range(K):
                    total[c, k] -= pull[c, k]
                _add_slopes(rows[1 + 3 * neighbors[p] + c], first[i], b, pull[c], quadratic)
            for v in range(6):
                r, g, strain = vectors[p, VOIGT_ROWS[v]], pull[VOIGT_COLUMNS[v]], total[3 + v]
                for k in range(K):
                    strain[k] -= r * g[k]
            p += 1
        for c in range(3):
            _add_slopes(rows[1 + 3 * i + c], first[i], b, total[c], quadratic)
        for v in range(6):
            _add_slopes(rows[1 + 3 * N + v], first[i], b, total[3 + v], quadratic)
