"""What a training over all frames at once gives: the model, its errors, its course and where it comes from."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Generic

import numpy as np

from ..arrays import FloatArray
from .dataset import LabelledFrame
from .full_batch import FullBatch
from .protocols import Family, Model
from .report import UNITS, Report, compare
from .results import set_sizes, write_fit

_PROGRAMS = ("ase-mlips", "numpy", "numba", "scipy", "ase")


@dataclass(frozen=True, eq=False, repr=False)
class FullBatchFit(Generic[Model]):
    """A model trained over all frames at once and how well it does.

    Attributes
    ----------
    model : the family's class of models
        With the parameters that had the least loss on the validation frames; without these, on the training frames.
    sets : mapping
        The frames of the sets "train" and, if there are any, "validation" and "test".
    history : mapping
        For the start and each iteration "loss" and "validation" (per frame; nan without validation frames),
        "evaluations" of the loss and "seconds", both from the start on.
    loss : the family's class of losses
    training : FullBatch
        With the seed of the start that was the best.
    interrupted : bool
        Ctrl-C ended the training.
    family : Family
        Writes the model and makes it ready for its evaluation.
    origin : dict
        Versions of the programs, and what else the report shall tell, for example the command.
    """

    model: Model
    sets: Mapping[str, Sequence[LabelledFrame]]
    history: Mapping[str, FloatArray]
    loss: Any
    training: FullBatch
    interrupted: bool
    family: Family[Model]
    origin: dict[str, Any] = field(default_factory=lambda: provenance())

    def __repr__(self) -> str:
        ended = ", interrupted" if self.interrupted else ""
        judged = self.history["validation"] if "validation" in self.sets else self.history["loss"]
        return (
            f"{type(self).__name__}({self.family.described(self.model)}; {set_sizes(self.sets)};"
            f" {len(judged) - 1} iterations{ended}, loss {np.min(judged):.4g} per frame)"
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
        write_fit(path, lambda place: self.family.write(place, self.model), self.summary(scores=scores))

    def summary(self, *, scores: bool) -> dict[str, Any]:
        """What the report file holds."""
        kept = {name: value for name, value in asdict(self.training).items() if name != "checkpoint"}
        summary: dict[str, Any] = {
            "origin": self.origin,
            "model": self.family.described(self.model),
            "frames": {name: len(frames) for name, frames in self.sets.items()},
            "training": kept,
            "loss": asdict(self.loss),
            "interrupted": self.interrupted,
            "history": {name: [x if np.isfinite(x) else None for x in v.tolist()] for name, v in self.history.items()},
        }
        if scores:
            summary["scores"] = [asdict(score) for score in self.report.scores()]
        return summary

    def plot(self, axes: Any = None) -> Any:
        """Loss of every iteration, parity plots, and histograms of the residuals of energies and forces.

        Parameters
        ----------
        axes : six matplotlib Axes, optional

        Returns
        -------
        matplotlib Figure
        """
        if axes is None:
            import matplotlib.pyplot as plt

            _, grid = plt.subplots(2, 3, figsize=(14.0, 8.0), layout="constrained")
            axes = grid.ravel()
        iterations = np.arange(len(self.history["loss"]))
        axes[0].loglog(1 + iterations, self.history["loss"], label="train")
        if "validation" in self.sets:
            axes[0].loglog(1 + iterations, self.history["validation"], label="validation")
        axes[0].legend()
        axes[0].set(xlabel="1 + iteration", ylabel="loss per frame")
        for ax, quantity in zip(axes[4:], ("energy", "force"), strict=False):
            self._histogram(ax, quantity)
        return self.report.plot(axes[1:4])

    def _histogram(self, ax: Any, quantity: str) -> None:
        """Densities of predicted minus reference, of each set."""
        for parity in (p for p in self.report.parities if p.quantity == quantity):
            residuals = parity.predicted - parity.reference
            width = 4.0 * float(np.std(residuals)) or 1.0
            edges = np.linspace(-width, width, 61 if len(residuals) > 1000 else 21)
            ax.hist(residuals, edges, density=True, histtype="step", label=Path(parity.set).name)
        if ax.patches:
            ax.legend(fontsize="small")
        ax.set(xlabel=f"predicted - reference {quantity} ({UNITS[quantity]})", ylabel="density")


def provenance(**more: Any) -> dict[str, Any]:
    """Versions of the programs that a result depends on, and what else is given."""
    return {**{name: _version(name) for name in _PROGRAMS}, "python": platform.python_version(), **more}


def _version(program: str) -> str:
    try:
        return version(program)
    except PackageNotFoundError:  # run from a checkout
        return "not installed"
