"""Forces from slopes and back, against plain sums."""

import numpy as np
import pytest
from numba.core import config

from ase_mlips.fit.kernels_contraction import pull, push


@pytest.fixture
def pairs():
    generator = np.random.default_rng(0)
    N, P, K = 4, 19, 6
    centers = np.sort(generator.choice([0, 1, 3], P)).astype(np.int32)  # atom 2 is alone
    neighbors = generator.integers(0, N, P).astype(np.int32)  # also images of the centre itself
    return centers, neighbors, generator.normal(size=(P, 3)), generator.normal(size=(P, 3, K)).astype(np.float32)


def test_pull_is_the_chain_rule(pairs):
    centers, neighbors, vectors, gradients = pairs
    slopes = np.random.default_rng(1).normal(size=(4, 6))
    forces, strain = np.zeros((4, 3)), np.zeros((3, 3))
    pull(*pairs, slopes, forces, strain)
    p = np.einsum("pck,pk->pc", gradients, slopes[centers], dtype=float)
    expected = np.zeros((4, 3))
    np.add.at(expected, centers, p)
    np.subtract.at(expected, neighbors, p)
    np.testing.assert_allclose(forces, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(strain, vectors.T @ p, rtol=1e-12, atol=1e-12)


def test_push_is_the_transpose_of_pull(pairs):
    generator = np.random.default_rng(2)
    slopes, by_forces, by_strain = (generator.normal(size=shape) for shape in ((4, 6), (4, 3), (3, 3)))
    forces, strain, directions = np.zeros((4, 3)), np.zeros((3, 3)), np.zeros((4, 6))
    pull(*pairs, slopes, forces, strain)
    push(*pairs, by_forces, by_strain, directions)
    assert np.sum(directions * slopes) == pytest.approx(np.sum(by_forces * forces) + np.sum(by_strain * strain))
    assert not directions[2].any()


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")
def test_arrays_from_a_file_use_the_same_compiled_kernel(pairs, tmp_path):
    test_pull_is_the_chain_rule(pairs)
    pairs[3].tofile(tmp_path / "gradients")
    mapped = np.asarray(np.memmap(tmp_path / "gradients", np.float32, "c")).reshape(pairs[3].shape)
    test_push_is_the_transpose_of_pull((*pairs[:3], mapped))
    test_pull_is_the_chain_rule((*pairs[:3], mapped))
    assert len(pull.signatures) == len(push.signatures) == 1
