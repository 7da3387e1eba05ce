"""A sum of models as a `Potential`, and their descriptors side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ace.model import AceModel
from ..ace.potential import AcePotential
from ..arrays import FloatArray, IntArray
from ..engine.neighbors import NeighborList
from ..pod.model import PodModel
from ..pod.potential import PodPotential
from ..potential import Evaluation, PairGradients
from ..snap.potential import SnapPotential
from .model import OverlayModel, Part


class OverlayPotential:
    """A sum of models ready for evaluation; every part takes from one neighbour list what is within its own cutoff.

    Parameters
    ----------
    model : OverlayModel

    Attributes
    ----------
    inexact_flux : str
        Why the heat flux is not exact; empty where it is.
    """

    def __init__(self, model: OverlayModel) -> None:
        self.model = model
        self.elements, self.cutoff = model.elements, model.cutoff
        self.parts = tuple(map(_ready, model.parts))
        self.inexact_flux = next((why for part in self.parts if (why := getattr(part, "inexact_flux", ""))), "")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"

    def __reduce__(self) -> tuple[type[OverlayPotential], tuple[OverlayModel]]:
        return type(self), (self.model,)

    def evaluate(self, neighbors: NeighborList, species: IntArray, num_threads: int = 1) -> Evaluation:
        """Energies, forces and virials; see `Potential.evaluate`."""
        first, *others = (part.evaluate(neighbors, species, num_threads) for part in self.parts)
        for other in others:
            for total, values in zip(first, other, strict=True):
                total += values
        return first

    def descriptors(self, neighbors: NeighborList, species: IntArray) -> FloatArray:
        """Descriptors (N, K) of every atom, those of the first part first."""
        return np.hstack([part.descriptors(neighbors, species) for part in self.parts])

    def descriptor_gradients(self, neighbors: NeighborList, species: IntArray) -> PairGradients:
        """Descriptors of every atom and their derivatives for every pair that is within the cutoff of any part."""
        return joined([part.descriptor_gradients(neighbors, species) for part in self.parts])


def _ready(part: Part) -> PodPotential | SnapPotential | AcePotential:
    if isinstance(part, AceModel):
        return AcePotential(part)
    return PodPotential(part) if isinstance(part, PodModel) else SnapPotential(part)


def joined(parts: Sequence[PairGradients]) -> PairGradients:
    """Descriptors of the same atoms side by side; gradients of pairs beyond the cutoff of a part are zero.

    Pairs are the same if centre, neighbour and vector are, to the last bit: all parts read one neighbour list.
    """
    keys = np.vstack([np.column_stack([part.centers, part.neighbors, part.vectors]) for part in parts])
    distinct, place = np.unique(keys, axis=0, return_inverse=True)  # sorted by centre
    sizes = [part.descriptors.shape[1] for part in parts]
    gradients = np.zeros((len(distinct), 3, sum(sizes)))
    begin = column = 0
    for part, size in zip(parts, sizes, strict=True):
        end = begin + len(part.centers)
        gradients[place[begin:end], :, column : column + size] = part.gradients
        begin, column = end, column + size
    centers, neighbors = distinct[:, :2].T.astype(np.int32)
    descriptors = np.hstack([part.descriptors for part in parts])
    return PairGradients(centers, neighbors, np.ascontiguousarray(distinct[:, 2:]), gradients, descriptors)
