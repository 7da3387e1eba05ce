"""Tiny evaluations that reach the branches of all SNAP and neighbour list kernels.

As a program, ``python -m support.tiny_runs results.npz`` does them with memory that does not forgive: allocations hold
NaN and impossible integers, are exactly as long as was asked for, and the areas of the kernels' scratch lie apart.
"""

import sys
from collections.abc import Callable

import numpy as np

import ase_mlips.snap.potential as snap_potential
from ase_mlips.neighbors import NeighborList
from ase_mlips.snap import SnapModel, SnapPotential, layout
from ase_mlips.snap.model import bispectrum_labels

from .snap_models import VARIANTS, rattled_cell

# model: (twojmax, atoms, whether to take descriptor gradients too)
RUNS = {
    "tj0": (0, 12, True),
    "tj1": (1, 72, True),
    "tj2": (2, 8, True),
    "tj8": (8, 4, False),
    "inner": (3, 4, True),
    "switch0": (2, 4, True),
    "rmin0": (2, 4, True),
    "two": (4, 12, False),
    "two_inner": (3, 4, True),
    "quadratic_two": (3, 12, False),
    "bnorm_bzero0": (2, 4, True),
    "zbl_beyond_snap": (2, 12, True),
    "chem_wselfall": (2, 4, True),
    "chem_quadratic": (2, 4, True),
    "chem_three": (1, 4, True),
}


def tiny_model(name: str) -> SnapModel:
    """The synthetic model of that name with the `twojmax` of `RUNS` and random coefficients."""
    settings = {**VARIANTS[name], "twojmax": RUNS[name][0]}
    count = len(settings["elements"])
    columns = len(bispectrum_labels(settings["twojmax"])) * (count**3 if settings.get("chemflag") else 1)
    if settings.get("quadraticflag"):
        columns += columns * (columns + 1) // 2
    coefficients = np.random.default_rng(len(name)).normal(size=(count, 1 + columns)) / columns
    return SnapModel(**settings, coefficients=coefficients)


def evaluations() -> dict[str, np.ndarray]:
    """Energies, forces, virials, and for some models descriptors and pair gradients, by ``model/quantity``."""
    results = {}
    for name, (_, count, gradients) in RUNS.items():
        model = tiny_model(name)
        species, positions, cell, pbc = rattled_cell(model, atoms=count)
        neighbors = NeighborList(model.cutoff, 0.2)
        neighbors.update(positions, cell, pbc)
        potential = SnapPotential(model)
        parts = [potential.evaluate(neighbors, species)]
        if gradients:
            parts.append(potential.descriptor_gradients(neighbors, species))
        results |= {f"{name}/{key}": value for part in parts for key, value in vars(part).items()}
    return results


def neighbor_lists() -> dict[str, np.ndarray]:
    """What neighbour lists hold after builds in different cells, growth, refreshes and rebuilds."""
    rng = np.random.default_rng(0)
    skewed = np.array([[3.1, 0, 0], [9.4, 2.9, 0], [-7.0, 4.1, 3.3]])
    structures = {
        "crystal": (rng.uniform(0, 6, (20, 3)), np.diag([6.0, 6.5, 7.0]), (True, True, True)),
        "far outside": (rng.uniform(-90, 90, (9, 3)), np.diag([6.0, -6.5, 7.0]), (True, True, True)),
        "smaller than the cutoff": (rng.uniform(0, 2, (2, 3)), np.diag([2.0, 2.2, 2.4]), (True, True, True)),
        "skewed": (rng.uniform(0, 5, (5, 3)), skewed, (True, True, True)),
        "slab": (rng.uniform(0, 5, (30, 3)), skewed, (True, True, False)),
        "wire": (rng.uniform(0, 5, (11, 3)), np.diag([4.0, 0.0, 0.0]), (True, False, False)),
        "cluster": (rng.uniform(0, 9, (50, 3)), np.zeros((3, 3)), (False, False, False)),
        "two far apart": (np.array([[0.0, 0, 0], [4e5, -7e5, 1.0]]), np.zeros((3, 3)), (False, False, False)),
        "one atom": (np.ones((1, 3)), np.zeros((3, 3)), (False, False, False)),
        "no atoms": (np.zeros((0, 3)), np.eye(3), (True, True, True)),
    }
    shared = NeighborList(3.0, 0.5)
    results = {}
    for name, (positions, cell, pbc) in structures.items():
        fresh = NeighborList(3.0, 0.5)
        for neighbors, kind in ((fresh, "fresh"), (shared, "shared")):
            for step, move in (("built", 0.0), ("moved", 0.1), ("rebuilt", 0.4)):
                built = neighbors.update(positions + move, np.asarray(cell, float), pbc)
                label = f"{name}/{kind}/{step}"
                results[f"{label}/built"] = np.array(built)
                results |= {
                    f"{label}/{key}": getattr(neighbors, key).copy() for key in ("positions", "shifts", "start")
                }
                results |= {f"{label}/{key}": getattr(neighbors, key).copy() for key in ("idx", "code")}
                results |= {f"{label}/{key}": part for key, part in zip("ijSD", neighbors.pairs(), strict=True)}
    return results


def results() -> dict[str, np.ndarray]:
    return evaluations() | neighbor_lists()


class Unforgiving:
    """Replaces allocations, and checks that nothing was written between the areas of the scratch."""

    GAP = 32  # doubles

    def __init__(self) -> None:
        self._scratch: list[tuple[np.ndarray, list[int]]] = []
        self._gaps: dict[int, list[int]] = {}
        self._empty, self._lay_out = np.empty, SnapPotential._lay_out
        np.empty = self._filled
        snap_potential.scratch = self._exact
        snap_potential.ATOMS_PER_CHUNK = 16
        SnapPotential._lay_out = self._spaced()

    def _filled(self, *args, **kwargs) -> np.ndarray:
        array = self._empty(*args, **kwargs)
        if array.dtype.kind in "fi":
            array.fill(np.nan if array.dtype.kind == "f" else np.iinfo(array.dtype).max)
        return array

    def _exact(self, name: str, size: int) -> np.ndarray:
        buffer = np.full(size, np.nan)
        if name == "work":
            self._scratch.append((buffer, self._gaps[size]))
        return buffer

    def _spaced(self) -> Callable:
        def lay_out(potential: SnapPotential, slots: int) -> tuple[np.ndarray, int]:
            head, size = self._lay_out(potential, slots)
            areas = sorted(
                (value for name, value in vars(layout).items() if name.startswith("A_")), key=head.__getitem__
            )
            head[areas] += self.GAP * np.arange(1, len(areas) + 1, dtype=head.dtype)
            size += self.GAP * (len(areas) + 1)
            self._gaps[size] = [*(head[areas] - self.GAP), size - self.GAP]
            return head, size

        return lay_out

    def check(self) -> None:
        for buffer, gaps in self._scratch:
            for first in gaps:
                if not np.isnan(buffer[first : first + self.GAP]).all():
                    raise IndexError(f"a kernel wrote beyond an area of its scratch, behind double {first}")


if __name__ == "__main__":
    memory = Unforgiving()
    np.savez(sys.argv[1], **{name.replace("/", "|"): value for name, value in results().items()})
    memory.check()
