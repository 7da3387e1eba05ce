"""Trajectory and log of a run, which stay readable whatever ends it, and belong to one run at a time."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, TypeAlias

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.io.trajectory import TrajectoryReader, TrajectoryWriter
from ase.parallel import DummyMPI

from ase_mlips.files.appending import AppendedFile
from ase_mlips.files.reading import readable

Mode: TypeAlias = Literal["new", "replace", "continue"]  # a file that exists is refused, begun anew, or continued

# Layout of ASE's .traj files (ase.io.ulm): 48 bytes of header, in them the number of frames.
_HEADER = 48
_FRAMES = 32
_BEGINNING = b"- of UlmASE-Trajectory"


class TrajectoryFile:
    """An ASE trajectory to which a frame is added as a whole or not at all.

    Nothing in a file that exists changes before the first frame is added.

    Parameters
    ----------
    path : str
    mode : "new", "replace" or "continue"
    description : mapping, optional
        What a new file says of itself, see `read_description`.

    Raises
    ------
    OSError
        It exists and is to be new, cannot be opened, or another run is writing it.
    """

    def __init__(self, path: str, mode: Mode, description: Mapping[str, Any] | None = None) -> None:
        self._path, self._frames = path, 0
        self.description = dict(description or {})
        self._continues = mode == "continue"
        self._held = AppendedFile(path, new=mode == "new")
        self._writer: TrajectoryWriter | None = None

    def last_frame(self) -> Atoms | None:
        """The last complete frame, to continue from; None for a file that is begun because it holds no frame yet.

        What follows that frame, if anything, will be replaced.

        Raises
        ------
        ValueError
            The file is damaged, or no trajectory.
        """
        if not self._continues or _holds_nothing(self._path):
            return None
        self._frames, atoms = recover(self._path)
        return atoms

    def write(self, frame: Atoms) -> None:
        """Add a frame; when that fails, on a full disk or by Ctrl-C, the file is what it was before."""
        if self._writer is None:
            if self._frames:
                _declare(self._path, self._frames)
            self._writer = TrajectoryWriter(self._path, "a" if self._frames else "w", comm=DummyMPI())
            self._writer.set_description(self.description)
        writer = self._writer
        size = os.path.getsize(self._path)
        with open(self._path, "rb") as file:
            header = file.read(_HEADER)
        try:
            writer.write(frame)
        except BaseException as error:
            self._restore(writer, size, header)
            if isinstance(error, OSError):
                # NumPy, which writes large arrays, does not say why it could not.
                reason = error.strerror or f"not written completely, the disk may be full ({error})"
                raise OSError(error.errno or errno.EIO, reason, self._path) from error
            raise

    def _restore(self, writer: TrajectoryWriter, size: int, header: bytes) -> None:
        # Not the writer's own close(), which would declare the broken frame complete.
        with suppress(OSError):
            writer.backend.fd.close()
        with open(self._path, "r+b") as file:
            file.write(header)
        os.truncate(self._path, size)

    def close(self) -> None:
        """Close the file; one that was made here and holds no frame vanishes."""
        if self._writer is not None and not self._writer.backend.fd.closed:
            self._writer.close()
        self._held.close()

    def __enter__(self) -> TrajectoryFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_description(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a trajectory says of itself, for example where it comes from; empty for one that says nothing.

    Raises
    ------
    OSError, ValueError
        The file cannot be read, or is no trajectory.
    """
    with readable(path, "a trajectory of ASE"), open(path, "rb") as file:
        return dict(TrajectoryReader(file).description or {})


def _holds_nothing(path: str) -> bool:
    """Whether a run was ended before the first frame of this file was complete."""
    with open(path, "rb") as file:
        header = file.read(_HEADER)
    if len(header) < _HEADER:
        return _BEGINNING.startswith(header[: len(_BEGINNING)])
    return header.startswith(_BEGINNING) and struct.unpack_from("<q", header, _FRAMES) == (0,)


def recover(path: str) -> tuple[int, Atoms]:
    """How many frames of a trajectory there are up to the last complete one, and this one.

    Raises
    ------
    ValueError
        When there is none.
    """
    try:
        with open(path, "rb") as file:  # ASE would leave it open where it fails
            trajectory = TrajectoryReader(file)
            frames = len(trajectory)
            read = ((number, _frame(trajectory, number)) for number in reversed(range(frames)))
            last, atoms = next((number, atoms) for number, atoms in read if atoms is not None)
    except Exception as error:  # ASE's reader fails on damaged files in every conceivable way
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(
            f"{path}: holds no complete frame to continue from; it is damaged or no trajectory of ASE"
        ) from error
    return last + 1, atoms


def _declare(path: str, frames: int) -> None:
    """Write how many frames a trajectory has; what follows them is then absent."""
    with open(path, "r+b") as file:
        file.seek(_FRAMES)
        file.write(struct.pack("<q", frames))


