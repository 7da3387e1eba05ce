"""MTP as a `Potential`: tables made once for a model, the kernel called for each configuration."""

from __future__ import annotations

import numpy as np

from ..engine.neighbors import NeighborList
from ..engine.packing import Packer, Plans, padded
from ..engine.radial import expansion
from ..engine.simd import W
from ..potential import Evaluation, FloatArray, IntArray, evaluate_blocks
from . import kernels, layout, tables
from .model import MtpModel

_NOTHING = np.zeros(0)
_PLACES = (
    layout.SLOTS, layout.ATOMS, layout.CHUNKS, layout.DERIVATIVES, layout.REPORT_BASIS, layout.REPORT_RADIAL,
)  # fmt: skip
_FORCES, _BASIS, _RADIAL = (True, False, False), (False, True, False), (True, False, True)  # what a call asks for


class MtpPotential:
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
        self.model = model
        self.elements = elements
        self.cutoff = model.max_dist
        self._head = np.zeros(layout.HEAD_SIZE, np.int32)
        self._ints = Packer(self._head, np.int32)
        self._floats = Packer(self._head, float)
        self._fill_moments()
        self._fill_radial()
        self._plans = Plans(self._head, (self._ints.join(), self._floats.join()), self._areas, places=_PLACES)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"

    def __getstate__(self) -> MtpModel:
        return self.model

    def __setstate__(self, model: MtpModel) -> None:
        self.__init__(model)  # type: ignore[misc]

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
        request: tuple[bool, ...] = _FORCES,
        num_threads: int = 1,
    ) -> Evaluation:
        """One pass of the kernel; `report` receives what `request` says."""
        plan = self._plans(neighbors.longest, species, *request)
        return evaluate_blocks(kernels.evaluate, neighbors, plan, report, num_threads=num_threads)

    def _areas(self, slots: int) -> dict[int, int]:
        head = self._head
        functions, channels = int(head[layout.FUNCTIONS]), int(head[layout.CHANNELS])
        moments, sums = int(head[layout.MOMENTS]), int(head[layout.SUMS])
        return {
            layout.A_SLOTS: 4 * slots + 4 * (slots + W),
            layout.A_GEOMETRY: layout.GEOMETRY_WORDS * slots,
            layout.A_PQ: 2 * slots,
            layout.A_F: (channels + 3) * slots,
            layout.A_G: 2 * functions * slots,
            layout.A_P: 3 * slots,
            layout.A_T: 4 * int(head[layout.BASIS]),
            layout.A_ROWS: W,
            layout.A_VALUES: padded(2 * functions),
            layout.A_DERIVATIVES: 12 * channels,
            layout.A_S: sums,
            layout.A_D: sums,
            layout.A_M: moments,
            layout.A_DM: moments,
            layout.A_TYPES: 1,
            layout.A_ENERGY: 1,
        }

    def _fill_moments(self) -> None:
        model, head = self.model, self._head
        channels = tables.channels(model.basic)
        forward = tables.sums_to_moments(model.basic, channels)
        reverse = forward.transposed(int(channels.offsets[-1]))
        program = tables.program(model)
        head[layout.TYPES], head[layout.FUNCTIONS] = len(self.elements), model.radial_functions
        head[layout.BASIS], head[layout.CHANNELS] = model.radial_size, len(channels.function)
        head[layout.SUMS], head[layout.BASIC] = channels.offsets[-1], len(model.basic)
        head[layout.MOMENTS], head[layout.SCALARS] = model.n_moments, len(model.mapping)
        head[layout.RUNS] = len(program.places)
        head[layout.GROUPS] = padded(2 * model.radial_functions) // W
        for slot, values in (
            (layout.I_LIMITS, channels.limits),
            (layout.I_OFFSETS, channels.offsets),
            (layout.I_FUNCTION, channels.function),
            (layout.I_ODD, channels.odd),
            (layout.I_PROGRAM, program.stream),
            (layout.I_RUNS, program.places),
            (layout.I_MAPPING, model.mapping),
        ):
            self._ints.add(slot, values)
        places = {"begin": layout.I_FORWARD, "columns": layout.I_FORWARD_COLUMNS, "values": layout.F_FORWARD}
        self._floats.add_sparse(self._ints, forward, **places)
        places = {"begin": layout.I_REVERSE, "columns": layout.I_REVERSE_COLUMNS, "values": layout.F_REVERSE}
        self._floats.add_sparse(self._ints, reverse, **places)
        self._floats.add(layout.F_WEIGHTS, program.weights)
        self._floats.add(layout.F_MOMENTS, model.moment_coefficients)
        self._floats.add(layout.F_SPECIES, model.species_coefficients)

    def _fill_radial(self) -> None:
        model = self.model
        clamped = model.radial_basis.endswith("_repuls")
        self._head[layout.SMOOTH] = model.radial_basis.startswith("RBChebyshev")
        self._head[layout.REPULSIVE] = model.radial_basis == "RBChebyshev_repuls"
        self._floats.add(layout.F_RADIAL, expansion(tables.chebyshev_coefficients(model)))
        clamp = model.min_dist if clamped else 0.0
        self._floats.add(layout.F_SCALARS, [model.min_dist, model.max_dist, clamp])
