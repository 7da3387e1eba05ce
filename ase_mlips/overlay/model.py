"""Several models of the same elements whose energies add, as LAMMPS's ``pair_style hybrid/overlay`` has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..ace.model import AceModel
from ..files.records import Record
from ..pod.model import PodModel
from ..snap.model import SnapModel

Part = PodModel | SnapModel | AceModel


@dataclass(frozen=True, eq=False, repr=False)
class OverlayModel(Record):
    """A sum of models.

    Attributes
    ----------
    parts : tuple of PodModel, SnapModel or AceModel

    Raises
    ------
    ValueError
        No parts, something else, or parts whose elements differ or come in another order.
    """

    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.parts, Sequence) or not self.parts:
            raise ValueError("expected parts, got none")
        object.__setattr__(self, "parts", tuple(self.parts))
        for part in self.parts:
            if not isinstance(part, Part):
                raise ValueError(f"expected parts to be POD, SNAP or ACE models, got {type(part).__name__}")
            if part.elements != self.elements:
                first, other = (" ".join(own) for own in (self.elements, part.elements))
                raise ValueError(f"expected parts of the same elements in the same order, got {first} and {other}")

    def __repr__(self) -> str:
        return f"OverlayModel({' + '.join(map(repr, self.parts))})"

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols."""
        return self.parts[0].elements

    @property
    def cutoff(self) -> float:
        """The longest of the parts', in A."""
        return max(part.cutoff for part in self.parts)
