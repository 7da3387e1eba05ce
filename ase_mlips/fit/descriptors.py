"""Descriptors and their gradients of many frames: computed once, kept within stated bounds, else computed again."""

from __future__ import annotations

from collections.abc import Sequence
from tempfile import TemporaryFile
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..arrays import FloatArray, Int64Array, IntArray
from ..engine.neighbors import NeighborList
from .dataset import LabelledFrame, species_of

SingleArray = NDArray[np.float32]

GIGABYTE = 1e9


class DescribedPairs(Protocol):
    """Descriptors of one configuration with their gradients, such as `ase_mlips.potential.PairGradients`."""

    @property
    def centers(self) -> IntArray:
        """(P,) atoms i of each pair, ascending."""

    @property
    def neighbors(self) -> IntArray:
        """(P,) atoms j."""

    @property
    def vectors(self) -> FloatArray:
        """(P, 3) vectors r_ij in A."""

    @property
    def gradients(self) -> FloatArray:
        """(P, 3, K) derivatives dB^i_k / dr_j in 1/A."""

    @property
    def descriptors(self) -> FloatArray:
        """(N, K) descriptors B^i_k."""


class Describer(Protocol):
    """What turns a configuration into descriptors, such as `SnapPotential`."""

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols; species count in them."""

    @property
    def cutoff(self) -> float:
        """Largest distance of a pair, in A."""

    def descriptor_gradients(self, neighbors: NeighborList, species: IntArray) -> DescribedPairs:
        """Descriptors and gradients of what the neighbour list holds."""


class Pairs(NamedTuple):
    """The pairs of one frame, as the kernels want them; see `DescribedPairs`."""

    centers: IntArray
    neighbors: IntArray
    vectors: FloatArray
    gradients: SingleArray


class DescribedFrames:
    """Descriptors of frames in memory, and their gradients in memory, in a temporary file or computed when asked for.

    Gradients are kept in single precision.  They fill first the memory and then the file that is allowed; those of
    the remaining frames are computed at each use.

    Parameters
    ----------
    describer : Describer
    frames : sequence of LabelledFrame
    kept : (K,) int array, optional
        Which descriptors to keep; by default all.
    memory, disk : float
        Bounds in GB of what the gradients take in memory and in the file, which vanishes with the process.

    Attributes
    ----------
    descriptors : (A, K) array
        Of the atoms of all frames, one after the other.
    species : (A,) int32 array
    start : (F + 1,) int array
        Where the atoms of each frame begin.

    Raises
    ------
    ValueError
        A frame has an element that the describer lacks or descriptors that are not finite, or no frame has two atoms
        within the cutoff.
    """

    def __init__(
        self,
        describer: Describer,
        frames: Sequence[LabelledFrame],
        *,
        kept: Int64Array | None = None,
        memory: float = 2.0,
        disk: float = 20.0,
    ) -> None:
        self._describer = describer
        self._frames = frames
        self._kept = kept
        self._list = NeighborList(describer.cutoff, skin=0.0)
        self._species = [species_of(frame, describer.elements) for frame in frames]
        self.species = np.concatenate(self._species)
        self.start = np.cumsum([0, *map(len, self._species)])
        self._pairs: list[Pairs | None] = []
        self.descriptors = self._describe_all(memory * GIGABYTE, disk * GIGABYTE)

    def __len__(self) -> int:
        return len(self._frames)

    def pairs(self, number: int) -> Pairs:
        """The pairs of one frame."""
        return self._pairs[number] or self._describe(number)[1]

    def _describe(self, number: int) -> tuple[FloatArray, Pairs]:
        atoms = self._frames[number].atoms
        self._list.update(atoms.positions, atoms.cell.array, atoms.pbc)
        found = self._describer.descriptor_gradients(self._list, self._species[number])
        descriptors, gradients = found.descriptors, found.gradients
        if self._kept is not None and len(self._kept) < descriptors.shape[1]:
            descriptors, gradients = descriptors[:, self._kept], gradients[..., self._kept]
        single = np.ascontiguousarray(gradients, dtype=np.float32)
        return descriptors, Pairs(found.centers, found.neighbors, found.vectors, single)

    def _describe_all(self, memory: float, disk: float) -> FloatArray:
        """Describe every frame once; keep the gradients where there is room."""
        descriptors: list[FloatArray] = []
        count = 0
        filed: list[tuple[int, Pairs]] = []  # their gradients are in the file, one after the other
        with TemporaryFile(prefix="ase-mlips-") as file:
            for number in tqdm(range(len(self._frames)), desc="describing", unit="frame", disable=None):
                found, pairs = self._describe(number)
                if not (np.isfinite(found).all() and np.isfinite(pairs.gradients.sum())):
                    source = self._frames[number].source
                    raise ValueError(f"{source}: descriptors are not finite; are two atoms on one site?")
                descriptors.append(found)
                count += len(pairs.centers)
                size = pairs.gradients.nbytes
                self._pairs.append(pairs if size <= memory else None)
                if size <= memory:
                    memory -= size
                elif size <= disk:
                    disk -= size
                    file.write(pairs.gradients.data)
                    filed.append((number, pairs._replace(gradients=np.empty((0, 3, found.shape[1]), np.float32))))
            if count == 0:
                raise ValueError(f"no frame has two atoms within the cutoff of {self._describer.cutoff:g} A")
            file.flush()
            if filed:
                # "c", because a read-only array would need kernels of its own
                mapped = np.asarray(np.memmap(file, np.float32, "c"))
        begin = 0
        for number, pairs in filed:
            shape = len(pairs.centers), 3, descriptors[number].shape[1]
            end = begin + int(np.prod(shape))
            self._pairs[number] = pairs._replace(gradients=mapped[begin:end].reshape(shape))
            begin = end
        return np.concatenate(descriptors)
