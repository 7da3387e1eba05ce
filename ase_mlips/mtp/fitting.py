"""Training of MTP: BFGS, for which the species and moment coefficients are solved for at each step at first."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..files.places import require_place
from ..fit.committee import each_member
from ..fit.dataset import LabelledFrame, require_frames
from ..fit.full_batch import HISTORY, FullBatch, Run, descend, finish, opened
from ..fit.full_fit import FullBatchFit
from ..fit.loss import Loss
from ..fit.problem import training_sets
from ..fit.report import labels_of
from ..fit.results import require_elements, require_labels, write_fit
from ..fit.shards import Communicator, Shards
from . import MTP
from .active_set import ActiveSet
from .grade import Mode
from .growth import grown, with_min_dist, with_more_species
from .linear import RIDGE
from .loss import MlipLoss
from .losses import MtpLosses
from .model import MtpModel
from .templates import untrained
from .trainable import MtpFamily, first_parameters
from .training import Group, ParametricMtp, grouped, parameters_of, with_parameters
from .writing import write_mtp

__all__ = ["MlipLoss", "MtpFit", "fit_mtp", "fit_mtp_committee", "grown"]

CLOSEST = 0.99  # of the smallest distance in the training frames is min_dist, as in MLIP
COINCIDENT = 0.1  # A; atoms that are nearer stand on one site


@dataclass(frozen=True, eq=False, repr=False)
class MtpFit(FullBatchFit[MtpModel]):
    """A trained MTP and how well it does; further attributes as in `FullBatchFit`.

    Attributes
    ----------
    mode : {"neighborhood", "configuration"}
        Of the active set.
    """

    mode: Mode = "neighborhood"

    def save(self, path: str | Path, *, scores: bool = True) -> None:
        """Write the potential and beside it ``<stem>.report.json``; all files appear at the end.

        Parameters
        ----------
        path : path
            One that ends in ``.almtp`` gets the active set of the training frames, too.
        scores : bool
            False leaves the errors out of the report, so that a potential can be saved before it is tested.
        """
        active = self.active_set if str(path).endswith(".almtp") else None
        write_fit(path, lambda place: write_mtp(place, self.model, active), self.summary(scores=scores))

    @cached_property
    def active_set(self) -> ActiveSet:
        """The active set of the training frames, see `ase_mlips.mtp.grade.select`."""
        return MTP(self.model).select_active_set([frame.atoms for frame in self.sets["train"]], mode=self.mode)


def fit_mtp(
    template: MtpModel | int,
    train: Sequence[LabelledFrame],
    *,
    validation: Sequence[LabelledFrame] | float = 0.0,
    test: Sequence[LabelledFrame] = (),
    loss: MlipLoss | Loss | None = None,
    training: FullBatch | None = None,
    active_set: Mode = "neighborhood",
    communicator: Communicator | None = None,
) -> MtpFit:
    """Train an MTP: radial, species and moment coefficients; Ctrl-C ends it with the best parameters so far.

    Parameters
    ----------
    template : MtpModel or int
        An untrained potential, the level of one (with the elements of `train` in alphabetical order and MLIP's cutoff
        of 5 A), or a trained one to start from.  Elements that a trained one lacks are added to it.  ``min_dist``
        becomes 0.99 times the smallest distance of the training frames, as in MLIP; in a trained potential it is only
        ever lowered, which leaves its energies as they are.
    train : sequence of LabelledFrame
        From `read_frames`.
    validation : sequence of LabelledFrame or float
        Frames that choose the iteration whose parameters are kept, or the share of each group of `train` to set aside
        for that; 0 for none.
    test : sequence of LabelledFrame
        Errors on these are reported.
    loss : MlipLoss or Loss, optional
        By default MLIP's, with its weights.
    training : FullBatch, optional
    active_set : {"neighborhood", "configuration"}
        Whether atoms or configurations compete for the active set, which is selected when it is asked for.
    communicator : optional
        Of mpi4py, such as ``MPI.COMM_WORLD``, where the frames are too many for one process: each calls this function
        with its own frames, at least one, and gets the same model; its report and active set are those of its frames.
        The first one writes the checkpoint.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C came before the first parameters were evaluated.
    ValueError
        No frames, an element without training frames or that an untrained template lacks, labels that are not finite,
        weights of an unknown group or none above zero, two atoms on one site, no atoms within the cutoff of each other,
        or a checkpoint of another training or without a directory; found before the training.
    OSError
        The checkpoint cannot be read or written.
    FloatingPointError
        The loss is not finite.
    RuntimeError
        Another process of the communicator has failed; the message says which one, and why.

    Warns
    -----
    UserWarning
        Fewer labels than parameters, or no energies at all.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase.calculators.singlepoint import SinglePointCalculator
    >>> from ase_mlips import MTP, SNAP
    >>> from ase_mlips.fit import FullBatch, fit_mtp, read_frames
    >>> labelled = []
    >>> for seed in range(4):
    ...     atoms, calc = bulk("Si", cubic=True), SNAP.embedded("Si")
    ...     atoms.rattle(0.1, seed=seed)
    ...     labels = {"energy": calc.get_potential_energy(atoms), "forces": calc.get_forces(atoms)}
    ...     atoms.calc = SinglePointCalculator(atoms, **labels)
    ...     labelled.append(atoms)
    >>> fit = fit_mtp(6, read_frames(labelled), training=FullBatch(iterations=40))
    >>> bool(abs(MTP(fit.model).get_forces(atoms) - atoms.get_forces()).max() < 0.2)
    True
    """
    training, loss = training or FullBatch(), loss or MlipLoss()
    with Shards.together(communicator) as shards:
        shards.require_same(template=template, loss=loss, training=replace(training, checkpoint=None, threads=1))
        if training.checkpoint:
            require_place(training.checkpoint)
        model = first_model(template, train, training.seed, shards)
        elements = ParametricMtp(model).elements
        sets = training_sets(
            train,
            validation,
            elements=elements,
            loss=loss,  # type: ignore[arg-type]
            seed=training.seed,
            shards=shards,
        )
        require_frames("test", test)
        require_elements(test, elements)
        groups = {name: _groups(frames, model, loss) for name, frames in sets.items()}
        require_labels(any(own.weighted for own in groups["train"]), shards)
        model = _fitting_range(model, groups["train"], shards)
        _warn_of_few(sets["train"], model, shards)
        ridge = getattr(loss, "ridge", 0.0) or RIDGE
        losses = MtpLosses(model, groups, ridge=ridge, threads=training.threads, shards=shards)
        run, own, interrupted = _best_run(losses, model, training)
    sets = {**sets} | ({"test": test} if test else {})
    history = dict(zip(HISTORY, np.array(run.history).T.copy(), strict=True))
    found = with_parameters(losses.template, run.best)
    return MtpFit(found, sets, history, loss, own, interrupted, MtpFamily(found), mode=active_set)


def _best_run(losses: MtpLosses, model: MtpModel, training: FullBatch) -> tuple[Run, FullBatch, bool]:
    """Train from a trained model or from several seeds; returns the run, its settings and whether Ctrl-C came."""
    species, radial = len(model.species), slice(-losses.potential.n_linear)
    starts = 1 if model.trained else training.starts
    runs: list[tuple[Run, FullBatch, dict[str, object]]] = []
    interrupted = False
    for number in range(starts):
        own = training.numbered(number)
        if model.trained:
            own = replace(own, projected=0)
        x = parameters_of(model) if model.trained else first_parameters(model, own.seed, np.zeros(species))
        fingerprint = losses.fingerprint(x, own)
        try:
            run = opened(losses, x[radial], own, fingerprint)
            if not losses.shards.first:
                own = replace(own, checkpoint=None)
            runs.append((run, own, fingerprint))
        except KeyboardInterrupt:
            if not runs:
                raise
            interrupted = True
            break
        trial = min(own.trial, own.iterations)
        if starts > 1 and descend(losses, runs[-1][0], replace(own, iterations=trial), fingerprint):
            interrupted = True
            break
    run, own, fingerprint = min(runs, key=lambda found: found[0].judgement)
    if interrupted or descend(losses, run, own, fingerprint):
        return run, own, True
    try:
        finish(run, losses)
    except KeyboardInterrupt:
        return run, own, True
    return run, own, False


def fit_mtp_committee(
    template: MtpModel | int, train: Sequence[LabelledFrame], *, members: int = 4, **options: Any
) -> list[MtpFit]:
    """Train several MTPs that differ in their seeds; ``Committee([MTP(fit.model) for fit in fits])`` has deviations.

    Each member sets other frames aside where `validation` is a share.  A checkpoint gets the number of the member
    before its ending.  Ctrl-C ends the member that is being trained and the list.
    Within `on_executor` members are trained in parallel.

    Parameters
    ----------
    template, train
        See `fit_mtp`; the template must be untrained, or all members are the same.
    members : int
        Two or more.
    **options
        Of `fit_mtp`.

    Raises
    ------
    ValueError
        From `fit_mtp`, fewer than two members, or a trained template.
    """
    if members < 2:
        raise ValueError(f"members: expected two or more, got {members}")
    if isinstance(template, MtpModel) and template.trained:
        raise ValueError("template: expected an untrained one, else all members are the same")
    first: FullBatch = options.pop("training", None) or FullBatch()
    return each_member(_member, (template, train, first, options), members)


def _member(of_all: tuple[MtpModel | int, Sequence[LabelledFrame], FullBatch, dict[str, Any]], number: int) -> MtpFit:
    template, train, first, options = of_all
    return fit_mtp(template, train, training=first.numbered(number), **options)


def first_model(
    template: MtpModel | int, train: Sequence[LabelledFrame], seed: int, shards: Shards | None = None
) -> MtpModel:
    """The template of a level, or a trained model with the elements that the training frames have beside its own."""
    require_frames("train", train)
    there = (shards or Shards()).union(symbol for frame in train for symbol in frame.atoms.get_chemical_symbols())
    if isinstance(template, int):
        return untrained(template, there or ["H"])
    if not isinstance(template, MtpModel):
        raise ValueError(f"template: expected a level or an MtpModel, got {type(template).__name__}")
    return with_more_species(template, there, seed=seed) if template.trained else template


def _groups(frames: Sequence[LabelledFrame], model: MtpModel, loss: Loss | MlipLoss) -> list[Group]:
    """The frames with their neighbour lists, each checked."""
    for frame in frames:
        for name in ("energy", "forces", "stress"):
            if (label := getattr(frame, name)) is not None and not np.isfinite(label).all():
                raise ValueError(f"{frame.source}: expected finite labels, got another {name}")
    groups = grouped(frames, ParametricMtp(model).elements, model.max_dist, loss)
    smallest = np.concatenate([own.joined.smallest for own in groups])
    if smallest.min() < COINCIDENT:
        closest = int(np.argmin(smallest))
        raise ValueError(f"{frames[closest].source}: two atoms are {smallest[closest]:.3g} A apart")
    return groups


def _fitting_range(model: MtpModel, groups: Sequence[Group], shards: Shards) -> MtpModel:
    """The model with a `min_dist` below all distances."""
    smallest = min(shards.all_of(float(min(own.joined.smallest.min() for own in groups))))
    if not np.isfinite(smallest):
        raise ValueError(f"no frame has two atoms within the cutoff of {model.max_dist:g} A")
    if model.trained and model.min_dist <= smallest:
        return model
    return with_min_dist(model, CLOSEST * smallest)


def _warn_of_few(train: Sequence[LabelledFrame], model: MtpModel, shards: Shards) -> None:
    count = sum(shards.all_of(sum(sum(np.size(values) for values in labels_of(frame).values()) for frame in train)))
    if count < model.n_parameters:
        warnings.warn(
            f"{count} labels cannot determine {model.n_parameters} parameters: errors on the training frames will be"
            " small and those on others large; add frames or choose a lower level",
            UserWarning,
            stacklevel=3,
        )
    if all(shards.all_of(all(frame.energy is None for frame in train))):
        warnings.warn("no training frame has an energy: those of the model have no meaning", UserWarning, stacklevel=3)
