"""The loss of a trainable model over labelled frames, and its gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import units
from ase.stress import full_3x3_to_voigt_6_stress

from ..arrays import FloatArray, Int64Array
from .dataset import QUANTITIES, LabelledFrame
from .loss import Loss
from .protocols import Evaluated, Slopes, TrainableModel
from .report import labels_of
from .shards import Shards

_VOIGT_SHARE = np.array([1.0, 1.0, 1.0, 0.5, 0.5, 0.5])  # of each of the two elements of the tensor

_FRAMES = 16


@dataclass(frozen=True)
class Target:
    """What one frame is fitted to.

    Attributes
    ----------
    labels : dict
        As from `labels_of`, less what the model has beside its parameters.
    weights : dict
        Weight of the residuals of each quantity.
    volume : float
        In eV/GPa; not used where there is no stress.
    """

    labels: dict[str, FloatArray]
    weights: dict[str, float]
    volume: float


@dataclass(frozen=True)
class Outcome:
    """Sums over frames.

    Attributes
    ----------
    loss : float
        Sum of the squares of weight times residual.
    gradient : array
        Its derivatives with respect to the parameters; zero where they were not asked for.
    count : int
        Of these frames, those of other processes included.
    residuals : mapping
        Prediction minus label of each quantity, in the units of `labels_of`, of the frames of this process.
    sums : (2, 3) array, optional
        What `squares` gives, if it is known.
    """

    loss: float
    gradient: FloatArray
    count: int
    residuals: Mapping[str, FloatArray]
    sums: FloatArray | None = None

    def absolutes(self) -> FloatArray:
        """Sum of the absolute residuals of each quantity, and their numbers, (2, 3)."""
        values = [self.residuals[quantity] for quantity in QUANTITIES]
        return np.array([[np.abs(own).sum() for own in values], [own.size for own in values]])

    def squares(self) -> FloatArray:
        """Sum of the squares of the residuals of each quantity, and their numbers, (2, 3)."""
        if self.sums is not None:
            return self.sums
        values = [self.residuals[quantity] for quantity in QUANTITIES]
        return np.array([[own @ own for own in values], [own.size for own in values]])


def means(sums: FloatArray) -> tuple[float, ...]:
    """Means from sums of `Outcome.absolutes` or `Outcome.squares`; nan where there are no residuals."""
    return tuple(float(total / count) if count else float("nan") for total, count in sums.T)


def roots(squares: FloatArray) -> tuple[float, ...]:
    """Root mean squares from sums of `Outcome.squares`; nan where there are no residuals."""
    return tuple(math.sqrt(mean) for mean in means(squares))


class Objective:
    """Loss of a trainable model; its parameters are the argument.

    Parameters
    ----------
    model : TrainableModel
    targets : sequence of Target
        One for each of the frames of the model.

    Attributes
    ----------
    shards : Shards
        The process that these frames are the share of; the only one here.
    beginning : (1, m) array
        What `memory` is before the first step.
    memory : (1, m) array
        What the loss of a batch depends on beside the parameters; none here.  A checkpoint holds it.
    """

    def __init__(self, model: TrainableModel[Any], targets: Sequence[Target]) -> None:
        self._model = model
        self._targets = targets
        self.shards = Shards()
        self.beginning: FloatArray = np.zeros((1, 0))
        self.memory = self.beginning

    def __call__(self, parameters: FloatArray, frames: Sequence[int] | Int64Array, *, gradient: bool = True) -> Outcome:
        """The loss of some frames.

        Parameters
        ----------
        parameters : array
            As from `TrainableModel.start`.
        frames : sequence of int
        gradient : bool
            False saves the derivatives.
        """
        found = self._model.evaluate(parameters, np.asarray(frames, dtype=np.int64), gradient=gradient)
        slopes = Slopes(np.zeros(len(frames)), [np.zeros_like(forces) for forces in found.forces],
                        np.zeros((len(frames), 3, 3)))  # fmt: skip
        loss = 0.0
        residuals: dict[str, list[FloatArray]] = {quantity: [] for quantity in QUANTITIES}
        for place, number in enumerate(frames):
            target = self._targets[number]
            for quantity, values in _residuals(found, place, target).items():
                loss += float(np.sum((target.weights[quantity] * values) ** 2))
                residuals[quantity].append(values)
                _steepen(slopes, place, target, quantity, values)
        joined = {quantity: np.concatenate(parts or [np.zeros(0)]) for quantity, parts in residuals.items()}
        slope = found.gradient(slopes) if gradient else np.zeros_like(parameters)
        return Outcome(loss, slope, len(frames), joined)

    def total(self, parameters: FloatArray, frames: Sequence[int] | Int64Array, *, gradient: bool = True) -> Outcome:
        """The same for any number of frames, a few at a time for the sake of memory."""
        parts = [
            self(parameters, frames[first : first + _FRAMES], gradient=gradient)
            for first in range(0, len(frames), _FRAMES)
        ]
        residuals = {quantity: np.concatenate([part.residuals[quantity] for part in parts]) for quantity in QUANTITIES}
        slope = np.sum([part.gradient for part in parts], axis=0)
        return Outcome(sum(part.loss for part in parts), slope, len(frames), residuals)

    def penalties(self, parameters: FloatArray) -> tuple[float, float]:
        """Parts of the loss that depend on the parameters alone, of first and of second order; none here."""
        return 0.0, 0.0

    def curvature(self, parameters: FloatArray, frames: Int64Array, rng: np.random.Generator) -> FloatArray | None:
        """About the second derivatives (P, P) of the loss of these frames per frame; None where there are none."""
        return None

    def balance(self, parameters: FloatArray, frames: Int64Array) -> None:
        """Make `memory` fit the parameters, before a minimisation over these frames; nothing to do here."""


def _residuals(found: Evaluated, place: int, target: Target) -> dict[str, FloatArray]:
    """Prediction minus label of each quantity of one of the frames."""
    forces, strain = found.forces[place], found.strains[place]
    predicted = {"energy": np.array([found.energies[place] / len(forces)]), "force": forces.ravel()}
    if "stress" in target.labels:
        predicted["stress"] = full_3x3_to_voigt_6_stress(0.5 * (strain + strain.T)) / target.volume
    return {quantity: predicted[quantity] - label for quantity, label in target.labels.items()}


def _steepen(slopes: Slopes, place: int, target: Target, quantity: str, residuals: FloatArray) -> None:
    """Write the derivatives of the loss of one frame by one of its quantities."""
    steep = 2.0 * target.weights[quantity] ** 2 * residuals
    if quantity == "energy":
        slopes.energies[place] = steep[0] / len(slopes.forces[place])
    elif quantity == "force":
        slopes.forces[place][:] = steep.reshape(-1, 3)
    else:
        xx, yy, zz, yz, xz, xy = steep * _VOIGT_SHARE / target.volume
        slopes.strains[place] = [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]


def target_of(frame: LabelledFrame, loss: Loss, model: TrainableModel[Any]) -> Target:
    """Labels of a frame less what the model has beside its parameters, with their weights."""
    labels = labels_of(frame)
    if rest := model.rest(frame):
        labels = {quantity: values - rest[quantity] for quantity, values in labels.items()}
    weights = {quantity: loss.of(frame, quantity) for quantity in QUANTITIES}
    return Target(labels, weights, frame.atoms.get_volume() * units.GPa if "stress" in labels else 1.0)
