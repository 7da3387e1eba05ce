"""SNAP as a `Potential`: tables made once for a model, kernels called for each configuration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from ..engine import zbl
from ..engine.neighbors import NeighborList
from ..engine.packing import Packer, Plans, padded
from ..engine.simd import W
from ..engine.threads import scratch
from ..files.records import one_line
from ..heads.tables import pack_network
from ..potential import BlockPotential, Evaluation, evaluate_blocks
from . import kernels, layout, tables
from .model import SnapModel, bispectrum_labels


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


class SnapPotential(BlockPotential[SnapModel, layout.Head]):
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
        super().__init__(model)
        self.elements = model.elements
        self.cutoff = model.cutoff
        self.inexact_flux = ""
        if not tables.forces_are_a_gradient(model):
            self.inexact_flux = (
                "the heat flux of this SNAP model is not exact: coefficients of equal descriptors differ, and the"
                " forces, as in LAMMPS, are then not the gradient of the energy"
            )
        # only linear models gain from blocks of one type, see kernels_coupling.y_direct
        self._prepare(by_type=self._linear and len(self.elements) > 1)
        self._in_order = Plans(self._head, self._tables, self._areas)

    # -----------------------------------------------------------------------------------------------
    # evaluation

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

    def _areas(self, slots: int) -> layout.Areas:
        head = self._head
        return layout.Areas(
            slots=4 * slots + 4 * (slots + W),
            pairs=layout.PAIR_WORDS * slots,
            geometry=layout.GEOMETRY_WORDS * slots,
            variables=2 * slots,
            channels=(head.channels + 3) * slots,
            forces=3 * slots,
            derivatives=12 * head.channels,
            sums=head.sums,
            u=2 * head.elements * head.full,
            y=2 * head.elements * head.half,
            sum_derivatives=head.elements * head.sums,
            z=2 * head.elements**2 * head.zsize,
            descriptors=head.descriptors,
            beta=padded(head.descriptors),
            coefficients=head.coefficients,
            selves=head.elements,
            types=1,
            energy=1,
            parts=2 * head.independent,
            network=self._network_work,
        )

    # -----------------------------------------------------------------------------------------------
    # tables

    @property
    def _channels(self) -> int:
        """Element channels of the density."""
        return len(self.elements) if self.model.chemflag else 1

    @property
    def _linear(self) -> bool:
        return not (self.model.quadraticflag or self.model.chemflag or self.model.network)

    def _pack(self, ints: Packer, floats: Packer) -> layout.Head:
        model, top = self.model, self.model.twojmax
        limits, offsets = tables.channel_layout(top)
        ints.add(limits=limits, offsets=offsets)
        self._pack_basis(ints, floats)
        self._network_work = self._pack_network(ints, floats)
        own, mixed = self._pack_couplings(ints, floats)
        terms = self._pack_contractions(ints, floats)
        self._pack_pairs(floats)
        return layout.Head(
            twojmax=top,
            channels=2 * top + 1,
            sums=int(offsets[-1]),
            full=tables.full_offset(top + 1),
            half=tables.half_offset(top + 1),
            independent=len(tables.mirror(top)),
            zsize=int(tables.z_offsets(top)[-1, -1, -1]),
            types=len(model.elements),
            elements=self._channels,
            descriptors=model.n_descriptors,
            coefficients=model.coefficients.shape[1],
            quadratic=model.quadraticflag,
            direct=self._linear,
            switch=model.switchflag,
            inner=model.switchinnerflag,
            zbl=model.zbl is not None,
            self_all=model.wselfallflag,
            n_tiles=len(own.words),
            n_tiles_mixed=len(mixed.words),
            n_b=len(terms.b),
            n_y=len(terms.y),
            outer_size=own.outer.size,
            network=model.network is not None,
            ints=ints.places(layout.Integers),
            floats=floats.places(layout.Floats),
        )

    def _pack_basis(self, ints: Packer, floats: Packer) -> None:
        top = self.model.twojmax
        floats.add_sparse(ints, forward=tables.sums_to_u(top), reverse=tables.y_to_sums(top))
        elements = [(j, mb, ma) for j in range(top + 1) for mb, ma in tables.half_elements(j)]
        rows = [
            (full, mirrored, int(sign), tables.half_offset(*e), mb * (j + 1) + ma, int(tables.half_weight(*e)))
            for (full, mirrored, sign), e in zip(tables.mirror(top), elements, strict=True)
            for j, mb, ma in [e]
        ]
        ints.add(elements=rows)

    def _pack_couplings(self, ints: Packer, floats: Packer) -> tuple[tables.Tiles, tables.Tiles]:
        """Couplings of U with itself and with that of another element."""
        model = self.model
        top = model.twojmax
        own = tables.coupling_tiles(top, bnorm=model.bnormflag, symmetric=True)
        mixed = tables.coupling_tiles(top if model.chemflag else 0, bnorm=model.bnormflag, symmetric=False)
        ints.add(tiles=own.words, tiles_mixed=mixed.words)
        floats.add(outer=own.outer, inner=own.inner, outer_mixed=mixed.outer, inner_mixed=mixed.inner)
        floats.add(direct=self._direct(own))
        return own, mixed

    def _direct(self, tiles: tables.Tiles) -> FloatArray:
        """Coupling constants with the linear coefficients of each type folded in."""
        model = self.model
        if not self._linear:
            return np.zeros(0)
        numbers = tables.label_numbers(model.twojmax)
        terms = [tables.adjoint_term(*c, bnorm=model.bnormflag) for c in tables.couplings(model.twojmax)]
        which = np.array([numbers[label] for label, _, _ in terms])
        factors = np.array([factor for _, _, factor in terms])
        folded = model.coefficients[:, 1 + which] * factors
        return np.asarray(tiles.outer * folded[:, tiles.triplet])

    def _pack_contractions(self, ints: Packer, floats: Packer) -> tables.Contractions:
        """What makes B and Y of Z, and coefficients."""
        model = self.model
        # a network has another beta for each of several equal descriptors, which LAMMPS's way would mix up
        gradient = model.network is not None and model.chemflag
        exact, used = (
            tables.contractions(model.twojmax, self._channels, bnorm=model.bnormflag, lammps=lammps)
            for lammps in (False, not gradient)
        )
        first = np.searchsorted(exact.y[:, 3], np.arange(model.n_descriptors + 1))
        ints.add(y_exact=exact.y, y_first=first, y=used.y, b=used.b)
        b0 = self._isolated()
        floats.add(factor_exact=exact.factors, factor=used.factors, b0=b0, coefficients=model.coefficients)
        if model.network is None:
            floats.add(shift=model.coefficients[:, 0] - model.coefficients[:, 1 : 1 + b0.size] @ b0)
        return used

    def _isolated(self) -> FloatArray:
        """What bzeroflag subtracts: B of an isolated atom whose element stands in all three places."""
        model, labels = self.model, bispectrum_labels(self.model.twojmax)
        if not model.bzeroflag:
            return np.zeros(model.n_descriptors)
        own = np.array([1.0 if model.bnormflag else j + 1.0 for _, _, j in labels])
        n = self._channels
        subtract = np.ones((n, n, n, 1)) if model.wselfallflag else np.zeros((n, n, n, 1))
        subtract[range(n), range(n), range(n)] = 1.0
        return np.asarray(subtract * own).ravel()

    def _pack_pairs(self, floats: Packer) -> None:
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
        floats.add(pair=pairs, zbl=self._repulsion(), scalars=[model.rfac0, model.rmin0, model.cutoff])

    def _pack_network(self, ints: Packer, floats: Packer) -> int:
        """Vectors of scratch that the network takes."""
        if self.model.network is None:
            return 0
        packed = pack_network(self.model.network)
        ints.add(network=packed.spec)
        floats.add(network=packed.weights)
        return packed.work

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
