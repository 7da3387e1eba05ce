"""What a neighbour list would take, before it is made."""

from __future__ import annotations

import numpy as np
from ase.geometry import complete_cell

from ase_mlips.arrays import BoolArray, FloatArray

_BYTES = 8  # per neighbour
_LARGEST = 2e9  # bytes


def expected_neighbors(atoms: int, cell: FloatArray, pbc: BoolArray, cutoff: float) -> float:
    """About how many neighbours one of `atoms` atoms has: all images that reach, or the density times the sphere."""
    periodic = pbc & np.any(cell != 0.0, axis=1)
    full = complete_cell(cell)
    heights = 1.0 / np.linalg.norm(np.linalg.inv(full), axis=0)
    images = atoms * float(np.prod(np.where(periodic, 2.0 * cutoff / heights + 1.0, 1.0)))
    if not periodic.all():
        return images
    return min(images, atoms * 4.0 / 3.0 * np.pi * cutoff**3 / abs(float(np.linalg.det(full))))


def require_memory(atoms: int, cell: FloatArray, pbc: BoolArray, cutoff: float, name: str) -> None:
    """Raise ValueError when the neighbours within `cutoff`, the argument `name`, take more than 2 GB."""
    neighbors = expected_neighbors(atoms, cell, pbc, cutoff)
    if neighbors * atoms * _BYTES > _LARGEST:
        raise ValueError(
            f"expected a smaller {name}: within {cutoff:g} A each of {atoms} atoms has about {neighbors:.2g}"
            f" neighbours, which together take {1e-9 * neighbors * atoms * _BYTES:.2g} GB"
        )
