"""What the loop needs of a family of potentials, and what each family gives."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.data import atomic_numbers

from ase_mlips.fit import FullBatch, LabelledFrame, MlipLoss, fit_mtp
from ase_mlips.mtp import MTP, MtpModel, read_active_set, read_mtp
from ase_mlips.mtp.grade import THRESHOLD, Mode, maxvol

from .settings import ActiveRun


class Learner(Protocol):
    """A family of potentials that can be trained, and that grades structures."""

    @property
    def ending(self) -> str:
        """Of the file of a model."""

    def train(self, frames: Sequence[LabelledFrame], start: Path | None, *, seed: int, afresh: bool) -> Any:
        """A fit of the frames, with `interrupted` and `save(path)`.

        It goes on from the model of a file if there is one; with `afresh` it begins anew, too, and the better counts.
        """

    def calculator(self, path: Path) -> BaseCalculator:
        """The model of a file with `get_extrapolation_grade`."""

    def select(self, path: Path, candidates: Sequence[Atoms]) -> list[int]:
        """Which of the candidates add to what the model of a file was trained on."""


@dataclass(frozen=True, eq=False)
class MtpLearner:
    """Moment tensor potentials, with MaxVol active sets.

    Attributes
    ----------
    template : MtpModel or int
        As of `fit_mtp`: an untrained potential, the level of one, or a trained one to start from.
    iterations : int
    mode : {"neighborhood", "configuration"}
    loss : MlipLoss, optional
    threads : int
    """

    template: MtpModel | int
    iterations: int = 300
    mode: Mode = "neighborhood"
    loss: MlipLoss | None = None
    threads: int = 1
    ending: str = ".almtp"

    def train(self, frames: Sequence[LabelledFrame], start: Path | None, *, seed: int, afresh: bool) -> Any:
        """Train from the present parameters, from several seeds, or both."""
        training = FullBatch(iterations=self.iterations, seed=seed, threads=self.threads)
        templates = [self.template] if start is None or afresh else []
        templates += [] if start is None else [read_mtp(start)]
        fit = None
        for template in templates:
            other = fit_mtp(template, frames, training=training, loss=self.loss, active_set=self.mode)
            if fit is None or other.history["loss"].min() < fit.history["loss"].min():
                fit = other
            if other.interrupted:
                break
        assert fit is not None
        numbers = tuple(atomic_numbers[symbol] for symbol in fit.model.species)
        return replace(fit, model=replace(fit.model, labels=numbers))  # so that the file names its elements

    def calculator(self, path: Path) -> BaseCalculator:
        """The potential with its active set."""
        calc = MTP(read_mtp(path))
        calc.active_set = read_active_set(path)  # that it is not complete was said after the training
        return calc

    def select(self, path: Path, candidates: Sequence[Atoms]) -> list[int]:
        """Those that enter the active set, as MLIP's ``select_add`` has it."""
        calc = self.calculator(path)
        rows = [calc.get_parameter_gradients(atoms) for atoms in candidates]
        if self.mode == "configuration":
            rows = [own.mean(axis=0, keepdims=True) for own in rows]
        owners = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
        active = calc.active_set
        found = maxvol(np.concatenate(rows), threshold=THRESHOLD, start=(active.A, active.S))
        entered = found.sources[found.sources >= len(active.A)] - len(active.A)
        return sorted({int(number) for number in owners[entered]})


def learner_of(
    model: str, settings: ActiveRun, elements: Sequence[str], *, species: Sequence[str] | None = None, threads: int = 1
) -> Learner:
    """The learner of what the command calls MODEL.

    Parameters
    ----------
    model : str
        ``mtp:LEVEL``, or a file of a potential, trained or not.
    settings : ActiveRun
    elements : sequence of str
        Of all structures.
    species : sequence of str, optional
        Elements of the types, in their order.
    threads : int

    Raises
    ------
    OSError, ValueError
        The file cannot be read, or there is no such level.
    """
    family, colon, level = model.partition(":")
    if family == "mtp" and colon and not os.path.exists(model):
        if not level.isdecimal():
            raise ValueError(f"{model}: expected mtp:LEVEL such as mtp:12")
        given = {} if settings.cutoff is None else {"max_dist": settings.cutoff}
        template = MTP.untrained(int(level), list(species or elements), **given)
        return MtpLearner(template, iterations=settings.iterations, mode=settings.mode, threads=threads)
    if settings.cutoff is not None:
        raise ValueError(f"cutoff: is of mtp:LEVEL; {model} has its own")
    if not MTP.recognizes(Path(model)):
        raise ValueError(f"{model}: expected mtp:LEVEL or a file of an MTP")
    template = read_mtp(model, species=species)
    if not template.species or None in template.species:
        template = template.with_species(list(elements))
    return MtpLearner(template, iterations=settings.iterations, mode=settings.mode, threads=threads)
