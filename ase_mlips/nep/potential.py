"""NEP as a `Potential`: tables made once for a model, kernels called for each configuration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..engine import zbl
from ..engine.neighbors import NeighborList
from ..engine.packing import Packer, Plans, padded
from ..engine.radial import expansion
from ..engine.simd import W
from ..files.elements import ELEMENTS
from ..files.records import one_line
from ..potential import Evaluation, FloatArray, IntArray, evaluate_blocks
from . import kernels, layout, tables
from .charges import COULOMB, electrostatics
from .model import NepModel
from .radii import RADII

_PLACES = (
    layout.SLOTS, layout.ATOMS, layout.CHUNKS, layout.NETWORK, layout.ENERGY, layout.DERIVATIVES, layout.REPORT,
)  # fmt: skip


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


@dataclass(frozen=True)
class Pass:
    """What one pass of the kernel is to do.

    Attributes
    ----------
    network : int
        1 for the scalar network of a polarizability model.
    energy : bool
        False leaves the network's energy and the nuclear repulsion out of the forces.
    derivatives : bool
        False skips forces and virials, which are then zero.
    report : bool
        Report what `Outputs` holds.
    """

    network: int = 0
    energy: bool = True
    derivatives: bool = True
    report: bool = False


class NepPotential:
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
        self.model = model
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
        self._head = np.zeros(layout.HEAD_SIZE, np.int32)
        self._ints = Packer(self._head, np.int32)
        self._floats = Packer(self._head, float)
        self._fill_sizes()
        self._fill_basis(radial, angular)
        self._fill_network()
        tables = self._ints.join(), self._floats.join()
        by_type = len(self.elements) > 1
        self._plans = Plans(self._head, tables, self._areas, places=_PLACES, by_type=by_type)
        self._width = model.n_descriptors + int(self._head[layout.NEURONS]) + layout.REPORT_WORDS

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"

    def __getstate__(self) -> NepModel:
        return self.model

    def __setstate__(self, model: NepModel) -> None:
        self.__init__(model)  # type: ignore[misc]

    # -----------------------------------------------------------------------------------------------
    # evaluation

    def evaluate(self, neighbors: NeighborList, species: IntArray, num_threads: int = 1) -> Evaluation:
        """Energies, forces and virials; see `Potential.evaluate`."""
        if not self.model.charge_mode:
            return self._run(neighbors, species, Pass(), num_threads=num_threads)[0]
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
        plan = self._plans(neighbors.longest, species, what.network, what.energy, what.derivatives, what.report)
        lam = np.zeros(n + 1)
        if coupling is not None:
            lam[:n] = coupling
        report = np.zeros(n * self._width if what.report else 0)
        return evaluate_blocks(kernels.evaluate, neighbors, plan, lam, report, num_threads=num_threads), report

    def _split(self, report: FloatArray) -> Outputs:
        table = report.reshape(-1, self._width)
        d, h = self.model.n_descriptors, int(self._head[layout.NEURONS])
        pairs = table[:, d + h + 1 :]
        return Outputs(table[:, :d], table[:, d : d + h], table[:, d + h], pairs[:, :3], pairs[:, 3:].reshape(-1, 3, 3))

    def _areas(self, slots: int) -> dict[int, int]:
        head = self._head
        functions, channels, sums = (int(head[k]) for k in (layout.ANGULAR, layout.CHANNELS, layout.SUMS))
        radial, descriptors = int(head[layout.RADIAL]), padded(self.model.n_descriptors)
        moments = functions * int(head[layout.MOMENTS])
        groups = max(int(head[layout.GROUPS_R]), int(head[layout.GROUPS_A]))
        basis = max(int(head[layout.K_RADIAL]), int(head[layout.K_ANGULAR]))
        listed = 4 * slots + 4 * (slots + W)
        return {
            layout.A_NEAR: listed,
            layout.A_FAR: listed,
            layout.A_GEOMETRY_NEAR: layout.GEOMETRY_WORDS * slots,
            layout.A_GEOMETRY_FAR: layout.GEOMETRY_WORDS * slots,
            layout.A_SLOPES_NEAR: radial * slots,
            layout.A_SLOPES_FAR: radial * slots,
            layout.A_P_NEAR: 3 * slots,
            layout.A_P_FAR: 3 * slots,
            layout.A_PQ: 2 * slots,
            layout.A_F: (channels + 3) * slots,
            layout.A_G: functions * slots,
            layout.A_T: 4 * basis,
            layout.A_ROWS: W + max(W * groups, W),
            layout.A_DERIVATIVES: 12 * channels,
            layout.A_S: sums,
            layout.A_D: sums,
            layout.A_M: moments,
            layout.A_DM: moments,
            layout.A_Q: descriptors,
            layout.A_FP: descriptors,
            layout.A_E: descriptors,
            layout.A_HIDDEN: 2 * int(head[layout.HIDDEN]) + W,
            layout.A_RADIAL: 2 * basis,
            layout.A_TYPES: 1,
            layout.A_VALUES: 2,
        }

    # -----------------------------------------------------------------------------------------------
    # tables

    def _fill_sizes(self) -> None:
        model, head = self.model, self._head
        network = model.network
        head[layout.TYPES] = len(model.elements)
        head[layout.NETS] = len(network.w0)
        head[layout.RADIAL], head[layout.ANGULAR] = model.n_max[0] + 1, model.n_max[1] + 1
        head[layout.K_RADIAL], head[layout.K_ANGULAR] = model.basis_size[0] + 1, model.basis_size[1] + 1
        head[layout.L_MAX] = model.l_max
        head[layout.CHANNELS] = 2 * head[layout.ANGULAR]
        head[layout.MOMENTS] = (model.l_max + 1) ** 2 - 1
        head[layout.DESCRIPTORS] = model.n_descriptors
        head[layout.NEURONS] = network.w0.shape[1]
        head[layout.HIDDEN] = padded(network.w0.shape[1])
        head[layout.GROUPS_R] = -(-2 * head[layout.RADIAL] // W)
        head[layout.GROUPS_A] = -(-2 * head[layout.ANGULAR] // W)
        head[layout.ZBL] = model.zbl is not None

    def _fill_basis(self, radial: FloatArray, angular: FloatArray) -> None:
        model, functions = self.model, self.model.n_max[1] + 1
        limits, offsets = tables.channel_layout(functions, model.l_max)
        forward = tables.sums_to_moments(functions, model.l_max)
        reverse = forward.transposed(int(offsets[-1]))
        self._head[layout.SUMS] = offsets[-1]
        self._ints.add(layout.I_LIMITS, limits)
        self._ints.add(layout.I_OFFSETS, offsets)
        places = {"begin": layout.I_FORWARD, "columns": layout.I_FORWARD_COLUMNS, "values": layout.F_FORWARD}
        self._floats.add_sparse(self._ints, forward, **places)
        places = {"begin": layout.I_REVERSE, "columns": layout.I_REVERSE_COLUMNS, "values": layout.F_REVERSE}
        self._floats.add_sparse(self._ints, reverse, **places)
        self._floats.add(layout.F_RADIAL, expansion(tables.chebyshev_values(model.radial)))
        self._floats.add(layout.F_ANGULAR, expansion(tables.chebyshev_values(model.angular)))
        repulsion = self._repulsion()
        # as in GPUMD, the repulsion acts between angular neighbours only
        pairs = np.stack([1.0 / radial, 1.0 / angular, np.minimum(repulsion[:, :, 1], angular)], axis=-1)
        self._floats.add(layout.F_PAIR, pairs)
        self._floats.add(layout.F_ZBL, repulsion)
        self._floats.add(layout.F_SCALARS, [self._inner, self.cutoff])
        self._fill_invariants()

    def _fill_invariants(self) -> None:
        entries: list[tuple[int, int, int]] = []
        monomials: list[tuple[int, int, int]] = []
        constants: list[float] = []
        for place, name in enumerate(self.model.invariants, start=self.model.l_max):
            if name == "1111":
                self._head[layout.SQUARED] = place
                continue
            found = tables.invariant_monomials((int(name[0]), int(name[1]), int(name[2])))
            entries.append((place, len(monomials), len(found)))
            monomials += list(found)
            constants += list(found.values())
        self._head[layout.N_INVARIANTS] = len(entries)
        self._ints.add(layout.I_INVARIANTS, entries)
        self._ints.add(layout.I_MONOMIALS, monomials)
        self._floats.add(layout.F_MONOMIALS, constants)

    def _fill_network(self) -> None:
        model, nets = self.model, int(self._head[layout.NETS])
        scaler = np.zeros(padded(model.n_descriptors))
        scaler[: model.n_descriptors] = model.scaler
        self._floats.add(layout.F_SCALER, scaler)
        networks = [model.network] + ([model.scalar_network] if model.scalar_network else [])
        packed = [tables.pack_network(network, nets) for network in networks]
        self._head[layout.NET_SIZE] = packed[0].shape[1]
        self._floats.add(layout.F_NETWORK, np.concatenate(packed))

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
