"""Trajectory and log of a run, which stay readable whatever ends it."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

from ase import Atoms
from ase.io.trajectory import TrajectoryReader, TrajectoryWriter

from .common import replacing

# Layout of ASE's .traj files (ase.io.ulm): 48 bytes of header, in them the number of frames.
_HEADER = 48
_FRAMES = 32


class TrajectoryFile:
    """An ASE trajectory to which a frame is added as a whole or not at all.

    Parameters
    ----------
    path : str
    append : bool
        Go on after the frames that the file has; without it the file is begun anew.
    """

    def __init__(self, path: str, *, append: bool) -> None:
        self._path = path
        self._writer = TrajectoryWriter(path, "a" if append else "w")

    def write(self, frame: Atoms) -> None:
        """Add a frame; when that fails, on a full disk or by Ctrl-C, the file is what it was before."""
        size = os.path.getsize(self._path)
        with open(self._path, "rb") as file:
            header = file.read(_HEADER)
        try:
            self._writer.write(frame)
        except BaseException as error:
            self._restore(size, header)
            if isinstance(error, OSError):
                # NumPy, which writes large arrays, does not say why it could not.
                reason = error.strerror or f"not written completely, the disk may be full ({error})"
                raise OSError(error.errno or errno.EIO, reason, self._path) from error
            raise

    def _restore(self, size: int, header: bytes) -> None:
        # Not the writer's own close(), which would declare the broken frame complete.
        with suppress(OSError):
            self._writer.backend.fd.close()
        if size == 0:
            os.unlink(self._path)
            return
        with open(self._path, "r+b") as file:
            file.write(header)
        os.truncate(self._path, size)

    def close(self) -> None:
        """Close the file."""
        if not self._writer.backend.fd.closed:
            self._writer.close()

    def __enter__(self) -> TrajectoryFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def recover(path: str) -> Atoms:
    """The last complete frame of a trajectory; what follows it, if anything, is declared absent.

    Raises
    ------
    ValueError
        When there is none.
    """
    try:
        with TrajectoryReader(path) as trajectory:
            frames = len(trajectory)
            for last in reversed(range(frames)):
                with suppress(OSError, ValueError, KeyError, IndexError, TypeError):
                    atoms = trajectory[last]
                    break
            else:
                raise ValueError("no frame")
    except (OSError, ValueError, KeyError, IndexError, AttributeError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path}: holds no complete frame to continue from") from error
    if last + 1 < frames:
        with open(path, "r+b") as file:
            file.seek(_FRAMES)
            file.write(struct.pack("<q", last + 1))
    return atoms


class LogFile:
    """A table in plain text, to which a row is added as a whole or not at all.

    Parameters
    ----------
    path : str
    columns : sequence of str
        Names of the columns; the first one is the step.
    keep_until : int, optional
        Keep the rows of an earlier run up to this step; by default the file is begun anew.
    """

    def __init__(self, path: str, columns: Sequence[str], keep_until: int | None = None) -> None:
        self._path = path
        header = "# " + " ".join(f"{name:>16}" for name in columns)[2:] + "\n"
        rows: list[str] = []
        if keep_until is not None and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                rows = [line for line in file if not line.startswith("#") and _step(line) <= keep_until]
        with replacing(path) as new:
            new.write_text(header + "".join(rows), encoding="utf-8")
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115

    def write(self, step: int, values: Sequence[float]) -> None:
        """Add a row; when that fails the file is what it was before."""
        row = (" ".join([f"{step:16d}", *(f"{value:16.6f}" for value in values)]) + "\n").encode()
        size = os.path.getsize(self._path)
        try:
            if self._file.write(row) != len(row):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            os.truncate(self._path, size)
            raise OSError(error.errno, error.strerror, self._path) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> LogFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _step(line: str) -> float:
    """Step of a row; infinity where the row is broken, so that it is not kept."""
    try:
        return int(line.split()[0]) if line.endswith("\n") else float("inf")
    except (IndexError, ValueError):
        return float("inf")
