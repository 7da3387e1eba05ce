"""ACE as a `Potential`: tables made once for a model, kernels called for each configuration."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..arrays import FloatArray, IntArray
from ..engine.neighbors import NeighborList
from ..engine.plans import Plans
from ..engine.threads import scratch
from ..potential import BlockPotential, Evaluation, PairGradients, evaluate_blocks
from . import kernels
from .model import AceModel
from .packing import pack


class AcePotential(BlockPotential[AceModel]):
    """An ACE model ready for evaluation.

    Parameters
    ----------
    model : AceModel
    """

    def __init__(self, model: AceModel) -> None:
        super().__init__(model, pack(model), by_type=len(model.elements) > 1)
        self.elements = model.elements
        self.cutoff = model.cutoff
        self._cutoffs = np.array([[bond.cutoff for bond in row] for row in model.bonds])

    @cached_property
    def _describing(self) -> Plans:
        return Plans(pack(self.model, described=True))

    def evaluate(self, neighbors: NeighborList, species: IntArray, num_threads: int = 1) -> Evaluation:
        """Energies, forces and virials; see `Potential.evaluate`."""
        plan = self._plans(neighbors, species)
        return evaluate_blocks(kernels.evaluate, neighbors, plan, num_threads=num_threads)

    def descriptors(self, neighbors: NeighborList, species: IntArray) -> FloatArray:
        """Basis functions B of every atom, (N, K), with zeros behind those of elements that have fewer."""
        return self._describe(neighbors, species, np.zeros(neighbors.centers, np.int32), 0).descriptors

    def descriptor_gradients(self, neighbors: NeighborList, species: IntArray) -> PairGradients:
        """Basis functions of every atom and their derivatives for every pair."""
        counts, kinds = np.zeros(neighbors.centers, np.int32), np.ascontiguousarray(species, np.int32)
        kernels.count_pairs(*neighbors.buffers, kinds, self._cutoffs, counts, np.empty(8))
        return self._describe(neighbors, species, counts, int(counts.sum()))

    def _describe(self, neighbors: NeighborList, species: IntArray, counts: IntArray, pairs: int) -> PairGradients:
        n, total = neighbors.centers, self.model.n_descriptors
        plan = self._describing(neighbors, species)
        result = PairGradients(
            np.repeat(np.arange(n, dtype=np.int32), counts),
            np.empty(pairs, np.int32),
            np.empty((pairs, 3)),
            np.zeros((pairs, 3, total)),
            np.empty((n, total)),
        )
        first = np.cumsum(counts, dtype=np.int64) - counts
        found = result.neighbors, result.vectors, result.gradients
        tables = plan.call, plan.ints, plan.floats, scratch("work", plan.size)
        kernels.describe(*neighbors.buffers, *tables, result.descriptors, first, found)
        return result
