"""The loss of networks and its gradient: differences, and the oracle's energies, forces and stresses."""

from dataclasses import replace

import numpy as np
import pytest
from ase.stress import full_3x3_to_voigt_6_stress
from ase.units import GPa
from support import snap_oracle
from support.labelled import labelled_cells, random_model

from ase_mlips.fit import Loss, Training, read_frames
from ase_mlips.fit.report import labels_of
from ase_mlips.heads.network import ACTIVATIONS
from ase_mlips.snap.fitting import NetworkProblem

TERMS = {"energy": Loss(3.0, 0.0, 0.0), "force": Loss(0.0, 2.0, 0.0), "stress": Loss(0.0, 0.0, 0.7), "all": Loss()}
KINDS = {
    "one element": (("Ga",), {}, False),
    "two elements": (("Ga", "N"), {}, False),
    "shared": (("Ga", "N"), {}, True),
    "chem": (("Ga", "N"), {"chemflag": True, "twojmax": 1}, False),
    "zbl": (("Ga", "N"), {"zbl": True}, False),
}


def problem_of(kind="two elements", *, loss=None, activation="tanh", frames=4, **settings):
    elements, flags, shared = KINDS[kind]
    model = random_model(elements, **flags)
    labelled = read_frames(labelled_cells(model, frames))
    training = Training(hidden=(5, 4), activation=activation, shared=shared, **settings)
    return NetworkProblem(model, labelled, validation=0.0, loss=loss or Loss(), training=training), training


def assert_gradient(task):
    """The derivatives along random directions in the space of the parameters."""
    generator = np.random.default_rng(5)
    start = task.start + 0.3 * generator.normal(size=task.start.shape)
    gradient = task.objective(start, task.train).gradient
    assert np.all(np.any(gradient != 0.0, axis=1))
    for direction in generator.normal(size=(4, *start.shape)):
        h = 1e-5
        ahead, behind = (task.objective(start + s * h * direction, task.train, gradient=False).loss for s in (1, -1))
        slope = (ahead - behind) / (2 * h)
        assert np.sum(gradient * direction) == pytest.approx(slope, rel=1e-6, abs=1e-6 * np.linalg.norm(gradient))


@pytest.mark.parametrize("loss", TERMS.values(), ids=TERMS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_for_each_activation(loss, activation):
    problem, training = problem_of(loss=loss, activation=activation)
    assert_gradient(problem.task(training))


@pytest.mark.parametrize("loss", TERMS.values(), ids=TERMS)
@pytest.mark.parametrize("kind", KINDS)
def test_gradient_for_each_kind_of_network(loss, kind):
    problem, training = problem_of(kind, loss=loss)
    assert_gradient(problem.task(training))


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_those_of_the_model(kind):
    """Single precision of the stored gradients is all that is between them."""
    problem, training = problem_of(kind)
    task = problem.task(training)
    residuals = task.objective(task.start, task.train).residuals
    model = problem.model(task.start)
    expected = {quantity: [] for quantity in residuals}
    for frame in problem.sets["train"]:
        atoms, labels = frame.atoms, labels_of(frame)
        species = [model.elements.index(symbol) for symbol in atoms.symbols]
        found = snap_oracle.evaluate(model, species, atoms.positions, atoms.cell.array, atoms.pbc)
        stress = full_3x3_to_voigt_6_stress(-found.virials.sum(axis=0)) / atoms.get_volume() / GPa
        expected["energy"].append([found.energies.mean() - labels["energy"][0]])
        expected["force"].append(found.forces.ravel() - labels["force"])
        expected["stress"].append(stress - labels["stress"])
    for quantity, parts in expected.items():
        np.testing.assert_allclose(residuals[quantity], np.concatenate(parts), rtol=1e-6, atol=1e-5, err_msg=quantity)


@pytest.mark.parametrize("kind", ["two elements", "shared", "chem"])
def test_forces_are_minus_the_slope_of_the_energy(kind):
    problem, training = problem_of(kind, loss=Loss())
    task = problem.task(training)
    model = problem.model(task.start)
    atoms, labels = problem.sets["train"][1].atoms, labels_of(problem.sets["train"][1])
    species = [model.elements.index(symbol) for symbol in atoms.symbols]

    def energy(positions):
        return snap_oracle.evaluate(model, species, positions, atoms.cell.array, atoms.pbc).energies.sum()

    h, slopes = 1e-6, np.empty(atoms.positions.shape)
    for n, c in np.ndindex(slopes.shape):
        step = np.zeros_like(slopes)
        step[n, c] = h
        slopes[n, c] = (energy(atoms.positions + step) - energy(atoms.positions - step)) / (2 * h)
    forces = task.objective(task.start, [1]).residuals["force"] + labels["force"]
    np.testing.assert_allclose(forces.reshape(-1, 3), -slopes, rtol=1e-6, atol=1e-5)


def test_loss_is_the_weighted_sum_of_squares():
    loss = Loss(7.0, 2.0, 0.3, groups={"odd": (1.0, 0.5, 4.0)})
    problem, training = problem_of(loss=loss)
    task = problem.task(training)
    expected = 0.0
    for number, frame in enumerate(problem.sets["train"]):
        for quantity, values in task.objective(task.start, [number]).residuals.items():
            expected += np.sum((loss.weight(frame.group, quantity) * values) ** 2)
    assert task.objective(task.start, task.train).loss == pytest.approx(expected, rel=1e-12)


def test_many_frames_are_the_sum_of_few():
    problem, training = problem_of(frames=35)
    task = problem.task(training)
    whole, parts = (function(task.start, task.train) for function in (task.objective, task.objective.total))
    assert parts.loss == pytest.approx(whole.loss, rel=1e-12)
    np.testing.assert_allclose(parts.gradient, whole.gradient, rtol=1e-9, atol=1e-9)
    for quantity, values in whole.residuals.items():
        np.testing.assert_allclose(parts.residuals[quantity], values, rtol=1e-9, atol=1e-12)


def test_a_constant_descriptor_is_not_blown_up():
    """The first descriptor of twojmax 0 with all weights zero is that of an isolated atom in every frame."""
    model = replace(random_model(("Ga",), twojmax=0), weights=np.zeros(1))
    frames = read_frames(labelled_cells(model, 3))
    training = Training(hidden=(2,))
    problem = NetworkProblem(model, frames, validation=0.0, loss=Loss(), training=training)
    assert problem.model(problem.task(training).start).network.scale.tolist() == [[1.0]]


def test_the_first_constants_fit_the_energies():
    model = random_model()
    frames = [
        replace(frame, energy=float(sum({"Ga": -3.0, "N": -7.0}[s] for s in frame.atoms.symbols)))
        for frame in read_frames(labelled_cells(model, 6))
    ]
    for shared, expected in ((False, [-3.0, -7.0]), (True, [np.mean([f.energy / len(f.atoms) for f in frames])])):
        training = Training(hidden=(3,), shared=shared)
        problem = NetworkProblem(model, frames, validation=0.0, loss=Loss(), training=training)
        _, biases = problem.model(problem.task(training).start).network.layers()[-1]
        np.testing.assert_allclose(biases[:, 0], expected, rtol=1e-9)
