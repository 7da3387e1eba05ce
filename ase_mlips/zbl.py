"""Screened nuclear repulsion of Ziegler, Biersack and Littmark, as eight-lane functions for kernels."""

from __future__ import annotations

from typing import Any

from .jit import device
from .simd import fma, power_of_two, splat, vmax, vrint

# Ziegler, Biersack, Littmark, The Stopping and Range of Ions in Matter (Pergamon, 1985): phi(x) = sum c exp(-d x)
SCREENING = ((0.18175, 3.19980), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162))
LENGTH, EXPONENT = 0.46850, 0.23  # a = LENGTH / (Zi^EXPONENT + Zj^EXPONENT), in A
COULOMB = 14.399645  # e^2 / (4 pi eps0) in eV A, the value that LAMMPS uses

_LOG2E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10


@device
def vexp(x: Any) -> Any:
    """exp(x) for x <= 700, to 1e-16 relative; 0 below -700."""
    x = vmax(x, splat(-700.0))
    n = vrint(x * _LOG2E)
    f = fma(n, splat(-_LN2_LOW), fma(n, splat(-_LN2_HIGH), x))
    p = splat(1.0 / 6227020800.0)
    p = fma(p, f, splat(1.0 / 479001600.0))
    p = fma(p, f, splat(1.0 / 39916800.0))
    p = fma(p, f, splat(1.0 / 3628800.0))
    p = fma(p, f, splat(1.0 / 362880.0))
    p = fma(p, f, splat(1.0 / 40320.0))
    p = fma(p, f, splat(1.0 / 5040.0))
    p = fma(p, f, splat(1.0 / 720.0))
    p = fma(p, f, splat(1.0 / 120.0))
    p = fma(p, f, splat(1.0 / 24.0))
    p = fma(p, f, splat(1.0 / 6.0))
    p = fma(p, f, splat(0.5))
    p = fma(p, f, splat(1.0))
    p = fma(p, f, splat(1.0))
    return p * power_of_two(n)


@device
def screened_coulomb(r: Any, rinv: Any, strength: Any, inverse_length: Any) -> tuple[Any, Any]:
    """Energy and dE/dr of ``strength / r * phi(r * inverse_length)``."""
    x = r * inverse_length
    a = 0.18175 * vexp(x * -3.19980)
    b = 0.50986 * vexp(x * -0.94229)
    c = 0.28022 * vexp(x * -0.40290)
    d = 0.02817 * vexp(x * -0.20162)
    phi = (a + b) + (c + d)
    slope = fma(a, splat(-3.19980), fma(b, splat(-0.94229), fma(c, splat(-0.40290), d * -0.20162)))
    energy = strength * rinv * phi
    return energy, fma(strength * rinv * inverse_length, slope, -(energy * rinv))
