"""First parameters of a NEP model: functions at random, networks that see inputs and energies of order one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import replace

import numpy as np

from ..arrays import FloatArray, IntArray
from .model import NepModel, NepNetwork
from .neighborhoods import JoinedFrames
from .potential import NepPotential

_SPREAD = 0.5  # standard deviation of what enters a neuron, over the atoms of its type
_OUTPUT = 1.0  # eV, of the sum over all neurons, where each were +-1
_CARRIER = -2.0  # b0 of a neuron that carries a constant


def random_model(template: NepModel, seed: int) -> NepModel:
    """The template with random expansion coefficients."""
    rng = np.random.default_rng((seed, 1))
    radial, angular = (rng.normal(size=c.shape) for c in (template.radial, template.angular))
    return replace(template, radial=radial, angular=angular)


class Inputs:
    """Mean, covariance and range of the descriptors of each type over all training frames, without their scale.

    Those of some frames and of others are added.

    Parameters
    ----------
    model : NepModel
        Its expansion coefficients are used.
    batches : iterable of JoinedFrames
    """

    def __init__(self, model: NepModel, batches: Iterable[JoinedFrames]) -> None:
        types, size = len(model.elements), model.n_descriptors
        self.counts, self._sum, self._square = np.zeros(types), np.zeros((types, size)), np.zeros((types, size, size))
        self.low, self.high = np.full(size, np.inf), np.full(size, -np.inf)
        for q, species in _descriptors(model, batches):
            self.low, self.high = np.minimum(self.low, q.min(axis=0)), np.maximum(self.high, q.max(axis=0))
            for kind in range(types):
                own = q[species == kind]
                self.counts[kind] += len(own)
                self._sum[kind] += own.sum(axis=0)
                self._square[kind] += own.T @ own

    def __add__(self, other: Inputs) -> Inputs:
        both = copy(self)
        both.counts, both._sum = self.counts + other.counts, self._sum + other._sum
        both._square = self._square + other._square
        both.low, both.high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        return both

    @property
    def mean(self) -> FloatArray:
        """Of each type (types, descriptors)."""
        return self._sum / np.maximum(self.counts, 1.0)[:, None]

    @property
    def covariance(self) -> FloatArray:
        """Of each type (types, descriptors, descriptors)."""
        mean = self.mean
        return self._square / np.maximum(self.counts, 1.0)[:, None, None] - mean[:, :, None] * mean[:, None, :]

    @property
    def scaler(self) -> FloatArray:
        """One over the range of each descriptor; 1 where it never changes."""
        width = self.high - self.low
        wide = width > 1e-10 * np.maximum(np.abs(self.high), np.abs(self.low))
        return np.where(wide, 1.0 / np.where(wide, width, 1.0), 1.0)


def _descriptors(model: NepModel, batches: Iterable[JoinedFrames]) -> Iterator[tuple[FloatArray, IntArray]]:
    """Unscaled descriptors and types, batch by batch."""
    potential = NepPotential(replace(model, scaler=np.ones(model.n_descriptors), zbl=None))
    for joined in batches:
        yield potential.outputs(joined.list, joined.species).descriptors, joined.species


def first_network(template: NepModel, inputs: Inputs, seed: int) -> NepNetwork:
    """Random weights: what enters the neurons is centred for each type and has a standard deviation of a half."""
    rng = np.random.default_rng((seed, 2))
    network, types = template.network, len(template.elements)
    nets, hidden, size = network.w0.shape
    mean, covariance = inputs.mean * template.scaler, inputs.covariance * np.outer(template.scaler, template.scaler)
    if nets < types:  # all types share one
        weights = inputs.counts / inputs.counts.sum()
        mean, covariance = np.tensordot(weights, mean, 1)[None], np.tensordot(weights, covariance, 1)[None]
    w0 = rng.normal(size=(nets, hidden, size))
    spread = np.sqrt(np.maximum(np.einsum("thd,tde,the->th", w0, covariance, w0, optimize=True), 0.0))
    w0 *= (_SPREAD / np.where(spread > 0.0, spread, 1.0))[:, :, None]
    b0 = np.einsum("thd,td->th", w0, mean) + _SPREAD * rng.normal(scale=0.5, size=(nets, hidden))
    w1 = rng.normal(scale=_OUTPUT / np.sqrt(hidden), size=(nets, hidden))
    return replace(network, w0=w0, b0=b0, w1=w1)


def with_constants(network: NepNetwork, common: float, own: FloatArray) -> NepNetwork:
    """Add `common` and the constants `own` (types,) to the energies of atoms.

    Those of the types become the bias of NEP5, and in NEP4 what the last neuron of each type says, whose weights are
    replaced by others that make it a constant.
    """
    shifted = replace(network, bias=network.bias - common)
    if network.type_bias is not None:
        return replace(shifted, type_bias=network.type_bias - own)
    if not np.any(own) or len(network.w0) < len(own):
        return shifted
    w0, b0, w1 = network.w0.copy(), network.b0.copy(), network.w1.copy()
    w0[:, -1], b0[:, -1], w1[:, -1] = 0.0, _CARRIER, own / np.tanh(-_CARRIER)
    return replace(shifted, w0=w0, b0=b0, w1=w1)


def widened(network: NepNetwork) -> NepNetwork:
    """The same network with one neuron more, which says nothing."""
    w0 = np.concatenate([network.w0, np.zeros_like(network.w0[:, :1])], axis=1)
    b0, w1 = (np.concatenate([v, np.zeros_like(v[:, :1])], axis=1) for v in (network.b0, network.w1))
    return replace(network, w0=w0, b0=b0, w1=w1)
