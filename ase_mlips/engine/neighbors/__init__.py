"""The Verlet neighbour list: any cell, any pbc, built in linear time by one compiled pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...arrays import BoolArray, FloatArray, Int64Array, IntArray
from .kernels import build, refresh
from .kernels_pairs import select_pairs
from .layout import (
    ATOMS,
    BASIS,
    CELL,
    CENTERS,
    CODES,
    DUMMY,
    ERRORS,
    GROW,
    HEADER,
    LARGEST,
    LIMIT2,
    NEED,
    NEED_PAIRS,
    PBC,
    REACH,
    ROWS,
    SHIFTS,
    START,
    WRAPPED,
)

__all__ = ["NeighborList"]


class NeighborList:
    """All pairs of atoms within a cutoff plus a skin, kept until an atom has moved by half the skin.

    Parameters
    ----------
    cutoff : float
        A; positive.
    skin : float
        A; not negative.

    Attributes
    ----------
    n, centers : int
        Number of atoms, N, and how many of them, from the first on, have their neighbours listed.
    positions : (N + 1, 4) array
        Positions in A, moved by lattice vectors to be near each other, and a column of zeros.  Row N is a dummy atom
        far from all others.  Until the next rebuild an atom keeps its lattice vector.
    shifts : (images, 4) array
        Lattice vectors in A and a column of zeros.
    start : (N + 1,) int64 array
        The neighbours of atom i are the entries ``start[i] .. start[i + 1] - 1`` of `idx` and `code`; the vector to one
        is ``positions[idx] + shifts[code] - positions[i]``.  Both directions of a pair are listed.
    idx, code : (M,) int32 arrays
        The neighbour and its image.  Each atom's part is padded to a multiple of eight with ``idx = N``.

    Raises
    ------
    ValueError
        For a cutoff or skin out of range.

    Notes
    -----
    The arrays are views of buffers that the next update overwrites.
    """

    n: int
    centers: int
    positions: FloatArray
    shifts: FloatArray
    start: Int64Array
    idx: IntArray
    code: IntArray
    _longest: int

    def __init__(self, cutoff: float, skin: float = 1.0) -> None:
        if not 0.0 < cutoff <= LARGEST:
            raise ValueError(f"cutoff must be positive and finite, got {cutoff}")
        if not 0.0 <= skin <= LARGEST:
            raise ValueError(f"skin must be finite and not negative, got {skin}")
        self.cutoff = float(cutoff)
        self.skin = float(skin)
        rows = 8
        self._memory = np.zeros(HEADER + (SHIFTS + 1) * rows)
        self._memory[[LIMIT2, REACH]] = (0.5 * skin) ** 2, self.cutoff + self.skin
        self._memory[[ATOMS, ROWS, CODES]] = -1.0, rows, 1.0
        self._pairs = np.empty((2, 0), np.int32)
        self._layout = (-1, 0, 0)
        self._expose(0, 0)
        self.positions[0, :3] = DUMMY
        self._complete = True

    def update(self, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, centers: int | None = None) -> bool:
        """Make the list valid for these positions.

        Parameters
        ----------
        positions : (N, 3) array
            A; anywhere, also outside the cell.
        cell : (3, 3) array
            Rows are the cell vectors in A.  A periodic axis whose vector is zero is taken as not periodic.
        pbc : (3,) bool array
            Which axes are periodic.
        centers : int, optional
            List the neighbours of so many atoms, from the first on, by default of all.  The others are neighbours only,
            like the ghosts of a domain, and have no row.

        Returns
        -------
        True if the list was built anew: N, cell, pbc or `centers` differ from those of the last build, or an atom has
        moved by more than half the skin since then.  Otherwise only `positions` has changed.

        Raises
        ------
        ValueError
            For wrong shapes, values that are not finite, periodic cell vectors that are linearly dependent, and a cell
            hundreds of times smaller than the cutoff.  The list then has no valid content until the next update.
        """
        points, vectors, periodic = (_plain(positions, "d"), _plain(cell, "d"), _plain(pbc, "?"))
        if points.ndim != 2 or points.shape[1] != 3 or vectors.shape != (3, 3) or periodic.shape != (3,):
            shapes = f"{points.shape}, {vectors.shape}, {periodic.shape}"
            raise ValueError(f"positions, cell, pbc must have shapes (N, 3), (3, 3), (3,), got {shapes}")
        central = len(points) if centers is None else centers
        if self._complete and refresh(points, vectors, periodic, central, self._memory):
            return False
        if not 0 <= central <= len(points):
            raise ValueError(f"centers: expected 0 to {len(points)} atoms, got {centers}")
        if not self._complete:
            self._layout = (-1, 0, 0)
        self._complete = False  # until the public arrays show what the buffers hold: a signal may raise in between
        while (entries := build(points, vectors, periodic, central, self._memory, self._pairs)) == GROW:
            self._grow()
        if entries < 0:
            raise ValueError(ERRORS[entries])
        self._expose(len(points), entries)
        self._complete = True
        return True

    def invalidate(self) -> None:
        """Let the next update build the list anew, so that it depends on nothing that went before."""
        self._complete = False

    @property
    def cell(self) -> FloatArray:
        """Cell vectors (3, 3) of the last update, in A."""
        return self._memory[CELL : CELL + 9].reshape(3, 3).copy()

    @property
    def reduced_cell(self) -> FloatArray:
        """Short vectors (3, 3) of the same lattice in A, zeros for axes that are not periodic."""
        return self._memory[BASIS : BASIS + 9].reshape(3, 3).copy()

    @property
    def pbc(self) -> BoolArray:
        """Which axes were periodic in the last update, (3,)."""
        periodic: BoolArray = self._memory[PBC : PBC + 3] != 0.0
        return periodic

    def pairs(self) -> tuple[Int64Array, Int64Array, Int64Array, FloatArray]:
        """The pairs that are nearer than `cutoff`, without the skin.

        Returns
        -------
        i, j : (P,) int64 arrays
            Sorted by i.
        S : (P, 3) int64 array
            Cell vectors between the images, for the positions as they were given to `update`.
        D : (P, 3) array
            ``positions[j] - positions[i] + S @ cell`` in A.
        """
        nothing = np.empty(0, np.int64), np.empty((0, 3))
        count = select_pairs(self._memory, self._pairs, self.cutoff, *nothing)
        numbers, D = np.empty(5 * count, np.int64), np.empty((count, 3))
        select_pairs(self._memory, self._pairs, self.cutoff, numbers, D)
        return numbers[:count], numbers[count : 2 * count], numbers[2 * count :].reshape(count, 3), D

    def _grow(self) -> None:
        need, need_pairs = int(self._memory[NEED]), int(self._memory[NEED_PAIRS])
        if need > self._memory.size:
            buffer = np.empty(need + need // 8 + 8)
            aligned = buffer[-(buffer.ctypes.data // 8) % 8 :]  # to cache lines: rows of four never straddle two
            aligned[:HEADER] = self._memory[:HEADER]
            self._memory = aligned
            self._layout = (-1, 0, 0)
        if need_pairs > self._pairs.shape[1]:
            self._pairs = np.empty((2, need_pairs), np.int32)

    @property
    def longest(self) -> int:
        """Entries of the atom that has most, padding included."""
        if self._longest < 0:
            self._longest = int(np.max(self.start[1:] - self.start[:-1], initial=0))
        return self._longest

    @property
    def buffers(self) -> tuple[FloatArray, IntArray]:
        """What all the arrays are views of, for kernels: see `kernels_pairs.pointers`."""
        return self._memory, self._pairs

    def _expose(self, n: int, entries: int) -> None:
        """Point the public arrays to the results in the buffers."""
        self._longest = -1
        memory = self._memory
        layout = (n, int(memory[CENTERS]), int(memory[CODES]))
        if layout != self._layout:
            self.n, self.centers, images = self._layout = layout
            rows = int(memory[ROWS])
            wrapped, start, shifts = (HEADER + WRAPPED * rows, HEADER + START * rows, HEADER + SHIFTS * rows)
            self.positions = memory[wrapped : wrapped + 4 * (n + 1)].reshape(n + 1, 4)
            self.start = memory[start : start + n + 1].view(np.int64)
            self.shifts = memory[shifts : shifts + 4 * images].reshape(images, 4)
        self.idx, self.code = self._pairs[0, :entries], self._pairs[1, :entries]

    def __getstate__(self) -> dict[str, Any]:
        names = ("cutoff", "skin", "_memory", "_pairs", "_complete")
        return {name: getattr(self, name) for name in names} | {"sizes": (self.n, len(self.idx))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        sizes = state.pop("sizes")
        self.__dict__.update(state)
        self._layout = (-1, 0, 0)
        self._expose(*sizes)  # views of the new buffers


def _plain(values: ArrayLike, kind: str) -> NDArray[Any]:
    """Values as an array for which kernels are compiled: contiguous, aligned and writeable."""
    if type(values) is np.ndarray and values.dtype.char == kind and values.flags.carray:
        return values
    return np.array(values, dtype=kind, order="C")
