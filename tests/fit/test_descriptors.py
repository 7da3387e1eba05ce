"""Gradients in memory, in a file and computed again are the same."""

import numpy as np
import pytest
from support.labelled import labelled_cells, random_model

from ase_mlips.engine.neighbors import NeighborList
from ase_mlips.fit import read_frames
from ase_mlips.fit.descriptors import DescribedFrames
from ase_mlips.snap.potential import SnapPotential


@pytest.fixture(scope="module")
def model():
    return random_model(chemflag=True)


@pytest.fixture(scope="module")
def frames(model):
    return read_frames(labelled_cells(model, 5))


def exact(model, frame):
    """Descriptors and gradients of one frame in double precision."""
    potential = SnapPotential(model)
    neighbors = NeighborList(potential.cutoff, skin=0.0)
    neighbors.update(frame.atoms.positions, frame.atoms.cell.array, frame.atoms.pbc)
    species = np.array([model.elements.index(symbol) for symbol in frame.atoms.symbols], dtype=np.int32)
    return potential.descriptor_gradients(neighbors, species)


@pytest.mark.parametrize("kept", [None, np.array([0, 3, 4])], ids=["all", "some"])
@pytest.mark.parametrize("in_memory", [0, 2, 5])
@pytest.mark.parametrize("in_file", [0, 2, 5])
def test_descriptors_and_pairs_are_those_of_the_potential(model, frames, kept, in_memory, in_file):
    sizes = [
        exact(model, frame).gradients[..., kept if kept is not None else slice(None)].size * 4e-9 for frame in frames
    ]
    memory = 1.01 * sum(sorted(sizes)[:in_memory])
    data = DescribedFrames(SnapPotential(model), frames, kept=kept, memory=memory, disk=1.01 * max(sizes) * in_file)
    assert len(data) == len(frames)
    columns = slice(None) if kept is None else kept
    for number in (3, 0, 0, 4, 1, 2):
        expected, found = exact(model, frames[number]), data.pairs(number)
        assert found.gradients.dtype == np.float32
        assert found.gradients.flags.c_contiguous
        for name in ("centers", "neighbors", "vectors"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        np.testing.assert_array_equal(found.gradients, expected.gradients[..., columns].astype(np.float32))
        atoms = slice(data.start[number], data.start[number + 1])
        np.testing.assert_array_equal(data.descriptors[atoms], expected.descriptors[:, columns])


def test_gradients_are_kept_within_the_bounds(model, frames, monkeypatch):
    """What has no room is computed at every use, the rest never again."""
    sizes = [exact(model, frame).gradients.size * 4e-9 for frame in frames]
    data = DescribedFrames(SnapPotential(model), frames, memory=sizes[0] + sizes[1], disk=sizes[2] + sizes[3])
    computed = []
    describe = DescribedFrames._describe
    monkeypatch.setattr(DescribedFrames, "_describe", lambda self, n: computed.append(n) or describe(self, n))
    kinds = [type(data.pairs(number).gradients.base) for number in range(5)]
    assert computed == [number for number in range(5) if data._pairs[number] is None]
    held = [number for number in range(5) if number not in computed]
    filed = [number for number in held if kinds[number] is not type(None)]
    assert sum(sizes[number] for number in set(held) - set(filed)) <= sizes[0] + sizes[1]
    assert 0.0 < sum(sizes[number] for number in filed) <= sizes[2] + sizes[3]


def test_elements_are_checked(frames):
    with pytest.raises(ValueError, match=r"input, frame \d+: N not among the model's elements Ga"):
        DescribedFrames(SnapPotential(random_model(("Ga",))), frames)
