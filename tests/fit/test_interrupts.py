"""Signals at any point of a fit: what is on the disk stays whole, and a training goes on from it."""

import io
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from support.collector import collector_off
from support.labelled import labelled_cells, random_model

import ase_mlips
from ase_mlips.files.signals import SignalsLater
from ase_mlips.fit import Training, fit_committee, fit_network, fit_snap, read_frames, snap_template

# a file or a folder that was just made when the signal came, before its `with` had it, is closed by its finalizer
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:the best model has a loss of"),
]
SOURCES = str(Path(ase_mlips.__file__).parent)


class StopError(Exception):
    """What the handler of another signal raises."""


def stop(number, frame):
    raise StopError


@contextmanager
def signal_at(line, number=signal.SIGINT):
    """Raise a signal at this line, counted over all that the package executes; yields the count."""
    count = [0]

    def trace(frame, event, argument):
        if not frame.f_code.co_filename.startswith(SOURCES):
            return None
        if event == "line":
            count[0] += 1
            if count[0] == line:
                sys.settrace(None)
                signal.raise_signal(number)
        return trace

    before, handler = sys.gettrace(), signal.signal(signal.SIGUSR1, stop)
    with collector_off():
        sys.settrace(trace)
        try:
            yield count
        finally:
            sys.settrace(before)
            signal.signal(signal.SIGUSR1, handler)


@pytest.fixture(scope="module")
def frames():
    return read_frames(labelled_cells(random_model(("Ga",)), 5))


@pytest.fixture(scope="module")
def template():
    return snap_template(["Ga"], radii=[0.5], twojmax=2, rcutfac=4.0)


def lines(run):
    """How many lines of the package it executes."""
    with signal_at(-1) as count:
        run()
    return count[0]


def points(total, count):
    """Places spread over a run, the more of them the nearer to its end, where results are there to be lost."""
    return [int(total * (1.0 - x**2)) for x in np.linspace(0.0, 0.95, count)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1])
def test_a_training_goes_on_from_its_checkpoint_after_a_signal_anywhere(tmp_path, frames, template, number):
    settings = {"hidden": (3,), "epochs": 3, "lbfgs_steps": 1, "batch_size": 2}

    def train(path):
        return fit_network(template, frames, validation=0.2, training=Training(**settings, checkpoint=path))

    whole = train(None).model.network.parameters
    total = lines(lambda: train(tmp_path / "warm.npz"))
    ended = 0
    for place in points(total, 14):
        path = tmp_path / f"{place}.npz"
        try:
            with signal_at(place, number):
                fit = train(path)
        except (KeyboardInterrupt, StopError):
            ended += 1
        else:
            assert len(fit.history["loss"]) > 0
            assert np.isfinite(fit.model.network.parameters).all()
        assert np.array_equal(train(path).model.network.parameters, whole)
    assert ended > 0
    assert not list(tmp_path.glob("*.tmp"))


def test_a_committee_keeps_its_checkpoints_after_a_signal_anywhere(tmp_path, frames, template):
    def train(path):
        training = Training(hidden=(2,), epochs=2, checkpoint=path)
        return fit_committee(template, frames, members=2, validation=0.2, training=training)

    whole = [fit.model.network.parameters for fit in train(None)]
    total = lines(lambda: train(tmp_path / "warm.npz"))
    for place in points(total, 7):
        path = tmp_path / f"{place}.npz"
        try:
            with signal_at(place):
                train(path)
        except KeyboardInterrupt:
            pass
        again = [fit.model.network.parameters for fit in train(path)]
        assert all(np.array_equal(one, two) for one, two in zip(again, whole, strict=True))


def test_ctrl_c_in_the_last_judgement_keeps_the_network(frames, template, monkeypatch):
    monkeypatch.setattr("ase_mlips.snap.fitting.NetworkProblem.judge", lambda *_: signal.raise_signal(signal.SIGINT))
    fit = fit_network(template, frames, validation=0.0, training=Training(hidden=(2,), epochs=2))
    assert fit.interrupted
    assert len(fit.history["loss"]) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1])
def test_the_files_of_a_fit_are_all_old_or_all_new(tmp_path, frames, template, number):
    """Files of a fit that is cut off anywhere belong together."""
    old, new = (fit_snap(template, own) for own in (frames[:3], frames))

    def content(fit, folder):
        folder.mkdir()
        fit.save(folder / "model.snapcoeff")
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    before, after = content(old, tmp_path / "old"), content(new, tmp_path / "new")
    total = lines(lambda: new.save(tmp_path / "model.snapcoeff"))
    assert total > 50
    kinds = set()
    for place in range(total, 1, -max(1, total // 40)):
        old.save(tmp_path / "model.snapcoeff")
        try:
            with signal_at(place, number):
                new.save(tmp_path / "model.snapcoeff")
        except (KeyboardInterrupt, StopError):
            pass
        found = {name: (tmp_path / name).read_bytes() for name in before}
        assert found in (before, after)
        kinds.add(found == after)
    assert kinds == {True, False}


def test_a_signal_waits_for_the_end_of_the_block():
    said = io.StringIO()

    def write():
        with SignalsLater():
            signal.raise_signal(signal.SIGINT)
            said.write("done")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert said.getvalue() == "done"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    child = os.fork()
    if child == 0:  # pragma: no cover
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with SignalsLater():
            os.kill(os.getpid(), signal.SIGTERM)
            sys.stdout = None
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
