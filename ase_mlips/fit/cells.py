"""Frames whose boundaries other programs take for what they are not."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from ..arrays import FloatArray
from .dataset import LabelledFrame


def warn_of_cells(frames: Sequence[LabelledFrame], cutoff: float) -> None:
    """Say how many frames the original trainers of a family take differently, or in which atoms meet their own images.

    GPUMD's and MLIP's trainers repeat every cell in all directions, whatever ``pbc`` says; here each direction is
    periodic or not as ``pbc`` has it.  This concerns a family whose models are trained or used with those, too.

    Parameters
    ----------
    frames : sequence of LabelledFrame
    cutoff : float
        In A.

    Warns
    -----
    UserWarning
        Once for all frames: with a lattice, but not periodic in all directions, or with a cell that is thinner than
        twice the cutoff.
    """
    isolated = thin = 0
    for frame in frames:
        if frame.atoms.cell.rank == 3:
            isolated += not frame.atoms.pbc.all()
            thin += _thickness(frame.atoms.cell.array) < 2.0 * cutoff
    found = []
    if isolated:
        found.append(
            f"{isolated} have a lattice but are not periodic in all directions (pbc), while GPUMD's and MLIP's trainers"
            " repeat every cell"
        )
    if thin:
        found.append(
            f"{thin} have a cell thinner than twice the cutoff of {cutoff:g} A, so that atoms meet their images"
        )
    if found:
        warnings.warn(f"of {len(frames)} frames {'; '.join(found)}", UserWarning, stacklevel=3)


def _thickness(cell: FloatArray) -> float:
    """Least distance in A between opposite faces of a cell."""
    return float(np.min(1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)))
