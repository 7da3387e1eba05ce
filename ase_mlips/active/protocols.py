"""What active learning asks of a calculator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from ase import Atoms

from ase_mlips.arrays import FloatArray, IntArray
from ase_mlips.grades.grade import Grade


class Uncertain(Protocol):
    """A calculator that says how far a structure lies from what it was trained on: `MTP`, `NEP`, `SNAP`, `Committee`.

    SNAP with a network and NEP with charges have no grade of their own; they say so by name, and a `Committee` of
    several of them has.
    """

    def get_extrapolation_grade(self, atoms: Atoms) -> Grade:
        """Of the structure, and where there is one of each atom."""


class Graded(Uncertain, Protocol):
    """A calculator with an active set: `MTP`, `NEP` and `SNAP`."""

    active_set: Any
    grade_rcond: float | None  # of `space_of`; None where rows compete as they are

    def get_grade_rows(self, atoms: Atoms) -> tuple[IntArray, FloatArray]:
        """Group (P,) and row (P, n) of what competes in a structure: its atoms, or the structure as a whole.

        Rows compete within their group: all of an `MTP` have one, those of the others have one for each element.
        """

    def select_active_set(self, frames: Iterable[Atoms]) -> Any:
        """Select the active set of a training set and grade with it from now on."""

    def get_descriptors(self, atoms: Atoms) -> FloatArray:
        """Descriptors (N, K) of the atoms."""
