"""SNAP as a `Potential`: tables made once for a model, kernels called for each configuration."""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray, IntArray
from ..engine.neighbors import NeighborList
from ..engine.plans import Plans
from ..engine.threads import scratch
from ..potential import BlockPotential, Evaluation, PairGradients, evaluate_blocks
from . import kernels, tables
from .model import SnapModel
from .packing import is_linear, pack


class SnapPotential(BlockPotential[SnapModel]):
    """A SNAP model ready for evaluation.

    Parameters
    ----------
    model : SnapModel

    Attributes
    ----------
    inexact_flux : str
        Why the heat flux is not exact; empty where it is.
    """

    def __init__(self, model: SnapModel) -> None:
        # only linear models gain from blocks of one type, see kernels_coupling.y_direct
        super().__init__(model, pack(model), by_type=is_linear(model) and len(model.elements) > 1)
        self._in_order = Plans(self._packed)
        self.elements = model.elements
        self.cutoff = model.cutoff
        self.inexact_flux = ""
        if not tables.forces_are_a_gradient(model):
            self.inexact_flux = (
                "the heat flux of this SNAP model is not exact: coefficients of equal descriptors differ, and the"
                " forces, as in LAMMPS, are then not the gradient of the energy"
            )

    def evaluate(self, neighbors: NeighborList, species: IntArray, num_threads: int = 1) -> Evaluation:
        """Energies, forces and virials; see `Potential.evaluate`."""
        plan = self._plans(neighbors, species)
        return evaluate_blocks(kernels.evaluate, neighbors, plan, num_threads=num_threads)

    def descriptors(self, neighbors: NeighborList, species: IntArray) -> FloatArray:
        """Bispectrum components of every atom.

        Returns
        -------
        (N, K) array, dimensionless, in the order of LAMMPS's ``compute sna/atom``.
        """
        return self._describe(neighbors, species, np.zeros(neighbors.centers, np.int32), 0).descriptors

    def descriptor_gradients(self, neighbors: NeighborList, species: IntArray) -> PairGradients:
        """Bispectrum components of every atom and their derivatives for every pair."""
        counts = np.zeros(neighbors.centers, np.int32)
        kernels.count_pairs(*neighbors.buffers, self.cutoff, counts)
        return self._describe(neighbors, species, counts, int(counts.sum()))

    def _describe(self, neighbors: NeighborList, species: IntArray, counts: IntArray, pairs: int) -> PairGradients:
        n, total = neighbors.centers, self.model.n_descriptors
        plan = self._in_order(neighbors, species)
        result = PairGradients(
            np.repeat(np.arange(n, dtype=np.int32), counts),
            np.empty(pairs, np.int32),
            np.empty((pairs, 3)),
            np.empty((pairs, 3, total)),
            np.empty((n, total)),
        )
        first = np.cumsum(counts, dtype=np.int64) - counts
        found = result.neighbors, result.vectors, result.gradients
        tables = plan.call, plan.ints, plan.floats, scratch("work", plan.size)
        kernels.describe(*neighbors.buffers, *tables, result.descriptors, (counts, first), found)
        return result
