"""Forces and strain derivatives from descriptor gradients, and the reverse: both read the gradients once, in order."""

from __future__ import annotations

from typing import Any

from ..engine.jit import kernel


@kernel
def pull(centers: Any, neighbors: Any, vectors: Any, gradients: Any, slopes: Any, forces: Any, strain: Any) -> None:
    """Add what the pairs of one configuration give to its forces and strain derivatives.

    Parameters
    ----------
    centers, neighbors : (P,) int32
        Pairs (i, j).
    vectors : (P, 3)
        r_ij in A.
    gradients : (P, 3, K) float32
        dB^i_k / dr_j in 1/A.
    slopes : (N, K)
        dU_i / dB^i_k in eV.
    forces : (N, 3)
        Output, in eV/A.
    strain : (3, 3)
        Output: dE / d(strain)_ab = sum of r_a dU_i/dr_b over all pairs, in eV.
    """
    K = slopes.shape[1]
    for p in range(centers.shape[0]):
        i, j = centers[p], neighbors[p]
        x, y, z = 0.0, 0.0, 0.0
        for k in range(K):
            slope = slopes[i, k]
            x += gradients[p, 0, k] * slope
            y += gradients[p, 1, k] * slope
            z += gradients[p, 2, k] * slope
        forces[i, 0] += x
        forces[i, 1] += y
        forces[i, 2] += z
        forces[j, 0] -= x
        forces[j, 1] -= y
        forces[j, 2] -= z
        for a in range(3):
            strain[a, 0] += vectors[p, a] * x
            strain[a, 1] += vectors[p, a] * y
            strain[a, 2] += vectors[p, a] * z


@kernel
def push(centers: Any, neighbors: Any, vectors: Any, gradients: Any, forces: Any, strain: Any, directions: Any) -> None:
    """Add the transpose of `pull`: the derivatives with respect to `slopes`, given those of forces and strain.

    Parameters
    ----------
    centers, neighbors, vectors, gradients
        As in `pull`.
    forces : (N, 3)
        Derivatives of some number L with respect to the forces.
    strain : (3, 3)
        And with respect to the strain derivatives.
    directions : (N, K)
        Output: the derivatives of L with respect to the slopes.
    """
    K = directions.shape[1]
    for p in range(centers.shape[0]):
        i, j = centers[p], neighbors[p]
        x, y, z = forces[i, 0] - forces[j, 0], forces[i, 1] - forces[j, 1], forces[i, 2] - forces[j, 2]
        for a in range(3):
            x += strain[a, 0] * vectors[p, a]
            y += strain[a, 1] * vectors[p, a]
            z += strain[a, 2] * vectors[p, a]
        for k in range(K):
            directions[i, k] += x * gradients[p, 0, k] + y * gradients[p, 1, k] + z * gradients[p, 2, k]
