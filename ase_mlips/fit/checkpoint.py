"""All that a training needs to go on, in memory and on disk."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..files.archive import read_arrays, read_members
from ..files.text import replace_files
from .optimisers import Adam

DIGESTS = ("frames or descriptors", "labels", "weights")  # entries of a fingerprint that say nothing to a reader
HISTORY = (
    *("rate", "loss", "validation", "energy_mae", "force_mae"),
    *("energy_rmse", "force_rmse", "stress_rmse", "train_energy_rmse", "train_force_rmse", "train_stress_rmse"),
    *("first_penalty", "second_penalty"),
)
_KINDS = {
    **dict.fromkeys(("fingerprint", "generator"), ("U", 0)),
    **dict.fromkeys(("parameters", "best", "mean", "square", "history", "memory"), ("f", 2)),
    **dict.fromkeys(("steps", "best_epoch"), ("i", 0)),
}


@dataclass
class State:
    """Where a training stands between two epochs.

    Attributes
    ----------
    parameters, best : arrays
        Now, and at the least loss of the judging frames.
    adam : Adam
    generator : numpy.random.Generator
        Decides the order of the frames.
    history : list of tuple
        One of `HISTORY` for each epoch: learning rate (0 for L-BFGS), loss per frame of the training and of the
        judging frames, mean absolute errors of the latter in eV/atom and eV/A, and root mean square errors of the
        judging frames and, as they were seen, of the training frames, in the units of `Outcome.residuals`; at last the
        penalties of the parameters, `Objective.penalties`.
    best_epoch : int
        Index in the history, -1 before the first epoch.
    memory : array
        What the objective keeps from step to step, see `Objective.memory`.
    """

    parameters: FloatArray
    best: FloatArray
    adam: Adam
    generator: np.random.Generator
    history: list[tuple[float, ...]]
    best_epoch: int = -1
    memory: FloatArray = field(default_factory=lambda: np.zeros((1, 0)))

    @classmethod
    def begin(cls, parameters: FloatArray, seed: int, memory: FloatArray | None = None) -> State:
        """Before the first epoch."""
        adam = Adam(np.zeros_like(parameters), np.zeros_like(parameters))
        state = cls(parameters, parameters, adam, np.random.default_rng(seed), [])
        return state if memory is None else replace(state, memory=memory)

    def add(self, row: tuple[float, ...]) -> None:
        """Append an epoch to the history; its parameters are kept if they are the best so far."""
        judged = HISTORY.index("validation")
        if self.best_epoch < 0 or row[judged] < self.history[self.best_epoch][judged]:
            self.best, self.best_epoch = self.parameters.copy(), len(self.history)
        self.history.append(row)

    def write(self, path: str | Path, fingerprint: Mapping[str, Any]) -> None:
        """Write a checkpoint, complete or not at all; the values of the fingerprint must fit into JSON."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            fingerprint=json.dumps(fingerprint),
            parameters=np.ascontiguousarray(self.parameters),
            best=np.ascontiguousarray(self.best),
            mean=np.ascontiguousarray(self.adam.mean),
            square=np.ascontiguousarray(self.adam.square),
            steps=self.adam.steps,
            generator=json.dumps(self.generator.bit_generator.state),
            history=np.array(self.history).reshape(-1, len(HISTORY)),
            best_epoch=self.best_epoch,
            memory=np.ascontiguousarray(self.memory),
        )
        replace_files({str(path): buffer.getvalue()})

    @classmethod
    def read(cls, path: str | Path, fingerprint: Mapping[str, Any]) -> State:
        """Read a checkpoint; nothing in it is executed, and it takes no more memory than the file has bytes.

        Raises
        ------
        OSError
            The file cannot be read.
        ValueError
            It is damaged, no checkpoint, or has another fingerprint; the message says what differs.
        """
        try:
            members = {name.removesuffix(".npy"): data for name, data in read_members(path).items()}
            found = read_arrays(path, members, _KINDS)
            other = dict(json.loads(found["fingerprint"]))
            generator = np.random.default_rng()
            generator.bit_generator.state = json.loads(found["generator"])
            mean, square, parameters, best = (found[name].copy() for name in ("mean", "square", "parameters", "best"))
            history = [tuple(row) for row in found["history"].reshape(-1, len(HISTORY)).tolist()]
            adam, memory = Adam(mean, square, found["steps"]), found["memory"].copy()
            state = cls(parameters, best, adam, generator, history, found["best_epoch"], memory)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"{path}: expected a checkpoint of a training, got another or a damaged file") from error
        require_same(path, other, fingerprint)
        return state


def require_same(path: str | Path, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """ValueError that says what differs, unless a checkpoint's fingerprint is the one of this training."""
    if said := differences(there, json.loads(json.dumps(here))):
        raise ValueError(
            f"{path}: expected a checkpoint of the same frames, model and training, got one with {said};"
            " remove it or choose another file"
        )


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """What two fingerprints do not share, in words; empty where there is nothing."""
    names = [name for name in {**here, **there} if here.get(name) != there.get(name)]
    said = [
        f"other {name}" if name in DIGESTS else f"{name} {there.get(name)} in place of {here.get(name)}"
        for name in names
    ]
    if "epochs" in names:
        said[-1] += " (the learning rate falls over all epochs, so that more of them are another training)"
    return ", ".join(said)
