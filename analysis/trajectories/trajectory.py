"""Trajectories: frames from any source that ASE users have, in chunks of bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from numpy.typing import ArrayLike
from tqdm import tqdm

from ase_mlips.arrays import BoolArray, FloatArray, Int64Array

from .atoms import selected_atoms
from .frame import Frame, Head, Reader, complete
from .lammps_dump import LammpsReader
from .readers import ArrayReader, open_reader
from .selection import Clock, Range, number_of, selected
from .series import DriftRemover, Series, Unwrapper, differentiate
from .timing import check_times, check_velocities

_CHUNK = 32 << 20  # bytes of positions and velocities in a chunk

Source = str | os.PathLike[str] | Iterable[Atoms] | ArrayReader  # Atoms, too


@dataclass(frozen=True, eq=False)
class Frames:
    """Some successive frames.

    Attributes
    ----------
    first : int
        Number of the first of them, counted from 0 in the selected frames.
    positions : (F, N, 3) array
        In A, as in the source: not unwrapped.
    cells : (F, 3, 3) array
        In A.
    velocities : (F, N, 3) array or None
        In A/fs; None unless asked for.
    numbers : dict of int to (N,) array
        Atomic numbers of those of these frames, counted from 0, in which they are not those of the first frame.
    """

    first: int
    positions: FloatArray
    cells: FloatArray
    velocities: FloatArray | None = None
    numbers: Mapping[int, Int64Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.positions)


class Trajectory:
    """Frames of a simulation: the same atoms in the same order, positions, cells and maybe velocities.

    Nothing but the first frame is read until the frames are asked for; then they come in chunks of at most 32 MB (at
    least one frame), and as much of the file is in memory.

    Parameters
    ----------
    source : path, Atoms, iterable of Atoms, or Trajectory
        A file (.traj, extended xyz of ASE or GPUMD, LAMMPS dump, XDATCAR, or anything that `ase.io.iread` reads), or
        frames in memory.  An iterator is read only once.
    timestep_fs : float, optional
        Time from one frame of the source to the next in fs: steps between frames times the time step of the dynamics.
        Where it is not given, the times in the file (``Time=`` or
        ``time_fs=`` in fs in the comment of an extended xyz or in ``info``, ``ITEM: TIME`` of a LAMMPS dump) say it.
        The property `timestep_fs` is this times the step of `frames`.
    frames : slice
        Which frames, as in ``list[slice]``; the step must be positive.
    symbols : sequence of str, optional
        Chemical symbols of the atom types 1, 2, ... of a LAMMPS dump; a column of elements is then not looked at.

    Attributes
    ----------
    numbers : (N,) array
        Atomic numbers.
    masses : (N,) array
        In amu.
    pbc : (3,) array of bool
        Of the first frame.
    name : str
        Of the source, for messages and titles.

    Raises
    ------
    ValueError
        When there is no frame or no atom, the format is unknown, `timestep_fs` is not positive, `frames` is no slice,
        or `symbols` are given for anything but a LAMMPS dump with types.
    FileNotFoundError

    Notes
    -----
    Velocities: momenta (ASE units) where ASE has written them; columns called vel, velo, velocity or velocities are
    A/fs, as GPUMD writes them; LAMMPS dumps are taken to be of ``units metal`` (A/ps) unless they say ``ITEM: UNITS``.
    """

    def __init__(
        self,
        source: Source | Trajectory,
        *,
        timestep_fs: float | None = None,
        frames: slice = slice(None),
        symbols: Sequence[str] | None = None,
    ) -> None:
        if timestep_fs is not None and not 0.0 < timestep_fs < np.inf:
            raise ValueError(f"expected a positive time step in fs, got timestep_fs={timestep_fs}")
        everything: Range = (0, None, 1)
        if isinstance(source, Trajectory):
            reader, everything = source._reader, source._range
            timestep_fs = timestep_fs or source._timestep
        else:
            reader = open_reader(source, symbols)
        if symbols is not None and (isinstance(source, Trajectory) or not isinstance(reader, LammpsReader)):
            raise ValueError(f"symbols= is for LAMMPS dumps, and {reader.name} is none")
        self._reader: Reader = reader
        self._range: Range = selected(frames, everything, reader)
        self._timestep: float | None = None if timestep_fs is None else timestep_fs * (frames.step or 1)
        self._from_file: float | None = None  # the time step that the file says, once asked for
        self._uneven, self._confirmed = "", False
        head = self._reader.head
        self.name = self._reader.name
        self.numbers, self.masses, self.pbc = head.numbers, head.masses, head.pbc
        if len(self.numbers) == 0:
            raise ValueError(f"{self.name} has no atoms")

    @classmethod
    def from_arrays(
        cls,
        positions: ArrayLike,
        *,
        symbols: Sequence[str],
        cell: ArrayLike,
        pbc: bool | Sequence[bool] = True,
        velocities: ArrayLike | None = None,
        timestep_fs: float | None = None,
    ) -> Trajectory:
        """Make one of arrays.

        Parameters
        ----------
        positions : (F, N, 3) array
            In A.
        symbols : sequence of N str
        cell : (3, 3) or (F, 3, 3) array
            In A.
        pbc : bool or three
        velocities : (F, N, 3) array, optional
            In A/fs.
        timestep_fs : float, optional

        Raises
        ------
        ValueError
            When the shapes do not match or a symbol is unknown.
        """
        places = np.asarray(positions, dtype=np.float64)
        if places.ndim != 3 or places.shape[2] != 3 or len(places) == 0:
            raise ValueError(f"expected positions of shape (F, N, 3) with at least one frame, got {places.shape}")
        speeds = None if velocities is None else np.asarray(velocities, dtype=np.float64)
        if speeds is not None and speeds.shape != places.shape:
            raise ValueError(f"expected velocities of the shape of the positions {places.shape}, got {speeds.shape}")
        cells = np.asarray(cell, dtype=np.float64)
        if cells.shape not in ((3, 3), (len(places), 3, 3)):
            raise ValueError(f"expected a cell of shape (3, 3) or ({len(places)}, 3, 3), got {cells.shape}")
        if isinstance(symbols, str) or len(symbols) != places.shape[1]:
            raise ValueError(f"expected a sequence of {places.shape[1]} chemical symbols, got {symbols!r}")
        try:
            atoms = Atoms(symbols=list(symbols), pbc=pbc)
        except KeyError as error:
            raise ValueError(f"expected chemical symbols, got {error}") from error
        head = Head(atoms.numbers.astype(np.int64), atoms.get_masses(), atoms.pbc.copy(), speeds is not None)
        reader = ArrayReader(places, np.broadcast_to(cells, (len(places), 3, 3)), speeds, head)
        return cls(reader, timestep_fs=timestep_fs)

    @property
    def symbols(self) -> list[str]:
        """Chemical symbols of the atoms."""
        return [chemical_symbols[z] for z in self.numbers]

    @property
    def timestep_fs(self) -> float:
        """Time from one of the selected frames to the next in fs.

        Raises
        ------
        ValueError
            When neither the argument nor the source says it, or they contradict each other: the times in the source,
            or, where it has none, its positions and velocities (see `check_velocities`).
        """
        start, _, stride = self._range
        if self._timestep is not None and self._confirmed:
            return self._timestep
        if self._uneven:
            raise ValueError(self._uneven)
        times = [frame.time for frame in self._reader.peek(start, stride, 2, False)]
        step = times[1] - times[0] if len(times) == 2 else np.nan
        if self._timestep is not None:
            check_times(self.name, times, stride, self._timestep)
            if self._reader.head.velocities and not np.isfinite(step):
                check_velocities(self._reader, start, stride, self._timestep)
            self._confirmed = True
            return self._timestep
        if not step > 0.0:
            raise ValueError(f"{self.name} does not say how far apart its frames are: give timestep_fs=")
        self._from_file = step
        return step

    def __repr__(self) -> str:
        formula = Atoms(numbers=self.numbers).get_chemical_formula()
        return f"Trajectory({self.name}, {formula})"

    def chunks(self, *, velocities: bool = False, identity: bool = True, progress: str = "reading") -> Iterator[Frames]:
        """Read the frames, at most 32 MB (or one frame) at a time, with a progress bar on a terminal.

        Parameters
        ----------
        velocities : bool
            Whether velocities are wanted too.
        identity : bool
            Whether the k-th atom must be the same one in all frames.  Without it frames may have the species of the
            first one in another order, as after exchanges in a Monte Carlo simulation.
        progress : str
            What the progress bar says.

        Yields
        ------
        Frames

        Raises
        ------
        ValueError
            When velocities are wanted and absent, the number, species or order of the atoms changes, atoms cannot be
            told apart although `identity` is wanted, there are periodic boundaries without a cell, the cell loses or
            gains a vector, or a number is not finite; the message names the frame, counted in the source from 0.

        Warns
        -----
        RuntimeWarning
            When the last frame of a file is incomplete; it is left out.
        """
        if velocities and not self._reader.head.velocities:
            raise ValueError(f"{self.name} holds no velocities")
        if identity and not self._reader.head.identity:
            raise ValueError(
                f"{self.name}: expected a column id, without which atoms cannot be followed from frame to frame"
            )
        return self._chunks(velocities, identity, progress)

    def _chunks(self, velocities: bool, identity: bool, progress: str) -> Iterator[Frames]:
        length = self._reader.length
        total = None if length is None else number_of(self._range, length)
        size = max(1, _CHUNK // (24 * max(1, len(self.numbers)) * (1 + velocities)))
        size = size if total is None else max(1, min(size, total))
        frames = complete(self._reader.frames(*self._range, velocities))
        first, clock, vectors = 0, Clock(), None
        with tqdm(total=total, desc=progress, unit="frame", disable=None) as bar:
            while True:
                chunk, times = self._gather(frames, first, size, velocities)
                if len(chunk) == 0:
                    break
                vectors = self._check(chunk, identity, vectors)
                if self._timestep is None and not self._uneven:
                    self._note_uneven(clock.follow(times, first))
                yield chunk
                first += len(chunk)
                bar.update(len(chunk))
        if first == 0:
            raise ValueError(f"{self.name} has none of the selected frames")

    def _gather(self, frames: Iterator[Frame], first: int, size: int, velocities: bool) -> tuple[Frames, FloatArray]:
        """The next frames, at most `size`, as arrays, and their times."""
        positions, cells, times = np.empty((size, len(self.numbers), 3)), np.empty((size, 3, 3)), np.empty(size)
        speeds = np.empty_like(positions) if velocities else None
        numbers: dict[int, Int64Array] = {}
        count = 0
        for k, frame in enumerate(islice(frames, size)):
            positions[k], cells[k], times[k] = frame.positions, frame.cell, frame.time
            if speeds is not None:
                if frame.velocities is None:
                    raise ValueError(f"{self.name}: frame {self._number(first + k)} has no velocities")
                speeds[k] = frame.velocities
            if frame.numbers is not None:
                numbers[k] = frame.numbers
            count = k + 1
        chosen = None if speeds is None else speeds[:count]
        return Frames(first, positions[:count], cells[:count], chosen, numbers), times[:count]

    def _number(self, k: int) -> int:
        """Number in the source of the selected frame k."""
        return self._range[0] + k * self._range[2]

    def _check(self, chunk: Frames, identity: bool, vectors: BoolArray | None) -> BoolArray:
        """Which cell vectors there are, (3,), in these frames as in those before; ValueError as `chunks` says."""
        arrays = {"positions": chunk.positions, "cell": chunk.cells, "velocities": chunk.velocities}
        for name, values in arrays.items():
            if values is not None and not np.isfinite(values).all():
                k = int(np.argmin(np.isfinite(values).all(axis=(1, 2))))
                raise ValueError(f"{self.name}: frame {self._number(chunk.first + k)} has {name} that are not finite")
        for k, numbers in chunk.numbers.items():
            frame = self._number(chunk.first + k)
            if identity or not np.array_equal(np.sort(numbers), np.sort(self.numbers)):
                order = " or their order" if identity else ""
                raise ValueError(f"{self.name}: the species{order} in frame {frame} differ from the first frame")
        there = np.any(chunk.cells != 0.0, axis=2)
        vectors = there[0] if vectors is None else vectors
        volumes = np.linalg.det(chunk.cells)
        for wrong, message in (
            (np.any(there != vectors, axis=1), "expected the cell vectors of the first frame, got more or fewer"),
            (self.pbc.any() & ~np.any(self.pbc & there, axis=1), "expected a cell along the periodic axes, got zeros"),
            (
                there.all(axis=1) & self.pbc.any() & (volumes == 0.0),
                "expected a cell with a volume, got vectors in one plane",
            ),
        ):
            if wrong.any():
                raise ValueError(f"{self.name}: {message} (frame {self._number(chunk.first + int(np.argmax(wrong)))})")
        return vectors

    def _note_uneven(self, k: int | None) -> None:
        if k is None:
            return
        self._uneven = (
            f"{self.name}: frame {self._number(k)} is not as far from the one before as others: give timestep_fs="
        )
        if self._from_file is not None:
            raise ValueError(self._uneven)

    def series(self, quantity: str = "positions", *, drift: ArrayLike | Literal["all"] | None = "all") -> Series:
        """Read everything into columns that can be taken atom by atom.

        Parameters
        ----------
        quantity : "positions" or "velocities"
            Positions are unwrapped through the periodic boundaries (see `Unwrapper`).  Velocities in A/fs are those of
            the source, else central differences of the unwrapped positions, which see a vibration of the angular
            frequency w weaker by ``sin(w dt) / (w dt)``.
        drift : "all", symbol, indices, mask or None
            Subtract the motion of the centre of mass of all atoms, of these atoms (a framework), or of none.

        Returns
        -------
        Series
            In memory up to 512 MB, else in a temporary file.

        Raises
        ------
        ValueError
            As `chunks` does; when `drift` selects no atoms, or the time step is needed and unknown.

        Warns
        -----
        RuntimeWarning
            When more than 1 % of the atoms move by more than 0.35 of the cell from one frame to the next: they cannot
            be followed through the boundaries for sure.
        """
        if quantity not in ("positions", "velocities"):
            raise ValueError(f'expected "positions" or "velocities", got {quantity!r}')
        parts = self._unwrapped() if quantity == "positions" else self._velocities()
        if drift is None:
            return Series(parts)
        remover = DriftRemover(self._weights(drift), displacement=quantity == "positions")
        return Series((remover(values), cells) for values, cells in parts)

    def _unwrapped(self) -> Iterator[tuple[FloatArray, FloatArray]]:
        unwrap = Unwrapper(self.pbc)
        for chunk in self.chunks():
            yield unwrap(chunk.positions, chunk.cells), chunk.cells

    def _velocities(self) -> Iterator[tuple[FloatArray, FloatArray]]:
        if not self._reader.head.velocities:
            yield from differentiate(self._unwrapped(), self.timestep_fs)
            return
        for chunk in self.chunks(velocities=True):
            if chunk.velocities is not None:
                yield chunk.velocities, chunk.cells

    def _weights(self, drift: ArrayLike) -> FloatArray:
        if isinstance(drift, str) and drift == "all":
            return self.masses
        chosen = selected_atoms(drift, self.symbols, name=f'drift= must be "all", None or atoms of {self.name}')
        weights: FloatArray = np.zeros(len(self.numbers))
        weights[chosen] = self.masses[chosen]
        return weights


def as_trajectory(source: Source | Trajectory, timestep_fs: float | None = None) -> Trajectory:
    """What every analysis makes of its first argument: a `Trajectory` as it is, anything else read by `Trajectory`."""
    if isinstance(source, Trajectory) and timestep_fs is None:
        return source
    return Trajectory(source, timestep_fs=timestep_fs)
