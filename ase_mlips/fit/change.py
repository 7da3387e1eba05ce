"""What a potential has learned, and what it has forgotten, in a training that went on from an older one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from .dataset import LabelledFrame
from .offsets import energy_offsets
from .report import UNITS, Parity, Report
from .tables import text_table

_HEADER = "set", "group", "quantity", "count", "RMSE before", "after", "unit"


@dataclass(frozen=True, eq=False, repr=False)
class Change:
    """Errors before and after a training; `str` gives a table.

    On test frames like those of the older training, labelled as these or by the older potential itself, it says what
    has been forgotten.  The zeros of energy of old and new labels may differ, so that energies are compared set by set
    less the best constant of each element.

    Attributes
    ----------
    before, after : Report
    """

    before: Report
    after: Report

    @classmethod
    def of(cls, before: Report, after: Report, sets: Mapping[str, Sequence[LabelledFrame]]) -> Self:
        """From the errors of both potentials on these frames."""
        return cls(_without_constants(before, sets), _without_constants(after, sets))

    def __repr__(self) -> str:
        return f"Change(before {self.before!r}, after {self.after!r})"

    def __str__(self) -> str:
        pairs = zip(self.before.scores(), self.after.scores(), strict=True)
        rows = [
            [a.set, a.group, a.quantity, str(a.count), f"{a.rmse:.5g}", f"{b.rmse:.5g}", UNITS[a.quantity]]
            for a, b in pairs
        ]
        return text_table(_HEADER, rows, left=3)


def _without_constants(report: Report, sets: Mapping[str, Sequence[LabelledFrame]]) -> Report:
    """With energies less constants of each set's own, where it has enough of them."""
    parities: list[Parity] = []
    for parity in report.parities:
        alone = Report((parity,))
        offsets = energy_offsets(alone, sets) if parity.quantity == "energy" else None
        parities += (alone if offsets is None else offsets.report).parities
    return Report(tuple(parities))
