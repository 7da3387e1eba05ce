"""The loss of MTP and its gradient: finite differences, MLIP's formula, threads, the protocols of all families."""

from dataclasses import replace

import numpy as np
import pytest
from support.mtp_frames import labelled_by, structures
from support.mtp_models import synthetic_mtp_model

from ase_mlips import MTP
from ase_mlips.fit import Loss
from ase_mlips.fit.objective import Objective, target_of
from ase_mlips.fit.quasi_newton import Descent, Point
from ase_mlips.mtp.fitting import MtpLosses
from ase_mlips.mtp.linear import block, solved
from ase_mlips.mtp.loss import MlipLoss
from ase_mlips.mtp.trainable import TrainableMtp
from ase_mlips.mtp.training import FrameLoss, ParametricMtp, group, grouped, parameters_of, with_parameters

MODELS = ["l06_taylor", "l08", "l08_plain", "l08_one_function", "l10_repuls", "l12_taylor"]
ONLY = {"energy": (1.0, 0.0, 0.0), "forces": (0.0, 1.0, 0.0), "stress": (0.0, 0.0, 1.0)}


def frame_loss(model, frames, loss=None, **options):
    groups = grouped(frames, model.species, model.max_dist, loss or MlipLoss())
    return FrameLoss(ParametricMtp(model), groups, **options)


def noisy(model, count=3, noise=0.3):
    return labelled_by(model, structures(model.species, count), noise=noise)


def numerical(loss, x, k):
    """Derivative by parameter k: Richardson's extrapolation of central differences."""
    steps = []
    for h in (1e-3, 5e-4):
        move = np.zeros_like(x)
        move[k] = h * max(abs(x[k]), 0.1)
        steps.append((loss.value(x + move) - loss.value(x - move)) / (2.0 * move[k]))
    return (4.0 * steps[1] - steps[0]) / 3.0


@pytest.mark.parametrize("quantity", ONLY)
@pytest.mark.parametrize("name", MODELS)
def test_the_gradient_is_the_one_of_finite_differences(name, quantity):
    model = synthetic_mtp_model(name)
    weights = dict(zip(("energy", "force", "stress"), ONLY[quantity], strict=True))
    loss = frame_loss(model, noisy(model), MlipLoss(**weights))
    x = parameters_of(model)
    value, gradient = loss(x)
    assert value == pytest.approx(loss.value(x), rel=1e-14)
    size, S = model.radial_coefficients.size, len(model.species)
    rng = np.random.default_rng(0)
    places = [*rng.choice(size, 8), *range(size, size + S), *(size + S + rng.choice(len(model.mapping), 3))]
    blocks = np.split(np.abs(gradient), [size, size + S])
    largest = np.repeat([block.max() for block in blocks], [size, S, len(model.mapping)])
    for k in places:
        assert abs(gradient[k] - numerical(loss, x, k)) <= 1e-7 * largest[k] + 1e-12


@pytest.mark.parametrize("scaling", [(1, 0), (0, 0), (2, 1)])
def test_the_loss_is_the_formula_of_mlip(scaling):
    model = synthetic_mtp_model("l08")
    frames = noisy(model, 4)
    frames[1] = replace(frames[1], group="special", weight=2.0)
    loss = MlipLoss(0.7, 0.02, 0.003, {"special": (3.0, 0.1, 0.0)}, *scaling, scale_by_force=0.5)
    other = with_parameters(model, 1.05 * parameters_of(model))
    total = 0.0
    for frame in frames:
        energy, force, stress = loss.groups.get(frame.group, (0.7, 0.02, 0.003))
        atoms, N = frame.atoms.copy(), len(frame.atoms)
        atoms.calc = MTP(other)
        part = energy / N ** scaling[0] * (atoms.get_potential_energy() - frame.energy) ** 2
        factor = 0.5 / (0.5 + np.sum(frame.forces**2, axis=1))
        missed = np.sum((atoms.get_forces() - frame.forces) ** 2, axis=1)
        part += force / N ** scaling[1] * np.sum(factor * missed)
        if frame.stress is not None:
            virial = -atoms.get_volume() * (atoms.get_stress(voigt=False) - frame.stress)
            part += stress / N ** scaling[0] * np.sum(virial**2)
        total += frame.weight**2 * part
    found = frame_loss(model, frames, loss).value(parameters_of(other))
    assert found == pytest.approx(total / len(frames), rel=1e-10)


