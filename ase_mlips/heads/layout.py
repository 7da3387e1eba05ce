"""Where the kernel of networks finds sizes and weights: the rows of its table of integers, read with `fields.view`."""

from __future__ import annotations

from typing import NamedTuple

LINEAR, SIGMOID, TANH, RELU, SOFTPLUS = range(5)


class Sizes(NamedTuple):
    """The first row."""

    networks: int
    stride: int  # doubles of one network
    layers: int
    padded: int  # vectors of the descriptors' derivatives


class Layer(NamedTuple):
    """A row for each layer behind that."""

    inputs: int
    tiles: int  # of eight outputs
    activation: int
    forward: int  # place of the weights by output
    backward: int  # of the weights by input
    biases: int
    area: int  # place of its area of the scratch


SIZE_WORDS, LAYER_WORDS = len(Sizes._fields), len(Layer._fields)
