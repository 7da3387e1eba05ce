"""A step of Adam in one call: the parameters of a NEP are so few that separate calls for each operation would count."""

from __future__ import annotations

import math
from typing import Any

from ..engine.jit import kernel

_SMALL = 1e-8


@kernel
def step(gradient: Any, rate: float, decays: Any, steps: int, mean: Any, square: Any, change: Any) -> None:
    """Running averages of gradient and square, and the change of the parameters (algorithm 1 of arXiv:1412.6980).

    `gradient`, `mean`, `square` and `change` are (P,); `decays` are beta_1 and beta_2.
    """
    first, second = decays
    rate /= 1.0 - first**steps
    share = 1.0 - second**steps
    for p in range(len(gradient)):
        mean[p] = first * mean[p] + (1.0 - first) * gradient[p]
        square[p] = second * square[p] + (1.0 - second) * gradient[p] * gradient[p]
        change[p] = -rate * mean[p] / (math.sqrt(square[p] / share) + _SMALL)
