"""Networks, their slopes and the gradient of both, against differences."""

import numpy as np
import pytest

from ase_mlips.fit.backpropagation import FUNCTIONS, Pass
from ase_mlips.heads.network import ACTIVATIONS, split_layers

SIZES = (4, 6, 5, 1)
P = 5 * 6 + 7 * 5 + 6


def layers_of(parameters):
    return [(weights[0], biases[0]) for weights, biases in split_layers(parameters[None], SIZES)]


def plain(parameters, activation, x):
    """Energies by the definition."""
    functions = {
        "linear": lambda z: z,
        "sigmoid": lambda z: 1.0 / (1.0 + np.exp(-z)),
        "tanh": np.tanh,
        "relu": lambda z: np.maximum(z, 0.0),
        "softplus": lambda z: np.log(1.0 + np.exp(z)),
    }
    for weights, biases in layers_of(parameters)[:-1]:
        x = functions[activation](x @ weights.T + biases)
    weights, biases = layers_of(parameters)[-1]
    return (x @ weights.T + biases)[:, 0]


@pytest.fixture
def case():
    """Parameters, inputs, weights of the energies and directions of the slopes."""
    generator = np.random.default_rng(3)
    return [generator.normal(size=shape) for shape in (P, (7, 4), 7, (7, 4))]


def activations(name):
    return name, name, "linear"


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_energies_and_slopes(name, case):
    parameters, x, _, directions = case
    found = Pass(layers_of(parameters), activations(name), x)
    np.testing.assert_allclose(found.energies, plain(parameters, name, x), rtol=1e-12)
    h = 1e-6
    along = (plain(parameters, name, x + h * directions) - plain(parameters, name, x - h * directions)) / (2 * h)
    np.testing.assert_allclose(np.sum(found.slopes * directions, axis=1), along, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("what", ["energies", "slopes", "both"])
def test_gradient_of_energies_and_slopes(name, what, case):
    parameters, x, weights, directions = case
    weights, directions = weights * (what != "slopes"), directions * (what != "energies")

    def value(parameters):
        found = Pass(layers_of(parameters), activations(name), x)
        return weights @ found.energies + np.sum(directions * found.slopes)

    found = Pass(layers_of(parameters), activations(name), x).gradient(weights, directions)
    gradient = np.concatenate([np.column_stack([b, w]).ravel() for w, b in found])
    h = 1e-5
    expected = [(value(parameters + h * e) - value(parameters - h * e)) / (2 * h) for e in np.eye(P)]
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_large_inputs_do_not_overflow(name):
    z = np.array([[-800.0, 800.0]])
    value, slope, curvature = FUNCTIONS[name](z)
    assert np.all(np.isfinite([value, slope, curvature]))
    assert value[0, 1] == (800.0 if name in ("linear", "relu", "softplus") else 1.0)


def test_one_layer_alone_is_linear():
    generator = np.random.default_rng(0)
    weights, biases, x = generator.normal(size=(1, 3)), generator.normal(size=1), generator.normal(size=(4, 3))
    found = Pass([(weights, biases)], ["linear"], x)
    np.testing.assert_allclose(found.energies, x @ weights[0] + biases)
    np.testing.assert_allclose(found.slopes, np.repeat(weights, 4, axis=0))
    ((by_weights, by_biases),) = found.gradient(np.ones(4), x)
    np.testing.assert_allclose(by_weights[0], 2 * x.sum(axis=0))
    assert by_biases == 4.0
