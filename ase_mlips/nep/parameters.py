"""The parameters of a NEP model as one vector, and the tables that kernels read, made from it at every step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from ..arrays import FloatArray, Int64Array
from ..engine.packing import W, padded
from .model import NepModel, NepNetwork
from .tables import pack_network


class ParameterVector:
    """Where each parameter of a model is in a vector, which has the order of nep.txt.

    These are for each network w0, b0, w1 and, in NEP5, the bias of the type; the common bias; the radial and the
    angular expansion coefficients.

    Parameters
    ----------
    model : NepModel

    Attributes
    ----------
    size : int
    block, bias : int
        Parameters of one network; place of the common bias.
    """

    def __init__(self, model: NepModel) -> None:
        network = model.network
        self._model = model
        self.nets, self._hidden, self._inputs = network.w0.shape
        self._types = len(model.elements)
        self._with_bias = network.type_bias is not None
        self.block = self._hidden * (self._inputs + 2) + self._with_bias
        self.bias = self.nets * self.block
        self._radial = self.bias + 1
        self._angular = self._radial + model.radial.size
        self.size = self._angular + model.angular.size
        self._chebyshev = [_chebyshev(model.basis_size[n] + 1) for n in (0, 1)]
        sizes = [self.size + 1, model.radial.size, model.radial.size, model.angular.size, model.angular.size]
        self._doubles = np.zeros(sum(sizes))  # parameters, 0; coefficients of T_k and of its derivative, twice
        self._parts = np.split(self._doubles, np.cumsum(sizes)[:-1])
        self._networks = self._network_sources()
        self._functions, self._weights = self._function_sources()

    def __reduce__(self) -> tuple[type[ParameterVector], tuple[NepModel]]:
        return type(self), (self._model,)  # a copy of the parts would be no view of what they are parts of

    def of(self, model: NepModel) -> FloatArray:
        """The vector (1, size) of a model of this shape."""
        network = model.network
        parts = [network.w0.reshape(self.nets, -1), network.b0, network.w1]
        if network.type_bias is not None:
            parts.append(network.type_bias[:, None])
        blocks = np.concatenate(parts, axis=1).ravel()
        return np.concatenate([blocks, [network.bias], model.radial.ravel(), model.angular.ravel()])[None]

    def model(self, parameters: FloatArray) -> NepModel:
        """The model with these parameters (1, size)."""
        vector = parameters[0]
        blocks = vector[: self.bias].reshape(self.nets, self.block)
        inner = self._hidden * self._inputs
        network = NepNetwork(
            blocks[:, :inner].reshape(self.nets, self._hidden, self._inputs),
            blocks[:, inner : inner + self._hidden],
            blocks[:, inner + self._hidden : inner + 2 * self._hidden],
            float(vector[self.bias]),
            type_bias=blocks[:, -1] if self._with_bias else None,
        )
        radial, angular = self.coefficients(parameters)
        return replace(self._model, network=network, radial=radial, angular=angular)

    def coefficients(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Views of the radial and of the angular coefficients [n, k, centre, neighbour]."""
        vector = parameters[0]
        return (
            vector[self._radial : self._angular].reshape(self._model.radial.shape),
            vector[self._angular :].reshape(self._model.angular.shape),
        )

    def blocks(self, parameters: FloatArray) -> FloatArray:
        """View of the networks (networks, block)."""
        return parameters[0, : self.bias].reshape(self.nets, self.block)

    # -----------------------------------------------------------------------------------------------
    # to the tables and back

    def fill(self, parameters: FloatArray, forces: tuple[FloatArray, Any], training: tuple[FloatArray, Any]) -> None:
        """Write all tables that depend on parameters.

        Parameters
        ----------
        parameters : (1, size) array
        forces : (array, `layout.Floats`)
            Tables of `NepPotential` and where they begin.
        training : (array, `layout_training.TrainingHead`)
            Those of the gradient, and where ``radial`` and ``angular`` begin.
        """
        self._parts[0][:-1] = parameters[0]
        for order, c in enumerate(self.coefficients(parameters)):
            rows = c.reshape(*c.shape[:2], -1)
            for matrix, out in zip(self._chebyshev[order], self._parts[1 + 2 * order :], strict=False):
                np.matmul(matrix, rows, out=out.reshape(rows.shape))
        (floats, places), (own, own_places) = forces, training
        table = self._take(self._networks, floats, places.network).reshape(self.nets, -1)
        biases = table[:, -1]
        biases[:] = parameters[0, self.bias]
        if self._with_bias:
            biases += self.blocks(parameters)[:, -1]
        for target, begin, sources in (
            (floats, places.radial, self._functions[0]),
            (floats, places.angular, self._functions[1]),
            (own, own_places.radial, self._weights[0]),
            (own, own_places.angular, self._weights[1]),
        ):
            self._take(sources, target, begin)

    def _take(self, sources: Int64Array, table: FloatArray, begin: int) -> FloatArray:
        """Write the doubles of these places to a table from `begin` on; returns this part of it."""
        part = table[begin : begin + len(sources)]
        np.take(self._doubles, sources, out=part, mode="clip")  # twice as fast as the default
        return part

    def gradient(self, raw: FloatArray, places: Any) -> FloatArray:
        """Derivatives (1, size) from what the kernel sums up, at `places` (`layout_training.Gradient`)."""
        found = np.empty((1, self.size))
        plain = self._hidden * (self._inputs + 2)
        blocks = self.blocks(found)
        blocks[:, :plain] = raw[places.networks : places.networks + self.nets * plain].reshape(self.nets, plain)
        weights = raw[places.weights : places.weights + self._types]
        if self._with_bias:
            blocks[:, -1] = -weights
        found[0, self.bias] = -weights.sum()
        for c, (value, _), place in zip(
            self.coefficients(found), self._chebyshev, (places.radial, places.angular), strict=True
        ):
            n, k = c.shape[:2]
            slopes = raw[place : place + c.size].reshape(-1, n, k)  # [pair][n][k]
            c.reshape(n, k, -1)[:] = (slopes @ value).transpose(1, 2, 0)
        return found

    def _network_sources(self) -> Int64Array:
        """For each double of the packed networks its place in the vector; behind the last one for zeros and biases."""
        numbers = np.arange(1.0, 1.0 + self.bias).reshape(self.nets, self.block)
        inner = self._hidden * self._inputs
        network = NepNetwork(
            numbers[:, :inner].reshape(self.nets, self._hidden, self._inputs),
            numbers[:, inner : inner + self._hidden],
            numbers[:, inner + self._hidden : inner + 2 * self._hidden],
            0.0,
        )
        found = pack_network(network, self.nets).ravel().astype(np.int64) - 1
        found[found < 0] = self.size
        return found

    def _function_sources(self) -> tuple[list[Int64Array], list[Int64Array]]:
        """The same for the coefficients of the functions, radial and angular, in the forces' tables and in the own."""
        numbers = np.split(np.arange(len(self._doubles)), np.cumsum([len(part) for part in self._parts])[:-1])
        functions, weights = [], []
        for order, c in enumerate((self._model.radial, self._model.angular)):
            values, slopes = (own.reshape(*c.shape[:2], -1) for own in numbers[1 + 2 * order : 3 + 2 * order])
            weights.append(_tiles(values, self.size))
            if self._types == 1:  # [n][k][2]
                functions.append(np.stack([values[..., 0], slopes[..., 0]], axis=2).ravel())
            else:
                functions.append(_tiles(np.concatenate([values, slopes]), self.size))
        return functions, weights


def _chebyshev(count: int) -> tuple[FloatArray, FloatArray]:
    """Matrices (count, count) from the coefficients of f_k to those of T_k in g_n / fc and in its derivative."""
    value = 0.5 * np.eye(count)
    value[0, 0] = 1.0
    value[0, 1:] = 0.5
    slope = np.zeros_like(value)
    if count > 1:
        slope[:-1] = chebyshev.chebder(value, axis=0)
    return value, slope


def _tiles(rows: Int64Array, blank: int) -> Int64Array:
    """Rows (m, k, pairs) as [pair][tile of eight rows][k][8], the rest of a tile `blank`; raveled."""
    count, k, pairs = rows.shape
    tiles = padded(count) // W
    whole = np.full((tiles * W, k, pairs), blank)
    whole[:count] = rows
    return whole.reshape(tiles, W, k, pairs).transpose(3, 0, 2, 1).ravel()
