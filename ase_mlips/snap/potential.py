"""SNAP as a `Potential`: tables made once for a model, kernels called for each configuration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..engine import zbl
from ..engine.neighbors import NeighborList
from ..engine.packing import Packer, Plans, padded
from ..engine.simd import W
from ..engine.threads import scratch
from ..files.records import one_line
from ..heads.tables import pack_network
from ..potential import Evaluation, FloatArray, IntArray, evaluate_blocks
from . import kernels, layout, tables
from .model import SnapModel, bispectrum_labels

_PLACES = layout.SLOTS, layout.ATOMS, layout.CHUNKS


@dataclass(frozen=True, repr=False)
class PairGradients:
    """Descriptors and their derivatives with respect to the positions of neighbours.

    Attributes
    ----------
    centers, neighbors : (P,) int32 arrays
        Atoms i and j of each pair within the cutoff; pairs of one centre are contiguous.
    vectors : (P, 3) array
        r_ij = r_j - r_i in A, for the periodic image at hand.
    gradients : (P, 3, K) array
        dB^i_k / dr_j in 1/A; the derivative with respect to r_i is minus the sum over its pairs.
    descriptors : (N, K) array
        B^i_k in LAMMPS's order.
    """

    centers: IntArray
    neighbors: IntArray
    vectors: FloatArray
    gradients: FloatArray
    descriptors: FloatArray

    def __repr__(self) -> str:
        return one_line(self)


class SnapPotential:
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
        self.model = model
        self.elements = model.elements
        self.cutoff = model.cutoff
        self.inexact_flux = ""
        if not tables.forces_are_a_gradient(model):
            self.inexact_flux = (
                "the heat flux of this SNAP model is not exact: coefficients of equal descriptors differ, and the"
                " forces, as in LAMMPS, are then not the gradient of the energy"
            )
        self._head = np.zeros(layout.HEAD_SIZE, np.int32)
        self._ints = Packer(self._head, np.int32)
        self._floats = Packer(self._head, float)
        self._fill_sizes()
        self._fill_basis()
        self._fill_couplings()
        self._fill_contractions()
        self._fill_pairs()
        self._fill_network()
        model_tables = self._ints.join(), self._floats.join()
        self._in_order = Plans(self._head, model_tables, self._areas, places=_PLACES)
        # only linear models gain from blocks of one type, see kernels_coupling.y_direct
        by_type = bool(self._head[layout.DIRECT]) and len(self.elements) > 1
        self._plans = Plans(self._head, model_tables, self._areas, places=_PLACES, by_type=by_type)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"

    def __getstate__(self) -> SnapModel:
        return self.model

    def __setstate__(self, model: SnapModel) -> None:
        self.__init__(model)  # type: ignore[misc]

    # -----------------------------------------------------------------------------------------------
    # evaluation

    def evaluate(self, neighbors: NeighborList, species: IntArray, num_threads: int = 1) -> Evaluation:
        """Energies, forces and virials; see `Potential.evaluate`."""
        plan = self._plans(neighbors.longest, species)
        return evaluate_blocks(kernels.evaluate, neighbors, plan, num_threads=num_threads)

    def descriptors(self, neighbors: NeighborList, species: IntArray) -> FloatArray:
        """Bispectrum components of every atom.

        Returns
        -------
        (N, K) array, dimensionless, in the order of LAMMPS's ``compute sna/atom``.
        """
        return self._describe(neighbors, species, np.zeros(neighbors.n, np.int32), 0).descriptors

    def descriptor_gradients(self, neighbors: NeighborList, species: IntArray) -> PairGradients:
        """Bispectrum components of every atom and their derivatives for every pair."""
        counts = np.zeros(neighbors.n, np.int32)
        args = neighbors.positions, neighbors.shifts, neighbors.start, neighbors.idx, neighbors.code
        kernels.count_pairs(*args, neighbors.n, self.cutoff, counts)
        return self._describe(neighbors, species, counts, int(counts.sum()))

    def _describe(self, neighbors: NeighborList, species: IntArray, counts: IntArray, pairs: int) -> PairGradients:
        n, total = neighbors.n, self.model.n_descriptors
        plan = self._in_order(neighbors.longest, species)
        result = PairGradients(
            np.repeat(np.arange(n, dtype=np.int32), counts),
            np.empty(pairs, np.int32),
            np.empty((pairs, 3)),
            np.empty((pairs, 3, total)),
            np.empty((n, total)),
        )
        kernels.describe(
            neighbors.positions,
            neighbors.shifts,
            neighbors.start,
            neighbors.idx,
            neighbors.code,
            *plan.model,
            scratch("work", plan.size),
            result.descriptors,
            counts,
            np.cumsum(counts, dtype=np.int64) - counts,
            result.neighbors,
            result.vectors,
            result.gradients,
        )
        return result

    def _areas(self, slots: int) -> dict[int, int]:
        head = self._head
        elements, channels, sums = (int(head[slot]) for slot in (layout.ELEMENTS, layout.CHANNELS, layout.SUMS))
        full, half, independent = (int(head[slot]) for slot in (layout.FULL, layout.HALF, layout.INDEPENDENT))
        descriptors, coefficients = int(head[layout.DESCRIPTORS]), int(head[layout.COEFFICIENTS])
        return {
            layout.A_SLOTS: 4 * slots + 4 * (slots + W),
            layout.A_PAIR: layout.PAIR_WORDS * slots,
            layout.A_GEOMETRY: layout.GEOMETRY_WORDS * slots,
            layout.A_PQ: 2 * slots,
            layout.A_F: (channels + 3) * slots,
            layout.A_P: 3 * slots,
            layout.A_DERIVATIVES: 12 * channels,
            layout.A_S: sums,
            layout.A_U: 2 * elements * full,
            layout.A_Y: 2 * elements * half,
            layout.A_D: elements * sums,
            layout.A_Z: 2 * elements**2 * int(head[layout.ZSIZE]),
            layout.A_B: descriptors,
            layout.A_BETA: padded(descriptors),
            layout.A_LANES: coefficients,
            layout.A_SELF: elements,
            layout.A_TYPES: 1,
            layout.A_ENERGY: 1,
            layout.A_PARTS: 2 * independent,
            layout.A_NETWORK: self._network_work,
        }

    # -----------------------------------------------------------------------------------------------
    # tables

    def _fill_sizes(self) -> None:
        model, head = self.model, self._head
        top = model.twojmax
        limits, offsets = tables.channel_layout(top)
        head[layout.TWOJMAX] = top
        head[layout.CHANNELS] = 2 * top + 1
        head[layout.SUMS] = offsets[-1]
        head[layout.FULL] = tables.full_offset(top + 1)
        head[layout.HALF] = tables.half_offset(top + 1)
        head[layout.INDEPENDENT] = len(tables.mirror(top))
        head[layout.ZSIZE] = tables.z_offsets(top)[-1, -1, -1]
        head[layout.TYPES] = len(model.elements)
        head[layout.ELEMENTS] = len(model.elements) if model.chemflag else 1
        head[layout.DESCRIPTORS] = model.n_descriptors
        head[layout.COEFFICIENTS] = model.coefficients.shape[1]
        head[layout.QUADRATIC] = model.quadraticflag
        head[layout.NETWORK] = model.network is not None
        head[layout.DIRECT] = not (model.quadraticflag or model.chemflag or model.network)
        head[layout.SWITCH] = model.switchflag
        head[layout.INNER] = model.switchinnerflag
        head[layout.ZBL] = model.zbl is not None
        head[layout.SELF_ALL] = model.wselfallflag
        self._ints.add(layout.I_LIMITS, limits)
        self._ints.add(layout.I_OFFSETS, offsets)

    def _fill_basis(self) -> None:
        top = self.model.twojmax
        forward, reverse = tables.sums_to_u(top), tables.y_to_sums(top)
        places = {"begin": layout.I_FORWARD, "columns": layout.I_FORWARD_COLUMNS, "values": layout.F_FORWARD}
        self._floats.add_sparse(self._ints, forward, **places)
        places = {"begin": layout.I_REVERSE, "columns": layout.I_REVERSE_COLUMNS, "values": layout.F_REVERSE}
        self._floats.add_sparse(self._ints, reverse, **places)
        elements = [(j, mb, ma) for j in range(top + 1) for mb, ma in tables.half_elements(j)]
        rows = [
            (full, mirrored, int(sign), tables.half_offset(*e), mb * (j + 1) + ma, int(tables.half_weight(*e)))
            for (full, mirrored, sign), e in zip(tables.mirror(top), elements, strict=True)
            for j, mb, ma in [e]
        ]
        self._ints.add(layout.I_ELEMENTS, rows)

    def _fill_couplings(self) -> None:
        model = self.model
        for symmetric, words, count, outer, inner in (
            (True, layout.I_TILES, layout.N_TILES, layout.F_OUTER, layout.F_INNER),
            (False, layout.I_TILES_MIXED, layout.N_TILES_MIXED, layout.F_OUTER_MIXED, layout.F_INNER_MIXED),
        ):
            wanted = symmetric or model.chemflag
            tiles = tables.coupling_tiles(model.twojmax if wanted else 0, bnorm=model.bnormflag, symmetric=symmetric)
            self._ints.add(words, tiles.words)
            self._head[count] = len(tiles.words)
            self._floats.add(outer, tiles.outer)
            self._floats.add(inner, tiles.inner)
            if symmetric:
                self._head[layout.F_OUTER_SIZE] = tiles.outer.size
                self._floats.add(layout.F_DIRECT, self._direct(tiles))

    def _direct(self, tiles: tables.Tiles) -> FloatArray:
        """Coupling constants with the linear coefficients of each type folded in."""
        model = self.model
        if not self._head[layout.DIRECT]:
            return np.zeros(0)
        numbers = tables.label_numbers(model.twojmax)
        terms = [tables.adjoint_term(*c, bnorm=model.bnormflag) for c in tables.couplings(model.twojmax)]
        which = np.array([numbers[label] for label, _, _ in terms])
        factors = np.array([factor for _, _, factor in terms])
        folded = model.coefficients[:, 1 + which] * factors
        return np.asarray(tiles.outer * folded[:, tiles.triplet])

    def _fill_contractions(self) -> None:
        model, head = self.model, self._head
        elements = int(head[layout.ELEMENTS])
        # a network has another beta for each of several equal descriptors, which LAMMPS's way would mix up
        gradient = model.network is not None and model.chemflag
        for lammps, words, factors in (
            (False, layout.I_Y_EXACT, layout.F_FACTOR_EXACT),
            (not gradient, layout.I_Y, layout.F_FACTOR),
        ):
            table = tables.contractions(model.twojmax, elements, bnorm=model.bnormflag, lammps=lammps)
            self._ints.add(words, table.y)
            self._floats.add(factors, table.factors)
            if not lammps:
                first = np.searchsorted(table.y[:, 3], np.arange(model.n_descriptors + 1))
                self._ints.add(layout.I_Y_FIRST, first)
        self._ints.add(layout.I_B, table.b)
        head[layout.N_B], head[layout.N_Y] = len(table.b), len(table.y)
        b0 = self._isolated()
        self._floats.add(layout.F_B0, b0)
        if model.network is None:
            self._floats.add(layout.F_SHIFT, model.coefficients[:, 0] - model.coefficients[:, 1 : 1 + b0.size] @ b0)
        self._floats.add(layout.F_COEFFICIENTS, model.coefficients)

    def _isolated(self) -> FloatArray:
        """What bzeroflag subtracts: B of an isolated atom whose element stands in all three places."""
        model, labels = self.model, bispectrum_labels(self.model.twojmax)
        if not model.bzeroflag:
            return np.zeros(model.n_descriptors)
        own = np.array([1.0 if model.bnormflag else j + 1.0 for _, _, j in labels])
        n = int(self._head[layout.ELEMENTS])
        subtract = np.ones((n, n, n, 1)) if model.wselfallflag else np.zeros((n, n, n, 1))
        subtract[range(n), range(n), range(n)] = 1.0
        return np.asarray(subtract * own).ravel()

    def _fill_pairs(self) -> None:
        model = self.model
        n = len(model.elements)
        pairs = np.zeros((n, n, layout.PAIR_WORDS))
        cutoffs = model.rcutfac * (model.radii[:, None] + model.radii)
        pairs[:, :, 0] = cutoffs
        pairs[:, :, 1] = np.pi / (cutoffs - model.rmin0)
        pairs[:, :, 2] = model.weights
        if model.sinner is not None and model.dinner is not None:
            center = 0.5 * (model.sinner[:, None] + model.sinner)
            half = 0.5 * (model.dinner[:, None] + model.dinner)
            pairs[:, :, 3] = center - half
            pairs[:, :, 4] = np.pi / (4.0 * half)
        pairs[:, :, 5] = np.arange(n)
        self._floats.add(layout.F_PAIR, pairs)
        self._floats.add(layout.F_ZBL, self._repulsion())
        self._floats.add(layout.F_SCALARS, [model.rfac0, model.rmin0, model.cutoff])

    def _fill_network(self) -> None:
        self._network_work = 0
        if self.model.network is not None:
            packed = pack_network(self.model.network)
            self._ints.add(layout.I_NETWORK, packed.spec)
            self._floats.add(layout.F_NETWORK, packed.weights)
            self._network_work = packed.work

    def _repulsion(self) -> FloatArray:
        """ZBL constants of each pair of types, with LAMMPS's switching polynomial."""
        overlay = self.model.zbl
        n = len(self.model.elements)
        table = np.zeros((n, n, layout.ZBL_WORDS))
        if overlay is None:
            return table
        charges = np.array(overlay.charges)
        powers = charges**zbl.EXPONENT
        inverse = (powers[:, None] + powers) / zbl.LENGTH
        strength = zbl.COULOMB * charges[:, None] * charges
        c, d = np.array(zbl.SCREENING).T
        r, t = overlay.outer, overlay.outer - overlay.inner
        decay = c * np.exp(-d * inverse[..., None] * r)
        phi, slope, curve = (np.sum(decay * (-d * inverse[..., None]) ** k, axis=-1) for k in range(3))
        e0 = strength * phi / r
        e1 = strength * (slope / r - phi / r**2)
        e2 = strength * (curve / r - 2 * slope / r**2 + 2 * phi / r**3)
        a, b = (-3 * e1 + t * e2) / t**2, (2 * e1 - t * e2) / t**3
        table[..., 0], table[..., 1], table[..., 2] = strength, inverse, overlay.inner
        table[..., 3], table[..., 4] = a / 3, b / 4
        table[..., 5], table[..., 6] = -e0 + t * e1 / 2 - t**2 * e2 / 12, overlay.outer
        return table
