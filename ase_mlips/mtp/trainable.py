"""MTP as the protocols of `ase_mlips.fit` want a family: `TrainableModel`, `PartlyLinearModel` and `LinearModel`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import units
from numpy.typing import NDArray

from ..arrays import BoolArray, FloatArray, Int64Array
from ..engine.threads import scratch
from ..fit.dataset import LabelledFrame
from ..fit.linear import Solution
from ..fit.loss import Loss
from ..fit.protocols import Slopes
from ..fit.report import labels_of
from . import kernels_training
from .growth import SPREAD
from .linear import VOIGT, basis_derivatives
from .model import MtpModel
from .potential import MtpPotential
from .training import Group, ParametricMtp, field_of, group, joined_groups, with_parameters
from .writing import write_mtp


class MtpFamily:
    """What fits ask of models of any kind; see `ase_mlips.fit.protocols.Family`.

    Parameters
    ----------
    template : MtpModel
        Its coefficients, if there are any, are not used.
    """

    def __init__(self, template: MtpModel) -> None:
        self.potential = ParametricMtp(template)
        self.template = self.potential.model
        self.elements, self.cutoff = self.potential.elements, self.potential.cutoff

    def ready(self, model: MtpModel) -> MtpPotential:
        """The model, ready to be evaluated."""
        return MtpPotential(model)

    def write(self, path: Path, model: MtpModel) -> None:
        """Write the model as `write_mtp` does."""
        write_mtp(path, model)

    def described(self, model: MtpModel) -> str:
        """Elements, sizes and cutoff of a model."""
        sizes = f"{len(model.mapping)} basis functions, {model.n_parameters} parameters"
        return f"{' '.join(self.elements)}, {sizes}, cutoff {model.max_dist:g} A"


class Predictions(NamedTuple):
    """Frames evaluated with certain parameters; see `ase_mlips.fit.protocols.Evaluated`."""

    energies: FloatArray
    forces: Sequence[FloatArray]
    strains: FloatArray
    family: TrainableMtp
    group: Group

    def gradient(self, slopes: Slopes) -> FloatArray:
        """Derivatives of a loss by the parameters, (1, P)."""
        potential, own = self.family.potential, self.group
        plan, places, size = potential.plan(own.joined, own.species)
        field = field_of(own.joined, slopes.energies, np.concatenate(slopes.forces), slopes.strains)
        sums = np.zeros(potential.gradient_size)
        model = plan.call, plan.ints, plan.floats
        kernels_training.loss_gradient(*own.joined.list.buffers, *model, places, field, scratch("work", size), sums)
        radial, moments = potential.gradient(sums)
        return np.concatenate([radial.ravel(), slopes.energies @ own.counts, moments])[None]


class TrainableMtp(MtpFamily):
    """An MTP and the frames that it is trained on.

    Parameters
    ----------
    template : MtpModel
    frames : sequence of LabelledFrame
    """

    def __init__(self, template: MtpModel, frames: Sequence[LabelledFrame]) -> None:
        super().__init__(template)
        self._groups = [group([frame], self.elements, self.cutoff, Loss()) for frame in frames]
        self.constants = np.arange(len(self.elements))

    def rest(self, frame: LabelledFrame) -> dict[str, FloatArray]:
        """Nothing: what a basis has beside its parameters is part of what `evaluate` gives."""
        return {}

    def start(self, seed: int, constants: FloatArray) -> FloatArray:
        """Random radial coefficients (1, P); no moment counts yet, the energies are these constants."""
        return first_parameters(self.template, seed, constants)[None]

    def flat(self, parameters: FloatArray) -> FloatArray:
        """The same parameters without the moments."""
        constant = parameters.copy()
        constant[0, len(constant[0]) - len(self.template.mapping) :] = 0.0
        return constant

    def evaluate(self, parameters: FloatArray, frames: Int64Array, *, gradient: bool = True) -> Predictions:
        """Evaluate the frames of these numbers, all of them as one list of atoms."""
        own = joined_groups([self._groups[number] for number in frames])
        self.potential.set(parameters[0])
        found = self.potential.energies(own.joined, self.potential.plan(own.joined, own.species)[0])
        begin = own.joined.first[:-1]
        strains = -np.add.reduceat(found.virials, begin).transpose(0, 2, 1)
        forces = np.split(found.forces, begin[1:])
        return Predictions(np.add.reduceat(found.energies, begin), forces, strains, self, own)

    def model(self, parameters: FloatArray) -> MtpModel:
        """The model with these parameters."""
        return with_parameters(self.template, parameters.ravel())

    def seen(self) -> list[NDArray[Any]]:
        """The lists of all frames and the tables of the template."""
        return seen(self.template, self._groups)

    def linear(self, parameters: FloatArray) -> LinearMtp:
        """The linear model of these radial functions."""
        return LinearMtp(with_parameters(self.template, parameters.ravel()))

    def solved(self, parameters: FloatArray, solution: FloatArray) -> FloatArray:
        """The parameters with these species and moment coefficients."""
        result = parameters.copy()
        result[0, len(result[0]) - len(solution) :] = solution
        return result


class LinearMtp(MtpFamily):
    """The species and moment coefficients of an MTP whose radial functions are held fixed.

    Parameters
    ----------
    template : MtpModel
        Trained, as its radial functions are.
    """

    def __init__(self, template: MtpModel) -> None:
        super().__init__(template)
        self._fixed = template.radial_coefficients.ravel()
        self.n_columns = self.potential.n_linear
        self.potential.set(np.concatenate([self._fixed, np.zeros(self.n_columns)]))
        self.pairs = 0

    def rows(self, frame: LabelledFrame) -> dict[str, FloatArray]:
        """Rows ``[A | b]`` of one frame for each label; see `LinearModel.rows`."""
        own = group([frame], self.elements, self.cutoff, Loss())
        self.pairs += int(np.isfinite(own.joined.smallest[0]))
        forces, tops = basis_derivatives(self.potential, own)
        found = self.potential.energies(own.joined, self.potential.plan(own.joined, own.species)[0])
        N, n = len(frame.atoms), self.n_columns
        parts = {"energy": tops[0, :1] / N, "force": forces.reshape(3 * N, n + 1)}
        rest = {"energy": np.array([found.energies.sum() / N]), "force": found.forces.ravel()}
        if frame.stress is not None:
            volume = frame.atoms.get_volume() * units.GPa
            parts["stress"], rest["stress"] = tops[0, 1:] / volume, -found.virials.sum(axis=0)[VOIGT] / volume
        labels = labels_of(frame)
        for quantity, label in labels.items():
            parts[quantity][:, n] = label - rest[quantity]
        return {quantity: parts[quantity] for quantity in labels}

    def model(self, solution: FloatArray) -> MtpModel:
        """The model with these unknowns."""
        return with_parameters(self.template, np.concatenate([self._fixed, solution]))

    def penalty(self, ridge: float) -> FloatArray:
        """Ridge of each unknown; those of the species are free."""
        species = len(self.elements)
        return np.concatenate([np.zeros(species), np.full(self.n_columns - species, ridge)])

    def extrapolating(self, solution: Solution) -> BoolArray:
        """None: all moments are sums over the same neighbours."""
        return np.zeros(self.n_columns, dtype=bool)

    def named(self, columns: BoolArray) -> str:
        """Species by their symbols and moments by their numbers from 0."""
        species = [symbol for symbol, chosen in zip(self.elements, columns, strict=False) if chosen]
        moments = np.flatnonzero(columns[len(self.elements) :])
        said = [f"of the species {', '.join(species)}"] if species else []
        return "; ".join([*said, *([f"of the moments {', '.join(map(str, moments))}"] if len(moments) else [])])


def first_parameters(template: MtpModel, seed: int, constants: FloatArray) -> FloatArray:
    """Parameters (P,) with random radial coefficients and without moments."""
    S = len(template.species)
    size = S * S * template.radial_functions * template.radial_size
    radial = np.random.default_rng(seed).uniform(-SPREAD, SPREAD, size) / template.scaling
    return np.concatenate([radial, constants, np.zeros(len(template.mapping))])


def seen(template: MtpModel, groups: Sequence[Group]) -> list[NDArray[Any]]:
    """Arrays that stand for the frames and the template."""
    lists: list[NDArray[Any]] = []
    for own in groups:  # and not their buffers, whose padding is never written
        joined = own.joined
        lists += [joined.positions[:-1, :3], joined.shifts[:, :3], joined.start, joined.idx, joined.code, own.species]
    limits = np.array([template.min_dist, template.max_dist, template.scaling])
    return [*lists, template.basic, template.times, template.mapping, limits, np.array([template.radial_basis])]
