"""Least-squares rows of a potential that is linear or quadratic in descriptors of its atoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from ase import units

from ..arrays import BoolArray, FloatArray, Int64Array, IntArray
from ..engine.neighbors import NeighborList
from ..potential import Potential
from .dataset import LabelledFrame, species_of
from .descriptors import Describer
from .kernels import design_rows
from .linear import Solution
from .report import labels_of, predict

LARGEST_REACH = 1e4
MOST_SHOWN = 6  # numbers of coefficients of one element in a warning


class DescribedPotential(Describer, Potential, Protocol):
    """What can be evaluated and gives its descriptors, too, such as `ase_mlips.snap.SnapPotential`."""


class DescriptorDesign:
    """Turns frames into rows ``[A | b]`` whose unknowns give the coefficients of descriptors.

    The unknowns are first the constants, then for each element K linear and, in a quadratic model, K (K + 1) / 2
    quadratic coefficients.  Subtracted from the labels is what `potential` gives.  A family adds `LinearModel.model`
    and what `Family` asks for.

    Parameters
    ----------
    potential : DescribedPotential
        With all coefficients of the descriptors zero.
    frames : sequence of LabelledFrame
        All that will be fitted: their compositions decide which constants can be told apart.
    equal : (K_all,) int array
        For each descriptor, the number of the distinct one that it always equals; see `distinct`.
    quadratic : bool
    constants : bool
        Whether one constant per element is fitted; without, isolated atoms keep their energies.

    Attributes
    ----------
    reach : float
        How many times the labels the part of a column may be large, see `extrapolating`.
    """

    reach = LARGEST_REACH

    def __init__(
        self,
        potential: DescribedPotential,
        frames: Sequence[LabelledFrame],
        *,
        equal: Int64Array,
        quadratic: bool,
        constants: bool,
    ) -> None:
        self.potential, self.quadratic = potential, quadratic
        self.elements, self.cutoff = potential.elements, potential.cutoff
        E = len(self.elements)
        self.kept = distinct(equal)
        self.source, self.share = _spread(equal, quadratic)
        self.isolated = np.zeros((E, int(self.source.max()) + 1))
        self.constants = _independent_constants(frames, self.elements) if constants else np.zeros((E, 0))
        self.neighbors = NeighborList(self.cutoff, skin=0.0)
        self.pairs = 0  # that were found in the frames so far
        self.n_columns = self.constants.shape[1] + self.isolated.size
        if not constants:
            self.isolated = self._isolated_columns()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({' '.join(self.elements)}, {self.n_columns} unknowns)"

    def rows(self, frame: LabelledFrame) -> dict[str, FloatArray]:
        """Rows ``[A | b]`` of one frame for each label: energy per atom, force components, stress (see `labels_of`)."""
        species = species_of(frame, self.elements)
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

    def coefficients(self, solution: FloatArray) -> FloatArray:
        """Coefficients (E, 1 + columns) of these unknowns, those of a constant first."""
        first = self.constants.shape[1]
        slopes = solution[first:].reshape(self.isolated.shape)
        coefficients = np.empty((len(slopes), 1 + len(self.source)))
        coefficients[:, 1:] = slopes[:, self.source] * self.share
        coefficients[:, 0] = self.constants @ solution[:first] - np.sum(self.isolated * slopes, axis=1)
        return coefficients

    def penalty(self, ridge: float) -> FloatArray:
        """Ridge of each column; the constants are free."""
        first = self.constants.shape[1]
        return np.concatenate([np.zeros(first), np.full(self.n_columns - first, ridge)])

    def extrapolating(self, solution: Solution) -> BoolArray:
        """Columns (n,) with coefficients that come from rounding errors or noise, as the frames hardly determine them.

        Their parts of the labels are more than `reach` times as large as these are, so that they cancel each
        other; or they would be, were a column that is shorter than 1e-4 of the longest of its kind (linear or
        quadratic) as long as that.
        """
        first, linear = self.constants.shape[1], len(self.kept)
        lengths = solution.lengths[first:].reshape(self.isolated.shape)
        largest = np.empty_like(lengths)
        for kind in (slice(None, linear), slice(linear, None)):
            largest[:, kind] = lengths[:, kind].max(initial=0.0)
        possible = np.where(lengths < 1e-4 * largest, largest, lengths).ravel()
        found = possible * np.abs(solution.coefficients[first:]) > self.reach * solution.target_length
        return np.concatenate([np.zeros(first, dtype=bool), found])

    def coefficient_numbers(self, columns: BoolArray) -> dict[str, Int64Array]:
        """Numbers of the coefficients, for each element that has some, that come from these columns (n,).

        They count from 0, the constant, as in the files.
        """
        chosen = columns[self.constants.shape[1] :].reshape(self.isolated.shape)
        found = {e: 1 + np.flatnonzero(own[self.source]) for e, own in zip(self.elements, chosen, strict=True)}
        return {element: numbers for element, numbers in found.items() if len(numbers)}

    def named(self, columns: BoolArray) -> str:
        """The same in words; empty where there are none."""
        found = self.coefficient_numbers(columns)
        said = [f"{element} {_shown(numbers, len(self.source))}" for element, numbers in found.items()]
        return f"{'; '.join(said)} (0 is the constant)" if said else ""

    def _sums(self, species: IntArray) -> FloatArray:
        """Column sums, forces and strain derivatives (1 + 3 N + 6, n + 1) of what the neighbour list holds."""
        pairs = self.potential.descriptor_gradients(self.neighbors, species)
        self.pairs += len(pairs.centers)
        rows = np.zeros((7 + 3 * len(species), self.n_columns + 1))
        begin = (self.constants.shape[1] + self.isolated.shape[1] * species).astype(np.int32)
        design_rows(
            pairs.centers, pairs.neighbors, pairs.vectors, pairs.gradients, pairs.descriptors, self.kept, begin,
            self.quadratic, rows,
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


def isolated_energies(elements: Sequence[str], given: Mapping[str, float] | None) -> FloatArray:
    """Energy (E,) of the isolated atom of each element; zero where none are given.

    Raises
    ------
    ValueError
        Some are given, but not those of all elements.
    """
    if given is None:
        return np.zeros(len(elements))
    if missing := [element for element in elements if element not in given]:
        raise ValueError(f"atomic_energies: {', '.join(missing)} missing")
    return np.array([given[element] for element in elements], float)


def _independent_constants(frames: Sequence[LabelledFrame], elements: Sequence[str]) -> FloatArray:
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


def distinct(equal: Int64Array) -> Int64Array:
    """Numbers (K,) of the descriptors that differ from all before them."""
    return np.unique(equal, return_index=True)[1]


def _spread(owner: Int64Array, quadratic: bool) -> tuple[Int64Array, FloatArray]:
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


def _shown(numbers: Int64Array, total: int) -> str:
    if len(numbers) == total:
        return "all"
    more = f" and {len(numbers) - MOST_SHOWN} more" if len(numbers) > MOST_SHOWN else ""
    return ", ".join(map(str, numbers[:MOST_SHOWN])) + more
