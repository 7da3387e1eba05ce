"""NEP as a `Potential`: tables made once for a model, kernels called for each configuration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from ..engine import zbl
from ..engine.neighbors import NeighborList
from ..engine.packing import Packer, padded
from ..engine.radial import expansion
from ..engine.simd import W
from ..files.elements import ELEMENTS
from ..files.records import one_line
from ..potential import BlockPotential, Evaluation, evaluate_blocks
from . import kernels, layout, tables
from .charges import COULOMB, electrostatics
from .layout import Pass
from .model import NepModel
from .radii import RADII


@dataclass(frozen=True, repr=False)
class Outputs:
    """What a pass through the network gives beside energies and forces.

    Attributes
    ----------
    descriptors : (N, D) array
        Scaled.
    latent : (N, H) array
        w1 tanh(..) of each neuron.
    charges : (N,) array
        Before neutralisation.
    square : (N, 3) array
        sum_j r_ij^2 p_ij.
    tensor : (N, 3, 3) array
        sum_j r_ij p_ij.
    """

    descriptors: FloatArray
    latent: FloatArray
    charges: FloatArray
    square: FloatArray
    tensor: FloatArray

    def __repr__(self) -> str:
        return one_line(self)


class NepPotential(BlockPotential[NepModel, layout.Head]):
    """A NEP model ready for evaluation.

    Parameters
    ----------
    model : NepModel

    Attributes
    ----------
    inexact_flux : str
        Why the heat flux is not exact; empty where it is.
    """

    def __init__(self, model: NepModel) -> None:
        super().__init__(model)
        self.elements = model.elements
        self.inexact_flux = ""
        if model.charge_mode:  # by 1 to 10 % for small clusters with random parameters; exact for fixed charges
            self.inexact_flux = (
                f"the heat flux of a {model.token} model is not exact: charges that change with their surroundings"
                " carry energy from atom to atom that the virials of the atoms do not contain"
            )
        radial, angular = self._pair_cutoffs()
        self._inner = float(angular.max())
        self._charge_cutoff = float(model.radial_cutoffs.max())
        self.cutoff = max(self._inner, float(radial.max()), self._charge_cutoff if model.charge_mode else 0.0)
        self._prepare(by_type=len(self.elements) > 1)
        self._width = model.n_descriptors + self._head.neurons + layout.REPORT_WORDS

    # -----------------------------------------------------------------------------------------------
    # evaluation

    def evaluate(self, neighbors: NeighborList, species: IntArray, num_threads: int = 1) -> Evaluation:
        """Energies, forces and virials; see `Potential.evaluate`."""
        if not self.model.charge_mode:
            return self._run(neighbors, species, Pass(), num_threads=num_threads)[0]
        if neighbors.centers < neighbors.n:
            raise ValueError("the charges depend on all atoms: expected the neighbours of all, not only of the first")
        charges = self.charges(neighbors, species, num_threads)
        if not np.isfinite(charges).all():  # nor are they to be spread over all atoms by the sums over waves
            return self._run(neighbors, species, Pass(), num_threads=num_threads)[0]
        electric = electrostatics(self.model.charge_mode, self._charge_cutoff, charges, neighbors)
        # a change of one charge before they are made neutral changes every charge by -1/N of it
        coupling = electric.potentials - (electric.potentials.mean() if neighbors.n else 0.0)
        rest = self._run(neighbors, species, Pass(), coupling=coupling, num_threads=num_threads)[0]
        return Evaluation(
            rest.energies + electric.energies, rest.forces + electric.forces, rest.virials + electric.virials
        )

    def outputs(self, neighbors: NeighborList, species: IntArray) -> Outputs:
        """Descriptors, latent space and charges before they are made neutral."""
        return self._split(self._run(neighbors, species, Pass(derivatives=False, report=True))[1])

    def charges(self, neighbors: NeighborList, species: IntArray, num_threads: int = 1) -> FloatArray:
        """Charges (N,) in e, made neutral (qNEP)."""
        table = self._run(neighbors, species, Pass(derivatives=False, report=True), num_threads=num_threads)[1]
        charges = self._split(table).charges
        known = charges[np.isfinite(charges)]  # those of coincident atoms are not, and are not to spoil the others
        return charges - known.mean() if known.size else charges.copy()

    def born_effective_charges(self, neighbors: NeighborList, species: IntArray) -> FloatArray:
        """Z_i,ab (N, 3, 3) in e: polarisation along a by a displacement of atom i along b (qNEP)."""
        charges, unit = self.charges(neighbors, species), np.ones(neighbors.n)
        moved, table = self._run(neighbors, species, Pass(energy=False, report=True), coupling=unit)
        bonds = 0.5 * (self._split(table).tensor + moved.virials)
        return np.asarray((charges[:, None, None] * np.eye(3) + bonds) * (self.model.sqrt_epsilon or 1.0))

    def dipole(self, neighbors: NeighborList, species: IntArray) -> FloatArray:
        """Dipole moment (3,) of a dipole model, in the units it was trained in."""
        table = self._run(neighbors, species, Pass(report=True))[1]
        return np.asarray(-self._split(table).square.sum(0))

    def polarizability(self, neighbors: NeighborList, species: IntArray) -> FloatArray:
        """Polarizability (3, 3) of a polarizability model, in the units it was trained in."""
        tensor = self._run(neighbors, species, Pass())[0].virials.sum(0)
        scalar = self._run(neighbors, species, Pass(network=1, derivatives=False))[0].energies.sum()
        return np.asarray(tensor + scalar * np.eye(3))

    def _run(
        self,
        neighbors: NeighborList,
        species: IntArray,
        what: Pass,
        *,
        coupling: FloatArray | None = None,
        num_threads: int = 1,
    ) -> tuple[Evaluation, FloatArray]:
        """One pass of the kernel; the second result is its report, see `_split`.

        `coupling` (N,) is the derivative of an energy with respect to each charge: the forces then are those of
        ``energy + sum_i coupling_i q_i`` with these factors held fixed (qNEP).
        """
        n = neighbors.n
        plan = self._plans(neighbors, species, what)
        lam = np.zeros(n + 1)
        if coupling is not None:
            lam[:n] = coupling
        report = np.zeros(n * self._width if what.report else 0)
        return evaluate_blocks(kernels.evaluate, neighbors, plan, lam, report, num_threads=num_threads), report

    def _split(self, report: FloatArray) -> Outputs:
        table = report.reshape(-1, self._width)
        d, h = self.model.n_descriptors, self._head.neurons
        pairs = table[:, d + h + 1 :]
        return Outputs(table[:, :d], table[:, d : d + h], table[:, d + h], pairs[:, :3], pairs[:, 3:].reshape(-1, 3, 3))

    def _areas(self, slots: int) -> layout.Areas:
        head = self._head
        moments, descriptors = head.angular * head.moments, padded(head.descriptors)
        basis = max(head.k_radial, head.k_angular)
        side = layout.Side(
            slots=4 * slots + 4 * (slots + W),
            geometry=layout.GEOMETRY_WORDS * slots,
            slopes=head.radial * slots,
            forces=3 * slots,
        )
        return layout.Areas(
            near=side,
            far=side,
            variables=2 * slots,
            channels=(head.channels + 3) * slots,
            functions=head.angular * slots,
            polynomials=4 * basis,
            rows=W + max(W * max(head.groups_r, head.groups_a), W),
            derivatives=12 * head.channels,
            sums=head.sums,
            sum_derivatives=head.sums,
            moments=moments,
            moment_derivatives=moments,
            descriptors=descriptors,
            descriptor_derivatives=descriptors,
            inputs=descriptors,
            hidden=2 * head.hidden + W,
            radial=2 * basis,
            types=1,
            values=2,
        )

    # -----------------------------------------------------------------------------------------------
    # tables

    def _pack(self, ints: Packer, floats: Packer) -> layout.Head:
        model, network = self.model, self.model.network
        functions = model.n_max[0] + 1, model.n_max[1] + 1
        invariants, squared = self._pack_invariants(ints, floats)
        sums = self._pack_basis(ints, floats)
        size = self._pack_networks(floats)
        return layout.Head(
            types=len(model.elements),
            nets=len(network.w0),
            radial=functions[0],
            angular=functions[1],
            k_radial=model.basis_size[0] + 1,
            k_angular=model.basis_size[1] + 1,
            l_max=model.l_max,
            channels=2 * functions[1],
            sums=sums,
            moments=(model.l_max + 1) ** 2 - 1,
            descriptors=model.n_descriptors,
            neurons=network.w0.shape[1],
            hidden=padded(network.w0.shape[1]),
            groups_r=-(-2 * functions[0] // W),
            groups_a=-(-2 * functions[1] // W),
            n_invariants=invariants,
            squared=squared,
            zbl=model.zbl is not None,
            net_size=size,
            ints=ints.places(layout.Integers),
            floats=floats.places(layout.Floats),
        )

    def _pack_basis(self, ints: Packer, floats: Packer) -> int:
        """Tables of radial and angular functions; returns the number of sums over neighbours."""
        model, functions = self.model, self.model.n_max[1] + 1
        limits, offsets = tables.channel_layout(functions, model.l_max)
        forward = tables.sums_to_moments(functions, model.l_max)
        ints.add(limits=limits, offsets=offsets)
        floats.add_sparse(ints, forward=forward, reverse=forward.transposed(int(offsets[-1])))
        floats.add(radial=expansion(tables.chebyshev_values(model.radial)))
        floats.add(angular=expansion(tables.chebyshev_values(model.angular)))
        repulsion, (radial, angular) = self._repulsion(), self._pair_cutoffs()
        # as in GPUMD, the repulsion acts between angular neighbours only
        pairs = np.stack([1.0 / radial, 1.0 / angular, np.minimum(repulsion[:, :, 1], angular)], axis=-1)
        floats.add(pair=pairs, zbl=repulsion, scalars=[self._inner, self.cutoff])
        return int(offsets[-1])

    def _pack_invariants(self, ints: Packer, floats: Packer) -> tuple[int, int]:
        """Tables of the higher invariants; returns their number and the place of q_1111, 0 without that."""
        entries: list[tuple[int, int, int]] = []
        monomials: list[tuple[int, int, int]] = []
        constants: list[float] = []
        squared = 0
        for place, name in enumerate(self.model.invariants, start=self.model.l_max):
            if name == "1111":
                squared = place
                continue
            found = tables.invariant_monomials((int(name[0]), int(name[1]), int(name[2])))
            entries.append((place, len(monomials), len(found)))
            monomials += list(found)
            constants += list(found.values())
        ints.add(invariants=entries, monomials=monomials)
        floats.add(monomials=constants)
        return len(entries), squared

    def _pack_networks(self, floats: Packer) -> int:
        """The scaler and the networks; returns the doubles of one."""
        model = self.model
        scaler = np.zeros(padded(model.n_descriptors))
        scaler[: model.n_descriptors] = model.scaler
        networks = [model.network] + ([model.scalar_network] if model.scalar_network else [])
        packed = [tables.pack_network(network, len(model.network.w0)) for network in networks]
        floats.add(scaler=scaler, network=np.concatenate(packed))
        return int(packed[0].shape[1])

    def _pair_cutoffs(self) -> tuple[FloatArray, FloatArray]:
        """Radial and angular cutoff of each pair of types."""
        model = self.model
        cutoffs = []
        radii = np.array([RADII[element] for element in model.elements])
        for k, own in enumerate((model.radial_cutoffs, model.angular_cutoffs)):
            pair = 0.5 * (own[:, None] + own)
            if model.typewise_factors is not None and model.typewise_factors[k] > 0.0:
                pair = np.minimum(pair, model.typewise_factors[k] * (radii[:, None] + radii))
            cutoffs.append(pair)
        return cutoffs[0], cutoffs[1]

    def _repulsion(self) -> FloatArray:
        """ZBL constants of each pair of types: inner, outer, strength, four times factor and decay."""
        overlay, types = self.model.zbl, len(self.model.elements)
        table = np.zeros((types, types, layout.ZBL_WORDS))
        if overlay is None:
            return table
        charges = np.array([ELEMENTS.index(element) + 1.0 for element in self.model.elements])
        radii = np.array([RADII[element] for element in self.model.elements])
        powers = charges**zbl.EXPONENT
        inverse = (powers[:, None] + powers) * 2.134563  # GPUMD's rounding of 1 / LENGTH
        table[..., 0], table[..., 1] = overlay.inner, overlay.outer
        table[..., 2] = COULOMB * charges[:, None] * charges
        if overlay.factor is not None:
            outer = np.minimum(overlay.outer, overlay.factor * (radii[:, None] + radii))
            table[..., 0] = outer / 2 if overlay.typewise_inner_half else 0.0
            table[..., 1] = outer
        for term, (factor, decay) in enumerate(zbl.SCREENING):
            table[..., 3 + 2 * term], table[..., 4 + 2 * term] = factor, decay * inverse
        if overlay.flexible is not None:
            for a in range(types):
                for b in range(types):
                    low, high = min(a, b), max(a, b)
                    row = overlay.flexible[low * types - low * (low - 1) // 2 + high - low]
                    table[a, b, :2], table[a, b, 3::2] = row[:2], row[2::2]
                    table[a, b, 4::2] = row[3::2] * inverse[a, b]
        return table
