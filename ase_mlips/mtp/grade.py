"""The extrapolation grade of an MTP, as MLIP-3 selects active sets and grades with them.

E. V. Podryabinkin and A. V. Shapeev, Comput. Mater. Sci. 140, 171 (2017); E. V. Podryabinkin et al., J. Chem. Phys.
159, 084112 (2023) (neighbourhoods, MLIP-3).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np

from ..arrays import FloatArray, Int64Array, IntArray
from ..grades.grade import Grade
from ..grades.maxvol import THRESHOLD, initial, maxvol
from .active_set import ActiveSet
from .model import MtpModel
from .tables import to_chebyshev

Mode = Literal["configuration", "neighborhood"]
Parameters = Literal["full", "linear"]

BATCH = 9999  # configurations that compete at a time, as in MLIP
WEIGHT_SCALING = 2
WEIGHTS = {"configuration": (1.0, 0.0, 0.0, 0.0), "neighborhood": (0.0, 0.0, 0.0, 1.0)}  # energy .. site energies
ENERGY_EQUATION = 0  # of a configuration; one of its site energies is the equation FIRST_SITE + 3 N + i
FIRST_SITE = 10


def select(
    model: MtpModel,
    gradients: Iterable[FloatArray],
    *,
    configurations: Sequence[str],
    mode: Mode = "neighborhood",
    parameters: Parameters = "full",
    threshold: float = THRESHOLD,
) -> ActiveSet:
    """The active set of a training set, as MLIP selects it.

    Parameters
    ----------
    model : MtpModel
    gradients : iterable of (N, n) arrays
        dE_i / dtheta of the atoms of each configuration, by all parameters in MLIP's order: radial, species, moment.
    configurations : sequence of str
        Text in MLIP's ``.cfg`` format of what the gradients belong to, in the same order; those selected are kept.
    mode : {"neighborhood", "configuration"}
        Whether atoms compete, or configurations by the mean of their atoms.
    parameters : {"full", "linear"}
        All parameters as in MLIP, or the species and moment coefficients only.
    threshold : float
        Above 1; see `maxvol`.

    Raises
    ------
    ValueError
        Unknown mode or parameters, gradients of a wrong shape or number.

    Warns
    -----
    UserWarning
        If the training set leaves parameters undetermined, see `missing_directions`.
    """
    if mode not in ("neighborhood", "configuration"):
        raise ValueError(f"expected mode neighborhood or configuration, got {mode!r}")
    if parameters not in ("full", "linear"):
        raise ValueError(f"expected parameters full or linear, got {parameters!r}")
    n = model.n_parameters if parameters == "full" else _linear_parameters(model)
    A, S = initial(n)
    links, offset, remaining = np.full((n, 2), -1), 0, iter(gradients)
    while batch := list(islice(remaining, BATCH)):
        rows = np.concatenate([_rows(_checked(model, gradient)[:, -n:], mode) for gradient in batch])
        result = maxvol(rows, threshold=threshold, start=(A, S))
        added = [_equations(mode, offset + k, len(gradient)) for k, gradient in enumerate(batch)]
        A, S, links = result.A, result.S, np.concatenate([links, *added])[result.sources]
        offset += len(batch)
    if offset != len(configurations):
        raise ValueError(f"expected gradients of {len(configurations)} configurations, got {offset}")
    used = np.unique(links[links[:, 0] >= 0, 0])
    links[:, 0] = np.where(links[:, 0] >= 0, np.searchsorted(used, links[:, 0]), -1)
    chosen, weights = tuple(configurations[k] for k in used), WEIGHTS[mode]
    active_set = ActiveSet(*weights, WEIGHT_SCALING, A, S, links, chosen)
    warn_if_incomplete(model, active_set)
    return active_set


def extrapolation_grade(model: MtpModel, active_set: ActiveSet, gradients: FloatArray) -> Grade:
    """Grade of one configuration: the largest ``|(b A^-1)_j|`` of its rows b, by the stored inverse.

    Parameters
    ----------
    model : MtpModel
    active_set : ActiveSet
        Of energies or of site energies; its size tells whether all parameters count or the linear ones.
    gradients : (N, n) array
        dE_i / dtheta of the atoms, by all parameters in MLIP's order.

    Raises
    ------
    ValueError
        An active set of another model, or one that mixes several kinds of equations.
    """
    rows = grade_rows(model, active_set, gradients)
    grades = np.abs(rows @ active_set.S.T).max(axis=1, initial=0.0)
    mode = _mode(active_set)
    return Grade(float(grades.max(initial=0.0)), grades if mode == "neighborhood" else None)


@dataclass(frozen=True, repr=False)
class Grader:
    """An active set of atoms by the terms of `MtpPotential.gradient_terms`: only what is not zero is multiplied.

    Attributes
    ----------
    matrices : (S, S K R + nS, n) array
        Of each species, what its terms are multiplied by.
    constants : (S, n) array
        Share of its species coefficient.
    """

    matrices: FloatArray
    constants: FloatArray

    def __call__(self, species: IntArray, terms: FloatArray) -> Grade:
        """Grade of the atoms of one structure."""
        grades = np.zeros(len(terms))
        for kind in np.unique(species):
            own = slice(None) if len(self.matrices) == 1 else np.flatnonzero(species == kind)
            product = terms[own] @ self.matrices[kind]
            product += self.constants[kind]
            grades[own] = np.abs(product, out=product).max(axis=1)
        return Grade(float(grades.max(initial=0.0)), grades)


def grader(model: MtpModel, active_set: ActiveSet) -> Grader | None:
    """The grader of an active set; None if it is one of whole configurations."""
    require_fitting(model, active_set)
    if _mode(active_set) == "configuration":
        return None
    S, K, R, scalars = len(model.species), model.radial_functions, model.radial_size, len(model.mapping)
    inverse = np.zeros((model.n_parameters, len(active_set.A)))
    inverse[-len(active_set.A) :] = active_set.site_en_weight * active_set.S.T
    radial = inverse[: S * S * K * R].reshape(S, S, K, R, -1)
    by_chebyshev = model.scaling * np.einsum("snkra,rt->snkta", radial, to_chebyshev(model))
    moments = np.broadcast_to(inverse[-scalars:], (S, scalars, len(active_set.A)))
    matrices = np.concatenate([by_chebyshev.reshape(S, S * K * R, -1), moments], axis=1)
    return Grader(matrices, inverse[S * S * K * R : S * S * K * R + S])


def require_fitting(model: MtpModel, active_set: ActiveSet) -> None:
    """ValueError if an active set is not one of all parameters of the model, or of its linear ones."""
    n, full, linear = len(active_set.A), model.n_parameters, _linear_parameters(model)
    if n not in (full, linear):
        raise ValueError(f"expected an active set of {full} or {linear} rows for this potential, got {n}")


def grade_rows(model: MtpModel, active_set: ActiveSet | None, gradients: FloatArray) -> FloatArray:
    """The rows that an active set grades, of the atoms or of the structure; raises like `extrapolation_grade`."""
    if active_set is None:
        return _checked(model, gradients)
    require_fitting(model, active_set)
    n, mode = len(active_set.A), _mode(active_set)
    weight = active_set.energy_weight if mode == "configuration" else active_set.site_en_weight
    rows: FloatArray = weight * _rows(_checked(model, gradients)[:, -n:], mode, active_set.weight_scaling)
    return rows


def missing_directions(model: MtpModel, active_set: ActiveSet) -> int:
    """Number of parameters, or combinations of them, on which the training set of an active set has no bearing.

    These are the rows that were never filled, less those that no training set can fill, see `redundant_directions`.
    Where some are missing, grades of harmless structures reach 1e5.
    """
    empty = int(np.sum(active_set.links[:, 0] < 0))
    if len(active_set.A) == model.n_parameters:
        empty -= redundant_directions(model, _mode(active_set))
    return max(0, empty)


def redundant_directions(model: MtpModel, mode: Mode) -> int:
    """Number of combinations of the radial parameters on which no energy depends.

    To a radial function multiples of itself and of those of lower mu may be added, since the moment coefficients can
    undo it: K (K + 1) / 2.  Where moments of some mu occur in no product, a configuration's energy contains that
    radial function as a sum over pairs, which c[s][t] - c[t][s] does not change: R for each pair of species.
    """
    K, R, S = model.radial_functions, model.radial_size, len(model.species)
    count = K * (K + 1) // 2
    if mode == "configuration":
        factors = model.times[:, :2].ravel()
        multiplied = model.basic[factors[factors < len(model.basic)], 0]
        count += R * S * (S - 1) // 2 * (K - len(np.unique(multiplied)))
    return count


def warn_if_incomplete(model: MtpModel, active_set: ActiveSet) -> None:
    """UserWarning if the active set lacks more rows than it must; see `missing_directions`."""
    missing = missing_directions(model, active_set)
    if missing:
        warnings.warn(
            f"the training set of this active set says nothing about {missing} of {len(active_set.A)} parameters:"
            " grades may be huge for structures that are close to it",
            stacklevel=3,
        )


def _linear_parameters(model: MtpModel) -> int:
    """Number of species and moment coefficients, the last in a row."""
    return len(model.species) + len(model.mapping)


def _mode(active_set: ActiveSet) -> Mode:
    energy, site = active_set.energy_weight != 0.0, active_set.site_en_weight != 0.0
    if active_set.force_weight or active_set.stress_weight or energy == site:
        raise ValueError(
            "expected an active set of energies or of site energies, got weights"
            f" {active_set.energy_weight:g}, {active_set.force_weight:g}, {active_set.stress_weight:g} and"
            f" {active_set.site_en_weight:g} of energy, forces, stress and site energies"
        )
    return "configuration" if energy else "neighborhood"


def _checked(model: MtpModel, gradients: FloatArray) -> FloatArray:
    if gradients.ndim != 2 or gradients.shape[1] != model.n_parameters:
        raise ValueError(f"expected gradients of shape (N, {model.n_parameters}), got {gradients.shape}")
    return gradients


def _rows(gradients: FloatArray, mode: Mode, weight_scaling: int = WEIGHT_SCALING) -> FloatArray:
    """The rows b of a configuration: one of each atom, or one, which is the mean of theirs."""
    if mode == "neighborhood" or not len(gradients):
        return gradients
    total: FloatArray = gradients.sum(axis=0, keepdims=True) / len(gradients) ** (weight_scaling / 2)
    return total


def _equations(mode: Mode, configuration: int, atoms: int) -> Int64Array:
    """Links (configuration, equation) of the rows of one configuration, in MLIP's numbering."""
    if mode == "neighborhood":
        equations = FIRST_SITE + 3 * atoms + np.arange(atoms)
    else:
        equations = np.full(min(atoms, 1), ENERGY_EQUATION)
    return np.stack([np.full_like(equations, configuration), equations], axis=1)
