"""NEP to be fitted: network and expansion coefficients by gradients of GPUMD's loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from tqdm import tqdm

from ..arrays import FloatArray, Int64Array, IntArray
from ..engine.neighbors import NeighborList
from ..files.places import require_place
from ..fit.balanced import BalancedObjective, RmseLoss
from ..fit.checkpoint import State
from ..fit.committee import train_members
from ..fit.dataset import LabelledFrame, species_of
from ..fit.problem import TrainingProblem, every_frame, training_sets
from ..fit.report import predict
from ..fit.trained import TrainedFit
from ..fit.trained import train as train_one
from ..fit.training import Schedule, Task
from .files import looks_like_nep, read_nep, write_nep
from .gradient import EvaluatedFrames, NepGradient
from .model import NepModel
from .neighborhoods import NeighborhoodStore
from .packing import pair_cutoffs
from .potential import NepPotential
from .settings import NepSettings, read_nep_in
from .starting import Inputs, first_network, random_model, widened, with_constants

__all__ = [
    "NepFit", "NepProblem", "NepSettings", "NepTraining", "TrainableNep", "fit_nep", "fit_nep_committee", "loss_of",
    "read_nep_in",
]  # fmt: skip

_LEAST_SHARE = 1e-2  # of an element, by which compositions must differ to tell it from others
_LEAST_SPREAD = 1e-3  # eV; constants of elements that differ by less are one


@dataclass(frozen=True, kw_only=True)
class NepTraining(Schedule):
    """How a NEP potential is trained; all but these fields as in `Schedule`, with other defaults.

    Attributes
    ----------
    memory : float
        GB of neighbour lists that are kept; those of further frames are made again at each use.
    num_threads : int
        Of no influence on the result.
    """

    epochs: int = 100
    batch_size: int = 2
    learning_rate: float = 1e-2
    memory: float = 2.0
    num_threads: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.memory >= 0.0:
            raise ValueError(f"memory: expected at least 0, got {self.memory}")
        if self.num_threads < 1:
            raise ValueError(f"num_threads: expected at least 1, got {self.num_threads}")


class _Structures(Sequence[tuple[Atoms, IntArray]]):
    """Structures and types of frames, which may be lazy."""

    def __init__(self, frames: Sequence[LabelledFrame], elements: Sequence[str]) -> None:
        self._frames, self._elements = frames, elements

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, number: Any) -> Any:
        frame = self._frames[number]
        return frame.atoms, species_of(frame, self._elements)


class TrainableNep:
    """A NEP model that is trained; see `ase_mlips.fit.protocols.TrainableModel`.

    Parameters are (1, P) arrays in the order of nep.txt.

    Parameters
    ----------
    template : NepModel
        Its repulsion is kept.  Its other parameters are the start if any of them is not zero.
    frames : sequence of LabelledFrame
    training : NepTraining
    count : int
        How many of the frames, from the first on, are for training; they set the scale of the descriptors.
    """

    def __init__(
        self, template: NepModel, frames: Sequence[LabelledFrame], training: NepTraining, count: int
    ) -> None:  # fmt: skip
        if template.kind != "potential" or template.charge_mode:
            raise ValueError(f"expected a potential without charges to be trained, got {template.token}")
        self.elements, self._frames, self._train = template.elements, frames, range(count)
        potential = NepPotential(template)
        self.cutoff, self._cutoffs = potential.cutoff, pair_cutoffs(template)
        self.fresh = not np.any(template.radial)
        structures = _Structures(frames, self.elements)
        self._store = NeighborhoodStore(structures, self.cutoff, len(self.elements), training.memory * 1e9)
        model = template
        if self.fresh:
            first = random_model(template, training.seed)
            model = replace(first, scaler=self._inputs(first).scaler)
        elif template.version == 4 and self._varied():
            model = replace(template, network=widened(template.network))
        self._template = replace(model, max_neighbors=self._most_neighbors())
        self._gradient = NepGradient(replace(model, zbl=None), training.num_threads)
        self._repulsion = None if template.zbl is None else NepPotential(_silent(model))
        self._neighbors = NeighborList(self.cutoff, skin=0.0)

    def _inputs(self, model: NepModel) -> Inputs:
        return Inputs(model, self._store.batches(self._train))

    def _varied(self) -> bool:
        """Whether compositions differ, so that elements can be told apart by energies."""
        counts = [
            np.bincount(species_of(self._frames[n], self.elements), minlength=len(self.elements)) for n in self._train
        ]
        shares = np.array(counts) / np.sum(counts, axis=1, keepdims=True)
        return bool(np.ptp(shares, axis=0).max() > _LEAST_SHARE)

    def _most_neighbors(self) -> tuple[int, int]:
        """As nep.txt says it: of the training frames, within the largest radial and angular cutoffs."""
        cutoffs = [float(own.max()) for own in self._cutoffs]
        frames = tqdm(self._train, desc="finding neighbours", unit="frame", disable=None)
        most = np.array([[self._store[n].most(cutoff) for cutoff in cutoffs] for n in frames]).max(axis=0)
        return int(most[0]), int(most[1])

    @property
    def constants(self) -> Int64Array:
        """One constant for each element, but for NEP3, whose elements share a network."""
        count = len(self.elements)
        return np.zeros(count, np.int64) if self._template.version == 3 else np.arange(count)

    def ready(self, model: NepModel) -> NepPotential:
        """The model, ready to be evaluated."""
        return NepPotential(model)

    def write(self, path: Path, model: NepModel) -> None:
        """Write a nep.txt file."""
        write_nep(path, model)

    def described(self, model: NepModel) -> str:
        """The model in half a line."""
        return repr(model).removeprefix("NepModel(").removesuffix(")")

    def rest(self, frame: LabelledFrame) -> Mapping[str, FloatArray]:
        """The repulsion of the template."""
        return {} if self._repulsion is None else predict(self._repulsion, frame, self._neighbors)

    def start(self, seed: int, constants: FloatArray) -> FloatArray:
        """Random parameters whose energies are about the constants; or those of the template, shifted to the labels."""
        common, own = float(constants[0]), np.zeros(len(self.elements))
        if np.ptp(constants) > _LEAST_SPREAD:
            common = float(constants.mean())
            own = constants - common
        if not self.fresh:
            network = with_constants(self._template.network, common, own)
            return self._gradient.vector.of(replace(self._template, network=network))
        first = random_model(self._template, seed)
        inputs = self._inputs(first)
        network = with_constants(first_network(first, inputs, seed), common, own)
        return self._gradient.vector.of(replace(first, network=network))

    def first_energies(self, frames: Int64Array) -> FloatArray:
        """Energies (F,) in eV of the template, its repulsion left out."""
        parameters = self._gradient.vector.of(self._template)
        parts = [self.evaluate(parameters, frames[n : n + 16], gradient=False) for n in range(0, len(frames), 16)]
        return np.concatenate([part.energies for part in parts])

    def flat(self, parameters: FloatArray) -> FloatArray:
        """The same with expansion coefficients of zero: all atoms of an element look alike."""
        model = self._gradient.vector.model(parameters)
        network = replace(model.network, w0=np.zeros_like(model.network.w0))
        if self.fresh:
            w1 = model.network.w1.copy()
            w1[:, : w1.shape[1] - (len(self.elements) > 1)] = 0.0
            network = replace(network, w1=w1)
        return self._gradient.vector.of(replace(model, network=network))

    def evaluate(self, parameters: FloatArray, frames: Int64Array, *, gradient: bool = True) -> EvaluatedFrames:
        """Evaluate the frames of these numbers."""
        return self._gradient.evaluate(parameters, [self._store[int(number)] for number in frames])

    def model(self, parameters: FloatArray) -> NepModel:
        """The model with these parameters."""
        found, template = self._gradient.vector.model(parameters), self._template
        return replace(found, zbl=template.zbl, max_neighbors=template.max_neighbors)

    def seen(self) -> list[NDArray[Any]]:
        """Structures, and all of the template but for what is random."""
        found: list[NDArray[Any]] = []
        for frame in self._frames:
            atoms = frame.atoms
            found += [atoms.positions, atoms.cell.array, atoms.pbc, atoms.numbers]
        model = self._template
        found += [model.radial_cutoffs, model.angular_cutoffs, model.scaler, model.radial, model.network.w0]
        return [*found, np.array([str((model.token, model.l_max, model.invariants, model.zbl))])]


def _silent(model: NepModel) -> NepModel:
    """The repulsion of a model alone."""
    network = model.network
    nothing = replace(network, w0=np.zeros_like(network.w0), w1=np.zeros_like(network.w1), bias=0.0)
    if network.type_bias is not None:
        nothing = replace(nothing, type_bias=np.zeros_like(network.type_bias))
    return replace(model, network=nothing)


class NepProblem(TrainingProblem[NepModel]):
    """Frames with their neighbours, ready for the training of one or several models.

    Parameters
    ----------
    template, train, validation, loss, training
        See `fit_nep`.
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
    ) -> None:
        if training.checkpoint:
            require_place(training.checkpoint)
        sets = training_sets(train, validation, elements=template.elements, loss=loss, seed=training.seed)
        frames = every_frame(sets)
        super().__init__(TrainableNep(template, frames, training, len(sets["train"])), sets, loss)
        species = [species_of(frame, template.elements) for frame in frames]
        self._objective = BalancedObjective(self.family, self._targets, species, loss)
        self._species = species

    def judge(self, task: Task, state: State) -> None:
        """As in `TrainingProblem`, unless the training began with another potential."""
        if self.family.fresh:
            super().judge(task, state)

    def _constants(self) -> FloatArray:
        """Constants by which the training energies differ from the first model: their mean, and as little more as fits.

        Elements whose shares never change relative to each other get the same.
        """
        owner, elements = self.family.constants, len(self.family.elements)
        numbers = [n for n in range(len(self.sets["train"])) if "energy" in self._targets[n].labels]
        if not numbers:
            return np.zeros(int(owner.max()) + 1)
        counts = np.array([np.bincount(self._species[n], minlength=elements) for n in numbers])
        energies = np.array([self._targets[n].labels["energy"][0] for n in numbers])
        if not self.family.fresh:
            energies = energies - self.family.first_energies(np.array(numbers)) / counts.sum(axis=1)
        common = float(energies.mean())
        if not owner.any():
            return np.array([common])
        shares = counts / counts.sum(axis=1, keepdims=True)
        own = np.linalg.lstsq(shares - shares.mean(axis=0), energies - common, rcond=_LEAST_SHARE)[0]
        own -= shares.mean(axis=0) @ own
        constants: FloatArray = common + own
        return constants

    def fingerprint(self, training: Schedule) -> dict[str, Any]:
        """As in `TrainingProblem`; the number of threads does not matter."""
        found = super().fingerprint(training)
        del found["num_threads"]
        loss = self.loss
        assert isinstance(loss, RmseLoss)
        names = ("energy", "force", "stress", "shear", "force_delta", "first", "second")
        return found | {f"loss {name}": getattr(loss, name) for name in names} | {"types": dict(loss.type_weights)}


