"""Radial distribution functions and coordination numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import ArrayLike

from ase_mlips.arrays import BoolArray, FloatArray, Int64Array
from ase_mlips.engine.neighbors import NeighborList
from ase_mlips.engine.threads import scratch

from ..blocking import BlockAverage, standard_error
from ..formatting import with_error
from ..results import Interrupted, new_axes
from ..tables import Tabulated
from ..trajectories.atoms import selected_atoms
from ..trajectories.trajectory import Frames, Source, Trajectory, as_trajectory
from .kernels_histogram import SCRATCH, count_listed, count_nearest_images
from .limits import require_memory
from .minimum import first_minimum

Pair = tuple[str, str]


@dataclass(frozen=True, eq=False, repr=False)
class RDF(Tabulated):
    """Radial distribution functions of a trajectory.

    Attributes
    ----------
    edges : (bins + 1,) array
        Edges of the bins in A.
    g : (bins,) array
        Total g(r).
    partials : dict of (bins,) arrays
        ``g_ab(r)`` of each pair of elements, in order of atomic number (MSD and VDOS have the order of the atoms);
        ``g = sum_ab c_a c_b g_ab`` with the concentrations c, where unlike pairs count twice.
    coordination : dict of (bins,) arrays
        ``coordination[a, b][k]`` is the mean number of b atoms within ``edges[k + 1]`` of an a atom.
    error : (bins,) array
        Standard error of `g` from 8 to 15 successive blocks of frames; NaN for a single frame.  It is itself uncertain
        by a fifth to a quarter, and too small when a block is shorter than what the structure needs to change.
    partial_errors : dict of (bins,) arrays
        Those of the partial functions.
    frames : int
        Number of frames averaged.
    """

    edges: FloatArray
    g: FloatArray
    partials: dict[Pair, FloatArray]
    coordination: dict[Pair, FloatArray]
    error: FloatArray
    partial_errors: dict[Pair, FloatArray]
    frames: int

    def __repr__(self) -> str:
        pairs = ", ".join("-".join(pair) for pair in self.partials)
        return f"RDF({pairs}, {len(self.g)} bins to {self.edges[-1]:g} Å, {self.frames} frames)"

    @property
    def r(self) -> FloatArray:
        """Centres of the bins in A, (bins,)."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    def mean_absolute_difference(self, other: RDF, pair: Pair | None = None) -> float:
        """Mean of ``|g - g'|`` over the bins: the "RDF MAE" by which potentials are compared.

        Parameters
        ----------
        other : RDF
            On the same grid.
        pair : tuple of two str, optional
            Elements of the partial function to compare, in any order; the total if it is not given.

        Raises
        ------
        ValueError
            When the grids differ or a result lacks the pair.
        """
        if not np.array_equal(self.edges, other.edges):
            raise ValueError(f"expected two RDFs on the same grid, got {self} and {other}")
        if pair is None:
            return float(np.mean(np.abs(self.g - other.g)))
        first, second = (result.partials[result._key(pair)] for result in (self, other))
        return float(np.mean(np.abs(first - second)))

    def _key(self, pair: Pair) -> Pair:
        for key in (pair, pair[::-1]):
            if key in self.partials:
                return key
        raise ValueError(f"{self} has no pair {'-'.join(pair)}")

    def selected(self, pairs: Sequence[Pair]) -> RDF:
        """The same with some of the partial functions only, in this order, and their coordination numbers.

        Parameters
        ----------
        pairs : sequence of tuples of two str
            Each in any order of the two elements.

        Raises
        ------
        ValueError
            A pair that is not there.
        """
        keys = dict.fromkeys(self._key(pair) for pair in pairs)
        both = dict.fromkeys(key for a, b in keys for key in ((a, b), (b, a)))
        return replace(
            self,
            partials={key: self.partials[key] for key in keys},
            partial_errors={key: self.partial_errors[key] for key in keys},
            coordination={key: self.coordination[key] for key in both},
        )

    def first_minimum(self, pair: Pair) -> float:
        """End of the first shell of neighbours in A: where ``g_ab`` has its first minimum, see `minimum`.

        NaN where there is none, as in a gas, or none that the errors let see.
        """
        key = self._key(pair)
        return first_minimum(self.edges, self.partials[key], self.partial_errors[key])

    def coordination_number(self, center: str, neighbor: str) -> float:
        """Mean number of atoms of one element around an atom of another within their `first_minimum`; NaN without it.

        Raises
        ------
        ValueError
            A pair that is not there.
        """
        end = self.first_minimum((center, neighbor))
        running = np.append(0.0, self.coordination[center, neighbor])
        return float(np.interp(end, self.edges, running))

    def facts(self) -> dict[str, str]:
        """The number of frames, where each partial function is highest, and the coordination numbers."""
        facts = {"frames": str(self.frames)}
        for pair, g in self.partials.items():
            if np.isfinite(g).any():
                k = int(np.nanargmax(g))
                height = with_error(float(g[k]), float(self.partial_errors[pair][k]))
                facts["-".join(pair)] = f"highest at {self.r[k]:.4g} Å, g = {height}"
        for a, b in self.coordination:
            if np.isfinite(number := self.coordination_number(a, b)):
                facts[f"{b} around {a}"] = f"{number:.2f} within {self.first_minimum((a, b)):.3f} Å"
        return facts

    def columns(self) -> dict[str, FloatArray]:
        """The distance, the total and the partial g(r), each with its standard error, and coordination numbers.

        ``N(a-b)`` is the number of b atoms around an a atom within ``r + step / 2``, the upper edge of the bin.
        """
        curves = {"r (Å)": self.r, "g": self.g, "error of g": self.error}
        for pair, g in self.partials.items():
            name = "-".join(pair)
            curves |= {f"g({name})": g, f"error of g({name})": self.partial_errors[pair]}
        return curves | {f"N({'-'.join(pair)})": numbers for pair, numbers in self.coordination.items()}

    def plot(self, ax: Any = None) -> Any:
        """Draw the total and, unless it is all of it, the partial functions, with standard errors; returns the Axes."""
        ax = new_axes(ax)
        curves = {"total": (self.g, self.error)}
        if not any(np.array_equal(g, self.g) for g in self.partials.values()):
            curves |= {"-".join(pair): (g, self.partial_errors[pair]) for pair, g in self.partials.items()}
        for name, (g, error) in curves.items():
            style = {"color": "black"} if name == "total" else {"linewidth": 1.0}
            (line,) = ax.plot(self.r, g, label=name, **style)
            if np.all(np.isfinite(error)):
                ax.fill_between(self.r, g - error, g + error, color=line.get_color(), alpha=0.3, linewidth=0.0)
        if len(curves) > 1:
            ax.legend(frameon=False)
        ax.set(xlabel="r (Å)", ylabel="g(r)", xlim=(0.0, self.edges[-1]))
        return ax


