"""NEP to be fitted: network and expansion coefficients by gradients of GPUMD's loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np

from ..arrays import FloatArray, Int64Array
from ..files.places import require_place
from ..fit.balanced import BalancedObjective, RmseLoss
from ..fit.change import Change
from ..fit.checkpoint import DIGESTS, State
from ..fit.committee import train_members
from ..fit.dataset import LabelledFrame, species_of
from ..fit.problem import TrainingProblem, every_frame, training_sets
from ..fit.report import Report, compare
from ..fit.shards import Communicator, Shards
from ..fit.trained import TrainedFit
from ..fit.trained import train as train_one
from ..fit.training import Schedule, Task
from .files import looks_like_nep, read_nep
from .fitting_responses import (
    COMPONENTS,
    TrainableResponse,
    isotropic_constants,
    response_report,
    response_targets,
)
from .model import NepModel
from .potential import NepPotential
from .settings import NepSettings, read_nep_in
from .trainable import LEAST_SHARE, NepTraining, TrainableNep

__all__ = [
    "NepFit", "NepProblem", "NepSettings", "NepTraining", "TrainableNep", "fit_nep",
    "fit_nep_committee", "loss_of", "read_nep_in",
]  # fmt: skip


class NepProblem(TrainingProblem[NepModel]):
    """Frames with their neighbours, ready for the training of one or several models.

    Parameters
    ----------
    template, train, validation, loss, training
        See `fit_nep`.
    shards : Shards, optional
        The process that these frames are the share of.
    """

    family: TrainableNep

    def __init__(
        self,
        template: NepModel,
        train: Sequence[LabelledFrame],
        *,
        validation: Sequence[LabelledFrame] | float,
        loss: RmseLoss,
        training: NepTraining,
        shards: Shards | None = None,
    ) -> None:
        self._shards = shards or Shards()
        if training.checkpoint:
            require_place(training.checkpoint)
        elements, seed = template.elements, training.seed
        sets = training_sets(train, validation, elements=elements, loss=loss, seed=seed, shards=shards)
        frames = every_frame(sets)
        family = TrainableNep if template.kind == "potential" else TrainableResponse
        super().__init__(family(template, frames, training, len(sets["train"]), self._shards), sets, loss)
        self._kind = template.kind
        if self._kind != "potential":
            self._targets = response_targets(frames, self._kind, loss)
        species = [species_of(frame, template.elements) for frame in frames]
        components = COMPONENTS[self._kind]
        self._objective = BalancedObjective(
            self.family, self._targets, species, loss, components=components, shards=self._shards
        )
        self._species = species

    def judge(self, task: Task, state: State) -> None:
        """As in `TrainingProblem`, unless the training began with another model or is not of energies."""
        if self.family.fresh and self._kind == "potential":
            super().judge(task, state)

    def _constants(self) -> FloatArray:
        """Constants by which the training energies differ from the first model: their mean, and as little more as fits.

        Elements whose shares never change relative to each other get the same.
        """
        owner, count = self.family.constants, len(self.sets["train"])
        if self._kind != "potential":
            return isotropic_constants(self._targets[:count], self._counts(range(count)), self._kind)
        numbers = [n for n in range(count) if "energy" in self._targets[n].labels]
        energies, counts = np.array([self._targets[n].labels["energy"][0] for n in numbers]), self._counts(numbers)
        if numbers and not self.family.fresh:
            energies = energies - self.family.first_energies(np.array(numbers)) / counts.sum(axis=1)
        energies, counts = map(np.concatenate, zip(*self._shards.all_of((energies, counts)), strict=True))
        if not len(energies):
            return np.zeros(int(owner.max()) + 1)
        common = float(energies.mean())
        if not owner.any():
            return np.array([common])
        shares = counts / counts.sum(axis=1, keepdims=True)
        own = np.linalg.lstsq(shares - shares.mean(axis=0), energies - common, rcond=LEAST_SHARE)[0]
        own -= shares.mean(axis=0) @ own
        constants: FloatArray = common + own
        return constants

    def _counts(self, numbers: Sequence[int]) -> Int64Array:
        """Atoms (F, E) of each element in some frames."""
        size = len(self.family.elements)
        return np.array([np.bincount(self._species[n], minlength=size) for n in numbers]).reshape(-1, size)

    def fingerprint(self, training: Schedule) -> dict[str, Any]:
        """As in `TrainingProblem`; the number of threads does not matter."""
        found = super().fingerprint(training)
        del found["num_threads"]
        parts = self._shards.all_of({name: found[name] for name in ("training frames", *DIGESTS)})
        found["training frames"] = sum(part["training frames"] for part in parts)
        found |= {name: " ".join(part[name] for part in parts) for name in DIGESTS}
        loss = self.loss
        assert isinstance(loss, RmseLoss)
        names = ("energy", "force", "stress", "shear", "force_delta", "first", "second")
        return found | {f"loss {name}": getattr(loss, name) for name in names} | {"types": dict(loss.type_weights)}


class NepFit(TrainedFit[NepModel]):
    """A trained NEP model and how well it does.

    Of dipoles and polarizabilities the report is on these, per atom, and in `history` the root mean squares
    "stress_rmse" and "train_stress_rmse" are theirs, those of energies and forces nan.
    """

    @cached_property
    def report(self) -> Report:
        """Errors and parity on all sets; the frames are evaluated when it is first asked for."""
        if self.model.kind == "potential":
            return compare(self.family.ready(self.model), self.sets)
        return response_report(NepPotential(self.model), self.sets)

    @cached_property
    def change(self) -> Change | None:
        """What was learned and forgotten; None unless the training went on from a potential."""
        family = self.family
        if not isinstance(family, TrainableNep) or family.fresh or self.model.kind != "potential":
            return None
        return Change.of(compare(family.ready(family.template), self.sets), self.report, self.sets)

    def plot(self, axes: Any = None) -> Any:
        """As `TrainedFit.plot`; of dipoles and polarizabilities there are two axes only."""
        if self.model.kind == "potential":
            return super().plot(axes)
        if axes is None:
            import matplotlib.pyplot as plt

            _, axes = plt.subplots(1, 2, figsize=(10.0, 4.0), layout="constrained")
        self.plot_history(axes[0])
        return self.report.plot(axes[1:], quantities=(self.model.kind,))


def fit_nep(
    template: NepSettings | NepModel | str | PathLike[str],
    train: Sequence[LabelledFrame],
    *,
    validation: Sequence[LabelledFrame] | float = 0.1,
    test: Sequence[LabelledFrame] = (),
    loss: RmseLoss | None = None,
    training: NepTraining | None = None,
    communicator: Communicator | None = None,
) -> NepFit:
    """Train a NEP potential by gradients; Ctrl-C ends it with the best one so far.

    Parameters
    ----------
    template : NepSettings, NepModel or path
        Hyperparameters, also as a nep.in file; or a potential, also as a nep.txt file, whose training goes on with
        other frames (fine-tuning).  Its energies are first shifted by the constants of its elements that fit those of
        `train` best, its repulsion is kept.  `NepModel.subset` leaves elements out.
    train : sequence of LabelledFrame
        From `read_frames`.
    validation : sequence of LabelledFrame or float
        Frames that choose the epoch whose parameters are kept, or the share of each group of `train` to set aside for
        that; 0 for none: the training frames stand in.
    test : sequence of LabelledFrame
        Errors on these are reported.
    loss : RmseLoss, optional
        Weights; by default those of the settings.
    training : NepTraining, optional
    communicator : optional
        Of mpi4py, such as ``MPI.COMM_WORLD``, where the frames are too many for one process: each calls this function
        with its own frames, at least one, and gets the same potential; its report is that of its frames.  A step of
        Adam sees ``batch_size`` frames of each; let all have about as many frames, since an epoch has as many steps as
        the process with most of them needs, and those that run out of frames only wait in the last ones.  The first
        one writes the checkpoint.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C came before the end of the first epoch.
    ValueError
        No frames, an element without training frames or that the template lacks, weights of an unknown group or none
        above zero, a model of charges, no frame with what the model is of, a checkpoint of another training or without
        a directory, or a communicator for a model of dipoles or polarizabilities; found before the training.
    OSError
        A file cannot be read or written; found before the training, too.
    FloatingPointError
        The loss is no longer finite.
    RuntimeError
        Another process of the communicator has failed; the message says which one, and why.

    Warns
    -----
    UserWarning
        When the potential is worse on the validation frames than a constant energy of each element.

    Examples
    --------
    >>> from ase_mlips.fit import NepSettings, NepTraining, fit_nep, read_frames
    >>> settings = NepSettings(("Si",), cutoff=(5.0, 4.5), n_max=(8, 6), basis_size=(8, 8))
    >>> frames = read_frames("train.xyz")  # doctest: +SKIP
    >>> fit = fit_nep(settings, frames, training=NepTraining(epochs=50))  # doctest: +SKIP
    >>> fit.save("nep.txt")  # doctest: +SKIP
    """
    with Shards.together(communicator) as shards:
        first, own, seed = _understood(template)
        training = training or NepTraining(seed=seed)
        if communicator is not None and first.kind != "potential":
            raise ValueError(f"communicator: expected a potential, got a {first.kind}, which is trained in one process")
        alike = replace(training, checkpoint=None, num_threads=1, memory=NepTraining.memory)
        shards.require_same(template=first, loss=loss or own, training=alike)
        problem = NepProblem(first, train, validation=validation, loss=loss or own, training=training, shards=shards)
        return NepFit.of(train_one(problem, training, test=test))


def fit_nep_committee(
    template: NepSettings | NepModel | str | PathLike[str],
    train: Sequence[LabelledFrame],
    *,
    members: int = 4,
    validation: Sequence[LabelledFrame] | float = 0.1,
    test: Sequence[LabelledFrame] = (),
    loss: RmseLoss | None = None,
    training: NepTraining | None = None,
) -> list[NepFit]:
    """Train several potentials that differ in their seeds, which count upwards from that of `training`.

    ``training.bootstrap`` lets the members see different frames, too.  A checkpoint gets the number of the member
    before its ending.  Ctrl-C ends the member that is being trained and the list.
    Within `on_executor` members are trained in parallel.

    Parameters
    ----------
    template, train, validation, test, loss, training
        See `fit_nep`.
    members : int
        Two or more.

    Raises
    ------
    ValueError
        From `fit_nep`, or fewer than two members.
    """
    if members < 2:
        raise ValueError(f"members: expected two or more, got {members}")
    first, own, seed = _understood(template)
    training = training or NepTraining(seed=seed)
    problem = NepProblem(first, train, validation=validation, loss=loss or own, training=training)
    return [NepFit.of(fit) for fit in train_members(problem, members, training, test=test)]


def _understood(template: NepSettings | NepModel | str | PathLike[str]) -> tuple[NepModel, RmseLoss, int]:
    """The first model, the loss and the seed that a template says."""
    if not isinstance(template, NepSettings | NepModel):
        template = read_nep(template) if looks_like_nep(template) else read_nep_in(template)
    if isinstance(template, NepModel):
        return template, RmseLoss(), 0
    return template.template(), loss_of(template), template.seed


def loss_of(settings: NepSettings) -> RmseLoss:
    """The loss that a nep.in file asks for."""
    return RmseLoss(
        energy=settings.lambda_e,
        force=settings.lambda_f,
        stress=settings.lambda_v,
        shear=settings.lambda_shear,
        force_delta=settings.force_delta,
        type_weights=dict(zip(settings.elements, settings.type_weight, strict=False)),
        first=settings.lambda_1,
        second=settings.lambda_2,
    )
