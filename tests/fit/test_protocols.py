"""A family that nobody foresaw is fitted by the two protocols alone."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress
from support.labelled import random_cell
from support.pair_family import LinearPairs, PairModel, PairPotential, TrainablePairs

from ase_mlips.engine.neighbors import NeighborList
from ase_mlips.fit import Loss, compare, read_frames
from ase_mlips.fit.committee import train_members
from ase_mlips.fit.equations import fit_linear
from ase_mlips.fit.problem import TrainingProblem, every_frame, training_sets
from ase_mlips.fit.projection import project
from ase_mlips.fit.results import checked_sets
from ase_mlips.fit.sweep import sweep_weights
from ase_mlips.fit.trained import train
from ase_mlips.fit.training import Schedule

TRUTH = PairModel(("Ga", "N"), 4.0, np.array([-3.0, -5.0]), np.array([2.0, -1.5]), np.array([0.5, 0.2]))
LOSS = Loss(10.0, 1.0, 0.1)


def labelled(number):
    atoms = random_cell(TRUTH.elements, number)
    neighbors = NeighborList(TRUTH.cutoff, skin=0.0)
    neighbors.update(atoms.positions, atoms.cell.array, atoms.pbc)
    species = np.array([TRUTH.elements.index(symbol) for symbol in atoms.symbols])
    found = PairPotential(TRUTH).evaluate(neighbors, species)
    stress = full_3x3_to_voigt_6_stress(-found.virials.sum(axis=0) / atoms.get_volume())
    atoms.calc = SinglePointCalculator(atoms, energy=found.energies.sum(), forces=found.forces, stress=stress)
    return atoms


@pytest.fixture(scope="module")
def frames():
    return read_frames([labelled(number) for number in range(12)])


def problem_of(frames, validation=0.25, loss=LOSS):
    sets = training_sets(frames, validation, elements=TRUTH.elements, loss=loss, seed=0)
    return TrainingProblem(TrainablePairs(TRUTH.elements, TRUTH.cutoff, every_frame(sets)), sets, loss)


def test_a_linear_fit_finds_the_truth(frames, tmp_path):
    design = LinearPairs(TRUTH.elements, TRUTH.cutoff, TRUTH.exponents)
    sets = checked_sets(frames[:9], frames[9:], elements=TRUTH.elements, loss=LOSS)
    fit = fit_linear(design, sets, LOSS)
    np.testing.assert_allclose(fit.model.heights, TRUTH.heights, rtol=1e-9)
    np.testing.assert_allclose(fit.model.constants, TRUTH.constants, rtol=1e-9)
    assert max(score.rmse for score in fit.report.scores()) < 1e-9
    fit.save(tmp_path / "pairs.json")
    assert {path.name for path in tmp_path.iterdir()} == {"pairs.json", "pairs.report.json"}
    assert repr(fit).startswith("LinearFit(2 terms; 9 train and 3 test frames; cholesky")


def test_weights_are_swept(frames):
    design = LinearPairs(TRUTH.elements, TRUTH.cutoff, TRUTH.exponents)
    sweep = sweep_weights(design, frames, LOSS, ratios=[0.1, 1.0], splits=2)
    assert sweep.force_mae.max() < 1e-9


def test_the_gradient_is_that_of_the_loss(frames):
    task = problem_of(frames).task(Schedule())
    gradient = task.objective(task.start, task.train).gradient
    for column in range(task.start.size):
        step = np.zeros_like(task.start)
        step[0, column] = 1e-6
        ahead, behind = (task.objective(task.start + s * step, task.train, gradient=False).loss for s in (1, -1))
        assert gradient[0, column] == pytest.approx((ahead - behind) / 2e-6, rel=1e-5, abs=1e-5)


def test_a_training_learns_and_resumes(frames, tmp_path):
    problem = problem_of(frames)
    settings = Schedule(epochs=5, learning_rate=0.02, lbfgs_steps=60, checkpoint=tmp_path / "state.npz")
    fit = train(problem, settings, test=frames[:2])
    assert fit.history["validation"].min() < 0.2 * fit.history["validation"][0]
    again = train(problem, settings, test=frames[:2])  # all from the checkpoint
    np.testing.assert_array_equal(again.model.exponents, fit.model.exponents)
    assert repr(fit).startswith("TrainedFit(2 terms; 9 train and 3 validation and 2 test frames; ")


def test_a_committee_of_any_family(frames):
    problem = problem_of(frames)
    with pytest.warns(UserWarning, match="the best model has a loss"):
        members = train_members(problem, 2, Schedule(epochs=1, seed=4))
    assert [member.training.seed for member in members] == [4, 5]
    assert members[0].model.heights.tolist() != members[1].model.heights.tolist()


def test_linear_parameters_are_solved_for_inside(frames):
    """The partial derivatives at the solution are the gradient of the least loss."""
    problem = problem_of(frames, validation=0.0)
    task, first = problem.task(Schedule()), len(TRUTH.elements) + 2

    def least(parameters):
        return project(problem.family, frames, LOSS, parameters)

    start = task.start + 0.0
    start[0, first:] = [0.4, 0.3]
    gradient = task.objective.total(least(start), task.train).gradient[0]
    largest = np.abs(gradient[first:]).max()
    assert np.abs(gradient[:first]).max() < 1e-7 * largest
    for column in range(first, start.size):
        step = np.zeros_like(start)
        step[0, column] = 1e-5
        ahead, behind = (task.objective.total(least(start + s * step), task.train).loss for s in (1, -1))
        assert gradient[column] == pytest.approx((ahead - behind) / 2e-5, rel=1e-5, abs=1e-6 * largest)


@pytest.mark.parametrize("weights", [(2.0, 1.0), (1.0, 9.0), (0.5, 4.0)])
def test_weights_of_frames_multiply_those_of_the_loss(frames, weights):
    """As in GPUMD, one factor of the residuals and one of the square of the energy's."""
    weighted = [replace(frames[1], weight=weights[0], energy_weight=weights[1])]
    task, plain = (problem_of(own, validation=0.0).task(Schedule()) for own in (weighted, frames[1:2]))
    found = task.objective(plain.start, [0]).loss
    terms = {
        name: np.sum((getattr(LOSS, name) * values) ** 2)
        for name, values in plain.objective(plain.start, [0]).residuals.items()
    }
    expected = weights[0] ** 2 * (weights[1] * terms["energy"] + terms["force"] + terms["stress"])
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_linear_fit_weighs_frames(frames):
    """A frame of weight 2 counts as much as four of weight 1."""
    design = LinearPairs(TRUTH.elements, TRUTH.cutoff, np.array([0.3]))
    heavy = [replace(frames[1], weight=2.0), *frames[2:6]]
    copies = [frames[1]] * 4 + list(frames[2:6])
    found, expected = (fit_linear(design, {"train": own}, LOSS).model for own in (heavy, copies))
    np.testing.assert_allclose(found.heights, expected.heights, rtol=1e-10)


def test_reports_know_any_potential(frames):
    report = compare(PairPotential(TRUTH), {"all": frames})
    assert max(score.largest for score in report.scores()) < 1e-9


def test_protocols_load_no_family():
    code = (
        "import sys, ase_mlips.fit, ase_mlips.fit.trained; "
        "print([name for name in sys.modules if name.startswith('ase_mlips') and name.endswith('.fitting')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
