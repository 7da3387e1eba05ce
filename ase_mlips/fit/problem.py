"""What the training of a model starts from: its frames, their targets and the loss."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Generic

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..files.places import require_place
from .checkpoint import DIGESTS, HISTORY, State
from .dataset import LabelledFrame, joined, require_frames, species_of, split_frames
from .loss import Loss
from .objective import Objective, target_of
from .protocols import Model, TrainableModel
from .results import require_elements, require_labels, require_training_frames
from .shards import Shards
from .training import Schedule, Task, Training


class TrainingProblem(Generic[Model]):
    """Frames with what is wanted of them, ready for the training of one or several models of a family.

    Parameters
    ----------
    family : TrainableModel
        Its frames are those of the sets "train" and "validation", in this order.
    sets : mapping
        From `training_sets`.
    loss : Loss

    Attributes
    ----------
    family, sets, loss
        The same.
    """

    def __init__(self, family: TrainableModel[Model], sets: Mapping[str, Sequence[LabelledFrame]], loss: Loss) -> None:
        self.family, self.sets, self.loss = family, sets, loss
        self._targets = [target_of(frame, loss, family) for frame in every_frame(sets)]
        self._objective = Objective(family, self._targets)

    def task(self, training: Schedule) -> Task:
        """What the minimiser needs to train one model; ValueError if nothing is wanted of it."""
        count = len(self.sets["train"])
        counting = any(own.weights[name] > 0.0 for own in self._targets[:count] for name in own.labels)
        require_labels(counting, self._objective.shards)
        seen, judges = np.arange(count), np.arange(count, len(self._targets))
        if training.bootstrap:
            seen = np.random.default_rng((training.seed, 1)).integers(0, count, count)
        start = self.family.start(training.seed, self._constants())
        return Task(self._objective, start, seen, judges if len(judges) else seen)

    def fingerprint(self, training: Schedule) -> dict[str, Any]:
        """All that decides the result: settings, and digests of what is large (`DIGESTS`)."""
        settings = {k: v for k, v in asdict(training).items() if k not in ("checkpoint", "memory", "disk")}
        labels = [values for target in self._targets for values in target.labels.values()]
        weights = [np.array(list(target.weights.values())) for target in self._targets]
        digests = dict(zip(DIGESTS, (digest(self.family.seen()), digest(labels), digest(weights)), strict=True))
        return settings | {"training frames": len(self.sets["train"])} | digests

    def judge(self, task: Task, state: State) -> None:
        """Warn when the best parameters are worse than the constant energies that the training starts with."""
        flat = task.objective.total(self.family.flat(task.start), task.judges, gradient=False)
        least = flat.loss / flat.count
        found = state.history[state.best_epoch][HISTORY.index("validation")] if state.history else least
        if found > least > 0.0:  # zero: labels that hold nothing to learn
            warnings.warn(
                f"the best model has a loss of {found:.4g} per frame, a constant energy of each element {least:.4g}:"
                " a lower learning rate or more epochs may help",
                UserWarning,
                stacklevel=4,
            )

    def model(self, parameters: FloatArray) -> Model:
        """The model with these parameters."""
        return self.family.model(parameters)

    def _constants(self) -> FloatArray:
        """Energies of an atom that fit those of the training frames best, one for each of `family.constants`."""
        owner, elements = self.family.constants, self.family.elements
        number = int(owner.max()) + 1
        counts, energies = [], []
        for frame, target in zip(self.sets["train"], self._targets, strict=False):
            if "energy" in target.labels:
                counts.append(np.bincount(species_of(frame, elements), minlength=len(elements)))
                energies.append(target.labels["energy"])
        if not counts:
            return np.zeros(number)
        shares = np.array(counts) / np.sum(counts, axis=1, keepdims=True)
        columns = [shares[:, owner == constant].sum(axis=1) for constant in range(number)]
        constants: FloatArray = np.linalg.lstsq(np.column_stack(columns), np.concatenate(energies), rcond=1e-6)[0]
        return constants


def training_sets(
    train: Sequence[LabelledFrame],
    validation: Sequence[LabelledFrame] | float,
    *,
    elements: Sequence[str],
    loss: Loss,
    seed: int,
    shards: Shards | None = None,
) -> dict[str, Sequence[LabelledFrame]]:
    """The sets "train" and, if there are any frames in it, "validation".

    Parameters
    ----------
    train : sequence of LabelledFrame
    validation : sequence of LabelledFrame or float
        Frames, or the share of each group of `train` to set aside; 0 for none.
    elements : sequence of str
        Of the model; each must be in a training frame.
    loss : Loss
    seed : int
        Decides which frames are set aside.
    shards : Shards, optional
        The process that these frames are the share of.

    Raises
    ------
    ValueError
        No frames, something else than frames, an element without training frames or that is not among `elements`,
        weights of an unknown group or none above zero.
    """
    shards = shards or Shards()
    require_frames("train", train)
    shards.require_frames(len(train), "train")
    require_training_frames(train, loss, shards)
    if isinstance(validation, float | int):
        train, validation = split_frames(train, validation, seed=seed) if validation else (train, ())
    else:
        require_frames("validation", validation)
    shards.require_frames(len(validation), "validation", all_or_none=True)
    sets = {"train": train, "validation": validation} if validation else {"train": train}
    require_elements(every_frame(sets), elements)
    there = shards.union(symbol for frame in train for symbol in frame.atoms.get_chemical_symbols())
    if missing := [element for element in elements if element not in there]:
        raise ValueError(f"no training frames with {', '.join(missing)}")
    return sets


def network_sets(
    train: Sequence[LabelledFrame],
    validation: Sequence[LabelledFrame] | float,
    *,
    elements: Sequence[str],
    loss: Loss,
    training: Training,
) -> dict[str, Sequence[LabelledFrame]]:
    """`training_sets` of a network, which has no ridge, and whose checkpoint can be written.

    Raises
    ------
    ValueError
        From `training_sets`, a ridge, or a checkpoint without a directory.
    OSError
        The checkpoint cannot be written.
    """
    if loss.ridge > 0.0:
        raise ValueError(f"ridge: expected 0 for a network, which stops early instead, got {loss.ridge}")
    if training.checkpoint:
        require_place(training.checkpoint)
    return training_sets(train, validation, elements=elements, loss=loss, seed=training.seed)


def network_problem(
    networks: Callable[[Any, Sequence[LabelledFrame], Loss, Training, int], TrainableModel[Model]],
    template: Any,
    train: Sequence[LabelledFrame],
    *,
    validation: Sequence[LabelledFrame] | float,
    loss: Loss,
    training: Training,
) -> TrainingProblem[Model]:
    """Frames ready for the training of networks beside a linear model, see `NetworksBesideLinear`.

    `networks` makes these of the template, which has ``elements``, all frames, and the number of those for training.

    Raises
    ------
    ValueError, OSError
        From `network_sets`.
    """
    sets = network_sets(train, validation, elements=template.elements, loss=loss, training=training)
    return TrainingProblem(networks(template, every_frame(sets), loss, training, len(sets["train"])), sets, loss)


def every_frame(sets: Mapping[str, Sequence[LabelledFrame]]) -> Sequence[LabelledFrame]:
    """The frames of "train" and then those of "validation"."""
    return joined(sets["train"], sets.get("validation", ()))


def digest(arrays: Iterable[NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()