def rdf(
    frames: Source | Trajectory,
    *,
    r_max: float = 10.0,
    bins: int = 200,
    indices: str | ArrayLike | None = None,
    finite_size: bool = False,
) -> RDF:
    """Radial distribution functions of all pairs of elements in one pass.

    ``g_ab(r) = <V n_ab(r)> / (N_a N_b v(r))`` with the number n_ab of ordered pairs in a spherical shell of the exact
    volume v (Allen and Tildesley, Computer Simulation of Liquids, 2nd ed., section 8.2); where the volume V changes,
    each frame's own counts.  `r_max` may exceed half the cell: every periodic image counts, those of the atom itself
    too.

    Parameters
    ----------
    frames : Trajectory, path, Atoms or iterable of Atoms
        Read in chunks.  The volume is the cell's also along axes that are not periodic.  Species may be exchanged
        between frames.
    r_max : float
        Largest distance in A.
    bins : int
        Number of bins of equal width.
    indices : symbol, indices or mask, optional
        Atoms to take; all by default.
    finite_size : bool
        Like pairs are divided by ``N_a (N_a - 1)``, and the total by ``N (N - 1)``, instead of the squares.  Without it
        an ideal gas of N atoms has ``g = 1 - 1/N`` (the atom itself is not its neighbour), with it 1.

    Raises
    ------
    ValueError
        When there is no frame or no atom, a cell has no volume, `r_max` or `bins` is out of range, `indices` selects no
        atom or one that there is not, or the neighbours within `r_max` would take more than 2 GB.
    Interrupted
        At Ctrl-C, with the result of the frames read so far.

    Notes
    -----
    In memory are a chunk of frames (32 MB) and, unless each atom is compared with each, one frame's neighbour list: 8
    bytes per atom and neighbour within `r_max`.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase_mlips.analysis import rdf
    >>> silicon = rdf(bulk("Si", cubic=True), r_max=5.0)
    >>> silicon
    RDF(Si-Si, 200 bins to 5 Å, 1 frames)
    >>> float(silicon.coordination["Si", "Si"][silicon.r < 3.0][-1])  # neighbours within 3 A
    4.0
    >>> silicon.save("rdf.npz")
    """
    if not 0.0 < r_max < np.inf or bins < 1:
        raise ValueError(f"expected a positive r_max and at least one bin, got r_max={r_max} and bins={bins}")
    trajectory = as_trajectory(frames)
    atoms = _by_species(indices, trajectory.numbers)
    numbers, populations = np.unique(trajectory.numbers[atoms], return_counts=True)
    symbols = [chemical_symbols[z] for z in numbers]
    counter = _PairCounter(populations, trajectory.pbc, r_max, bins)
    average = BlockAverage()
    try:
        for chunk in trajectory.chunks(identity=False, progress="RDF"):
            for k, (positions, cell, volume) in enumerate(
                zip(chunk.positions, chunk.cells, _volumes(chunk), strict=True)
            ):
                chosen = atoms
                if k in chunk.numbers:
                    chosen = _by_species(indices, chunk.numbers[k])
                    _require_populations(trajectory, chunk.first + k, chunk.numbers[k][chosen], atoms)
                counts = counter.count(positions.take(chosen, axis=0), cell, volume)
                average.add(np.stack([counts, volume * counts]))
    except KeyboardInterrupt:
        if average.frames == 0:
            raise
        raise Interrupted(_normalised(average, symbols, populations, r_max, finite_size), average.frames) from None
    return _normalised(average, symbols, populations, r_max, finite_size)


