"""What all results of fits share: checks of their frames, and files that are complete or not there at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..files.signals import SignalsLater
from .dataset import LabelledFrame, require_frames, species_of
from .loss import Loss
from .report import write_json
from .shards import Shards


def checked_sets(
    train: Sequence[LabelledFrame], test: Sequence[LabelledFrame], *, elements: Sequence[str], loss: Loss
) -> dict[str, Sequence[LabelledFrame]]:
    """The sets "train" and, if there are any frames in it, "test" of a fit.

    Raises
    ------
    ValueError
        No frames, something else than frames, an element that is not among `elements`, or weights of an unknown group
        or none above zero.
    """
    require_frames("train", train)
    require_frames("test", test)
    require_training_frames(train, loss)
    require_elements(chain(train, test), elements)
    return {"train": train, "test": test} if test else {"train": train}


def require_training_frames(train: Sequence[LabelledFrame], loss: Loss, shards: Shards | None = None) -> None:
    """ValueError if there are none, or in no process those that `loss` has weights for."""
    if not train:
        raise ValueError("no training frames")
    loss.check_groups(set((shards or Shards()).union(frame.group for frame in train)))


def require_labels(any_count: bool, shards: Shards) -> None:
    """ValueError where in no process a label of a training frame counts: without one any model would do."""
    if not any(shards.all_of(any_count)):
        raise ValueError("train: expected a label with a weight above 0, else there is nothing to fit")


def require_elements(frames: Iterable[LabelledFrame], elements: Sequence[str]) -> None:
    """ValueError that names a frame and its elements that are not there."""
    for frame in frames:
        species_of(frame, elements)


def write_fit(path: str | Path, write: Callable[[Path], object], summary: Mapping[str, Any]) -> None:
    """Write a model with `write` and beside it ``<stem>.report.json``; all files appear at the end."""
    path = Path(path)
    with TemporaryDirectory(dir=path.parent, prefix=".fit-") as folder:
        write(Path(folder) / path.name)
        write_json(Path(folder) / f"{path.stem}.report.json", summary)
        with SignalsLater():
            for file in sorted(Path(folder).iterdir()):
                file.replace(path.parent / file.name)


def set_sizes(sets: Mapping[str, Sequence[LabelledFrame]]) -> str:
    """Such as "90 train and 10 test frames"."""
    return f"{' and '.join(f'{len(frames)} {name}' for name, frames in sets.items())} frames"
