"""NEP in plain NumPy, written for clarity: the standard against which the compiled kernels are judged.

Z. Fan et al., J. Chem. Phys. 157, 114801 (2022) (NEP); N. Xu et al., J. Chem. Theory Comput. 20, 3273 (2024) (dipoles
and polarizabilities); arXiv 2601.19034 (charges).  Descriptors and electrostatics have their own modules.
"""

from functools import cached_property

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.neighborlist import neighbor_list

from ase_mlips.nep.model import NepModel, NepNetwork, NepZbl
from ase_mlips.potential import Evaluation

from .nep_descriptor_oracle import RADII, Descriptors, Pairs
from .nep_ewald_oracle import COULOMB, electrostatics

ZBL_SCREENING = (0.18175, 3.1998, 0.50986, 0.94229, 0.28022, 0.4029, 0.02817, 0.20162)


def evaluate(model: NepModel, species, positions, cell, pbc) -> Evaluation:
    """Energies, forces and neighbour-assigned virials of one configuration; see `NepOracle`."""
    return NepOracle(model, species, positions, cell, pbc).evaluation


class NepOracle:
    """All that a model says about one configuration.

    Parameters
    ----------
    model : NepModel
    species : (N,) int
        Counts in ``model.elements``.
    positions, cell : (N, 3), (3, 3)
        In A.  An axis whose cell vector is zero is not periodic.
    pbc : (3,) bool

    Raises
    ------
    ValueError
        If the model has charges with a reciprocal part and the configuration is not periodic in three dimensions.
    """

    def __init__(self, model: NepModel, species, positions, cell, pbc) -> None:
        self.model = model
        self.species = np.asarray(species, dtype=int)
        self.positions = np.asarray(positions, dtype=float).reshape(-1, 3)
        self.cell = np.asarray(cell, dtype=float)
        self.numbers = np.array([atomic_numbers[e] for e in model.elements])
        periodic = np.asarray(pbc, dtype=bool) & np.any(self.cell != 0.0, axis=1)
        if model.charge_mode in (1, 2) and not periodic.all():
            raise ValueError("a sum over wave vectors takes three periodic axes")
        self.pairs = find_pairs(self.positions, self.cell, periodic, longest_cutoff(model))

    @cached_property
    def _raw(self) -> Descriptors:
        return Descriptors(self.model, self.species, self.numbers, self.pairs)

    @cached_property
    def descriptors(self):
        """Scaled descriptors (N, D)."""
        return self._raw.values * self.model.scaler

    @cached_property
    def latent(self):
        """Weighted activations of the hidden layer (N, H), whose sum is the output but for the biases."""
        network = self.model.network
        return network.w1[self._row(network)] * self._hidden(network)

    @cached_property
    def charges(self):
        """Charges (N,) in e, made neutral."""
        charges = self._charge_output[0]
        return charges - charges.mean() if len(charges) else charges

    @cached_property
    def evaluation(self) -> Evaluation:
        """Energies, forces and virials; the forces are the gradient of the energy."""
        energies, slopes = self._output(self.model.network)
        forces, virials = np.zeros((len(energies), 3)), np.zeros((len(energies), 3, 3))
        gradients = np.zeros_like(self.pairs.u)
        if self.model.charge_mode and len(energies):
            mode, cutoff = self.model.charge_mode, self.model.radial_cutoffs.max()
            e = electrostatics(mode, cutoff, self.charges, self.positions, self.cell, pairs=self.pairs)
            # a change of one charge before it is made neutral changes all charges by -1/N of it
            slopes = slopes + (e.potentials - e.potentials.mean())[:, None] * self._charge_output[1]
            energies, forces, virials, gradients = energies + e.energies, e.forces, e.virials, e.gradients
        if self.model.zbl is not None:
            pair_energies, pair_slopes = self._zbl(self.model.zbl)
            np.add.at(energies, self.pairs.i, 0.5 * pair_energies)
            gradients = gradients + 0.5 * pair_slopes[:, None] * self.pairs.u
        gradients = gradients + self._raw.pullback(slopes)
        pair_forces, pair_virials = self._assemble(gradients)
        return Evaluation(energies, forces + pair_forces, virials + pair_virials)

    @cached_property
    def born_effective_charges(self):
        """Z_i,ab (N, 3, 3) in e: derivative of the polarisation component a by the displacement of atom i along b."""
        gradients = self._raw.pullback(self._charge_output[1])
        moments = 0.5 * self.pairs.D[:, :, None] * gradients[:, None, :]
        Z = self.charges[:, None, None] * np.eye(3)
        np.add.at(Z, self.pairs.i, moments)
        np.add.at(Z, self.pairs.j, -moments)
        return self.model.sqrt_epsilon * Z

    @cached_property
    def dipole(self):
        """Dipole moment (3,) of the box."""
        gradients = self._raw.pullback(self._output(self.model.network)[1])
        return -np.sum(self.pairs.r[:, None] ** 2 * gradients, axis=0)

    @cached_property
    def polarizability(self):
        """Polarizability (3, 3) of the box: virial of one network, plus the output of another times the unit matrix."""
        _, virials = self._assemble(self._raw.pullback(self._output(self.model.network)[1]))
        scalar = self._output(self.model.scalar_network)[0]
        return virials.sum(axis=0) + scalar.sum() * np.eye(3)

    def _row(self, network: NepNetwork):
        return self.species if len(network.w0) > 1 else np.zeros_like(self.species)

    def _hidden(self, network: NepNetwork):
        row = self._row(network)
        return np.tanh(np.einsum("nhd,nd->nh", network.w0[row], self.descriptors) - network.b0[row])

    def _propagate(self, network: NepNetwork, weights):
        """Sum over the hidden layer with `weights` (T, H): value (N,) and its derivatives by unscaled descriptors."""
        row, hidden = self._row(network), self._hidden(network)
        weights = weights[row]
        slopes = np.einsum("nh,nhd->nd", weights * (1.0 - hidden**2), network.w0[row]) * self.model.scaler
        return np.sum(weights * hidden, axis=1), slopes

    def _output(self, network: NepNetwork):
        values, slopes = self._propagate(network, network.w1)
        if network.type_bias is not None:
            values = values - network.type_bias[self.species]
        return values - network.bias, slopes

    @cached_property
    def _charge_output(self):
        network = self.model.network
        return self._propagate(network, network.charge)

    def _assemble(self, gradients):
        """Forces and virials from ``gradients[p] = dU_i/dr_ij``."""
        pairs, n = self.pairs, len(self.species)
        forces, virials = np.zeros((n, 3)), np.zeros((n, 3, 3))
        np.add.at(forces, pairs.i, gradients)
        np.add.at(forces, pairs.j, -gradients)
        np.add.at(virials, pairs.j, -pairs.D[:, :, None] * gradients[:, None, :])
        return forces, virials

    def _zbl(self, zbl: NepZbl):
        """Energy (P,) of each pair and its derivative by the distance.

        J. F. Ziegler, J. P. Biersack, U. Littmark, The Stopping and Range of Ions in Matter (1985).
        """
        pairs, T = self.pairs, len(self.model.elements)
        ti, tj = self.species[pairs.i], self.species[pairs.j]
        if zbl.flexible is not None:
            first, second = np.minimum(ti, tj), np.maximum(ti, tj)
            own = zbl.flexible[first * T - first * (first - 1) // 2 + second - first]
            inner, outer, screening = own[:, 0], own[:, 1], own[:, 2:]
        else:
            inner, outer = np.full_like(pairs.r, zbl.inner), np.full_like(pairs.r, zbl.outer)
            screening = np.tile(ZBL_SCREENING, (len(pairs.r), 1))
            if zbl.factor is not None:
                bonds = RADII[self.numbers[ti]] + RADII[self.numbers[tj]]
                outer = np.minimum(outer, zbl.factor * bonds)
                inner = 0.5 * outer if zbl.typewise_inner_half else np.zeros_like(outer)
        return screened_repulsion(pairs.r, self.numbers[ti], self.numbers[tj], inner, outer, screening)


def screened_repulsion(r, zi, zj, inner, outer, screening):
    """Value and derivative of ``COULOMB Z_i Z_j phi(r / a) / r`` that ends between `inner` and `outer`."""
    a = (zi**0.23 + zj**0.23) * 2.134563
    amplitude, decay = screening[:, 0::2], screening[:, 1::2] * a[:, None]
    terms = amplitude * np.exp(-decay * r[:, None])
    phi, dphi = terms.sum(axis=1), -np.sum(decay * terms, axis=1)
    scale = COULOMB * zi * zj
    value, slope = scale * phi / r, scale * (dphi / r - phi / r**2)
    k = np.pi / (outer - inner)
    t = k * np.clip(r - inner, 0.0, outer - inner)
    end, dend = 0.5 * (1.0 + np.cos(t)), -0.5 * k * np.sin(t)
    return value * end, slope * end + value * dend


def longest_cutoff(model: NepModel) -> float:
    """Distance in A beyond which no two atoms interact directly."""
    longest = [model.radial_cutoffs.max(), model.angular_cutoffs.max()]
    if model.zbl is not None:
        longest.append(model.zbl.outer if model.zbl.flexible is None else model.zbl.flexible[:, 1].max())
    return float(max(longest))


def find_pairs(positions, cell, pbc, cutoff: float) -> Pairs:
    """All directed pairs closer than `cutoff`."""
    if not len(positions):
        empty = np.empty(0, dtype=int)
        return Pairs(empty, empty, np.empty(0), np.empty((0, 3)))
    atoms = Atoms("X" * len(positions), positions=positions, cell=cell, pbc=pbc)
    i, j, r, D = neighbor_list("ijdD", atoms, cutoff)
    return Pairs(i, j, r, D.reshape(-1, 3) / r[:, None])
