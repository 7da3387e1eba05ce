"""Neural networks on SNAP descriptors: fitting them to energies, forces and stresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..snap.model import SnapModel
from ..snap.potential import SnapPotential
from .checkpoint import HISTORY
from .dataset import FloatArray, Frame, require_frames, species_of
from .problem import NetworkProblem
from .report import Report, compare
from .snap import Loss, described, set_sizes, write_fit
from .training import Training, minimise


@dataclass(frozen=True, eq=False, repr=False)
class NetworkFit:
    """A trained model and how well it does.

    Attributes
    ----------
    model : SnapModel
        With the parameters of the epoch that had the least loss on the validation frames.
    sets : mapping
        The frames of the sets "train" and, if there are any, "validation" and "test".
    history : mapping
        For each epoch "rate" (learning rate, 0 for L-BFGS), "loss" and "validation" (per frame, of the training and
        the validation frames), and the mean absolute errors of the latter: "energy_mae" (eV/atom), "force_mae" (eV/A).
        Without validation frames the training frames stand in.
    loss : Loss
    training : Training
    interrupted : bool
        Ctrl-C ended the training.
    """

    model: SnapModel
    sets: Mapping[str, Sequence[Frame]]
    history: Mapping[str, FloatArray]
    loss: Loss
    training: Training
    interrupted: bool

    def __repr__(self) -> str:
        epochs = len(self.history["loss"])
        best = f", loss {np.min(self.history['validation']):.4g} per frame" if epochs else ""
        ended = ", interrupted" if self.interrupted else ""
        return f"NetworkFit({described(self.model)}; {set_sizes(self.sets)}; {epochs} epochs{ended}{best})"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.report._repr_html_()}"

    @cached_property
    def report(self) -> Report:
        """Errors and parity on all sets; the frames are evaluated when it is first asked for."""
        return compare(SnapPotential(self.model), self.sets)

    def save(self, path: str | Path, *, scores: bool = True) -> None:
        """Write the model as `write_snap` does and beside it ``<stem>.report.json``; all files appear at the end.

        Parameters
        ----------
        path : path
            Ends in ``.snap.npz`` (any model) or ``.mliap.model``.
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
        write_fit(path, self.model, summary)

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
        epochs = np.arange(1, 1 + len(self.history["loss"]))
        axes[0].semilogy(epochs, self.history["loss"], label="train")
        if "validation" in self.sets:
            axes[0].semilogy(epochs, self.history["validation"], label="validation")
        axes[0].legend()
        axes[0].set(xlabel="epoch", ylabel="loss per frame")
        return self.report.plot(axes[1:])


def fit_network(
    template: SnapModel,
    train: Sequence[Frame],
    *,
    validation: Sequence[Frame] | float = 0.1,
    test: Sequence[Frame] = (),
    loss: Loss | None = None,
    training: Training | None = None,
) -> NetworkFit:
    """Train a network on the descriptors of a SNAP model; Ctrl-C ends it with the best network so far.

    Parameters
    ----------
    template : SnapModel
        Everything but the coefficients, which are ignored.  Its ZBL repulsion is kept and not fitted.
    train : sequence of Frame
        From `read_frames`.
    validation : sequence of Frame or float
        Frames that choose the epoch whose parameters are kept, or the share of each group of `train` to set aside for
        that; 0 for none.
    test : sequence of Frame
        Errors on these are reported.
    loss : Loss, optional
        Weights.
    training : Training, optional

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C came before the end of the first epoch.
    ValueError
        No frames, an element without training frames or that the template lacks, a quadratic template, weights of an
        unknown group or none above zero, a ridge, two atoms on one site, no atoms within the cutoff of each other, or a
        checkpoint of another training or without a directory; found before the training.
    OSError
        The checkpoint cannot be read or written; found before the training, too.
    FloatingPointError
        The loss is no longer finite.

    Warns
    -----
    UserWarning
        When the network is worse on the validation frames than a constant energy of each element.
    """
    training = training or Training()
    problem = NetworkProblem(template, train, validation=validation, loss=loss or Loss(), training=training)
    return fit_problem(problem, training, test=test)


def fit_problem(problem: NetworkProblem, training: Training, *, test: Sequence[Frame] = ()) -> NetworkFit:
    """Train one network on frames that are described already; see `fit_network`."""
    require_frames("test", test)
    for frame in test:
        species_of(frame, problem.template.elements)
    task = problem.task(training)
    state, interrupted = minimise(task, training, problem.fingerprint(training))
    try:
        problem.judge(task, state)
    except KeyboardInterrupt:
        interrupted = True
    history = dict(zip(HISTORY, np.array(state.history).reshape(-1, len(HISTORY)).T.copy(), strict=True))
    sets = problem.sets | ({"test": test} if test else {})
    return NetworkFit(problem.model(state.best), sets, history, problem.loss, training, interrupted)
