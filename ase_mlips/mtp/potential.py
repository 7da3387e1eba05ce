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
_FORCES, _BASIS = Request(), Request(derivatives=False, report_basis=True)
_GRADIENTS = Request(report_basis=True, report_radial=True)


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

    def gradient_terms(self, neighbors: NeighborList, species: IntArray, num_threads: int = 1) -> FloatArray:
        """What derivatives of atomic energies by parameters are made of, in one pass, (N, S K R + nS).

        Of each atom those by the radial coefficients of its own species, by T_k and without scaling, in the order
        [neighbour][mu][k], and then its basis functions.
        """
        model = self.model
        width = len(model.species) * model.radial_functions * model.radial_size + len(model.mapping)
        report = np.zeros(neighbors.n * width)
        self._run(neighbors, species, report, request=_GRADIENTS, num_threads=num_threads)
        return report.reshape(neighbors.n, width)

    def parameter_gradients(self, neighbors: NeighborList, species: IntArray) -> FloatArray:
        """Derivatives of every atomic energy by all parameters, (N, n): radial, species, moment coefficients.

        Radial ones are ordered [centre][neighbour][mu][n] as in MLIP's files.
        """
        model, n, count = self.model, neighbors.n, len(self.model.species)
        terms, scalars = self.gradient_terms(neighbors, species), len(model.mapping)
        own = terms[:, : terms.shape[1] - scalars].reshape(n, count, model.radial_functions, model.radial_size)
        radial = np.zeros((n, count, *own.shape[1:]))
        kinds = np.asarray(species, np.intp)
        radial[np.arange(n), kinds] = model.scaling * own @ tables.to_chebyshev(model).T
        width = count * int(np.prod(own.shape[1:]))
        basis = terms[:, terms.shape[1] - scalars :]
        return np.concatenate([radial.reshape(n, width), np.eye(count)[kinds], basis], axis=1)

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
