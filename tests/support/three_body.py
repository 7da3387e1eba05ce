"""Silicon of Stillinger and Weber in NumPy, whose elastic constants are published."""

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list

EPSILON, SIGMA = 2.1683, 2.0951  # eV, A
A, B, LAMBDA, GAMMA = 7.049556277, 0.6022245584, 21.0, 1.2
REACH = 1.8 * SIGMA
C11, C12, C44 = 151.4, 76.4, 56.4  # GPa; Cowley, Phys. Rev. Lett. 60, 2379 (1988)


class StillingerWeber(Calculator):
    """Phys. Rev. B 31, 5262 (1985)."""

    implemented_properties = ("energy", "free_energy", "forces", "stress")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        i, j, D, r = neighbor_list("ijDd", self.atoms, REACH - 1e-9)
        decay = np.exp(SIGMA / (r - REACH))
        power = B * (SIGMA / r) ** 4
        pair = 0.5 * EPSILON * A * (power - 1.0) * decay
        slope = 0.5 * EPSILON * A * decay * (-4.0 * power / r - (power - 1.0) * SIGMA / (r - REACH) ** 2)
        pull = (slope / r)[:, None] * D  # derivatives by the vectors of the pairs
        a, b = (k.ravel() for k in np.meshgrid(np.arange(len(i)), np.arange(len(i)), indexing="ij"))
        both = (a < b) & (i[a] == i[b])
        a, b = a[both], b[both]
        cosine = (D[a] * D[b]).sum(1) / (r[a] * r[b])
        tail = np.exp(GAMMA * SIGMA / (r[a] - REACH) + GAMMA * SIGMA / (r[b] - REACH))
        triple = EPSILON * LAMBDA * (cosine + 1.0 / 3.0) ** 2 * tail
        turn = 2.0 * EPSILON * LAMBDA * (cosine + 1.0 / 3.0) * tail
        for one, other in ((a, b), (b, a)):
            along = -triple * GAMMA * SIGMA / (r[one] - REACH) ** 2 - turn * cosine / r[one]
            np.add.at(pull, one, (along / r[one])[:, None] * D[one] + (turn / (r[one] * r[other]))[:, None] * D[other])
        forces = np.zeros((len(self.atoms), 3))
        np.add.at(forces, i, pull)
        np.subtract.at(forces, j, pull)
        energy = pair.sum() + triple.sum()
        self.results = {"energy": energy, "free_energy": energy, "forces": forces}
        if self.atoms.cell.rank == 3:
            stress = D.T @ pull / self.atoms.get_volume()
            self.results["stress"] = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
