"""Screened nuclear repulsion of Ziegler, Biersack and Littmark, as eight-lane functions for kernels."""

from __future__ import annotations

from typing import Any

from .jit import device
from .simd import fma, splat
from .vector_math import vexp

# Ziegler, Biersack, Littmark, The Stopping and Range of Ions in Matter (Pergamon, 1985): phi(x) = sum c exp(-d x)
SCREENING = ((0.18175, 3.19980), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162))
LENGTH, EXPONENT = 0.46850, 0.23  # a = LENGTH / (Zi^EXPONENT + Zj^EXPONENT), in A
COULOMB = 14.399645  # e^2 / (4 pi eps0) in eV A, the value of LAMMPS and GPUMD
(_C1, _D1), (_C2, _D2), (_C3, _D3), (_C4, _D4) = SCREENING


@device
def screened_coulomb(r: Any, rinv: Any, strength: Any, inverse_length: Any) -> tuple[Any, Any]:
    """Energy and dE/dr of ``strength / r * phi(r * inverse_length)``."""
    x = r * inverse_length
    a = _C1 * vexp(x * -_D1)
    b = _C2 * vexp(x * -_D2)
    c = _C3 * vexp(x * -_D3)
    d = _C4 * vexp(x * -_D4)
    phi = (a + b) + (c + d)
    slope = fma(a, splat(-_D1), fma(b, splat(-_D2), fma(c, splat(-_D3), d * -_D4)))
    energy = strength * rinv * phi
    return energy, fma(strength * rinv * inverse_length, slope, -(energy * rinv))
