"""MTP as a `Potential`: tables made once for a model, the kernel called for each configuration."""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray, IntArray
from ..engine.neighbors import NeighborList
from ..potential import BlockPotential, Evaluation, evaluate_blocks
from . import kernels, tables
from .layout import Request
from .model import MtpModel
from .packing import pack

_NOTHING = np.zeros(0)
_FORCES, _BASIS, _RADIAL = Request(), Request(derivatives=False, report_basis=True), Request(report_radial=True)


class MtpPotential(BlockPotential[MtpModel]):
    """An MTP model ready for evaluation.

    Parameters
    ----------
    model : MtpModel
        Trained, with the symbols of all its species.

    Raises
    ------
    ValueError
        An untrained model, or one whose species are not known.
    """

    def __init__(self, model: MtpModel) -> None:
        if not model.trained:
            raise ValueError("this MTP is untrained: it has no coefficients to evaluate")
        elements = tuple(symbol for symbol in model.species if symbol is not None)
        if len(elements) < len(model.species):
            raise ValueError(
                f"the file does not name the {len(model.species)} species of this MTP: give them in MLIP's type order, "
                f'for example species=["Si"]'
            )
        super().__init__(model, pack(model))
        self.elements = elements
        self.cutoff = model.max_dist

    def evaluate(self, neighbors: NeighborList, species: IntArray, num_threads: int = 1) -> Evaluation:
        """Energies, forces and virials; see `Potential.evaluate`."""
        return self._run(neighbors, species, _NOTHING, num_threads=num_threads)

    def basis(self, neighbors: NeighborList, species: IntArray) -> FloatArray:
        """Basis functions B of every atom, (N, nS), in the order of `moment_coefficients`."""
        report = np.zeros(neighbors.n * len(self.model.mapping))
        self._run(neighbors, species, report, request=_BASIS)
        return report.reshape(neighbors.n, len(self.model.mapping))

    def parameter_gradients(self, neighbors: NeighborList, species: IntArray) -> FloatArray:
        """Derivatives of every atomic energy by all parameters, (N, n): radial, species, moment coefficients.

        Radial ones are ordered [centre][neighbour][mu][n] as in MLIP's files.
        """
        model, n = self.model, neighbors.n
        count = len(model.species)
        shape = (n, count, count, model.radial_functions, model.radial_size)
        report = np.zeros(int(np.prod(shape)))
        self._run(neighbors, species, report, request=_RADIAL)
        radial = model.scaling * report.reshape(shape) @ tables.to_chebyshev(model).T
        own = np.eye(count)[np.asarray(species, np.intp)]
        return np.concatenate([radial.reshape(n, int(np.prod(shape[1:]))), own, self.basis(neighbors, species)], axis=1)

    def _run(
        self,
        neighbors: NeighborList,
        species: IntArray,
        report: FloatArray,
        *,
        request: Request = _FORCES,
        num_threads: int = 1,
    ) -> Evaluation:
        """One pass of the kernel; `report` receives what `request` says."""
        plan = self._plans(neighbors, species, request)
        return evaluate_blocks(kernels.evaluate, neighbors, plan, report, num_threads=num_threads)
