"""Dipoles and polarizabilities of frames with any parameters of a NEP model, and derivatives of a loss of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..arrays import FloatArray, Parts
from . import layout_training
from .gradient import EvaluatedFrames, NepGradient
from .layout import Pass
from .model import NepModel
from .neighborhoods import Neighborhood
from .parameters import ParameterVector


class DipoleGradient(NepGradient):
    """Of a model of dipoles, ``mu = -sum_ij r_ij^2 dU_i/dr_ij``; see `NepGradient`."""

    _what = Pass(report=True)

    def evaluate(self, parameters: FloatArray, frames: Sequence[Neighborhood]) -> EvaluatedFrames:
        """Dipoles, as the diagonals of `EvaluatedFrames.strains`, with parameters (1, P)."""
        joined, call, _, report = self._run(parameters, frames)
        dipoles = -np.add.reduceat(self._potential.split(report).square, joined.begin[:-1])
        nothing = np.zeros(len(frames))
        forces = Parts(np.zeros((joined.n, 3)), joined.edges)

        def pull(_energy: FloatArray, by_forces: FloatArray, by_dipole: FloatArray) -> FloatArray:
            self._fill(parameters)
            motion = np.zeros((len(by_dipole), layout_training.FRAME_WORDS))
            motion[:, 9:] = -np.diagonal(by_dipole, axis1=1, axis2=2)
            return self._gradient(joined, call, nothing, np.zeros_like(by_forces), motion)

        return EvaluatedFrames(nothing, forces, dipoles[:, :, None] * np.eye(3), pull)


class PolarizabilityVector:
    """The parameters of a model of polarizabilities as one vector, in the order of nep.txt; see `ParameterVector`.

    Two networks share the expansion coefficients: that of the tensor, which stands first, and that of the scalar.
    """

    def __init__(self, model: NepModel) -> None:
        self._model = model
        self._one = ParameterVector(_network_alone(model, 0))
        self._half = self._one.bias + 1
        self.size = self._one.size + self._half

    def of(self, model: NepModel) -> FloatArray:
        """The vector (1, size) of a model of this shape."""
        tensor, scalar = (self._one.of(_network_alone(model, n)) for n in (0, 1))
        return np.concatenate([tensor[:, : self._half], scalar], axis=1)

    def parts(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The vectors of the tensor's and of the scalar's model."""
        tensor = np.concatenate([parameters[:, : self._half], parameters[:, 2 * self._half :]], axis=1)
        return tensor, parameters[:, self._half :]

    def model(self, parameters: FloatArray) -> NepModel:
        """The model with these parameters (1, size)."""
        tensor, scalar = (self._one.model(part) for part in self.parts(parameters))
        return replace(
            self._model,
            network=tensor.network,
            scalar_network=scalar.network,
            radial=tensor.radial,
            angular=tensor.angular,
        )

    def joined(self, tensor: FloatArray, scalar: FloatArray) -> FloatArray:
        """The derivatives with respect to all parameters from those of the two models."""
        whole = np.concatenate([tensor[:, : self._half], scalar], axis=1)
        whole[:, 2 * self._half :] += tensor[:, self._half :]
        return whole


class PolarizabilityGradient:
    """Of a model of polarizabilities: virials of one network, and on the diagonal energies of another.

    Parameters are those of `NepGradient`.
    """

    def __init__(self, model: NepModel, num_threads: int = 1) -> None:
        self.vector = PolarizabilityVector(model)
        self._tensor, self._scalar = (NepGradient(_network_alone(model, n), num_threads) for n in (0, 1))

    def evaluate(self, parameters: FloatArray, frames: Sequence[Neighborhood]) -> EvaluatedFrames:
        """Polarizabilities, in `EvaluatedFrames.strains`, with parameters (1, P)."""
        parts = self.vector.parts(parameters)
        tensor, scalar = self._tensor.evaluate(parts[0], frames), self._scalar.evaluate(parts[1], frames)
        nothing, forces = np.zeros(len(frames)), [np.zeros_like(own) for own in tensor.forces]

        def pull(_energy: FloatArray, by_forces: FloatArray, by_tensor: FloatArray) -> FloatArray:
            still, trace = np.zeros_like(by_forces), np.trace(by_tensor, axis1=1, axis2=2)
            one = tensor.pull(nothing, still, -by_tensor)
            return self.vector.joined(one, scalar.pull(trace, still, np.zeros_like(by_tensor)))

        found = scalar.energies[:, None, None] * np.eye(3) - tensor.strains
        return EvaluatedFrames(nothing, forces, found, pull)


def gradient_of(model: NepModel, num_threads: int) -> NepGradient | PolarizabilityGradient:
    """What evaluates a model and brings derivatives back to its parameters."""
    if model.kind == "polarizability":
        return PolarizabilityGradient(model, num_threads)
    return (DipoleGradient if model.kind == "dipole" else NepGradient)(model, num_threads)


def _network_alone(model: NepModel, number: int) -> NepModel:
    """A potential with the network of the tensor (0) or of the scalar (1)."""
    network = model.scalar_network if number else model.network
    assert network is not None
    return replace(model, kind="potential", network=network, scalar_network=None)
