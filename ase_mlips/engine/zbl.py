"""Screened nuclear repulsion of Ziegler, Biersack and Littmark, as eight-lane functions for kernels."""

from __future__ import annotations

from typing import Any

from .jit import device
from .simd import fma, splat
from .vector_math import vexp

# Ziegler, Biersack, Littmark, The Stopping and Range of Ions in Matter (Pergamon, 1985): phi(x) = sum c exp(-d x)
SCREENING = ((0.18175, 3.19980), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162))
LENGTH, EXPONENT = 0.46850, 0.23  # a = LENGTH / (Zi^EXPONENT + Zj^EXPONENT), in A
COULOMB = 14.399645  # e^2 / (4 pi eps0) in eV A, the value that LAMMPS uses


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
