"""Training over all frames at once, by variable projection and BFGS: stopped early, interrupted and resumed.

At first the parameters that the energy is linear in are solved for at each step, so that the loss is a function of the
others (G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973)), which leads into a good minimum.  Then all of
them go on together: a step costs a fraction, and BFGS begins with what is known of the second derivatives.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from ..arrays import FloatArray
from ..files.archive import read_arrays, read_members
from ..files.signals import SignalsLater
from ..files.text import replace_files
from .checkpoint import require_same
from .quasi_newton import Descent, Point
from .shards import Shards

HISTORY = ("loss", "validation", "evaluations", "seconds")
_KINDS = {
    "fingerprint": ("U", 0),
    **dict.fromkeys(("x", "gradient", "best"), ("f", 1)),
    **dict.fromkeys(("inverse", "history"), ("f", 2)),
    **dict.fromkeys(("value", "gain"), ("f", 0)),
    **dict.fromkeys(("fresh", "evaluations", "best_iteration"), ("i", 0)),
}


@dataclass(frozen=True, kw_only=True)
class FullBatch:
    """How a model is trained over all frames at once.

    Attributes
    ----------
    iterations : int
        At most.
    projected : int
        So many iterations solve for the linear parameters at each step; the later ones move all together, as do all
        those of a trained start.
    window, tolerance : int, float
        The training ends when that many iterations have lowered the loss by less than this share of it.  Plateaus of
        some tens of iterations are usual.
    patience : int or None
        Iterations without a better loss on the validation frames, where there are any, that end the training.  The best
        parameters are kept in any case.
    seed : int
        Of the first parameters and of the frames that are set aside for the validation.
    starts, trial : int
        The training begins from so many seeds, this one and the next; after `trial` iterations of each the best goes
        on.  A start may lead into a minimum that is much worse than that of another.
    threads : int
        The result does not depend on it.
    checkpoint : path, optional
        File that holds the state after every iteration.  If it is there, the training continues from it and ends with
        the same bits as one that was never interrupted.

    Raises
    ------
    ValueError
        Where a field has no meaning.
    """

    iterations: int = 1000
    projected: int = 10
    window: int = 100
    tolerance: float = 1e-3
    patience: int | None = 100
    seed: int = 0
    starts: int = 4
    trial: int = 10
    threads: int = 1
    checkpoint: str | Path | None = None

    def __post_init__(self) -> None:
        least = {
            "iterations": 0,
            "projected": 0,
            "window": 1,
            "tolerance": 0.0,
            "seed": 0,
            "starts": 1,
            "trial": 1,
            "threads": 1,
        }
        for name, lowest in least.items():
            if not getattr(self, name) >= lowest:
                raise ValueError(f"{name}: expected at least {lowest}, got {getattr(self, name)}")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"patience: expected at least 1 or None, got {self.patience}")

    def numbered(self, number: int) -> FullBatch:
        """The same from one start with a later seed, and with a checkpoint of its own behind the first."""
        path = Path(self.checkpoint) if self.checkpoint else None
        if path is not None and number:
            path = path.with_name(f"{path.stem}.{number}{path.suffix}")
        return replace(self, seed=self.seed + number, starts=1, checkpoint=path)


class Losses(Protocol):
    """What is minimised, as a function of the parameters: all of them (P,), or those that are not linear (C,).

    Attributes
    ----------
    shards : Shards
        The process that its frames are the share of.
    """

    shards: Shards

    def projected(self, c: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Least loss of the training frames with these (C,), its gradient (C,), and all parameters (P,) there."""

    def together(self, descent: Descent) -> Descent:
        """The descent of (C,) goes on as one of all parameters (P,)."""

    def whole(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Loss of the training frames and its gradient (P,)."""

    def value(self, x: FloatArray) -> float:
        """Loss of the training frames."""

    def judged(self, x: FloatArray) -> float:
        """Loss of the validation frames; nan without them."""

    def solved(self, x: FloatArray) -> FloatArray:
        """All parameters with the linear ones solved for once more, as well as possible."""


@dataclass
class Run:
    """Where a training stands between two iterations.

    Attributes
    ----------
    descent : Descent
        Of the parameters (C,) that are not linear, later of all (P,).
    best : (P,) array
        All parameters at the least loss of the frames that judge: those of the validation or, without them, of the
        training.
    best_iteration : int
        Row of the history, the first being the start.
    history : list of tuple
        One of `HISTORY` for the start and each iteration.
    """

    descent: Descent
    best: FloatArray
    best_iteration: int = 0
    history: list[tuple[float, ...]] = field(default_factory=list)

    @classmethod
    def begin(cls, losses: Losses, c: FloatArray) -> Run:
        """At the start."""
        started, seen = time.perf_counter(), _Seen(losses)
        descent = Descent.begin(seen, c)
        run = cls(descent, seen.all_of(c))
        run.history.append((descent.point.value, losses.judged(run.best), 1.0, time.perf_counter() - started))
        return run

    def advance(self, losses: Losses, projected: int) -> bool:
        """One iteration, of all parameters together if `projected` are done; False where there is no lower point."""
        started = time.perf_counter()
        if len(self.history) > projected and len(self.descent.point.x) < len(self.best):
            self.descent = losses.together(self.descent)
        seen = _Seen(losses) if len(self.history) <= projected else None
        descent = self.descent.step(seen or losses.whole)
        if descent is None:
            return False
        x = seen.all_of(descent.point.x) if seen else descent.point.x
        validation = losses.judged(x)
        seconds = self.history[-1][-1] + time.perf_counter() - started
        row = descent.point.value, validation, float(descent.evaluations), seconds
        with SignalsLater():
            self.descent = descent
            if _judging(row) < _judging(self.history[self.best_iteration]):
                self.best, self.best_iteration = x, len(self.history)
            self.history.append(row)
        return True

    @property
    def judgement(self) -> float:
        """The least loss of the frames that judge."""
        return _judging(self.history[self.best_iteration])

    def ended(self, settings: FullBatch) -> bool:
        """Whether nothing more is to be expected."""
        number = len(self.history) - 1
        if number >= settings.iterations:
            return True
        validated = settings.patience is not None and not np.isnan(self.history[-1][1])
        if validated and number - self.best_iteration >= (settings.patience or 0):
            return True
        if number < settings.window:
            return False
        before, now = self.history[number - settings.window][0], self.history[number][0]
        return before - now <= settings.tolerance * before

    def write(self, path: str | Path, fingerprint: Mapping[str, Any]) -> None:
        """Write a checkpoint, complete or not at all; the values of the fingerprint must fit into JSON."""
        buffer, point = io.BytesIO(), self.descent.point
        np.savez(
            buffer,
            fingerprint=json.dumps(fingerprint),
            x=point.x,
            gradient=point.gradient,
            value=point.value,
            inverse=self.descent.inverse,
            fresh=int(self.descent.fresh),
            evaluations=self.descent.evaluations,
            gain=self.descent.gain,
            best=self.best,
            best_iteration=self.best_iteration,
            history=np.array(self.history).reshape(-1, len(HISTORY)),
        )
        replace_files({str(path): buffer.getvalue()})

    @classmethod
    def read(cls, path: str | Path, fingerprint: Mapping[str, Any]) -> Run:
        """Read a checkpoint.

        Raises
        ------
        OSError
            The file cannot be read.
        ValueError
            It is damaged, no checkpoint, or has another fingerprint; the message says what differs.
        """
        try:
            members = {name.removesuffix(".npy"): data for name, data in read_members(path).items()}
            found = read_arrays(path, members, _KINDS)
            other = dict(json.loads(found["fingerprint"]))
            point = Point(found["x"].copy(), found["value"], found["gradient"].copy())
            fresh, evaluations = bool(found["fresh"]), found["evaluations"]
            descent = Descent(point, found["inverse"].copy(), fresh, evaluations, found["gain"])
            history = [tuple(row) for row in found["history"].tolist()]
            run = cls(descent, found["best"].copy(), found["best_iteration"], history)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"{path}: expected a checkpoint of a training, got another or a damaged file") from error
        require_same(path, other, fingerprint)
        return run


class _Seen:
    """The projected loss as BFGS wants it, with what was solved for at each point."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._found: dict[bytes, FloatArray] = {}

    def __call__(self, c: FloatArray) -> tuple[float, FloatArray]:
        value, gradient, self._found[c.tobytes()] = self._losses.projected(c)
        return value, gradient

    def all_of(self, c: FloatArray) -> FloatArray:
        """All parameters at a point."""
        return self._found[c.tobytes()]


def _judging(row: tuple[float, ...]) -> float:
    return row[0] if np.isnan(row[1]) else row[1]


def descend(losses: Losses, run: Run, settings: FullBatch, fingerprint: Mapping[str, Any]) -> bool:
    """Train until the end, until nothing improves, or until Ctrl-C.

    Parameters
    ----------
    losses : Losses
    run : Run
        Where to go on; it is changed.
    settings : FullBatch
    fingerprint : mapping
        Written to the checkpoint.

    Returns
    -------
    Whether Ctrl-C came.
    """
    path, done = settings.checkpoint, len(run.history) - 1
    with tqdm(total=settings.iterations, initial=done, desc="training", unit="iteration", disable=None) as bar:
        try:
            while not run.ended(settings) and run.advance(losses, settings.projected):
                if path:
                    run.write(path, fingerprint)
                bar.update()
                bar.set_postfix_str(_shown(run.history[-1]))
        except KeyboardInterrupt:
            return True
    return False


def opened(losses: Losses, start: FloatArray, settings: FullBatch, fingerprint: Mapping[str, Any]) -> Run:
    """The run that the checkpoint holds, or the beginning of one.

    Parameters
    ----------
    losses : Losses
    start : (C,) array
        First parameters, without the linear ones.
    settings : FullBatch
    fingerprint : mapping
        Stands for all that the result depends on; a checkpoint with another one is refused.

    Returns
    -------
    The same for all processes; the first one reads it.

    Raises
    ------
    ValueError
        The checkpoint is damaged or of another training.
    FloatingPointError
        The loss is not finite at the start.
    """
    run = losses.shards.read_first(settings.checkpoint, lambda path: Run.read(path, fingerprint))
    if run is None:
        run = losses.shards.of_first(Run.begin(losses, start))
    if not np.isfinite(run.history[0][0]):
        raise FloatingPointError("the loss is not finite at the start")
    return run


def finish(run: Run, losses: Losses) -> None:
    """Solve for the linear parameters of the best ones, where that makes these better."""
    last = losses.solved(run.best)
    row = losses.value(last), losses.judged(last), run.history[-1][2] + 1.0, run.history[-1][3]
    if _judging(row) < _judging(run.history[run.best_iteration]):
        with SignalsLater():
            run.best, run.best_iteration = last, len(run.history)
            run.history.append(row)


def _shown(row: tuple[float, ...]) -> str:
    validation = "" if np.isnan(row[1]) else f", validation {row[1]:.4g}"
    return f"loss {row[0]:.4g}{validation}"
