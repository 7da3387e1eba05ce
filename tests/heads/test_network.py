"""The network model: what it refuses, and what its layers are."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from support.synthetic_networks import random_network

from ase_mlips.heads.network import Network

NETWORK = random_network((3, 4, 2, 1), ("tanh", "relu", "linear"), count=2)


def test_layers_are_views_of_the_parameters_bias_first():
    parameters = np.arange(2 * NETWORK.n_parameters, dtype=float).reshape(2, -1)
    layers = replace(NETWORK, parameters=parameters).layers()
    assert NETWORK.n_parameters == 4 * 4 + 5 * 2 + 3
    assert [(w.shape, b.shape) for w, b in layers] == [((2, 4, 3), (2, 4)), ((2, 2, 4), (2, 2)), ((2, 1, 2), (2, 1))]
    assert layers[0][1][0].tolist() == [0.0, 4.0, 8.0, 12.0]
    assert layers[0][0][0, 1].tolist() == [5.0, 6.0, 7.0]
    assert layers[2][0][1].tolist() == [[56.0, 57.0]]


def test_equal_after_pickling_and_read_only():
    again = pickle.loads(pickle.dumps(NETWORK))
    assert again == NETWORK
    assert hash(again) == hash(NETWORK)
    assert again != replace(NETWORK, shift=NETWORK.shift + 1e-16 + 1e-9)
    with pytest.raises(ValueError, match="read-only"):
        again.parameters[0, 0] = 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": (3,)}, r"expected sizes of at least one layer, the last of one node, got \(3,\)"),
        ({"sizes": (3, 4, 2, 2)}, "the last of one node"),
        ({"sizes": (3, 4.5, 2, 1)}, "expected sizes to be an integer, got 4.5"),
        ({"sizes": (3, 0, 2, 1)}, "expected sizes between 1 and 4096, got 0"),
        ({"activations": ("tanh", "linear")}, "expected activations of 3 layers, got 2"),
        ({"activations": ("tanh", "gelu", "linear")}, "expected activations among linear, .*, got 'gelu'"),
        ({"parameters": np.zeros(29)}, r"expected parameters of shape \(E, 29\), got \(29,\)"),
        ({"parameters": np.zeros((0, 29))}, r"expected parameters of shape \(E, 29\), got \(0, 29\)"),
        ({"parameters": np.zeros((2, 28))}, r"expected parameters of shape \(2, 29\), got \(2, 28\)"),
        ({"parameters": np.full((2, 29), np.nan)}, "expected parameters to be finite, got nan"),
        ({"shift": np.zeros((1, 3))}, r"expected shift of shape \(2, 3\), got \(1, 3\)"),
        ({"scale": np.ones((2, 4))}, r"expected scale of shape \(2, 3\), got \(2, 4\)"),
        ({"scale": np.zeros((2, 3))}, "expected scale not to be zero"),
    ],
)
def test_what_has_no_meaning_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(NETWORK, **change)


def test_one_node_is_a_network():
    network = Network((2, 1), ("linear",), [[1.0, 2.0, 3.0]], [[0.0, 0.0]], [[1.0, 1.0]])
    assert network.layers()[0][0].tolist() == [[[2.0, 3.0]]]
