"""What the training of networks on SNAP descriptors starts from, and the model that it ends with."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from ase import units
from numpy.typing import NDArray

from ..engine.neighbors import NeighborList
from ..files.places import require_place
from ..heads.network import Network, count_parameters, split_layers
from ..snap.model import SnapModel
from ..snap.potential import SnapPotential
from .checkpoint import DIGESTS, HISTORY, State
from .dataset import QUANTITIES, FloatArray, Frame, require_frames, species_of, split_frames
from .descriptors import DescribedFrames
from .design import distinct_descriptors
from .objective import Objective, Target
from .report import labels_of, predict
from .snap import Loss
from .training import Task, Training


class NetworkProblem:
    """Described frames, ready for the training of one or several networks.

    Parameters
    ----------
    template, train, validation, loss, training
        See `fit_network`.

    Attributes
    ----------
    template : SnapModel
    sets : mapping
        Frames of "train" and, if there are any, "validation".
    loss : Loss
    """

    def __init__(
        self,
        template: SnapModel,
        train: Sequence[Frame],
        *,
        validation: Sequence[Frame] | float,
        loss: Loss,
        training: Training,
    ) -> None:
        _check(template, train, loss)
        if training.checkpoint:
            require_place(training.checkpoint)
        if isinstance(validation, float | int):
            train, validation = split_frames(train, validation, seed=training.seed) if validation else (train, ())
        else:
            require_frames("validation", validation)
        self.sets = {"train": train, "validation": validation} if validation else {"train": train}
        self.loss = loss
        self._frames = [*train, *validation]
        _check_elements(template, self._frames, train)
        self._kept, self._owner = distinct_descriptors(template)
        self.template = replace(
            template, coefficients=np.zeros((len(template.elements), 1 + template.n_descriptors)), network=None
        )
        potential = SnapPotential(self.template)
        bounds = {"memory": training.memory, "disk": training.disk}
        self._data = DescribedFrames(potential, self._frames, kept=self._kept, **bounds)
        self._targets = [_target(potential, frame, loss) for frame in self._frames]
        self._architecture = self._normalised(training, len(train))
        self._objective = Objective(self._data, self._targets, self._architecture)

    def task(self, training: Training) -> Task:
        """What the minimiser needs to train one network."""
        count = len(self.sets["train"])
        seen, judges = np.arange(count), np.arange(count, len(self._frames))
        if training.bootstrap:
            seen = np.random.default_rng((training.seed, 1)).integers(0, count, count)
        return Task(self._objective, self._start(training.seed), seen, judges if len(judges) else seen)

    def fingerprint(self, training: Training) -> dict[str, Any]:
        """All that decides the result: settings, and digests of what is large (`DIGESTS`)."""
        settings = {k: v for k, v in asdict(training).items() if k not in ("checkpoint", "memory", "disk")}
        labels = [values for target in self._targets for values in target.labels.values()]
        weights = [np.array(list(target.weights.values())) for target in self._targets]
        described: list[NDArray[Any]] = [self._data.descriptors, self._data.species, self._data.start]
        digests = dict(zip(DIGESTS, (_digest(described), _digest(labels), _digest(weights)), strict=True))
        return settings | {"training frames": len(self.sets["train"])} | digests

    def judge(self, task: Task, state: State) -> None:
        """Warn when the best parameters are worse than the constant energies that the training starts with."""
        layers = split_layers(constant := task.start.copy(), self._architecture.sizes)
        layers[-1][0][:] = 0.0
        least = task.objective.total(constant, task.judges, gradient=False).loss / len(task.judges)
        found = state.history[state.best_epoch][HISTORY.index("validation")] if state.history else least
        if found > least > 0.0:  # zero: labels that hold nothing to learn
            warnings.warn(
                f"the best network has a loss of {found:.4g} per frame, a constant energy of each element {least:.4g}:"
                " a lower learning rate or more epochs may help",
                UserWarning,
                stacklevel=4,
            )

    def _normalised(self, training: Training, train: int) -> Network:
        """The architecture, with mean and standard deviation of the descriptors of the training frames."""
        data = self._data
        atoms = slice(0, int(data.start[train]))
        networks = 1 if training.shared else len(self.template.elements)
        owners = np.zeros_like(data.species) if training.shared else data.species
        K = data.descriptors.shape[1]
        shift, scale = np.empty((networks, K)), np.empty((networks, K))
        for owner in range(networks):
            own = data.descriptors[atoms][owners[atoms] == owner]
            shift[owner], scale[owner] = own.mean(axis=0), own.std(axis=0)
            # a descriptor that never changes says nothing, and its rounding errors must not be blown up
            scale[owner, scale[owner] <= 1e-10 * np.abs(own).max(axis=0)] = 1.0
        sizes = (K, *training.hidden, 1)
        activations = (*[training.activation] * len(training.hidden), "linear")
        return Network(sizes, activations, np.zeros((networks, count_parameters(sizes))), shift, scale)

    def _start(self, seed: int) -> FloatArray:
        """Random weights; the last biases are the constants that fit the energies best."""
        generator = np.random.default_rng(seed)
        parameters = np.zeros_like(self._architecture.parameters)
        layers = split_layers(parameters, self._architecture.sizes)
        for weights, _ in layers:
            weights[:] = generator.normal(0.0, weights.shape[2] ** -0.5, weights.shape)
        elements = self.template.elements
        frames = [n for n, frame in enumerate(self.sets["train"]) if frame.energy is not None]
        if not frames:
            return parameters
        counts = np.array([np.bincount(species_of(self._frames[n], elements), minlength=len(elements)) for n in frames])
        shares = counts / counts.sum(axis=1, keepdims=True)
        if len(parameters) == 1:
            shares = shares.sum(axis=1, keepdims=True)
        energies = np.concatenate([self._targets[n].labels["energy"] for n in frames])
        layers[-1][1][:, 0] = np.linalg.lstsq(shares, energies, rcond=1e-6)[0]
        return parameters

    def model(self, parameters: FloatArray) -> SnapModel:
        """The template with a network; descriptors that are always equal share a weight."""
        architecture, owner = self._architecture, self._owner
        sizes = (len(owner), *architecture.sizes[1:])
        first, rest = sizes[1] * (architecture.sizes[0] + 1), len(parameters)
        block = parameters[:, :first].reshape(rest, sizes[1], -1)
        weights = block[:, :, 1:][:, :, owner] / np.bincount(owner)[owner]
        spread = np.concatenate([block[:, :, :1], weights], axis=2).reshape(rest, -1)
        network = Network(
            sizes,
            architecture.activations,
            np.concatenate([spread, parameters[:, first:]], axis=1),
            architecture.shift[:, owner],
            architecture.scale[:, owner],
        )
        return replace(self.template, coefficients=np.zeros((len(self.template.elements), 0)), network=network)


def _digest(arrays: Iterable[NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()


def _check(template: SnapModel, train: Sequence[Frame], loss: Loss) -> None:
    require_frames("train", train)
    if not train:
        raise ValueError("no training frames")
    if template.quadraticflag:
        raise ValueError("quadraticflag: expected 0 in the template of a network, got 1")
    if loss.ridge > 0.0:
        raise ValueError(f"ridge: expected 0 for a network, which stops early instead, got {loss.ridge}")
    loss.check_groups({frame.group for frame in train})


def _check_elements(template: SnapModel, frames: Sequence[Frame], train: Sequence[Frame]) -> None:
    for frame in frames:
        species_of(frame, template.elements)
    there = {symbol for frame in train for symbol in frame.atoms.get_chemical_symbols()}
    if missing := [element for element in template.elements if element not in there]:
        raise ValueError(f"no training frames with {', '.join(missing)}")


def _target(potential: SnapPotential, frame: Frame, loss: Loss) -> Target:
    """Labels of a frame less the repulsion of the template."""
    labels = labels_of(frame)
    if potential.model.zbl is not None:
        rest = predict(potential, frame, NeighborList(potential.cutoff, skin=0.0))
        labels = {quantity: values - rest[quantity] for quantity, values in labels.items()}
    weights = {quantity: loss.weight(frame.group, quantity) for quantity in QUANTITIES}
    return Target(labels, weights, frame.atoms.get_volume() * units.GPa if "stress" in labels else 1.0)
