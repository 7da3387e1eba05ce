"""Training of networks: seeds, early stops, checkpoints, Ctrl-C and what is refused."""

import io
import json
import os
from dataclasses import replace

import numpy as np
import pytest
from support.labelled import labelled_cells, random_model

from ase_mlips import SNAP
from ase_mlips.fit import Loss, Training, compare, fit_network, fit_snap, read_frames
from ase_mlips.fit import training as training_module
from ase_mlips.fit.checkpoint import State
from ase_mlips.heads.network import Network
from ase_mlips.snap.files import read_snap
from ase_mlips.snap.potential import SnapPotential

# a few epochs suffice to see how it works, not to learn
pytestmark = pytest.mark.filterwarnings("ignore:the best model has a loss:UserWarning")

SMALL = Training(hidden=(6, 5), epochs=6, batch_size=3, lbfgs_steps=40, learning_rate=1e-2)


@pytest.fixture(scope="module")
def case():
    """A linear template and frames that it labelled."""
    model = random_model()
    return model, read_frames(labelled_cells(model, 12))


def parameters(fit):
    return fit.model.network.parameters


def test_a_network_learns_what_a_network_says():
    """Labels from a network of the same architecture are reproduced far better than by its best constant."""
    model = random_model(("Ga",))
    generator = np.random.default_rng(0)
    network = Network(
        (5, 3, 1), ("tanh", "linear"), generator.normal(size=(1, 22)), np.full((1, 5), 6.0), np.full((1, 5), 3.0)
    )
    teacher = replace(model, coefficients=np.zeros((1, 0)), network=network)
    frames = read_frames(labelled_cells(teacher, 24))
    settings = Training(hidden=(3,), epochs=60, batch_size=4, learning_rate=2e-2, lbfgs_steps=400)
    fit = fit_network(model, frames, test=frames[:4], loss=Loss(10.0, 1.0, 0.1), training=settings)
    assert fit.history["rate"][0] == pytest.approx(2e-2, rel=1e-2)
    assert fit.history["rate"][59] < 1e-4
    assert fit.history["rate"][60:].tolist() == [0.0] * 20
    spread = np.std(np.concatenate([frame.forces.ravel() for frame in frames]))
    assert fit.report.parity("test", "force").score().rmse < 0.03 * spread
    assert fit.report.parity("test", "stress").score().rmse < 0.03 * np.std(
        fit.report.parity("test", "stress").reference
    )


@pytest.mark.parametrize("flags", [{}, {"zbl": True}, {"chemflag": True, "twojmax": 1}], ids=str)
@pytest.mark.parametrize("shared", [False, True])
def test_history_is_what_the_saved_model_does(flags, shared):
    """The compiled evaluation of the final model agrees with the errors that the training printed."""
    model = random_model(**flags)
    frames = read_frames(labelled_cells(model, 8))
    fit = fit_network(model, frames, validation=frames[:3], training=replace(SMALL, shared=shared, lbfgs_steps=0))
    best = int(np.argmin(fit.history["validation"]))
    assert fit.model.zbl == model.zbl
    assert len(parameters(fit)) == (1 if shared else 2)
    for quantity in ("energy", "force"):
        expected = fit.report.parity("validation", quantity).score().mae
        assert fit.history[f"{quantity}_mae"][best] == pytest.approx(expected, rel=1e-5)


def test_the_seed_decides(case):
    fits = [fit_network(*case, training=replace(SMALL, seed=seed)) for seed in (1, 1, 2)]
    assert np.array_equal(parameters(fits[0]), parameters(fits[1]))
    assert fits[0].model == fits[1].model
    assert not np.array_equal(parameters(fits[0]), parameters(fits[2]))


@pytest.mark.parametrize("bounds", [{"memory": 0.0}, {"memory": 0.0, "disk": 0.0}, {"memory": 4e-5, "disk": 4e-5}])
def test_where_gradients_are_kept_does_not_matter(case, bounds):
    first, second = (fit_network(*case, training=settings) for settings in (SMALL, replace(SMALL, **bounds)))
    assert first.model == second.model


def test_bootstrap_changes_what_is_seen(case):
    plain, drawn = (fit_network(*case, training=replace(SMALL, bootstrap=value)) for value in (False, True))
    assert not np.array_equal(parameters(plain), parameters(drawn))


