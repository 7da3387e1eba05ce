"""The one rule for all files that commands write: none that exists is lost, unless ``--force`` says so.

An output that exists is refused, and replaced with ``--force``; one that is an input or another output too, or where
standard output goes, is refused always.  What an interrupted command has reached never replaces a file.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from typing import Any, TypeAlias

from ase_mlips.analysis.tables import Tabulated
from ase_mlips.files.places import require_place
from ase_mlips.registry import families

from .common import split_index

FileName: TypeAlias = str | os.PathLike[str]

_TABLES = (".csv", ".dat")  # endings of tables
_FURTHER_ENDINGS = (".mliap", ".mod", ".pt")  # of potentials, beside those that the families name


def claim(
    outputs: Mapping[str, FileName | Iterable[FileName] | None],
    inputs: Iterable[FileName] = (),
    *,
    force: bool = False,
    going_on: Iterable[str] = (),
) -> None:
    """Fail now, before any work, where a file could not be written or would take another one's place.

    Parameters
    ----------
    outputs : mapping
        From the option that names files to these files; None where there is none.
    inputs : iterable of path
    force : bool
        Files that exist are to be replaced.
    going_on : iterable of str
        Options whose files may exist because the command goes on with them.

    Raises
    ------
    ValueError
        A name that is taken: by a file without `force`, by an input, by another output, by standard output.
    OSError
        A file cannot be written there.
    """
    appended = set(going_on)
    taken = {_identity(path): f"is an input too ({path}), which would be lost" for path in inputs}
    taken |= dict.fromkeys(_standard_streams(), "is where the shell sends what the command says")
    for option, paths in outputs.items():
        for path in _as_paths(paths):
            require_place(path, append=option in appended and os.path.exists(path))
            if reason := taken.get(_identity(path)):
                raise ValueError(f"{path}: {reason}; expected another name for {option}")
            if os.path.exists(path) and not force and option not in appended:
                raise ValueError(f"{path}: exists; --force replaces it, or choose another name for {option}")
            taken[_identity(path)] = f"is what {option} names, too"


def claim_numbers(args: Namespace, inputs: Iterable[FileName]) -> None:
    """`claim` the numbers of ``args.output`` as a NumPy file, the picture beside it, and a table where it names one.

    Raises
    ------
    ValueError
        Another ending, or as `claim`.
    """
    stem, ending = os.path.splitext(args.output)
    if ending not in (".npz", *_TABLES):
        raise ValueError(f"{args.output}: expected a name that ends in .npz, or in .csv or .dat for a table beside it")
    endings = dict.fromkeys((".npz", ending, ".png"))
    claim({"-o": [stem + end for end in endings]}, inputs, force=args.force)


def save_result(
    result: Tabulated, draw: Callable[[Any], Any], output: str, *, force: bool = False, beginning: bool = False
) -> str:
    """Write numbers, the table that `output` may name, and the picture that `draw` makes; their names in words.

    With `beginning` they are of an interrupted analysis, and get names that are free.
    """
    stem, ending = os.path.splitext(output)
    if beginning:
        stem, force = os.path.splitext(unfinished(output, (".npz", ".png")))[0], False
    names = [f"{stem}.npz"]
    with replacing(names[0], force=force) as path:
        result.save(path)
    if ending in _TABLES:
        names.append(f"{stem}{ending}")
        with replacing(names[1], force=force) as path:
            result.write_text(path)
    return f"{', '.join(names)} and {save_picture(draw, names[0], force=force)}"


def save_picture(draw: Callable[[Any], Any], output: str, *, force: bool) -> str:
    """Write the picture that belongs to the numbers in `output`, drawn by `draw` into Matplotlib axes; its name."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 4.0), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.subplots())
    picture = _picture(output)
    with replacing(picture, force=force) as path:
        figure.savefig(path)
    return picture


def _picture(output: str) -> str:
    return os.path.splitext(output)[0] + ".png"


def _as_paths(paths: FileName | Iterable[FileName] | None) -> list[FileName]:
    if paths is None:
        return []
    return [paths] if isinstance(paths, str | os.PathLike) else list(paths)


def _identity(path: FileName) -> tuple[int, int] | str:
    """The same for all names of one file: symbolic and hard links too."""
    try:
        there = os.stat(path)
    except OSError:
        return os.path.normcase(os.path.realpath(path))
    return there.st_dev, there.st_ino


def _standard_streams() -> list[tuple[int, int]]:
    """The files that the shell has made standard output and standard error."""
    streams = []
    for number in (1, 2):
        with suppress(OSError):  # closed
            there = os.fstat(number)
            if stat.S_ISREG(there.st_mode):
                streams.append((there.st_dev, there.st_ino))
    return streams


def file_of(specification: str) -> str:
    """The file of ``file`` or ``file@index``."""
    return split_index(specification)[0]


def model_files(name: str) -> list[str]:
    """The files that a model may be read from: its own, and those of potentials with the same beginning of the name."""
    if name.startswith("embedded:"):
        return []
    endings = {ending for family in families for ending in family.file_endings if ending.startswith(".")}
    endings |= {*_FURTHER_ENDINGS}
    stem = min((name.removesuffix(ending) for ending in endings), key=len)
    return [path for path in (name, *sorted(stem + ending for ending in endings)) if os.path.exists(path)]


def unfinished(path: str, beside: Iterable[str] = ()) -> str:
    """Where to write what an interrupted command has reached: `path`, or a name like it where there is a file.

    `beside` are endings of further files that must not be there either.
    """
    stem, ending = os.path.splitext(path)
    stems = chain([stem], (f"{stem}-unfinished{number or ''}" for number in count()))
    endings = (ending, *beside)
    return next(name for name in stems if not any(os.path.exists(name + end) for end in endings)) + ending


@contextmanager
def replacing(path: FileName, *, force: bool = False) -> Iterator[Path]:
    """Path to write to; the file gets its name, see `give_name`, when the block ends well, and vanishes otherwise."""
    with beside(path) as new:
        yield new
        give_name(new, path, force=force)


@contextmanager
def beside(path: FileName) -> Iterator[Path]:
    """Where to write a file that is to become `path` later; what has no other name by the end vanishes.

    Raises
    ------
    ValueError, OSError
        `path` is a directory, or nothing can be written there.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise ValueError(f"{path}: is a directory")
    folder = ""
    try:
        folder = tempfile.mkdtemp(prefix=".ase-mlips-", dir=target.parent)
        # In a folder of its own it keeps its name, from which ASE guesses the format.
        yield Path(folder, target.name)
    except OSError as error:
        if not folder or str(error.filename).startswith(folder):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def give_name(new: Path, path: FileName, *, force: bool = False) -> None:
    """Move a complete file to where it shall be.

    Raises
    ------
    FileExistsError
        Without `force`, when there is a file of that name by then; the message says where the new one is.
    """
    target = os.path.realpath(path)  # a symbolic link stays one
    if force:
        os.replace(new, target)
        return
    try:
        os.link(new, target)  # unlike a renaming it fails where there is a file
    except OSError:
        if os.path.exists(target):
            kept = unfinished(os.fspath(path))
            os.replace(new, kept)
            raise FileExistsError(f"{path}: something else has written it meanwhile; the result is {kept}") from None
        os.replace(new, target)  # a file system without hard links
