"""Synthetic networks: every activation, several sizes, of one element, of two, and one for both."""

from itertools import pairwise

import numpy as np

from ase_mlips.heads.network import Network

# names of models: (nodes of the hidden layers, activations, number of networks)
NETWORKS = {
    "network": ((5, 3), ("tanh", "softplus", "linear"), 1),
    "network_two": ((9, 4, 2), ("sigmoid", "linear", "relu", "linear"), 2),
    "network_shared": ((8,), ("softplus", "sigmoid"), 1),
    "network_chem": ((32, 32), ("tanh", "tanh", "linear"), 2),
}


def random_network(sizes: tuple[int, ...], activations: tuple[str, ...], *, count: int, seed: int = 0) -> Network:
    """Weights that leave no node saturated, and biases that leave none of relu at its kink."""
    rng = np.random.default_rng([seed, *sizes])
    parts = []
    for before, after in pairwise(sizes):
        weights = rng.normal(size=(count, after, before)) / np.sqrt(before)
        biases = rng.uniform(0.1, 0.5, (count, after, 1)) * rng.choice([-1.0, 1.0], (count, after, 1))
        parts.append(np.concatenate([biases, weights], axis=2).reshape(count, -1))
    shift, scale = rng.normal(size=(count, sizes[0])), rng.uniform(2.0, 5.0, (count, sizes[0]))
    return Network(sizes, activations, np.concatenate(parts, axis=1), shift, scale)
