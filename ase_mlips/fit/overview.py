"""What can spoil a training, to be seen before it: near atoms, large forces, other energies, frames that dominate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..engine.neighbors import NeighborList
from ..files.records import one_line
from .dataset import LabelledFrame
from .report import Report
from .tables import html_table, text_table

_REACH = 4.0  # A; pairs that are further apart are no danger
_HEADER = ("what", "worst", "median", "unit", "frames")
_SHOWN = 3


@dataclass(frozen=True, eq=False, repr=False)
class Overview:
    """Extremes of labelled frames; `str` gives a table.

    Attributes
    ----------
    sources : tuple of str
        Where each of the F frames comes from.
    distance : (F,) array
        Of the nearest pair in A; infinite without one within 4 A.
    force : (F,) array
        Of the largest force in eV/A; nan without labels.
    energy : (F,) array
        eV/atom beyond the best constants of the elements; nan without labels.
    share : (F,) array
        Of the sum of the squares of all forces.
    """

    sources: tuple[str, ...]
    distance: FloatArray
    force: FloatArray
    energy: FloatArray
    share: FloatArray

    def __repr__(self) -> str:
        return one_line(self)

    def __str__(self) -> str:
        return text_table(_HEADER, self._rows(), left=1)

    def _repr_html_(self) -> str:
        return html_table(_HEADER, self._rows())

    def _rows(self) -> list[list[str]]:
        kinds = (
            ("nearest pair", self.distance, -self.distance, "A"),
            ("largest force", self.force, self.force, "eV/A"),
            ("energy beyond constants", self.energy, np.abs(self.energy), "eV/atom"),
            ("share of squared forces", self.share, self.share, ""),
        )
        rows = []
        for name, values, badness, unit in kinds:
            known = np.flatnonzero(np.isfinite(values))
            if not known.size:
                continue
            worst = known[np.argsort(-badness[known], kind="stable")][:_SHOWN]
            median = float(np.median(values[known]))
            frames = "; ".join(f"{self.sources[n]} ({values[n]:.3g})" for n in worst)
            rows.append([name, f"{values[worst[0]]:.4g}", f"{median:.4g}", unit, frames])
        return rows


def overview(frames: Sequence[LabelledFrame]) -> Overview:
    """Look for frames that spoil a training: other references, atoms on top of each other, forces out of proportion."""
    neighbors = NeighborList(_REACH, skin=0.0)
    elements = sorted({symbol for frame in frames for symbol in frame.atoms.get_chemical_symbols()})
    distance, force, squares = (np.full(len(frames), np.nan) for _ in range(3))
    energies, shares = np.full(len(frames), np.nan), np.zeros((len(frames), len(elements)))
    for n, frame in enumerate(frames):
        atoms = frame.atoms
        neighbors.update(atoms.positions, atoms.cell.array, atoms.pbc)
        pairs = neighbors.pairs()[3]
        distance[n] = np.sqrt(np.min(np.sum(pairs**2, axis=1), initial=np.inf))
        symbols = atoms.get_chemical_symbols()
        shares[n] = [symbols.count(element) / len(symbols) for element in elements]
        if frame.forces is not None:
            lengths = np.linalg.norm(frame.forces, axis=1)
            force[n], squares[n] = lengths.max(), lengths @ lengths
        if frame.energy is not None:
            energies[n] = frame.energy / len(symbols)
    known = np.isfinite(energies)
    if known.any():
        constants = np.linalg.lstsq(shares[known], energies[known], rcond=1e-6)[0]
        energies[known] -= shares[known] @ constants
    total = float(np.nansum(squares))
    return Overview(
        tuple(frame.source for frame in frames), distance, force, energies, squares / total if total > 0.0 else squares
    )


def dominating(report: Report, name: str = "train") -> str:
    """The frames of a set that hold most of the squared errors of each quantity, as a table."""
    rows = []
    for parity in (parity for parity in report.parities if parity.set == name):
        squares = np.bincount(parity.frames, (parity.predicted - parity.reference) ** 2)
        total = float(squares.sum())
        if total > 0.0:
            worst = np.argsort(-squares, kind="stable")[:_SHOWN]
            frames = "; ".join(f"{parity.sources[n]} ({100.0 * squares[n] / total:.1f} %)" for n in worst)
            rows.append([parity.quantity, frames])
    return text_table(("squared errors of", "frames with the largest shares"), rows, left=2)