def _by_species(indices: str | ArrayLike | None, numbers: Int64Array) -> Int64Array:
    """The selected atoms, those of an element together."""
    atoms = selected_atoms(indices, [chemical_symbols[z] for z in numbers], name="indices")
    return atoms[np.argsort(numbers[atoms], kind="stable")]


def _require_populations(trajectory: Trajectory, frame: int, numbers: Int64Array, atoms: Int64Array) -> None:
    """Refuse a frame whose selected atoms are not as many of each element as in the first one."""
    if not np.array_equal(numbers, trajectory.numbers[atoms]):
        raise ValueError(
            f"{trajectory.name}: expected as many selected atoms of each element as in the first frame, got others in"
            f" the selected frame {frame}"
        )


def _volumes(chunk: Frames) -> FloatArray:
    """Volume of the cell of each frame, (F,)."""
    volumes: FloatArray = np.abs(np.linalg.det(chunk.cells))
    if not volumes.all():
        frame = chunk.first + int(np.argmin(volumes))
        raise ValueError(f"frame {frame} has a cell without volume: the density, hence g(r), is not defined")
    return volumes


class _PairCounter:
    """Counts the ordered pairs of each two species by distance; atoms come sorted by species."""

    def __init__(self, populations: Int64Array, pbc: BoolArray, r_max: float, bins: int) -> None:
        kinds = len(populations)
        self._first = np.concatenate(([0], np.cumsum(populations)))
        self._species = np.append(np.repeat(np.arange(kinds), populations), 0)
        self._pbc, self._r_max = pbc, float(r_max)
        self._unordered = np.empty((kinds, kinds, bins), np.int64)
        self._ordered = np.empty((kinds, kinds, bins + 1), np.int64)
        self._neighbors = NeighborList(r_max, skin=0.0)

    def count(self, positions: FloatArray, cell: FloatArray, volume: float) -> FloatArray:
        """Numbers of pairs (S, S, bins), whole or half numbers, symmetric."""
        lengths = np.abs(np.diagonal(cell))
        nearest = np.count_nonzero(cell) == 3 and np.all((lengths >= 2.0 * self._r_max) | ~self._pbc)
        found = len(positions) * 4.19 * self._r_max**3 / volume
        # a pair that is only compared takes about a twentieth of the time of one that the neighbour list finds
        if nearest and len(positions) < 200.0 + 20.0 * found:
            return self.count_nearest(positions, cell)
        return self.count_all(positions, cell)

    def count_nearest(self, positions: FloatArray, cell: FloatArray) -> FloatArray:
        """Nearest images only, for a cell along the axes: each atom with each."""
        lengths = np.where(self._pbc, np.abs(np.diagonal(cell)), np.inf)
        counts = self._unordered
        counts[:] = 0
        memory = scratch("histogram", 4 * len(positions) + SCRATCH)
        count_nearest_images(positions, self._first, lengths, self._r_max, counts, memory)
        return (counts + counts.transpose(1, 0, 2)).astype(np.float64)

    def count_all(self, positions: FloatArray, cell: FloatArray) -> FloatArray:
        """All images in any cell."""
        near = self._neighbors
        require_memory(len(positions), cell, self._pbc, self._r_max, "r_max")
        near.update(positions, cell, self._pbc)
        counts = self._ordered
        counts[:] = 0
        lists = (near.positions, near.shifts, near.start, near.idx, near.code)
        count_listed(lists, self._species, self._r_max, counts, scratch("histogram", near.longest))
        # the two directions of a pair may differ by rounding, and then lie on two sides of an edge
        doubled = (counts + counts.transpose(1, 0, 2))[..., :-1]
        return doubled.astype(np.float64) / 2.0