def test_the_best_parameters_are_kept(case):
    """A learning rate that is far too large makes the loss go up and down."""
    settings = replace(SMALL, epochs=12, learning_rate=0.5, final_learning_rate=0.5, lbfgs_steps=0)
    fit = fit_network(*case, training=settings)
    best = int(np.argmin(fit.history["validation"]))
    assert best < 11
    report = compare(SnapPotential(fit.model), {"": fit.sets["validation"]})
    assert report.parity("", "force").score().mae == pytest.approx(fit.history["force_mae"][best], rel=1e-5)


def test_patience_ends_adam_and_then_the_whole(case):
    settings = replace(SMALL, epochs=50, learning_rate=0.5, final_learning_rate=0.5, patience=3, lbfgs_steps=2000)
    fit = fit_network(*case, training=settings)
    epochs = int(np.sum(fit.history["rate"] > 0.0))
    assert epochs < 50
    assert epochs - 1 - int(np.argmin(fit.history["validation"][:epochs])) == 3
    rounds = len(fit.history["rate"]) - epochs
    assert 0 < rounds < 100
    assert len(fit.history["rate"]) - 1 - max(epochs - 1, int(np.argmin(fit.history["validation"]))) == 3


def test_without_validation_frames_training_frames_judge(case):
    fit = fit_network(*case, validation=0.0, training=replace(SMALL, epochs=3))
    assert list(fit.sets) == ["train"]
    assert fit.history["validation"][-1] == pytest.approx(fit.history["loss"][-1])


class KilledError(Exception):
    """Stands for the end of a process."""


def stop_after(monkeypatch, epochs, error):
    """Raise `error` in the middle of an epoch, after so many whole ones."""
    original, seen = training_module._judge, []

    def judge(*arguments):
        seen.append(None)
        if len(seen) > epochs:
            raise error
        return original(*arguments)

    monkeypatch.setattr(training_module, "_judge", judge)


@pytest.mark.parametrize("epochs", [1, 4, 6, 7])
def test_a_killed_training_goes_on_where_it_was(case, tmp_path, monkeypatch, epochs):
    whole = fit_network(*case, training=SMALL)
    settings = replace(SMALL, checkpoint=tmp_path / "state.npz")
    with monkeypatch.context() as patch:
        stop_after(patch, epochs, KilledError())
        with pytest.raises(KilledError):
            fit_network(*case, training=settings)
    with np.load(settings.checkpoint) as content:
        assert len(content["history"]) == epochs
    resumed = fit_network(*case, training=settings)
    assert resumed.model == whole.model
    for name, values in whole.history.items():
        np.testing.assert_array_equal(resumed.history[name], values)
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]
    again = fit_network(*case, training=settings)  # nothing left to do
    assert again.model == whole.model


class Harmful:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def saved(arrays, save=np.savez, **changes) -> bytes:
    """The content of an archive of these arrays."""
    stream = io.BytesIO()
    save(stream, **{**arrays, **changes})
    return stream.getvalue()


