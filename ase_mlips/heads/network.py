"""A feed-forward network from descriptors to energy: what a file of it says, checked and frozen."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..files.records import Record, frozen_array, integer, require_shape

ACTIVATIONS = ("linear", "sigmoid", "tanh", "relu", "softplus")
MAX_NEURONS = 4096
NETWORK_ARRAYS = {  # of an archive of a model: kind and number of axes, in the order of the fields
    "network_sizes": ("i", 1),
    "network_activations": ("U", 1),
    "network_parameters": ("f", 2),
    "network_shift": ("f", 2),
    "network_scale": ("f", 2),
}


@dataclass(frozen=True, eq=False, repr=False)
class Network(Record):
    r"""Networks of one architecture, one for each element or one for all.

    .. math:: x = (B - shift) / scale, \quad x \leftarrow f_l(W_l x + b_l), \quad U = x

    with the descriptors B of an atom and its energy U in eV.

    Attributes
    ----------
    sizes : tuple of int
        Number K of descriptors, then of the nodes of each layer; the last is 1.
    activations : tuple of str
        Function f of each layer, one of `ACTIVATIONS`; softplus is ``log(1 + exp(x))``.
    parameters : (E, P) array
        For each element (or once, E = 1, for all): layer by layer and node by node, the bias, then the weights.
    shift, scale : (E, K) arrays
        Of the descriptors.

    Raises
    ------
    ValueError
        Where a field has no meaning; the message is ``expected <field> ..., got ...``.
    """

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    parameters: FloatArray
    shift: FloatArray
    scale: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(integer("sizes", n, 1, MAX_NEURONS) for n in self.sizes))
        object.__setattr__(self, "activations", tuple(self.activations))
        for name in ("parameters", "shift", "scale"):
            object.__setattr__(self, name, frozen_array(name, getattr(self, name)))
        if len(self.sizes) < 2 or self.sizes[-1] != 1:
            raise ValueError(f"expected sizes of at least one layer, the last of one node, got {self.sizes}")
        if len(self.activations) != len(self.sizes) - 1:
            raise ValueError(f"expected activations of {len(self.sizes) - 1} layers, got {len(self.activations)}")
        for name in self.activations:
            if name not in ACTIVATIONS:
                raise ValueError(f"expected activations among {', '.join(ACTIVATIONS)}, got {name!r}")
        if self.parameters.ndim != 2 or len(self.parameters) == 0:
            raise ValueError(f"expected parameters of shape (E, {self.n_parameters}), got {self.parameters.shape}")
        networks = len(self.parameters)
        require_shape("parameters", self.parameters, (networks, self.n_parameters))
        require_shape("shift", self.shift, (networks, self.sizes[0]))
        require_shape("scale", self.scale, (networks, self.sizes[0]))
        if np.any(self.scale == 0.0):
            raise ValueError("expected scale not to be zero, got 0.0")

    def __repr__(self) -> str:
        sizes, count = "-".join(map(str, self.sizes)), len(self.parameters)
        return f"Network({sizes}, {' '.join(self.activations)}, of {count} element{'s' if count > 1 else ' or all'})"

    @property
    def n_parameters(self) -> int:
        """P, the number of weights and biases of one network."""
        return count_parameters(self.sizes)

    def layers(self) -> list[tuple[FloatArray, FloatArray]]:
        """Weights (E, n_l, n_(l-1)) and biases (E, n_l) of each layer, as views of `parameters`."""
        return split_layers(self.parameters, self.sizes)


def network_arrays(network: Network | None) -> dict[str, Any]:
    """The fields by their names in an archive; nothing without a network."""
    return {} if network is None else {name: getattr(network, name.removeprefix("network_")) for name in NETWORK_ARRAYS}


def count_parameters(sizes: tuple[int, ...]) -> int:
    """Weights and biases of one network."""
    return sum((before + 1) * after for before, after in pairwise(sizes))


def split_layers(parameters: FloatArray, sizes: tuple[int, ...]) -> list[tuple[FloatArray, FloatArray]]:
    """Views (weights, biases) of each layer of ``parameters`` (E, P)."""
    found, first = [], 0
    for before, after in pairwise(sizes):
        block = parameters[:, first : first + (before + 1) * after].reshape(-1, after, before + 1)
        found.append((block[:, :, 1:], block[:, :, 0]))
        first += (before + 1) * after
    return found
