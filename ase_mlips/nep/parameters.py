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
        self._with_slopes = [_chebyshev(model.basis_size[n] + 1) for n in (0, 1)]
        self._values = [np.ascontiguousarray(_halves(both)[0]) for both in self._with_slopes]
        self._sources = self._network_sources()

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

    def fill(self, parameters: FloatArray, floats: FloatArray, places: Any) -> None:
        """Write the tables of `NepPotential`, at `places` (`layout.Floats`), with these parameters."""
        vector = np.append(parameters[0], 0.0)
        size = len(self._sources)
        table = floats[places.network : places.network + size]
        np.take(vector, self._sources, out=table, mode="clip")  # twice as fast as the default
        biases = table.reshape(self.nets, -1)[:, -1]
        biases[:] = vector[self.bias]
        if self._with_bias:
            biases += self.blocks(parameters)[:, -1]
        for c, both, place in zip(
            self.coefficients(parameters), self._with_slopes, (places.radial, places.angular), strict=True
        ):
            n, k = c.shape[:2]
            if self._types == 1:  # [n][k][2]
                np.matmul(c.reshape(n, k), both, out=floats[place : place + 2 * n * k].reshape(n, 2 * k))
            else:
                _write_tiles(floats[place:], np.concatenate([half @ c.reshape(n, k, -1) for half in _halves(both)]))

    def fill_weights(self, parameters: FloatArray, floats: FloatArray, places: Any) -> None:
        """Write Chebyshev coefficients by tiles of eight functions at ``places.radial`` and ``places.angular``."""
        for c, value, place in zip(
            self.coefficients(parameters), self._values, (places.radial, places.angular), strict=True
        ):
            _write_tiles(floats[place:], value @ c.reshape(*c.shape[:2], -1))

    def gradient(self, raw: FloatArray, places: Any) -> FloatArray:
        """Derivatives (1, size) from what the kernel sums up, at `places` (`layout_training.Gradient`)."""
        found = np.empty((1, self.size))
        plain = self._hidden * (self._inputs + 2)
        own = raw[places.networks : places.networks + self.nets * plain].reshape(self.nets, plain)
        blocks = self.blocks(found)
        blocks[:, :plain] = own
        weights = raw[places.weights : places.weights + self._types]
        if self._with_bias:
            blocks[:, -1] = -weights
        found[0, self.bias] = -weights.sum()
        for c, value, place in zip(
            self.coefficients(found), self._values, (places.radial, places.angular), strict=True
        ):
            n, k = c.shape[:2]
            slopes = raw[place : place + c.size].reshape(-1, n, k)  # [pair][n][k]
            c[:] = (slopes @ value).transpose(1, 2, 0).reshape(c.shape)
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


def _chebyshev(count: int) -> FloatArray:
    """Matrix (count, 2 count) from the coefficients of f_k to those of T_k in g_n / fc and, in turn, its derivative."""
    value = 0.5 * np.eye(count)
    value[0, 0] = 1.0
    value[0, 1:] = 0.5
    slope = np.zeros_like(value)
    if count > 1:
        slope[:-1] = chebyshev.chebder(value, axis=0)
    return np.stack([value.T, slope.T], axis=2).reshape(count, 2 * count)


def _halves(both: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The two matrices of `_chebyshev`, which stand on the left of the coefficients."""
    return both[:, ::2].T, both[:, 1::2].T


def _write_tiles(table: FloatArray, rows: FloatArray) -> None:
    """Rows (m, k, pairs) as [pair][tile of eight rows][k][8], the rest of a tile zero."""
    count, k, pairs = rows.shape
    tiles = padded(count) // W
    whole = np.zeros((tiles * W, k, pairs))
    whole[:count] = rows
    view = table[: pairs * tiles * k * W].reshape(pairs, tiles, k, W)
    view[:] = whole.reshape(tiles, W, k, pairs).transpose(3, 0, 2, 1)
