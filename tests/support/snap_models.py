"""Synthetic SNAP models: every flag, random coefficients, energies of some eV and forces of some eV/A."""

from dataclasses import replace
from functools import cache

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

from ase_mlips.snap.model import SnapModel, Zbl, bispectrum_labels

from .snap_oracle import descriptors_and_gradients
from .synthetic_networks import NETWORKS, random_network

ONE = {"elements": ("Cu",), "radii": [0.5], "weights": [1.0], "rcutfac": 4.3}
TWO = {"elements": ("Cu", "Ni"), "radii": [2.2, 1.9], "weights": [1.0, 0.83], "rcutfac": 1.0}
THREE = {"elements": ("Si", "Ge", "C"), "radii": [2.1, 2.3, 1.6], "weights": [1.0, 1.2, -0.4], "rcutfac": 1.05}
INNER_ONE = {"switchinnerflag": True, "sinner": [2.3], "dinner": [0.5]}
INNER_TWO = {"switchinnerflag": True, "sinner": [2.1, 2.5], "dinner": [0.4, 0.7]}

VARIANTS = {
    "tj0": {**ONE, "twojmax": 0},
    "tj1": {**ONE, "twojmax": 1},
    "tj2": {**ONE, "twojmax": 2},
    "tj5": {**ONE, "twojmax": 5},
    "tj6": {**ONE, "twojmax": 6},
    "tj7": {**ONE, "twojmax": 7},
    "tj8": {**ONE, "twojmax": 8},
    "tj10": {**ONE, "twojmax": 10},
    "bzero0": {**ONE, "twojmax": 4, "bzeroflag": False},
    "bnorm": {**ONE, "twojmax": 6, "bnormflag": True},
    "bnorm_bzero0": {**ONE, "twojmax": 4, "bnormflag": True, "bzeroflag": False},
    "wselfall": {**ONE, "twojmax": 4, "wselfallflag": True},
    "switch0": {**ONE, "twojmax": 4, "switchflag": False},
    "rmin0": {**ONE, "twojmax": 4, "rmin0": 1.1, "rfac0": 0.9},
    "rmin0_beyond_neighbors": {**ONE, "twojmax": 4, "rmin0": 2.4, "rfac0": 0.9},
    "inner": {**ONE, "twojmax": 4, **INNER_ONE},
    "inner_switch0": {**ONE, "twojmax": 4, "switchflag": False, **INNER_ONE},
    "two": {**TWO, "twojmax": 6},
    "two_bzero0": {**TWO, "twojmax": 4, "bzeroflag": False},
    "two_inner": {**TWO, "twojmax": 4, **INNER_TWO},
    "three": {**THREE, "twojmax": 4},
    "quadratic": {**ONE, "twojmax": 6, "quadraticflag": True},
    "quadratic_bzero0": {**ONE, "twojmax": 4, "quadraticflag": True, "bzeroflag": False},
    "quadratic_two": {**TWO, "twojmax": 4, "quadraticflag": True},
    "chem": {**TWO, "twojmax": 5, "chemflag": True},
    "chem_bzero0": {**TWO, "twojmax": 4, "chemflag": True, "bzeroflag": False},
    "chem_bnorm": {**TWO, "twojmax": 4, "chemflag": True, "bnormflag": True},
    "chem_wselfall": {**TWO, "twojmax": 4, "chemflag": True, "wselfallflag": True},
    "chem_bnorm_wselfall": {**TWO, "twojmax": 4, "chemflag": True, "bnormflag": True, "wselfallflag": True},
    "chem_inner_rmin0": {**TWO, "twojmax": 3, "chemflag": True, "rmin0": 0.7, **INNER_TWO},
    "chem_one": {**ONE, "twojmax": 4, "chemflag": True},
    "chem_three": {**THREE, "twojmax": 3, "chemflag": True},
    "chem_quadratic": {**TWO, "twojmax": 2, "chemflag": True, "quadraticflag": True},
    "chem_quadratic_three": {**THREE, "twojmax": 1, "chemflag": True, "quadraticflag": True, "wselfallflag": True},
    "zbl": {**ONE, "twojmax": 4, "zbl": Zbl(2.2, 3.1, (29.0,))},
    "zbl_beyond_snap": {**TWO, "twojmax": 4, "zbl": Zbl(4.0, 4.8, (29.0, 28.0))},
}

