"""The losses of an MTP's training: of all parameters, and with the linear ones solved for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..fit.full_batch import FullBatch
from ..fit.problem import digest
from ..fit.quasi_newton import Descent, Point
from ..fit.shards import Shards
from .growth import SPREAD
from .linear import RIDGE, Block, block, solved
from .model import MtpModel
from .trainable import seen
from .training import FrameLoss, Group, ParametricMtp

STEP, FLAT = 1e-6, 1e-4  # of differences of the gradient; least curvature in terms of the largest
SAMPLE = 5  # groups of frames suffice for second derivatives


class MtpLosses:
    """The losses of the training and validation frames of an MTP; see `ase_mlips.fit.full_batch.Losses`.

    Parameters
    ----------
    template : MtpModel
    groups : mapping
        Frames of "train" and, if there are any, "validation".
    ridge : float
        Of the linear parameters, see `ase_mlips.mtp.linear.solved`.
    threads : int
    shards : Shards, optional
        The process that these frames are the share of.
    """

    def __init__(
        self,
        template: MtpModel,
        groups: Mapping[str, Sequence[Group]],
        *,
        ridge: float = RIDGE,
        threads: int = 1,
        shards: Shards | None = None,
    ) -> None:
        self.shards = shards or Shards()
        self.potential = ParametricMtp(template)
        self.template, self._groups, self._ridge = self.potential.model, groups, ridge
        self._losses = {
            name: FrameLoss(self.potential, own, threads=threads, shards=shards) for name, own in groups.items()
        }
        self._last: tuple[bytes, Block] | None = None
        # without a label, which only other processes have, any frame will do
        weighted = [own for own in groups["train"] if own.weighted] or groups["train"][:1]
        self._sample = FrameLoss(
            self.potential, weighted[:: max(1, len(weighted) // SAMPLE)], threads=threads, shards=shards
        )

    def projected(self, c: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Least loss of the training frames with these radial coefficients, its gradient, and all parameters."""
        loss = self._losses["train"]
        x = np.concatenate([c, np.zeros(self.potential.n_linear)])
        try:
            own = self._block(x)
        except FloatingPointError:  # a step that was far too long: the next one will be shorter
            return np.inf, np.full(len(c), np.nan), x
        x[len(c) :] = own.solve(own.target)
        value, gradient = loss(x)
        return value, gradient[: len(c)], x

    def _block(self, x: FloatArray) -> Block:
        """That of the training frames; the last one is kept."""
        radial = x[: -self.potential.n_linear].tobytes()
        if self._last is None or self._last[0] != radial:
            self._last = radial, block(self._losses["train"], x, ridge=self._ridge)
        return self._last[1]

    def together(self, descent: Descent) -> Descent:
        """The descent of the radial coefficients goes on as one of all parameters, with their second derivatives."""
        c, loss = descent.point.x, self._losses["train"]
        x = np.concatenate([c, np.zeros(self.potential.n_linear)])
        own = self._block(x)
        x[len(c) :] = own.solve(own.target)
        inverse = self._inverse(x, len(c), own)
        return Descent(Point(x, *loss(x)), inverse, False, descent.evaluations + 2, descent.gain)

    def _inverse(self, x: FloatArray, size: int, own: Block) -> FloatArray:
        """A positive matrix (P, P) like the inverse of the second derivatives of the loss.

        That of the linear parameters is known; that of the `size` radial ones, with the linear ones at their best, has
        the eigenvectors of the second derivatives, from some of the frames, and the absolute values of their
        eigenvalues, of which none is small.
        """
        _, here = self._sample(x)
        rows = np.empty((size, len(x)))
        for k, step in enumerate(STEP * np.maximum(np.abs(x[:size]), SPREAD / self.template.scaling)):
            moved = x.copy()
            moved[k] += step
            rows[k] = (self._sample(moved)[1] - here) / step
        # how the best linear parameters change, with the other sign
        follow = 0.5 * block(self._sample, x, ridge=self._ridge).solve(rows[:, size:].T)
        curved = rows[:, :size] - rows[:, size:] @ follow
        values, directions = np.linalg.eigh(0.5 * (curved + curved.T))
        values = np.maximum(np.abs(values), FLAT * np.abs(values).max(initial=0.0) or 1.0)
        moves = np.concatenate([directions, -follow @ directions]).T
        inverse: FloatArray = moves.T @ (moves / values[:, None])
        inverse[size:, size:] += 0.5 * own.solve(np.eye(len(x) - size))
        return inverse

    def whole(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Loss of the training frames and its gradient."""
        return self._losses["train"](x)

    def value(self, x: FloatArray) -> float:
        """Loss of the training frames."""
        return self._losses["train"].value(x)

    def judged(self, x: FloatArray) -> float:
        """Loss of the validation frames; nan without them."""
        return self._losses["validation"].value(x) if "validation" in self._losses else float("nan")

    def solved(self, x: FloatArray) -> FloatArray:
        """The parameters with the best species and moment coefficients."""
        return solved(self._losses["train"], x, ridge=self._ridge)

    def fingerprint(self, start: FloatArray, settings: FullBatch) -> dict[str, object]:
        """All that decides the result but the length of the training."""
        groups = [own for groups in self._groups.values() for own in groups]
        labels = [part for own in groups for part in (own.energies, own.forces, own.virials)]
        weights = [part for own in groups for part in (own.energy_weights, own.force_weights, own.virial_weights)]
        return {
            "seed": settings.seed,
            "projected": settings.projected,
            "training frames": self._losses["train"].count,
            "frames or descriptors": self._digest([*seen(self.template, groups), start]),
            "labels": self._digest(labels),
            "weights": self._digest(weights),
        }

    def _digest(self, arrays: Sequence[NDArray[Any]]) -> str:
        return " ".join(self.shards.all_of(digest(arrays)))