def test_the_shared_loss_and_the_protocols_give_the_same_numbers():
    model = synthetic_mtp_model("l08")
    frames, shared = noisy(model, 4), Loss(10.0, 1.0, 0.2)
    family = TrainableMtp(model, frames)
    x = 1.02 * parameters_of(model)[None]
    outcome = Objective(family, [target_of(frame, shared, family) for frame in frames])(x, range(len(frames)))
    value, gradient = frame_loss(model, frames, shared)(x[0])
    assert outcome.loss == pytest.approx(len(frames) * value, rel=1e-11)
    np.testing.assert_allclose(outcome.gradient[0], len(frames) * gradient, rtol=1e-8, atol=1e-9 * abs(gradient).max())
    assert family.model(x) == with_parameters(model, x[0])
    assert not np.any(family.flat(x)[0, -len(model.mapping) :])
    assert family.rest(frames[0]) == {}


def test_threads_change_no_bit():
    model = synthetic_mtp_model("l08")
    frames = labelled_by(model, structures(model.species, 12) * 20)
    x = 1.02 * parameters_of(model)
    one, two = (frame_loss(model, frames, threads=threads) for threads in (1, 2))
    assert len(one.groups) > 2
    assert one(x)[0] == two(x)[0] == two.value(x)
    assert np.array_equal(one(x)[1], two(x)[1])
    assert np.array_equal(solved(one, x), solved(two, x))


@pytest.mark.parametrize("name", ["l06_taylor", "l08_plain", "l10_repuls"])
def test_the_linear_parameters_are_solved_for(name):
    model = synthetic_mtp_model(name)
    frames = noisy(model, 12)
    loss = frame_loss(model, frames)
    x = parameters_of(model)
    found = solved(loss, x)
    assert np.array_equal(found[: model.radial_coefficients.size], x[: model.radial_coefficients.size])
    _, gradient = loss(found)
    _, before = loss(x)
    linear = slice(model.radial_coefficients.size, None)
    lengths = block(loss, x).lengths
    assert np.max(np.abs(gradient[linear] / lengths)) < 1e-7 * np.max(np.abs(before[linear] / lengths))
    assert loss.value(found) < loss.value(x)


def test_the_linear_parameters_of_exact_labels_are_found_again():
    model = synthetic_mtp_model("l08")
    frames = labelled_by(model, structures(model.species, 20))
    x = parameters_of(model)
    start = x.copy()
    start[model.radial_coefficients.size :] = 0.0
    found = solved(frame_loss(model, frames), start)
    np.testing.assert_allclose(found, x, rtol=1e-8)


def test_rows_of_the_protocol_are_those_of_the_solution():
    model = synthetic_mtp_model("l08")
    frames = noisy(model, 8)
    family = TrainableMtp(model, frames)
    x = parameters_of(model)[None]
    design = family.linear(x)
    calc = MTP(model)
    for frame in frames[:3]:
        rows = design.rows(frame)
        unknowns = x[0, -design.n_columns :]
        atoms = frame.atoms
        missed = {name: part[:, :-1] @ unknowns - part[:, -1] for name, part in rows.items()}
        energy = (calc.get_potential_energy(atoms) - frame.energy) / len(atoms)
        np.testing.assert_allclose(missed["energy"], energy, rtol=1e-9)
        np.testing.assert_allclose(missed["force"].reshape(-1, 3), calc.get_forces(atoms) - frame.forces, atol=1e-9)
    assert family.solved(x, np.zeros(design.n_columns))[0, -1] == 0.0
    assert design.model(x[0, -design.n_columns :]) == model
    assert design.named(np.arange(design.n_columns) < 3) == "of the species Si, Ge; of the moments 0"


