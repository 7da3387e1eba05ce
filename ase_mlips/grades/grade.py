"""What a model says of its own reliability."""

from __future__ import annotations

from dataclasses import dataclass

from ..arrays import FloatArray
from ..files.records import one_line


@dataclass(frozen=True, eq=False, repr=False)
class Grade:
    """How far a structure lies outside of an active set: up to 1 it is interpolated.

    Attributes
    ----------
    configuration : float
        Grade of the structure; that of its worst atom where atoms are graded.  Zero without atoms.
    neighborhoods : (N,) array or None
        Grade of each atom; None in configuration mode.
    """

    configuration: float
    neighborhoods: FloatArray | None

    def __repr__(self) -> str:
        return one_line(self)
