"""The training of any model: Adam over batches, then L-BFGS over all frames; stopped early, interrupted and resumed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ..arrays import FloatArray, Int64Array
from ..files.signals import SignalsLater
from ..heads.network import ACTIVATIONS, MAX_NEURONS
from .checkpoint import State
from .objective import Objective, means, roots
from .optimisers import cosine, lbfgs

ROUND = 20  # iterations of L-BFGS that make an epoch


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How any model is trained.

    Attributes
    ----------
    epochs : int
        Times that Adam sees every training frame.
    batch_size : int
        Frames per step of Adam, of each process where the frames are spread over several.
    learning_rate, final_learning_rate : float
        At the start and at the end of Adam's epochs, half a cosine in between.
    lbfgs_steps : int
        Iterations of L-BFGS over all training frames after Adam.  20 of them count as an epoch, after which L-BFGS
        begins anew, so that a resumed training takes the same steps; for NEP each time in variables of which the
        Gauss-Newton matrix of the loss, estimated from random signs of the residuals, is about the unit matrix.
    patience : int or None
        Epochs without a better validation loss (without validation frames: training loss) after which Adam gives way
        to L-BFGS, and L-BFGS ends; None never stops early.  The best parameters are kept in any case.
    bootstrap : bool
        Train on as many frames as there are, drawn with replacement.
    seed : int
        Of the first parameters, the order of the frames and what is drawn; the same seed gives the same model.
    checkpoint : path, optional
        File that holds the state after every epoch.  If it is there, the training continues from it and ends with
        the same bits as one that was never interrupted.  More epochs are another training: the learning rate falls over
        all of them.

    Raises
    ------
    ValueError
        Where a field has no meaning.
    """

    epochs: int = 500
    batch_size: int = 8
    learning_rate: float = 3e-3
    final_learning_rate: float = 1e-5
    lbfgs_steps: int = 0
    patience: int | None = None
    bootstrap: bool = False
    seed: int = 0
    checkpoint: str | Path | None = None

    def __post_init__(self) -> None:
        _require_least(self, {"epochs": 0, "batch_size": 1, "lbfgs_steps": 0, "seed": 0})
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"patience: expected at least 1 or None, got {self.patience}")
        if not 0.0 < self.final_learning_rate <= self.learning_rate < np.inf:
            raise ValueError(
                "learning_rate: expected numbers that fall from learning_rate to final_learning_rate above 0, got"
                f" {self.learning_rate} and {self.final_learning_rate}"
            )

    @property
    def rounds(self) -> int:
        """Epochs of L-BFGS."""
        return -(-self.lbfgs_steps // ROUND)


@dataclass(frozen=True)
class Training(Schedule):
    """How networks on descriptors are made and trained; all but these fields as in `Schedule`.

    Attributes
    ----------
    hidden : tuple of int
        Nodes of the layers between the descriptors and the energy.
    activation : str
        Function of these layers, one of `ase_mlips.heads.network.ACTIVATIONS`.  "softplus" had the lower errors in our
        benchmark, but LAMMPS's ML-IAP text files cannot hold it.
    shared : bool
        One network for all elements in place of one for each.  Elements then differ by their descriptors only, and
        the training starts from one constant energy per atom for all of them.
    memory, disk : float
        GB of descriptor gradients to keep in memory and in a temporary file; see `DescribedFrames`.

    Raises
    ------
    ValueError
        Where a field has no meaning.
    """

    hidden: tuple[int, ...] = (32, 32)
    activation: str = "tanh"
    shared: bool = False
    memory: float = 2.0
    disk: float = 20.0

    def __post_init__(self) -> None:
        if not isinstance(self.hidden, Sequence):
            raise ValueError(f"hidden: expected the nodes of each layer such as (32, 32), got {self.hidden!r}")
        object.__setattr__(self, "hidden", tuple(self.hidden))
        if not all(isinstance(n, int) and 1 <= n <= MAX_NEURONS for n in self.hidden):
            raise ValueError(f"hidden: expected layers of 1 to {MAX_NEURONS} nodes, got {self.hidden}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation: expected one of {', '.join(ACTIVATIONS)}, got {self.activation!r}")
        _require_least(self, {"memory": 0.0, "disk": 0.0})
        super().__post_init__()


def _require_least(settings: Schedule, lowest: Mapping[str, float]) -> None:
    for name, least in lowest.items():
        if not getattr(settings, name) >= least:
            raise ValueError(f"{name}: expected at least {least}, got {getattr(settings, name)}")


@dataclass(frozen=True, eq=False)
class Task:
    """What is trained: a loss, the frames that are seen, and those that judge.

    Attributes
    ----------
    objective : Objective
    start : array
        First parameters.
    train, judges : int arrays
        Numbers of the frames.
    """

    objective: Objective
    start: FloatArray
    train: Int64Array
    judges: Int64Array


def minimise(task: Task, training: Schedule, fingerprint: Mapping[str, Any]) -> tuple[State, bool]:
    """Train until the end, until nothing improves, or until Ctrl-C.

    Parameters
    ----------
    task : Task
    training : Schedule
    fingerprint : mapping
        Stands for all that the result depends on; a checkpoint with another one is refused.

    Returns
    -------
    state : State
    interrupted : bool
        Ctrl-C came after at least one epoch.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C came before the end of the first epoch.
    ValueError
        The checkpoint is damaged or of another training.
    FloatingPointError
        The loss is no longer finite.
    """
    path, shards = training.checkpoint, task.objective.shards
    state = shards.read_first(path, lambda path: State.read(path, fingerprint))
    if state is None:
        state = shards.of_first(State.begin(task.start, training.seed, task.objective.beginning))
    task.objective.memory = state.memory
    total = training.epochs + training.rounds
    with tqdm(total=total, initial=len(state.history), desc="training", unit="epoch", disable=None) as bar:
        try:
            while stage := _stage(state, training):
                row = _adam(task, training, state) if stage == "adam" else _lbfgs(task, training, state)
                with SignalsLater():
                    state.memory = task.objective.memory
                    state.add(row)
                    if path and shards.first:
                        state.write(path, fingerprint)
                bar.update()
                bar.set_postfix_str(_shown(row))
        except KeyboardInterrupt:
            if not state.history:
                raise
            return state, True
        except FloatingPointError as error:
            if not state.history:
                raise
            warnings.warn(f"{error}; the best model so far is kept", RuntimeWarning, stacklevel=3)
    return state, False


def _shown(row: Sequence[float]) -> str:
    """A row of the history in short."""
    errors = "".join(
        f", {value:.3g} {unit}" for value, unit in zip(row[3:5], ("eV/atom", "eV/A"), strict=True) if np.isfinite(value)
    )
    return f"loss {row[1]:.4g}, validation {row[2]:.4g}{errors}"


def _stage(state: State, training: Schedule) -> str:
    """Which minimiser makes the next epoch; empty at the end."""
    rounds = sum(row[0] == 0.0 for row in state.history)
    epochs = len(state.history) - rounds
    since = max(state.best_epoch, epochs - 1 if rounds else -1)
    stalled = training.patience is not None and len(state.history) - 1 - since >= training.patience
    if not rounds and epochs < training.epochs and not stalled:
        return "adam"
    return "lbfgs" if rounds < training.rounds and not (rounds and stalled) else ""


def _adam(task: Task, training: Schedule, state: State) -> tuple[float, ...]:
    """One epoch of Adam; returns its row of the history.

    A step sees a batch of each process; those that have fewer frames than others have none left for the last steps.
    """
    shards, own, size = task.objective.shards, len(task.train), training.batch_size
    longest = max(shards.all_of(own))
    places = state.generator.permutation(longest)  # by all processes, whose generators remain the same
    order = task.train[places[places < own]]
    batches = [order[first : first + size] for first in range(0, longest, size)]
    steps = training.epochs * len(batches)
    loss, seen, squares = 0.0, 0, np.zeros((2, 3))
    for batch in batches:
        outcome = task.objective(state.parameters, batch)
        rate = cosine(training.learning_rate, training.final_learning_rate, state.adam.steps / steps)
        state.parameters = state.parameters + state.adam.step(outcome.gradient / outcome.count, rate)
        loss += outcome.loss
        seen += outcome.count
        squares += outcome.squares()
    ends = task.objective.penalties(state.parameters)
    return rate, loss / seen, *_judge(task, state), *roots(shards.total(squares)), *ends


def _lbfgs(task: Task, training: Schedule, state: State) -> tuple[float, ...]:
    """Up to `ROUND` iterations of L-BFGS from the best parameters; returns the row of the history."""
    shards = task.objective.shards
    left = training.lbfgs_steps - ROUND * sum(row[0] == 0.0 for row in state.history)

    def function(parameters: FloatArray) -> tuple[float, FloatArray]:
        outcome = task.objective.total(parameters, task.train)
        return outcome.loss / outcome.count, outcome.gradient / outcome.count

    if state.history and state.history[-1][0] > 0.0:
        state.parameters = state.best
    task.objective.balance(state.parameters, task.train)
    curvature = task.objective.curvature(state.parameters, task.train, state.generator)
    state.generator = shards.of_first(state.generator)
    state.parameters = lbfgs(function, state.parameters, min(ROUND, left), curvature)
    outcome = task.objective.total(state.parameters, task.train, gradient=False)
    ends = task.objective.penalties(state.parameters)
    squares = shards.total(outcome.squares())
    return 0.0, outcome.loss / outcome.count, *_judge(task, state), *roots(squares), *ends


def _judge(task: Task, state: State) -> tuple[float, ...]:
    """Loss per frame, mean absolute errors of energy and force, and root mean squares, on the frames that judge."""
    outcome = task.objective.total(state.parameters, task.judges, gradient=False)
    if not np.isfinite(outcome.loss):
        raise FloatingPointError(
            f"the loss is not finite after {len(state.history)} epochs; a lower learning_rate may help"
        )
    absolutes, squares = task.objective.shards.totals(outcome.absolutes(), outcome.squares())
    return outcome.loss / outcome.count, *means(absolutes)[:2], *roots(squares)
