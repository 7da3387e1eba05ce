"""From the descriptors of eight atoms to their energies and dU/dB."""

from __future__ import annotations

from typing import Any

from ..engine.jit import device
from ..engine.simd import W, fma, ldf, ldi, load, mask_less, off, popcount, splat, stf, store, where_less
from ..heads.kernels import network, polynomial
from .layout import Head

NEVER = 1e-20  # added to squared distances from the centroids


@device
def lane_coefficients(head: Head, floats: Any, work: Any) -> None:
    """Look up the coefficients of the elements in the lanes."""
    out, own, count = off(work, head.area.coefficients), off(work, head.area.types), head.coefficients
    for lane in range(W):
        table = off(floats, head.floats.coefficients + int(ldf(own, lane)) * count)
        for k in range(count):
            stf(out, k * W + lane, ldf(table, k))


@device
def with_enough_neighbors(head: Head, ints: Any, values: Any, work: Any) -> None:
    """Zero the values of terms of two to seven bodies where an atom has fewer neighbours than bodies besides it."""
    present, bodies = load(work, head.area.present), off(ints, head.ints.bodies)
    if popcount(mask_less(present, splat(5.5))) == 0:
        return
    for body in range(6):
        for k in range(ldi(bodies, body), ldi(bodies, body + 1)):
            store(values, k * W, where_less(present, splat(body + 0.5), splat(0.0), load(values, k * W)))


@device
def head_energy(head: Head, ints: Any, floats: Any, work: Any) -> Any:
    """Energies; dU/dB to the area `beta`."""
    if head.clusters > 1:
        return clustered(head, work)
    if head.quadratic == 1:
        c, b, beta = off(work, head.area.coefficients), off(work, head.area.descriptors), off(work, head.area.beta)
        return polynomial(head.descriptors, 1, c, b, beta)
    energy = linear(head, work)
    if head.network == 1:
        energy = energy + networked(head, ints, floats, work)
    return energy


@device
def networked(head: Head, ints: Any, floats: Any, work: Any) -> Any:
    """Energies of the networks, whose dU/dB are added to the area `beta`."""
    b, beta, slopes = off(work, head.area.descriptors), off(work, head.area.beta), off(work, head.area.slopes)
    spec, weights = off(ints, head.ints.network), off(floats, head.floats.network)
    energy = network(spec, weights, off(work, head.area.types), b, slopes, off(work, head.area.network))
    for k in range(head.descriptors):
        store(beta, k * W, load(beta, k * W) + load(slopes, k * W))
    return energy


@device
def linear(head: Head, work: Any) -> Any:
    """U = c_0 + c.B."""
    c, b, beta = off(work, head.area.coefficients), off(work, head.area.descriptors), off(work, head.area.beta)
    energy, other = load(c, 0), splat(0.0)
    for k in range(head.descriptors):
        own = load(c, (1 + k) * W)
        store(beta, k * W, own)
        energy, other = fma(own, load(b, k * W), other), energy
    return energy + other


@device
def clustered(head: Head, work: Any) -> Any:
    """U = c_0 + sum_k P_k c_k.B, where P_k falls with the distance of the environment from centroid k.

    With q the projected descriptors, D_k = 1 / |q - q_k|^2 and P_k = D_k / sum D (N. C. Nguyen, Phys. Rev. B 107,
    144103 (2023)).
    """
    M, C, D = head.descriptors, head.clusters, head.components
    c, b, beta = off(work, head.area.coefficients), off(work, head.area.descriptors), off(work, head.area.beta)
    projections, centroids = off(c, (1 + C * M) * W), off(c, (1 + (C + D) * M) * W)
    q, nearness, energies = off(work, head.area.clusters), off(work, head.area.clusters + D * W), splat(0.0)
    own, pull = off(nearness, C * W), off(nearness, 2 * C * W)
    for d in range(D):
        store(q, d * W, _dot(M, off(projections, d * M * W), b))
        store(pull, d * W, splat(0.0))
    total = splat(0.0)
    for k in range(C):
        square = splat(NEVER)
        for d in range(D):
            away = load(q, d * W) - load(centroids, (k * D + d) * W)
            square = fma(away, away, square)
        near = 1.0 / square
        store(nearness, k * W, near)
        store(own, k * W, _dot(M, off(c, (1 + k * M) * W), b))
        total, energies = total + near, fma(near, load(own, k * W), energies)
    mean = energies / total
    for k in range(M):
        store(beta, k * W, splat(0.0))
    for k in range(C):
        near = load(nearness, k * W)
        change = (load(own, k * W) - mean) * near * near * -2.0 / total
        for d in range(D):
            away = load(q, d * W) - load(centroids, (k * D + d) * W)
            store(pull, d * W, fma(change, away, load(pull, d * W)))
        _add(M, near / total, off(c, (1 + k * M) * W), beta)
    for d in range(D):
        _add(M, load(pull, d * W), off(projections, d * M * W), beta)
    return load(c, 0) + mean


@device
def _dot(count: int, x: Any, y: Any) -> Any:
    even = odd = splat(0.0)
    for k in range(count):
        even, odd = fma(load(x, k * W), load(y, k * W), odd), even
    return even + odd


@device
def _add(count: int, factor: Any, x: Any, y: Any) -> None:
    """y += factor x."""
    for k in range(count):
        store(y, k * W, fma(factor, load(x, k * W), load(y, k * W)))
