"""A crystal of rock salt whose neighbours are joined by linear springs, so that all is known in closed form."""

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list


class Springs(Calculator):
    """Atoms on the sites of a simple cubic lattice along the axes, with springs between nearest neighbours.

    A spring is ``along`` stiff in its direction and ``across`` in both others (eV/A^2), at ``volume`` A^3 per atom; all
    frequencies go as V^-gamma.  The sites have the energy ``volume * bulk / 2 * (V / volume - 1)^2`` (bulk in eV/A^3).
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, along=5.0, across=1.0, *, gamma=0.0, volume=27.0, bulk=0.5):
        super().__init__()
        self.along, self.across, self.gamma, self.volume, self.bulk = along, across, gamma, volume, bulk

    def stiffness(self, volume):
        """Along and across, at V A^3 per atom."""
        return np.array([self.along, self.across]) * (volume / self.volume) ** (-2.0 * self.gamma)

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        volume = atoms.get_volume() / len(atoms)
        d = volume ** (1.0 / 3.0)
        sites = d * np.rint(atoms.positions / d)
        u = atoms.positions - sites
        i, j, D = neighbor_list("ijD", Atoms(positions=sites, cell=atoms.cell, pbc=True), 1.2 * d)
        along, across = self.stiffness(volume)
        stretch = u[j] - u[i]
        parallel = np.einsum("pa,pa,pb->pb", stretch, D, D) / d**2
        pull = along * parallel + across * (stretch - parallel)
        forces = np.zeros_like(u)
        np.add.at(forces, i, pull)
        strain = volume / self.volume - 1.0
        lattice = len(atoms) * self.volume * self.bulk / 2.0 * strain**2
        stress = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]) * self.bulk * strain  # of atoms on their sites
        self.results = {"energy": lattice + np.sum(pull * stretch) / 4.0, "forces": forces, "stress": stress}

    def frequencies(self, q, masses, volume=27.0):
        """(6,) in sqrt(eV / amu) / A at a wave vector q (3,) in 1/A with the factor 2 pi; x, y and z decouple."""
        d = volume ** (1.0 / 3.0)
        along, across = self.stiffness(volume)
        found = []
        for axis in range(3):
            k = np.full(3, across)
            k[axis] = along
            own, other = 2.0 * k.sum(), 2.0 * (k * np.cos(q * d)).sum()
            a, b = own / masses[0], own / masses[1]
            root = np.sqrt((a - b) ** 2 / 4.0 + other**2 / (masses[0] * masses[1]))
            found += [(a + b) / 2.0 - root, (a + b) / 2.0 + root]
        return np.sort(np.sqrt(np.maximum(found, 0.0)))


def rock_salt(*, volume=27.0, cubic=False):
    """NaCl with so many A^3 per atom."""
    return bulk("NaCl", "rocksalt", a=2.0 * volume ** (1.0 / 3.0), cubic=cubic)
