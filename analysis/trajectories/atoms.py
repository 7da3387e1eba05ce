"""Which atoms are meant: all of them, a species, indices or a mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ase_mlips.arrays import Int64Array


def selected_atoms(atoms: str | ArrayLike | None, symbols: Sequence[str], *, name: str) -> Int64Array:
    """Sorted indices of the selected atoms, each once.

    Parameters
    ----------
    atoms : symbol, (n,) array of int, (N,) array of bool or None
        A species, indices (negative ones count from the end), a mask, or all atoms.
    symbols : sequence of N str
        The species of each atom.
    name : str
        What messages call the selection.

    Returns
    -------
    (n,) array of int64

    Raises
    ------
    ValueError
        When the species does not occur, the selection is empty, or for what `listed_atoms` says.
    """
    if atoms is None:
        return np.arange(len(symbols), dtype=np.int64)
    if isinstance(atoms, str):
        if atoms not in symbols:
            raise ValueError(f"{name}: there is no {atoms} among {', '.join(sorted(set(symbols)))}")
        atoms = np.array(symbols) == atoms
    chosen = np.unique(listed_atoms(atoms, len(symbols), name=name))
    if len(chosen) == 0:
        raise ValueError(f"{name}: expected at least one atom, the selection is empty")
    return chosen


def listed_atoms(atoms: ArrayLike, count: int, *, name: str) -> Int64Array:
    """Indices from 0 of some of `count` atoms, in the order and as often as given, perhaps none, (n,) int64.

    Raises
    ------
    ValueError
        When `atoms` is no list of indices and no mask, the mask is not of length `count`, or an index is out of range.
    """
    expected = f"{name}: expected indices of atoms or a mask of {count} atoms"
    try:
        chosen = np.asarray(atoms)
    except ValueError as error:
        raise ValueError(f"{expected}, got rows of unequal length") from error
    if chosen.shape == (0,):  # of floats, if it was an empty list
        return np.empty(0, dtype=np.int64)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iub":
        raise ValueError(f"{expected}, got {chosen.dtype} of shape {chosen.shape}")
    if chosen.dtype.kind == "b":
        if len(chosen) != count:
            raise ValueError(f"{name}: expected a mask of {count} atoms, got one of {len(chosen)}")
    elif not -count <= chosen.min() <= chosen.max() < count:
        least, most = chosen.min(), chosen.max()
        raise ValueError(f"{name}: expected indices from {-count} to {count - 1}, got {least} to {most}")
    found: Int64Array = np.arange(count, dtype=np.int64)[chosen]
    return found
