"""Training of NEP on frames that are spread over processes."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from support.lammps_launch import on_ranks
from support.nep_frames import labelled_by, teacher
from support.ranks import Ranks

from ase_mlips.fit import NepSettings, NepTraining, RmseLoss, fit_nep, read_frames
from ase_mlips.fit.checkpoint import State
from ase_mlips.fit.shards import Shards
from ase_mlips.nep.fitting import NepProblem

# a few epochs suffice to see how it works, not to learn
pytestmark = pytest.mark.filterwarnings("ignore:the best model has a loss:UserWarning")

SETTINGS = NepSettings(("Te", "Pb"), cutoff=(4.5, 4.0), n_max=(2, 2), basis_size=(3, 3), l_max=2, neuron=4)


@pytest.fixture(scope="module")
def frames():
    return read_frames(labelled_by(teacher(), 12, shifts={"Te": -3.0, "Pb": -5.0}))


def spread(shares, judges, training, template=SETTINGS):
    """What each process gets, for shares of the training frames and of those that judge."""

    def own(communicator):
        rank = communicator.Get_rank()
        validation = judges[rank] if judges else 0.0
        return fit_nep(template, shares[rank], validation=validation, training=training, communicator=communicator)

    return Ranks(len(shares)).run(own)


def same(first, second):
    """The same bits: the model and all that it came from."""
    histories = (np.array([*fit.history.values()]).tobytes() for fit in (first, second))
    return first.model == second.model and len(set(histories)) == 1


@pytest.mark.parametrize("start", ["untrained", "trained"])
@pytest.mark.parametrize("sizes", [(5, 5), (8, 2)])
def test_all_frames_in_each_step_give_the_loss_of_one_process(start, sizes, frames):
    """Scales, constants, beginning weights, batches and judges are those of all frames, also of unequal shares.

    Two steps only: Adam takes whole steps also where a gradient is nothing but rounding, whose sign is anything.
    """
    own, judges = frames[:10], (frames[10:11], frames[11:])
    training = NepTraining(epochs=2, batch_size=10)
    model = teacher()
    template = SETTINGS if start == "untrained" else replace(model, radial=0.9 * model.radial)
    first, second = spread((own[: sizes[0]], own[sizes[0] :]), judges, training, template)
    assert same(first, second)
    whole = fit_nep(template, own, validation=frames[10:], training=training)
    for name, values in whole.history.items():
        np.testing.assert_allclose(first.history[name], values, rtol=1e-8, atol=1e-12, err_msg=name)
    assert first.model.max_neighbors == whole.model.max_neighbors


def test_unequal_shares_make_as_many_steps_and_get_the_same_bits(frames):
    """Those that have run out of frames wait; then L-BFGS with sketches of the curvature from all frames."""
    training = NepTraining(epochs=2, batch_size=2, lbfgs_steps=5)
    first, second = spread((frames[:7], frames[7:10]), (frames[10:11], frames[11:]), training)
    assert same(first, second)
    assert first.history["loss"][-1] < first.history["loss"][0]
    again, _ = spread((frames[:7], frames[7:10]), (frames[10:11], frames[11:]), training)
    assert same(first, again)


def test_one_process_with_a_communicator_gives_the_bits_of_none(frames, tmp_path):
    training = NepTraining(epochs=2, batch_size=4, lbfgs_steps=3, bootstrap=True)
    kept = replace(training, checkpoint=tmp_path / "state.npz")
    (fit,) = spread((frames[:10],), (frames[10:],), kept)
    assert same(fit, fit_nep(SETTINGS, frames[:10], validation=frames[10:], training=training))
    resumed = fit_nep(SETTINGS, frames[:10], validation=frames[10:], training=kept)
    assert same(resumed, fit)


def test_the_first_process_keeps_the_state_of_all(frames, tmp_path):
    training = NepTraining(epochs=3, batch_size=2, checkpoint=tmp_path / "state.npz")
    shares = frames[:6], frames[6:]
    first, _ = spread(shares, None, training)
    again, other = spread(shares, None, training)
    assert same(again, first)
    assert same(other, first)
    errors = spread(shares[::-1], None, training)
    assert all("other frames or descriptors" in str(error) for error in errors)
    with pytest.raises(ValueError, match="training frames 12 in place of 6"):
        fit_nep(SETTINGS, shares[0], validation=0.0, training=training)


def test_the_loss_of_all_frames_and_its_derivatives_are_sums_over_processes(frames):
    """With energies alone the curvature is exact, and so the same, too."""
    training = NepTraining()

    def found(own, shards, loss):
        problem = NepProblem(SETTINGS.template(), own, validation=0.0, loss=loss, training=training, shards=shards)
        task = problem.task(training)
        objective, generator = task.objective, np.random.default_rng(0)
        objective.balance(task.start, task.train)
        outcome = objective.total(task.start, task.train)
        curvature = objective.curvature(task.start, task.train, generator)
        return outcome.loss, outcome.gradient, outcome.count, objective.memory, curvature

    for loss in (RmseLoss(second=0.1), RmseLoss(force=0.0, stress=0.0)):
        shared = Ranks(2).run(lambda own, loss=loss: found((frames[:8], frames[8:])[own.Get_rank()], Shards(own), loss))
        whole = found(frames, None, loss)
        exact = 5 if loss.force == 0.0 else 4
        for values in zip(whole[:exact], *(part[:exact] for part in shared), strict=True):
            np.testing.assert_allclose(values[1], values[0], rtol=1e-9, atol=1e-11)
            assert np.array_equal(values[1], values[2])
        assert np.array_equal(shared[0][4], shared[1][4])


def test_an_element_may_be_in_one_share_only(frames):
    """And a process may have no label of some kind."""
    tellurium = read_frames(labelled_by(teacher(), 1, first=40))
    for frame in tellurium:
        frame.atoms.symbols[:] = "Te"
    forces = [replace(frame, energy=None) for frame in tellurium]
    first, second = spread((frames[:4], forces), None, NepTraining(epochs=1))
    assert same(first, second)


def test_what_cannot_be_spread_is_refused_by_every_process(frames):
    errors = spread((frames, []), None, NepTraining())
    assert [str(error) for error in errors] == ["train: expected frames in every process, process 1 has none"] * 2
    errors = spread((frames[:4], frames[4:8]), (frames[8:], []), NepTraining())
    message = "validation: expected frames in every process, process 1 has none"
    assert [str(error) for error in errors] == [message] * 2
    none = [replace(frame, energy=None, forces=None, stress=None) for frame in frames]
    errors = spread((none[:4], none[4:]), None, NepTraining())
    assert all("train: expected a label with a weight above 0" in str(error) for error in errors)
    dipole = NepSettings(("Te", "Pb"), cutoff=(4.5, 4.0), model_type=1)
    errors = spread((frames[:2], frames[2:4]), None, NepTraining(), dipole)
    assert all("communicator: expected a potential, got a dipole" in str(error) for error in errors)


def test_the_error_of_one_process_ends_all(frames, tmp_path, monkeypatch):
    """Found in its own frames before the training, or in a later epoch, when the first one cannot write."""
    alien = [*frames[6:9], replace(frames[9], atoms=frames[9].atoms.copy())]
    alien[-1].atoms.symbols[0] = "Xe"
    errors = spread((frames[:6], alien), None, NepTraining())
    assert isinstance(errors[1], ValueError)
    assert "Xe" in str(errors[1])
    assert isinstance(errors[0], RuntimeError)
    assert str(errors[0]) == f"process 1 failed: ValueError: {errors[1]}"

    write, written = State.write, []

    def full(state, path, fingerprint):
        written.append(path)
        if len(written) == 2:
            raise OSError("no space left")
        write(state, path, fingerprint)

    monkeypatch.setattr(State, "write", full)
    training = NepTraining(epochs=4, checkpoint=tmp_path / "state.npz")
    errors = spread((frames[:6], frames[6:]), None, training)
    assert isinstance(errors[0], OSError)
    assert str(errors[1]) == "process 0 failed: OSError: no space left"


def test_a_process_that_cannot_read_its_settings_or_has_others_ends_all(frames, tmp_path):
    (tmp_path / "nep.in").write_text("type 2 Te Pb\ncutoff 4.5 4\n")
    templates = tmp_path / "nep.in", tmp_path / "absent.in"

    def own(communicator):
        rank = communicator.Get_rank()
        return fit_nep(templates[rank], frames[rank::2], validation=0.0, communicator=communicator)

    first, second = Ranks(2).run(own)
    assert isinstance(second, OSError)
    assert "process 1 failed: FileNotFoundError" in str(first)

    def unlike(communicator):
        rank = communicator.Get_rank()
        training = NepTraining(epochs=1 + 2 * rank)
        return fit_nep(SETTINGS, frames[rank::2], validation=0.0, training=training, communicator=communicator)

    for error in Ranks(2).run(unlike):
        assert str(error) == "training: expected the same in every process, process 1 has another one"


def test_a_process_that_leaves_ends_those_that_wait_for_it():
    def own(communicator):
        with Shards.together(communicator) as shards:
            return None if shards.first else shards.total(np.ones(2))

    for error in Ranks(2).run(own):
        assert isinstance(error, RuntimeError)
        assert str(error) == "process 0 ended before the others"


@pytest.mark.skipif(find_spec("mpi4py") is None, reason="not installed: mpi4py")
def test_ctrl_c_in_one_process_ends_all_with_the_same_model(tmp_path):
    run = on_ranks(2, "support.interrupted_training", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    first, second = (np.load(tmp_path / f"{rank}.npz") for rank in range(2))
    for own in (first, second):
        assert own["interrupted"]
        assert 2 <= len(own["losses"]) < 50
    for name in ("radial", "losses"):
        assert np.array_equal(first[name], second[name])
