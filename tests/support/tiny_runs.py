"""Tiny evaluations that reach the branches of all ACE, NEP, POD, SNAP and neighbour list kernels.

As a program, ``python -m support.tiny_runs results.npz`` does them with memory that does not forgive: allocations hold
NaN and impossible integers, are exactly as long as was asked for, and the areas of the kernels' scratch lie apart, as
do their constant tables.
"""

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from ase import Atoms

import ase_mlips.ace.potential as ace_potential
import ase_mlips.pod.potential as pod_potential
import ase_mlips.snap.potential as snap_potential
from ase_mlips import potential
from ase_mlips.engine import packing, plans
from ase_mlips.engine.neighbors import NeighborList
from ase_mlips.engine.packing import Packer, W
from ase_mlips.engine.plans import Plans
from ase_mlips.fit.protocols import Slopes
from ase_mlips.nep.gradient import NepGradient
from ase_mlips.nep.model import NepModel
from ase_mlips.nep.neighborhoods import neighborhood
from ase_mlips.nep.potential import NepPotential
from ase_mlips.snap import SnapModel, SnapPotential
from ase_mlips.snap.model import bispectrum_labels

from .ace_models import synthetic_ace_models
from .nep_models import synthetic_nep_models
from .pod_models import synthetic_pod_models
from .snap_models import NETWORK_VARIANTS, VARIANTS, rattled_cell
from .synthetic_networks import NETWORKS, random_network

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
    "network": (2, 12, False),
    "network_two": (2, 12, False),
    "network_shared": (2, 12, False),
}

# model of `synthetic_nep_models`: (atoms, factor by which they are moved apart)
NEP_RUNS = {
    "smallest": (3, 1.0),
    "nep4_one": (19, 1.0),
    "nep3_one": (1, 1.0),
    "nep3_per_type": (9, 1.0),
    "nep5_zbl_flexible": (37, 1.0),  # two chunks where these have 16 atoms, blocks of one and of several types
    "zbl_half": (8, 1.0),
    "l0": (5, 1.0),
    "all_invariants": (8, 1.0),
    "all_invariants_one": (4, 1.0),
    "all_invariants_l8": (3, 1.0),
    "n12": (4, 1.0),
    "long_radial": (7, 1.0),
    "equal_cutoffs": (6, 1.0),  # needs all slots of the longest row of the neighbour list
    "equal_cutoffs_per_type": (10, 1.0),
    "typewise": (150, 2.6),  # only the first and the last atom are neighbours, in different pages of the accumulators
    "charge1": (8, 1.0),
    "charge2_zbl_typewise": (4, 1.0),
    "charge3_zbl": (11, 1.0),
    "dipole": (9, 1.0),
    "polarizability_nep3": (9, 1.0),
    "elements16_zbl": (21, 1.0),
    "nep4": (0, 1.0),
}

# model of `synthetic_pod_models`: (atoms, factor by which they are moved apart, whether to take descriptor gradients)
POD_RUNS = {
    "pairs": (4, 1.0, True),
    "flat": (4, 0.36, False),  # nearer than the table of radial functions begins
    "four": (40, 1.6, False),
    "seven": (4, 1.6, True),  # too few neighbours for all terms
    "two_seven": (4, 1.25, True),
    "two_clusters": (12, 1.0, False),
}


# model of `synthetic_ace_models`: (atoms, factor by which they are moved apart)
ACE_RUNS = {
    "exp_cos": (12, 1.1),
    "pow": (4, 1.1),
    "bessel": (4, 1.1),
    "pairs": (4, 1.1),
    "zbl": (4, 0.8),  # within the inner cutoff
    "three": (4, 1.1),
    "network_two": (4, 1.1),
}


