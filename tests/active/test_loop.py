"""The loop: rounds until nothing is new, in a folder from which it goes on whatever has ended it."""

import json
import pickle
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read, write
from support.killed_learning import SETTINGS, Counted, start

from ase_mlips import MTP, SNAP
from ase_mlips.active import (
    ActiveLearning,
    ActiveResult,
    ActiveRun,
    CalculatorLabeller,
    CommitteeLearner,
    FileLabeller,
    Labeller,
    MtpLearner,
    NepLearner,
    SnapLearner,
    explorers,
)
from ase_mlips.active.folder import opened
from ase_mlips.active.loop import _Task
from ase_mlips.fit import NepSettings, read_frames, snap_template

QUICK = replace(SETTINGS, temperatures=(1800.0,), max_rounds=2)


def learning(folder: Path, settings: ActiveRun = SETTINGS, labeller: Labeller | None = None) -> ActiveLearning:
    return ActiveLearning(
        folder / "run",
        MtpLearner(4, iterations=settings.iterations),
        labeller or CalculatorLabeller(Counted(folder / "calls.txt")),
        explorers=explorers(settings, [bulk("Si", cubic=True)]),
        settings=settings,
    )


def calls(folder: Path) -> int:
    return len((folder / "calls.txt").read_text().splitlines())


def data(folder: Path) -> bytes:
    return (folder / "run" / "data.extxyz").read_bytes()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Few frames say nothing about some parameters, which is in the log."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the training set of this active set|.* labels cannot determine")
        yield


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ActiveResult, list[str]]:
    """A learning that nobody has disturbed, and what it said."""
    folder = tmp_path_factory.mktemp("done")
    said: list[str] = []
    test = start()[:1]
    test[0].rattle(0.02, seed=9)
    test[0].calc = SNAP.embedded("Si")
    test[0].get_forces()
    return folder, learning(folder).run(start(), test=read_frames(test), tell=said.append), said


def test_rounds_go_on_until_nothing_is_new(done: tuple[Path, ActiveResult, list[str]]) -> None:
    folder, result, said = done
    assert (result.converged, result.waiting) == (True, False)
    assert result.reason == said[-1] == "converged: nothing was selected"
    assert len(result.rounds) > 1
    assert result.new[0] > 0 == result.new[-1]
    np.testing.assert_array_equal(result.frames, 4 + np.concatenate([[0.0], np.cumsum(result.new)[:-1]]))
    np.testing.assert_array_equal(result.labels, result.frames)
    assert result.grades[-1] <= 3.0 < result.grades[0]
    assert np.isfinite(result.test_forces).all()
    assert np.isfinite(result.new_forces[:-1]).all()
    assert np.isnan(result.new_forces[-1])
    assert calls(folder) == result.labels[-1]


def test_every_frame_says_where_it_comes_from(done: tuple[Path, ActiveResult, list[str]]) -> None:
    folder, result, _ = done
    frames = read(folder / "run" / "data.extxyz", ":")
    assert [atoms.info["round"] for atoms in frames[:4]] == [0] * 4
    for atoms in frames[4:]:
        assert atoms.info["round"] >= 1
        assert atoms.info["extrapolation_grade"] > 3.0
        assert atoms.info["temperature_K"] in SETTINGS.temperatures
        assert atoms.info["explorer"] == f"langevin of Si8, {atoms.info['temperature_K']:g} K"
    calc = SNAP.embedded("Si")
    for atoms in frames:
        np.testing.assert_allclose(atoms.get_forces(), calc.get_forces(atoms.copy()), atol=1e-6)
    model = MTP(folder / "run" / "model.almtp")
    assert model.potential.elements == ("Si",)
    assert max(model.get_extrapolation_grade(atoms).configuration for atoms in frames) <= 1.001 * (1.0 + 1e-6)
    assert len(result.rounds) == len(list((folder / "run").glob("round-*/model.almtp")))


def test_the_log_has_a_line_for_each_step(done: tuple[Path, ActiveResult, list[str]]) -> None:
    folder, result, _ = done
    rows = [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text().splitlines()]
    steps = ["train", "explore", "select", "label"]
    expected = [(0, "label")] + [(n, step) for n in range(1, len(result.rounds) + 1) for step in steps]
    assert [(row["round"], row["step"]) for row in rows] == expected[:-1]


def test_a_step_is_done_once_and_its_warnings_are_in_the_log(tmp_path: Path) -> None:
    done = []

    def work() -> dict[str, int]:
        warnings.warn("few frames", stacklevel=1)
        done.append(1)
        return {"frames": 5}

    with opened(tmp_path) as store:
        assert store.step(1, "train", lambda: None) is None
        first = store.step(1, "train", work)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"round": 2, "st')  # the process was killed
    with opened(tmp_path) as store:
        assert store.step(1, "train", work) == first
        store.step(2, "train", lambda: {})
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(row["round"], row["step"]) for row in rows] == [(1, "train"), (2, "train")]
    assert (rows[0]["frames"], rows[0]["warnings"], done) == (5, ["few frames"], [1])


