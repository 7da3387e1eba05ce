"""Whole trajectories as columns: one quantity of every atom over time, in memory or on disk."""

from __future__ import annotations

import tempfile
import warnings
import weakref
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from ase.geometry import complete_cell
from numpy.typing import ArrayLike

from ase_mlips.arrays import BoolArray, FloatArray, Int64Array

from ..results import Interrupted
from .atoms import listed_atoms
from .kernels_unwrap import FAR, unwrap

T = TypeVar("T")

MEMORY = 512 << 20  # bytes of a series that are kept in memory
BLOCK = 64 << 20  # bytes of a block of `Series.blocks`
_MANY = 0.01  # share of atoms that move far from one frame to the next and make a warning
_TILE = 1024  # frames transposed at once, which stay in the cache of a core


class Series:
    """One vector per atom and frame, read by atoms; Ctrl-C ends the reading early, see `deliver`.

    Up to 512 MB live in memory; a longer series lives in a temporary file (in the folder that `tempfile` chooses:
    TMPDIR), which is removed with the object, so that reading blocks of at most 64 MB bounds the memory.

    Attributes
    ----------
    shape : (F, N, 3)
    cells : (F, 3, 3) array
        In A.
    """

    def __init__(self, parts: Iterable[tuple[FloatArray, FloatArray]], *, memory: int = MEMORY) -> None:
        """Take ``(values (f, N, 3), cells (f, 3, 3))`` of successive frames; beyond `memory` bytes use the disk."""
        self._parts: list[FloatArray | tuple[int, tuple[int, int, int]]] = []
        self._edges = [0]
        self._file: Any = None
        cells, held, atoms = [np.empty((0, 3, 3))], 0, 0
        reader, self._interrupted = iter(parts), False
        while True:
            try:
                values, cell = next(reader)
            except StopIteration:
                break
            except KeyboardInterrupt:
                if not self._parts:
                    raise
                self._interrupted = True
                break
            held += values.nbytes
            atoms = values.shape[1]
            self._parts.append(values)
            self._edges.append(self._edges[-1] + len(values))
            cells.append(cell)
            if held > memory:
                self._spill()
        self.cells: FloatArray = np.concatenate(cells)
        self.shape = (self._edges[-1], atoms, 3)

    def _spill(self) -> None:
        """Move what is in memory to the file, atoms first, so that a few atoms are few contiguous pieces."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="ase_mlips-")  # noqa: SIM115 -- closed with this object
            weakref.finalize(self, self._file.close)
        for k, part in enumerate(self._parts):
            if isinstance(part, np.ndarray):
                self._parts[k] = (self._file.seek(0, 2), (part.shape[1], part.shape[0], 3))
                np.ascontiguousarray(part.transpose(1, 0, 2)).tofile(self._file)
        self._file.flush()

    def deliver(self, result: T) -> T:
        """The result of an analysis of this series, raised as `Interrupted` if Ctrl-C ended the reading."""
        if self._interrupted:
            raise Interrupted(result, self.shape[0])
        return result

    @property
    def volume(self) -> float:
        """Mean volume of the cell in A^3; 0 where there is none."""
        return float(np.abs(np.linalg.det(self.cells)).mean())

    def atoms(self, indices: ArrayLike) -> FloatArray:
        """The series of some atoms in the order of `indices`, (F, n, 3), in memory one component after the other."""
        chosen = listed_atoms(indices, self.shape[1], name="indices")
        consecutive = len(chosen) > 0 and np.array_equal(chosen, np.arange(chosen[0], chosen[0] + len(chosen)))
        wanted = slice(chosen[0], chosen[-1] + 1) if consecutive else chosen  # a slice needs no copy
        out = np.empty((len(chosen), 3, self.shape[0]))
        for part, (first, last) in zip(self._parts, pairwise(self._edges), strict=True):
            if isinstance(part, np.ndarray):
                for start in range(first, last, _TILE):
                    stop = min(start + _TILE, last)
                    out[:, :, start:stop] = part[start - first : stop - first, wanted].transpose(1, 2, 0)
            else:
                mapped = np.memmap(self._file, np.float64, "r", *part)
                out[:, :, first:last] = mapped[wanted].transpose(0, 2, 1)
        return out.transpose(2, 0, 1)

    def blocks(self, indices: ArrayLike | None = None) -> Iterator[tuple[Int64Array, FloatArray]]:
        """Yield ``(indices, (F, n, 3))`` of at most 64 MB (at least one atom) until all atoms, or `indices`, are done.

        Yields
        ------
        (n,) array, (F, n, 3) array
        """
        chosen = np.arange(self.shape[1]) if indices is None else listed_atoms(indices, self.shape[1], name="indices")
        width = max(1, BLOCK // max(1, 24 * self.shape[0]))
        for start in range(0, len(chosen), width):
            block = chosen[start : start + width]
            yield block, self.atoms(block)


class Unwrapper:
    """Follows atoms through periodic boundaries, displacement by displacement.

    ``u(t) = u(t-1) + d - L rint(L^-1 d)``, ``d = r(t) - r(t-1)``, with the cell L of frame t (the TOR scheme: von
    Buelow, Bullerjahn and Hummer, J. Chem. Phys. 153, 021101 (2020); Kulke and Vermaas, J. Chem. Theory Comput. 18,
    6161 (2022)), which stays right in a cell that changes.  No atom may move half a cell between two frames: when more
    than 1 % of the atoms move by more than 0.35 of it, a RuntimeWarning says so, once.
    """

    def __init__(self, pbc: BoolArray) -> None:
        self._pbc = pbc
        self._wrapped: FloatArray | None = None
        self._unwrapped: FloatArray | None = None
        self._frames, self._warned = 0, False

    def __call__(self, positions: FloatArray, cells: FloatArray) -> FloatArray:
        """Unwrapped positions (f, N, 3) of the next frames; the argument is overwritten."""
        if self._wrapped is None or self._unwrapped is None:
            self._wrapped, self._unwrapped = positions[0].copy(), positions[0].copy()
        full = cells
        if not np.all(np.linalg.det(cells)):
            full = np.array([complete_cell(cell) for cell in cells])
        periodic = self._pbc & np.any(cells[0] != 0.0, axis=1)
        far = np.zeros(len(positions), dtype=np.int64)
        unwrap(positions, full, np.linalg.inv(full) * periodic, self._wrapped, self._unwrapped, far)
        self._warn(far / positions.shape[1])
        self._frames += len(positions)
        return positions

    def _warn(self, shares: FloatArray) -> None:
        k = int(np.argmax(shares > _MANY))
        if self._warned or not shares[k] > _MANY:
            return
        self._warned = True
        warnings.warn(
            f"{shares[k]:.0%} of the atoms move by more than {FAR} of the cell from frame {self._frames + k - 1} to the"
            " next: frames too far apart to follow atoms through the boundaries",
            RuntimeWarning,
            stacklevel=2,
        )


class DriftRemover:
    """Subtracts the motion of a centre of mass: weights (N,), zero for atoms that do not count."""

    def __init__(self, weights: FloatArray, *, displacement: bool) -> None:
        self._weights = weights / weights.sum()
        self._origin: FloatArray | None = None if displacement else np.zeros(3)

    def __call__(self, values: FloatArray) -> FloatArray:
        """Subtract in place; positions keep the centre of mass of the first frame, velocities have none."""
        center = np.einsum("n,fna->fa", self._weights, values)
        if self._origin is None:
            self._origin = center[0].copy()
        values -= (center - self._origin)[:, None]
        return values


def differentiate(
    parts: Iterable[tuple[FloatArray, FloatArray]], timestep: float
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Velocities from unwrapped positions by central differences, of second order at the two ends too.

    ``v(t) = (u(t+1) - u(t-1)) / (2 timestep)``, where the frames before the first and after the last are
    extrapolated by a parabola.  Takes and yields ``(values (f, N, 3), cells (f, 3, 3))``.
    """
    begun = False
    window, window_cells = np.empty((0, 0, 3)), np.empty((0, 3, 3))
    third = window
    for values, cells in parts:
        if len(window):
            values, cells = np.concatenate([window, values]), np.concatenate([window_cells, cells])
        if not begun and len(values) > 2:
            begun = True
            before = 3.0 * values[:1] - 3.0 * values[1:2] + values[2:3]
            values, cells = np.concatenate([before, values]), np.concatenate([cells[:1], cells])
        if begun:
            yield (values[2:] - values[:-2]) / (2.0 * timestep), cells[1:-1]
            third, values, cells = values[-3:-2], values[-2:], cells[-2:]
        window, window_cells = values.copy(), cells.copy()
    if len(window) < 2:
        raise ValueError("one frame has no velocities: at least two frames are needed to compute them")
    if begun:
        after = 3.0 * window[1:] - 3.0 * window[:1] + third
        yield (after - window[:1]) / (2.0 * timestep), window_cells[1:]
    else:
        speed = np.diff(window, axis=0) / timestep
        yield np.concatenate([speed, speed]), window_cells
