"""MTP in plain NumPy, written for clarity: the standard against which the compiled kernels are judged.

A. V. Shapeev, Multiscale Model. Simul. 14, 1153 (2016) (the basis); K. Gubaev et al., Comput. Mater. Sci. 156, 148
(2019) (several species); I. S. Novikov et al., Mach. Learn.: Sci. Technol. 2, 025002 (2021) (MLIP).
"""

from functools import cached_property

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.polynomial.chebyshev import chebder, chebvander

from ase_mlips.mtp.model import MtpModel
from ase_mlips.potential import Evaluation

REPULSION, DECAY = 1e4, 10.0  # eV and 1/A of RBChebyshev_repuls, below min_dist


def evaluate(model: MtpModel, species, positions, cell, pbc) -> Evaluation:
    """Energies, forces and neighbour-assigned virials of one configuration; see `MtpOracle`."""
    return MtpOracle(model, species, positions, cell, pbc).evaluation


def basis(model: MtpModel, species, positions, cell, pbc):
    """Basis values B (N, nS) of one configuration; see `MtpOracle`."""
    return MtpOracle(model, species, positions, cell, pbc).basis


def parameter_gradients(model: MtpModel, species, positions, cell, pbc):
    """Rows dE_i / dtheta (N, n) of one configuration; see `MtpOracle`."""
    return MtpOracle(model, species, positions, cell, pbc).parameter_gradients


class MtpOracle:
    """All that a trained model says about one configuration.

    Parameters
    ----------
    model : MtpModel
    species : (N,) int
        Types, which count in ``model.species``.
    positions, cell : (N, 3), (3, 3)
        In A.  An axis whose cell vector is zero is not periodic.
    pbc : (3,) bool
    """

    def __init__(self, model: MtpModel, species, positions, cell, pbc) -> None:
        self.model = model
        self.species = np.asarray(species, dtype=int)
        cell = np.asarray(cell, dtype=float)
        periodic = np.asarray(pbc, dtype=bool) & np.any(cell != 0.0, axis=1)
        self.i, self.j, self.r, self.D = _find_pairs(positions, cell, periodic, model.max_dist)
        self.u = self.D / self.r[:, None]

    @cached_property
    def evaluation(self) -> Evaluation:
        """Energies, forces and virials; the forces are the gradient of the energy."""
        model, n = self.model, len(self.species)
        energies = model.species_coefficients[self.species] + self.basis @ model.moment_coefficients
        repulsion, slopes = _repulsion(model, self.r)
        np.add.at(energies, self.i, repulsion)
        p = self._pair_gradients + slopes[:, None] * self.u
        forces, virials = np.zeros((n, 3)), np.zeros((n, 3, 3))
        np.add.at(forces, self.i, p)
        np.add.at(forces, self.j, -p)
        np.add.at(virials, self.j, -self.D[:, :, None] * p[:, None, :])
        return Evaluation(energies, forces, virials)

    @cached_property
    def basis(self):
        """B_m (N, nS), in the order of the moment coefficients."""
        return self._moments[:, self.model.mapping]

    @cached_property
    def parameter_gradients(self):
        """dE_i / dtheta (N, n): c[centre][neighbour][mu][k], then the species, then the moment coefficients."""
        model, n, pairs = self.model, len(self.species), len(self.r)
        S, _, K, R = model.radial_coefficients.shape
        per_function = np.zeros((pairs, K))  # sum over the basic moments of that radial function of G Y
        np.add.at(per_function.T, model.basic[:, 0], (self._adjoints[self.i] * self._monomials).T)
        radial = np.zeros((n, S, S, K, R))
        outer = per_function[:, :, None] * self._radial_basis[0][:, None, :]
        np.add.at(radial, (self.i, self.species[self.i], self.species[self.j]), outer)
        return np.concatenate([radial.reshape(n, S * S * K * R), np.eye(S)[self.species], self.basis], axis=1)

    @cached_property
    def _radial_basis(self):
        return radial_basis(self.model, self.r)

    @cached_property
    def _radial_functions(self):
        """f_mu and f_mu' (P, K) of each pair."""
        c = self.model.radial_coefficients[self.species[self.i], self.species[self.j]]
        return [np.einsum("pkn,pn->pk", c, values) for values in self._radial_basis]

    @cached_property
    def _powers(self):
        """Powers 0, 1, .. of the direction cosines (3, P, ..)."""
        highest = self.model.basic[:, 1:].max()
        return np.moveaxis(self.u[:, :, None] ** np.arange(highest + 1), 1, 0)

    @cached_property
    def _monomials(self):
        """u_x^a u_y^b u_z^c (P, nB) of each basic moment."""
        _, a, b, c = self.model.basic.T
        x, y, z = self._powers
        return x[:, a] * y[:, b] * z[:, c]

    @cached_property
    def _moments(self):
        """All moments (N, nM): sums over neighbours, then the products in the order of the file."""
        model = self.model
        moments = np.zeros((model.n_moments, len(self.species)))
        terms = self._radial_functions[0][:, model.basic[:, 0]] * self._monomials
        np.add.at(moments.T[:, : len(model.basic)], self.i, terms)
        for i0, i1, multiplicity, i3 in model.times:
            moments[i3] += multiplicity * moments[i0] * moments[i1]
        return moments.T

    @cached_property
    def _adjoints(self):
        """G = dE_i / dM of the basic moments (N, nB), by the products in reverse order."""
        model, M = self.model, self._moments.T
        G = np.zeros_like(M)
        G[model.mapping] = model.moment_coefficients[:, None]
        for i0, i1, multiplicity, i3 in model.times[::-1]:
            G[i0] += multiplicity * G[i3] * M[i1]
            G[i1] += multiplicity * G[i3] * M[i0]
        return G[: len(model.basic)].T

    @cached_property
    def _pair_gradients(self):
        """dE_i / dr_ij (P, 3) of each pair, without the repulsion."""
        mu, *exponents = self.model.basic.T
        f, slopes = (values[:, mu] for values in self._radial_functions)
        over_r, G = f / self.r[:, None], self._adjoints[self.i]
        radial = np.sum(G * self._monomials * (slopes - sum(exponents) * over_r), axis=1)
        gradients = radial[:, None] * self.u
        for axis in range(3):
            derivative = np.ones_like(f)
            for other, exponent in enumerate(exponents):
                lowered = exponent * self._powers[other][:, np.maximum(exponent - 1, 0)]
                derivative *= lowered if other == axis else self._powers[other][:, exponent]
            gradients[:, axis] += np.sum(G * over_r * derivative, axis=1)
        return gradients


