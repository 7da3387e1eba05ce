"""Types of arrays, for annotations, and the arrays of several frames as one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]  # of kernels: numbers of atoms, species and places
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class Parts(Sequence[FloatArray]):
    """One array of the atoms of several frames, as the sequence of those of each.

    Parameters
    ----------
    array : (N, 3) array
    edges : sequence of int
        Where each frame begins, and N.
    """

    def __init__(self, array: FloatArray, edges: Sequence[int]) -> None:
        self.array, self._edges = array, edges

    def __len__(self) -> int:
        return len(self._edges) - 1

    def __getitem__(self, number: Any) -> Any:
        place = range(len(self))[number]
        return self.array[self._edges[place] : self._edges[place + 1]]


def whole(parts: Sequence[FloatArray]) -> FloatArray:
    """All of it as one array, without a copy where it is one."""
    return parts.array if isinstance(parts, Parts) else np.concatenate(parts)
