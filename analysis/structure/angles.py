"""Angular distribution functions: the angles between the bonds of an atom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from numbers import Real
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from ase_mlips.arrays import FloatArray, Int64Array
from ase_mlips.engine.neighbors import NeighborList
from ase_mlips.engine.threads import scratch

from ..blocking import BlockAverage, standard_error
from ..results import Interrupted, new_axes
from ..tables import Tabulated
from ..trajectories.trajectory import Source, Trajectory, as_trajectory
from .kernels_histogram import count_angles
from .limits import require_memory

Triplet = tuple[str, str, str]

_LARGEST = 1e10  # pairs of bonds in a frame: some two minutes
_AT_ONCE = 2e7  # between two of them Ctrl-C is heard


@dataclass(frozen=True, eq=False, repr=False)
class ADF(Tabulated):
    """Angular distribution of the bonds in a trajectory.

    Attributes
    ----------
    edges : (bins + 1,) array
        Edges of the bins in degrees, from 0 to 180.
    total : (bins,) array
        Density of the angles per degree, with integral 1.  Bonds in random directions have ``pi/360 sin(angle)``.
    partials : dict of (bins,) arrays
        The share ``partials[a, c, b]`` of angles at an atom c between bonds to atoms a and b, for those that occur; a
        comes before b in order of atomic number (MSD and VDOS have that of the atoms).  The shares add up to `total`.
    error : (bins,) array
        Standard error of `total` from 8 to 15 successive blocks of frames; NaN for a single frame.
    partial_errors : dict of (bins,) arrays
        Those of the shares.
    angles_per_frame : float
        Mean number of angles in a frame.
    frames : int
        Number of frames averaged.
    """

    edges: FloatArray
    total: FloatArray
    partials: dict[Triplet, FloatArray]
    error: FloatArray
    partial_errors: dict[Triplet, FloatArray]
    angles_per_frame: float
    frames: int

    def __repr__(self) -> str:
        triplets = ", ".join("-".join(triplet) for triplet in self.partials)
        return f"ADF({triplets}, {len(self.total)} bins, {self.frames} frames)"

    @property
    def angles(self) -> FloatArray:
        """Centres of the bins in degrees, (bins,)."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    def facts(self) -> dict[str, str]:
        """Numbers of angles and frames, and the most frequent angle of each triplet."""
        most = {
            f"most frequent {'-'.join(triplet)}": f"{self.angles[np.argmax(share)]:.4g} degrees"
            for triplet, share in self.partials.items()
        }
        return {"frames": str(self.frames), "angles per frame": f"{self.angles_per_frame:.4g}", **most}

    def columns(self) -> dict[str, FloatArray]:
        """The angle, the total density and the shares, each followed by its standard error."""
        curves = {"angle (degrees)": self.angles, "total (1/degree)": self.total, "error of total": self.error}
        for triplet, share in self.partials.items():
            name = "-".join(triplet)
            curves |= {f"{name} (1/degree)": share, f"error of {name}": self.partial_errors[triplet]}
        return curves

    def plot(self, ax: Any = None) -> Any:
        """Draw the total with its standard error and, if there are several, the shares; returns the Axes."""
        ax = new_axes(ax)
        ax.plot(self.angles, self.total, label="total", color="black")
        if np.all(np.isfinite(self.error)):
            band = (self.total - self.error, self.total + self.error)
            ax.fill_between(self.angles, *band, color="black", alpha=0.3, linewidth=0.0)
        if len(self.partials) > 1:
            for triplet, share in self.partials.items():
                ax.plot(self.angles, share, label="-".join(triplet), linewidth=1.0)
            ax.legend(frameon=False)
        ax.set(xlabel="angle (degrees)", ylabel="density per degree", xlim=(0.0, 180.0), ylim=(0.0, None))
        return ax