def test_one_composition_leaves_the_coefficients_small():
    model = synthetic_mtp_model("l08")
    images = [atoms for atoms in structures(model.species, 8) if len(atoms) == 4]
    for atoms in images:
        atoms.symbols = ["Si", "Ge", "Si", "Ge"]
    found = solved(frame_loss(model, labelled_by(model, images, noise=0.1)), parameters_of(model))
    energies = found[model.radial_coefficients.size :][:2]
    assert np.max(np.abs(energies)) < 20.0


def test_equal_columns_share_what_one_would_have():
    model = synthetic_mtp_model("l08_one_function")  # all radial functions are multiples of one
    frames = noisy(model, 8)
    loss = frame_loss(model, frames)
    found = solved(loss, parameters_of(model), ridge=0.0)
    assert np.isfinite(found).all()
    assert loss.value(found) <= loss.value(parameters_of(model))


def test_parameters_out_of_all_proportion_have_an_infinite_loss():
    model = synthetic_mtp_model("l08")
    groups = {"train": grouped(noisy(model), model.species, model.max_dist, MlipLoss())}
    losses = MtpLosses(model, groups)
    c = model.radial_coefficients.ravel()
    with np.errstate(all="ignore"):
        assert losses.projected(1e200 * c)[0] == np.inf
    assert losses.projected(c)[0] < np.inf


def test_the_descent_of_all_parameters_begins_with_their_second_derivatives():
    model = synthetic_mtp_model("l08_plain")
    frames = noisy(model, 12, noise=0.05)
    losses = MtpLosses(model, {"train": grouped(frames, model.species, model.max_dist, MlipLoss())})
    size = model.radial_coefficients.size
    c = parameters_of(model)[:size]
    value, gradient, x = losses.projected(c)
    descent = losses.together(Descent(Point(c, value, gradient), np.eye(size), True, 3))
    assert np.array_equal(descent.point.x, x)
    assert descent.point.value == pytest.approx(value, rel=1e-9)
    assert descent.evaluations == 5
    steps = 1e-4 * np.maximum(np.abs(x), 0.1)
    second = np.empty((len(x), len(x)))
    for k, h in enumerate(steps):
        ahead, behind = (losses.whole(x + sign * h * np.eye(len(x))[k])[1] for sign in (1.0, -1.0))
        second[k] = (ahead - behind) / (2.0 * h)
    second = 0.5 * (second + second.T)
    inverse = descent.inverse
    np.testing.assert_allclose(inverse, inverse.T, rtol=1e-6, atol=1e-9 * abs(inverse).max())
    assert np.linalg.eigvalsh(inverse).min() > 0.0
    follow = np.linalg.lstsq(second[size:, size:], second[size:, :size], rcond=1e-12)[0]
    values, directions = np.linalg.eigh(second[:size, :size] - second[:size, size:] @ follow)
    firm = values > 1e-3 * values.max()
    assert firm.sum() >= 5
    moves = np.concatenate([directions, -follow @ directions])[:, firm]
    found = inverse @ second @ moves
    np.testing.assert_allclose(found[:size], moves[:size], atol=0.01)


def test_second_derivatives_come_from_frames_that_count():
    model = synthetic_mtp_model("l06_taylor")
    frames = noisy(model, 11)
    silent = [replace(frame, energy=None, forces=None, stress=None) for frame in frames]
    groups = [group([own], model.species, model.max_dist, MlipLoss()) for own in (*silent[:-2], *frames[-2:])]
    losses = MtpLosses(model, {"train": groups})
    c = parameters_of(model)[: model.radial_coefficients.size]
    descent = losses.together(Descent(Point(c, *losses.projected(c)[:2]), np.eye(len(c)), True, 1))
    assert np.isfinite(descent.inverse).all()
    assert descent.point.gradient @ descent.inverse @ descent.point.gradient > 0.0