def test_a_checkpoint_of_another_training_is_refused(case, tmp_path):
    model, frames = case
    settings = replace(SMALL, epochs=1, lbfgs_steps=0, checkpoint=tmp_path / "state.npz")
    fit_network(model, frames, training=settings)
    before = settings.checkpoint.read_bytes()
    others = [
        ((model, frames[1:]), {"training": settings}, "other frames or descriptors, other labels, other weights;"),
        ((model, [replace(frames[0], energy=0.0), *frames[1:]]), {"training": settings}, "other labels;"),
        ((model, frames), {"training": replace(settings, batch_size=2)}, "batch_size 3 in place of 2;"),
        (
            (model, frames),
            {"training": replace(settings, epochs=2)},
            r"epochs 1 in place of 2 \(the learning rate falls",
        ),
        ((model, frames), {"training": settings, "loss": Loss(1.0)}, "other weights;"),
        ((replace(model, rcutfac=4.1), frames), {"training": settings}, "other frames or descriptors;"),
    ]
    for arguments, options, message in others:
        with pytest.raises(
            ValueError, match=rf"state.npz: expected a checkpoint of the same frames, model and training.* {message}"
        ):
            fit_network(*arguments, **options)
    assert settings.checkpoint.read_bytes() == before
    with np.load(settings.checkpoint) as archive:
        arrays = dict(archive)
    touched = tmp_path / "touched"
    damaged = [
        saved(arrays, np.savez_compressed, parameters=np.zeros((1, 10**7))),  # 80 MB in 80 kB
        saved(arrays, history=np.array([Harmful(touched)], dtype=object)),
        before.replace(b"'shape': (1, ", b"'shape': (9, ", 1),
        *(b"", b"no archive", before[: len(before) // 2]),
    ]
    for content in damaged:
        settings.checkpoint.write_bytes(content)
        with pytest.raises(
            ValueError, match=r"state.npz: expected a checkpoint of a training, got another or a damaged"
        ):
            fit_network(model, frames, training=settings)
        assert not touched.exists()
    os.remove(settings.checkpoint)
    os.mkfifo(settings.checkpoint)
    with pytest.raises(ValueError, match=r"state.npz: expected a checkpoint of a training, got another or a damaged"):
        State.read(settings.checkpoint, {})


def test_ctrl_c_gives_the_best_model_so_far(case, monkeypatch):
    whole = fit_network(*case, training=replace(SMALL, lbfgs_steps=0))
    stop_after(monkeypatch, 4, KeyboardInterrupt())
    fit = fit_network(*case, training=SMALL)
    assert fit.interrupted
    assert not whole.interrupted
    np.testing.assert_array_equal(fit.history["loss"], whole.history["loss"][:4])
    best = int(np.argmin(fit.history["validation"]))
    assert fit.report.parity("validation", "force").score().mae == pytest.approx(
        fit.history["force_mae"][best], rel=1e-5
    )


def test_ctrl_c_in_the_first_epoch_is_passed_on(case, monkeypatch):
    stop_after(monkeypatch, 0, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        fit_network(*case, training=SMALL)


def test_a_loss_that_explodes_is_said(case):
    settings = replace(SMALL, activation="linear", learning_rate=1e200, final_learning_rate=1e200)
    with (
        np.errstate(all="ignore"),
        pytest.raises(FloatingPointError, match="not finite after 0 epochs; a lower learning"),
    ):
        fit_network(*case, training=settings)


@pytest.mark.parametrize("name", ["GaN.snap.npz", "GaN.mliap.model"])
def test_a_saved_fit_can_be_used(case, tmp_path, name):
    fit = fit_network(*case, test=case[1][:2], training=SMALL)
    fit.save(tmp_path / name)
    other = "GaN.mliap.descriptor" if "mliap" in name else "GaN.snap.report.json"
    assert other in {path.name for path in tmp_path.iterdir()}
    read = read_snap(tmp_path / name)
    np.testing.assert_array_equal(read.network.parameters, parameters(fit))
    frame = fit.sets["test"][0]
    atoms = frame.atoms.copy()
    atoms.calc = SNAP(tmp_path / name)
    predicted = fit.report.parity("test", "energy").predicted[0]
    assert atoms.get_potential_energy() / len(atoms) == pytest.approx(predicted, rel=1e-12)
    (report,) = tmp_path.glob("*.report.json")
    content = json.loads(report.read_text())
    assert {score["set"] for score in content["scores"]} == {"train", "validation", "test"}
    assert content["history"]["loss"] == fit.history["loss"].tolist()
    assert content["training"]["hidden"] == [6, 5]
    fit.save(tmp_path / name, scores=False)
    assert "scores" not in json.loads(report.read_text())


def test_figure_has_the_losses_and_parities(case):
    fit = fit_network(*case, test=case[1][:2], training=replace(SMALL, epochs=3, lbfgs_steps=0))
    axes = fit.plot().axes
    assert [line.get_label() for line in axes[0].lines] == ["train", "validation"]
    np.testing.assert_array_equal(axes[0].lines[0].get_ydata(), fit.history["loss"])
    assert [ax.get_xlabel() for ax in axes[1:]] == [
        "reference energy (eV/atom)", "reference force (eV/A)", "reference stress (GPa)"
    ]  # fmt: skip


def test_atoms_and_template_are_not_changed(case):
    model, frames = case
    before = [frame.atoms.copy() for frame in frames]
    fit = fit_network(model, frames, training=replace(SMALL, epochs=1, lbfgs_steps=0))
    assert [frame.atoms for frame in frames] == before
    assert model == random_model()
    assert fit.model.coefficients.shape == (2, 0)
    again = fit_network(fit.model, frames, training=replace(SMALL, epochs=1, lbfgs_steps=0))  # its network is ignored
    assert again.model == fit.model


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": (0,)}, r"hidden: expected layers of 1 to 4096 nodes, got \(0,\)"),
        ({"hidden": (2.5,)}, "hidden: expected layers"),
        ({"activation": "gelu"}, "activation: expected one of linear, sigmoid, tanh, relu, softplus, got 'gelu'"),
        ({"epochs": -1}, "epochs: expected at least 0, got -1"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"lbfgs_steps": -5}, "lbfgs_steps: expected at least 0, got -5"),
        ({"seed": -1}, "seed: expected at least 0, got -1"),
        ({"hidden": 8}, r"hidden: expected the nodes of each layer such as \(32, 32\), got 8"),
        ({"memory": np.nan}, "memory: expected at least 0.0, got nan"),
        ({"patience": 0}, "patience: expected at least 1 or None, got 0"),
        ({"learning_rate": 0.0}, "learning_rate: expected numbers that fall"),
        ({"final_learning_rate": 1.0}, "learning_rate: expected numbers that fall"),
    ],
)
def test_settings_without_meaning_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Training(**options)


