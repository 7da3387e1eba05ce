"""The loss of networks over labelled frames and its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray

from ..heads.network import Network, split_layers
from .backpropagation import Layer, Pass
from .dataset import QUANTITIES, FloatArray
from .descriptors import DescribedFrames
from .kernels_contraction import pull, push

_VOIGT_SHARE = np.array([1.0, 1.0, 1.0, 0.5, 0.5, 0.5])  # of each of the two elements of the tensor

_FRAMES = 16


@dataclass(frozen=True)
class Target:
    """What one frame is fitted to.

    Attributes
    ----------
    labels : dict
        As from `labels_of`, less what the networks are not to reproduce.
    weights : dict
        Weight of the residuals of each quantity.
    volume : float
        In eV/GPa; not used where there is no stress.
    """

    labels: dict[str, FloatArray]
    weights: dict[str, float]
    volume: float


@dataclass(frozen=True)
class Outcome:
    """Sums over frames.

    Attributes
    ----------
    loss : float
        Sum of the squares of weight times residual.
    gradient : (E, P) array
        Its derivatives with respect to the parameters; zero where they were not asked for.
    residuals : dict
        Prediction minus label of each quantity, in the units of `labels_of`.
    """

    loss: float
    gradient: FloatArray
    residuals: dict[str, FloatArray]

    def mae(self, quantity: str) -> float:
        """Mean absolute error of one quantity; nan where no frame has it."""
        values = self.residuals[quantity]
        return float(np.mean(np.abs(values))) if values.size else float("nan")


class Objective:
    """Loss of networks of one architecture; their parameters are the argument.

    Parameters
    ----------
    data : DescribedFrames
    targets : sequence of Target
        One for each frame.
    architecture : Network
        Its parameters are not used.
    """

    def __init__(self, data: DescribedFrames, targets: Sequence[Target], architecture: Network) -> None:
        self._data = data
        self._targets = targets
        self._sizes, self._activations = architecture.sizes, architecture.activations
        self._scale = architecture.scale
        self._owners = data.species if len(self._scale) > 1 else np.zeros_like(data.species)  # network of each atom
        self._inputs = (data.descriptors - architecture.shift[self._owners]) / self._scale[self._owners]

    def __call__(
        self, parameters: FloatArray, frames: Sequence[int] | NDArray[np.int64], *, gradient: bool = True
    ) -> Outcome:
        """The loss of some frames.

        Parameters
        ----------
        parameters : (E, P) array
        frames : sequence of int
        gradient : bool
            False saves the derivatives.
        """
        start = self._data.start
        atoms = np.concatenate([np.arange(start[n], start[n + 1]) for n in frames])
        passes = self._passes(parameters, atoms)
        energies, slopes = np.empty(len(atoms)), np.empty((len(atoms), self._sizes[0]))
        for owner, members, result in passes:
            energies[members], slopes[members] = result.energies, result.slopes / self._scale[owner]
        pulls, directions = np.zeros(len(atoms)), np.zeros_like(slopes)
        loss = 0.0
        residuals: dict[str, list[FloatArray]] = {quantity: [] for quantity in QUANTITIES}
        first = 0
        for n in frames:
            last = first + int(start[n + 1] - start[n])
            part = slice(first, last)
            found = self._frame(n, energies[part], slopes[part], pulls[part], directions[part] if gradient else None)
            for quantity, values in found.items():
                loss += float(np.sum((self._targets[n].weights[quantity] * values) ** 2))
                residuals[quantity].append(values)
            first = last
        joined = {quantity: np.concatenate(parts or [np.zeros(0)]) for quantity, parts in residuals.items()}
        slope = np.zeros_like(parameters)
        if gradient:
            self._backward(passes, pulls, directions, slope)
        return Outcome(loss, slope, joined)

    def total(
        self, parameters: FloatArray, frames: Sequence[int] | NDArray[np.int64], *, gradient: bool = True
    ) -> Outcome:
        """The same for any number of frames, a few at a time for the sake of memory."""
        parts = [
            self(parameters, frames[first : first + _FRAMES], gradient=gradient)
            for first in range(0, len(frames), _FRAMES)
        ]
        residuals = {quantity: np.concatenate([part.residuals[quantity] for part in parts]) for quantity in QUANTITIES}
        slope = np.sum([part.gradient for part in parts], axis=0)
        return Outcome(sum(part.loss for part in parts), slope, residuals)

    def _passes(self, parameters: FloatArray, atoms: NDArray[np.int64]) -> list[tuple[int, NDArray[np.int64], Pass]]:
        """A pass of each network over the atoms that it describes."""
        layers = split_layers(parameters, self._sizes)
        owners = self._owners[atoms]
        passes = []
        for owner in range(len(parameters)):
            members = np.flatnonzero(owners == owner)
            own: list[Layer] = [(weights[owner], biases[owner]) for weights, biases in layers]
            passes.append((owner, members, Pass(own, self._activations, self._inputs[atoms[members]])))
        return passes

    def _frame(
        self, n: int, energies: FloatArray, slopes: FloatArray, pulls: FloatArray, directions: FloatArray | None
    ) -> dict[str, FloatArray]:
        """Residuals of one frame; adds the derivatives of its loss by energies and slopes to the last two arrays."""
        target, pairs = self._targets[n], self._data.pairs(n)
        forces, strain = np.zeros((len(energies), 3)), np.zeros((3, 3))
        pull(*pairs, slopes, forces, strain)
        predicted = {"energy": np.array([energies.mean()]), "force": forces.ravel()}
        if "stress" in target.labels:
            predicted["stress"] = full_3x3_to_voigt_6_stress(0.5 * (strain + strain.T)) / target.volume
        residuals = {quantity: predicted[quantity] - label for quantity, label in target.labels.items()}
        if directions is not None:
            steep = {quantity: 2.0 * target.weights[quantity] ** 2 * r for quantity, r in residuals.items()}
            pulls += steep.get("energy", 0.0) / len(energies)
            tensor = np.zeros((3, 3))
            if "stress" in steep:
                xx, yy, zz, yz, xz, xy = steep["stress"] * _VOIGT_SHARE / target.volume
                tensor[:] = [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]
            push(*pairs, steep.get("force", np.zeros_like(forces)).reshape(-1, 3), tensor, directions)
        return residuals

    def _backward(
        self,
        passes: Sequence[tuple[int, NDArray[np.int64], Pass]],
        pulls: FloatArray,
        directions: FloatArray,
        slope: FloatArray,
    ) -> None:
        """Write the derivatives of the parameters into `slope`."""
        blocks = split_layers(slope, self._sizes)
        for owner, members, result in passes:
            found = result.gradient(pulls[members], directions[members] / self._scale[owner])
            for (weights, biases), (by_weights, by_biases) in zip(blocks, found, strict=True):
                weights[owner], biases[owner] = by_weights, by_biases