def radial_basis(model: MtpModel, r):
    """Q_n(r) and Q_n'(r) of the model's basis, each (P, R), without the repulsion."""
    name, R = model.radial_basis, model.radial_coefficients.shape[3]
    if name == "RBTaylor":
        n = np.arange(R)
        return model.scaling * r[:, None] ** n, model.scaling * n * r[:, None] ** np.maximum(n - 1, 0)
    clamped = name.endswith("_repuls")
    s = (np.maximum(r, model.min_dist) if clamped else r)[:, None]
    width = model.max_dist - model.min_dist
    T = chebvander((2.0 * s[:, 0] - model.min_dist - model.max_dist) / width, R - 1)
    table = chebder(np.eye(R))  # column n: T_n' in terms of T_0, T_1, ..
    dT = 2.0 / width * T[:, : len(table)] @ table
    if name.startswith("RB"):
        end = s - model.max_dist
        T, dT = T * end**2, dT * end**2 + 2.0 * T * end
    if clamped:
        dT = np.where(r[:, None] > model.min_dist, dT, 0.0)
    return model.scaling * T, model.scaling * dT


def _repulsion(model: MtpModel, r):
    """Energy (P,) that each directed pair adds to its centre, and its derivative by the distance."""
    active = (r < model.min_dist) & (model.radial_basis == "RBChebyshev_repuls")
    value, end = (REPULSION * np.exp(-DECAY * (x - 1.0)) for x in (r, model.min_dist))
    return np.where(active, value - end, 0.0), np.where(active, -DECAY * value, 0.0)


def _find_pairs(positions, cell, pbc, cutoff: float):
    """Centre, neighbour, distance and vector of all directed pairs closer than `cutoff`."""
    positions = np.asarray(positions, dtype=float).reshape(-1, 3)
    if not len(positions):
        return np.empty(0, dtype=int), np.empty(0, dtype=int), np.empty(0), np.empty((0, 3))
    return neighbor_list("ijdD", Atoms("X" * len(positions), positions=positions, cell=cell, pbc=pbc), cutoff)
