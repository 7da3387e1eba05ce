"""Active rows of each element: what the grades of potentials refer to whose atoms compete with their own kind only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, Int64Array, IntArray
from ..files.records import Record, frozen_array
from .grade import Grade
from .maxvol import THRESHOLD, initial, maxvol

BLOCK = 512  # atoms whose rows are held at a time
TURN = 4  # rows per place that compete in the first turn
REST = 32  # combinations of the directions in which rows hardly vary
FAINT = 1e-6  # columns whose root mean square is less than this multiple of the largest are not scaled up further
_ROUNDING, _TINY = 1e-9, 1e-8


@dataclass(frozen=True, eq=False, repr=False)
class ActiveRows(Record):
    """What an atom of one element is compared with.

    Attributes
    ----------
    inverse : (n, m) array
        M of the grade ``max_j |(b M)_j|`` of an atom with the row b of n numbers.  m = 0 where the training set has no
        atom of the element.
    links : (r, 2) array of int
        Frame of the training set and atom in it of each active row; r = 0 where that is not known.

    Raises
    ------
    ValueError
        Where shapes do not fit or a number is not finite: ``expected <field> ..., got ...``.
    """

    inverse: FloatArray
    links: Int64Array

    def __post_init__(self) -> None:
        inverse = frozen_array("inverse", self.inverse)
        links = np.array(self.links, dtype=np.int64)
        links.setflags(write=False)
        if inverse.ndim != 2:
            raise ValueError(f"expected inverse of shape (n, m), got {inverse.shape}")
        if links.shape != (len(links), 2):
            raise ValueError(f"expected links of shape ({len(links)}, 2), got {links.shape}")
        if links.size and links.min() < 0:
            raise ValueError(f"expected links that are not negative, got {links.min()}")
        object.__setattr__(self, "inverse", inverse)
        object.__setattr__(self, "links", links)


@dataclass(frozen=True, eq=False, repr=False)
class SpeciesActiveSet(Record):
    """The active rows of every element of a potential.

    Attributes
    ----------
    elements : tuple of str
    rows : tuple of ActiveRows
        In the same order.

    Raises
    ------
    ValueError
        Not as many rows as elements, or rows of different lengths.
    """

    elements: tuple[str, ...]
    rows: tuple[ActiveRows, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "elements", tuple(self.elements))
        object.__setattr__(self, "rows", tuple(self.rows))
        if len(self.rows) != len(self.elements):
            raise ValueError(f"expected active rows of {len(self.elements)} elements, got {len(self.rows)}")
        if len({len(one.inverse) for one in self.rows}) > 1:
            lengths = ", ".join(str(len(one.inverse)) for one in self.rows)
            raise ValueError(f"expected active rows of one length, got {lengths}")

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{element}: {len(one.links) or one.inverse.shape[1]} rows"
            for element, one in zip(self.elements, self.rows, strict=True)
        )
        return f"SpeciesActiveSet({parts})"

    @property
    def length(self) -> int:
        """n, how many numbers describe an atom."""
        return len(self.rows[0].inverse) if self.rows else 0

    def frames(self) -> Int64Array:
        """Places in the training set of the frames to which active rows belong."""
        return np.unique(np.concatenate([one.links[:, 0] for one in self.rows]))

    def grade(self, species: IntArray, rows: Callable[[Int64Array], FloatArray]) -> Grade:
        """Grade of one structure.

        Parameters
        ----------
        species : (N,) array
            Place of each atom's element among `elements`.
        rows : callable
            From the numbers (P,) of some atoms of one element to their rows (P, n).

        Returns
        -------
        Grade
            Infinite for atoms of an element that the training set lacks.
        """
        grades = np.zeros(len(species))
        for kind, one in enumerate(self.rows):
            own = np.flatnonzero(species == kind)
            if one.inverse.shape[1] == 0:
                grades[own] = np.inf
                continue
            for first in range(0, len(own), BLOCK):
                block = own[first : first + BLOCK]
                product = rows(block) @ one.inverse
                grades[block] = np.abs(product, out=product).max(axis=1)
        return Grade(float(grades.max(initial=0.0)), grades)


@dataclass(frozen=True)
class Space:
    """Directions in which a table of rows varies, and those in which it hardly does.

    Attributes
    ----------
    leading : (n, r) array
        ``rows @ leading`` has a mean square of one in each column.
    rest : (n, m) array
        No component of ``rows @ rest`` is larger than one.
    """

    leading: FloatArray
    rest: FloatArray


def space_of(rows: FloatArray, rcond: float) -> Space:
    """Split the space of rows (P, n) where the root mean square falls below `rcond` of the largest.

    Columns are scaled to the same root mean square beforehand, so that units do not matter.  The n - r directions in
    which there is less are all seen by `REST` random combinations of them, or by as many as there are: a row that
    leaves what the others span has a component along nearly each of them.
    """
    count, n = rows.shape
    scale = np.sqrt(np.mean(rows**2, axis=0))
    scale = np.maximum(scale, FAINT * scale.max()) if scale.any() else np.ones(n)
    scaled = rows / scale
    squares, directions = np.linalg.eigh((scaled @ scaled.T if count < n else scaled.T @ scaled) / count)
    smallest = max(rcond, _TINY) * np.sqrt(max(squares[-1], 0.0))
    kept = squares > smallest**2
    squares, directions = squares[kept], directions[:, kept]
    if count < n:
        directions = np.linalg.qr(scaled.T @ directions)[0]
    random = np.random.default_rng(0).normal(size=(n, min(REST, n - len(squares))))
    for _ in range(2):  # rounding would leave some of the leading directions
        random = np.linalg.qr(random - directions @ (directions.T @ random))[0]
    seen = np.sqrt(random.shape[1] / max(1, n - len(squares)))
    extent = max(float(np.abs(scaled @ random).max(initial=0.0)), smallest * seen) or 1.0
    return Space(directions / np.sqrt(squares) / scale[:, None], random / (extent * scale[:, None]))


@dataclass(frozen=True)
class Chosen:
    """Rows that span the largest volume.

    Attributes
    ----------
    A, S : (n, n) arrays
        As of `MaxVol`.
    places : (n,) array
        Of each row its place in the table; -1 where it is none of it.
    """

    A: FloatArray
    S: FloatArray
    places: Int64Array


def choose(rows: FloatArray, *, threshold: float = THRESHOLD, start: Chosen | None = None) -> Chosen:
    """`maxvol` of a long table (P, n), after which no row of it has a grade above the threshold.

    All rows are graded, and only those above the threshold compete, until there are none.  The places of the rows of
    `start` are kept where they stay.
    """
    n, count = rows.shape[1], len(rows)
    A, S = initial(n) if start is None else (start.A, start.S)
    places = np.full(n, -1) if start is None else start.places
    turn = np.unique(np.linspace(0, count - 1, min(count, TURN * n)).astype(np.int64))
    while len(turn):
        result = maxvol(rows[turn], threshold=threshold, start=(A, S))
        A, S = result.A, result.S
        places = np.concatenate([places, turn])[result.sources]
        S = np.asarray(np.linalg.inv(A).T, dtype=np.float64)  # without what rounding has added up
        turn = np.flatnonzero(np.abs(rows @ S.T).max(axis=1, initial=0.0) > threshold * (1.0 + _ROUNDING))
    return Chosen(A, S, places)


def active_rows(rows: FloatArray, links: Int64Array, *, rcond: float, threshold: float = THRESHOLD) -> ActiveRows:
    """The active rows of one element.

    MaxVol works in the directions in which the training set varies; their number is that of the active rows.  In the
    others a grade of one is the largest component that the training set has, or `rcond` of its leading one, see
    `space_of`.

    Parameters
    ----------
    rows : (P, n) array
        Of all atoms of the element in the training set.
    links : (P, 2) array
        Frame and atom of each.
    rcond : float
        Root mean square below which directions do not vary, as a fraction of the largest.
    threshold : float
        Above 1.
    """
    if not len(rows):
        return ActiveRows(np.empty((rows.shape[1], 0)), np.empty((0, 2), dtype=np.int64))
    space = space_of(rows, rcond)
    chosen = choose(rows @ space.leading, threshold=threshold)
    return ActiveRows(np.hstack([space.leading @ chosen.S.T, space.rest]), links[chosen.places])
