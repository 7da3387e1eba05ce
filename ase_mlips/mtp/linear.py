"""The species and moment coefficients of an MTP that fit labelled frames best, the radial functions held fixed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from ..arrays import FloatArray
from ..engine.packing import padded
from ..engine.threads import run_each, scratch
from ..fit.linear import Reduction
from . import kernels_rows, layout
from .training import FrameLoss, Group, ParametricMtp

RIDGE = 1e-12  # relative to the square of a column's length: below this double precision knows nothing
LARGEST_RIDGE = 1e-6
PARTS = 8  # sums that are made apart, so that the number of threads does not matter
VOIGT = (0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)
_TWICE = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])


def basis_derivatives(potential: ParametricMtp, group: Group) -> tuple[FloatArray, FloatArray]:
    """Forces and frame rows of the linear parameters, with a last column that is free.

    Returns
    -------
    forces : (N, 3, S + nS + 1) array
        What each unit of a parameter adds to the forces.
    tops : (F, 7, S + nS + 1) array
        What it adds to the energy of each frame, and to its strain derivatives xx yy zz yz xz xy.
    """
    joined, (S, scalars) = group.joined, (len(potential.elements), len(potential.model.mapping))
    plan, places, size = potential.plan(joined, group.species)
    width, F = S + padded(scalars + 1), len(group.energies)
    rows, tops = np.zeros((joined.n + 1, 3, width)), np.zeros((F, 1 + layout.TENSOR, width))
    frames = joined.frame.astype(np.int32)
    model = plan.call, plan.ints, plan.floats
    kernels_rows.basis_rows(*joined.list.buffers, *model, places, frames, scratch("work", size), rows, tops)
    tops[:, 0, :S] = group.counts
    return rows[:-1, :, : S + scalars + 1], tops[:, :, : S + scalars + 1]


def weighted_rows(potential: ParametricMtp, group: Group) -> FloatArray:
    """Rows ``[A | b]`` of a group, each multiplied by the square root of its weight; those without weight left out.

    The potential must have zeros for its linear parameters.
    """
    forces, tops = basis_derivatives(potential, group)
    forces[:, :, -1], tops[:, 0, -1], virials = group.forces, group.energies, group.virials
    if potential.model.radial_basis == "RBChebyshev_repuls":
        rest = potential.energies(group.joined, potential.plan(group.joined, group.species)[0])
        begin = group.joined.first[:-1]
        forces[:, :, -1] -= rest.forces
        tops[:, 0, -1] -= np.add.reduceat(rest.energies, begin)
        virials = virials - np.add.reduceat(rest.virials, begin)
    tops[:, 1:, -1] = -virials[:, *VOIGT]
    weights = np.concatenate([group.energy_weights[:, None], group.virial_weights[:, *VOIGT] * _TWICE], 1)
    n = forces.shape[2]
    used, felt = weights.ravel() > 0.0, group.force_weights.ravel() > 0.0
    parts = tops.reshape(-1, n)[used], forces[felt].reshape(-1, n)
    factors = weights.ravel()[used], np.repeat(group.force_weights.ravel()[felt], 3)
    return np.concatenate([np.sqrt(factor)[:, None] * part for factor, part in zip(factors, parts, strict=True)])


@dataclass(frozen=True, eq=False)
class Block:
    """The second derivatives of the loss by the linear parameters, factorised; of parameters without data zero.

    Attributes
    ----------
    factor : tuple
        Of `scipy.linalg.cho_factor`, of the matrix whose columns were scaled to unit length, with a ridge.
    lengths : (n,) array
        Those of the columns, inf where there are no data.
    target : (n,) array
        Minus half the derivatives of the loss at zero.
    """

    factor: tuple[FloatArray, bool]
    lengths: FloatArray
    target: FloatArray

    def solve(self, values: FloatArray) -> FloatArray:
        """The matrix, which is half of the second derivatives, solved for `values`."""
        scaled: FloatArray = scipy.linalg.cho_solve(self.factor, (values.T / self.lengths).T)
        return (scaled.T / self.lengths).T


def block(loss: FrameLoss, parameters: FloatArray, *, ridge: float = RIDGE) -> Block:
    """The normal equations of the linear parameters for the radial functions of some parameters.

    Raises
    ------
    FloatingPointError
        The derivatives of the basis functions are not finite, or all zero.
    """
    potential = loss.potential
    fixed = parameters.copy()
    fixed[len(parameters) - potential.n_linear :] = 0.0
    potential.set(fixed)
    parts = [Reduction(potential.n_linear + 1) for _ in range(min(PARTS, len(loss.groups)))]
    edges = [len(loss.groups) * k // len(parts) for k in range(len(parts) + 1)]

    def work(part: int) -> None:
        for group in loss.groups[edges[part] : edges[part + 1]]:
            parts[part].add(weighted_rows(potential, group))
        parts[part].matrix()

    run_each(work, len(parts), loss.threads)
    gram = loss.shards.total(np.sum([np.triu(part.matrix()) for part in parts], axis=0)) / loss.count
    lengths = np.sqrt(gram.diagonal()[:-1])
    if not np.isfinite(lengths).all() or not lengths.max(initial=0.0) > 0.0:
        raise FloatingPointError("the derivatives of the basis functions are not finite, or all zero")
    lengths = np.where(lengths > 0.0, lengths, np.inf)  # those of products of four moments may be very small
    matrix = gram[:-1, :-1] / np.outer(lengths, lengths)
    return Block((_factor(matrix, ridge), False), lengths, gram[:-1, -1])


def _factor(matrix: FloatArray, ridge: float) -> FloatArray:
    """The Cholesky factor with this ridge, or with the least larger one that rounding does not spoil."""
    while True:
        matrix[np.diag_indices_from(matrix)] = 1.0 + ridge
        try:
            return np.asarray(scipy.linalg.cholesky(matrix))
        except np.linalg.LinAlgError:
            if ridge > LARGEST_RIDGE:
                raise
            ridge = 10.0 * max(ridge, RIDGE)


def solved(loss: FrameLoss, parameters: FloatArray, *, ridge: float = RIDGE) -> FloatArray:
    """The parameters with the best linear ones for their radial functions.

    Directions that the frames do not determine are left near zero by the ridge, which is relative to the length of each
    column; a second step, by the gradient of the loss, takes away what it costs all others.

    Raises
    ------
    FloatingPointError
        The derivatives of the basis functions are not finite, or all zero.
    """
    own = block(loss, parameters, ridge=ridge)
    found = parameters.copy()
    linear = slice(len(parameters) - loss.potential.n_linear, None)
    found[linear] = own.solve(own.target)
    found[linear] -= own.solve(0.5 * loss(found)[1][linear])
    return found
