"""What every potential promises: elements, a cutoff and `evaluate`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from .arrays import FloatArray, Int64Array, IntArray
from .engine import lanes
from .engine.neighbors import NeighborList
from .engine.packing import Packed
from .engine.plans import Listed, Plan, Plans
from .engine.threads import alone, run_chunks, scratch
from .files.records import one_line

Model = TypeVar("Model")


class Evaluation(NamedTuple):
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

    def __repr__(self) -> str:
        return one_line(self)


@dataclass(frozen=True, repr=False)
class PairGradients:
    """Descriptors and their derivatives with respect to the positions of neighbours.

    Attributes
    ----------
    centers, neighbors : (P,) int32 arrays
        Atoms i and j of each pair within the cutoff; pairs of one centre are contiguous.
    vectors : (P, 3) array
        r_ij = r_j - r_i in A, for the periodic image at hand.
    gradients : (P, 3, K) array
        dB^i_k / dr_j in 1/A; the derivative with respect to r_i is minus the sum over its pairs.
    descriptors : (N, K) array
        B^i_k in the order of the family.
    """

    centers: IntArray
    neighbors: IntArray
    vectors: FloatArray
    gradients: FloatArray
    descriptors: FloatArray

    def __repr__(self) -> str:
        return one_line(self)

    def rows_of_atoms(self) -> FloatArray:
        """(N,), not finite where a gradient of the atom is not."""
        rows = np.zeros(len(self.descriptors))
        np.add.at(rows, self.centers, self.gradients.sum(axis=(1, 2)))
        return rows


class Potential(Protocol):
    """A model that is ready to be evaluated."""

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols in the model's own order; ``species`` below counts in it."""

    @property
    def cutoff(self) -> float:
        """Distance in A from which on two atoms do not interact."""

    def evaluate(self, neighbors: NeighborList, species: IntArray, num_threads: int = 1) -> Evaluation:
        """Energies, forces and virials of the positions that `neighbors` holds, in fresh C-contiguous arrays.

        Where `neighbors` lists the neighbours of the first atoms only (`NeighborList.centers`), the energies of the
        others are zero, and the forces and virials on all atoms are the derivatives of those of the first.
        """


class BlockPotential(Generic[Model]):
    """A model whose kernels work on blocks of eight atoms: its tables, made once, and the plans of its calls.

    It is pickled as its model.

    Parameters
    ----------
    model : Model
    packed : Packed
        The same for kernels.
    by_type : bool
        Whether blocks are to hold atoms of one type where that is possible.
    """

    def __init__(self, model: Model, packed: Packed, *, by_type: bool = False) -> None:
        self.model = model
        self._packed = packed
        self._plans = Plans(packed, by_type=by_type)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"

    def __getstate__(self) -> Model:
        return self.model

    def __setstate__(self, model: Model) -> None:
        self.__init__(model)  # type: ignore[misc]


def evaluate_blocks(
    kernel: Callable[..., Any], neighbors: Listed, plan: Plan, *report: Any, num_threads: int
) -> Evaluation:
    """Run a kernel over all blocks of eight atoms.

    Parameters
    ----------
    kernel : callable
        Takes the buffers of the neighbour list, the arrays of the plan, scratch, the arrays energies, accumulators,
        forces, virials and `report`, and what `run_chunks` gives.  This is the only place that knows this order; tuples
        of arrays would be shorter, but Numba takes half a microsecond longer to unpack them.
    """
    n, (call, ints, floats, size, chunks) = neighbors.n, plan
    energies = np.empty(n) if neighbors.centers == n else np.zeros(n)
    forces, virials = np.empty((n, 3)), np.empty((n, 3, 3))
    rows = scratch("accumulators", chunks * lanes.chunk_size(n))
    memory, pairs = neighbors.buffers
    if chunks == 1:  # few atoms: every microsecond counts
        work = scratch("work", size)
        kernel(memory, pairs, call, ints, floats, work, energies, rows, forces, virials, *report, alone(), 0)
        return Evaluation(energies, forces, virials)

    def share(left: Int64Array, me: int) -> None:
        work = scratch("work", size)
        kernel(memory, pairs, call, ints, floats, work, energies, rows, forces, virials, *report, left, me)

    run_chunks(share, chunks, num_threads)
    lanes.collect(rows, chunks, n, forces, virials)
    return Evaluation(energies, forces, virials)
