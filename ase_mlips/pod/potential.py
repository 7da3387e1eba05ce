"""POD as a `Potential`: tables made once for a model, kernels called for each configuration."""

from __future__ import annotations

import warnings

import numpy as np

from ..arrays import FloatArray, Int64Array, IntArray
from ..engine.neighbors import NeighborList
from ..engine.threads import scratch
from ..potential import BlockPotential, Evaluation, PairGradients, evaluate_blocks
from . import kernels, kernels_gradients, radial
from .kernels_head import NEVER
from .model import PodModel
from .packing import pack


class PodPotential(BlockPotential[PodModel]):
    """A POD model ready for evaluation.

    Parameters
    ----------
    model : PodModel

    Warns
    -----
    UserWarning
        The radial functions of a model that does not hold them are so many that rounding decides on the last ones.
    """

    def __init__(self, model: PodModel) -> None:
        super().__init__(model, pack(model), by_type=len(model.elements) > 1)
        self.elements = model.elements
        self.cutoff = model.cutoff
        if (error := radial.uncertainty(model.basis)) > radial.LARGEST_UNCERTAINTY:
            warnings.warn(
                f"rounding errors change the last of {model.basis.n_radial} radial functions by some {error:.0e}:"
                " another program, LAMMPS too, may have others for the same file",
                UserWarning,
                stacklevel=2,
            )

    def evaluate(self, neighbors: NeighborList, species: IntArray, num_threads: int = 1) -> Evaluation:
        """Energies, forces and virials; see `Potential.evaluate`."""
        return evaluate_blocks(kernels.evaluate, neighbors, self._plans(neighbors, species), num_threads=num_threads)

    def descriptors(self, neighbors: NeighborList, species: IntArray) -> FloatArray:
        """Descriptors of every atom.

        Returns
        -------
        (N, M) array in the order of LAMMPS's ``compute pod/atom`` for one environment cluster.
        """
        return self._describe(neighbors, species, np.zeros(neighbors.centers, np.int64), 0)[0].descriptors

    def weighted_descriptors(self, neighbors: NeighborList, species: IntArray) -> FloatArray:
        """Descriptors times the share of each environment cluster, (N, M C): P_k B_m in column m + M k."""
        found, model = self.descriptors(neighbors, species), self.model
        if model.projections is None or model.centroids is None:
            return found
        kinds = np.asarray(species[: len(found)], np.intp)
        places = np.einsum("im,imd->id", found, model.projections[kinds])
        nearness = 1.0 / (NEVER + ((places[:, None] - model.centroids[kinds]) ** 2).sum(axis=2))
        shares = nearness / nearness.sum(axis=1, keepdims=True)
        return np.asarray((shares[:, :, None] * found[:, None]).reshape(len(found), -1))

    def descriptor_gradients(self, neighbors: NeighborList, species: IntArray) -> PairGradients:
        """Descriptors of every atom and their derivatives for every pair."""
        counts = self._describe(neighbors, species, np.zeros(neighbors.centers, np.int64), 0)[1]
        return self._describe(neighbors, species, np.cumsum(counts) - counts, int(counts.sum()))[0]

    def _describe(
        self, neighbors: NeighborList, species: IntArray, first: Int64Array, pairs: int
    ) -> tuple[PairGradients, Int64Array]:
        """Descriptors, gradients if there are any pairs, and the number of pairs of each atom, found on the way."""
        n, total = neighbors.centers, self.model.basis.n_descriptors
        plan, counts = self._plans(neighbors, species), np.zeros(n, np.int64)
        found = np.empty(pairs, np.int32), np.empty((pairs, 3)), np.empty((pairs, 3, total))
        descriptors = np.empty((n, total))
        tables = plan.call, plan.ints, plan.floats, scratch("work", plan.size)
        kernels_gradients.describe(*neighbors.buffers, *tables, descriptors, (counts, first), found)
        centers = np.repeat(np.arange(n, dtype=np.int32), counts if pairs else 0)
        return PairGradients(centers, *found, descriptors), counts
