"""A small analytic potential in NumPy, for tests of what stands around potentials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ase_mlips.calculator import PotentialCalculator
from ase_mlips.neighbors import NeighborList
from ase_mlips.potential import Evaluation, IntArray


class Morse:
    """Morse pairs of Cu and Au: ``phi(r) = D (exp(-2 a (r - r0)) - 2 exp(-a (r - r0))) (1 - (r / rc)^2)^3``.

    The pair energy of unlike atoms is shared 0.3 : 0.7, so that dU_i/dr_ij and dU_j/dr_ji differ as they do
    in many-body potentials.  `calls` counts the evaluations.
    """

    elements = ("Cu", "Au")
    cutoff = 5.0
    depth = np.array([[0.30, 0.35], [0.35, 0.45]])
    width = np.array([[1.3, 1.4], [1.4, 1.5]])
    distance = np.array([[2.6, 2.8], [2.8, 2.9]])
    share = np.array([[0.5, 0.3], [0.7, 0.5]])

    def __init__(self) -> None:
        self.calls = 0

    def evaluate(self, neighbors: NeighborList, species: IntArray, num_threads: int = 1) -> Evaluation:
        self.calls += 1
        i, j, _, D = neighbors.pairs()
        pair = (species[i], species[j])
        r = np.linalg.norm(D, axis=1)
        decay = np.exp(-self.width[pair] * (r - self.distance[pair]))
        cut = 1.0 - (r / self.cutoff) ** 2
        morse = self.depth[pair] * (decay**2 - 2.0 * decay)
        slope = -2.0 * self.width[pair] * self.depth[pair] * (decay**2 - decay)
        derivative = slope * cut**3 - 6.0 * morse * cut**2 * r / self.cutoff**2
        p = (self.share[pair] * derivative / r)[:, None] * D
        energies, forces, virials = (np.zeros((neighbors.n, *shape)) for shape in ((), (3,), (3, 3)))
        np.add.at(energies, i, self.share[pair] * morse * cut**3)
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
