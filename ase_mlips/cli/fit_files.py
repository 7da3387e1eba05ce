"""What the commands that fit share: labelled frames in, files of a fit out."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from ase_mlips.files.signals import deferred_interrupt
from ase_mlips.fit import LabelledFrame, read_frames

from .common import explained_labels, split_index
from .outputs import replacing


def rehearsed(output: str, write: Callable[[str], Iterable[str | os.PathLike[str]]]) -> list[Path]:
    """Write a small model under this name and remove it: what hinders that must be known before the fit.

    Returns the names of all files that the fit will write, the picture last.
    """
    target = Path(output)
    try:
        with TemporaryDirectory(dir=target.parent, prefix=".fit-") as folder:
            rehearsal = os.path.join(folder, target.name)
            try:
                written = [Path(name).name for name in write(rehearsal)]
            except ValueError as error:
                raise ValueError(str(error).replace(rehearsal, output)) from error
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target.parent)) from error
    return [*(target.parent / name for name in (*written, f"{target.stem}.report.json")), target.with_suffix(".png")]


def save(fit: Any, output: str, *, scores: bool = True, new: Sequence[Path] = ()) -> bool:
    """Write the fit, in the worst case to another directory: it may have taken hours.  True after Ctrl-C meanwhile.

    The files `new` must not exist.
    """
    with deferred_interrupt() as interrupted:
        try:
            if any(path.exists() for path in new):
                raise FileExistsError(errno.EEXIST, "something else has written it meanwhile", output)
            fit.save(output, scores=scores)
        except OSError as error:
            rescued = os.path.join(mkdtemp(prefix="ase-mlips-fit-"), os.path.basename(output))
            fit.save(rescued, scores=scores)
            raise OSError(error.errno, f"{error.strerror}; the fit was written to {rescued}", output) from error
    return interrupted.is_set()


def read(specification: str, species: Sequence[str] | None) -> list[LabelledFrame]:
    """Frames of ``file`` or ``file@index``."""
    path, index = split_index(specification)
    with explained_labels():
        return read_frames(path, index=index, species=species)


def label_counts(frames: Sequence[LabelledFrame]) -> str:
    """How many frames lack which label; empty where none does."""
    counts = {name: sum(getattr(frame, name) is None for frame in frames) for name in ("energy", "forces")}
    return "".join(f", {count} without {name}" for name, count in counts.items() if count)


def save_plot(fit: Any, picture: Path, *, force: bool) -> None:
    """Draw a fit without a screen, write the picture and say so."""
    import matplotlib

    matplotlib.use("Agg")
    figure = fit.plot()
    with replacing(picture, force=force) as path:
        figure.savefig(path, dpi=150)
    matplotlib.pyplot.close(figure)
    print(f"wrote {picture}")
