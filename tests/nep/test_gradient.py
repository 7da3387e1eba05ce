"""Derivatives of energies, forces and strains with respect to all parameters: finite differences, threads, order."""

from dataclasses import replace

import numpy as np
import pytest
from support.nep_frames import scattered
from support.nep_models import synthetic_nep_models

from ase_mlips.engine.neighbors import NeighborList
from ase_mlips.fit.protocols import Slopes
from ase_mlips.nep.gradient import NepGradient
from ase_mlips.nep.kernels_training import accumulate
from ase_mlips.nep.neighborhoods import neighborhood
from ase_mlips.nep.potential import NepPotential

MODELS = (
    "nep4_one", "nep4", "nep3", "nep5", "all_invariants", "all_invariants_one", "l0", "l1", "l2", "l8", "per_type",
    "long_radial", "equal_cutoffs", "typewise", "basis_below_n", "smallest", "n12",
)  # fmt: skip
SIZES = ((5, True), (1, True), (17, True), (6, False))
LABELS = {"energies": (1.0, 0.0, 0.0), "forces": (0.0, 1.0, 0.0), "strains": (0.0, 0.0, 1.0), "all": (1.0, 1.0, 1.0)}


def case(name):
    """A model without repulsion, its evaluation and frames of several sizes."""
    model = replace(synthetic_nep_models()[name], zbl=None)
    gradient = NepGradient(model)
    atoms = [scattered(model.elements, n, count=count, pbc=pbc) for n, (count, pbc) in enumerate(SIZES)]
    return model, gradient, atoms, [near(model, gradient, own) for own in atoms]


def near(model, gradient, atoms):
    species = np.array([model.elements.index(symbol) for symbol in atoms.symbols], np.int32)
    return neighborhood(NeighborList(gradient.cutoff, skin=0.0), atoms, species, len(model.elements))


def random_slopes(frames, factors=LABELS["all"]):
    rng = np.random.default_rng(3)
    forces = [factors[1] * rng.normal(size=(len(frame.species), 3)) for frame in frames]
    strains = rng.normal(size=(len(frames), 3, 3))
    return Slopes(factors[0] * rng.normal(size=len(frames)), forces, factors[2] * (strains + strains.swapaxes(1, 2)))


def parts(vector):
    """Places of each kind of parameter in the first network and behind the networks."""
    inner, hidden = vector._hidden * vector._inputs, vector._hidden
    edges = [0, inner, inner + hidden, inner + 2 * hidden]
    found = {name: slice(*edges[n : n + 2]) for n, name in enumerate(("w0", "b0", "w1"))}
    found |= {"bias": slice(vector.bias, vector.bias + 1), "radial": slice(vector._radial, vector._angular)}
    return found | {"angular": slice(vector._angular, vector.size), "all": slice(0, vector.size)}


@pytest.mark.parametrize("factors", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_those_of_differences(name, factors):
    model, gradient, _, frames = case(name)
    slopes, parameters = random_slopes(frames, factors), gradient.vector.of(model)

    def phi(at):
        found = gradient.evaluate(at, frames)
        forces = sum(float(np.sum(a * b)) for a, b in zip(found.forces, slopes.forces, strict=True))
        return found.energies @ slopes.energies + forces + np.sum(found.strains * slopes.strains)

    analytic = gradient.evaluate(parameters, frames).gradient(slopes)
    assert np.any(analytic != 0.0)
    rng = np.random.default_rng(4)
    for kind, places in parts(gradient.vector).items():
        direction = np.zeros_like(parameters)
        direction[0, places] = rng.normal(size=places.stop - places.start)
        h = 3e-5
        ahead, behind, further, back = (phi(parameters + step * h * direction) for step in (1, -1, 2, -2))
        expected = (8.0 * (ahead - behind) - (further - back)) / (12.0 * h)
        scale = np.linalg.norm(analytic[0, places]) * np.linalg.norm(direction)
        assert np.sum(analytic * direction) == pytest.approx(expected, abs=1e-7 * scale + 1e-9), kind


@pytest.mark.parametrize("name", ["nep4_one", "nep4"])
def test_joined_frames_are_evaluated_as_alone(name):
    model, gradient, atoms, frames = case(name)
    found = gradient.evaluate(gradient.vector.of(model), frames)
    potential, neighbors = NepPotential(model), NeighborList(gradient.cutoff, skin=0.0)
    for n, own in enumerate(atoms):
        neighbors.update(own.positions, own.cell.array, own.pbc)
        alone = potential.evaluate(neighbors, frames[n].species)
        assert found.energies[n] == pytest.approx(alone.energies.sum(), rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(found.forces[n], alone.forces, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(found.strains[n], -alone.virials.sum(axis=0), rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("name", ["nep4_one", "nep4"])
def test_threads_change_no_bit(name):
    model, _gradient, _atoms, frames = case(name)
    many = frames * 12
    slopes = random_slopes(many)
    results = []
    for threads in (1, 2, 3):
        other = NepGradient(model, threads)
        found = other.evaluate(other.vector.of(model), many)
        results.append((found.energies, np.concatenate(found.forces), found.strains, found.gradient(slopes)))
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))
    assert len(accumulate.signatures) <= 1  # none where nothing is compiled


def test_gradients_of_frames_add_up():
    """Nothing leaks from one frame, or from an earlier call, to another."""
    model, gradient, _, frames = case("nep4")
    parameters, slopes = gradient.vector.of(model), random_slopes(frames)
    whole = gradient.evaluate(parameters, frames).gradient(slopes)
    single = [
        gradient.evaluate(parameters, [frame]).gradient(Slopes(*(part[n : n + 1] for part in slopes)))
        for n, frame in enumerate(frames)
    ]
    np.testing.assert_allclose(np.sum(single, axis=0), whole, rtol=1e-10, atol=1e-10 * np.abs(whole).max())


def test_the_vector_holds_the_model():
    for name in ("nep4_one", "nep3", "nep5", "nep4"):
        model = synthetic_nep_models()[name]
        gradient = NepGradient(replace(model, zbl=None))
        assert gradient.vector.model(gradient.vector.of(model)) == replace(model, zbl=None)
