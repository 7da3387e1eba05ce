"""Radial base functions as a weight w(r) times a series of Chebyshev polynomials T_k of a variable x(r).

That is so for every radial basis of pacemaker's, and sums of base functions are again such series:

========== ===================================================== ===============================================
basis      x                                                     w
========== ===================================================== ===============================================
ChebExpCos 1 - 2 (e^(-lambda r/rc) - e^-lambda) / (1 - e^-lambda)  cos^2(pi r / 2 rc), and a switch within dcut
ChebPow    1 - 2 (1 - r/rc)^lambda                               1
ChebLinear 1 - r/rc                                              1
SBessel    cos(pi r/rc)                                          sin(pi r/rc) / (pi r/rc)
========== ===================================================== ===============================================
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ..arrays import FloatArray


@cache
def to_chebyshev(basis: str, size: int, cutoff: float) -> FloatArray:
    """Matrix (K, .): base functions g_1 .. g_K, without the weight, as series of T_0, T_1, .."""
    if basis == "SBessel":
        return _bessel(size, cutoff)
    series = np.zeros((size, size + 1))
    for k in range(1, size + 1):
        order = k - 1 if basis == "ChebExpCos" else k
        if order == 0:
            series[0, 0] = 1.0
            continue
        series[k - 1, 0], series[k - 1, order] = 0.5, -0.5
    return series


def _bessel(size: int, cutoff: float) -> FloatArray:
    """Simplified spherical Bessel functions (E. Kocer et al., AIP Advances 10, 015021 (2020), eqs. 10 to 16)."""
    f = np.zeros((size, size + 1))  # by s(1), s(2), .., where s(n) = sin(n t) / (n t) with t = pi r/rc
    for n in range(size):
        own, after = n + 1.0, n + 2.0
        scale = (-1.0) ** n * np.sqrt(2.0) * np.pi * cutoff**-1.5 * own * after / np.hypot(own, after)
        f[n, n] += scale
        f[n, n + 1] += scale
    g, d = np.zeros_like(f), 1.0
    for n in range(size):
        if n == 0:
            g[0] = f[0]
            continue
        e = n**2 * (n + 2.0) ** 2 / (4.0 * (n + 1.0) ** 4 + 1.0)
        before, d = d, 1.0 - e / d
        g[n] = (f[n] + np.sqrt(e / before) * g[n - 1]) / np.sqrt(d)
    second = np.zeros((size + 1, size + 1))  # sin(n t) / sin t = U_{n-1}(cos t) by T_k
    for n in range(1, size + 2):
        for k in range((n - 1) % 2, n, 2):
            second[n - 1, k] = (1.0 if k == 0 else 2.0) / n
    return np.asarray(g @ second)
