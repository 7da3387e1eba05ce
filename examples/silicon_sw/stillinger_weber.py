"""Silicon of F. H. Stillinger and T. A. Weber, Phys. Rev. B 31, 5262 (1985), in NumPy: the teacher of the examples."""

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list
from ase.stress import full_3x3_to_voigt_6_stress

EPSILON, SIGMA, REACH = 2.1683, 2.0951, 1.80  # eV, A, cutoff in units of sigma
LAMBDA, GAMMA, A, B = 21.0, 1.20, 7.049556277, 0.6022245584


class StillingerWeber(Calculator):
    """Energy, forces and stress; tests compare it with the labels of LAMMPS in this folder."""

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        n = len(self.atoms)
        i, j, d, r = neighbor_list("ijDd", self.atoms, REACH * SIGMA * (1.0 - 1e-9))
        energy, slope = _two_body(r)
        gradient = 0.5 * slope[:, None] * d / r[:, None]  # of the energy of i with respect to r_ij
        three, own = _three_body(i, d, r, n)
        gradient += own
        forces = np.zeros((n, 3))
        np.add.at(forces, i, gradient)
        np.subtract.at(forces, j, gradient)
        total = float(0.5 * energy.sum() + three)
        self.results = {"energy": total, "free_energy": total, "forces": forces}
        if self.atoms.cell.rank == 3:
            self.results["stress"] = full_3x3_to_voigt_6_stress(d.T @ gradient / self.atoms.get_volume())


def _two_body(r):
    """Energy of a pair and its derivative."""
    gap, power = r - REACH * SIGMA, B * (SIGMA / r) ** 4
    fade = A * EPSILON * np.exp(SIGMA / gap)
    return (power - 1.0) * fade, fade * (-4.0 * power / r - (power - 1.0) * SIGMA / gap**2)


def _three_body(i, d, r, n):
    """Energy of all angles, and its gradient with respect to each r_ij."""
    counts = np.bincount(i, minlength=n)
    first = np.arange(len(i))  # neighbours come in the order of i
    j = np.repeat(first, counts[i])
    begin = np.cumsum(counts) - counts
    k = begin[i[j]] + np.arange(len(j)) - np.repeat(np.cumsum(counts[i]) - counts[i], counts[i])
    j, k = j[j < k], k[j < k]
    unit = d / r[:, None]
    gap = r - REACH * SIGMA
    fade = np.exp(GAMMA * SIGMA / gap)
    cosine = np.einsum("ta,ta->t", unit[j], unit[k])
    angle = cosine + 1.0 / 3.0
    both = LAMBDA * EPSILON * fade[j] * fade[k]
    gradient = np.zeros_like(d)
    for one, other in ((j, k), (k, j)):
        turn = (unit[other] - cosine[:, None] * unit[one]) / r[one, None]
        pull = -GAMMA * SIGMA / gap[one] ** 2 * angle**2
        np.add.at(gradient, one, both[:, None] * (2.0 * angle[:, None] * turn + pull[:, None] * unit[one]))
    return float((both * angle**2).sum()), gradient
