"""What a training of MTP minimises: MLIP's loss, or the one that all families share, as weights of squares."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from ase import units

from ..arrays import FloatArray
from ..fit.dataset import QUANTITIES, LabelledFrame
from ..fit.loss import Loss


class Squares(NamedTuple):
    """Weights of the squared residuals of one frame; zero where there is no label.

    Attributes
    ----------
    energy : float
        Of the total energy in eV.
    forces : (N,) array
        Of each component of the force on each atom in eV/A.
    virial : (3, 3) array
        Of each of the nine elements of the virial ``-volume * stress`` in eV.
    """

    energy: float
    forces: FloatArray
    virial: FloatArray


@dataclass(frozen=True)
class MlipLoss:
    """The loss of MLIP: the mean over the frames of

    ``energy dE^2 / N^p + force sum_i |dF_i|^2 / N^q + stress sum_ab dW_ab^2 / N^p``

    with the total energy E in eV, the forces F in eV/A, the virial ``W = -volume * stress`` in eV and N atoms.
    Weights that frames have themselves multiply the residuals, see `LabelledFrame`.

    Attributes
    ----------
    energy, force, stress : float
    groups : mapping of (energy, force, stress)
        Weights of the frames of a group, in place of the three above.
    weight_scaling, weight_scaling_forces : int
        p and q: 1 and 0 for frames of molecular dynamics, 0 and 0 for molecules, 2 and 1 for structures of many
        sizes that shall count alike.
    scale_by_force : float
        f in eV^2/A^2; where above 0 the weight of the force on an atom is multiplied by ``f / (|F|^2 + f)``.

    Raises
    ------
    ValueError
        A weight below 0, or a power that is not 0, 1 or 2.
    """

    energy: float = 1.0
    force: float = 0.01
    stress: float = 0.001
    groups: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    weight_scaling: int = 1
    weight_scaling_forces: int = 0
    scale_by_force: float = 0.0

    def __post_init__(self) -> None:
        self.shared()  # checks the weights
        for name in ("weight_scaling", "weight_scaling_forces"):
            if getattr(self, name) not in (0, 1, 2):
                raise ValueError(f"{name}: expected 0, 1 or 2, got {getattr(self, name)}")
        if not 0.0 <= self.scale_by_force < np.inf:
            raise ValueError(f"scale_by_force: expected at least 0, got {self.scale_by_force}")

    def shared(self) -> Loss:
        """The same weights in the class of all families, for its checks."""
        return Loss(energy=self.energy, force=self.force, stress=self.stress, groups=self.groups)

    def check_groups(self, groups: Collection[str]) -> None:
        """See `Loss.check_groups`."""
        self.shared().check_groups(groups)


def squares(loss: Loss | MlipLoss, frame: LabelledFrame) -> Squares:
    """Weights of the squares of one frame."""
    N = len(frame.atoms)
    energy, force, stress = (_relative(loss, frame, quantity) for quantity in QUANTITIES)
    forces = np.full(N, force)
    if isinstance(loss, MlipLoss):
        scale = float(N) ** -loss.weight_scaling
        energy, virial = energy * scale, np.full((3, 3), stress * scale)
        forces *= float(N) ** -loss.weight_scaling_forces
        if loss.scale_by_force > 0.0 and frame.forces is not None:
            forces *= loss.scale_by_force / (np.sum(frame.forces**2, axis=1) + loss.scale_by_force)
    else:
        energy /= N**2
        per_pascal = (frame.atoms.get_volume() * units.GPa) ** -2 if frame.stress is not None else 0.0
        virial = stress * per_pascal * np.where(np.eye(3) > 0.0, 1.0, 0.5)  # six components, not nine
    return Squares(
        energy if frame.energy is not None else 0.0,
        forces if frame.forces is not None else np.zeros(N),
        virial if frame.stress is not None else np.zeros((3, 3)),
    )


def _relative(loss: Loss | MlipLoss, frame: LabelledFrame, quantity: str) -> float:
    """Weight of a square, that of the frame included."""
    if isinstance(loss, MlipLoss):
        return loss.shared().weight(frame.group, quantity) * frame.relative_weight(quantity) ** 2
    return loss.of(frame, quantity) ** 2
