"""Training of NEP models of dipoles and polarizabilities: values, gradients, what is learned and written."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from ase.stress import full_3x3_to_voigt_6_stress
from support.nep_frames import responding, scattered, teacher
from support.nep_models import synthetic_nep_models

from ase_mlips.engine.neighbors import NeighborList
from ase_mlips.fit import NepSettings, NepTraining, RmseLoss, fit_nep, read_frames
from ase_mlips.fit.gpumd_files import write_response_files
from ase_mlips.fit.protocols import Slopes
from ase_mlips.nep.files import read_nep, write_nep
from ase_mlips.nep.fitting import NepProblem
from ase_mlips.nep.fitting_responses import predicted_response, response_report, response_rows
from ase_mlips.nep.neighborhoods import neighborhood
from ase_mlips.nep.potential import NepPotential
from ase_mlips.nep.responses import gradient_of

MODELS = ("dipole_nep3", "dipole", "polarizability_nep3", "polarizability")
SHAPE = {"cutoff": (4.5, 4.0), "n_max": (2, 2), "basis_size": (3, 3), "l_max": 2, "neuron": 4}


def case(name, threads=1):
    """A model, what trains it, and frames of several sizes with their neighbours."""
    model = replace(synthetic_nep_models()[name], zbl=None)
    gradient, potential = gradient_of(model, threads), NepPotential(model)
    atoms = [scattered(model.elements, n, count=count, pbc=count != 6) for n, count in enumerate((5, 1, 17, 6))]
    neighbors, types = NeighborList(potential.cutoff, skin=0.0), len(model.elements)
    index = {symbol: n for n, symbol in enumerate(model.elements)}
    species = [np.array([index[symbol] for symbol in own.symbols], np.int32) for own in atoms]
    frames = [neighborhood(neighbors, own, kinds, types) for own, kinds in zip(atoms, species, strict=True)]
    return model, gradient, atoms, frames


def slopes_of(gradient, frames, kind):
    rng = np.random.default_rng(3)
    strains = rng.normal(size=(len(frames), 3, 3))
    strains = strains + strains.swapaxes(1, 2) if kind == "polarizability" else strains * np.eye(3)
    return Slopes(np.zeros(len(frames)), [np.zeros((len(frame.species), 3)) for frame in frames], strains)


@pytest.mark.parametrize("name", MODELS)
def test_responses_are_those_of_the_model(name):
    model, gradient, atoms, frames = case(name)
    found = gradient.evaluate(gradient.vector.of(model), frames).strains
    assert gradient.vector.model(gradient.vector.of(model)) == model
    potential, neighbors = NepPotential(model), NeighborList(NepPotential(model).cutoff, skin=0.0)
    for own, frame, tensor in zip(atoms, frames, found, strict=True):
        neighbors.update(own.positions, own.cell.array, own.pbc)
        if model.kind == "dipole":
            expected = np.diag(potential.dipole(neighbors, frame.species))
        else:
            whole = potential.polarizability(neighbors, frame.species)
            expected = 0.5 * (whole + whole.T)
        np.testing.assert_allclose(tensor, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_those_of_differences(name):
    model, gradient, _, frames = case(name)
    slopes, parameters = slopes_of(gradient, frames, model.kind), gradient.vector.of(model)

    def phi(at):
        return np.sum(gradient.evaluate(at, frames).strains * slopes.strains)

    analytic = gradient.evaluate(parameters, frames).gradient(slopes)
    rng, h = np.random.default_rng(4), 3e-5
    networks = gradient.vector.size - model.radial.size - model.angular.size
    edges = [0, networks // 2, networks, networks + model.radial.size, gradient.vector.size]
    for first, last in pairwise(edges):
        direction = np.zeros_like(parameters)
        direction[0, first:last] = rng.normal(size=last - first)
        ahead, behind, further, back = (phi(parameters + step * h * direction) for step in (1, -1, 2, -2))
        expected = (8.0 * (ahead - behind) - (further - back)) / (12.0 * h)
        scale = np.linalg.norm(analytic[0, first:last]) * np.linalg.norm(direction)
        assert scale > 0.0
        assert np.sum(analytic * direction) == pytest.approx(expected, abs=1e-7 * scale), (first, last)


@pytest.mark.parametrize("name", ["dipole", "polarizability"])
def test_threads_change_no_bit(name):
    results = []
    for threads in (1, 2):
        model, gradient, _, frames = case(name, threads)
        found = gradient.evaluate(gradient.vector.of(model), frames * 12)
        results.append((found.strains, found.gradient(slopes_of(gradient, frames * 12, model.kind))))
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("kind", ["dipole", "polarizability"])
def test_a_teacher_is_recovered(kind):
    model = teacher(("Si",), kind=kind, invariants=())
    frames = read_frames(responding(model, 40))
    settings = NepSettings(("Si",), **SHAPE, invariants=(), model_type=("dipole", "polarizability").index(kind) + 1)
    training = NepTraining(epochs=60, learning_rate=2e-2, lbfgs_steps=200)
    fit = fit_nep(settings, frames[:30], validation=frames[30:35], test=frames[35:], training=training)
    for name in ("train", "test"):
        parity = fit.report.parity(name, kind)
        assert parity.score().rmse < (0.1 if name == "train" else 0.3) * np.std(parity.reference), name
    best = int(np.argmin(fit.history["validation"]))
    assert fit.history["stress_rmse"][best] == pytest.approx(fit.report.parity("validation", kind).score().rmse)
    assert fit.model.kind == kind
    assert len(fit.plot().axes) == 2


def test_a_model_is_trained_further_and_written(tmp_path):
    model = teacher(kind="dipole")
    write_nep(tmp_path / "nep.txt", model)
    own = read_frames(responding(model, 6))
    training = NepTraining(epochs=1, learning_rate=1e-6, final_learning_rate=1e-6)
    fit = fit_nep(tmp_path / "nep.txt", own, validation=0.0, training=training)
    assert fit.report.parity("train", "dipole").score().rmse < 1e-3
    fit.save(tmp_path / "two.txt")
    assert read_nep(tmp_path / "two.txt") == fit.model


@pytest.mark.parametrize("kind", ["dipole", "polarizability"])
def test_the_gradient_is_that_of_the_loss(kind):
    model = teacher(kind=kind)
    frames = read_frames(responding(model, 5))
    frames[1] = replace(frames[1], dipole=None, polarizability=None)
    frames[2] = replace(frames[2], weight=2.0)
    template = NepSettings(("Te", "Pb"), **SHAPE, model_type=("dipole", "polarizability").index(kind) + 1).template()
    training = NepTraining()
    problem = NepProblem(template, frames, validation=0.0, loss=RmseLoss(shear=1.5), training=training)
    task = problem.task(training)
    task.objective.balance(task.start, task.train)
    whole = task.objective.total(task.start, task.train)
    count = 4 * (3 if kind == "dipole" else 6)
    assert whole.squares()[1].tolist() == [0.0, 0.0, count]
    direction = np.random.default_rng(0).normal(size=task.start.shape)
    h = 1e-5
    ahead, behind = (task.objective.total(task.start + s * h * direction, task.train).loss for s in (1.0, -1.0))
    scale = np.linalg.norm(whole.gradient) * np.linalg.norm(direction)
    assert np.sum(whole.gradient * direction) == pytest.approx((ahead - behind) / (2.0 * h), abs=1e-7 * scale)


def test_files_of_gpumd(tmp_path):
    model = teacher(kind="polarizability")
    frames = read_frames(responding(model, 3))
    frames[1] = replace(frames[1], polarizability=None)
    potential = NepPotential(model)
    names = ("loss", "first_penalty", "second_penalty", "train_stress_rmse", "stress_rmse")
    history = {name: np.full(2, n + 0.5) for n, name in enumerate(names)}
    write_response_files(tmp_path, "polarizability", {"train": response_rows(potential, frames)}, history)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "loss.out"), [[n, 0.5, 1.5, 2.5, 3.5, 4.5] for n in (1, 2)])
    rows = np.loadtxt(tmp_path / "polarizability_train.out")
    assert rows.shape == (3, 12)
    assert np.all(rows[1, 6:] == -1e6)
    np.testing.assert_allclose(rows[0, :6], rows[0, 6:], rtol=1e-6)
    tensor = frames[0].polarizability / len(frames[0].atoms)
    np.testing.assert_allclose(rows[0, 6:], tensor[[0, 1, 2, 0, 1, 2], [0, 1, 2, 1, 2, 0]], rtol=1e-6)
    report = response_report(potential, {"train": frames})
    assert report.parity("train", "polarizability").score().largest < 1e-10
    neighbors = NeighborList(potential.cutoff, skin=0.0)
    own = predicted_response(potential, frames[0], neighbors)
    np.testing.assert_allclose(own, full_3x3_to_voigt_6_stress(frames[0].polarizability), rtol=1e-10)


def test_frames_without_the_label_are_refused():
    frames = read_frames(responding(teacher(kind="dipole"), 3))
    with pytest.raises(ValueError, match=r"frame 0 and all other frames: expected a polarizability \(pol=\), got none"):
        fit_nep(NepSettings(("Te", "Pb"), **SHAPE, model_type=2), frames)
