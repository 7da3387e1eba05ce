"""NEP as a `Potential`: tables made once for a model, kernels called for each configuration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from ..engine.neighbors import NeighborList
from ..engine.plans import Listed
from ..files.records import one_line
from ..potential import BlockPotential, Evaluation, evaluate_blocks
from . import kernels, layout
from .charges import electrostatics
from .layout import Pass
from .model import NepModel
from .packing import pack, reach


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


class NepPotential(BlockPotential[NepModel]):
    """A NEP model ready for evaluation.

    Parameters
    ----------
    model : NepModel

    Attributes
    ----------
    inexact_flux : str
        Why the heat flux is not exact; empty where it is.
    width : int
        Numbers that a pass reports of each atom.
    """

    def __init__(self, model: NepModel) -> None:
        super().__init__(model, pack(model), by_type=len(model.elements) > 1)
        self.elements = model.elements
        self.inexact_flux = ""
        if model.charge_mode:  # by 1 to 10 % for small clusters with random parameters; exact for fixed charges
            self.inexact_flux = (
                f"the heat flux of a {model.token} model is not exact: charges that change with their surroundings"
                " carry energy from atom to atom that the virials of the atoms do not contain"
            )
        self._charge_cutoff = float(model.radial_cutoffs.max())
        self.cutoff = reach(model)
        self.width = model.n_descriptors + self._packed.head.neurons + layout.REPORT_WORDS

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

    def outputs(self, neighbors: Listed, species: IntArray) -> Outputs:
        """Descriptors, latent space and charges before they are made neutral."""
        return self.split(self._run(neighbors, species, Pass(derivatives=False, report=True))[1])

    def charges(self, neighbors: NeighborList, species: IntArray, num_threads: int = 1) -> FloatArray:
        """Charges (N,) in e, made neutral (qNEP)."""
        table = self._run(neighbors, species, Pass(derivatives=False, report=True), num_threads=num_threads)[1]
        charges = self.split(table).charges
        known = charges[np.isfinite(charges)]  # those of coincident atoms are not, and are not to spoil the others
        return charges - known.mean() if known.size else charges.copy()

    def born_effective_charges(self, neighbors: NeighborList, species: IntArray) -> FloatArray:
        """Z_i,ab (N, 3, 3) in e: polarisation along a by a displacement of atom i along b (qNEP)."""
        charges, unit = self.charges(neighbors, species), np.ones(neighbors.n)
        moved, table = self._run(neighbors, species, Pass(energy=False, report=True), coupling=unit)
        bonds = 0.5 * (self.split(table).tensor + moved.virials)
        return np.asarray((charges[:, None, None] * np.eye(3) + bonds) * (self.model.sqrt_epsilon or 1.0))

    def dipole(self, neighbors: NeighborList, species: IntArray) -> FloatArray:
        """Dipole moment (3,) of a dipole model, in the units it was trained in."""
        table = self._run(neighbors, species, Pass(report=True))[1]
        return np.asarray(-self.split(table).square.sum(0))

    def polarizability(self, neighbors: NeighborList, species: IntArray) -> FloatArray:
        """Polarizability (3, 3) of a polarizability model, in the units it was trained in."""
        tensor = self._run(neighbors, species, Pass())[0].virials.sum(0)
        scalar = self._run(neighbors, species, Pass(network=1, derivatives=False))[0].energies.sum()
        return np.asarray(tensor + scalar * np.eye(3))

    def _run(
        self,
        neighbors: Listed,
        species: IntArray,
        what: Pass,
        *,
        coupling: FloatArray | None = None,
        num_threads: int = 1,
    ) -> tuple[Evaluation, FloatArray]:
        """One pass of the kernel; the second result is its report, see `split`.

        `coupling` (N,) is the derivative of an energy with respect to each charge: the forces then are those of
        ``energy + sum_i coupling_i q_i`` with these factors held fixed (qNEP).
        """
        n = neighbors.n
        plan = self._plans(neighbors, species, what)
        lam = np.zeros(n + 1)
        if coupling is not None:
            lam[:n] = coupling
        report = np.zeros(n * self.width if what.report else 0)
        return evaluate_blocks(kernels.evaluate, neighbors, plan, lam, report, num_threads=num_threads), report

    def split(self, report: FloatArray) -> Outputs:
        """The parts of what a pass reports."""
        table = report.reshape(-1, self.width)
        d, h = self.model.n_descriptors, self._packed.head.neurons
        pairs = table[:, d + h + 1 :]
        return Outputs(table[:, :d], table[:, d : d + h], table[:, d + h], pairs[:, :3], pairs[:, 3:].reshape(-1, 3, 3))
