"""POD, SNAP and ACE descriptors in one linear model, fitted together, as POD + SNAP in A. Rohskopf et al. (2023)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from ..ace.fitting import AceDesign, weighted, without_coefficients
from ..ace.model import AceModel
from ..arrays import FloatArray, Int64Array
from ..fit.dataset import LabelledFrame
from ..fit.design import DescriptorDesign, isolated_energies
from ..fit.equations import LinearEquations, LinearFit, fit_linear
from ..fit.linear import Solver
from ..fit.loss import Loss
from ..fit.results import checked_sets
from ..pod.model import PodBasis, PodModel
from ..snap.fitting import equal_descriptors
from ..snap.model import SnapModel
from .files import write_overlay
from .model import OverlayModel, Part
from .potential import OverlayPotential

Template = PodBasis | SnapModel | AceModel


class OverlayDesign(DescriptorDesign):
    """Turns frames into rows ``[A | b]`` whose unknowns give the coefficients of all parts.

    Parameters
    ----------
    templates : sequence of PodBasis, SnapModel or AceModel
        Everything but the coefficients.  A ZBL or core repulsion is kept and not fitted.
    frames : sequence of LabelledFrame
        All that will be fitted: their compositions decide which constants can be told apart.
    atomic_energies : mapping, optional
        Energy of the isolated atom of each element in eV, which the model will have exactly; without it one
        constant per element is fitted, which the first part gets.
    """

    def __init__(
        self,
        templates: Sequence[Template],
        frames: Sequence[LabelledFrame],
        atomic_energies: Mapping[str, float] | None = None,
    ) -> None:
        self.reference = _empty(templates, atomic_energies)
        equal, found = [], 0
        for part in self.reference.parts:
            own = _equal(part)
            equal.append(own + found)
            found += int(own.max()) + 1
        super().__init__(
            OverlayPotential(self.reference),
            frames,
            equal=np.concatenate(equal),
            quadratic=False,
            constants=atomic_energies is None,
        )
        if any(isinstance(part, AceModel) for part in self.reference.parts):
            self.reach = AceDesign.reach

    def model(self, solution: FloatArray) -> OverlayModel:
        """The model with the solved coefficients."""
        found = self.coefficients(solution)
        constants, column, parts = found[:, 0], 1, []
        for part in self.reference.parts:
            size = len(_equal(part))
            parts.append(_filled(part, constants, found[:, column : column + size]))
            constants, column = np.zeros_like(constants), column + size
        return OverlayModel(tuple(parts))

    def ready(self, model: OverlayModel) -> OverlayPotential:
        """The model, ready to be evaluated."""
        return OverlayPotential(model)

    def write(self, path: Path, model: OverlayModel) -> object:
        """Write the model as `write_overlay` does."""
        return write_overlay(path, model)

    def described(self, model: OverlayModel) -> str:
        """The kinds of the parts, their elements and the longest cutoff."""
        kinds = " + ".join(type(part).__name__.removesuffix("Model").upper() for part in model.parts)
        return f"{' '.join(model.elements)}, {kinds}, cutoff {model.cutoff:g} A"


def _equal(part: Part) -> Int64Array:
    """For each descriptor the number of the distinct one that it always equals."""
    if isinstance(part, SnapModel):
        return equal_descriptors(part)
    return np.arange(part.n_descriptors if isinstance(part, AceModel) else part.basis.n_descriptors)


def _empty(templates: Sequence[Template], atomic_energies: Mapping[str, float] | None) -> OverlayModel:
    """The model whose coefficients are zero but for the constants of its first part."""
    parts: list[Part] = []
    for template in templates:
        if isinstance(template, PodBasis):
            E = len(template.elements)
            parts.append(PodModel(template, np.zeros(E), np.zeros((E, 1, template.n_descriptors))))
        elif isinstance(template, AceModel):
            parts.append(without_coefficients(template, np.zeros(len(template.elements))))
        elif template.quadraticflag or template.network is not None:
            raise ValueError("templates: expected linear SNAP models, got a quadratic one or a network")
        else:
            parts.append(replace(template, coefficients=np.zeros_like(template.coefficients)))
    bare = OverlayModel(tuple(parts))
    first = parts[0]
    constants = isolated_energies(bare.elements, atomic_energies)
    return OverlayModel((_filled(first, constants, np.zeros((len(bare.elements), len(_equal(first))))), *parts[1:]))


def _filled(part: Part, constants: FloatArray, coefficients: FloatArray) -> Part:
    """The part with these constants (E,) added and these coefficients (E, n)."""
    if isinstance(part, PodModel):
        return PodModel(part.basis, part.constants + constants, coefficients[:, None])
    if isinstance(part, AceModel):
        return weighted(part, constants, coefficients)
    first = part.coefficients[:, 0] + constants
    return replace(part, coefficients=np.hstack([first[:, None], coefficients]))


class OverlayFit(LinearFit[OverlayModel]):
    """A fitted sum of models and how well it does."""


def fit_overlay(
    templates: Sequence[Template],
    train: Sequence[LabelledFrame],
    *,
    test: Sequence[LabelledFrame] = (),
    loss: Loss | None = None,
    atomic_energies: Mapping[str, float] | None = None,
    solver: Solver | Literal["auto"] = "auto",
) -> OverlayFit:
    """Fit one linear model of descriptors of several kinds, each within its own cutoff.

    Parameters
    ----------
    templates : sequence of PodBasis, SnapModel or AceModel
        Of the same elements in the same order; coefficients are ignored.  A ZBL or core repulsion is kept and not
        fitted.
    train, test, loss, atomic_energies, solver
        See `fit_pod` and `fit_snap`.

    Raises
    ------
    ValueError
        Templates of other elements, a quadratic SNAP or one with a network, and all that `fit_pod` and `fit_ace`
        refuse.
    numpy.linalg.LinAlgError
        "cholesky" was asked for and the normal equations are singular in double precision.

    Warns
    -----
    UserWarning
        As `fit_pod` does.
    """
    loss = loss or Loss()
    elements = _empty(templates, None).elements
    sets = checked_sets(train, test, elements=elements, loss=loss)
    design = OverlayDesign(templates, train, atomic_energies)
    fit = fit_linear(design, sets, loss, solver=solver, equations=LinearEquations[OverlayModel])
    return OverlayFit(fit.model, fit.sets, fit.solution, fit.loss, fit.equations)