def test_what_cannot_be_trained_is_said(case):
    model, frames = case
    gallium = [frame for frame in frames if set(frame.atoms.symbols) == {"Ga"}]
    stresses = [replace(frame, energy=None, forces=None) for frame in frames]
    refused = [
        ((model, []), {}, "no training frames"),
        ((model, stresses), {"loss": Loss(stress=0.0)}, "train: expected a label with a weight above 0, else there is"),
        (
            (random_model(quadraticflag=True), frames),
            {},
            "quadraticflag: expected 0 in the template of a network, got 1",
        ),
        ((model, frames), {"loss": Loss(ridge=1e-9)}, "ridge: expected 0 for a network"),
        ((model, frames), {"loss": Loss(groups={"x": (1.0, 1.0, 1.0)})}, "no frames of group x; there are even, odd"),
        ((model, gallium), {}, "no training frames with N"),
        ((random_model(("Ga",)), frames), {}, r"input, frame \d+: N not among the model's elements Ga"),
        ((random_model(("Ga",)), gallium), {"test": frames}, r"input, frame \d+: N not among the model's elements Ga"),
        ((model, frames), {"validation": 1.5}, "fraction: expected above 0 and below 1"),
        ((model, frames), {"loss": Loss(0.0, 0.0, 0.0)}, "weights: expected at least one above 0"),
        ((model, [frame.atoms for frame in frames]), {}, "train: expected frames from read_frames, got Atoms"),
        ((model, frames[0]), {}, "train: expected a list of frames from read_frames, got LabelledFrame"),
        ((model, frames), {"validation": [frames[0].atoms]}, "validation: expected frames from read_frames, got Atoms"),
        ((model, frames), {"test": [frames[0].atoms]}, "test: expected frames from read_frames, got Atoms"),
        ((replace(model, rcutfac=0.5), frames), {}, "no frame has two atoms within the cutoff of 0.5 A"),
    ]
    for arguments, options, message in refused:
        with pytest.raises(ValueError, match=message):
            fit_network(*arguments, training=SMALL, **options)


def one_site(frames):
    """The same, the last one with two atoms at one place."""
    atoms = frames[-1].atoms.copy()
    atoms.positions[1] = atoms.positions[0]
    return [*frames[:-1], replace(frames[-1], atoms=atoms)]


@pytest.mark.parametrize("fit", [fit_network, fit_snap])
def test_two_atoms_on_one_site_are_named(case, fit):
    model, frames = case
    source = frames[-1].source
    with pytest.raises(ValueError, match=f"{source}: .* not finite; are two atoms on one site"):
        fit(model, one_site(frames))
    options = {"training": SMALL} if fit is fit_network else {}
    fitted = fit(model, frames[:-1], test=one_site(frames), **options)
    with pytest.raises(ValueError, match=f"{source}: .* not finite; are two atoms on one site"):
        _ = fitted.report


def test_a_checkpoint_without_a_directory_is_refused_before_anything_is_described(case, tmp_path, monkeypatch):
    monkeypatch.delattr("ase_mlips.snap.fitting.DescribedFrames")
    for path, message in (
        (tmp_path / "none" / "x.npz", "none: there is no such directory for .*x.npz"),
        (tmp_path, ": is a dir"),
    ):
        with pytest.raises(ValueError, match=message):
            fit_network(*case, training=replace(SMALL, checkpoint=path))


def test_a_network_worse_than_constants_is_warned_of(case):
    with pytest.warns(UserWarning, match=r"the best model has a loss of .* per frame, a constant energy of each"):
        fit_network(*case, training=replace(SMALL, learning_rate=1e4, lbfgs_steps=0))


def test_a_state_that_never_began_has_no_best_epoch():
    state = State.begin(np.zeros((1, 3)), 0)
    state.add((1e-3, 2.0, 2.0, 0.1, 0.1))
    state.parameters = np.ones((1, 3))
    state.add((1e-3, 1.0, 3.0, 0.1, 0.1))
    assert (state.best_epoch, state.best.tolist()) == (0, [[0.0, 0.0, 0.0]])
