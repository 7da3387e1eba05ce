"""Sums of potentials: descriptors of several kinds in one linear model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from ase import Atoms

from ..arrays import FloatArray
from ..calculator import PotentialCalculator
from ..results import checked
from .files import ENDING, read_overlay, write_overlay
from .model import OverlayModel
from .potential import OverlayPotential

__all__ = ["Overlay", "OverlayModel", "OverlayPotential", "read_overlay", "write_overlay"]


class Overlay(PotentialCalculator):
    """ASE calculator for sums of POD, SNAP and ACE models, as LAMMPS's ``pair_style hybrid/overlay`` has them.

    Parameters
    ----------
    model : path or OverlayModel
        ``X.overlay.npz``.
    **kwargs
        ``skin`` and ``num_threads``, see `PotentialCalculator`.

    Raises
    ------
    ValueError
        A malformed file; the message begins with the path.
    """

    file_endings: ClassVar[tuple[str, ...]] = (ENDING,)

    def __init__(self, model: str | Path | OverlayModel, **kwargs: Any) -> None:
        super().__init__(OverlayPotential(model if isinstance(model, OverlayModel) else read_overlay(model)), **kwargs)
        if not isinstance(model, OverlayModel):
            self.parameters["model"] = str(model)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Whether `path` is named like a sum of models."""
        return path.name.endswith(ENDING)

    @property
    def model(self) -> OverlayModel:
        """The model that is evaluated."""
        return self._sum.model

    def write(self, path: str | Path) -> None:
        """Write the model in the files that the name of `path` stands for, see `write_overlay`."""
        write_overlay(path, self.model)

    def get_descriptors(self, atoms: Atoms) -> FloatArray:
        """Descriptors of every atom, (N, K), those of the first part first."""
        with self._listed(atoms) as (neighbors, species):
            return checked("descriptors", self._sum.descriptors(neighbors, species))

    @property
    def _sum(self) -> OverlayPotential:
        return self.potential  # type: ignore[return-value]

    def _describe(self) -> str:
        kinds = " + ".join(type(part).__name__.removesuffix("Model").upper() for part in self.model.parts)
        return f"{', '.join(self.model.elements)}, {kinds}, cutoff={self.model.cutoff:.4g} A"
