"""Active learning: train, explore, select, label, and again, until the model meets nothing new."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from ase_mlips.engine.neighbors import NeighborList
from ase_mlips.files.text import replace_files
from ase_mlips.fit import LabelledFrame, read_frames
from ase_mlips.runs.executors import completed
from ase_mlips.runs.provenance import provenance_of

from .exploring import Explorer, Outcome, Watch, outcome, shortest
from .folder import Record, Round, Store, frames_of, opened, require_same, write_json
from .frames import alike, errors, first_frame, in_words
from .labelling import Labeller
from .learning import Learner
from .results import ActiveResult, Ending, gathered, write_report
from .settings import ActiveRun

Tell = Callable[[str], None]

CLOSEST = 0.8  # of the smallest distance in the data
GROWTH = (
    1.3  # of the data, after which a training begins anew, too: what fits a few frames may be far from what fits all
)
_SEARCHED = 6.0  # A, up to which that distance is looked for
# What may change from one call to the next, as nothing that was done depends on it.
_FREE = (
    "final_time", "max_rounds", "max_labels", "min_share", "target_energy", "target_force", "labeller_options", "test",
    "labeller", "workers",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ActiveLearning:
    """A potential that learns from the structures which it meets, in a folder that remembers every step.

    Each round trains on all labelled frames, lets explorers run with the model, selects of what they keep, and has that
    labelled.  Whatever ends the program, the next call of `run` goes on, and no label is made twice.

    Attributes
    ----------
    folder : path
        ``data.extxyz`` has all labelled frames and where each is from, ``round-NNN`` the model, the candidates and the
        labels of a round, ``log.jsonl`` a line for each step; ``report.txt``, ``report.png`` and ``result.npz`` are
        written at the end of each call.
    learner : Learner
    labeller : Labeller
    explorers : sequence of Explorer
    final : sequence of Explorer
        Long runs, once the others find nothing; what they find is labelled, too.
    settings : ActiveRun
        Limits, rules to stop by, and the seed; explorers are what they are.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.active import ActiveLearning, ActiveRun, CalculatorLabeller, MtpLearner, explorers
    >>> cells = []
    >>> for seed in range(4):
    ...     cells.append(bulk("Si", cubic=True))
    ...     cells[-1].rattle(0.1, seed=seed)
    >>> settings = ActiveRun(temperatures=(400.0,), time=0.05, max_rounds=3, iterations=30)
    >>> learning = ActiveLearning(
    ...     "silicon", MtpLearner(4, iterations=30), CalculatorLabeller(SNAP.embedded("Si")),
    ...     explorers=explorers(settings, cells[:1]), settings=settings,
    ... )
    >>> result = learning.run(cells)
    >>> bool(result.labels[-1] >= 4)
    True
    """

    folder: str | os.PathLike[str]
    learner: Learner
    labeller: Labeller
    explorers: Sequence[Explorer]
    final: Sequence[Explorer] = ()
    settings: ActiveRun = field(default_factory=ActiveRun)

    def run(
        self,
        start: Sequence[Atoms],
        *,
        test: Sequence[LabelledFrame] = (),
        executor: Executor | None = None,
        tell: Tell | None = None,
    ) -> ActiveResult:
        """Go on from wherever the folder stands until a rule says that it is enough.

        Parameters
        ----------
        start : sequence of Atoms
            Frames of the beginning, five to ten different ones; those without labels are labelled.
        test : sequence of LabelledFrame
            Errors on these are reported; they are never trained on.
        executor : concurrent.futures.Executor, optional
            Explores and labels several structures at a time.
        tell : callable, optional
            Gets a sentence on each step.

        Raises
        ------
        ValueError
            The folder was begun with other settings, no structure can be labelled, or a result is of another one.
        OSError
            Another process works in the folder.
        KeyboardInterrupt
            Ctrl-C; everything that was complete is kept.
        """
        with opened(self.folder) as store:
            decided = plain(self.settings) | {"learner": repr(self.learner)}
            require_same(store.folder / "settings.json", decided, _FREE)
            return _Loop(self, store, test, executor, tell or (lambda sentence: None)).run(start)


@dataclass(frozen=True, eq=False)
class _Loop:
    """One call of `ActiveLearning.run`."""

    learning: ActiveLearning
    store: Store
    test: Sequence[LabelledFrame]
    executor: Executor | None
    tell: Tell

    @property
    def settings(self) -> ActiveRun:
        return self.learning.settings

    def run(self, start: Sequence[Atoms]) -> ActiveResult:
        number, ending = 0, self._begin(start)
        while ending is None:
            number += 1
            ending = self._round(number)
        if number and not ending.waiting:
            self._look_at_the_end(number)
        rounds = [self._records(n) for n in range(number + 1)]
        origin = provenance_of(None, model=str(self.store.folder), seed=self.settings.seed)
        limits = self.settings.grade_select, self.settings.grade_break
        result = gathered(rounds, ending, limits, origin)
        write_report(self.store.folder, result)
        self.tell(result.reason)
        return result

    def _records(self, number: int) -> dict[str, Record]:
        own = self.store.round(number)
        names = ("train", "explore", "final", "select", "select-final", "label")
        return {name: found for name in names if (found := own.record(name)) is not None}

    def _begin(self, start: Sequence[Atoms]) -> Ending | None:
        """Label what has no labels among the first frames."""
        own = self.store.round(0)
        if not start:
            raise ValueError("start: expected at least one structure to begin with, got none")
        first = [first_frame(atoms, f"start, frame {n}") for n, atoms in enumerate(start)]
        if not own.selected:
            own.select(first)
        elif not alike(first, own.selected):
            raise ValueError(f"start: {own.folder} was begun with other frames; choose another folder")
        return self._label(0)

    def _round(self, number: int) -> Ending | None:
        """Train, explore, select and label; the ending where it is enough."""
        frames = self.store.data(number)
        trained = self.store.step(number, "train", lambda: self._train(number, frames))
        assert trained is not None
        self._tell_training(number, trained)
        if ending := self._enough(number, len(frames), trained):
            return ending
        taken, complete = self._search(number, len(frames))
        share = taken / len(frames)
        if taken == 0 and not complete:
            return Ending("stuck: nothing to be labelled, though runs ended early, see the log", converged=False)
        if taken == 0:
            return Ending("converged: nothing was selected", converged=True)
        if share < self.settings.min_share:
            return Ending(f"converged: new frames would be {100.0 * share:.2g} % of all", converged=True)
        return self._label(number)

    def _search(self, number: int, known: int) -> tuple[int, bool]:
        """How many structures are to be labelled, and whether all explorations came to their end."""
        found = self._explore(number, "explore", self.learning.explorers)
        taken = self._select(number, "explore", "select", known)
        if taken or not found["complete"] or not self.learning.final:
            return taken, found["complete"]
        found = self._explore(number, "final", self.learning.final)
        return self._select(number, "final", "select-final", known), found["complete"]

    def _look_at_the_end(self, number: int) -> None:
        """The long runs with the last model, if they were not yet done."""
        if self.learning.final and self.store.round(number).record("final") is None:
            self._explore(number, "final", self.learning.final)

    # ---- train

    def _train(self, number: int, frames: Sequence[Atoms]) -> Record:
        own, before = self.store.round(number), self.store.round(number - 1)
        learner = self.learning.learner
        previous = before.model(learner.ending)
        train = read_frames(self.store.write_data(frames))
        trained = [record for n in range(1, number) if (record := self.store.round(n).record("train"))]
        last = max((record["frames"] for record in trained if record["afresh"]), default=0)
        afresh = len(frames) >= GROWTH * last
        start = previous if previous.exists() else None
        path = own.model(learner.ending)
        path.parent.mkdir(parents=True, exist_ok=True)
        learner.train(train, path, start=start, seed=self.settings.seed + number, afresh=afresh)
        calc = learner.calculator(path)
        files = [file for file in path.parent.iterdir() if file.name.startswith("model.")]
        replace_files({os.fspath(self.store.folder / file.name): file.read_bytes() for file in files})
        neighbors = NeighborList(_SEARCHED, skin=0.0)
        closest = min(shortest(frame.atoms, neighbors) for frame in train)
        found = {"frames": len(train), "afresh": afresh, "closest": closest if np.isfinite(closest) else 0.0}
        return found | {"train": errors(calc, train), "test": errors(calc, self.test)}

    def _tell_training(self, number: int, record: Record) -> None:
        parts = [f"{name} {in_words(found)}" for name in ("train", "test") if (found := record[name])]
        self.tell(f"round {number}: {record['frames']} frames; errors: {'; '.join(parts)}")

    def _enough(self, number: int, count: int, trained: Record) -> Ending | None:
        """The rule that ends the learning after a training, if any."""
        before = self.store.round(number - 1).record("label") or {}
        errors = trained["test"] or before.get("errors")
        wanted = {"energy": self.settings.target_energy, "force": self.settings.target_force}
        given = {name: value for name, value in wanted.items() if value is not None}
        if given and errors and all(errors.get(name, np.inf) <= value for name, value in given.items()):
            return Ending("converged: errors are within the target", converged=True)
        if self._labels(number) >= self.settings.max_labels:
            return Ending(f"labels used up: {self._labels(number)} were made", converged=False)
        if number > self.settings.max_rounds:
            return Ending(f"rounds used up: {self.settings.max_rounds} were done", converged=False)
        return None

    def _labels(self, before: int) -> int:
        """Labels that were made in the rounds before this one."""
        records = [self.store.round(number).record("label") or {} for number in range(before)]
        return sum(record.get("made", 0) for record in records)

    # ---- explore

    def _explore(self, number: int, step: str, explorers: Sequence[Explorer]) -> Record:
        found = self.store.step(number, step, lambda: self._explored(number, step, explorers))
        assert found is not None
        ended = [run for run in found["runs"] if not run["complete"]]
        for run in ended:
            self.tell(f"round {number}: {run['name']}: {run['ended']}")
        self.tell(
            f"round {number}: {len(found['runs'])} explorations, {len(ended)} ended early; largest grade"
            f" {found['largest']:.3g}, {found['candidates']} candidates"
        )
        return found

    def _explored(self, number: int, step: str, explorers: Sequence[Explorer]) -> Record:
        own = self.store.round(number)
        left = [k for k in range(len(explorers)) if not own.kept(step, k).with_suffix(".json").exists()]
        for k, result in self._outcomes(own, step, {k: explorers[k] for k in left}):
            path = own.kept(step, k)
            own.write(f"{step}/{path.name}", [_from(atoms, number, result.name) for atoms in result.kept])
            write_json(path.with_suffix(".json"), {n: v for n, v in vars(result).items() if n != "kept"})
        runs = [json.loads(own.kept(step, k).with_suffix(".json").read_text()) for k in range(len(explorers))]
        return {
            "runs": runs,
            "complete": all(run["complete"] for run in runs),
            "largest": max((run["largest"] for run in runs), default=0.0),
            "candidates": sum(len(frames_of(own.kept(step, k))) for k in range(len(explorers))),
        }

    def _outcomes(self, own: Round, step: str, explorers: Mapping[int, Explorer]) -> Iterable[tuple[int, Outcome]]:
        trained = own.record("train")
        assert trained is not None
        path, closest = own.model(self.learning.learner.ending), CLOSEST * trained["closest"]
        limits = self.settings.grade_select, self.settings.grade_break
        tasks = {
            k: _Task(explorer, self.learning.learner, path, limits, closest, self._seed(own.number, step, k))
            for k, explorer in explorers.items()
        }
        if self.executor is None:
            yield from ((k, task()) for k, task in tasks.items())
            return
        waiting = {self.executor.submit(task): k for k, task in tasks.items()}
        yield from ((k, future.result()) for k, future in completed(waiting))

    def _seed(self, number: int, step: str, k: int) -> int:
        """Of an exploration: it belongs to the round, whatever was done before."""
        words = [self.settings.seed, number, step == "final", k]
        return int(np.random.SeedSequence([int(word) for word in words]).generate_state(1)[0])

    # ---- select and label

    def _select(self, number: int, explored: str, step: str, known: int) -> int:
        """How many structures are to be labelled of those that an exploration has kept."""
        found = self.store.step(number, step, lambda: self._selected(number, explored))
        assert found is not None
        return int(found["selected"])

    def _selected(self, number: int, explored: str) -> Record:
        own = self.store.round(number)
        record = own.record(explored)
        assert record is not None
        candidates = [atoms for k in range(len(record["runs"])) for atoms in frames_of(own.kept(explored, k))]
        if not candidates:
            own.select([])
            return {"candidates": 0, "taken": 0, "selected": 0}
        calc = self.learning.learner.calculator(own.model(self.learning.learner.ending))
        room = self.settings.max_labels - self._labels(number)
        budget = min(room, self.settings.labels_per_round or room)
        chosen = self.learning.learner.select(calc, self.store.data(number), candidates, budget=budget)
        own.select([candidates[k] for k in chosen.places])
        return {"candidates": len(candidates), "taken": chosen.wanted, "selected": len(chosen)}

    def _label(self, number: int) -> Ending | None:
        """Have the structures of a round labelled; the ending where labels are waited for."""
        waits: list[str] = []
        record = self.store.step(number, "label", lambda: self._labelled(number, waits))
        if record is None:
            return Ending(waits[0], converged=False, waiting=True)
        for k, reason in record["dropped"].items():
            self.tell(f"round {number}: structure {k} is left out: {reason}")
        self.tell(f"round {number}: {record['labelled']} structures labelled")
        self.store.write_data(self.store.data(number + 1))
        return None

    def _labelled(self, number: int, waits: list[str]) -> Record | None:
        own = self.store.round(number)
        selected, labels = own.selected, own.labels
        brought = [k for k, atoms in enumerate(selected) if atoms.calc is not None]
        for k in brought:
            if k in labels.missing(len(selected)):
                labels.keep(k, selected[k])
        missing = {k: selected[k] for k in labels.missing(len(selected))}
        waits += [said for said in [self.learning.labeller.label(missing, labels, self.executor)] if said]
        if waits:
            return None
        frames, dropped = labels.frames(len(selected)), labels.reasons(len(selected))
        if not frames and (number == 0 or len(selected) > 1):
            labels.retry()  # the fault is hardly theirs
            raise ValueError(
                f"round {number}: none of {len(selected)} structures could be labelled, the first because of"
                f" {next(iter(dropped.values()))}; all of them are tried again the next time"
            )
        found: Record = {
            "labelled": len(frames),
            "made": len(frames) - len(brought),
            "dropped": {str(k): reason for k, reason in dropped.items()},
        }
        path = own.model(self.learning.learner.ending)
        if path.exists():
            calc = self.learning.learner.calculator(path)
            found["errors"] = errors(calc, read_frames(frames)) if frames else None
        return found


@dataclass(frozen=True, eq=False)
class _Task:
    """An exploration as another process can do it."""

    explorer: Explorer
    learner: Learner
    model: Path
    limits: tuple[float, float]
    closest: float
    seed: int

    def __call__(self) -> Outcome:
        calc = self.learner.calculator(self.model)
        return outcome(self.explorer, calc, Watch(calc, self.limits, self.closest), self.seed)


def plain(settings: ActiveRun) -> dict[str, Any]:
    """Settings as JSON has them."""
    return dict(json.loads(json.dumps(asdict(settings))))


def _from(atoms: Atoms, number: int, name: str) -> Atoms:
    """A candidate that says where it comes from."""
    atoms.info |= {"round": number, "explorer": name}
    return atoms
