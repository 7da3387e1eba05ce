"""What the loop needs of a family of potentials, and what each family gives."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ase import Atoms
from ase.data import atomic_numbers

from ase_mlips import MTP, NEP, SNAP
from ase_mlips.files.text import beginning
from ase_mlips.fit import (
    Committee,
    FullBatch,
    LabelledFrame,
    Loss,
    MlipLoss,
    NepSettings,
    NepTraining,
    fit_mtp,
    fit_nep,
    fit_snap,
    read_nep_in,
)
from ase_mlips.mtp import MtpModel, read_active_set, read_mtp
from ase_mlips.mtp.grade import Mode
from ase_mlips.nep import NepModel
from ase_mlips.nep.files import looks_like_nep, read_nep
from ase_mlips.snap import SnapModel

from .folder import write_json
from .protocols import Graded, Uncertain
from .selection import Selection, select_add, select_farthest
from .settings import ActiveRun

_APART = 1000  # seeds of two members of a committee


class Learner(Protocol):
    """A family of potentials that can be trained, and that grades structures.

    What it is like stands in its `repr`, by which a learning is known that goes on.

    Attributes
    ----------
    ending : str
        Of the file of a model.
    """

    @property
    def ending(self) -> str: ...

    def train(
        self, frames: Sequence[LabelledFrame], path: Path, *, start: Path | None, seed: int, afresh: bool
    ) -> None:
        """Fit the frames and write the model, ready for `calculator`.

        It goes on from the model of the file `start` if there is one; with `afresh` it begins anew, too, and the better
        counts.

        Raises
        ------
        KeyboardInterrupt
            Ctrl-C came before the end.
        """

    def calculator(self, path: Path) -> Uncertain:
        """The model of a file, ready to be graded."""

    def select(self, calc: Any, old: Sequence[Atoms], candidates: Sequence[Atoms], *, budget: int) -> Selection:
        """Which of the candidates to label, given that the old frames are known."""


@dataclass(frozen=True, eq=False)
class MtpLearner:
    """Moment tensor potentials.

    Attributes
    ----------
    template : MtpModel or int
        As of `fit_mtp`: an untrained potential, the level of one, or a trained one to start from.
    iterations : int
    mode : {"neighborhood", "configuration"}
        Of the grade.
    loss : MlipLoss, optional
    threads : int
    """

    template: MtpModel | int
    iterations: int = 300
    mode: Mode = "neighborhood"
    loss: MlipLoss | None = None
    threads: int = field(default=1, repr=False)
    ending: str = ".almtp"
    select: ClassVar[Callable[..., Selection]] = staticmethod(select_add)

    def train(
        self, frames: Sequence[LabelledFrame], path: Path, *, start: Path | None, seed: int, afresh: bool
    ) -> None:
        """Train from the present parameters, from several seeds, or both; see `Learner`."""
        training = FullBatch(iterations=self.iterations, seed=seed, threads=self.threads)
        fit = better(
            fit_mtp(template, frames, training=training, loss=self.loss, active_set=self.mode)
            for template in begun(self.template, None if start is None else read_mtp(start), afresh=afresh)
        )
        numbers = tuple(atomic_numbers[symbol] for symbol in fit.model.species)
        replace(fit, model=replace(fit.model, labels=numbers)).save(path)  # so that the file names its elements

    def calculator(self, path: Path) -> Graded:
        """The potential with its active set; that this is not complete was said after the training."""
        calc = MTP(read_mtp(path))
        calc.active_set = read_active_set(path)
        return calc


@dataclass(frozen=True, eq=False)
class NepLearner:
    """Neuroevolution potentials; active sets are in ``.asi`` files beside them.

    Attributes
    ----------
    template : NepSettings or NepModel
        As of `fit_nep`.
    epochs : int
        Of each training.
    threads : int
    """

    template: NepSettings | NepModel
    epochs: int = 100
    threads: int = field(default=1, repr=False)
    ending: str = ".txt"
    select: ClassVar[Callable[..., Selection]] = staticmethod(select_add)

    def train(
        self, frames: Sequence[LabelledFrame], path: Path, *, start: Path | None, seed: int, afresh: bool
    ) -> None:
        """Train all frames, from the present parameters at a smaller rate, from a seed, or both; see `Learner`."""
        fresh = NepTraining(epochs=self.epochs, seed=seed, num_threads=self.threads)
        later = replace(fresh, learning_rate=fresh.learning_rate / 5.0)
        fit = better(
            fit_nep(template, frames, validation=0.0, training=later if isinstance(template, NepModel) else fresh)
            for template in begun(self.template, None if start is None else read_nep(start), afresh=afresh)
        )
        fit.save(path)
        calc = NEP(path)
        calc.select_active_set([frame.atoms for frame in frames])
        calc.write_active_set(path.with_suffix(".asi"))

    def calculator(self, path: Path) -> Graded:
        """The potential with its active set."""
        return NEP(path, active_set=path.with_suffix(".asi"))


@dataclass(frozen=True, eq=False)
class SnapLearner:
    """Linear or quadratic SNAP; active sets are in files ``.active.npz`` beside them.

    Attributes
    ----------
    template : SnapModel
        As of `fit_snap`, which finds the one best model whatever was before.
    loss : Loss, optional
    """

    template: SnapModel
    loss: Loss | None = None
    ending: str = ".snap.npz"
    select: ClassVar[Callable[..., Selection]] = staticmethod(select_add)

    def train(
        self, frames: Sequence[LabelledFrame], path: Path, *, start: Path | None, seed: int, afresh: bool
    ) -> None:
        """Solve for the coefficients; see `Learner`."""
        fit_snap(self.template, frames, loss=self.loss).save(path)
        calc = SNAP(path)
        calc.select_active_set([frame.atoms for frame in frames])
        calc.write_active_set(self._active(path))

    def calculator(self, path: Path) -> Graded:
        """The potential with its active set."""
        return SNAP(path, active_set=self._active(path))

    def _active(self, path: Path) -> Path:
        return path.with_name(path.name.removesuffix(self.ending) + ".active.npz")


@dataclass(frozen=True, eq=False)
class CommitteeLearner:
    """Several models of one family from other seeds, whose grade is the largest deviation of a force, in eV/A.

    Attributes
    ----------
    member : Learner
        `MtpLearner` or `NepLearner`; SNAP has one best model, whatever the seed.
    members : int
        Two or more.
    per_round : int
        At most so many structures are selected, each far from the frames that are there and from the others.

    Raises
    ------
    ValueError
        Fewer than two members, or members that would be the same.
    """

    member: MtpLearner | NepLearner
    members: int = 4
    per_round: int = 10
    ending: str = ".committee.json"

    def __post_init__(self) -> None:
        if self.members < 2:
            raise ValueError(f"members: expected two or more, got {self.members}")
        if not isinstance(self.member, MtpLearner | NepLearner):
            raise ValueError("members: are of MTP and NEP; there is one best SNAP, whatever the seed")

    def train(
        self, frames: Sequence[LabelledFrame], path: Path, *, start: Path | None, seed: int, afresh: bool
    ) -> None:
        """Train each member, which goes on from its own model; see `Learner`."""
        names = [f"{path.name.removesuffix(self.ending)}.{k}{self.member.ending}" for k in range(self.members)]
        for k, name in enumerate(names):
            own = None if start is None else start.with_name(name)
            self.member.train(frames, path.with_name(name), start=own, seed=seed + _APART * (k + 1), afresh=afresh)
        write_json(path, {"members": names})

    def calculator(self, path: Path) -> Committee:
        """The mean of the members, with their deviations."""
        names = json.loads(path.read_text(encoding="utf-8"))["members"]
        return Committee([self.member.calculator(path.with_name(name)) for name in names])

    def select(self, calc: Any, old: Sequence[Atoms], candidates: Sequence[Atoms], *, budget: int) -> Selection:
        """By the distance of their descriptors; of deviations nobody knows which structures are alike."""
        return select_farthest(calc.members[0], old, candidates, budget=min(budget, self.per_round))


def begun(template: Any, present: Any, *, afresh: bool) -> list[Any]:
    """What trainings begin from: the template, the present model, or both."""
    return ([template] if present is None or afresh else []) + ([] if present is None else [present])


def better(fits: Iterator[Any]) -> Any:
    """The fit of the least loss on its training frames; KeyboardInterrupt where Ctrl-C has ended one."""
    found: list[Any] = []
    for fit in fits:
        if fit.interrupted:
            raise KeyboardInterrupt
        found.append(fit)
    return min(found, key=lambda fit: float(fit.history["loss"].min()))


def learner_of(
    model: str, settings: ActiveRun, elements: Sequence[str], *, species: Sequence[str] | None = None, threads: int = 1
) -> Learner:
    """The learner of what the command calls MODEL.

    Parameters
    ----------
    model : str
        ``mtp:LEVEL``; a file of an MTP, NEP or SNAP potential, trained or not; or a nep.in file.
    settings : ActiveRun
    elements : sequence of str
        Of all structures.
    species : sequence of str, optional
        Elements of the types, in their order.
    threads : int

    Raises
    ------
    OSError, ValueError
        The file cannot be read, there is no such level, or a setting is of another family.
    """
    own = _family_of(model, settings, elements, species=species, threads=threads)
    if settings.members is None:
        return own
    return CommitteeLearner(own, settings.members, settings.labels_per_round or CommitteeLearner.per_round)  # type: ignore[arg-type]


def _family_of(
    model: str, settings: ActiveRun, elements: Sequence[str], *, species: Sequence[str] | None, threads: int
) -> MtpLearner | NepLearner | SnapLearner:
    """The learner of one model."""
    family, colon, level = model.partition(":")
    by_level = family == "mtp" and bool(colon) and not os.path.exists(model)
    if settings.cutoff is not None and not by_level:
        raise ValueError(f"cutoff: is of mtp:LEVEL; {model} has its own")
    if by_level and not level.isdecimal():
        raise ValueError(f"{model}: expected mtp:LEVEL such as mtp:12")
    if by_level:
        given = {} if settings.cutoff is None else {"max_dist": settings.cutoff}
        return _mtp_learner(MTP.untrained(int(level), list(species or elements), **given), settings, threads)
    if MTP.recognizes(Path(model)):
        template = read_mtp(model, species=species)
        named = bool(template.species) and None not in template.species
        return _mtp_learner(template if named else template.with_species(list(elements)), settings, threads)
    if settings.mode != "neighborhood":
        raise ValueError(f"mode: {settings.mode} is of MTP; {model} is none")
    if looks_like_nep(model):
        return NepLearner(read_nep(model), settings.iterations, threads)
    if SNAP.recognizes(Path(model)):
        return SnapLearner(SNAP(model).model)
    if beginning(model, 1):
        return NepLearner(read_nep_in(model), settings.iterations, threads)
    raise ValueError(
        f"{model}: expected mtp:LEVEL, a file of a potential, or a nep.in file; there is none of that name"
    )


def _mtp_learner(template: MtpModel, settings: ActiveRun, threads: int) -> MtpLearner:
    return MtpLearner(template, iterations=settings.iterations, mode=settings.mode, threads=threads)
