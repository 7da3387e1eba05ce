"""Independent NumPy evaluation of a network: one atom, one node at a time, derivatives carried along forwards."""

import numpy as np


def _activate(name: str, x: float) -> tuple[float, float]:
    """A function's value and slope."""
    if name == "linear":
        return x, 1.0
    if name == "relu":
        return (x, 1.0) if x > 0.0 else (0.0, 0.0)
    if name == "tanh":
        return np.tanh(x), 1.0 - np.tanh(x) ** 2
    sigmoid = 1.0 / (1.0 + np.exp(-x)) if x >= 0.0 else np.exp(x) / (1.0 + np.exp(x))
    if name == "sigmoid":
        return sigmoid, sigmoid * (1.0 - sigmoid)
    if name == "softplus":
        return np.logaddexp(0.0, x), sigmoid
    raise ValueError(name)


def energies_and_gradients(network, descriptors, species):
    """Energy of every atom and its derivative with respect to its descriptors.

    Parameters
    ----------
    network : Network
    descriptors : (N, K) array
    species : (N,) array
        Row of the network's arrays; of no meaning if it has one row.

    Returns
    -------
    energies : (N,) array
        In eV.
    gradients : (N, K) array
    """
    energies, gradients = np.zeros(len(descriptors)), np.zeros(np.shape(descriptors))
    for atom, inputs in enumerate(descriptors):
        row = species[atom] if len(network.parameters) > 1 else 0
        stream = iter(network.parameters[row])
        values = (inputs - network.shift[row]) / network.scale[row]
        slopes = np.diag(1.0 / network.scale[row])
        for name, nodes in zip(network.activations, network.sizes[1:], strict=True):
            new_values, new_slopes = np.zeros(nodes), np.zeros((nodes, len(inputs)))
            for node in range(nodes):
                bias, *weights = (next(stream) for _ in range(1 + len(values)))
                value, slope = _activate(name, bias + np.dot(weights, values))
                new_values[node], new_slopes[node] = value, slope * (weights @ slopes)
            values, slopes = new_values, new_slopes
        energies[atom], gradients[atom] = values[0], slopes[0]
    return energies, gradients
