"""The parameters of a NEP model as one vector, and the tables that kernels read, made from it at every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial import chebyshev

from ..arrays import FloatArray, Int64Array
from ..engine.packing import W, padded
from . import kernels_batch
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
        at, self._coefficients = self.size + 1, []
        for order, (c, first) in enumerate(((model.radial, self._radial), (model.angular, self._angular))):
            shape = *c.shape[:2], self._types**2
            self._coefficients.append((first, at, shape, _chebyshev(model.basis_size[order] + 1)))
            at += 2 * c.size
        self._doubles = np.zeros(at)  # parameters, 0; coefficients of T_k and of its derivative, twice

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

    def bound(self, forces: tuple[FloatArray, Any], training: tuple[FloatArray, Any]) -> BoundTables:
        """What writes all tables that depend on parameters.

        Parameters
        ----------
        forces : (array, `layout.Floats`)
            Tables of `NepPotential` and where they begin.
        training : (array, `layout_training.TrainingHead`)
            Those of the gradient, and where ``radial`` and ``angular`` begin.
        """
        (floats, places), (own, own_places) = forces, training
        networks, (functions, weights) = self._network_sources(), self._function_sources()
        step = len(networks) // self.nets
        last = self.block - 1 if self._with_bias else -1
        return BoundTables(
            self.size,
            self._doubles,
            (self._coefficients[0], self._coefficients[1]),
            (self.bias, last, self.block, places.network + step - 1, step, self.nets),
            (
                (*_placed([networks, *functions], [places.network, places.radial, places.angular]), floats),
                (*_placed(weights, [own_places.radial, own_places.angular]), own),
            ),
        )

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
        functions, weights = [], []
        for _, at, (n, k, pairs), _ in self._coefficients:
            values, slopes = np.arange(at, at + 2 * n * k * pairs).reshape(2, n, k, pairs)
            weights.append(_tiles(values, self.size))
            if self._types == 1:  # [n][k][2]
                functions.append(np.stack([values[..., 0], slopes[..., 0]], axis=2).ravel())
            else:
                functions.append(_tiles(np.concatenate([values, slopes]), self.size))
        return functions, weights


class BoundTables(NamedTuple):
    """Arguments of `kernels_batch.fill_tables`, by these names, and the number of parameters."""

    size: int
    doubles: FloatArray
    coefficients: tuple[Any, Any]
    biases: tuple[int, ...]
    tables: tuple[Any, Any]

    def fill(self, parameters: FloatArray) -> None:
        """Write the tables of these parameters (1, size)."""
        kernels_batch.fill_tables(parameters[0], self.coefficients, self.doubles, self.biases, self.tables)

    def gradient(self, parts: FloatArray, places: Any) -> FloatArray:
        """Derivatives (1, size) from the rows of `kernels_training.accumulate`."""
        found = np.empty((1, self.size))
        kernels_batch.collect(parts, places[:-1], self.coefficients, self.biases, np.empty(places.size), found[0])
        return found


def _placed(sources: Sequence[Int64Array], begin: Sequence[int]) -> tuple[Int64Array, Int64Array]:
    """All sources, and where in a table each goes whose parts begin there."""
    targets = [np.arange(first, first + len(own)) for own, first in zip(sources, begin, strict=True)]
    return np.concatenate(sources), np.concatenate(targets)


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
