"""The loss that fits minimise: weights of energies, forces and stresses."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from .dataset import QUANTITIES, LabelledFrame


@dataclass(frozen=True)
class Loss:
    """What a fit minimises: ``sum_rows (weight * residual)^2`` plus the ridge.

    Weights that frames have themselves multiply these, see `LabelledFrame`.

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

    def of(self, frame: LabelledFrame, quantity: str) -> float:
        """Weight of one quantity in one frame, which may have weights of its own."""
        return self.weight(frame.group, quantity) * frame.relative_weight(quantity)

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