def _frame(trajectory: TrajectoryReader, number: int) -> Atoms | None:
    with suppress(Exception):
        atoms: Atoms = trajectory[number]
        values = (atoms.positions, atoms.cell.array, atoms.get_momenta())
        known = (atoms.numbers >= 0) & (atoms.numbers < len(chemical_symbols))
        if known.all() and all(np.isfinite(value).all() for value in values):
            return atoms
    return None


class LogFile:
    """A table in plain text, to which a row is added as a whole or not at all.

    Nothing in a file that exists changes before the first row is added.

    Parameters
    ----------
    path : str
    columns : sequence of str
        Names of the columns; the first one is the step.
    mode : "new", "replace" or "continue"
    after : (int, row), optional
        What a file is continued from: its last step that counts, and the row of that step without the step.  Rows
        behind it are replaced.

    Raises
    ------
    OSError
        It exists and is to be new, cannot be opened, or another run is writing it.
    ValueError
        A file to be continued is the log of something else.
    """

    def __init__(
        self, path: str, columns: Sequence[str], mode: Mode = "new", *, after: tuple[int, Sequence[float]] | None = None
    ) -> None:
        self._path = path
        self._header = "# " + " ".join(f"{name:>16}" for name in columns)[2:] + "\n"
        self._file = AppendedFile(path, new=mode == "new")
        self._begun = False
        try:
            self._kept = self._continued(after) if mode == "continue" else b""
        except BaseException:
            self._file.close()
            raise

    def _continued(self, after: tuple[int, Sequence[float]] | None) -> bytes:
        """What of the file stays."""
        header, content = self._header.encode(), self._file.read()
        if header.startswith(content):  # ended before it held a row
            return b""
        if not content.startswith(header):
            raise ValueError(f"{self._path}: is no log of such a run; choose another name for the log")
        lines = content[len(header) :].splitlines(keepends=True)
        if after is None:
            if any(0 < _step(line) < np.inf for line in lines):
                raise ValueError(f"{self._path}: is the log of a run whose trajectory is not there to be continued")
            return b""
        step, values = after
        kept = [line for line in lines if _step(line) <= step]
        replaced = any(step < _step(line) < np.inf for line in lines)
        if replaced and not (kept and _agrees(kept[-1], step, values)):
            raise ValueError(f"{self._path}: is the log of another run, which differs at step {step}")
        return header + b"".join(kept)

    def write(self, step: int, values: Sequence[float]) -> None:
        """Add a row; when that fails the file is what it was before."""
        row = (" ".join([f"{step:16d}", *(f"{value:16.6f}" for value in values)]) + "\n").encode()
        if not self._begun:
            self._begin()
        self._file.append(row if self._file.size else self._header.encode() + row)

    def _begin(self) -> None:
        if self._file.read().startswith(self._kept):
            self._file.truncate(len(self._kept))
        else:  # broken rows lie among the others
            self._file.truncate(0)
            self._file.append(self._kept)
        self._begun = True

    def close(self) -> None:
        """Close the file; one that was made here and holds no row vanishes."""
        self._file.close()

    def __enter__(self) -> LogFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _agrees(line: bytes, step: int, values: Sequence[float]) -> bool:
    """Whether a row of the table is this one, apart from rounding."""
    words = [float(word) for word in line.split()]
    return len(words) == 1 + len(values) and np.allclose(words, [step, *values], rtol=1e-6, atol=2e-6)


def _step(line: bytes) -> float:
    """Step of a row; infinity where the row is broken, so that it is not kept."""
    try:
        step, *_ = (float(word) for word in line.split())
    except ValueError:
        return np.inf
    return step if line.endswith(b"\n") else np.inf


@dataclass(frozen=True)
class MDFiles:
    """Where a run is kept.

    Attributes
    ----------
    trajectory : path
        ``X.traj``, frames with velocities and results; its description says where it comes from.
    log : path, optional
        Table of temperature and energies; by default ``X.log``.
    heat_flux : path, optional
        Record the heat flux, for `read_heat_flux`; its mean over time means something in nve.
    selected : path, optional
        Extended xyz file of the configurations that `MDRun.grade_select` keeps; by default ``X.selected.extxyz``.
    mode : {"new", "replace", "continue"}
        Files that exist are refused, begun anew, or continued; a run to be continued that holds no frame is begun.
    """

    trajectory: str | os.PathLike[str]
    log: str | os.PathLike[str] | None = None
    heat_flux: str | os.PathLike[str] | None = None
    mode: Mode = "new"
    selected: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        if not self.trajectory_path.endswith(".traj") or self.log_path.endswith(".traj"):
            raise ValueError(
                f"expected a trajectory FILE.traj and another ending for the log, got {self.trajectory_path}, "
                f"{self.log_path}"
            )

    @property
    def trajectory_path(self) -> str:
        """Name of the trajectory."""
        return os.fspath(self.trajectory)

    @property
    def log_path(self) -> str:
        """Name of the log."""
        return os.fspath(self.log) if self.log else os.path.splitext(self.trajectory_path)[0] + ".log"

    @property
    def selected_path(self) -> str:
        """Name of the file of selected configurations."""
        return os.fspath(self.selected or os.path.splitext(self.trajectory_path)[0] + ".selected.extxyz")
