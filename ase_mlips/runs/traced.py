"""Results of checks that say which potential they are of."""

from __future__ import annotations

import json
from typing import Any

from ase.calculators.calculator import BaseCalculator

from ase_mlips.analysis.tables import Tabulated

from .provenance import provenance_of


class Traced(Tabulated):
    """Base of results with a field `origin`, `provenance_of` the calculator as JSON."""

    origin: str

    @property
    def provenance(self) -> dict[str, Any]:
        """Model with the SHA-256 of its files, versions and command."""
        found: dict[str, Any] = json.loads(self.origin)
        return found


def origin_of(calc: BaseCalculator) -> str:
    """What the field `origin` of a result is to be."""
    return json.dumps(provenance_of(calc))
