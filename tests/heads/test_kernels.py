"""Compiled heads against the oracle; run with and without compilation (NUMBA_DISABLE_JIT=1)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core import config
from support import network_oracle
from support.synthetic_networks import random_network

from ase_mlips.engine.jit import kernel
from ase_mlips.engine.simd import W, ptr, store
from ase_mlips.heads import kernels, tables
from ase_mlips.heads.network import ACTIVATIONS

EXAMPLES = 5 if config.DISABLE_JIT else 100


@kernel
def run(spec, weights, types, b, beta, work, out):
    store(ptr(out), 0, kernels.network(ptr(spec), ptr(weights), ptr(types), ptr(b), ptr(beta), ptr(work)))


def evaluate(network, descriptors, species):
    """Energies (8,) and dU/dB (8, K) of eight atoms."""
    packed = tables.pack_network(network)
    K = network.sizes[0]
    beta, out = np.full((K + W, W), np.nan), np.full(W, np.nan)
    work = np.full(packed.work * W, np.nan)
    run(packed.spec, packed.weights.ravel(), species.astype(float), descriptors.T.copy(), beta, work, out)
    return out, beta[:K].T


def compare(network, descriptors, species):
    energies, gradients = evaluate(network, descriptors, species)
    expected, slopes = network_oracle.energies_and_gradients(network, descriptors, species)
    np.testing.assert_allclose(energies, expected, rtol=0, atol=1e-12 * max(1.0, np.abs(expected).max()))
    np.testing.assert_allclose(gradients, slopes, rtol=0, atol=1e-12 * max(1.0, np.abs(slopes).max()))


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 35), min_size=1, max_size=4).map(lambda sizes: (*sizes, 1)),
    data=st.data(),
    count=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_random_networks(sizes, data, count, seed):
    activations = data.draw(st.tuples(*[st.sampled_from(ACTIVATIONS)] * (len(sizes) - 1)))
    network = random_network(sizes, activations, count=count, seed=seed)
    rng = np.random.default_rng(seed)
    compare(network, rng.normal(scale=3.0, size=(W, sizes[0])), rng.integers(0, count, W))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_usual_size(activation):
    network = random_network((55, 32, 32, 1), (activation, activation, "linear"), count=1)
    compare(network, np.random.default_rng(0).normal(size=(W, 55)), np.zeros(W, int))


def test_linear_layers_are_merged():
    network = random_network((6, 6, 5, 3, 1), ("linear", "tanh", "linear", "softplus"), count=2)
    packed = tables.pack_network(network)
    assert packed.spec[2] == 2
    compare(network, np.random.default_rng(0).normal(size=(W, 6)), np.arange(W) % 2)


def test_lanes_of_one_type_do_not_see_the_networks_of_others():
    network = random_network((4, 3, 1), ("tanh", "linear"), count=3)
    descriptors = np.random.default_rng(0).normal(size=(W, 4))
    for kind in range(3):
        mixed = evaluate(network, descriptors, np.arange(W) % 3)
        alone = evaluate(network, descriptors, np.full(W, kind))
        for a, b in zip(mixed, alone, strict=True):
            np.testing.assert_array_equal(a[kind::3], b[kind::3])
