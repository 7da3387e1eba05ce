"""The folder of an active learning: steps that are done once, frames, models and the log."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.io import read

from ase_mlips.files.appending import AppendedFile
from ase_mlips.files.text import replace_files

from .labelling import Labels, as_text

LOG = "log.jsonl"
DATA = "data.extxyz"

Record = dict[str, Any]


class Round:
    """What belongs to one round; number 0 has the frames of the beginning.

    Parameters
    ----------
    folder : path
        Of the whole.
    number : int
    """

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        self.folder = folder / f"round-{number:03d}"

    def record(self, step: str) -> Record | None:
        """What a step has left, if it is done."""
        path = self.folder / f"{step}.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def model(self, ending: str) -> Path:
        """File of the model that was trained in this round."""
        return self.folder / f"model{ending}"

    @property
    def labels(self) -> Labels:
        """Labels of the structures that were selected."""
        return Labels(self.folder / "labels")

    @property
    def selected(self) -> list[Atoms]:
        """Structures to be labelled."""
        return frames_of(self.folder / "selected.extxyz")

    def select(self, frames: Sequence[Atoms]) -> None:
        """Write the structures that are to be labelled."""
        self.write("selected.extxyz", frames)

    def write(self, name: str, frames: Sequence[Atoms]) -> None:
        """Write frames, complete or not at all."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_files({os.fspath(path): as_text(list(frames)).encode() if frames else b""})

    def kept(self, step: str, number: int) -> Path:
        """Where the candidates of an exploration are; beside them is how it went."""
        return self.folder / step / f"{number:02d}.extxyz"


class Store:
    """All rounds, and the log; one process at a time has it.

    Parameters
    ----------
    folder : path
    log : AppendedFile
    """

    def __init__(self, folder: Path, log: AppendedFile) -> None:
        self.folder, self._log = folder, log
        content = log.read()
        log.truncate(content.rfind(b"\n") + 1)  # a line that was cut
        lines = content.decode(errors="replace").split("\n")[:-1]
        self._logged = {(row["round"], row["step"]) for row in map(json.loads, lines)}

    def round(self, number: int) -> Round:
        """The round of this number."""
        return Round(self.folder, number)

    def step(self, number: int, name: str, work: Callable[[], Mapping[str, Any] | None]) -> Record | None:
        """The record of a step, which is worked on unless it is done; None where it cannot be finished yet.

        What the work has written must be complete when it returns: the record is the mark that it is.
        """
        own = self.round(number)
        found = own.record(name)
        if found is None:
            started = time.perf_counter()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                left = work()
            if left is None:
                return None
            found = {"round": number, "step": name, **left, "seconds": round(time.perf_counter() - started, 3)}
            if caught:
                found["warnings"] = sorted({str(warning.message) for warning in caught})
            write_json(own.folder / f"{name}.json", found)
        if (number, name) not in self._logged:
            self._log.append(json.dumps(found).encode() + b"\n")
            self._logged.add((number, name))
        return found

    def data(self, before: int) -> list[Atoms]:
        """All labelled frames of the rounds before this one."""
        frames: list[Atoms] = []
        for number in range(before):
            own = self.round(number)
            frames += own.labels.frames(len(own.selected))
        return frames

    def write_data(self, frames: Sequence[Atoms]) -> Path:
        """Write the data set; its path."""
        path = self.folder / DATA
        replace_files({os.fspath(path): as_text(list(frames)).encode()})
        return path


@contextmanager
def opened(folder: str | os.PathLike[str]) -> Iterator[Store]:
    """The store of a folder, which is made where there is none.

    Raises
    ------
    OSError
        Another process works in it, or it cannot be written.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    with AppendedFile(place / LOG, new=False) as log:
        yield Store(place, log)


def frames_of(path: Path) -> list[Atoms]:
    """All frames of an extended xyz file; none of an empty one, or where there is none."""
    return list(read(path, ":")) if path.exists() and path.stat().st_size else []


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file of JSON, complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_files({os.fspath(path): json.dumps(content, indent=1) + "\n"})


def require_same(path: Path, settings: Mapping[str, Any], free: Iterable[str]) -> None:
    """Write what decides the course of a learning, or refuse to go on with one that was decided otherwise.

    Raises
    ------
    ValueError
        The file has another value of what is not `free`.
    """
    if not path.exists():
        write_json(path, settings)
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    for name in sorted({*before, *settings} - {*free}):
        if before.get(name) != settings.get(name):
            raise ValueError(
                f"{path}: was begun with {name}: {before.get(name)!r}, and is to go on with {settings.get(name)!r};"
                " choose another folder"
            )
