"""The loss of an MTP over labelled frames with its gradient, and the best linear coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.polynomial import chebyshev

from ..arrays import FloatArray, IntArray
from ..engine.packing import flatten, named, padded
from ..engine.plans import Plan, capacity
from ..engine.radial import expansion
from ..engine.simd import W
from ..engine.threads import run_each, scratch
from ..fit.dataset import LabelledFrame, species_of
from ..fit.loss import Loss
from ..fit.shards import Shards
from ..potential import Evaluation, evaluate_blocks
from . import kernels, kernels_training, layout, tables
from .joined import JoinedFrames, groups_of, join, listed
from .layout import Request
from .loss import MlipLoss, squares
from .model import MtpModel
from .potential import MtpPotential

_NOTHING = np.zeros(0)
_FORCES = Request()


class ParametricMtp(MtpPotential):
    """An MTP whose parameters may change: nothing but the tables of numbers is made anew.

    Parameters
    ----------
    model : MtpModel
        With the symbols of all its species; the coefficients of an untrained one are zero.
    """

    def __init__(self, model: MtpModel) -> None:
        super().__init__(model if model.trained else with_parameters(model, np.zeros(model.n_parameters)))
        self.radial_shape = self.model.radial_coefficients.shape
        self._to_chebyshev = tables.to_chebyshev(self.model)
        degree = self.model.radial_size
        self._slopes = np.zeros((degree, degree))  # T'_n as a sum of T_k
        for n in range(1, degree):
            self._slopes[n, :n] = chebyshev.chebder(np.eye(degree)[n])[:n]

    def set(self, parameters: FloatArray) -> None:
        """Take these parameters (P,), radial ones first, then those of species and of moments, as in MLIP."""
        radial, species, moments = self.split(parameters)
        floats, places = self._packed.floats, self._packed.head.floats
        values = (self.model.scaling * radial @ self._to_chebyshev).transpose(2, 3, 0, 1)
        for place, table in (
            (places.radial, expansion(np.ascontiguousarray(values))),
            (places.species, species),
            (places.moments, moments),
        ):
            floats[place : place + table.size] = table.ravel()

    def split(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Radial, species and moment coefficients."""
        size, count = int(np.prod(self.radial_shape)), len(self.elements)
        return parameters[:size].reshape(self.radial_shape), parameters[size : size + count], parameters[size + count :]

    def plan(self, joined: JoinedFrames, species: IntArray) -> tuple[Plan, IntArray, int]:
        """The plan of a list of atoms, the places of what the training adds to it, and the size of both."""
        plan = self._plans(joined.list, species, _FORCES)
        places, size = [], plan.size
        for vectors in _areas(self._packed.head, capacity(joined.list.longest)):
            places.append(size)
            size += vectors * W
        own = named(layout.Training, [*places, padded(len(self.model.mapping) + 1)])
        return plan, flatten(own), size

    def energies(self, joined: JoinedFrames, plan: Plan) -> Evaluation:
        """Energies, forces and virials of all atoms of a list."""
        return evaluate_blocks(kernels.evaluate, joined.list, plan, _NOTHING, num_threads=1)

    @property
    def n_linear(self) -> int:
        """Number of species and moment coefficients, in which the energy is linear."""
        return len(self.elements) + len(self.model.mapping)

    @property
    def gradient_size(self) -> int:
        """Numbers that `kernels_training.loss_gradient` returns."""
        head: layout.Head = self._packed.head
        rows = 2 * head.functions if head.types == 1 else head.types**2 * head.groups * W
        return rows * head.basis + head.scalars

    def gradient(self, sums: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Derivatives by the radial and by the moment coefficients, from the sums of the kernel."""
        head, (S, _, K, R) = self._packed.head, self.radial_shape
        radial, moments = sums[: -head.scalars], sums[-head.scalars :]
        if S == 1:
            parts = radial.reshape(1, 1, K, 2, R)
        else:
            rows = radial.reshape(S, S, head.groups, R, W).transpose(0, 1, 2, 4, 3).reshape(S, S, -1, R)
            parts = rows[:, :, : 2 * K].reshape(S, S, K, 2, R)
        by_chebyshev = parts[..., 0, :] + parts[..., 1, :] @ self._slopes.T
        return self.model.scaling * by_chebyshev @ self._to_chebyshev.T, moments


def _areas(head: layout.Head, slots: int) -> tuple[int, ...]:
    """Vectors of each area of `layout.Training`."""
    radial = 2 * head.functions * head.basis if head.types == 1 else 0
    areas = layout.Training(
        own=layout.FIELD,
        pairs=4 * slots,
        channels=(head.channels + 3) * slots,
        sums=head.sums,
        moments=head.moments,
        adjoints=head.moments,
        sum_adjoints=head.sums,
        slopes=8 * head.channels,
        functions=8 * head.functions,
        radial=radial,
        linear=4 * padded(head.scalars + 1) + W,
        virials=layout.TENSOR * padded(head.scalars + 1),
    )
    return areas[:-1]


def with_parameters(model: MtpModel, parameters: FloatArray) -> MtpModel:
    """The model with these parameters (P,), in MLIP's order."""
    S = len(model.species)
    shape = (S, S, model.radial_functions, model.radial_size)
    size = int(np.prod(shape))
    return replace(
        model,
        radial_coefficients=parameters[:size].reshape(shape),
        species_coefficients=parameters[size : size + S],
        moment_coefficients=parameters[size + S :],
    )


def parameters_of(model: MtpModel) -> FloatArray:
    """The parameters (P,) of a trained model, in MLIP's order."""
    parts = model.radial_coefficients.ravel(), model.species_coefficients, model.moment_coefficients
    return np.concatenate(parts)


@dataclass(frozen=True, eq=False)
class Group:
    """Some frames as one list of atoms, with their labels and the weights of the squares of what is missed.

    Attributes
    ----------
    joined : JoinedFrames
    species : (N,) int32 array
    counts : (F, S) array
        Atoms of each species.
    energies, forces, virials : (F,), (N, 3), (F, 3, 3) arrays
        Labels in eV, eV/A and eV; zero where there are none.
    energy_weights, force_weights, virial_weights : (F,), (N, 1), (F, 3, 3) arrays
    """

    joined: JoinedFrames
    species: IntArray
    counts: FloatArray
    energies: FloatArray
    forces: FloatArray
    virials: FloatArray
    energy_weights: FloatArray
    force_weights: FloatArray
    virial_weights: FloatArray

    @property
    def weighted(self) -> bool:
        """Whether anything in it counts."""
        return any(part.any() for part in (self.energy_weights, self.force_weights, self.virial_weights))


def group(frames: Sequence[LabelledFrame], elements: Sequence[str], cutoff: float, loss: Loss | MlipLoss) -> Group:
    """Frames with what is wanted of them."""
    joined = join([listed(frame.atoms, cutoff) for frame in frames])
    kinds = [species_of(frame, elements) for frame in frames]
    weights = [squares(loss, frame) for frame in frames]
    return Group(
        joined,
        np.concatenate(kinds),
        np.array([np.bincount(own, minlength=len(elements)) for own in kinds], float),
        np.array([0.0 if frame.energy is None else frame.energy for frame in frames]),
        np.concatenate([np.zeros((len(f.atoms), 3)) if f.forces is None else f.forces for f in frames]),
        np.array([np.zeros((3, 3)) if f.stress is None else -f.atoms.get_volume() * f.stress for f in frames]),
        np.array([own.energy for own in weights]),
        np.concatenate([own.forces for own in weights])[:, None],
        np.array([own.virial for own in weights]),
    )


def grouped(
    frames: Sequence[LabelledFrame], elements: Sequence[str], cutoff: float, loss: Loss | MlipLoss
) -> list[Group]:
    """All frames in groups of about as many atoms."""
    numbers = groups_of([len(frame.atoms) for frame in frames])
    return [group([frames[n] for n in own], elements, cutoff, loss) for own in numbers]


def joined_groups(groups: Sequence[Group]) -> Group:
    """Several groups as one."""
    joined = join([own.joined for own in groups])
    others = [np.concatenate([getattr(own, f.name) for own in groups]) for f in fields(Group)[1:]]
    return Group(joined, *others)


class FrameLoss:
    """The mean loss of some frames as a function of the parameters.

    Groups of frames are worked on by several threads, and their sums are added in order: the number of threads does not
    change a bit.

    Parameters
    ----------
    potential : ParametricMtp
        Its parameters are those that were asked for last.
    groups : sequence of Group
    threads : int
    shards : Shards, optional
        The groups are those of one of several processes, whose loss is that of the frames of all.
    """

    def __init__(
        self, potential: ParametricMtp, groups: Sequence[Group], *, threads: int = 1, shards: Shards | None = None
    ) -> None:
        self.potential, self.groups, self.threads = potential, groups, threads
        self.shards = shards or Shards()
        self.count = sum(self.shards.all_of(sum(len(own.energies) for own in groups)))
        self._plans = [potential.plan(own.joined, own.species) for own in groups]

    def __call__(self, parameters: FloatArray) -> tuple[float, FloatArray]:
        """The loss and its derivatives (P,) by the parameters (P,)."""
        self.potential.set(parameters)
        sums = np.zeros((len(self.groups), self.potential.gradient_size))
        energies, losses = np.zeros((len(self.groups), len(self.potential.elements))), np.zeros(len(self.groups))

        def work(number: int) -> None:
            losses[number], energies[number] = self._gradient(number, sums[number])

        run_each(work, len(self.groups), self.threads)
        radial, moments = self.potential.gradient(sums.sum(axis=0))
        own = np.concatenate([[losses.sum()], radial.ravel(), energies.sum(axis=0), moments])
        found = self.shards.total(own) / self.count
        return float(found[0]), found[1:]

    def value(self, parameters: FloatArray) -> float:
        """The loss alone."""
        self.potential.set(parameters)
        losses = np.zeros(len(self.groups))

        def work(number: int) -> None:
            losses[number] = self._residuals(number)[0]

        run_each(work, len(self.groups), self.threads)
        return float(self.shards.total(losses.sum(keepdims=True))[0]) / self.count

    def _residuals(self, number: int) -> tuple[float, FloatArray, FloatArray]:
        """Loss of a group, the field of its slopes, and its derivatives by the energies of the frames."""
        own = self.groups[number]
        found = self.potential.energies(own.joined, self._plans[number][0])
        field, slopes = np.empty((own.joined.n + 1, layout.FIELD)), np.empty(len(own.energies))
        wanted = own.energies, own.forces, own.virials
        weights = own.energy_weights, own.force_weights, own.virial_weights
        loss = kernels_training.residuals(own.joined.first, *found, *wanted, *weights, field, slopes)
        return loss, field, slopes

    def _gradient(self, number: int, sums: FloatArray) -> tuple[float, FloatArray]:
        """Loss of a group and its derivatives by the species coefficients; the others go to `sums`."""
        own, (plan, places, size) = self.groups[number], self._plans[number]
        loss, field, by_energy = self._residuals(number)
        model = plan.call, plan.ints, plan.floats
        kernels_training.loss_gradient(*own.joined.list.buffers, *model, places, field, scratch("work", size), sums)
        return loss, by_energy @ own.counts


def field_of(joined: JoinedFrames, energies: FloatArray, forces: FloatArray, strains: FloatArray) -> FloatArray:
    """The field of `kernels_training` from slopes by energies (F,), forces (N, 3) and strain derivatives (F, 3, 3)."""
    field, frame = np.zeros((joined.n + 1, layout.FIELD)), joined.frame
    field[:-1, :3], field[:-1, 3] = forces, energies[frame]
    field[:-1, 4:13] = strains.reshape(-1, 9)[frame]
    return field
