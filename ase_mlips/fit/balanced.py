"""A loss of root mean squares, as GPUMD has it: energies, forces and virials keep their weights as errors fall."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, chain
from typing import Any, NamedTuple

import numpy as np

from ..arrays import FloatArray, Int64Array, IntArray, Parts, whole
from . import kernels_balanced
from .dataset import QUANTITIES
from .loss import Loss
from .objective import Objective, Outcome, Target
from .protocols import Evaluated, Slopes, TrainableModel
from .shards import Shards

_KEPT = 0.99  # of the running mean squares at each step
_LEAST = 1e-8  # of a root mean square, relative to that of constant energies: no weight is infinite
# (9, 6): six components xx yy zz yz xz xy of the symmetric part of a raveled tensor, and in the same way back to slopes
_VOIGT = 0.5 * np.array([np.eye(3)[:, None, a] * np.eye(3)[b] + np.eye(3)[:, None, b] * np.eye(3)[a]
                         for a, b in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))]).reshape(6, 9).T  # fmt: skip
_FRAMES = 16
_MOST_CURVED = 4000  # parameters: their matrix then takes 128 MB and its decomposition seconds
_SKETCHES, _ROWS = 10, 512  # of each frame, and how many are multiplied at once


@dataclass(frozen=True)
class RmseLoss(Loss):
    """``energy * RMSE_E + force * RMSE_F + stress * RMSE_V``, and penalties of large parameters.

    These are GPUMD's ``lambda_e``, ``lambda_f`` and ``lambda_v``, with errors in eV/atom, eV/A and, for the six
    components of the virial, eV/atom.  Weights of groups and of frames multiply the residuals before they are squared.

    Attributes
    ----------
    shear : float
        Multiplies the residuals of the components yz, xz and xy (``lambda_shear``).
    force_delta : float
        eV/A; if above 0, the squares of residuals of forces are multiplied by ``d / (d + |F|)``, so that small forces
        count more.
    type_weights : mapping
        Factors of the residuals of the forces on atoms of an element.
    first, second : float
        Add ``first * sum |p| / P + second * sqrt(sum p^2 / P)`` for P parameters (``lambda_1``, ``lambda_2``).
    """

    energy: float = 1.0
    force: float = 1.0
    stress: float = 0.1
    shear: float = 1.0
    force_delta: float = 0.0
    type_weights: Mapping[str, float] = field(default_factory=dict)
    first: float = 0.0
    second: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        numbers = {name: getattr(self, name) for name in ("shear", "force_delta", "first", "second")}
        numbers |= {f"type weight of {element}": weight for element, weight in self.type_weights.items()}
        for name, number in numbers.items():
            if not 0.0 <= number < np.inf:
                raise ValueError(f"{name}: expected at least 0, got {number}")

    def relative(self, quantity: str, weight: float) -> float:
        """A weight relative to that of the quantity, which multiplies its root mean square."""
        own = getattr(self, quantity)
        return weight / own if own > 0.0 else 0.0


class _Row(NamedTuple):
    """One frame: labels per atom, and factors of the squares of residuals, 0 or none where there is no label."""

    atoms: int
    energy: float
    forces: FloatArray
    virial: FloatArray
    factors: tuple[float, FloatArray, float]


class BalancedObjective(Objective):
    """`RmseLoss` of a trainable model, batch by batch.

    The root mean squares by which the slopes of a batch are divided are running ones, the `memory`: those of one batch
    scatter too much.  They begin as those of constant energies.

    Parameters
    ----------
    model : TrainableModel
    targets : sequence of Target
    species : sequence of int arrays
        Of the atoms of each frame, for the weights of types.
    loss : RmseLoss
    components : int
        How many of the components xx yy zz yz xz xy a virial has; fewer where something else stands in its place.
    shards : Shards, optional
        The process that these frames are the share of; the loss is that of the frames of all processes, which call
        every method together.
    """

    def __init__(
        self,
        model: TrainableModel[Any],
        targets: Sequence[Target],
        species: Sequence[IntArray],
        loss: RmseLoss,
        *,
        components: int = 6,
        shards: Shards | None = None,
    ) -> None:
        super().__init__(model, targets)
        self._loss, self.shards = loss, shards or Shards()
        weights = np.array([loss.type_weights.get(element, 1.0) for element in model.elements])
        rows = [_row(target, weights[own], loss, components) for target, own in zip(targets, species, strict=True)]
        self._table = _Table.of(rows, np.array([1.0, 1.0, 1.0, *[loss.shear**2] * 3])[:components])
        self._shares = np.array([loss.energy, loss.force, loss.stress])
        self.beginning = _spread(rows, self.shards)
        self._least = _LEAST**2 * self.beginning[0]
        self.memory = self.beginning

    def __call__(self, parameters: FloatArray, frames: Sequence[int] | Int64Array, *, gradient: bool = True) -> Outcome:
        """The loss of a batch times its frames; with `gradient` the running mean squares are updated.

        There may be none of this process, while there are some of others.
        """
        numbers = np.asarray(frames, dtype=np.int64)
        batch = self._batch(parameters, numbers) if len(numbers) else None
        own, slope = np.zeros((3, 3)) if batch is None else batch.sums, np.zeros_like(parameters)
        count, sums = self.shards.totals(len(numbers), own)
        if gradient:
            self.memory = self.memory.copy()
            kernels_balanced.remember(sums, _KEPT, self.memory[0])
            if batch is not None:
                slope = batch.gradient(self._rates(sums[1]))
            (slope,) = self.shards.totals(slope)
        penalty, pull = self._penalty(parameters)
        roots = zip(self._shares.tolist(), self.memory[0].tolist(), strict=True)
        running = sum(share * math.sqrt(square) for share, square in roots) + penalty
        if penalty > 0.0:
            slope = slope + pull
        return Outcome(count * running, count * slope, count, batch or {}, own[2:0:-1])

    def total(self, parameters: FloatArray, frames: Sequence[int] | Int64Array, *, gradient: bool = True) -> Outcome:
        """The loss of any number of frames, times that number; a few at a time for the sake of memory.

        With `gradient` its terms are those of the memory, quadratic ones: ``(MSE / RMSE_memory + RMSE_memory) / 2``.
        """
        numbers = np.asarray(frames, dtype=np.int64)
        count, counts = self.shards.totals(len(numbers), self._table.counts[numbers].sum(axis=0))
        rates = self._rates(counts)
        squares, slope = np.zeros(3), np.zeros_like(parameters)
        residuals: dict[str, list[FloatArray]] = {quantity: [] for quantity in QUANTITIES}
        for first in range(0, len(numbers), _FRAMES):
            batch = self._batch(parameters, numbers[first : first + _FRAMES], gradient=gradient)
            squares += batch.squares
            if gradient:
                slope += batch.gradient(rates)
            for quantity, values in batch.items():
                residuals[quantity].append(values)
        squares, slope = self.shards.totals(squares, slope)
        penalty, pull = self._penalty(parameters)
        mean = np.divide(squares, counts, out=np.zeros(3), where=counts > 0)
        roots = np.sqrt(np.maximum(self.memory[0], self._least))
        roots[counts == 0] = 1.0
        terms = 0.5 * (mean / roots + roots) if gradient else np.sqrt(mean)
        loss = float(self._shares[counts > 0] @ terms[counts > 0]) + penalty
        joined = {quantity: np.concatenate(parts) for quantity, parts in residuals.items()}
        return Outcome(count * loss, count * (slope + pull), count, joined)

    def balance(self, parameters: FloatArray, frames: Int64Array) -> None:
        """Let the memory be the mean squares of these frames."""
        squares, counts = np.zeros(3), self._table.counts[frames].sum(axis=0)
        for first in range(0, len(frames), _FRAMES):
            squares += self._batch(parameters, frames[first : first + _FRAMES], gradient=False).squares
        squares, counts = self.shards.totals(squares, counts)
        self.memory = np.where(counts > 0, squares / np.maximum(counts, 1.0), self.memory)

    def curvature(self, parameters: FloatArray, frames: Int64Array, rng: np.random.Generator) -> FloatArray | None:
        """The Gauss-Newton matrix ``sum_q rate_q sum w r' r'^T`` of `total`, from sketches; None for many parameters.

        A gradient of residuals with random signs costs as little as that of the loss, and the mean of its outer
        product is the sum over the residuals.  Energies have a gradient each.
        """
        if parameters.size > _MOST_CURVED:
            return None
        (counts,) = self.shards.totals(self._table.counts[frames].sum(axis=0))
        rates = np.sqrt(2.0 * self._rates(counts))
        total, rows = np.zeros((parameters.size, parameters.size)), []
        for number in frames.tolist():
            rows += self._sketches(parameters, number, rates, rng)
            if len(rows) >= _ROWS or number == frames[-1]:
                part = np.array(rows)
                total += part.T @ part
                rows = []
        for row in total:  # one by one, for the sake of memory
            (row[:],) = self.shards.totals(row)
        return total

    def _sketches(
        self, parameters: FloatArray, number: int, rates: FloatArray, rng: np.random.Generator
    ) -> list[FloatArray]:
        """Gradients whose outer products sum up to about the Gauss-Newton matrix of one frame."""
        found = self._model.evaluate(parameters, np.array([number]))
        atoms, (by_energy, by_virial) = int(self._table.atoms[number]), np.sqrt(self._table.factors[number])
        shear = self._table.shear
        factors, components = self._table.force_factors[slice(*self._table.edges[number : number + 2])], len(shear)
        still, rows = np.zeros((atoms, 3)), []
        if by_energy > 0.0:
            slope = np.array([rates[0] * by_energy / atoms])
            rows.append(found.gradient(Slopes(slope, [still], np.zeros((1, 3, 3))))[0])
        for _ in range(_SKETCHES if factors.any() or by_virial > 0.0 else 0):
            signs = rng.choice([-1.0, 1.0], (atoms + 2, 3))
            forces = rates[1] * np.sqrt(factors)[:, None] * signs[:-2]
            virial = rates[2] * by_virial / atoms * np.sqrt(shear) * signs[-2:].ravel()[:components]
            strain = (virial @ _VOIGT[:, :components].T).reshape(1, 3, 3)
            rows.append(found.gradient(Slopes(np.zeros(1), [forces], strain))[0] / math.sqrt(_SKETCHES))
        return rows

    def _batch(self, parameters: FloatArray, frames: Int64Array, *, gradient: bool = True) -> _Batch:
        return _Batch(self._model.evaluate(parameters, frames, gradient=gradient), frames, self._table)

    def _rates(self, counts: FloatArray) -> FloatArray:
        """Derivatives of the loss by the sums of squares."""
        found = np.empty(3)
        kernels_balanced.rates(self._shares, self.memory[0], self._least, counts, found)
        return found

    def penalties(self, parameters: FloatArray) -> tuple[float, float]:
        """``first * sum |p| / P`` and ``second * sqrt(sum p^2 / P)``."""
        first, second = self._loss.first, self._loss.second
        if first == second == 0.0:
            return 0.0, 0.0
        return first * float(np.abs(parameters).mean()), second * float(np.sqrt(np.mean(parameters**2)))

    def _penalty(self, parameters: FloatArray) -> tuple[float, FloatArray | float]:
        """Their sum and its derivatives."""
        loss, (by_first, by_second) = self._loss, self.penalties(parameters)
        if by_first == by_second == 0.0:
            return 0.0, 0.0
        pull = loss.first / parameters.size * np.sign(parameters)
        if by_second > 0.0:
            pull = pull + loss.second**2 / (parameters.size * by_second) * parameters
        return by_first + by_second, pull


def _spread(rows: Sequence[_Row], shards: Shards) -> FloatArray:
    """Mean squares of the labels, energies and virials less their means; 1 for no spread, 0 for no labels."""
    own = (
        [row.energy for row in rows if row.factors[0] > 0.0],
        [np.mean(row.forces**2) for row in rows if row.factors[1].size],
        [row.virial for row in rows if row.factors[2] > 0.0],
    )
    energies, forces, virials = (np.array([*chain(*found)]) for found in zip(*shards.all_of(own), strict=True))
    found = [
        (energies.size, energies.var() if energies.size else 0.0),
        (forces.size, forces.mean() if forces.size else 0.0),
        (virials.size, virials.var(axis=0).mean() if virials.size else 0.0),
    ]
    return np.array([[(value if value > 0.0 else 1.0) if size else 0.0 for size, value in found]])


def _row(target: Target, type_weights: FloatArray, loss: RmseLoss, components: int) -> _Row:
    labels, weights = target.labels, {name: loss.relative(name, weight) for name, weight in target.weights.items()}
    n, nobody = len(type_weights), np.zeros(0)
    forces = labels["force"].reshape(-1, 3) if "force" in labels else np.zeros((0, 3))
    factors = nobody
    if "force" in labels:
        factors = (weights["force"] * type_weights) ** 2
        if loss.force_delta > 0.0:
            factors = factors * loss.force_delta / (loss.force_delta + np.linalg.norm(forces, axis=1))
    return _Row(
        n,
        float(labels["energy"][0]) if "energy" in labels else 0.0,
        forces,
        labels["stress"] * (target.volume / n) if "stress" in labels else np.zeros(components),
        (
            weights["energy"] ** 2 if "energy" in labels else 0.0,
            factors,
            weights["stress"] ** 2 if "stress" in labels else 0.0,
        ),
    )


class _Table(NamedTuple):
    """Labels of all frames, forces one frame behind the other, and factors of the squares; see `kernels_balanced`."""

    atoms: Int64Array
    energies: FloatArray
    virials: FloatArray
    edges: Int64Array
    forces: FloatArray
    factors: FloatArray  # of energy and virial
    force_factors: FloatArray
    counts: FloatArray  # residuals of each quantity
    shear: FloatArray
    voigt: FloatArray

    @classmethod
    def of(cls, rows: Sequence[_Row], shear: FloatArray) -> _Table:
        """From the rows of all frames."""
        atoms = np.array([row.atoms for row in rows])
        edges = np.concatenate([[0], np.cumsum(atoms)])
        forces, force_factors = np.zeros((edges[-1], 3)), np.zeros(edges[-1])
        for row, first in zip(rows, edges[:-1].tolist(), strict=True):
            forces[first : first + len(row.forces)] = row.forces
            force_factors[first : first + len(row.forces)] = row.factors[1]
        factors = np.array([(row.factors[0], row.factors[2]) for row in rows])
        sizes = np.array([3.0 * len(row.factors[1]) for row in rows])
        counts = np.stack([1.0 * (factors[:, 0] > 0.0), sizes, float(len(shear)) * (factors[:, 1] > 0.0)], axis=1)
        energies, virials = np.array([row.energy for row in rows]), np.array([row.virial for row in rows])
        voigt = np.ascontiguousarray(_VOIGT[:, : len(shear)])
        return cls(atoms, energies, virials, edges, forces, factors, force_factors, counts, shear, voigt)


class _Batch(Mapping[str, FloatArray]):
    """Some frames evaluated: sums of squares and their derivatives; as a mapping the residuals of `Outcome`."""

    def __init__(self, found: Evaluated, frames: Int64Array, table: _Table) -> None:
        self._found, self._frames, self._table = found, frames, table
        self.sums, forces = np.empty((3, 3)), whole(found.forces)
        self.squares, self.counts = self.sums[0], self.sums[1]
        self._residuals = np.empty(len(frames)), np.empty_like(forces), np.empty((len(frames), len(table.shear)))
        kernels_balanced.residuals(
            frames, (table.energies, table.virials, table.edges, table.forces), (table.factors, table.force_factors),
            table.counts, table.shear, table.voigt, (found.energies, forces, found.strains.reshape(-1, 9)),
            (*self._residuals, self.sums),
        )  # fmt: skip

    def __iter__(self) -> Iterator[str]:
        return iter(QUANTITIES)

    def __len__(self) -> int:
        return len(QUANTITIES)

    def __getitem__(self, quantity: str) -> FloatArray:
        return self._labelled[quantity]

    @cached_property
    def _labelled(self) -> dict[str, FloatArray]:
        """Residuals of energies and forces in the units of `labels_of`; virials in eV/atom."""
        (energy, force, virial), counts = self._residuals, self._table.counts[self._frames]
        if not counts.all():
            labelled = counts > 0.0
            force = force[np.repeat(labelled[:, 1], self._table.atoms[self._frames])]
            energy, virial = energy[labelled[:, 0]], virial[labelled[:, 2]]
        return {"energy": energy, "force": force.ravel(), "stress": virial.ravel()}

    def gradient(self, rates: FloatArray) -> FloatArray:
        """Derivatives with respect to the parameters, from those with respect to the sums of squares."""
        table, (energies, forces, _) = self._table, self._residuals
        out = np.empty(len(energies)), np.empty(forces.shape), np.empty((len(energies), 9))
        kernels_balanced.slopes(
            self._frames, table.edges, (table.factors, table.force_factors), rates, table.shear, table.voigt,
            self._residuals, out,
        )  # fmt: skip
        edges = [0, *accumulate(table.atoms[self._frames].tolist())]
        return self._found.gradient(Slopes(out[0], Parts(out[1], edges), out[2].reshape(-1, 3, 3)))
