"""MTP: moment tensor potentials of MLIP, with the extrapolation grade."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms

from ..arrays import FloatArray, IntArray
from ..calculator import PotentialCalculator
from ..extrapolation import ExtrapolationError, ExtrapolationObserver
from ..grades.grade import Grade
from ..results import checked
from .active_set import ActiveSet
from .files import looks_like_mtp, read_active_set, read_mtp
from .grade import Grader, extrapolation_grade, grade_rows, grader, select, warn_if_incomplete
from .model import MtpModel, Species
from .potential import MtpPotential
from .templates import untrained
from .writing import write_mtp
from .writing_configurations import write_mlip_cfg

__all__ = [
    "MTP",
    "ActiveSet",
    "ExtrapolationError",
    "ExtrapolationObserver",
    "Grade",
    "MtpModel",
    "MtpPotential",
    "read_active_set",
    "read_mtp",
    "write_mtp",
]


class MTP(PotentialCalculator):
    """ASE calculator for trained MLIP-2 and MLIP-3 potentials.

    Parameters
    ----------
    model : path or MtpModel
        A ``.mtp`` or ``.almtp`` file.
    species : sequence of str, or dict of str to int, optional
        Chemical symbols in MLIP's type order, or the type of each as in ``{"Si": 0, "O": 1}``; needed where the file
        does not hold atomic numbers.
    active_set : path or ActiveSet, optional
        What `get_extrapolation_grade` compares with: an ``.almtp`` file that holds one, or what `select_active_set`
        gave; by default the one that the file of the model holds.
    **kwargs
        ``skin`` and ``num_threads``, see `PotentialCalculator`.

    Raises
    ------
    ValueError
        A malformed file (the message begins with ``path:line``), an untrained one, or species that are missing.

    References
    ----------
    Shapeev, Multiscale Model. Simul. 14, 1153 (2016); Podryabinkin and Shapeev, Comput. Mater. Sci. 140, 171 (2017);
    Novikov et al., Mach. Learn. Sci. Technol. 2, 025002 (2021).
    """

    file_endings: ClassVar[tuple[str, ...]] = (".mtp", ".almtp")
    _grader: tuple[ActiveSet, Grader | None] | None = None  # of the present active set, made when it is used
    grade_rcond = None  # as in MLIP, rows compete as they are

    def __init__(
        self,
        model: str | Path | MtpModel,
        species: Species | None = None,
        *,
        active_set: str | Path | ActiveSet | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(model, MtpModel):
            mtp = model if species is None else model.with_species(species)
        else:
            mtp = read_mtp(model, species=species)
            active_set = model if active_set is None else active_set
        try:
            potential = MtpPotential(mtp)
        except ValueError as error:
            raise ValueError(str(error) if isinstance(model, MtpModel) else f"{model}: {error}") from None
        super().__init__(potential, **kwargs)
        found = active_set if active_set is None or isinstance(active_set, ActiveSet) else read_active_set(active_set)
        if found is None and active_set is not None and active_set != model:
            raise ValueError(f"{active_set}: expected an MLIP-3 file with an active set, got one without")
        if found is not None:
            warn_if_incomplete(mtp, found)
        self.active_set = found
        if not isinstance(model, MtpModel):
            self.parameters["model"] = str(model)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Whether the file at `path` begins like an MLIP potential."""
        return looks_like_mtp(path)

    @staticmethod
    def untrained(level: int, species: Species, **parameters: Any) -> MtpModel:
        """The untrained model of a level, as MLIP ships them; see `templates.untrained`."""
        return untrained(level, species, **parameters)

    @property
    def model(self) -> MtpModel:
        """The model that is evaluated."""
        return self._mtp.model

    def write(self, path: str | Path) -> None:
        """Write the model, and its active set if it has one, as MLIP does."""
        write_mtp(path, self.model, self.active_set)

    def get_descriptors(self, atoms: Atoms) -> FloatArray:
        """Basis functions B of every atom, (N, nS), in the order of the moment coefficients."""
        with self._listed(atoms) as (neighbors, species):
            return checked("descriptors", self._mtp.basis(neighbors, species))

    def get_parameter_gradients(self, atoms: Atoms) -> FloatArray:
        """Derivatives of every atomic energy by all parameters, (N, n), in the order of MLIP's files."""
        with self._listed(atoms) as (neighbors, species):
            return checked("parameter gradients", self._mtp.parameter_gradients(neighbors, species))

    def get_extrapolation_grade(self, atoms: Atoms) -> Grade:
        """How far `atoms` lie from the active set: grades above about 3 extrapolate, above 10 are not to be trusted.

        Raises
        ------
        ValueError
            Neither the file nor the caller gave an active set.
        """
        if self.active_set is None:
            raise ValueError(f"{self!r} has no active set: read an MLIP-3 .almtp file, or give active_set=")
        if self._grader is None or self._grader[0] is not self.active_set:
            self._grader = self.active_set, grader(self.model, self.active_set)
        fast = self._grader[1]
        if fast is None:
            return extrapolation_grade(self.model, self.active_set, self.get_parameter_gradients(atoms))
        with self._listed(atoms) as (neighbors, species):
            terms = self._mtp.gradient_terms(neighbors, species, self._num_threads)
        return fast(species, checked("parameter gradients", terms))

    def get_grade_rows(self, atoms: Atoms) -> tuple[IntArray, FloatArray]:
        """Group (N,), 0 for all, and row (N, n) of every atom; of the structure, (1,) and (1, n), if that is graded.

        The present active set says which it is, and which parameters count; without one, atoms and all parameters.
        """
        rows = grade_rows(self.model, self.active_set, self.get_parameter_gradients(atoms))
        return np.zeros(len(rows), np.int32), rows

    def select_active_set(self, frames: Iterable[Atoms], **options: Any) -> ActiveSet:
        """Select the active set of a training set and grade with it from now on.

        Parameters
        ----------
        frames : iterable of Atoms
        **options
            ``mode`` ("neighborhood" or "configuration"), ``parameters`` ("full" as MLIP, or "linear") and
            ``threshold``, see `grade.select`.
        """
        images = list(frames)
        if not images:
            raise ValueError("select_active_set: expected at least one frame, got none")
        gradients = (self.get_parameter_gradients(atoms) for atoms in images)
        texts = []
        for atoms in images:
            text = StringIO()
            write_mlip_cfg(text, atoms, species=self.potential.elements)
            texts.append(text.getvalue().strip())
        self.active_set = select(self.model, gradients, configurations=texts, **options)
        return self.active_set

    @property
    def _mtp(self) -> MtpPotential:
        return self.potential  # type: ignore[return-value]

    def _describe(self) -> str:
        model = self.model
        return f"{', '.join(self.potential.elements)}, {len(model.mapping)} functions, cutoff={model.max_dist:g} A"
