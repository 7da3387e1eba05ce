"""Loss and gradient of synthetic frames, whose descriptors nobody computed, against PyTorch."""

import json
from itertools import pairwise

import numpy as np
import pytest
from reference.network.make import ACTIVATIONS, FILE, SIZES, inputs

from ase_mlips.fit.descriptors import Pairs
from ase_mlips.fit.networks import DescriptorNetworks
from ase_mlips.fit.objective import Objective, Target
from ase_mlips.heads.network import Network


class Given:
    """Frames as `DescribedFrames` has them."""

    def __init__(self, frames):
        self._frames = frames
        self.descriptors = np.concatenate([frame.descriptors for frame in frames])
        self.species = np.concatenate([frame.species for frame in frames])
        self.start = np.cumsum([0, *(len(frame.species) for frame in frames)])

    def pairs(self, number):
        frame = self._frames[number]
        return Pairs(frame.centers, frame.neighbors, frame.vectors, frame.gradients)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("networks", [1, 2])
def test_loss_and_gradient(activation, networks):
    frames, parameters, shift, scale = inputs(networks)
    functions = (*[activation] * (len(list(pairwise(SIZES))) - 1), "linear")
    targets = [Target(frame.labels, frame.weights, frame.volume) for frame in frames]
    model = DescriptorNetworks(Given(frames), Network(SIZES, functions, parameters, shift, scale))
    objective = Objective(model, targets)
    found = objective(parameters, [0, 1])
    expected = json.loads(FILE.read_text())[f"{activation} {networks}"]
    assert found.loss == pytest.approx(expected["loss"], rel=1e-12)
    largest = np.abs(expected["gradient"]).max()
    np.testing.assert_allclose(found.gradient, expected["gradient"], rtol=1e-10, atol=1e-12 * largest)
