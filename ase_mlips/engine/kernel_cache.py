"""Machine code on disk: where it is kept, and that it is what was written there."""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import llvmlite.binding
import numba
from numba.core import config
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from ..files.signals import SignalsLater

_PACKAGE = Path(__file__).parents[1]
_SOURCES = (
    "arrays.py",
    "engine/*.py",
    "files/signals.py",
    "**/kernels*.py",
    "**/layout*.py",
)  # what kernels are made of


def source_files() -> list[Path]:
    """Every file that kernels are made of, also of the analysis, which a checkout keeps beside the package."""
    analysis = _PACKAGE.parent / "analysis"
    roots = [_PACKAGE] if (_PACKAGE / "analysis").exists() or not analysis.is_dir() else [_PACKAGE, analysis]
    return sorted({path for root in roots for pattern in _SOURCES for path in root.glob(pattern)})


@cache
def directories(options: str) -> tuple[Path, ...]:
    """Where compiled kernels may be, beginning with the place beside the package (a container whose image was warmed).

    The name holds a hash of every kernel source, the versions, `options` and the processor, because Numba itself does
    not see an edit in another file than the entry point's, and because what was made elsewhere must not be in the way.
    """
    processor = (
        config.CPU_NAME or llvmlite.binding.get_host_cpu_name(),
        config.CPU_FEATURES or llvmlite.binding.get_host_cpu_features().flatten(),
        llvmlite.binding.get_process_triple(),
    )
    versions = numba.__version__, llvmlite.__version__
    digest = hashlib.sha256(f"{versions} {config.OPT} {options} {processor}".encode())
    for path in source_files():
        digest.update(path.read_bytes())
    name = f"kernels-{digest.hexdigest()[:16]}"
    places = [Path(config.CACHE_DIR) / "ase_mlips" if config.CACHE_DIR else _PACKAGE / "__pycache__"]
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    if home.is_absolute():  # without HOME and an entry of the user, "~" stays; the working directory is no home
        places.append(home / "ase_mlips")
    return tuple(place.absolute() / name for place in places)


def writable_directory(places: tuple[Path, ...]) -> Path | None:
    """The first that exists, or can be made, and takes files; None where there is none."""
    for directory in places:
        with suppress(OSError):
            if not directory.exists():
                directory.mkdir(parents=True, exist_ok=True)
                directory.chmod(0o755)
            if os.access(directory, os.W_OK) and _trusted(directory):
                return directory
    return None


def _trusted(directory: Path) -> bool:
    """Whether nobody but the user, the owner of this package and the administrator may write there."""
    if not hasattr(os, "getuid"):
        return True
    status = directory.stat()
    return status.st_uid in (0, os.getuid(), _PACKAGE.stat().st_uid) and not status.st_mode & 0o022


class KernelCache(_Cache):  # type: ignore[misc]
    """One kernel's machine code, a file for each signature.

    Each file begins with the checksum of what follows: a flipped bit would crash the process.  A file that is damaged,
    or that others could have written, is as if it were not there.
    """

    def __init__(self, function: Callable[..., Any], places: tuple[Path, ...], signals: SignalsLater) -> None:
        self._places, self._signals, self._enabled = places, signals, True
        code = function.__code__
        stamp = hashlib.sha256(Path(code.co_filename).read_bytes()).hexdigest()
        self._name = f"{function.__module__.split('.', 1)[-1]}.{function.__name__}"
        self._key = f"{stamp} {code.co_firstlineno} {hashlib.sha256(code.co_code).hexdigest()}"

    @property
    def cache_path(self) -> str | None:
        """Where new files go."""
        directory = writable_directory(self._places)
        return None if directory is None else str(directory)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel for a signature, or None."""
        with self._signals:
            target_context.refresh()  # compiles Numba's own run time, the first time
            return self._load(self._file_name(sig, target_context.codegen()), target_context) if self._enabled else None

    def _load(self, name: str, target_context: Any) -> Any:
        for directory in self._places:
            with suppress(OSError):
                content = (directory / name).read_bytes()
                if hashlib.sha256(content[32:]).digest() == content[:32] and _trusted(directory):
                    return CompileResult._rebuild(target_context, *pickle.loads(content[32:]))
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled kernel; a warning where that fails, since only the next start is slower."""
        if not self._enabled or data.library.has_dynamic_globals:
            return
        try:
            with self._signals:
                directory = writable_directory(self._places)
                if directory is not None:
                    content = dumps(data._reduce())
                    _write(directory / self._file_name(sig, data.codegen), hashlib.sha256(content).digest() + content)
        except OSError as error:
            warnings.warn(f"compiled kernels could not be kept: {error}", RuntimeWarning, stacklevel=2)
            self.disable()

    def enable(self) -> None:
        """Read and write files."""
        self._enabled = True

    def disable(self) -> None:
        """Leave the files alone."""
        self._enabled = False

    def flush(self) -> None:
        """Nothing to do: a file that does not fit is never read."""

    def _file_name(self, sig: Any, codegen: Any) -> str:
        key = f"{self._key} {sig} {codegen.magic_tuple()} {sys.version_info[:2]}"
        return f"{self._name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.kernel"


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing, also where several processes write the same."""
    with NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        try:
            file.write(content)
            file.close()
            Path(file.name).chmod(0o644)
            os.replace(file.name, path)
        except BaseException:
            file.close()
            Path(file.name).unlink(missing_ok=True)
            raise
