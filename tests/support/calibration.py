"""How fast this core is: an FMA loop in registers, to be printed beside any timing."""

import time
from typing import Any

import numpy as np

from ase_mlips.engine.jit import kernel
from ase_mlips.engine.simd import fma, hsum, splat


@kernel
def _fma_loop(turns: int, x: float, y: float) -> Any:
    a, b = splat(x), splat(y)
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = splat(1.0)
    for _ in range(turns):
        s0, s1, s2, s3, s4 = fma(s0, a, b), fma(s1, a, b), fma(s2, a, b), fma(s3, a, b), fma(s4, a, b)
        s5, s6, s7, s8, s9 = fma(s5, a, b), fma(s6, a, b), fma(s7, a, b), fma(s8, a, b), fma(s9, a, b)
    return hsum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9)


def fma_gflops() -> float:
    """Best of a few short runs, in double-precision GFlop/s of one thread."""
    _fma_loop(1, 0.999, 0.001)
    turns, best = 100_000, np.inf
    for _ in range(10):
        begin = time.perf_counter()
        _fma_loop(turns, 0.999, 0.001)
        best = min(best, time.perf_counter() - begin)
    return turns * 10 * 8 * 2 / best * 1e-9
