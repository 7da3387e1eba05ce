"""What every potential promises: elements, a cutoff and `evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .neighbors import NeighborList

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]


@dataclass(frozen=True)
class Evaluation:
    """Energies, forces and virials of one configuration.

    Attributes
    ----------
    energies : (N,) array
        Atomic energies U_i in eV; their sum is the energy.
    forces : (N, 3) array
        eV/A.
    virials : (N, 3, 3) array
        ``virials[j, a, b] = -sum_i r_ij[a] dU_i/dr_j[b]`` in eV with ``r_ij = r_j - r_i``, assigned to
        the neighbour j, so that the potential part of the heat current is ``sum_j virials[j] @ v_j``.
        The stress is ``-virials.sum(0) / volume``.
    """

    energies: FloatArray
    forces: FloatArray
    virials: FloatArray


class Potential(Protocol):
    """A model that is ready to be evaluated."""

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols in the model's own order; ``species`` below counts in it."""

    @property
    def cutoff(self) -> float:
        """Distance in A from which on two atoms do not interact."""

    def evaluate(self, neighbors: NeighborList, species: IntArray, num_threads: int = 1) -> Evaluation:
        """Energies, forces and virials of the positions that `neighbors` holds, in fresh C-contiguous arrays."""
