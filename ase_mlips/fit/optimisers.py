"""Minimisers of a loss of many parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize

from ..arrays import FloatArray
from . import kernels_adam

_DECAYS = 0.9, 0.999
_CORRECTIONS = 20
_DAMPING = 1e-6  # of the mean curvature


@dataclass
class Adam:
    """Steps along averaged gradients, each parameter at its own pace (D. P. Kingma and J. Ba, arXiv:1412.6980).

    Attributes
    ----------
    mean, square : arrays
        Running averages of the gradient and of its square.
    steps : int
        Taken so far.
    """

    mean: FloatArray
    square: FloatArray
    steps: int = 0

    def step(self, gradient: FloatArray, rate: float) -> FloatArray:
        """What to add to the parameters (algorithm 1 of the paper)."""
        self.steps += 1
        change = np.empty(gradient.shape)
        flat = (array.reshape(-1) for array in (self.mean, self.square, change))
        kernels_adam.step(gradient.reshape(-1), rate, _DECAYS, self.steps, *flat)
        return change


def cosine(highest: float, lowest: float, progress: float) -> float:
    """Half a cosine from `highest` at progress 0 to `lowest` at progress 1."""
    return lowest + 0.5 * (highest - lowest) * (1.0 + math.cos(math.pi * progress))


def lbfgs(
    function: Callable[[FloatArray], tuple[float, FloatArray]],
    start: FloatArray,
    steps: int,
    curvature: FloatArray | None = None,
) -> FloatArray:
    """Up to `steps` iterations of L-BFGS-B; `function` gives loss and gradient in the shape of `start`.

    With `curvature` (P, P), about the second derivatives, the variables are such that these are the unit matrix.
    """
    triangle = None if curvature is None else _triangle(curvature)

    def place(y: FloatArray) -> FloatArray:
        step = y if triangle is None else solve_triangular(triangle, y, lower=True, trans=1)
        return start + step.reshape(start.shape)

    def flat(y: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = function(place(y))
        slope = gradient.ravel()
        return value, slope if triangle is None else solve_triangular(triangle, slope, lower=True)

    options = {"maxiter": steps, "maxfun": 10 * steps, "maxcor": _CORRECTIONS, "ftol": 0.0, "gtol": 0.0}
    found = minimize(flat, np.zeros(start.size), jac=True, method="L-BFGS-B", options=options)
    return place(found.x)


def _triangle(curvature: FloatArray) -> FloatArray:
    """The Cholesky factor of the matrix with a little more on its diagonal."""
    damped = curvature.copy()
    damped[np.diag_indices_from(damped)] += _DAMPING * np.diagonal(curvature).mean()
    factor: FloatArray = cholesky(damped, lower=True, overwrite_a=True)
    return factor