def test_what_is_done_is_not_done_again(done: tuple[Path, ActiveResult, list[str]], monkeypatch) -> None:
    folder, result, _ = done
    before = {path: path.stat().st_mtime_ns for path in (folder / "run").rglob("round-*/**/*") if path.is_file()}
    with monkeypatch.context() as patch:
        patch.setattr(MtpLearner, "train", None)
        again = learning(folder).run(start())
    np.testing.assert_array_equal(again.test_forces, result.test_forces)
    assert again.reason == result.reason
    assert before == {path: path.stat().st_mtime_ns for path in before}
    with pytest.raises(ValueError, match=r"settings.json: was begun with grade_select: 3.0, and is to go on with 2.0"):
        learning(folder, replace(SETTINGS, grade_select=2.0)).run(start())
    with pytest.raises(ValueError, match=r"was begun with learner: .*MtpLearner"):
        replace(learning(folder), learner=MtpLearner(6, iterations=SETTINGS.iterations)).run(start())
    with pytest.raises(ValueError, match=r"start: .* was begun with other frames"):
        learning(folder).run(start()[1:])


def test_a_result_shows_and_keeps_itself(done: tuple[Path, ActiveResult, list[str]], tmp_path: Path) -> None:
    folder, result, _ = done
    copy = ActiveResult.load(folder / "run" / "result.npz")
    assert copy.facts() == result.facts()
    assert copy.facts()["labels"] == f"{result.labels[-1]:g}"
    assert repr(result).startswith("ActiveResult(ended: converged")
    assert "<img" in result._repr_html_()
    axes = result.plot().figure.axes
    np.testing.assert_array_equal(axes[0].lines[0].get_ydata(), result.train_forces)
    np.testing.assert_array_equal(axes[1].lines[0].get_ydata(), result.grades)
    assert [line.get_ydata()[0] for line in axes[1].lines[1:]] == [3.0, 10.0]
    assert [bar.get_height() for bar in axes[2].patches] == result.new.tolist()
    text = (folder / "run" / "report.txt").read_text()
    assert text.startswith("# ended: converged: nothing was selected\n")
    assert len(np.loadtxt(folder / "run" / "report.txt")) == len(result.rounds)
    assert (folder / "run" / "report.png").read_bytes().startswith(b"\x89PNG")


