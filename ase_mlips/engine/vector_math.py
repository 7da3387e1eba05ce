"""Elementary functions of eight lanes, to the last digit or two; LLVM has none without a vendor's library."""

from __future__ import annotations

from typing import Any

from .jit import device
from .simd import fma, power_of_two, splat, vabs, vmax, vmin, vrint, where_less

_LOG2E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10


@device
def vexp(x: Any) -> Any:
    """exp(x), to 2e-16 relative, between -700 and 700; the ends beyond.  NaN stays NaN."""
    x = vmin(splat(700.0), vmax(splat(-700.0), x))
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
def vtanh(x: Any) -> Any:
    """tanh(x), to 4e-16 absolute."""
    return 1.0 - 2.0 / (vexp(x * 2.0) + 1.0)


@device
def sine_cosine(y: Any) -> tuple[Any, Any]:
    """sin and cos for |y| <= pi/2, by Taylor series to 3e-16 absolute."""
    q = y * y
    s = splat(1.0 / 51090942171709440000.0)
    s = fma(s, q, splat(-1.0 / 121645100408832000.0))
    s = fma(s, q, splat(1.0 / 355687428096000.0))
    s = fma(s, q, splat(-1.0 / 1307674368000.0))
    s = fma(s, q, splat(1.0 / 6227020800.0))
    s = fma(s, q, splat(-1.0 / 39916800.0))
    s = fma(s, q, splat(1.0 / 362880.0))
    s = fma(s, q, splat(-1.0 / 5040.0))
    s = fma(s, q, splat(1.0 / 120.0))
    s = fma(s, q, splat(-1.0 / 6.0))
    c = splat(-1.0 / 1124000727777607680000.0)
    c = fma(c, q, splat(1.0 / 2432902008176640000.0))
    c = fma(c, q, splat(-1.0 / 6402373705728000.0))
    c = fma(c, q, splat(1.0 / 20922789888000.0))
    c = fma(c, q, splat(-1.0 / 87178291200.0))
    c = fma(c, q, splat(1.0 / 479001600.0))
    c = fma(c, q, splat(-1.0 / 3628800.0))
    c = fma(c, q, splat(1.0 / 40320.0))
    c = fma(c, q, splat(-1.0 / 720.0))
    c = fma(c, q, splat(1.0 / 24.0))
    c = fma(c, q, splat(-0.5))
    return fma(s * q, y, y), fma(c, q, splat(1.0))


@device
def softplus(x: Any) -> tuple[Any, Any]:
    """log(1 + exp(x)) to 3e-16 relative, and its derivative."""
    t = vexp(-vabs(x))
    z = t / (t + 2.0)  # log(1 + t) = 2 artanh(t / (2 + t))
    q = z * z
    s = splat(2.0 / 33.0)
    s = fma(s, q, splat(2.0 / 31.0))
    s = fma(s, q, splat(2.0 / 29.0))
    s = fma(s, q, splat(2.0 / 27.0))
    s = fma(s, q, splat(2.0 / 25.0))
    s = fma(s, q, splat(2.0 / 23.0))
    s = fma(s, q, splat(2.0 / 21.0))
    s = fma(s, q, splat(2.0 / 19.0))
    s = fma(s, q, splat(2.0 / 17.0))
    s = fma(s, q, splat(2.0 / 15.0))
    s = fma(s, q, splat(2.0 / 13.0))
    s = fma(s, q, splat(2.0 / 11.0))
    s = fma(s, q, splat(2.0 / 9.0))
    s = fma(s, q, splat(2.0 / 7.0))
    s = fma(s, q, splat(2.0 / 5.0))
    s = fma(s, q, splat(2.0 / 3.0))
    s = fma(s, q, splat(2.0))
    larger = 1.0 / (t + 1.0)  # the derivative at |x|
    return fma(s, z, vmax(x, splat(0.0))), where_less(x, splat(0.0), t * larger, larger)
