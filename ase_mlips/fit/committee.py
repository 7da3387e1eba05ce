"""Several models of one potential: how far they differ says how far they can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from ..arrays import FloatArray
from ..grades.grade import Grade
from ..runs.executors import map_with
from .dataset import LabelledFrame
from .problem import TrainingProblem
from .protocols import Model
from .report import UNITS, Report
from .tables import text_table
from .trained import TrainedFit, train
from .training import Schedule

_All = TypeVar("_All")


class Committee(Calculator):  # type: ignore[misc]
    """The mean of several calculators, and their standard deviations.

    Parameters
    ----------
    members : sequence of ase.calculators.calculator.Calculator
        Two or more, for example ``[SNAP(fit.model) for fit in fits]``.

    Raises
    ------
    ValueError
        There are fewer than two members, or one is no calculator.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, members: Sequence[Calculator], **kwargs: Any) -> None:
        if len(members) < 2:
            raise ValueError(f"members: expected two or more, got {len(members)}")
        if other := [member for member in members if not hasattr(member, "get_property")]:
            raise ValueError(f"members: expected ASE calculators, got {other[0]!r}")
        self.members = tuple(members)
        self._deviations: dict[str, Any] = {}
        super().__init__(**kwargs)

    def __repr__(self) -> str:
        return f"Committee({len(self.members)} members, {self.members[0]!r} and others)"

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Evaluate every member; stress only where the cell has three vectors."""
        super().calculate(atoms, properties, system_changes)
        names = ["energy", "forces"] + (["stress"] if self.atoms.cell.rank == 3 else [])
        found = {name: np.array([member.get_property(name, self.atoms) for member in self.members]) for name in names}
        self.results = {name: values.mean(axis=0) for name, values in found.items()}
        self.results["energy"] = self.results["free_energy"] = float(self.results["energy"])
        self._deviations = {name: values.std(axis=0, ddof=1) for name, values in found.items()}

    def renew_neighbors(self) -> None:
        """Let every member that is one of ours build its neighbour list anew in the next force call."""
        for member in self.members:
            if renew := getattr(member, "renew_neighbors", None):
                renew()

    def get_energy_deviation(self, atoms: Atoms) -> float:
        """Standard deviation of the members' energies, in eV."""
        self.get_property("energy", atoms)
        return float(self._deviations["energy"])

    def get_force_deviations(self, atoms: Atoms) -> FloatArray:
        """Standard deviations (N, 3) of the members' forces, component by component, in eV/A."""
        self.get_property("forces", atoms)
        deviations: FloatArray = self._deviations["forces"].copy()
        return deviations

    def get_extrapolation_grade(self, atoms: Atoms) -> Grade:
        """Standard deviation of the force on each atom, and of the structure the largest, in eV/A.

        It stands where potentials that have an active set give their grade, which has no unit.
        """
        deviations = np.linalg.norm(self.get_force_deviations(atoms), axis=1)
        return Grade(float(deviations.max(initial=0.0)), deviations)


@dataclass(frozen=True)
class Deviation:
    """How far the members of a committee differ in one quantity over the frames of a set, in `report.UNITS`.

    Attributes
    ----------
    set, quantity : str
    count : int
        Of energies or components.
    deviation, largest : float
        Root mean square and maximum of the members' standard deviation.
    rmse : float
        Of the members' mean.
    members_rmse : tuple of float
        Of each member.
    worst : str
        Source of the frame with the largest standard deviation.
    """

    set: str
    quantity: str
    count: int
    deviation: float
    largest: float
    rmse: float
    members_rmse: tuple[float, ...]
    worst: str


def deviations(reports: Sequence[Report]) -> list[Deviation]:
    """Compare the reports of several members on the same frames.

    Raises
    ------
    ValueError
        There are fewer than two, or they are of other frames.
    """
    if len(reports) < 2:
        raise ValueError(f"reports: expected two or more, got {len(reports)}")
    found = []
    for parity in reports[0].parities:
        own = [report.parity(parity.set, parity.quantity) for report in reports]
        if any(list(other.sources) != list(parity.sources) for other in own):
            raise ValueError(f"reports: expected those of the same {parity.set} frames")
        predicted = np.stack([other.predicted for other in own])
        spread = predicted.std(axis=0, ddof=1)
        missed = np.array([predicted.mean(axis=0), *predicted]) - parity.reference
        rmse = np.sqrt(np.mean(missed**2, axis=1)).tolist()
        worst = parity.sources[int(parity.frames[int(np.argmax(spread))])]
        found.append(
            Deviation(
                parity.set,
                parity.quantity,
                len(spread),
                float(np.sqrt(np.mean(spread**2))),
                float(spread.max()),
                rmse[0],
                tuple(rmse[1:]),
                worst,
            )
        )
    return found


def deviation_table(rows: Sequence[Deviation]) -> str:
    """The same as text."""
    header = ("set", "quantity", "count", "deviation", "largest", "RMSE of mean", "of members", "unit", "worst frame")
    lines = []
    for row in rows:
        numbers = [f"{value:.4g}" for value in (row.deviation, row.largest, row.rmse)]
        members = f"{min(row.members_rmse):.4g} to {max(row.members_rmse):.4g}"
        lines.append([row.set, row.quantity, str(row.count), *numbers, members, UNITS[row.quantity], row.worst])
    return text_table(header, lines, left=2)


def deviation_summary(rows: Sequence[Deviation], members: Sequence[str]) -> dict[str, Any]:
    """What a file on the deviations holds; `members` are the names of the models."""
    return {"members": list(members), "units": UNITS, "deviations": [asdict(row) for row in rows]}


class Ended(Protocol):
    """A fit that says whether Ctrl-C ended it."""

    @property
    def interrupted(self) -> bool: ...


_Fit = TypeVar("_Fit", bound=Ended)


def train_members(
    problem: TrainingProblem[Model], members: int, first: Schedule, *, test: Sequence[LabelledFrame] = ()
) -> list[TrainedFit[Model]]:
    """Train several models that differ in their seeds, which count upwards from that of `first`.

    A checkpoint gets the number of the member before its ending.  Otherwise as `each_member`.

    Raises
    ------
    ValueError
        From `train`.
    """
    return each_member(_trained, (problem, first, test), members)


def _trained(
    of_all: tuple[TrainingProblem[Model], Schedule, Sequence[LabelledFrame]], number: int
) -> TrainedFit[Model]:
    problem, first, test = of_all
    path = Path(first.checkpoint) if first.checkpoint else None
    own = path.with_name(f"{path.stem}.{number}{path.suffix}") if path else None
    return train(problem, replace(first, seed=first.seed + number, checkpoint=own), test=test)


def each_member(trained: Callable[[_All, int], _Fit], of_all: _All, members: int) -> list[_Fit]:
    """Fits ``trained(of_all, number)`` of the members, within `on_executor` in parallel.

    Ctrl-C ends the member that is being trained and the list.
    """
    found = map_with(trained, of_all, range(members))
    fits: list[_Fit] = []
    while len(fits) < members and not (fits and fits[-1].interrupted):
        try:
            fits.append(next(found))
        except KeyboardInterrupt:
            if not fits:
                raise
            break
    return fits
