"""From the densities of eight atoms to their energies: Finnis-Sinclair embeddings, lane by lane."""

from __future__ import annotations

import math
from typing import Any

from ..engine.jit import device
from ..engine.simd import W, ldf, off, stf
from .layout import SHIFTED, Element

STEEPNESS, SMALLEST, LARGEST = 1e6, 1e-10, 30.0


@device
def sinclair(rho: float, exponent: float) -> tuple[float, float]:
    """``sign(rho) |rho|^m``, linear near zero, and its derivative."""
    a = abs(rho)
    linear = STEEPNESS ** (1.0 - exponent)
    if a <= SMALLEST:
        return linear * rho, linear
    sign = 1.0 if rho > 0.0 else -1.0
    q = (STEEPNESS * a) ** 3
    mixed = 0.0 if q > LARGEST else math.exp(-q)
    slope = -3.0 * STEEPNESS**3 * a * a * mixed
    whole = a**exponent
    value = (1.0 - mixed) * whole + linear * mixed * a
    change = exponent * whole / a * (1.0 - mixed) - whole * slope + linear * (slope * a + mixed)
    return sign * value, change


@device
def shifted(rho: float, exponent: float) -> tuple[float, float]:
    """``sign(rho) ((X + |rho|)^m - Y)``, zero with a finite slope at zero, and its derivative."""
    if abs(exponent - 1.0) < SMALLEST:
        return rho, 1.0
    a, sign, inverse = abs(rho), 1.0 if rho >= 0.0 else -1.0, 1.0 / exponent
    decay = math.exp(-a)
    x = inverse ** (inverse / (1.0 - inverse)) * decay
    y = inverse ** (1.0 / (1.0 - inverse)) * decay
    value = (x + a) ** exponent - y
    return sign * value, y + exponent * (1.0 - x) * (x + a) ** (exponent - 1.0)


@device
def embed(element: Element, parameters: Any, rho: Any, slopes: Any, energy: Any) -> None:
    """Energies of the lanes, and their derivatives by the densities."""
    for lane in range(W):
        total = 0.0
        for p in range(element.densities):
            weight, exponent, own = ldf(parameters, 2 * p), ldf(parameters, 2 * p + 1), ldf(rho, p * W + lane)
            value, change = shifted(own, exponent) if element.embedding == SHIFTED else sinclair(own, exponent)
            total += weight * value
            stf(off(slopes, p * W), lane, weight * change)
        stf(energy, lane, total)