def test_several_threads_make_the_same_data(done: tuple[Path, ActiveResult, list[str]], tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as executor:
        learning(tmp_path).run(start(), executor=executor)
    assert data(tmp_path) == data(done[0])


def test_explorations_can_be_sent_to_other_processes(done: tuple[Path, ActiveResult, list[str]]) -> None:
    own = learning(done[0])
    path = done[0] / "run" / "model.almtp"
    for learner in (own.learner, CommitteeLearner(own.learner, 2)):
        pickle.loads(pickle.dumps(_Task(own.explorers[1], learner, path, (3.0, 10.0), 1.0, 5)))
    task = _Task(own.explorers[1], own.learner, path, (0.0, 1e9), 1.0, 5)
    here, there = task(), pickle.loads(pickle.dumps(task))()
    assert len(here.kept) == len(there.kept) == here.seen
    np.testing.assert_array_equal(here.kept[-1].positions, there.kept[-1].positions)


def test_labels_from_files_make_the_same_data(done: tuple[Path, ActiveResult, list[str]], tmp_path: Path) -> None:
    calc = SNAP.embedded("Si")
    for _ in range(10):
        result = learning(tmp_path, labeller=FileLabeller()).run(start())
        if not result.waiting:
            break
        assert result.reason.startswith("waiting for ")
        for path in (tmp_path / "run").rglob("structure.extxyz"):
            atoms = read(path)
            atoms.calc = calc
            atoms.get_forces()
            atoms.get_stress()
            write(path.with_name("labelled.extxyz"), atoms)
    assert result.converged
    own, other = (read_frames(folder / "run" / "data.extxyz") for folder in (tmp_path, done[0]))
    assert len(own) == len(other)
    for one, two in zip(own, other, strict=True):
        np.testing.assert_allclose(one.atoms.positions, two.atoms.positions, atol=1e-5)


def test_the_kill_signal_changes_no_frame_and_repeats_no_label(tmp_path: Path) -> None:
    program = Path(__file__).parents[1] / "support" / "killed_learning.py"
    run = subprocess.run(
        [sys.executable, str(program), str(tmp_path), "2", "1"], check=True, text=True, capture_output=True
    )
    words = dict(zip(*[iter(run.stdout.splitlines()[0].split())] * 2, strict=True))
    assert int(words["kills"]) == 2
    assert int(words["twice"]) <= 2  # one that was being made
    assert run.stdout.endswith("same data set\n")


def test_labels_end_and_more_of_them_go_on(tmp_path: Path) -> None:
    few = replace(QUICK, max_labels=5)
    result = learning(tmp_path, few).run(start())
    assert (result.converged, result.reason) == (False, "labels used up: 5 were made")
    assert calls(tmp_path) == 5
    assert len(result.rounds) == 2  # the last training knows all frames
    assert result.frames[-1] == 5
    more = learning(tmp_path, replace(few, max_labels=9)).run(start())
    assert calls(tmp_path) > 5
    assert len(more.rounds) > 2


def test_errors_within_the_target_are_enough(tmp_path: Path) -> None:
    test = start()[1:2]
    test[0].calc = SNAP.embedded("Si")
    test[0].get_forces()
    easy = replace(QUICK, target_force=10.0)
    result = learning(tmp_path, easy).run(start(), test=read_frames(test))
    assert (result.converged, result.reason) == (True, "converged: errors are within the target")
    assert len(result.rounds) == 1


def test_frames_with_labels_are_not_labelled(tmp_path: Path) -> None:
    frames = start()
    for atoms in frames[:3]:
        atoms.calc = SNAP.embedded("Si")
        atoms.get_forces()
    learning(tmp_path, replace(QUICK, target_force=100.0, max_labels=1)).run(frames)
    assert calls(tmp_path) == 1
    assert len(read(tmp_path / "run" / "data.extxyz", ":")) == 4


def test_what_cannot_be_labelled_is_left_out(tmp_path: Path) -> None:
    class Fussy(Counted):
        def calculate(self, atoms: Atoms | None = None, *args: object, **kwargs: object) -> None:
            if atoms.positions[0, 0] > 0.0 or self.path.name == "never.txt":
                raise RuntimeError("no convergence")
            super().calculate(atoms, *args, **kwargs)

    frames = [atoms.copy() for atoms in start() for _ in range(2)]
    for atoms in frames[::2]:
        atoms.positions[0, 0] = 0.02
    for atoms in frames[1::2]:
        atoms.positions[0, 0] = 0.0
    said: list[str] = []
    settings = replace(QUICK, max_labels=1)
    learning(tmp_path, settings, CalculatorLabeller(Fussy(tmp_path / "calls.txt"))).run(frames, tell=said.append)
    assert "round 0: structure 0 is left out: RuntimeError: no convergence" in said
    assert len(read(tmp_path / "run" / "data.extxyz", ":")) == 4
    with pytest.raises(ValueError, match=r"none of 8 structures could be labelled.*RuntimeError: no convergence"):
        learning(tmp_path / "b", settings, CalculatorLabeller(Fussy(tmp_path / "never.txt"))).run(frames)
    assert not list((tmp_path / "b").rglob("*.failed"))


def test_a_folder_belongs_to_one_process(done: tuple[Path, ActiveResult, list[str]]) -> None:
    with opened(done[0] / "run"), pytest.raises(OSError, match="another run"):
        learning(done[0]).run(start())


@pytest.mark.parametrize(
    "learner",
    [
        NepLearner(NepSettings(("Si",), cutoff=(4.0, 3.5), n_max=(2, 2), basis_size=(3, 3), neuron=3), epochs=3),
        SnapLearner(snap_template(["Si"], radii=[0.5], twojmax=2, rcutfac=4.0)),
    ],
    ids=["nep", "snap"],
)
def test_other_families_learn_as_well(tmp_path: Path, learner: NepLearner | SnapLearner) -> None:
    result = replace(learning(tmp_path, replace(QUICK, max_rounds=1)), learner=learner).run(start())
    assert result.labels[-1] >= 4
    calc = learner.calculator(tmp_path / "run" / f"model{learner.ending}")
    frames = read(tmp_path / "run" / "data.extxyz", ":")
    assert max(calc.get_extrapolation_grade(atoms).configuration for atoms in frames) <= 1.001 * (1.0 + 1e-6)


def test_a_committee_learns_where_its_members_differ(tmp_path: Path) -> None:
    settings = replace(QUICK, grade_select=0.05, grade_break=1.0, max_rounds=1, labels_per_round=3)
    learner = CommitteeLearner(MtpLearner(4, iterations=3), 2, per_round=3)
    result = replace(learning(tmp_path, settings), learner=learner).run(start())
    assert 1 <= result.new[0] <= 3
    assert result.grades[0] > 0.05
    names = json.loads((tmp_path / "run" / "model.committee.json").read_text())["members"]
    assert names == ["model.0.almtp", "model.1.almtp"]
    one, two = (MTP(tmp_path / "run" / name).get_forces(start()[0]) for name in names)
    assert np.abs(one - two).max() > 1e-3
    with pytest.raises(ValueError, match="members: expected two or more"):
        CommitteeLearner(learner.member, 1)
    with pytest.raises(ValueError, match="there is one best SNAP"):
        CommitteeLearner(SnapLearner(snap_template(["Si"], radii=[0.5], twojmax=2, rcutfac=4.0)), 2)
