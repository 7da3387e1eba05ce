"""Training of MTP: what is learnt, resumed, grown, written and refused."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from support.mtp_frames import labelled_by, structures
from support.mtp_models import synthetic_mtp_model
from support.ranks import Ranks

from ase_mlips import MTP
from ase_mlips.fit import Committee, FullBatch, Loss, MlipLoss, fit_mtp, fit_mtp_committee, full_fit, grown, read_frames
from ase_mlips.fit import full_batch as machinery
from ase_mlips.mtp import read_active_set, read_mtp
from ase_mlips.mtp.fitting import first_model
from ase_mlips.mtp.growth import level_of, with_min_dist, with_more_species
from ase_mlips.mtp.templates import untrained
from ase_mlips.mtp.training import parameters_of
from ase_mlips.runs import on_executor

once = partial(FullBatch, starts=1)
pytestmark = pytest.mark.filterwarnings("ignore:the training set of this active set", "ignore:.*labels cannot")


@pytest.fixture(scope="module")
def truth():
    return synthetic_mtp_model("l08")


@pytest.fixture(scope="module")
def frames(truth):
    return labelled_by(truth, structures(truth.species, 12))


def template(level=6, species=("Si", "Ge"), **limits):
    return untrained(level, species, **{"max_dist": 5.0, "radial_size": 5, **limits})


def test_a_training_learns_an_mtp(frames):
    fit = fit_mtp(template(), frames[:-3], test=frames[-3:-1], training=once(iterations=60))
    assert fit.history["loss"][-1] < 0.2 * fit.history["loss"][0]
    assert np.all(np.diff(fit.history["loss"]) <= 0.0)
    assert np.all(np.diff(fit.history["seconds"]) >= 0.0)
    assert np.isnan(fit.history["validation"]).all()
    assert {score.set for score in fit.report.scores()} == {"train", "test"}
    assert repr(fit).startswith("MtpFit(Si Ge, 5 basis functions, 47 parameters, cutoff 5 A; 10 train and 2 test")


def test_a_trained_start_with_exact_labels_stays(truth, frames):
    fit = fit_mtp(truth, frames, training=once(iterations=3))
    assert fit.history["loss"][0] < 1e-15
    calc = MTP(fit.model)
    for frame in frames[:3]:
        np.testing.assert_allclose(calc.get_forces(frame.atoms), frame.forces, atol=1e-6)


def test_min_dist_is_below_all_distances(frames):
    fit = fit_mtp(template(min_dist=3.0), frames, training=once(iterations=1))
    nearest = min(np.min(d[d > 0.0]) for d in (f.atoms.get_all_distances(mic=f.atoms.pbc.any()) for f in frames[:-1]))
    assert 0.9 * nearest < fit.model.min_dist <= 0.99 * nearest + 1e-12


@pytest.mark.parametrize("starts", [1, 2])
def test_a_killed_training_ends_with_the_same_bits(frames, tmp_path, starts):
    settings = FullBatch(iterations=8, starts=starts, trial=2, projected=4, checkpoint=tmp_path / "state.npz")
    whole = fit_mtp(template(), frames, training=replace(settings, checkpoint=None))
    fit_mtp(template(), frames, training=replace(settings, iterations=3))
    resumed = fit_mtp(template(), frames, training=settings)
    assert resumed.model == whole.model
    assert np.array_equal(resumed.history["loss"], whole.history["loss"])
    with pytest.raises(ValueError, match="seed 0 in place of 5"):
        fit_mtp(template(), frames, training=replace(settings, seed=5))


def test_a_kill_loses_one_iteration_at_most(frames, tmp_path):
    from ase.io import write

    images = []
    for frame in frames:
        atoms = frame.atoms.copy()
        atoms.info["REF_energy"] = frame.energy
        atoms.arrays["REF_forces"] = frame.forces
        images.append(atoms)
    write(tmp_path / "data.extxyz", images)
    program = (
        "import sys; from ase_mlips.fit import *; from ase_mlips.mtp.templates import untrained\n"
        "fit_mtp(untrained(6, ['Si', 'Ge'], radial_size=5), read_frames('data.extxyz'),"
        " training=FullBatch(starts=1, projected=5, iterations=100000, window=100000, tolerance=0.0,"
        " checkpoint='state.npz'))"
    )
    path = os.pathsep.join([str(Path(machinery.__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    child = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path})
    limit = time.monotonic() + 300
    while not (tmp_path / "state.npz").exists() and child.poll() is None and time.monotonic() < limit:
        time.sleep(0.05)
    child.kill()
    child.wait()
    data, start = read_frames(tmp_path / "data.extxyz"), untrained(6, ["Si", "Ge"], radial_size=5)
    done = len(np.load(tmp_path / "state.npz")["history"])
    assert done >= 2
    settings = once(iterations=done + 2, projected=5, checkpoint=tmp_path / "state.npz", tolerance=0.0)
    resumed = fit_mtp(start, data, training=settings)
    assert resumed.model == fit_mtp(start, data, training=replace(settings, checkpoint=None)).model


def test_ctrl_c_keeps_the_best(frames, monkeypatch):
    original, calls = machinery.Run.advance, []

    def advance(self, losses, projected):
        calls.append(None)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(self, losses, projected)

    monkeypatch.setattr(machinery.Run, "advance", advance)
    fit = fit_mtp(template(), frames, training=once(iterations=20))
    assert fit.interrupted
    assert len(fit.history["loss"]) == 4


def test_the_best_of_several_seeds_is_kept(frames):
    settings = FullBatch(iterations=6, starts=3, trial=4, projected=3)
    fit = fit_mtp(template(), frames, training=settings)
    others = [fit_mtp(template(), frames, training=replace(settings, starts=1, seed=seed)) for seed in range(3)]
    best = min(others, key=lambda other: other.history["loss"][4])
    assert fit.model == best.model
    assert fit.training.seed == best.training.seed


def test_validation_frames_choose_the_iteration(truth):
    noisy = labelled_by(truth, structures(truth.species, 8), noise=0.3)
    other = labelled_by(truth, structures(truth.species, 6, seed=5))
    fit = fit_mtp(template(8), noisy, validation=other, training=once(iterations=40, patience=5))
    judged = fit.history["validation"]
    assert len(judged) - 1 - int(np.argmin(judged)) <= 5
    share = fit_mtp(template(), noisy, validation=0.3, training=once(iterations=2))
    assert len(share.sets["validation"]) in (2, 3)


@pytest.mark.parametrize("level", [10, 12])
def test_a_grown_model_has_the_same_energies(truth, level):
    larger = grown(truth, level)
    assert level_of(truth) == 8
    assert level_of(larger) == level
    one, two = MTP(truth), MTP(larger)
    for atoms in structures(truth.species, 4):
        assert two.get_potential_energy(atoms) == pytest.approx(one.get_potential_energy(atoms), rel=1e-12)
        np.testing.assert_allclose(two.get_forces(atoms), one.get_forces(atoms), atol=1e-10)
    with pytest.raises(ValueError, match="at least 10"):
        grown(grown(truth, 10), 8)
    with pytest.raises(ValueError, match="untrained"):
        grown(template(), 8)


@pytest.mark.parametrize("name", ["l08", "l08_plain", "l06_taylor"])
def test_another_min_dist_leaves_the_energies(name):
    model = synthetic_mtp_model(name)
    (atoms, *_) = structures(model.species, 1)
    expected = MTP(model).get_forces(atoms)
    np.testing.assert_allclose(MTP(with_min_dist(model, 1.5)).get_forces(atoms), expected, atol=1e-7)


def test_more_species_leave_the_old_ones(truth):
    more = with_more_species(truth, ["C", "Si"])
    assert more.species == ("Si", "Ge", "C")
    (atoms, *_) = structures(truth.species, 1)
    assert MTP(more).get_potential_energy(atoms) == MTP(truth).get_potential_energy(atoms)
    atoms.symbols[0] = "C"
    frames = read_frames([frame_with(atoms)])
    assert first_model(truth, frames, 0).species == ("Si", "Ge", "C")


def frame_with(atoms):
    from ase.calculators.singlepoint import SinglePointCalculator

    labelled = atoms.copy()
    labelled.calc = SinglePointCalculator(labelled, energy=-3.0, forces=np.zeros((len(atoms), 3)))
    return labelled


@pytest.mark.parametrize("mode", ["neighborhood", "configuration"])
def test_files_hold_the_model_its_active_set_and_its_errors(frames, tmp_path, mode):
    fit = fit_mtp(template(4), frames, training=once(iterations=2), active_set=mode)
    path = tmp_path / "pot.almtp"
    fit.save(path)
    assert read_mtp(path, species=["Si", "Ge"]) == fit.model
    there = read_active_set(path)
    assert there == fit.active_set
    assert (there.site_en_weight > 0.0) == (mode == "neighborhood")
    report = json.loads((tmp_path / "pot.report.json").read_text())
    assert report["training"]["seed"] == 0
    assert report["loss"]["force"] == 0.01
    assert report["origin"]["ase-mlips"]
    assert {score["quantity"] for score in report["scores"]} == {"energy", "force", "stress"}
    assert len(fit.plot().axes) == 6


def test_a_committee_knows_where_it_is_unsure(frames):
    fits = fit_mtp_committee(template(), frames, members=2, training=once(iterations=2))
    committee = Committee([MTP(fit.model) for fit in fits])
    assert committee.get_force_deviations(frames[0].atoms).max() > 1e-6
    with pytest.raises(ValueError, match="two or more"):
        fit_mtp_committee(template(), frames, members=1)
    with ThreadPoolExecutor(2) as executor, on_executor(executor):
        elsewhere = fit_mtp_committee(template(), frames, members=2, training=once(iterations=2))
    for here, there in zip(fits, elsewhere, strict=True):
        assert np.array_equal(parameters_of(here.model), parameters_of(there.model))


def test_odd_sets_are_fitted(truth, frames):
    periodic = [frame for frame in frames if frame.stress is not None]
    few = once(iterations=2)
    one_composition = [replace(f, atoms=_recoloured(f.atoms)) for f in periodic if len(f.atoms) % 2 == 0]
    for name, members in {
        "duplicates": [periodic[0]] * 4,
        "no stress": [replace(f, stress=None) for f in periodic],
        "lone atoms too": [*periodic[:3], frames[-1]],
        "one composition": one_composition,
    }.items():
        fit = fit_mtp(template(), members, training=few)
        assert np.isfinite(fit.history["loss"]).all(), name
        assert np.isfinite(fit.model.moment_coefficients).all(), name


def test_labels_that_are_all_zero_end_the_training_at_once(frames):
    zero = [replace(frame, energy=0.0, forces=np.zeros_like(frame.forces), stress=None) for frame in frames]
    fit = fit_mtp(template(4), zero, training=once(iterations=5))
    assert fit.history["loss"][-1] == 0.0
    assert not fit.model.moment_coefficients.any()


def test_without_energies_there_is_a_warning(frames):
    forces_only = [replace(frame, energy=None, stress=None) for frame in frames]
    with pytest.warns(UserWarning, match="no training frame has an energy"):
        fit = fit_mtp(template(), forces_only, training=once(iterations=2))
    assert not fit.model.species_coefficients.any()


def _recoloured(atoms):
    copy = atoms.copy()
    copy.symbols = (["Si", "Ge"] * len(atoms))[: len(atoms)]
    return copy


def test_what_cannot_be_fitted_is_refused(frames, tmp_path):
    few = once(iterations=1)
    nan = replace(frames[0], forces=np.full_like(frames[0].forces, np.nan))
    with pytest.raises(ValueError, match="input, frame 0: expected finite labels, got another forces"):
        fit_mtp(template(), [nan, *frames[1:]], training=few)
    with pytest.raises(ValueError, match="no training frames with C"):
        fit_mtp(template(species=("Si", "Ge", "C")), frames, training=few)
    with pytest.raises(ValueError, match="Ge not among"):
        fit_mtp(template(species=("Si",)), frames, training=few)
    with pytest.raises(ValueError, match="no training frames"):
        fit_mtp(template(), [], training=few)
    with pytest.raises(ValueError, match="no frame has two atoms within the cutoff"):
        fit_mtp(template(species=("Ge",)), [frames[-1]], training=few)
    pair = read_frames([frame_with(Atoms("SiGe", [[0.0, 0.0, 0.0], [0.0, 0.0, 1e-3]]))])
    with pytest.raises(ValueError, match=r"input, frame 0: two atoms are 0\.001 A apart"):
        fit_mtp(template(), pair, training=few)
    with pytest.raises(ValueError, match="no frames of group other"):
        fit_mtp(template(), frames, loss=MlipLoss(groups={"other": (1.0, 1.0, 1.0)}), training=few)
    energies = [replace(frame, forces=None, stress=None) for frame in frames]
    with pytest.raises(ValueError, match="train: expected a label with a weight above 0"):
        fit_mtp(template(), energies, loss=MlipLoss(energy=0.0), training=few)
    with pytest.raises(ValueError, match="no such directory"):
        fit_mtp(template(), frames, training=once(checkpoint=tmp_path / "nowhere" / "state.npz"))
    with pytest.raises(ValueError, match="template: expected a level or an MtpModel, got str"):
        fit_mtp("8", frames, training=few)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: FullBatch(window=0), "window: expected at least 1, got 0"),
        (lambda: FullBatch(patience=0), "patience: expected at least 1 or None"),
        (lambda: MlipLoss(energy=-1.0), "weights of"),
        (lambda: MlipLoss(weight_scaling=3), "weight_scaling: expected 0, 1 or 2, got 3"),
        (lambda: MlipLoss(scale_by_force=-1.0), "scale_by_force"),
    ],
)
def test_settings_without_meaning_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_the_shared_loss_fits_too(frames):
    fit = fit_mtp(template(4), frames, loss=Loss(100.0, 1.0, 0.1, ridge=1e-8), training=once(iterations=2))
    assert fit.history["loss"][-1] <= fit.history["loss"][0]


@pytest.mark.parametrize("start", ["untrained", "trained"])
def test_frames_may_be_spread_over_processes(start, truth, frames, tmp_path):
    """The same loss as of all frames in one process, and the same bits in every one; the first has the checkpoint."""
    settings = FullBatch(iterations=6, starts=2, trial=2, projected=3, checkpoint=tmp_path / "0.npz")
    begin = template() if start == "untrained" else with_min_dist(truth, 0.5)
    shares = frames[::2], frames[1::2]

    def share(communicator):
        rank = communicator.Get_rank()
        own = replace(settings, checkpoint=tmp_path / f"{rank}.npz")
        return fit_mtp(begin, shares[rank], training=own, communicator=communicator)

    first, second = Ranks(2).run(share)
    assert not (tmp_path / "1.npz").exists()
    assert first.model == second.model
    assert np.array_equal(first.history["loss"], second.history["loss"])
    whole = fit_mtp(begin, frames, training=replace(settings, checkpoint=None))
    np.testing.assert_allclose(first.history["loss"][:3], whole.history["loss"][:3], rtol=1e-5, atol=1e-15)
    again, _ = Ranks(2).run(share)
    assert again.model == first.model
    with pytest.raises(ValueError, match="other frames or descriptors"):
        fit_mtp(begin, frames, training=settings)


def test_one_process_may_have_no_labels(frames):
    none = [replace(frame, energy=None, forces=None, stress=None) for frame in frames]
    settings = once(iterations=6, projected=3)
    fits = Ranks(2).run(
        lambda own: fit_mtp(template(4), (none, frames)[own.Get_rank()], training=settings, communicator=own)
    )
    whole = fit_mtp(template(4), [*none, *frames], training=settings)
    assert fits[0].model == fits[1].model
    np.testing.assert_allclose(fits[0].history["loss"][:3], whole.history["loss"][:3], rtol=1e-5, atol=1e-15)


def test_every_process_needs_frames(frames):
    shares = frames, []
    errors = Ranks(2).run(lambda own: fit_mtp(template(), shares[own.Get_rank()], communicator=own))
    assert [str(error) for error in errors] == ["train: expected frames in every process, process 1 has none"] * 2


def test_a_checkout_that_is_not_installed_has_no_version(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(full_fit, "version", missing)
    assert full_fit.provenance()["ase-mlips"] == "not installed"
