"""Which of many candidates to label: those that the present training set does not span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from ase_mlips.arrays import FloatArray, Int64Array
from ase_mlips.files.records import one_line
from ase_mlips.grades.active_rows import Chosen, choose, space_of
from ase_mlips.grades.maxvol import THRESHOLD

from .protocols import Graded

FAR = 1e6  # coordinates of the strangest candidates, beyond which rounding would spoil the exchanges


@dataclass(frozen=True, eq=False, repr=False)
class Selection:
    """Candidates that were chosen.

    Attributes
    ----------
    places : (k,) array of int
        Among the candidates, the most wanted first.
    scores : (k,) array
        What each was wanted for when its turn came: its grade, its distance or its leverage.
    wanted : int
        How many would have been chosen without a budget.
    """

    places: Int64Array
    scores: FloatArray
    wanted: int

    def __repr__(self) -> str:
        return one_line(self)

    def __len__(self) -> int:
        return len(self.places)


def select_add(
    calc: Graded,
    old: Sequence[Atoms],
    candidates: Sequence[Atoms],
    *,
    budget: int | None = None,
    threshold: float = THRESHOLD,
) -> Selection:
    """Candidates that enter the active set of the old frames and themselves, as MLIP's ``select_add`` finds them.

    MaxVol selects from the old frames, then lets the candidates compete with what it has, and the old frames once
    more: after training on the old frames and the chosen ones, no atom of any has a grade above the threshold.  The
    chosen are ordered by the grade that they have after those before them are added, and a budget takes the first.

    Parameters
    ----------
    calc : Graded
        `MTP`, `NEP` or `SNAP`.  Its active set stays what it is; that of an `MTP` says whether atoms or whole
        structures compete.
    old, candidates : sequence of Atoms
    budget : int, optional
        At most so many.
    threshold : float
        Above 1.

    Raises
    ------
    ValueError
        No old frames, a budget below one, or a model without a grade.
    """
    _require(old, budget)
    tables = _tables(calc, old, candidates)
    starts = [choose(table.old, threshold=threshold) for table in tables]
    entered = set()
    for table, start in zip(tables, starts, strict=True):
        chosen = choose(np.concatenate([table.old, table.new]), threshold=threshold, start=start)
        entered |= set(table.frames[chosen.places[chosen.places >= len(table.old)] - len(table.old)].tolist())
    states = list(zip(tables, starts, strict=True))
    places, scores = _in_order(states, sorted(entered), threshold, len(entered) if budget is None else budget)
    return Selection(places, scores, len(entered))


def select_by_leverage(calc: Graded, old: Sequence[Atoms], candidates: Sequence[Atoms], *, budget: int) -> Selection:
    """Candidates of the highest leverage in a least-squares problem of the old frames and those before them.

    The leverage of a row b is ``b (B^T B)^-1 b``, where B are the rows that are there already; that of a candidate is
    the largest of its atoms.  Parameters and errors are those of `select_add`.
    """
    _require(old, budget)
    tables = _tables(calc, old, candidates)
    inverses = []
    for table in tables:
        width = table.new.shape[1]
        inverses.append(np.linalg.inv(table.old.T @ table.old + 1e-6 * len(table.old) * np.eye(width)))
    left = set(range(len(candidates)))
    places: list[int] = []
    scores: list[float] = []
    while left and len(places) < budget:
        leverages = np.zeros(len(candidates))
        for table, inverse in zip(tables, inverses, strict=True):
            np.maximum.at(leverages, table.frames, np.einsum("pi,ij,pj->p", table.new, inverse, table.new))
        best = max(sorted(left), key=lambda place: leverages[place])
        left.remove(best)
        places.append(best)
        scores.append(leverages[best])
        for k, table in enumerate(tables):
            rows = table.new[table.frames == best]
            spread = inverses[k] @ rows.T
            inverses[k] = inverses[k] - spread @ np.linalg.solve(np.eye(len(rows)) + rows @ spread, spread.T)
    return Selection(np.array(places, dtype=np.int64), np.array(scores), len(candidates))


def select_farthest(calc: Graded, old: Sequence[Atoms], candidates: Sequence[Atoms], *, budget: int) -> Selection:
    """Farthest-point sampling: each candidate is the one that is farthest from the old frames and those before it.

    Distances are those of `fingerprints`.  Parameters and errors are those of `select_add`; the model may be of any
    kind that gives descriptors.
    """
    _require(old, budget)
    points = fingerprints(calc, [*old, *candidates])
    known, points = points[: len(old)], points[len(old) :]
    distances = np.array([np.sqrt(((known - point) ** 2).sum(axis=1)).min() for point in points])
    wanted = int(np.sum(distances > 0.0))
    places: list[int] = []
    scores: list[float] = []
    while len(places) < min(budget, len(points)):
        best = int(np.argmax(distances))
        if not distances[best] > 0.0:
            break
        places.append(best)
        scores.append(float(distances[best]))
        distances = np.minimum(distances, np.sqrt(((points - points[best]) ** 2).sum(axis=1)))
    return Selection(np.array(places, dtype=np.int64), np.array(scores), wanted)


def distinct(calc: Graded, frames: Sequence[Atoms], *, tolerance: float = 1e-2) -> list[int]:
    """Places of the frames without those that are like one before them.

    Two frames are alike if their `fingerprints` differ by no more than `tolerance` in any number, so that moved,
    turned, repeated and renumbered ones are, too.

    Raises
    ------
    ValueError
        A negative tolerance.
    """
    if not tolerance >= 0.0:
        raise ValueError(f"tolerance: expected zero or a positive number, got {tolerance}")
    kept: list[int] = []
    points = fingerprints(calc, frames)
    for place, point in enumerate(points):
        if not kept or np.abs(points[kept] - point).max(axis=1).min() > tolerance:
            kept.append(place)
    return kept


def fingerprints(calc: Graded, frames: Sequence[Atoms]) -> FloatArray:
    """What tells structures from each other, (F, d): fraction of each element, mean and spread of its descriptors.

    Descriptors are in units of their standard deviation over all frames.
    """
    described = [calc.get_descriptors(atoms) for atoms in frames]
    numbers = [atoms.numbers for atoms in frames]
    kinds = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *numbers]))
    points: list[FloatArray] = []
    for kind in kinds:
        own = [values[number == kind] for values, number in zip(described, numbers, strict=True)]
        together = np.concatenate(own)
        scale = together.std(axis=0)
        scale[scale <= 1e-9 * np.abs(together).max(initial=1e-300)] = np.inf
        parts = [
            np.concatenate([[len(one) / len(all_)], _moments((one - together.mean(axis=0)) / scale)])
            for one, all_ in zip(own, numbers, strict=True)
        ]
        points.append(np.array(parts))
    return np.hstack(points) if points else np.empty((len(frames), 0))


def _moments(values: FloatArray) -> FloatArray:
    if not len(values):
        return np.zeros(2 * values.shape[1])
    return np.concatenate([values.mean(axis=0), values.std(axis=0)])


@dataclass(frozen=True)
class _Table:
    """Rows of one group."""

    old: FloatArray
    new: FloatArray
    frames: Int64Array  # candidate of each new row


def _tables(calc: Graded, old: Sequence[Atoms], candidates: Sequence[Atoms]) -> list[_Table]:
    """One for each group that occurs."""
    parts = [calc.get_grade_rows(atoms) for atoms in [*old, *candidates]]
    groups = np.concatenate([group for group, _ in parts])
    frames = np.repeat(np.arange(len(parts)) - len(old), [len(group) for group, _ in parts])
    rows = np.concatenate([table for _, table in parts])
    tables = []
    for group in np.unique(groups):
        own, of = rows[groups == group], frames[groups == group]
        values = _coordinates(own, own[of < 0] if (of < 0).any() else own, calc.grade_rcond)
        tables.append(_Table(values[of < 0], values[of >= 0], of[of >= 0]))
    return tables


def _coordinates(rows: FloatArray, known: FloatArray, rcond: float | None) -> FloatArray:
    """Rows as MaxVol is to see them: all directions of the known ones equally long, and not much longer in others."""
    if rcond is None:
        return rows
    space = space_of(known, rcond)
    values = rows @ np.hstack([space.leading, space.rest])
    values /= np.maximum(1.0, np.abs(values).max(axis=0) / FAR)
    return values


def _in_order(
    states: list[tuple[_Table, Chosen]], entered: list[int], threshold: float, budget: int
) -> tuple[Int64Array, FloatArray]:
    """Candidates by the grade that they have when those before them are known."""
    left = list(entered)
    places: list[int] = []
    scores: list[float] = []
    while left and len(places) < budget:
        grades = dict.fromkeys(left, 0.0)
        for table, state in states:
            found = np.abs(table.new @ state.S.T).max(axis=1, initial=0.0)
            for frame in left:
                grades[frame] = max(grades[frame], float(found[table.frames == frame].max(initial=0.0)))
        best = max(left, key=lambda frame: grades[frame])
        left.remove(best)
        places.append(best)
        scores.append(grades[best])
        states = [(table, _extended(table, state, places, threshold)) for table, state in states]
    return np.array(places, dtype=np.int64), np.array(scores)


def _extended(table: _Table, state: Chosen, places: list[int], threshold: float) -> Chosen:
    """The active set after some candidates have joined the old frames."""
    known = np.concatenate([table.old, table.new[np.isin(table.frames, places)]])
    return choose(known, threshold=threshold, start=state)


def _require(old: Sequence[Atoms], budget: int | None) -> None:
    if not len(old):
        raise ValueError("old: expected at least one frame that is labelled already, got none")
    if budget is not None and budget < 1:
        raise ValueError(f"budget: expected a positive number, got {budget}")