def tiny_model(name: str) -> SnapModel:
    """The synthetic model of that name with the `twojmax` of `RUNS` and random coefficients."""
    settings = {**(VARIANTS | NETWORK_VARIANTS)[name], "twojmax": RUNS[name][0]}
    count = len(settings["elements"])
    columns = len(bispectrum_labels(settings["twojmax"])) * (count**3 if settings.get("chemflag") else 1)
    if settings.get("quadraticflag"):
        columns += columns * (columns + 1) // 2
    if name in NETWORKS:
        network = random_network((columns, *NETWORKS[name][0], 1), NETWORKS[name][1], count=NETWORKS[name][2])
        return SnapModel(**settings, coefficients=np.zeros((count, 0)), network=network)
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
        found = potential.evaluate(neighbors, species)._asdict()
        if gradients:
            found |= vars(potential.descriptor_gradients(neighbors, species))
        results |= {f"{name}/{key}": value for key, value in found.items()}
    return results


def tiny_structure(model: NepModel, atoms: int, factor: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Species, positions, cell and pbc of a skewed, disordered crystal of all elements, `factor` times 2.6 A apart.

    Two atoms are only 1.1 A times `factor` from each other.
    """
    rng = np.random.default_rng(atoms)
    layers = max(1, -(-atoms // 4))
    sites = np.array(list(np.ndindex(layers, 2, 2)), float)[:atoms] @ np.diag([2.5, 2.6, 2.7])
    positions = sites.reshape(-1, 3) + rng.normal(scale=0.12, size=(atoms, 3))
    if atoms > 2:
        positions[atoms - 1] = positions[0] + [0.7, -0.6, 0.6]
    cell = np.array([[2.5 * layers + 0.4, 0, 0], [0.3, 5.4, 0], [-0.2, 0.4, 5.6]])
    species = rng.permutation(np.arange(atoms, dtype=np.int32) % len(model.elements))
    return species, factor * positions, factor * cell, np.array([True, True, bool(model.charge_mode) or atoms % 2 == 0])


def nep_evaluations() -> dict[str, np.ndarray]:
    """All that each of `NEP_RUNS` gives, by ``model/quantity``."""
    results = {}
    for name, size in NEP_RUNS.items():
        model = synthetic_nep_models()[name]
        potential = NepPotential(model)
        species, positions, cell, pbc = tiny_structure(model, *size)
        neighbors = NeighborList(potential.cutoff, 0.0)
        neighbors.update(positions, cell, pbc)
        found = potential.evaluate(neighbors, species)._asdict() | vars(potential.outputs(neighbors, species))
        if model.charge_mode:
            found["born"] = potential.born_effective_charges(neighbors, species)
        if model.kind != "potential":
            found[model.kind] = getattr(potential, model.kind)(neighbors, species)
        results |= {f"{name}/{key}": value for key, value in found.items()}
    return results


def nep_gradients() -> dict[str, np.ndarray]:
    """Derivatives with respect to all parameters of two joined frames, by ``gradient/model``."""
    results = {}
    for name in ("nep4_one", "nep3", "nep5", "long_radial", "smallest"):
        model = replace(synthetic_nep_models()[name], zbl=None)
        gradient = NepGradient(model)
        near = []
        for count in (3, 2):
            species, positions, cell, pbc = tiny_structure(model, count, 1.0)
            atoms = Atoms(f"H{len(species)}", positions=positions, cell=cell, pbc=pbc)
            near.append(neighborhood(NeighborList(gradient.cutoff, 0.0), atoms, species, len(model.elements)))
        found = gradient.evaluate(gradient.vector.of(model), near)
        slopes = Slopes(np.array([1.0, -2.0]), found.forces, found.strains)
        results[f"gradient/{name}"] = found.gradient(slopes)
    return results


def pod_evaluations() -> dict[str, np.ndarray]:
    """Energies, forces, virials, and for some models descriptors and pair gradients, by ``model/quantity``."""
    results = {}
    for name, (count, spread, gradients) in POD_RUNS.items():
        model = synthetic_pod_models()[name]
        species, positions, cell, pbc = rattled_cell(model, atoms=count)
        neighbors = NeighborList(model.cutoff, 0.2)
        neighbors.update(spread * positions, spread * cell, pbc)
        potential = pod_potential.PodPotential(model)
        found = potential.evaluate(neighbors, species)._asdict()
        if gradients:
            found |= vars(potential.descriptor_gradients(neighbors, species))
        results |= {f"pod/{name}/{key}": value for key, value in found.items()}
    return results


def ace_evaluations() -> dict[str, np.ndarray]:
    """Energies, forces, virials, descriptors and pair gradients, by ``model/quantity``."""
    results = {}
    for name, (count, spread) in ACE_RUNS.items():
        model = synthetic_ace_models()[name]
        species, positions, cell, pbc = rattled_cell(model, atoms=count)
        neighbors = NeighborList(model.cutoff, 0.2)
        neighbors.update(spread * positions, spread * cell, pbc)
        potential = ace_potential.AcePotential(model)
        found = potential.evaluate(neighbors, species)._asdict()
        if count < 8:
            found |= vars(potential.descriptor_gradients(neighbors, species))
        results |= {f"ace/{name}/{key}": value for key, value in found.items()}
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
    found = evaluations() | nep_evaluations() | nep_gradients()
    return found | ace_evaluations() | pod_evaluations() | neighbor_lists()


class Unforgiving:
    """Replaces allocations, and checks that nothing was written between the areas of the scratch."""

    GAP = 32  # elements

    def __init__(self) -> None:
        self._scratch: list[tuple[np.ndarray, list[int]]] = []
        self._gaps: dict[int, list[int]] = {}
        self._marks = (np.full(self.GAP, np.nan).view(np.int64) + np.arange(1, self.GAP + 1)).view(float)  # NaN, all
        self._empty = np.empty
        np.empty = self._filled
        Packer.add = self._apart(Packer.add)
        plans.capacity = lambda longest: max(longest, W)
        Plans._lay_out = self._spaced(Plans._lay_out)
        plans.ATOMS_PER_CHUNK = 16
        for module in (ace_potential, pod_potential, potential, snap_potential):
            module.scratch = self._exact

    def _filled(self, *args, **kwargs) -> np.ndarray:
        array = self._empty(*args, **kwargs)
        if array.dtype.kind in "fi":
            array.fill(np.nan if array.dtype.kind == "f" else np.iinfo(array.dtype).max)
        return array

    def _apart(self, add: Callable) -> Callable:
        """Lets a gap follow each table."""

        def add_with_gaps(packer: Packer, **tables) -> None:
            for name, values in tables.items():
                add(packer, **{name: values})
                packer._parts.append(self._filled(self.GAP, packer._dtype))
                packer._size += self.GAP

        return add_with_gaps

    def _exact(self, name: str, size: int) -> np.ndarray:
        buffer = np.full(size, np.nan)
        if name == "work":
            for first in self._gaps[size]:
                buffer[first : first + self.GAP] = self._marks
            self._scratch.append((buffer, self._gaps[size]))
        return buffer

    def _spaced(self, original: Callable) -> Callable:
        """Lets a gap precede each area of scratch, and one or more end it, so that each size stands for one layout."""

        def lay_out(plans: Plans, slots: int) -> tuple[tuple, int]:
            areas, size = original(plans, slots)
            places = packing.flatten(areas)
            places += self.GAP * np.arange(1, len(places) + 1, dtype=places.dtype)
            end = size + self.GAP * len(places)
            size = end + self.GAP
            while size in self._gaps:
                size += self.GAP
            self._gaps[size] = [*(places - self.GAP), *range(end, size, self.GAP)]
            return packing.named(type(areas), places), size

        return lay_out

    def check(self) -> None:
        if not self._scratch:
            raise RuntimeError("no kernel has used the scratch that is checked")
        for buffer, gaps in self._scratch:
            for first in gaps:
                if buffer[first : first + self.GAP].tobytes() != self._marks.tobytes():
                    raise IndexError(f"a kernel wrote beyond an area of its scratch, behind double {first}")


def write(path: str, found: dict[str, np.ndarray]) -> None:
    """Keep results, whose names an archive cannot have as they are."""
    np.savez(path, **{name.replace("/", "|"): value for name, value in found.items()})


def stored(path: str) -> dict[str, np.ndarray]:
    """What `write` has kept."""
    with np.load(path) as archive:
        return {name.replace("|", "/"): archive[name] for name in archive.files}


if __name__ == "__main__":
    memory = Unforgiving()
    write(sys.argv[1], results())
    memory.check()
