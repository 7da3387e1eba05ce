"""Energies of networks, their slopes, and the gradient of a loss of both with respect to the parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..arrays import FloatArray

Layer = tuple[FloatArray, FloatArray]


def _linear(z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    return z, np.ones_like(z), np.zeros_like(z)


def _logistic(z: FloatArray) -> FloatArray:
    half: FloatArray = 0.5 + 0.5 * np.tanh(0.5 * z)  # never overflows
    return half


def _sigmoid(z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    value = _logistic(z)
    slope = value * (1.0 - value)
    return value, slope, slope * (1.0 - 2.0 * value)


def _tanh(z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    value = np.tanh(z)
    slope = 1.0 - value * value
    return value, slope, -2.0 * value * slope


def _relu(z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    slope = np.heaviside(z, 0.0)
    return z * slope, slope, np.zeros_like(z)


def _softplus(z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    slope = _logistic(z)
    return np.logaddexp(0.0, z), slope, slope * (1.0 - slope)


FUNCTIONS: dict[str, Callable[[FloatArray], tuple[FloatArray, FloatArray, FloatArray]]] = {
    "linear": _linear,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "relu": _relu,
    "softplus": _softplus,
}  # value, first and second derivative


class Pass:
    r"""One network at n atoms: energies, their slopes, and what the derivatives of both take.

    Parameters
    ----------
    layers : sequence of (weights (n_l, n_(l-1)), biases (n_l,))
    activations : sequence of str
    x : (n, K) array
        Inputs of the atoms.

    Attributes
    ----------
    energies : (n,) array
        U_i, the output.
    slopes : (n, K) array
        dU_i / dx_ik.
    """

    def __init__(self, layers: Sequence[Layer], activations: Sequence[str], x: FloatArray) -> None:
        self._weights = [weights for weights, _ in layers]
        self._values, self._slopes, self._curvatures = [x], [], []
        for (weights, biases), name in zip(layers, activations, strict=True):
            value, slope, curvature = FUNCTIONS[name](self._values[-1] @ weights.T + biases)
            self._values.append(value)
            self._slopes.append(slope)
            self._curvatures.append(curvature)
        self.energies: FloatArray = self._values[-1][:, 0]
        self._pulls = [np.ones_like(self._slopes[-1])]  # derivatives of the energy with respect to each layer's values
        for weights, slope in zip(self._weights[:0:-1], self._slopes[:0:-1], strict=True):
            self._pulls.insert(0, (self._pulls[0] * slope) @ weights)
        self.slopes: FloatArray = (self._pulls[0] * self._slopes[0]) @ self._weights[0]

    def gradient(self, weights: FloatArray, directions: FloatArray) -> list[Layer]:
        r"""Derivatives of ``S = sum_i weights_i U_i + sum_ik directions_ik dU_i/dx_ik`` for each layer.

        The second sum is the derivative of the energies along the directions, which a forward pass of tangents
        gives; reverse differentiation of both passes then gives all parameters at once (A. Rohskopf et al.,
        J. Mater. Res. 38, 5136 (2023), call it iterated back-propagation).

        Parameters
        ----------
        weights : (n,) array
        directions : (n, K) array

        Returns
        -------
        list of (weights (n_l, n_(l-1)), biases (n_l,))
        """
        tangents, rates = [directions], []  # of the values and of what enters the functions
        for matrix, slope in zip(self._weights, self._slopes, strict=True):
            rates.append(tangents[-1] @ matrix.T)
            tangents.append(rates[-1] * slope)
        adjoint = weights[:, None]
        found: list[Layer] = []
        for n in reversed(range(len(self._weights))):
            into = adjoint * self._slopes[n] + self._pulls[n] * self._curvatures[n] * rates[n]
            into_rate = self._pulls[n] * self._slopes[n]
            found.insert(0, (into.T @ self._values[n] + into_rate.T @ tangents[n], into.sum(axis=0)))
            adjoint = into @ self._weights[n]
        return found
