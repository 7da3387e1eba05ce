"""Least-squares rows of SNAP: what its energies, forces and stresses owe to each coefficient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from ase import units
from ase.data import atomic_numbers
from numpy.typing import NDArray

from ..engine.neighbors import NeighborList
from ..snap.model import SnapModel, Zbl, bispectrum_labels
from ..snap.potential import SnapPotential
from .dataset import FloatArray, Frame, species_of
from .kernels import design_rows
from .linear import Solution
from .report import labels_of, predict

LARGEST_REACH = 1e4


def snap_template(
    elements: Sequence[str],
    *,
    radii: Sequence[float],
    weights: Sequence[float] | None = None,
    zbl: tuple[float, float] | None = None,
    **parameters: Any,
) -> SnapModel:
    """A model without coefficients (they are zero), to be fitted.

    Parameters
    ----------
    elements : sequence of str
    radii, weights : sequences of float
        R in A and w of each element; all weights are 1 by default.
    zbl : (inner, outer), optional
        Distances in A between which the ZBL repulsion of the bare nuclei is switched off.
    **parameters
        Further fields of `SnapModel`; `twojmax` and `rcutfac` are required.

    Raises
    ------
    ValueError
        From `SnapModel`, where a value has no meaning.
    """
    charges = tuple(float(atomic_numbers[element]) for element in elements) if zbl else ()
    K = len(bispectrum_labels(parameters["twojmax"])) * (len(elements) ** 3 if parameters.get("chemflag") else 1)
    columns = 1 + K + (K * (K + 1) // 2 if parameters.get("quadraticflag") else 0)
    return SnapModel(
        elements=tuple(elements),
        radii=np.array(radii, dtype=np.float64),
        weights=np.ones(len(elements)) if weights is None else np.array(weights, dtype=np.float64),
        coefficients=np.zeros((len(elements), columns)),
        zbl=Zbl(*zbl, charges) if zbl else None,
        **parameters,
    )


class SnapDesign:
    """Turns frames into rows ``[A | b]`` whose unknowns give the coefficients of a SNAP model.

    The unknowns are first the constants, then for each element K linear and, in a quadratic model, K (K + 1) / 2
    quadratic coefficients.  Subtracted from the labels is what the template has beside them: its ZBL repulsion
    and, where they are given, the energies of isolated atoms.

    Parameters
    ----------
    template : SnapModel
        Everything but the coefficients.
    frames : sequence of Frame
        All that will be fitted: their compositions decide which constants can be told apart.
    atomic_energies : mapping, optional
        Energy of the isolated atom of each element in eV, which the model will have exactly; without it one
        constant per element is fitted.
    """

    def __init__(
        self, template: SnapModel, frames: Sequence[Frame], atomic_energies: Mapping[str, float] | None = None
    ) -> None:
        E = len(template.elements)
        self.kept, owner = distinct_descriptors(template)
        self.source, self.share = _spread(owner, template.quadraticflag)
        self.isolated = np.zeros((E, int(self.source.max()) + 1))
        coefficients = np.zeros_like(template.coefficients)
        if atomic_energies is None:
            self.constants = _independent_constants(frames, template.elements)
        else:
            missing = [element for element in template.elements if element not in atomic_energies]
            if missing:
                raise ValueError(f"atomic_energies: {', '.join(missing)} missing")
            self.constants = np.zeros((E, 0))
            coefficients[:, 0] = [atomic_energies[element] for element in template.elements]
        self.reference = replace(template, coefficients=coefficients)
        self.potential = SnapPotential(self.reference)
        self.neighbors = NeighborList(self.potential.cutoff, skin=0.0)
        self.pairs = 0  # that were found in the frames so far
        self.n_columns = self.constants.shape[1] + self.isolated.size
        if atomic_energies is not None:
            self.isolated = self._isolated_columns()

    def __repr__(self) -> str:
        return f"SnapDesign({' '.join(self.potential.elements)}, {self.n_columns} unknowns)"

    def rows(self, frame: Frame) -> dict[str, FloatArray]:
        """Rows ``[A | b]`` of one frame for each label: energy per atom, force components, stress (see `labels_of`)."""
        species = species_of(frame, self.potential.elements)
        N, n, first = len(species), self.n_columns, self.constants.shape[1]
        rest = predict(self.potential, frame, self.neighbors)  # brings the neighbour list up to date, too
        rows = self._sums(species)
        population = np.bincount(species, minlength=len(self.isolated))
        rows[0, :first] = population @ self.constants
        rows[0, first:n] -= (population[:, None] * self.isolated).ravel()
        parts = {"energy": rows[:1] / N, "force": rows[1 : 1 + 3 * N]}
        if frame.stress is not None:
            parts["stress"] = rows[1 + 3 * N :] / (frame.atoms.get_volume() * units.GPa)
        labels = labels_of(frame)
        for quantity, label in labels.items():
            parts[quantity][:, n] = label - rest[quantity]
        return {quantity: parts[quantity] for quantity in labels}

    def model(self, solution: FloatArray) -> SnapModel:
        """The model with the solved coefficients."""
        first = self.constants.shape[1]
        slopes = solution[first:].reshape(self.isolated.shape)
        coefficients = self.reference.coefficients.copy()
        coefficients[:, 1:] = slopes[:, self.source] * self.share
        coefficients[:, 0] += self.constants @ solution[:first] - np.sum(self.isolated * slopes, axis=1)
        return replace(self.reference, coefficients=coefficients)

    def penalty(self, ridge: float) -> FloatArray:
        """Ridge of each column; the constants are free."""
        first = self.constants.shape[1]
        return np.concatenate([np.zeros(first), np.full(self.n_columns - first, ridge)])

    def extrapolating(self, solution: Solution) -> NDArray[np.bool_]:
        """Columns (n,) with coefficients that come from rounding errors or noise, as the frames hardly determine them.

        Their parts of the labels are more than `LARGEST_REACH` times as large as these are, so that they cancel each
        other; or they would be, were a column that is shorter than 1e-4 of the longest of its kind (linear or
        quadratic) as long as that.
        """
        first, linear = self.constants.shape[1], len(self.kept)
        lengths = solution.lengths[first:].reshape(self.isolated.shape)
        largest = np.empty_like(lengths)
        for kind in (slice(None, linear), slice(linear, None)):
            largest[:, kind] = lengths[:, kind].max(initial=0.0)
        possible = np.where(lengths < 1e-4 * largest, largest, lengths).ravel()
        found = possible * np.abs(solution.coefficients[first:]) > LARGEST_REACH * solution.target_length
        return np.concatenate([np.zeros(first, dtype=bool), found])

    def coefficient_numbers(self, columns: NDArray[np.bool_]) -> dict[str, NDArray[np.int64]]:
        """Numbers of the coefficients, for each element that has some, that come from these columns (n,).

        They count from 0, the constant, as in the files.
        """
        chosen = columns[self.constants.shape[1] :].reshape(self.isolated.shape)
        found = {
            e: 1 + np.flatnonzero(own[self.source]) for e, own in zip(self.potential.elements, chosen, strict=True)
        }
        return {element: numbers for element, numbers in found.items() if len(numbers)}

    def _sums(self, species: NDArray[np.int32]) -> FloatArray:
        """Column sums, forces and strain derivatives (1 + 3 N + 6, n + 1) of what the neighbour list holds."""
        pairs = self.potential.descriptor_gradients(self.neighbors, species)
        self.pairs += len(pairs.centers)
        rows = np.zeros((7 + 3 * len(species), self.n_columns + 1))
        begin = (self.constants.shape[1] + self.isolated.shape[1] * species).astype(np.int32)
        design_rows(
            pairs.centers, pairs.neighbors, pairs.vectors, pairs.gradients, pairs.descriptors, self.kept, begin,
            self.reference.quadraticflag, rows,
        )  # fmt: skip
        return rows

    def _isolated_columns(self) -> FloatArray:
        """The columns (E, per_element) of one isolated atom of each element."""
        columns = np.empty_like(self.isolated)
        for element in range(len(columns)):
            self.neighbors.update(np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, dtype=bool))
            row = self._sums(np.array([element], dtype=np.int32))[0, self.constants.shape[1] : -1]
            columns[element] = row.reshape(columns.shape)[element]
        return columns


def _independent_constants(frames: Sequence[Frame], elements: Sequence[str]) -> FloatArray:
    """Orthonormal combinations (E, r) of the elements' constants that the frames with an energy determine.

    With one composition only (say, GaN) the two constants cannot be told apart; their shortest vector is taken.
    """
    counts = np.array([
        np.bincount(species_of(frame, elements), minlength=len(elements)) / len(frame.atoms)
        for frame in frames
        if frame.energy is not None
    ])  # fmt: skip
    if len(counts) == 0:
        return np.zeros((len(elements), 0))
    _, values, vectors = np.linalg.svd(counts, full_matrices=False)
    kept: FloatArray = vectors[values > 1e-6 * values[0]].T
    return kept


def distinct_descriptors(model: SnapModel) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Descriptors that differ from all before them, and for each descriptor which of these it equals.

    ``B^{e1 e2 e3}_{j1 j2 j}`` does not change when two of its pairs (e, j) with equal j are exchanged, so that many
    of the element triplets of `chemflag` occur two to six times.
    """
    channels = len(model.elements) if model.chemflag else 1
    triplets = product(np.ndindex(channels, channels, channels), bispectrum_labels(model.twojmax))
    names = [tuple(sorted(zip(js, es, strict=True))) for es, js in triplets]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    owner = np.array([numbers[name] for name in names])
    return np.unique(owner, return_index=True)[1], owner


def _spread(owner: NDArray[np.int64], quadratic: bool) -> tuple[NDArray[np.int64], FloatArray]:
    """Fitted column that each coefficient of the model comes from, and its share of it.

    Equal descriptors get equal shares: LAMMPS's forces are right for such coefficients only, because its adjoint
    takes one of them for all.
    """
    share = 1.0 / np.bincount(owner)[owner]
    if not quadratic:
        return owner, share
    K, (k, m) = int(owner.max()) + 1, np.triu_indices(len(owner))
    low, high = np.minimum(owner[k], owner[m]), np.maximum(owner[k], owner[m])
    products = K + low * K - low * (low - 1) // 2 + high - low
    return np.concatenate([owner, products]), np.concatenate([share, share[k] * share[m]])
