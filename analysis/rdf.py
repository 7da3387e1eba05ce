"""Radial distribution functions and coordination numbers."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from numpy.typing import NDArray

from ase_mlips.neighbors import NeighborList

FloatArray = NDArray[np.float64]
Pair = tuple[str, str]


@dataclass(frozen=True, eq=False, repr=False)
class RDF:
    """Radial distribution functions of a trajectory.

    Attributes
    ----------
    edges : (bins + 1,) array
        Edges of the bins in A.
    g : (bins,) array
        Total g(r).  An ideal gas of N atoms has ``1 - 1/N`` (the atom itself is not its neighbour).
    partials : dict of (bins,) arrays
        ``g_ab(r)`` of each pair of elements, in order of atomic number; ``g = sum_ab c_a c_b g_ab`` with the
        concentrations c, where unlike pairs count twice.
    coordination : dict of (bins,) arrays
        ``coordination[a, b][k]`` is the mean number of b atoms within ``edges[k + 1]`` of an a atom.
    """

    edges: FloatArray
    g: FloatArray
    partials: dict[Pair, FloatArray]
    coordination: dict[Pair, FloatArray]

    def __repr__(self) -> str:
        pairs = ", ".join("-".join(pair) for pair in self.partials)
        return f"RDF({pairs}, {len(self.g)} bins to {self.edges[-1]:g} A)"

    @property
    def r(self) -> FloatArray:
        """Centres of the bins in A, (bins,)."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    def plot(self, ax: Any = None) -> Any:
        """Draw the total and, for several elements, the partial functions; returns the Axes."""
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.subplots()[1]
        ax.plot(self.r, self.g, label="total")
        if len(self.partials) > 1:
            for (a, b), g in self.partials.items():
                ax.plot(self.r, g, label=f"{a}-{b}", linewidth=1.0)
            ax.legend(frameon=False)
        ax.set(xlabel="r (Å)", ylabel="g(r)", xlim=(0.0, self.edges[-1]))
        return ax

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to a NumPy .npz file, from which `load` makes the same object."""
        arrays: dict[str, Any] = {f"g {a} {b}": g for (a, b), g in self.partials.items()}
        arrays |= {f"coordination {a} {b}": n for (a, b), n in self.coordination.items()}
        with open(path, "wb") as file:
            np.savez(file, edges=self.edges, g=self.g, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RDF:
        """Read what `save` wrote."""
        with np.load(path) as data:
            pairs: dict[str, dict[Pair, FloatArray]] = {"g": {}, "coordination": {}}
            for key in data.files:
                kind, *pair = key.split()
                if pair:
                    pairs[kind][pair[0], pair[1]] = data[key]
            return cls(data["edges"], data["g"], pairs["g"], pairs["coordination"])


def rdf(frames: Atoms | Iterable[Atoms], *, r_max: float = 10.0, bins: int = 200) -> RDF:
    """Radial distribution functions of all pairs of elements in one pass.

    ``g_ab(r) = <V n_ab(r)> / (N_a N_b v(r))`` with the number n_ab of ordered pairs in a spherical shell of
    the exact volume v (Allen and Tildesley, Computer Simulation of Liquids, 2nd ed., section 8.2).  `r_max` may
    exceed half the cell: every periodic image counts, those of the atom itself too.

    Parameters
    ----------
    frames : Atoms or iterable of Atoms
        Taken one at a time; all with the same composition and a cell that has a volume.  The volume is the
        cell's also along axes that are not periodic.
    r_max : float
        Largest distance in A.
    bins : int
        Number of bins of equal width.

    Raises
    ------
    ValueError
        When there is no frame or no atom, a cell has no volume, the composition changes, a position is not finite, or
        `r_max` or `bins` is not positive.
    """
    if not 0.0 < r_max < np.inf or bins < 1:
        raise ValueError(f"expected a positive r_max and at least one bin, got r_max={r_max} and bins={bins}")
    edges = np.linspace(0.0, r_max, bins + 1)
    neighbors = NeighborList(r_max, skin=0.0)
    composition = ""
    counts, densities = np.empty(0), np.empty(0)  # sums of n_ab and of V n_ab over the frames
    frame = -1
    for frame, atoms in enumerate([frames] if isinstance(frames, Atoms) else frames):
        volume = _volume(atoms, frame)
        if frame == 0:
            numbers, populations = np.unique(atoms.numbers, return_counts=True)
            composition = atoms.symbols.get_chemical_formula("hill")
            counts, densities = np.zeros((2, len(numbers), len(numbers), bins))
        elif atoms.symbols.get_chemical_formula("hill") != composition:
            raise ValueError(f"frame {frame} is {atoms.symbols}, but the first one {composition}: compositions differ")
        neighbors.update(atoms.positions, atoms.cell.array, atoms.pbc)
        histogram = _count_pairs(neighbors, np.searchsorted(numbers, atoms.numbers), edges)
        counts += histogram
        densities += volume * histogram
    if frame < 0:
        raise ValueError("expected at least one frame, got none")
    symbols = [chemical_symbols[z] for z in numbers]
    return _normalised(edges, symbols, populations, counts / (frame + 1), densities / (frame + 1))


def _volume(atoms: Atoms, frame: int) -> float:
    if len(atoms) == 0:
        raise ValueError(f"frame {frame} has no atoms")
    if not np.all(np.isfinite(atoms.positions)):
        raise ValueError(f"frame {frame} has positions that are not finite")
    volume = abs(float(np.linalg.det(atoms.cell.array)))
    if volume == 0.0:
        raise ValueError(f"frame {frame} has a cell without volume: the density, hence g(r), is not defined")
    return volume


def _count_pairs(neighbors: NeighborList, species: NDArray[np.int64], edges: FloatArray) -> FloatArray:
    """Number of ordered pairs (a, b) in each bin, (a, b, bins)."""
    i, j, _, vectors = neighbors.pairs()
    bins = len(edges) - 1
    kinds = int(species.max()) + 1
    distances = np.sqrt(np.einsum("pa,pa->p", vectors, vectors))
    slots = np.minimum((distances * (bins / edges[-1])).astype(np.int64), bins - 1)
    codes = (species[i] * kinds + species[j]) * bins + slots
    return np.bincount(codes, minlength=kinds * kinds * bins).reshape(kinds, kinds, bins).astype(np.float64)


def _normalised(
    edges: FloatArray, symbols: list[str], populations: NDArray[np.int64], counts: FloatArray, densities: FloatArray
) -> RDF:
    """Turn frame averages of n_ab and V n_ab into g_ab and running coordination numbers."""
    shells = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    atoms = populations.sum()
    partials, coordination = {}, {}
    for (a, first), (b, second) in product(enumerate(symbols), repeat=2):
        coordination[first, second] = np.cumsum(counts[a, b]) / populations[a]
        if a <= b:
            partials[first, second] = densities[a, b] / (populations[a] * populations[b] * shells)
    return RDF(edges, densities.sum(axis=(0, 1)) / (atoms**2 * shells), partials, coordination)
