"""Networks on the descriptors of atoms: evaluated and differentiated with any parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray, Int64Array, IntArray
from ..engine.neighbors import NeighborList
from ..heads.network import Network, count_parameters, split_layers
from .backpropagation import Layer, Pass
from .dataset import LabelledFrame
from .descriptors import DescribedFrames, Pairs
from .design import DescribedPotential
from .equations import fit_linear
from .kernels_contraction import pull, push
from .loss import Loss
from .protocols import LinearModel, Slopes
from .report import predict
from .training import Training

FIRST = 0.05  # share of the usual random weights of the output that a training beside a linear model starts with

Members = tuple[int, Int64Array, Pass]  # network, its atoms, and what it makes of them


class DescriptorNetworks:
    """One network for each element, or one for all, on descriptors; a family adds the rest of `TrainableModel`.

    Parameters are (E, P) arrays, a row for each network.

    Parameters
    ----------
    data : DescribedFrames
    architecture : Network
        Its parameters are not used.
    """

    def __init__(self, data: DescribedFrames, architecture: Network) -> None:
        self.data, self.architecture = data, architecture
        self._sizes, self._activations = architecture.sizes, architecture.activations
        self._scale = architecture.scale
        self._owners = network_of(data, len(self._scale))
        self._inputs = (data.descriptors - architecture.shift[self._owners]) / self._scale[self._owners]

    def start(self, seed: int, constants: FloatArray) -> FloatArray:
        """Random weights; the last biases are the constants."""
        generator = np.random.default_rng(seed)
        parameters = np.zeros_like(self.architecture.parameters)
        layers = split_layers(parameters, self._sizes)
        for weights, _ in layers:
            weights[:] = generator.normal(0.0, weights.shape[2] ** -0.5, weights.shape)
        layers[-1][1][:, 0] = constants
        return parameters

    def flat(self, parameters: FloatArray) -> FloatArray:
        """The same biases of the output alone."""
        layers = split_layers(constant := parameters.copy(), self._sizes)
        layers[-1][0][:] = 0.0
        return constant

    def seen(self) -> list[NDArray[Any]]:
        """Descriptors and elements of all atoms, and the places of the frames among them."""
        return [self.data.descriptors, self.data.species, self.data.start]

    def evaluate(
        self, parameters: FloatArray, frames: Sequence[int] | Int64Array, *, gradient: bool = True
    ) -> EvaluatedNetworks:
        """Energies, forces and strain derivatives of some frames.

        With `gradient` the pairs of these frames stay in memory as long as the result.
        """
        start = self.data.start
        atoms = np.concatenate([np.arange(start[n], start[n + 1]) for n in frames])
        passes = self._passes(parameters, atoms)
        energies, slopes = np.empty(len(atoms)), np.empty((len(atoms), self._sizes[0]))
        for owner, members, result in passes:
            energies[members], slopes[members] = result.energies, result.slopes / self._scale[owner]
        bounds = np.cumsum([0, *(int(start[n + 1] - start[n]) for n in frames)])
        parts = [slice(int(first), int(last)) for first, last in pairwise(bounds)]
        found = EvaluatedNetworks(
            self, parameters, passes, [], np.array([energies[part].sum() for part in parts]), [],
            np.zeros((len(parts), 3, 3)),
        )  # fmt: skip
        for number, part, strain in zip(frames, parts, found.strains, strict=True):
            pairs, forces = self.data.pairs(number), np.zeros((part.stop - part.start, 3))
            pull(*pairs, slopes[part], forces, strain)
            found.forces.append(forces)
            if gradient:
                found.pairs.append(pairs)
        return found

    def _passes(self, parameters: FloatArray, atoms: Int64Array) -> list[tuple[int, Int64Array, Pass]]:
        """A pass of each network over the atoms that it describes."""
        layers = split_layers(parameters, self._sizes)
        owners = self._owners[atoms]
        passes = []
        for owner in range(len(parameters)):
            members = np.flatnonzero(owners == owner)
            own: list[Layer] = [(weights[owner], biases[owner]) for weights, biases in layers]
            passes.append((owner, members, Pass(own, self._activations, self._inputs[atoms[members]])))
        return passes

    def backward(self, found: EvaluatedNetworks, pulls: FloatArray, directions: FloatArray) -> FloatArray:
        """Derivatives of the parameters from those of the energies and of their slopes."""
        slope = np.zeros_like(found.parameters)
        blocks = split_layers(slope, self._sizes)
        for owner, members, result in found.passes:
            own = result.gradient(pulls[members], directions[members] / self._scale[owner])
            for (weights, biases), (by_weights, by_biases) in zip(blocks, own, strict=True):
                weights[owner], biases[owner] = by_weights, by_biases
        return slope


class LinearDesign(LinearModel[Any], Protocol):
    """A `DescriptorDesign` as a family completes it."""

    @property
    def potential(self) -> DescribedPotential:
        """What describes atoms."""

    def coefficients(self, solution: FloatArray) -> FloatArray:
        """See `DescriptorDesign.coefficients`."""


class NetworksBesideLinear(DescriptorNetworks):
    """Networks on descriptors, beside a linear model of these that is fitted first.

    Descriptors may be nearly parallel.  Least squares tell them apart, gradients hardly do: the network learns what the
    linear model leaves.  A family adds `TrainableModel.model` and what `Family` asks for.

    Parameters
    ----------
    design : LinearDesign
        Of the linear model.
    frames : sequence of LabelledFrame
    loss : Loss
        Weights of the linear fit.
    training : Training
        The layers, and where to keep the gradients.
    count : int
        How many of the frames, from the first on, the linear model is fitted to; they set mean and standard deviation
        of the descriptors, too.

    Attributes
    ----------
    linear : the family's class of models
        The linear model.
    coefficients : (E, K) array
        Of its descriptors.
    """

    def __init__(
        self, design: LinearDesign, frames: Sequence[LabelledFrame], loss: Loss, training: Training, count: int
    ) -> None:
        self.elements, self.cutoff = design.elements, design.cutoff
        self.constants = np.zeros(len(self.elements), int) if training.shared else np.arange(len(self.elements))
        fit = fit_linear(design, {"train": frames[:count]}, loss)
        self.linear, self._ready = fit.model, design.ready(fit.model)
        self.coefficients = design.coefficients(fit.solution.coefficients)[:, 1:]
        data = DescribedFrames(design.potential, frames, memory=training.memory, disk=training.disk)
        super().__init__(data, normalised(data, training, len(self.elements), count))

    def rest(self, frame: LabelledFrame) -> dict[str, FloatArray]:
        """The linear model, and what it has beside its coefficients."""
        return predict(self._ready, frame, NeighborList(self.cutoff, skin=0.0))

    def start(self, seed: int, constants: FloatArray) -> FloatArray:
        """Random weights, those of the output so small that the linear model is hardly changed."""
        parameters = super().start(seed, constants)
        split_layers(parameters, self.architecture.sizes)[-1][0][:] *= FIRST
        return parameters


@dataclass(frozen=True, eq=False)
class EvaluatedNetworks:
    """Frames evaluated by networks, see `Evaluated`."""

    networks: DescriptorNetworks
    parameters: FloatArray
    passes: list[Members]
    pairs: list[Pairs]
    energies: FloatArray
    forces: list[FloatArray]
    strains: FloatArray

    def gradient(self, slopes: Slopes) -> FloatArray:
        """Derivatives with respect to the parameters; see `Evaluated.gradient`."""
        counts = [len(forces) for forces in self.forces]
        pulls = np.repeat(slopes.energies, counts)
        directions = np.zeros((len(pulls), self.networks.data.descriptors.shape[1]))
        first = 0
        for count, pairs, forces, strain in zip(counts, self.pairs, slopes.forces, slopes.strains, strict=True):
            push(*pairs, forces, strain, directions[first : first + count])
            first += count
        return self.networks.backward(self, pulls, directions)


def network_of(data: DescribedFrames, networks: int) -> IntArray:
    """Number of the network of each atom: that of its element, or the only one."""
    return data.species if networks > 1 else np.zeros_like(data.species)


def normalised(data: DescribedFrames, training: Training, elements: int, train: int) -> Network:
    """The architecture, with mean and standard deviation of the descriptors of the first `train` frames."""
    atoms = slice(0, int(data.start[train]))
    networks = 1 if training.shared else elements
    owners = network_of(data, networks)
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


def spread_network(network: Network, parameters: FloatArray, owner: Int64Array) -> Network:
    """The network with these parameters on all descriptors, of which those that are always equal share a weight.

    Parameters
    ----------
    network : Network
        On the distinct descriptors.
    parameters : (E, P) array
    owner : (K_all,) int array
        For each descriptor, the number of the distinct one that it equals.
    """
    sizes = (len(owner), *network.sizes[1:])
    first, rest = sizes[1] * (network.sizes[0] + 1), len(parameters)
    block = parameters[:, :first].reshape(rest, sizes[1], -1)
    weights = block[:, :, 1:][:, :, owner] / np.bincount(owner)[owner]
    spread = np.concatenate([block[:, :, :1], weights], axis=2).reshape(rest, -1)
    every = np.concatenate([spread, parameters[:, first:]], axis=1)
    return Network(sizes, network.activations, every, network.shift[:, owner], network.scale[:, owner])
