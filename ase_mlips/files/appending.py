"""Files that grow while a simulation runs: one process at a time adds to them, each piece whole or not at all."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from contextlib import suppress
from types import TracebackType

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_TAKEN = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)
_FAR = 1 << 62  # where the byte lies that Windows locks; a lock within the file would hinder readers


class AppendedFile:
    """A file that belongs to one writer from when it is opened until it is closed, or the process ends in any way.

    Parameters
    ----------
    path : path
    new : bool
        The file must not exist; otherwise it may, and is left as it is at first.

    Raises
    ------
    FileExistsError
        It exists and `new` is given.
    OSError
        It cannot be opened or made, or another process, or another object of this one, is writing it.

    Notes
    -----
    The lock (``flock``) hinders no reader, and nobody who does not ask for it.  On NFS it holds between machines unless
    they mount with ``nolock`` or ``local_lock``, where it holds within each machine.  On a file system that has no
    locks the file is used without one, with a warning.
    """

    def __init__(self, path: str | os.PathLike[str], *, new: bool) -> None:
        self.path = os.fspath(path)
        self._target = os.path.realpath(path)  # a symbolic link to a file that is yet to be made is no file
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        while True:
            self._created = not os.path.exists(self._target)
            self._file = open(os.open(self._target, flags | (os.O_EXCL if new else 0), 0o666), "r+b", buffering=0)  # noqa: SIM115
            try:
                self._lock()
                if self._in_place():
                    return
            except BaseException:
                self._file.close()
                raise
            self._file.close()  # removed or replaced by its former writer since it was opened

    def read(self) -> bytes:
        """All that the file holds."""
        self._file.seek(0)
        return self._file.readall() or b""

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._file.seek(0, os.SEEK_END)

    def truncate(self, size: int) -> None:
        """Cut the file behind so many bytes."""
        self._file.truncate(size)

    def append(self, piece: bytes) -> None:
        """Add a piece; when that fails, on a full disk or by Ctrl-C, the file is what it was before."""
        size = self.size
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except BaseException as error:
            self._file.truncate(size)
            if isinstance(error, OSError):
                raise OSError(error.errno, error.strerror, self.path) from error
            raise

    def close(self) -> None:
        """Close the file and release it; one that was made here and is still empty vanishes."""
        if self._file.closed:
            return
        if self._created and self.size == 0 and self._in_place():
            with suppress(PermissionError):  # Windows does not remove open files
                os.unlink(self._target)
        self._file.close()

    def __enter__(self) -> AppendedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _in_place(self) -> bool:
        """Whether the open file is the one of this name."""
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._target))
        except FileNotFoundError:
            return False

    def _lock(self) -> None:
        try:
            if sys.platform == "win32":
                self._file.seek(_FAR)
                msvcrt.locking(self._file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _TAKEN:
                raise OSError(
                    errno.EAGAIN, "another run, or something that was not closed, is writing this file", self.path
                ) from error
            if error.errno not in _NO_LOCKS:
                raise OSError(error.errno, error.strerror, self.path) from error
            warnings.warn(
                f"{self.path}: this file system has no locks ({error.strerror}); nothing hinders a second run from"
                " writing to the same file",
                stacklevel=4,
            )
