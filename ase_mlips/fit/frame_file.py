"""Labelled configurations in a file that is larger than the memory."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import ase.io
import numpy as np
from ase.io.formats import filetype
from tqdm import tqdm

from ..files.reading import readable
from ..files.text import complaint, quoted
from .dataset import LabelledFrame, LazyFrames, labelled_frame
from .labels import parsed_comment


class FrameFile(LazyFrames):
    """The frames of an extended xyz file, read one by one when they are asked for.

    It stands for the list that `read_frames` gives wherever that is expected; its slices and what `split_frames` makes
    of it are as lazy.  The file is passed once to find where the frames begin.

    Parameters
    ----------
    path : path
        Extended xyz, not compressed.
    keys, group_key
        See `read_frames`.
    cache : int
        How many frames to keep in memory, those that were asked for last.

    Raises
    ------
    ValueError
        The file has no frames or another format, or ends within a frame; here.  A frame that `read_frames` would
        refuse, or a file that was changed meanwhile, is found when the frame is asked for.
    OSError
        The file cannot be opened.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase.calculators.singlepoint import SinglePointCalculator
    >>> from ase_mlips.fit import FrameFile, split_frames
    >>> atoms = bulk("Si")
    >>> atoms.calc = SinglePointCalculator(atoms, energy=-10.8)
    >>> for _ in range(20):
    ...     atoms.write("large.xyz", append=True)
    >>> train, test = split_frames(FrameFile("large.xyz"), 0.05)
    >>> len(train), len(test)
    (19, 1)
    """

    def __init__(
        self,
        path: str | Path,
        *,
        keys: Mapping[str, str] | None = None,
        group_key: str | None = None,
        cache: int = 256,
    ) -> None:
        if cache < 0:
            raise ValueError(f"cache: expected a number of frames, at least 0, got {cache}")
        self._path, self._keys, self._group_key = Path(path), keys, group_key
        self._bound = cache
        self._kept: OrderedDict[int, LabelledFrame] = OrderedDict()
        with readable(path, "structures"):
            form = filetype(str(path))
        if form != "extxyz":
            raise ValueError(f"{path}: expected an extended xyz file, got {form}; read_frames takes other formats")
        self._stamp = _stamp(self._path)
        self._begin = _offsets(self._path)

    def __len__(self) -> int:
        return len(self._begin) - 1

    def __repr__(self) -> str:
        return f"FrameFile({len(self)} frames; {self._path})"

    def frame(self, number: int) -> LabelledFrame:
        """The frame of this number, counted from 0."""
        if number not in self._kept:
            self._kept[number] = self._read(number)
        self._kept.move_to_end(number)
        found = self._kept[number]
        if len(self._kept) > self._bound:
            self._kept.popitem(last=False)
        return found

    def _read(self, number: int) -> LabelledFrame:
        if _stamp(self._path) != self._stamp:
            raise ValueError(f"{self._path}: the file was changed after it had been opened; open it again")
        source = f"{self._path}, frame {number}"
        begin, end = (int(place) for place in self._begin[number : number + 2])
        with self._path.open("rb") as file:
            file.seek(begin)
            data = file.read(end - begin)
        with readable(source, "structures"):
            text = io.StringIO(data.decode())
            atoms = ase.io.read(text, format="extxyz", properties_parser=parsed_comment)
        return labelled_frame(atoms, source, self._keys, self._group_key)


def _stamp(path: Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def _offsets(path: Path) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Where each frame begins, and where the last one ends, in bytes."""
    places, line, blank = [0], 0, 0
    bar = tqdm(total=path.stat().st_size, desc="finding frames", unit="B", unit_scale=True, disable=None)
    with path.open("rb") as file, bar:
        while first := file.readline():
            line += 1
            words = first.split()
            if not words:  # nothing may follow it
                blank = blank or line
                continue
            if blank or len(words) != 1 or not words[0].isdigit():
                got = "an empty line" if blank else quoted(first.decode(errors="replace").strip())
                raise complaint(path, blank or line, "the number of atoms of a frame", got)
            for _ in range(int(words[0]) + 1):
                if not file.readline():
                    expected = f"a frame of {words[0].decode()} atoms"
                    raise complaint(path, line, expected, "the end of the file within it")
                line += 1
            bar.update(file.tell() - places[-1])
            places.append(file.tell())
    if len(places) == 1:
        raise ValueError(f"{path}: no frames")
    return np.array(places, dtype=np.int64)
