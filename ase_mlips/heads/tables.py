"""Networks in the form that the kernel reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from ..engine.packing import W, flatten, padded
from .layout import Layer, Sizes
from .network import ACTIVATIONS, Network


@dataclass(frozen=True)
class NetworkTables:
    """Integers and weights for `kernels.network`, and the vectors of scratch that it takes."""

    spec: IntArray
    weights: FloatArray
    work: int


def pack_network(network: Network) -> NetworkTables:
    """Lay weights out in tiles of eight, by output for the way forth and by input for the way back.

    The normalisation of the descriptors goes into the first layer, and linear layers into the ones above them.
    Nodes that fill up a tile have no weights.
    """
    layers = _merged(network)
    count, descriptors = len(network.parameters), network.sizes[0]
    rows, parts, size, work, inputs = [], [], 0, 0, descriptors
    for weights, biases, activation in layers:
        outputs = padded(weights.shape[1])
        full = np.zeros((count, outputs, padded(inputs)))
        full[:, : weights.shape[1], : weights.shape[2]] = weights
        forward = full[:, :, :inputs].reshape(count, outputs // W, W, inputs).swapaxes(2, 3)
        backward = full.swapaxes(1, 2).reshape(count, padded(inputs) // W, W, outputs).swapaxes(2, 3)
        places: list[int] = []
        for part in (forward, backward, np.pad(biases, ((0, 0), (0, outputs - biases.shape[1])))):
            places.append(size)
            parts.append(np.ascontiguousarray(part).reshape(count, -1))
            size += parts[-1].shape[1]
        rows.append(Layer._make((inputs, outputs // W, ACTIVATIONS.index(activation), *places, work * W)))
        work, inputs = work + 2 * outputs, outputs
    sizes = Sizes(count, stride=size, layers=len(layers), padded=padded(descriptors))
    return NetworkTables(flatten((sizes, *rows)), np.concatenate(parts, axis=1), work)


def _merged(network: Network) -> list[tuple[FloatArray, FloatArray, str]]:
    """Weights (E, out, in), biases (E, out) and activation of each layer, with as few layers as possible."""
    merged: list[tuple[FloatArray, FloatArray, str]] = []
    matrix = np.eye(network.sizes[0]) / network.scale[:, None, :]
    offset = -network.shift / network.scale
    layers = network.layers()
    for number, ((weights, biases), activation) in enumerate(zip(layers, network.activations, strict=True), 1):
        matrix, offset = weights @ matrix, np.einsum("eij,ej->ei", weights, offset) + biases
        if activation != "linear" or number == len(layers):
            merged.append((matrix, offset, activation))
            matrix, offset = np.eye(weights.shape[1])[None], np.zeros((1, weights.shape[1]))
    return merged
