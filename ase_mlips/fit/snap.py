"""Fitting the coefficients of a linear or quadratic SNAP to energies, forces and stresses.

The energy is linear in the coefficients (A. P. Thompson et al., J. Comput. Phys. 285, 316 (2015), eqs. 15-20;
M. A. Wood and A. P. Thompson, J. Chem. Phys. 148, 241721 (2018), eq. 7 for the quadratic terms), hence so are forces
and stress, and the best coefficients solve one linear least-squares problem.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..files.signals import SignalsLater
from ..snap.files import write_snap
from ..snap.model import SnapModel
from ..snap.potential import SnapPotential
from .dataset import QUANTITIES, Frame, require_frames, species_of
from .design import SnapDesign
from .linear import LARGEST_GRAM_CONDITION, Reduction, Solution, Solver, solve
from .report import Report, compare, labels_of, write_json

MOST_SHOWN = 6  # numbers of coefficients of one element in a warning


@dataclass(frozen=True)
class Loss:
    """What a fit minimises: ``sum_rows (weight * residual)^2`` plus the ridge.

    Attributes
    ----------
    energy, force, stress : float
        Weight of each residual in eV/atom, eV/A and GPa.  (FitSNAP's ``vweight`` is per bar: 1e4 times smaller.)
    groups : mapping of (energy, force, stress)
        Weights of the frames of a group, in place of the three above.
    ridge : float
        Adds ``ridge * |A_k|^2 c_k^2`` for every coefficient but the constants, where ``|A_k|`` is the length of the
        weighted column: a number without unit, for example 1e-10.
    """

    energy: float = 100.0
    force: float = 1.0
    stress: float = 0.1
    groups: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    ridge: float = 0.0

    def __post_init__(self) -> None:
        for name, weights in {"*": (self.energy, self.force, self.stress), **self.groups}.items():
            if len(weights) != 3 or not all(np.isfinite(w) and w >= 0.0 for w in weights):
                raise ValueError(f"weights of {name}: expected three numbers of at least 0, got {weights}")
        if not (np.isfinite(self.ridge) and self.ridge >= 0.0):
            raise ValueError(f"ridge: expected at least 0, got {self.ridge}")

    def weight(self, group: str, quantity: str) -> float:
        """Weight of one quantity ("energy", "force" or "stress") in one group."""
        weights = self.groups.get(group, (self.energy, self.force, self.stress))
        return weights[QUANTITIES.index(quantity)]

    def check_groups(self, groups: Collection[str]) -> None:
        """ValueError if there are weights for a group that is not among `groups`, or all weights of these are zero."""
        unknown = sorted(set(self.groups) - set(groups))
        if unknown:
            raise ValueError(f"no frames of group {', '.join(unknown)}; there are {', '.join(sorted(groups))}")
        if not any(self.weight(group, quantity) for group in groups for quantity in QUANTITIES):
            raise ValueError("weights: expected at least one above 0, else there is nothing to fit")

    def with_force_ratio(self, ratio: float) -> Loss:
        """The same with every force weight set to `ratio` times the energy weight."""
        groups = {name: (energy, ratio * energy, stress) for name, (energy, _, stress) in self.groups.items()}
        return replace(self, force=ratio * self.energy, groups=groups)


class SnapEquations:
    """The least-squares problem of a set of frames, reduced so that it can be solved again for any weights.

    Memory is at most ``8 n^2`` bytes for each group of frames and quantity (n coefficients), however many frames.

    Parameters
    ----------
    design : SnapDesign
    frames : sequence of Frame
    parts : (F,) int, optional
        Number of the part that each frame belongs to, for cross-validation.
    triangular : bool
        Keep triangular factors (for "qr" and "svd") in place of Gram matrices.
    """

    def __init__(
        self,
        design: SnapDesign,
        frames: Sequence[Frame],
        *,
        parts: Sequence[int] | NDArray[np.int64] | None = None,
        triangular: bool = False,
    ) -> None:
        self.design = design
        self.triangular = triangular
        self.groups = {frame.group for frame in frames}
        self._reductions: dict[tuple[int, str, str], Reduction] = {}
        numbers = np.zeros(len(frames), dtype=int) if parts is None else parts
        for frame, part in zip(tqdm(frames, desc="fitting", unit="frame", disable=None), numbers, strict=True):
            for quantity, rows in design.rows(frame).items():
                key = (int(part), frame.group, quantity)
                if key not in self._reductions:
                    self._reductions[key] = Reduction(design.n_columns + 1, triangular)
                self._reductions[key].add(rows)
        if design.pairs == 0:
            raise ValueError(f"no frame has two atoms within the cutoff of {design.potential.cutoff:g} A")

    def __repr__(self) -> str:
        kind = "triangular factors" if self.triangular else "Gram matrices"
        return f"SnapEquations({self.design.n_columns} unknowns, groups {', '.join(sorted(self.groups))}, {kind})"

    def solve(
        self, loss: Loss, *, solver: Solver | None = None, without: Collection[int] = ()
    ) -> tuple[SnapModel, Solution]:
        """The best model for these weights; takes no further look at the frames.

        Coefficients that the frames do not determine, because no two atoms of these elements come near each other or
        hardly, are zero: see `SnapDesign.extrapolating`.

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
class SnapFit:
    """A fitted model and how well it does.

    Attributes
    ----------
    model : SnapModel
    sets : mapping
        The frames of the sets "train" and, if given, "test".
    solution : Solution
        Condition, rank and solver.
    loss : Loss
    equations : SnapEquations
        ``equations.solve(other_loss)`` gives the model for other weights or ridge at once.
    """

    model: SnapModel
    sets: Mapping[str, Sequence[Frame]]
    solution: Solution
    loss: Loss
    equations: SnapEquations

    def __repr__(self) -> str:
        solution = self.solution
        return (
            f"SnapFit({described(self.model)}; {set_sizes(self.sets)}; {solution.solver}, condition"
            f" {solution.condition:.2g}, rank {solution.rank} of {len(solution.coefficients)})"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.report._repr_html_()}"

    @cached_property
    def report(self) -> Report:
        """Errors and parity on all sets; the frames are evaluated when it is first asked for."""
        return compare(SnapPotential(self.model), self.sets)

    def save(self, path: str | Path, *, scores: bool = True) -> None:
        """Write the model as `write_snap` does and beside it ``<stem>.report.json``; all files appear at the end.

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
        write_fit(path, self.model, summary)

    def plot(self, axes: Any = None) -> Any:
        """Parity plots, see `Report.plot`."""
        return self.report.plot(axes)


def write_fit(path: str | Path, model: SnapModel, summary: Mapping[str, Any]) -> None:
    """Write a model as `write_snap` does and beside it ``<stem>.report.json``; all files appear at the end."""
    path = Path(path)
    with TemporaryDirectory(dir=path.parent, prefix=".fit-") as folder:
        write_snap(Path(folder) / path.name, model)
        write_json(Path(folder) / f"{path.stem}.report.json", summary)
        with SignalsLater():
            for file in sorted(Path(folder).iterdir()):
                file.replace(path.parent / file.name)


def described(model: SnapModel) -> str:
    """Elements, order and cutoff of a model."""
    kind = f", network {'x'.join(map(str, model.network.sizes[1:-1]))}" if model.network is not None else ""
    kind += ", quadratic" if model.quadraticflag else ""
    cutoff = 2.0 * model.rcutfac * float(model.radii.max())
    return f"{' '.join(model.elements)}, twojmax {model.twojmax}{kind}, cutoff {cutoff:g} A"


def set_sizes(sets: Mapping[str, Sequence[Frame]]) -> str:
    """Such as "90 train and 10 test frames"."""
    return f"{' and '.join(f'{len(frames)} {name}' for name, frames in sets.items())} frames"


def fit_snap(
    template: SnapModel,
    train: Sequence[Frame],
    *,
    test: Sequence[Frame] = (),
    loss: Loss | None = None,
    atomic_energies: Mapping[str, float] | None = None,
    solver: Solver | Literal["auto"] = "auto",
) -> SnapFit:
    """Fit the coefficients of a SNAP model by weighted linear least squares.

    Parameters
    ----------
    template : SnapModel
        Everything but the coefficients, which are ignored.  Its ZBL repulsion is kept and not fitted.
    train, test : sequence of Frame
        From `read_frames`; errors on `test` are reported.
    loss : Loss, optional
        Weights and ridge.
    atomic_energies : mapping, optional
        Energy of each isolated atom in eV; the model then has exactly these.  By default one constant per element is
        fitted, with either value of ``bzeroflag``.
    solver : {"auto", "cholesky", "qr", "svd"}
        "cholesky" solves the normal equations; "qr" and "svd" work on a triangular factor of the rows, slower but
        without squaring the condition number.  "auto" takes "cholesky" and repeats with "qr" where that is needed.

    Raises
    ------
    ValueError
        No frames, an element that the template lacks, a missing atomic energy, weights of an unknown group or an
        unknown solver; found before the frames are described.
    numpy.linalg.LinAlgError
        "cholesky" was asked for and the normal equations are singular in double precision.

    Warns
    -----
    UserWarning
        Fewer labels than coefficients; coefficients that no training frame determines, which are zero then, or no
        energy at all.

    Examples
    --------
    Fitted to its own energies and forces, a model is found again:

    >>> from ase.build import bulk
    >>> from ase.calculators.singlepoint import SinglePointCalculator
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.fit import fit_snap, read_frames
    >>> calc, labelled = SNAP.embedded("Si"), []
    >>> for seed in range(4):
    ...     atoms = bulk("Si", cubic=True)
    ...     atoms.rattle(0.2, seed=seed)
    ...     labels = {"energy": calc.get_potential_energy(atoms), "forces": calc.get_forces(atoms)}
    ...     atoms.calc = SinglePointCalculator(atoms, **labels)
    ...     labelled.append(atoms)
    >>> fit = fit_snap(calc.model, read_frames(labelled))
    >>> bool(abs(SNAP(fit.model).get_forces(atoms) - atoms.get_forces()).max() < 1e-5)
    True
    """
    require_frames("train", train)
    require_frames("test", test)
    if not train:
        raise ValueError("no training frames")
    if solver not in ("auto", *get_args(Solver)):
        raise ValueError(f"solver: expected auto, {', '.join(get_args(Solver))}, got {solver}")
    loss = loss or Loss()
    loss.check_groups({frame.group for frame in train})
    for frame in (*train, *test):
        species_of(frame, template.elements)
    design = SnapDesign(template, train, atomic_energies)
    equations = SnapEquations(design, train, triangular=solver in ("qr", "svd"))
    try:
        model, solution = equations.solve(loss, solver=None if solver == "auto" else solver)
        refine = solver == "auto" and solution.condition**2 > LARGEST_GRAM_CONDITION
    except np.linalg.LinAlgError:
        if solver != "auto":
            raise
        refine = True
    if refine:
        equations = SnapEquations(design, train, triangular=True)
        model, solution = equations.solve(loss)
    labels = sum(sum(np.size(value) for value in labels_of(frame).values()) for frame in train)
    if labels < len(solution.coefficients):
        warnings.warn(
            f"{labels} labels cannot determine {len(solution.coefficients)} coefficients: errors on the training frames"
            " will be small and those on others large; add frames",
            UserWarning,
            stacklevel=2,
        )
    _warn_of_dropped(design, solution)
    return SnapFit(model, {"train": train} | ({"test": test} if test else {}), solution, loss, equations)


def _warn_of_dropped(design: SnapDesign, solution: Solution) -> None:
    """Name the coefficients that are zero because no training frame determines them."""
    if not (found := design.coefficient_numbers(solution.dropped)):
        return
    total = len(design.source)
    said = [f"{element} {_shown(numbers, total)}" for element, numbers in found.items()]
    warnings.warn(
        f"no training frame determines these coefficients, which are zero: {'; '.join(said)} (0 is the constant); atoms"
        " that never meet in the frames do not feel each other through them",
        UserWarning,
        stacklevel=3,
    )


def _shown(numbers: NDArray[np.int64], total: int) -> str:
    if len(numbers) == total:
        return "all"
    more = f" and {len(numbers) - MOST_SHOWN} more" if len(numbers) > MOST_SHOWN else ""
    return ", ".join(map(str, numbers[:MOST_SHOWN])) + more
