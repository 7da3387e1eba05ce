"""The extrapolation grade of calculators whose atoms compete with those of their own element."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from ase import Atoms

from .arrays import FloatArray, Int64Array, IntArray
from .calculator import PotentialCalculator
from .grades.active_rows import SpeciesActiveSet, active_rows
from .grades.grade import Grade
from .grades.maxvol import THRESHOLD


class SpeciesGraded(PotentialCalculator):
    """Base of calculators that grade each atom within its element.

    A family gives `grade_length` and `_grade_features`, and names in `_ungraded` why a model has no grade.
    """

    active_set: SpeciesActiveSet | None = None
    grade_rcond: float  # of `active_rows`

    @property
    def grade_length(self) -> int:
        """How many numbers describe an atom."""
        raise NotImplementedError

    def _ungraded(self) -> str:
        """Why there is no grade; empty where there is one."""
        return ""

    def _grade_features(self, atoms: Atoms) -> tuple[IntArray, FloatArray]:
        """Species (N,) and what rows are made of, (N, K)."""
        raise NotImplementedError

    def _grade_rows(self, features: FloatArray, kind: int) -> FloatArray:
        """Rows (P, n) of atoms of one species from their features (P, K)."""
        return features

    def get_grade_rows(self, atoms: Atoms) -> tuple[IntArray, FloatArray]:
        """Group (N,) and row (N, n) of every atom: an atom is compared with the rows of its group."""
        self._require_gradable()
        species, features = self._grade_features(atoms)
        rows = np.empty((len(species), self.grade_length))
        for kind in np.unique(species):
            rows[species == kind] = self._grade_rows(features[species == kind], int(kind))
        return species.copy(), rows

    def get_extrapolation_grade(self, atoms: Atoms) -> Grade:
        """How far `atoms` lie from the active set: grades above about 3 extrapolate, above 10 are not to be trusted.

        Raises
        ------
        ValueError
            There is no active set, or the model is of a kind that has no grade.
        """
        self._require_gradable()
        if self.active_set is None:
            raise ValueError(f"{self!r} has no active set: give active_set=, or call select_active_set")
        species, features = self._grade_features(atoms)
        return self.active_set.grade(species, lambda own: self._grade_rows(features[own], int(species[own[0]])))

    def select_active_set(self, frames: Iterable[Atoms], *, threshold: float = THRESHOLD) -> SpeciesActiveSet:
        """Select the active set of a training set and grade with it from now on.

        Parameters
        ----------
        frames : iterable of Atoms
        threshold : float
            No atom of the training set has a grade above it; above 1.

        Raises
        ------
        ValueError
            No frames, or a model that has no grade.
        """
        self._require_gradable()
        elements = self.potential.elements
        tables: list[list[FloatArray]] = [[np.empty((0, self.grade_length))] for _ in elements]
        places: list[list[Int64Array]] = [[np.empty((0, 2), dtype=np.int64)] for _ in elements]
        count = 0
        for frame, atoms in enumerate(frames):
            species, rows = self.get_grade_rows(atoms)
            for kind in np.unique(species):
                own = np.flatnonzero(species == kind)
                tables[kind].append(rows[own])
                places[kind].append(np.stack([np.full_like(own, frame), own], axis=1))
            count += 1
        if not count:
            raise ValueError("select_active_set: expected at least one frame, got none")
        self.active_set = SpeciesActiveSet(
            elements,
            tuple(
                active_rows(np.concatenate(rows), np.concatenate(links), rcond=self.grade_rcond, threshold=threshold)
                for rows, links in zip(tables, places, strict=True)
            ),
        )
        return self.active_set

    def _require_gradable(self) -> None:
        if reason := self._ungraded():
            raise ValueError(f"{self!r} has no extrapolation grade: {reason}; take a Committee of several models")

    def _take_active_set(self, given: Any, read: Callable[[Any], SpeciesActiveSet]) -> None:
        """Take over what the caller gave, or what `read` finds in the file that was given; None is nothing."""
        if given is None:
            return
        self._require_gradable()
        active_set = given if isinstance(given, SpeciesActiveSet) else read(given)
        if active_set.elements != self.potential.elements:
            raise ValueError(f"expected an active set of {self.potential.elements}, got one of {active_set.elements}")
        if active_set.length != self.grade_length:
            raise ValueError(f"expected an active set of rows of {self.grade_length} numbers, got {active_set.length}")
        self.active_set = active_set