def _normalised(
    average: BlockAverage, symbols: list[str], populations: Int64Array, r_max: float, finite_size: bool
) -> RDF:
    """Turn averages of n_ab and V n_ab (2, S, S, bins) into g_ab and running coordination numbers."""
    counts, densities = average.mean
    blocks = average.blocks[:, 1]
    edges = np.linspace(0.0, r_max, counts.shape[-1] + 1)
    shells = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    partials, errors = {}, {}
    for a, b in combinations_with_replacement(range(len(symbols)), 2):
        pairs = populations[a] * (populations[b] - (finite_size and a == b))
        key = symbols[a], symbols[b]
        partials[key], errors[key] = _ratio(densities[a, b], blocks[:, a, b], pairs * shells)
    atoms = populations.sum()
    total = _ratio(densities.sum(axis=(0, 1)), blocks.sum(axis=(1, 2)), atoms * (atoms - finite_size) * shells)
    coordination = {
        (symbols[a], symbols[b]): np.cumsum(counts[a, b]) / populations[a]
        for a, b in product(range(len(symbols)), repeat=2)
    }
    return RDF(edges, total[0], partials, coordination, total[1], errors, average.frames)


def _ratio(mean: FloatArray, blocks: FloatArray, norm: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Function and standard error; not numbers where there is no pair to count (one atom of an element)."""
    norm = np.where(norm > 0.0, norm, np.nan)
    return mean / norm, standard_error(blocks) / norm
