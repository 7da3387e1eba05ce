"""Fitting a model that is linear in its coefficients: the equations of many frames, and their solution.

The energy is linear in the coefficients, hence so are forces and stress, and the best coefficients solve one linear
least-squares problem.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, get_args

import numpy as np
from tqdm import tqdm

from ..arrays import Int64Array
from ..runs.executors import map_with
from .dataset import LabelledFrame
from .linear import LARGEST_GRAM_CONDITION, Reduction, Solution, Solver, solve
from .loss import Loss
from .protocols import LinearModel, Model
from .report import Report, compare, labels_of
from .results import set_sizes, write_fit

_Reductions: TypeAlias = dict[tuple[int, str, str], Reduction]
_Chunk: TypeAlias = tuple[Sequence[LabelledFrame], Int64Array, bool]  # frames, their parts, whether triangular
_CHUNK = 64  # frames that are reduced together


def _reduced(design: LinearModel[Any], chunk: _Chunk) -> tuple[_Reductions, int]:
    """The reductions of the rows of these frames, and the number of their pairs."""
    (frames, parts, triangular), before = chunk, design.pairs
    found: _Reductions = {}
    for frame, part in zip(frames, parts, strict=True):
        for quantity, rows in design.rows(frame).items():
            key = (int(part), frame.group, quantity)
            if key not in found:
                found[key] = Reduction(design.n_columns + 1, triangular)
            found[key].add(rows, frame.relative_weight(quantity))
    return found, design.pairs - before


class LinearEquations(Generic[Model]):
    """The least-squares problem of a set of frames, reduced so that it can be solved again for any weights.

    Memory is at most ``8 n^2`` bytes for each group of frames and quantity (n unknowns), however many frames.  Within
    `ase_mlips.runs.on_executor` chunks of frames are reduced by its processes; no bit depends on that.

    Parameters
    ----------
    design : LinearModel
    frames : sequence of LabelledFrame
    parts : (F,) int, optional
        Number of the part that each frame belongs to, for cross-validation.
    triangular : bool
        Keep triangular factors (for "qr" and "svd") in place of Gram matrices.
    """

    def __init__(
        self,
        design: LinearModel[Model],
        frames: Sequence[LabelledFrame],
        *,
        parts: Sequence[int] | Int64Array | None = None,
        triangular: bool = False,
    ) -> None:
        self.design = design
        self.triangular = triangular
        self.groups = {frame.group for frame in frames}
        self._reductions: _Reductions = {}
        numbers = np.zeros(len(frames), dtype=int) if parts is None else np.asarray(parts)
        begins = range(0, len(frames), _CHUNK)
        chunks = ((frames[k : k + _CHUNK], numbers[k : k + _CHUNK], triangular) for k in begins)
        pairs = 0
        with tqdm(total=len(frames), desc="fitting", unit="frame", disable=None) as bar:
            for begin, (found, own) in zip(begins, map_with(_reduced, design, chunks), strict=True):
                self._take(found)
                pairs += own
                bar.update(min(_CHUNK, len(frames) - begin))
        if pairs == 0:
            raise ValueError(f"no frame has two atoms within the cutoff of {design.cutoff:g} A")

    def _take(self, found: _Reductions) -> None:
        for key, reduction in found.items():
            if key in self._reductions:
                self._reductions[key].absorb(reduction, 1.0)
            else:
                self._reductions[key] = reduction

    def __repr__(self) -> str:
        kind = "triangular factors" if self.triangular else "Gram matrices"
        return (
            f"{type(self).__name__}({self.design.n_columns} unknowns, groups {', '.join(sorted(self.groups))}, {kind})"
        )

    def solve(
        self, loss: Loss, *, solver: Solver | None = None, without: Collection[int] = ()
    ) -> tuple[Model, Solution]:
        """The best model for these weights; takes no further look at the frames.

        Coefficients that the frames do not determine, because no two atoms of these elements come near each other or
        hardly, are zero: see `LinearModel.extrapolating`.

        Parameters
        ----------
        loss : Loss
        solver : {"cholesky", "qr", "svd"}, optional
            By default "cholesky", or "qr" if the problem is kept as triangular factors.
        without : collection of int
            Parts to leave out.

        Raises
        ------
        ValueError
            `loss` names a group that no frame has, nothing has a weight, or `solver` needs the other kind of matrix.
        numpy.linalg.LinAlgError
            The normal equations are singular in double precision.
        """
        loss.check_groups(self.groups)
        weights = {
            (part, group, quantity): 0.0 if part in without else loss.weight(group, quantity)
            for part, group, quantity in self._reductions
        }
        method = solver or ("qr" if self.triangular else "cholesky")
        penalty = self.design.penalty(loss.ridge)
        solution = solve(self._reductions, weights, penalty=penalty, solver=method)
        while np.any(more := self.design.extrapolating(solution)):
            excluded = solution.dropped | more
            solution = solve(self._reductions, weights, penalty=penalty, solver=method, excluded=excluded)
        return self.design.model(solution.coefficients), solution


@dataclass(frozen=True, eq=False, repr=False)
class LinearFit(Generic[Model]):
    """A fitted model and how well it does.

    Attributes
    ----------
    model : the family's class of models
    sets : mapping
        The frames of the sets "train" and, if given, "test".
    solution : Solution
        Condition, rank and solver.
    loss : Loss
    equations : LinearEquations
        ``equations.solve(other_loss)`` gives the model for other weights or ridge at once.
    """

    model: Model
    sets: Mapping[str, Sequence[LabelledFrame]]
    solution: Solution
    loss: Loss
    equations: LinearEquations[Model]

    def __repr__(self) -> str:
        solution, said = self.solution, self.equations.design.described(self.model)
        return (
            f"{type(self).__name__}({said}; {set_sizes(self.sets)}; {solution.solver}, condition"
            f" {solution.condition:.2g}, rank {solution.rank} of {len(solution.coefficients)})"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.report._repr_html_()}"

    @cached_property
    def report(self) -> Report:
        """Errors and parity on all sets; the frames are evaluated when it is first asked for."""
        return compare(self.equations.design.ready(self.model), self.sets)

    def save(self, path: str | Path, *, scores: bool = True) -> None:
        """Write the model and beside it ``<stem>.report.json``; all files appear at the end.

        Parameters
        ----------
        path : path
        scores : bool
            False leaves the errors out of the report, so that a model can be saved before it is tested.
        """
        summary: dict[str, Any] = {
            "solver": self.solution.solver,
            "condition": self.solution.condition if np.isfinite(self.solution.condition) else None,
            "rank": self.solution.rank,
            "loss": asdict(self.loss),
        }
        if scores:
            summary["scores"] = [asdict(score) for score in self.report.scores()]
        write_fit(path, lambda place: self.equations.design.write(place, self.model), summary)

    def plot(self, axes: Any = None) -> Any:
        """Parity plots, see `Report.plot`."""
        return self.report.plot(axes)


def fit_linear(
    design: LinearModel[Model],
    sets: Mapping[str, Sequence[LabelledFrame]],
    loss: Loss,
    *,
    solver: Solver | Literal["auto"] = "auto",
    equations: type[LinearEquations[Model]] = LinearEquations,
) -> LinearFit[Model]:
    """Fit the coefficients of a linear model by weighted linear least squares.

    Parameters
    ----------
    design : LinearModel
    sets : mapping
        Frames of "train" and, if there are any, "test"; see `checked_sets`.
    loss : Loss
        Weights and ridge.
    solver : {"auto", "cholesky", "qr", "svd"}
        "cholesky" solves the normal equations; "qr" and "svd" work on a triangular factor of the rows, slower but
        without squaring the condition number.  "auto" takes "cholesky" and repeats with "qr" where that is needed.
    equations : type
        The class of the result's equations.

    Raises
    ------
    ValueError
        An unknown solver, weights of an unknown group, or no two atoms within the cutoff.
    numpy.linalg.LinAlgError
        "cholesky" was asked for and the normal equations are singular in double precision.

    Warns
    -----
    UserWarning
        Fewer labels than coefficients, or coefficients that no training frame determines, which are zero then.  The
        warning points at whoever called the function that calls this one.
    """
    if solver not in ("auto", *get_args(Solver)):
        raise ValueError(f"solver: expected auto, {', '.join(get_args(Solver))}, got {solver}")
    train = sets["train"]
    system = equations(design, train, triangular=solver in ("qr", "svd"))
    try:
        model, solution = system.solve(loss, solver=None if solver == "auto" else solver)
        refine = solver == "auto" and solution.condition**2 > LARGEST_GRAM_CONDITION
    except np.linalg.LinAlgError:
        if solver != "auto":
            raise
        refine = True
    if refine:
        system = equations(design, train, triangular=True)
        model, solution = system.solve(loss)
    _warn_of_few(train, solution)
    if dropped := design.named(solution.dropped):
        warnings.warn(
            f"no training frame determines these coefficients, which are zero: {dropped}; atoms that never meet in the"
            " frames do not feel each other through them",
            UserWarning,
            stacklevel=3,
        )
    return LinearFit(model, sets, solution, loss, system)


def _warn_of_few(train: Sequence[LabelledFrame], solution: Solution) -> None:
    labels = sum(sum(np.size(value) for value in labels_of(frame).values()) for frame in train)
    if labels < len(solution.coefficients):
        warnings.warn(
            f"{labels} labels cannot determine {len(solution.coefficients)} coefficients: errors on the training frames"
            " will be small and those on others large; add frames",
            UserWarning,
            stacklevel=4,
        )