class NepFit(TrainedFit[NepModel]):
    """A trained NEP potential and how well it does."""


def fit_nep(
    template: NepSettings | NepModel | str | PathLike[str],
    train: Sequence[LabelledFrame],
    *,
    validation: Sequence[LabelledFrame] | float = 0.1,
    test: Sequence[LabelledFrame] = (),
    loss: RmseLoss | None = None,
    training: NepTraining | None = None,
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

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C came before the end of the first epoch.
    ValueError
        No frames, an element without training frames or that the template lacks, weights of an unknown group or none
        above zero, a model of dipoles, polarizabilities or charges, or a checkpoint of another training or without a
        directory; found before the training.
    OSError
        A file cannot be read or written; found before the training, too.
    FloatingPointError
        The loss is no longer finite.

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
    first, own, seed = _understood(template)
    training = training or NepTraining(seed=seed)
    problem = NepProblem(first, train, validation=validation, loss=loss or own, training=training)
    return _nep_fit(train_one(problem, training, test=test))


def fit_nep_committee(
    template: NepSettings | NepModel | str | PathLike[str],
    train: Sequence[LabelledFrame],
    *,
    members: int = 4,
    validation: Sequence[LabelledFrame] | float = 0.1,
    loss: RmseLoss | None = None,
    training: NepTraining | None = None,
) -> list[NepFit]:
    """Train several potentials that differ in their seeds, which count upwards from that of `training`.

    ``training.bootstrap`` lets the members see different frames, too.  A checkpoint gets the number of the member
    before its ending.  Ctrl-C ends the member that is being trained and the list.

    Parameters
    ----------
    template, train, validation, loss, training
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
    return [_nep_fit(fit) for fit in train_members(problem, members, training)]


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


def _nep_fit(fit: TrainedFit[NepModel]) -> NepFit:
    return NepFit(fit.model, fit.sets, fit.history, fit.loss, fit.training, fit.interrupted, fit.family)
