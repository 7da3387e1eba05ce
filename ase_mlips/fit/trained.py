"""Models that were trained: what came out, and how well it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, Generic, Self

import numpy as np

from ..arrays import FloatArray
from .checkpoint import HISTORY
from .dataset import LabelledFrame, require_frames
from .loss import Loss
from .problem import TrainingProblem
from .protocols import Family, Model
from .report import Report, compare
from .results import require_elements, set_sizes, write_fit
from .training import Schedule, minimise


@dataclass(frozen=True, eq=False, repr=False)
class TrainedFit(Generic[Model]):
    """A trained model and how well it does.

    Attributes
    ----------
    model : the family's class of models
        With the parameters of the epoch that had the least loss on the validation frames.
    sets : mapping
        The frames of the sets "train" and, if there are any, "validation" and "test".
    history : mapping
        For each epoch "rate" (learning rate, 0 for L-BFGS), "loss" and "validation" (per frame, of the training and
        the validation frames), the mean absolute errors of the latter: "energy_mae" (eV/atom), "force_mae" (eV/A), and
        root mean squares of the residuals, "energy_rmse", "force_rmse", "stress_rmse", of the training frames, as they
        were seen, "train_energy_rmse" and so on; "first_penalty" and "second_penalty" are the parts of the loss that
        come from the parameters.  Without validation frames the training frames stand in.
    loss : Loss
    training : Schedule
    interrupted : bool
        Ctrl-C ended the training.
    family : Family
        Writes the model and makes it ready for its evaluation.
    """

    model: Model
    sets: Mapping[str, Sequence[LabelledFrame]]
    history: Mapping[str, FloatArray]
    loss: Loss
    training: Schedule
    interrupted: bool
    family: Family[Model]

    @classmethod
    def of(cls, fit: TrainedFit[Model]) -> Self:
        """The same as the class of a family."""
        return cls(**{own.name: getattr(fit, own.name) for own in fields(fit)})

    def __repr__(self) -> str:
        epochs = len(self.history["loss"])
        best = f", loss {np.min(self.history['validation']):.4g} per frame" if epochs else ""
        ended = ", interrupted" if self.interrupted else ""
        return (
            f"{type(self).__name__}({self.family.described(self.model)}; {set_sizes(self.sets)};"
            f" {epochs} epochs{ended}{best})"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.report._repr_html_()}"

    @cached_property
    def report(self) -> Report:
        """Errors and parity on all sets; the frames are evaluated when it is first asked for."""
        return compare(self.family.ready(self.model), self.sets)

    def save(self, path: str | Path, *, scores: bool = True) -> None:
        """Write the model and beside it ``<stem>.report.json``; all files appear at the end.

        Parameters
        ----------
        path : path
        scores : bool
            False leaves the errors out of the report, so that a model can be saved before it is tested.
        """
        kept = {name: value for name, value in asdict(self.training).items() if name != "checkpoint"}
        summary: dict[str, Any] = {
            "training": kept,
            "loss": asdict(self.loss),
            "interrupted": self.interrupted,
            "history": {name: [x if np.isfinite(x) else None for x in v.tolist()] for name, v in self.history.items()},
        }
        if scores:
            summary["scores"] = [asdict(score) for score in self.report.scores()]
        write_fit(path, lambda place: self.family.write(place, self.model), summary)

    def plot(self, axes: Any = None) -> Any:
        """Loss of every epoch, and parity plots.

        Parameters
        ----------
        axes : four matplotlib Axes, optional

        Returns
        -------
        matplotlib Figure
        """
        if axes is None:
            import matplotlib.pyplot as plt

            _, grid = plt.subplots(2, 2, figsize=(10.0, 8.0), layout="constrained")
            axes = grid.ravel()
        self.plot_history(axes[0])
        return self.report.plot(axes[1:])

    def plot_history(self, ax: Any) -> None:
        """Draw the loss of every epoch."""
        epochs = np.arange(1, 1 + len(self.history["loss"]))
        ax.semilogy(epochs, self.history["loss"], label="train")
        if "validation" in self.sets:
            ax.semilogy(epochs, self.history["validation"], label="validation")
        ax.legend()
        ax.set(xlabel="epoch", ylabel="loss per frame")


def train(
    problem: TrainingProblem[Model], training: Schedule, *, test: Sequence[LabelledFrame] = ()
) -> TrainedFit[Model]:
    """Train one model; Ctrl-C ends it with the best one so far.

    Parameters
    ----------
    problem : TrainingProblem
    training : Schedule
    test : sequence of LabelledFrame
        Errors on these are reported.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C came before the end of the first epoch.
    ValueError
        Something else than frames or an unknown element in `test`, or a checkpoint of another training.
    OSError
        The checkpoint cannot be read or written.
    FloatingPointError
        The loss is no longer finite.

    Warns
    -----
    UserWarning
        When the model is worse on the validation frames than a constant energy of each element.
    """
    require_frames("test", test)
    require_elements(test, problem.family.elements)
    task = problem.task(training)
    state, interrupted = minimise(task, training, problem.fingerprint(training))
    try:
        problem.judge(task, state)
    except KeyboardInterrupt:
        interrupted = True
    history = dict(zip(HISTORY, np.array(state.history).reshape(-1, len(HISTORY)).T.copy(), strict=True))
    sets = {**problem.sets} | ({"test": test} if test else {})
    model = problem.family.model(state.best)
    return TrainedFit(model, sets, history, problem.loss, training, interrupted, problem.family)