# with the networks of the same names
NETWORK_VARIANTS = {
    "network": {**ONE, "twojmax": 4},
    "network_two": {**TWO, "twojmax": 4},
    "network_shared": {**TWO, "twojmax": 4, "zbl": Zbl(2.2, 3.1, (29.0, 28.0))},
    "network_chem": {**TWO, "twojmax": 2, "chemflag": True},
}


@cache
def network_models() -> dict[str, SnapModel]:
    """Models with networks in place of the polynomial, by name; the same at each call."""
    return {name: _with_network(name, settings) for name, settings in NETWORK_VARIANTS.items()}


@cache
def synthetic_models() -> dict[str, SnapModel]:
    """A model for every combination of flags that the code treats differently, by name; the same at each call."""
    return {name: _scaled(settings, np.random.default_rng(n)) for n, (name, settings) in enumerate(VARIANTS.items())}


def rattled_cell(model: SnapModel, *, atoms: int = 8, seed: int = 0):
    """A disordered periodic crystal of the model's elements: (species, positions, cell, pbc), about 12 neighbours each.

    Parameters
    ----------
    model : SnapModel
    atoms : int
        A multiple of 4, in a row of conventional fcc cells.
    seed : int
    """
    rng = np.random.default_rng(seed)
    crystal = bulk("Cu", "fcc", a=3.7, cubic=True).repeat((atoms // 4, 1, 1))
    crystal.rattle(0.12, rng=rng)
    cell = crystal.cell.array @ (np.eye(3) + np.tril(rng.uniform(-0.06, 0.06, (3, 3))))  # lower triangular for LAMMPS
    species = np.resize(np.arange(len(model.elements)), atoms)
    return rng.permutation(species), crystal.positions, cell, np.array([True, True, True])


def _scaled(settings: dict, rng: np.random.Generator) -> SnapModel:
    """Coefficients such that each descriptor contributes alike to the energies of a rattled cell."""
    bare, B = _described(settings)
    count, K = len(bare.elements), bare.n_descriptors
    unit = 1.0 / np.maximum(np.sqrt(np.mean(B**2, axis=0)), 1e-3)
    linear = rng.normal(size=(count, K)) * unit / np.sqrt(K)
    parts = [rng.normal(size=(count, 1)), linear]
    quadratic = bool(settings.get("quadraticflag"))
    if quadratic:
        rows, columns = np.triu_indices(K)
        parts.append(rng.normal(size=(count, len(rows))) * unit[rows] * unit[columns] / K)
    return replace(bare, quadraticflag=quadratic, coefficients=np.concatenate(parts, axis=1))


def _with_network(name: str, settings: dict) -> SnapModel:
    """Inputs of the network that are about 1 in a rattled cell."""
    bare, B = _described(settings)
    nodes, activations, count = NETWORKS[name]
    network = random_network((bare.n_descriptors, *nodes, 1), activations, count=count)
    shift = np.tile(B.mean(axis=0), (count, 1))
    scale = np.tile(np.maximum(B.std(axis=0), 1e-3), (count, 1)) * (1.0 + 0.1 * np.arange(count)[:, None])
    return replace(
        bare, coefficients=np.zeros((len(bare.elements), 0)), network=replace(network, shift=shift, scale=scale)
    )


def _described(settings: dict) -> tuple[SnapModel, np.ndarray]:
    """The linear model whose coefficients are zero, and its descriptors of a rattled cell."""
    count = len(settings["elements"])
    K = len(bispectrum_labels(settings["twojmax"])) * (count**3 if settings.get("chemflag") else 1)
    bare = SnapModel(**{**settings, "quadraticflag": False}, coefficients=np.zeros((count, 1 + K)))
    species, positions, cell, pbc = rattled_cell(bare)
    i, j, D = neighbor_list("ijD", Atoms("X8", positions=positions, cell=cell, pbc=pbc), bare.cutoff)
    return bare, descriptors_and_gradients(bare, i, j, D, species)[0]
