"""Training of NEP: what is learned, kept, resumed, refused and written."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from support.nep_frames import labelled_by, teacher

from ase_mlips import NEP
from ase_mlips.fit import (
    NepSettings,
    NepTraining,
    RmseLoss,
    compare,
    fit_nep,
    fit_nep_committee,
    kernels_balanced,
    read_frames,
)
from ase_mlips.fit import balanced as balanced_module
from ase_mlips.fit import training as training_module
from ase_mlips.fit.gpumd_files import write_gpumd_files
from ase_mlips.fit.overview import dominating, overview
from ase_mlips.nep import kernels_batch
from ase_mlips.nep.files import read_nep, write_nep
from ase_mlips.nep.fitting import NepProblem
from ase_mlips.nep.model import NepZbl
from ase_mlips.nep.potential import NepPotential
from ase_mlips.runs import on_executor

# a few epochs suffice to see how it works, not to learn
pytestmark = pytest.mark.filterwarnings("ignore:the best model has a loss:UserWarning")

SHAPE = {"cutoff": (4.5, 4.0), "n_max": (2, 2), "basis_size": (3, 3), "l_max": 2, "neuron": 4}
SETTINGS = NepSettings(("Te", "Pb"), **SHAPE)
SHORT = NepTraining(epochs=3, batch_size=2)


@pytest.fixture(scope="module")
def frames():
    return read_frames(labelled_by(teacher(), 12))


def rmse(fit, name, quantity):
    return fit.report.parity(name, quantity).score().rmse


def test_a_teacher_of_the_same_shape_is_recovered():
    model = teacher(("Si",), invariants=())
    own = read_frames(labelled_by(model, 32))
    settings = NepSettings(("Si",), **SHAPE, invariants=())
    training = NepTraining(epochs=40, learning_rate=2e-2, batch_size=2, lbfgs_steps=160)
    fit = fit_nep(settings, own[:24], validation=own[24:28], test=own[28:], training=training)
    for quantity in ("energy", "force", "stress"):
        assert rmse(fit, "test", quantity) < 0.2 * np.std(fit.report.parity("test", quantity).reference), quantity


def test_the_history_is_what_the_saved_model_does(frames, tmp_path):
    fit = fit_nep(SETTINGS, frames, validation=frames[:4], training=SHORT)
    best = int(np.argmin(fit.history["validation"]))
    for quantity in ("energy", "force"):
        assert fit.history[f"{quantity}_rmse"][best] == pytest.approx(rmse(fit, "validation", quantity), rel=1e-9)
    fit.save(tmp_path / "nep.txt")
    assert {path.name for path in tmp_path.iterdir()} == {"nep.txt", "nep.report.json"}
    assert read_nep(tmp_path / "nep.txt") == fit.model
    assert max(fit.model.max_neighbors) > 0


def test_the_seed_decides(frames):
    first, again, other = (fit_nep(SETTINGS, frames, training=replace(SHORT, seed=seed)) for seed in (1, 1, 2))
    assert first.model == again.model
    assert first.model != other.model
    assert fit_nep(SETTINGS, frames, training=replace(SHORT, seed=1, num_threads=2)).model == first.model


def test_a_training_that_was_ended_goes_on_to_the_same_bits(frames, tmp_path, monkeypatch):
    settings = replace(SHORT, epochs=5, lbfgs_steps=5)
    whole = fit_nep(SETTINGS, frames, training=settings)
    original, seen = training_module._judge, []

    def judge(*arguments):
        seen.append(None)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(training_module, "_judge", judge)
    kept = replace(settings, checkpoint=tmp_path / "state.npz")
    assert fit_nep(SETTINGS, frames, training=kept).interrupted
    monkeypatch.undo()
    resumed = fit_nep(SETTINGS, frames, training=replace(kept, num_threads=2))
    assert resumed.model == whole.model
    with pytest.raises(
        ValueError, match=r"state.npz: expected a checkpoint of the same .*loss force 1.0 in place of 2.0"
    ):
        fit_nep(SETTINGS, frames, loss=RmseLoss(force=2.0), training=kept)


def test_energies_begin_at_the_constants_of_the_elements():
    """Elements of very different energies: one common bias is all that NEP4 has."""
    own = read_frames(labelled_by(teacher(), 12, shifts={"Te": -100.0, "Pb": -40.0}))
    for settings in (SETTINGS, replace(SETTINGS, version=5)):
        problem = NepProblem(settings.template(), own, validation=0.0, loss=RmseLoss(), training=SHORT)
        task = problem.task(SHORT)
        errors = task.objective.total(task.start, task.train, gradient=False).residuals["energy"]
        assert np.abs(errors).max() < 3.0
        flat = task.objective.total(problem.family.flat(task.start), task.train, gradient=False)
        assert np.abs(flat.residuals["energy"]).max() < 3.0
        assert np.ptp(flat.residuals["force"] - task.objective.total(task.start, task.train).residuals["force"]) > 0.0


def test_fine_tuning_shifts_a_potential_to_other_labels(tmp_path):
    model = teacher()
    write_nep(tmp_path / "nep.txt", model)
    own = read_frames(labelled_by(model, 12, shifts={"Te": -3.0, "Pb": 2.0}))
    fit = fit_nep(tmp_path / "nep.txt", own, validation=0.25, training=NepTraining(epochs=1, learning_rate=1e-5))
    assert rmse(fit, "train", "energy") < 5e-3
    assert rmse(fit, "train", "force") < 0.02
    assert fit.model.network.w0.shape[1] == model.network.w0.shape[1] + 1
    alone = teacher(("Si",))
    same = fit_nep(alone, read_frames(labelled_by(alone, 6)), training=NepTraining(epochs=1, learning_rate=1e-5))
    assert same.model.network.w0.shape == alone.network.w0.shape


def test_what_is_forgotten_is_told():
    """Labels of the first potential itself, and others with other zeros of energy."""
    model = teacher()
    old = read_frames(labelled_by(model, 6))
    new = read_frames(labelled_by(replace(model, radial=1.1 * model.radial), 12, shifts={"Te": -3.0, "Pb": 2.0}))
    fit = fit_nep(model, new, validation=0.0, test=old, training=NepTraining(epochs=4, learning_rate=2e-3))
    before, after = ({name: own.parity(name, "force").score().rmse for name in ("train", "test")}
                     for own in (fit.change.before, fit.change.after))  # fmt: skip
    assert before["test"] < 1e-9 < after["test"]
    assert after["train"] < before["train"]
    assert fit.change.before.parity("test", "energy").score().rmse < 1e-9
    assert fit.change.before.parity("train", "energy").score().rmse < 1.0
    assert fit.change.after.parity("test", "energy").score().rmse < 1.0 < rmse(fit, "test", "energy")
    assert "RMSE before" in str(fit.change)
    assert fit_nep(SETTINGS, old, training=SHORT).change is None


def test_elements_that_share_a_network_are_shifted_by_one_constant():
    model = teacher(version=3)
    own = read_frames(labelled_by(model, 8, shifts={"Te": -3.0, "Pb": -3.0}))
    fit = fit_nep(model, own, validation=0.0, training=NepTraining(epochs=1, learning_rate=1e-5))
    assert rmse(fit, "train", "energy") < 5e-3
    assert fit.model.network.w0.shape == model.network.w0.shape
    assert fit.model.network.bias == pytest.approx(model.network.bias + 3.0, abs=1e-2)


def test_a_subset_of_elements_is_tuned():
    wide = teacher(("Te", "Pb", "Si"))
    narrow = wide.subset(["Pb"])
    fit = fit_nep(narrow, read_frames(labelled_by(narrow, 6)), training=NepTraining(epochs=1, learning_rate=1e-5))
    assert fit.model.elements == ("Pb",)
    assert rmse(fit, "train", "force") < 0.02


def test_the_repulsion_stays_and_is_not_learned():
    zbl = NepZbl(1.0, 2.6)
    model = replace(teacher(("Si",)), zbl=zbl)
    own = read_frames(labelled_by(model, 8))
    problem = NepProblem(model, own, validation=0.0, loss=RmseLoss(), training=SHORT)
    vector = problem.family._gradient.vector
    residuals = problem._objective.total(vector.of(model), range(8), gradient=False).residuals
    assert all(np.abs(values).max() < 1e-9 for values in residuals.values())
    assert fit_nep(replace(NepSettings(("Si",), **SHAPE), zbl=zbl), own, training=SHORT).model.zbl == zbl


LOSSES = {
    "plain": RmseLoss(),
    "shear": RmseLoss(shear=3.0),
    "delta": RmseLoss(force_delta=0.5),
    "types": RmseLoss(type_weights={"Te": 2.0}),
    "penalties": RmseLoss(first=0.3, second=0.2),
    "energy": RmseLoss(force=0.0, stress=0.0),
    "groups": RmseLoss(groups={"all": (2.0, 1.0, 0.5)}),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_the_gradient_is_that_of_the_loss(frames, loss):
    """Of the quadratic form whose weights the memory fixes, as L-BFGS minimises it."""
    mixed = [replace(frames[0], forces=None), replace(frames[1], stress=None), replace(frames[2], energy=None)]
    weighted = [*mixed, replace(frames[3], weight=2.0), *frames[4:7]]
    problem = NepProblem(SETTINGS.template(), weighted, validation=0.0, loss=loss, training=SHORT)
    task = problem.task(SHORT)
    task.objective.balance(task.start, task.train)
    gradient = task.objective.total(task.start, task.train).gradient
    rng = np.random.default_rng(0)
    for _ in range(3):
        direction = 1e-5 * rng.normal(size=task.start.shape)
        ahead, behind = (
            task.objective.total(task.start + s * direction, task.train).loss - 0.0 for s in (1, -1)
        )  # fmt: skip
        assert np.sum(gradient * direction) == pytest.approx((ahead - behind) / 2, rel=1e-5)


def test_the_loss_is_a_sum_of_root_mean_squares(frames):
    loss = RmseLoss(energy=2.0, force=3.0, stress=0.5, shear=1.0)
    problem = NepProblem(SETTINGS.template(), frames, validation=0.0, loss=loss, training=SHORT)
    task = problem.task(SHORT)
    outcome = task.objective.total(task.start, task.train, gradient=False)
    roots = {name: np.sqrt(np.mean(values**2)) for name, values in outcome.residuals.items()}
    expected = 2.0 * roots["energy"] + 3.0 * roots["force"] + 0.5 * roots["stress"]
    assert outcome.loss / len(frames) == pytest.approx(expected, rel=1e-12)


def test_labels_that_are_not_there_add_nothing(frames):
    bare = [replace(frame, stress=None) for frame in frames]
    problem = NepProblem(SETTINGS.template(), bare, validation=0.0, loss=RmseLoss(stress=7.0), training=SHORT)
    task = problem.task(SHORT)
    assert task.objective.beginning[0, 2] == 0.0
    outcome = task.objective.total(task.start, task.train, gradient=False)
    roots = [np.sqrt(np.mean(outcome.residuals[name] ** 2)) for name in ("energy", "force")]
    assert outcome.loss / len(bare) == pytest.approx(sum(roots), rel=1e-12)
    task.objective.balance(task.start, task.train)
    assert task.objective.total(task.start, task.train).loss == pytest.approx(outcome.loss, rel=1e-12)
    assert np.all(np.isfinite(task.objective(task.start, [0, 1]).gradient))


def test_memory_is_bounded(frames):
    """Without room for neighbour lists they are made again."""
    kept, made = (fit_nep(SETTINGS, frames, training=replace(SHORT, memory=gb)) for gb in (2.0, 0.0))
    assert kept.model == made.model


def test_a_committee(frames):
    fits = fit_nep_committee(SETTINGS, frames, members=2, training=SHORT)
    assert [fit.training.seed for fit in fits] == [0, 1]
    assert fits[0].model != fits[1].model
    with ThreadPoolExecutor(2) as executor, on_executor(executor):
        elsewhere = fit_nep_committee(SETTINGS, frames, members=2, training=SHORT)
    for here, there in zip(fits, elsewhere, strict=True):
        energies = [NEP(fit.model).get_potential_energy(frames[0].atoms) for fit in (here, there)]
        assert energies[0] == energies[1]
    with pytest.raises(ValueError, match="members"):
        fit_nep_committee(SETTINGS, frames, members=1)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (teacher(kind="dipole"), "expected a dipole"),
        (
            teacher(charge_mode=1),
            r"charges \(qNEP\) are not trained: .* nep4_charge1",
        ),
        (NepSettings(("Te",), **SHAPE), "Pb not among the model's elements Te"),
        (NepSettings(("Te", "Pb", "Si"), **SHAPE), "no training frames with Si"),
    ],
)
def test_what_cannot_be_trained(frames, template, message):
    with pytest.raises(ValueError, match=message):
        fit_nep(template, frames, training=SHORT)


def test_files_of_gpumd(frames, tmp_path):
    fit = fit_nep(SETTINGS, frames, training=SHORT)
    some = [replace(frames[0], energy=None), *frames[1:3]]
    write_gpumd_files(tmp_path, fit.family.ready(fit.model), {"train": some}, fit.history)
    tables = {path.name: np.loadtxt(path) for path in tmp_path.iterdir()}
    assert tables["loss.out"].shape == (3, 10)
    assert np.all(tables["loss.out"][:, 2:4] == 0.0)
    np.testing.assert_allclose(tables["loss.out"][:, 8], fit.history["force_rmse"], rtol=1e-7)
    atoms = frames[1].atoms.copy()
    atoms.calc = NEP(fit.model)
    energy = [atoms.get_potential_energy() / 6, frames[1].energy / 6]
    np.testing.assert_allclose(tables["energy_train.out"][1], energy, rtol=1e-7)
    assert tables["energy_train.out"][0, 1] == -1e6
    expected = np.hstack([atoms.get_forces(), frames[1].forces])
    np.testing.assert_allclose(tables["force_train.out"][6:12], expected, rtol=1e-7, atol=1e-9)
    stress = np.concatenate(
        [
            -atoms.get_stress(voigt=False)[[0, 1, 2, 0, 1, 2], [0, 1, 2, 1, 2, 0]],
            -frames[1].stress[[0, 1, 2, 0, 1, 2], [0, 1, 2, 1, 2, 0]],
        ]
    )
    np.testing.assert_allclose(tables["virial_train.out"][1], stress * atoms.get_volume() / 6, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(tables["stress_train.out"][1], stress * 160.21766208, rtol=1e-6, atol=1e-7)


def test_loss_out_has_the_penalties_of_the_parameters(frames, tmp_path):
    loss = RmseLoss(first=0.3, second=0.2)
    fit = fit_nep(SETTINGS, frames, loss=loss, training=SHORT, validation=0.0)
    write_gpumd_files(tmp_path, fit.family.ready(fit.model), {}, fit.history)
    best = int(np.argmin(fit.history["validation"]))
    parameters = fit.family._gradient.vector.of(fit.model)
    expected = 0.3 * np.abs(parameters).mean(), 0.2 * np.sqrt(np.mean(parameters**2))
    np.testing.assert_allclose(np.loadtxt(tmp_path / "loss.out")[best, 2:4], expected, rtol=1e-6)


def test_frames_that_spoil_a_training_are_seen(frames):
    forces = frames[3].forces.copy()
    forces[2] = [0.0, 500.0, 0.0]
    near = frames[5].atoms.copy()
    near.positions[1] = near.positions[0] + [0.5, 0.0, 0.0]
    odd = [
        *frames[:3],
        replace(frames[3], forces=forces),
        replace(frames[4], energy=-900.0),
        replace(frames[5], atoms=near),
    ]
    found = overview([*odd, *frames[6:]])
    assert np.argmax(found.force) == np.argmax(found.share) == 3
    assert np.argmax(np.abs(found.energy)) == 4
    assert np.argmin(found.distance) == 5
    assert found.distance[5] == pytest.approx(0.5)
    assert "frame 5 (0.5)" in str(found)


def test_frames_that_dominate_the_errors_are_named(frames):
    forces = frames[3].forces.copy()
    forces[2] += [0.0, 5.0, 0.0]
    odd = [*frames[:3], replace(frames[3], forces=forces), replace(frames[4], energy=frames[4].energy + 9.0)]
    lines = dominating(compare(NepPotential(teacher()), {"train": odd})).splitlines()
    assert "frame 4 (100.0 %)" in next(line for line in lines if line.startswith("energy"))
    assert "frame 3 (100.0 %)" in next(line for line in lines if line.startswith("force"))


def test_the_curvature_is_that_of_gauss_and_newton(frames, monkeypatch):
    """Its sketches, many of them, against the derivatives of all residuals."""
    monkeypatch.setattr(balanced_module, "_SKETCHES", 1500)
    some = [replace(frames[0], stress=None), replace(frames[1], energy=None), frames[2]]
    loss = RmseLoss(shear=1.5, type_weights={"Te": 2.0})
    problem = NepProblem(SETTINGS.template(), some, validation=0.0, loss=loss, training=SHORT)
    task, h = problem.task(SHORT), 1e-5
    task.objective.balance(task.start, task.train)
    found = task.objective.curvature(task.start, task.train, np.random.default_rng(1))
    direction = np.random.default_rng(0).normal(size=task.start.shape)
    direction /= np.linalg.norm(direction)
    batches = [task.objective._batch(task.start + s * h * direction, task.train, gradient=False) for s in (1.0, -1.0)]
    rates = 2.0 * task.objective._rates(batches[0].counts)
    energy, force, virial = (
        (up - down) / (2.0 * h) for up, down in zip(*(own._residuals for own in batches), strict=True)
    )
    table = task.objective._table  # all of its frames are those of the batches
    expected = rates[0] * table.factors[:, 0] @ energy**2 + rates[1] * table.force_factors @ (force**2).sum(axis=1)
    expected += rates[2] * table.factors[:, 1] @ (virial**2 @ table.shear)
    assert (direction @ found @ direction.T).item() == pytest.approx(expected, rel=0.1)
    np.testing.assert_array_equal(found, found.T)
    monkeypatch.setattr(balanced_module, "_MOST_CURVED", 10)
    assert task.objective.curvature(task.start, task.train, np.random.default_rng(1)) is None


def test_kernels_of_a_step_are_compiled_once(frames):
    """Whatever the labels and the number of frames: other types of arrays would be compiled again in a training."""
    some = [replace(frames[0], forces=None), frames[1], frames[2]]
    task = NepProblem(
        SETTINGS.template(), some, validation=0.0, loss=RmseLoss(force_delta=1.0), training=SHORT
    ).task(SHORT)  # fmt: skip
    for numbers in ([0], [2, 1], np.arange(3)):
        task.objective(task.start, numbers)
    task.objective.total(task.start, task.train)
    for module in (kernels_balanced, kernels_batch):
        kernels = [own for own in vars(module).values() if hasattr(own, "signatures")]
        assert {len(own.signatures) for own in kernels} <= {0, 1}  # 0 of what kernels call
        assert any(own.signatures for own in kernels)
