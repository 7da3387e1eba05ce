"""A small analytic potential in NumPy, for tests of what stands around potentials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk

from ase_mlips.arrays import IntArray
from ase_mlips.calculator import PotentialCalculator
from ase_mlips.engine.neighbors import NeighborList
from ase_mlips.potential import Evaluation


class Morse:
    """Cu and Au: ``U_i = sum_j s phi(r_ij) + k |m_i|^2`` with ``m_i = sum_j r_ij f(r_ij)``.

    Here ``phi = f D (exp(-2 a (r - r0)) - 2 exp(-a (r - r0)))`` and ``f = (1 - (r / rc)^2)^3``.  The shares s of
    unlike atoms and m_i make dU_i/dr_ij differ from dU_j/dr_ji and from the direction of r_ij, so that virials
    are not symmetric.  `calls` counts the evaluations.
    """

    elements = ("Cu", "Au")
    cutoff = 5.0
    depth = np.array([[0.30, 0.35], [0.35, 0.45]])
    width = np.array([[1.3, 1.4], [1.4, 1.5]])
    distance = np.array([[2.6, 2.8], [2.8, 2.9]])
    k = 0.02
    share = np.array([[0.5, 0.3], [0.7, 0.5]])

    def __init__(self) -> None:
        self.calls = 0

    def evaluate(self, neighbors: NeighborList, species: IntArray, num_threads: int = 1) -> Evaluation:
        self.calls += 1
        i, j, _, D = neighbors.pairs()
        pair = (species[i], species[j])
        r = np.linalg.norm(D, axis=1)
        decay = np.exp(-self.width[pair] * (r - self.distance[pair]))
        cut = (1.0 - (r / self.cutoff) ** 2) ** 3
        cut_slope = -6.0 * r / self.cutoff**2 * (1.0 - (r / self.cutoff) ** 2) ** 2
        morse = self.share[pair] * self.depth[pair] * (decay**2 - 2.0 * decay)
        slope = -2.0 * self.width[pair] * self.share[pair] * self.depth[pair] * (decay**2 - decay)
        energies, forces, virials = (np.zeros((neighbors.n, *shape)) for shape in ((), (3,), (3, 3)))
        m = np.zeros((neighbors.n, 3))
        np.add.at(m, i, D * cut[:, None])
        np.add.at(energies, i, morse * cut)
        energies += self.k * (m**2).sum(1)
        radial = slope * cut + morse * cut_slope + 2.0 * self.k * (m[i] * D).sum(1) * cut_slope
        p = (radial / r)[:, None] * D + 2.0 * self.k * m[i] * cut[:, None]
        np.add.at(forces, i, p)
        np.subtract.at(forces, j, p)
        np.subtract.at(virials, j, D[:, :, None] * p[:, None, :])
        return Evaluation(energies, forces, virials)


class MorseCalculator(PotentialCalculator):
    """A family whose files are empty and end with .morse."""

    file_endings = (".morse",)

    def __init__(self, path: Any = None, **kwargs: Any) -> None:
        super().__init__(Morse(), **kwargs)
        self.path = path

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        return path.suffix == ".morse" and path.exists()


def crystal() -> Atoms:
    """Eight rattled atoms of both elements in a periodic cell narrower than the cutoff, with a calculator."""
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    atoms.symbols[[1, 4]] = "Au"
    atoms.rattle(0.1, seed=1)
    atoms.calc = MorseCalculator()
    return atoms


def cluster() -> Atoms:
    """Four moving atoms without a cell, with a calculator."""
    atoms = Atoms("Cu2AuCu", [[0.0, 0.0, 0.0], [2.4, 0.3, 0.0], [0.2, 2.7, 0.4], [1.0, 1.1, 2.2]])
    atoms.set_velocities(np.random.default_rng(5).normal(scale=0.04, size=(4, 3)))
    atoms.calc = MorseCalculator()
    return atoms