def adf(
    frames: Source | Trajectory,
    cutoff: float | Mapping[tuple[str, str], float],
    *,
    bins: int = 180,
) -> ADF:
    """Angular distribution function: how often two bonds of an atom make which angle.

    Parameters
    ----------
    frames : Trajectory, path, Atoms or iterable of Atoms
        Read in chunks; any cell, periodic or not.  Species may be exchanged between frames.
    cutoff : float or dict
        Two atoms nearer than this, in A, are bonded: one length for all, or one for each pair of elements that form
        bonds, such as ``{("Si", "O"): 2.0}`` (in any order; other pairs do not).
    bins : int
        Number of bins of equal width between 0 and 180 degrees.

    Raises
    ------
    ValueError
        When there is no frame or no atom, no atom has two bonds, `cutoff` or `bins` is not positive, `cutoff` names an
        element that does not occur or no pair, or so many neighbours are within it that they take more than 2 GB or
        make more than 1e10 angles.
    Interrupted
        At Ctrl-C, with the result of the frames read so far.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase_mlips.analysis import adf
    >>> silicon = adf(bulk("Si", cubic=True), 2.6)
    >>> float(silicon.angles[silicon.total.argmax()])  # degrees, the bin of the tetrahedral angle
    109.5
    """
    if bins < 1:
        raise ValueError(f"expected at least one bin, got bins={bins}")
    trajectory = as_trajectory(frames)
    numbers, species = np.unique(trajectory.numbers, return_inverse=True)
    symbols = [chemical_symbols[z] for z in numbers]
    cutoffs = _cutoff_table(cutoff, symbols)
    neighbors = NeighborList(float(cutoffs.max()), skin=0.0)
    average = BlockAverage()
    try:
        for chunk in trajectory.chunks(identity=False, progress="ADF"):
            for k, (positions, cell) in enumerate(zip(chunk.positions, chunk.cells, strict=True)):
                require_memory(len(positions), cell, trajectory.pbc, float(cutoffs.max()), "cutoff")
                neighbors.update(positions, cell, trajectory.pbc)
                present = np.searchsorted(numbers, chunk.numbers[k]) if k in chunk.numbers else species
                average.add(_count(neighbors, np.append(present, 0).astype(np.int64), cutoffs, bins))
    except KeyboardInterrupt:
        if average.frames == 0 or not average.mean.any():
            raise
        raise Interrupted(_normalised(average, symbols), average.frames) from None
    if not average.mean.any():
        raise ValueError(f"no atom has two bonds within cutoff={cutoff}")
    return _normalised(average, symbols)


def _cutoff_table(cutoff: float | Mapping[tuple[str, str], float], symbols: list[str]) -> FloatArray:
    """Lengths below which atoms of two species are bonded, (S, S)."""
    table = np.zeros((len(symbols), len(symbols)))
    pairs = cutoff if isinstance(cutoff, Mapping) else dict.fromkeys(product(symbols, repeat=2), cutoff)
    for pair, length in pairs.items():
        if not (isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(name, str) for name in pair)):
            raise ValueError(f'expected cutoffs of pairs of elements such as ("Si", "O"), got one of {pair!r}')
        if not (isinstance(length, Real) and 0.0 < length < np.inf):
            raise ValueError(f"expected a positive cutoff, got {cutoff!r}")
        first, second = pair
        if not {first, second} <= set(symbols):
            raise ValueError(f"cutoff names the pair {first}-{second}, but the elements are {', '.join(symbols)}")
        a, b = symbols.index(first), symbols.index(second)
        table[a, b] = table[b, a] = length
    if not pairs:
        raise ValueError("expected a cutoff for at least one pair of elements, got none")
    return table


def _count(neighbors: NeighborList, species: Int64Array, cutoffs: FloatArray, bins: int) -> FloatArray:
    """Number of angles (S, S, S, bins) by central and outer species."""
    counts = np.zeros((*(3 * (len(cutoffs),)), bins), np.int64)
    lists = (neighbors.positions, neighbors.shifts, neighbors.start, neighbors.idx, neighbors.code)
    rows = max(1, neighbors.longest)
    memory = scratch("bonds", 4 * rows)[: 4 * rows].reshape(rows, 4)
    angles = np.sum(np.diff(neighbors.start).astype(np.float64) ** 2) / 2.0
    if angles > _LARGEST:
        raise ValueError(f"expected a smaller cutoff: a frame has up to {angles:.2g} angles within {cutoffs.max():g} A")
    step = max(1, int(_AT_ONCE / rows**2))
    for first in range(0, neighbors.n, step):
        count_angles(lists, species, cutoffs**2, first, min(first + step, neighbors.n), counts, memory)
    return counts.astype(np.float64)


def _normalised(average: BlockAverage, symbols: list[str]) -> ADF:
    """Turn numbers of angles into densities."""
    counts = average.mean
    edges = np.linspace(0.0, 180.0, counts.shape[-1] + 1)
    angles = float(counts.sum())
    norm = angles * (edges[1] - edges[0])
    blocks = average.blocks
    # linearised error of a quotient whose denominator, the number of angles, varies too
    changes = blocks - counts * (blocks.sum(axis=(1, 2, 3, 4)) / angles)[:, None, None, None, None]
    partials, errors = {}, {}
    for c, (a, b) in product(range(len(symbols)), combinations_with_replacement(range(len(symbols)), 2)):
        if counts[c, a, b].any():
            key = symbols[a], symbols[c], symbols[b]
            partials[key] = counts[c, a, b] / norm
            errors[key] = standard_error(changes[:, c, a, b]) / norm
    total, error = counts.sum(axis=(0, 1, 2)) / norm, standard_error(changes.sum(axis=(1, 2, 3))) / norm
    return ADF(edges, total, partials, error, errors, angles, average.frames)
