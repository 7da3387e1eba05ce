"""Synthetic POD models: every size that the code treats differently, energies of some eV and forces of some eV/A."""

from dataclasses import replace
from functools import cache

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from ase_mlips.pod.model import PodBasis, PodModel

from .pod_oracle import descriptors
from .snap_models import rattled_cell
from .synthetic_networks import NETWORKS, random_network

ONE, TWO, THREE = ("Cu",), ("Cu", "Ni"), ("Si", "Ge", "C")
BASIS = {"rin": 1.0, "rcut": 4.3, "bessel_degree": 3, "inverse_degree": 6}

VARIANTS = {  # elements, radial functions of two to seven bodies, angular degrees of three to seven, clusters
    "pairs": (ONE, (5, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0), 1),
    "three": (ONE, (4, 3, 0, 0, 0, 0), (4, 0, 0, 0, 0), 1),
    "flat": (ONE, (2, 4, 2, 0, 0, 0), (0, 0, 0, 0, 0), 1),
    "four": (ONE, (7, 5, 3, 0, 0, 0), (5, 3, 0, 0, 0), 1),
    "many": (ONE, (9, 6, 2, 0, 0, 0), (6, 6, 0, 0, 0), 1),
    "seven": (ONE, (4, 4, 3, 3, 2, 2), (4, 3, 3, 2, 2), 1),
    "two": (TWO, (5, 4, 2, 0, 0, 0), (3, 2, 0, 0, 0), 1),
    "two_seven": (TWO, (4, 3, 3, 2, 2, 1), (3, 2, 2, 2, 1), 1),
    "elements": (THREE, (4, 3, 2, 2, 0, 0), (2, 2, 2, 0, 0), 1),
    "clusters": (ONE, (5, 4, 2, 0, 0, 0), (3, 2, 0, 0, 0), 3),
    "two_clusters": (TWO, (4, 3, 2, 2, 0, 0), (2, 2, 2, 0, 0), 2),
    "no_constant": (TWO, (3, 2, 0, 0, 0, 0), (2, 0, 0, 0, 0), 1),
}


@cache
def synthetic_pod_models() -> dict[str, PodModel]:
    """A model for each of `VARIANTS` by name; the same at each call."""
    return {name: _scaled(name, seed) for seed, name in enumerate(VARIANTS)}


@cache
def headed_pod_models() -> dict[str, PodModel]:
    """Models with quadratic coefficients or networks by name; the same at each call."""
    found = {}
    for name in ("three", "two", "two_seven"):
        model = synthetic_pod_model(name)
        unit = np.abs(model.coefficients).max(axis=0)[0]
        k, m = np.triu_indices(len(unit))
        scales = unit[k] * unit[m]
        rng = np.random.default_rng(len(scales))
        found[f"quadratic_{name}"] = replace(model, quadratic=scales * rng.normal(size=(len(model.elements), len(k))))
    for base, kind in (("three", "network"), ("two", "network_two"), ("elements", "network_shared")):
        model = synthetic_pod_model(base)
        hidden, activations, count = NETWORKS[kind]
        network = random_network((model.basis.n_descriptors, *hidden, 1), activations, count=count)
        scale = 1.0 / np.resize(np.abs(model.coefficients).max(axis=0)[0], network.scale.shape)
        shift = 0.3 * scale * network.shift
        found[kind] = replace(model, network=replace(network, shift=shift, scale=scale))
    return found


def synthetic_pod_model(name: str) -> PodModel:
    """One of them."""
    return synthetic_pod_models()[name]


def pod_crystal(model: PodModel, *, atoms: int = 8, seed: int = 0):
    """A disordered periodic crystal of the model's elements: species, positions, cell and pbc."""
    return rattled_cell(model, atoms=atoms, seed=seed)


def _scaled(name: str, seed: int) -> PodModel:
    """Coefficients such that each descriptor contributes alike to the energies of a rattled cell."""
    elements, radial, angular, clusters = VARIANTS[name]
    rng = np.random.default_rng(seed)
    basis = PodBasis(elements, **BASIS, radial_functions=radial, angular_degrees=angular)
    E, M = len(elements), basis.n_descriptors
    bare = PodModel(basis, np.zeros(E), np.zeros((E, 1, M)))
    species, positions, cell, pbc = rattled_cell(bare)
    i, j, D = neighbor_list("ijD", Atoms("X8", positions=positions, cell=cell, pbc=pbc), basis.rcut)
    B = np.array([descriptors(basis, D[None, i == n] + 0j, species[j[i == n]])[0].real for n in range(8)])
    unit = 1.0 / np.maximum(np.sqrt(np.mean(B**2, axis=0)), 1e-3)
    fields = {"coefficients": rng.normal(size=(E, clusters, M)) * unit / np.sqrt(M)}
    if clusters > 1:
        projections = rng.normal(size=(E, M, 2)) * unit[:, None] / np.sqrt(M)
        places = np.einsum("nm,emd->end", B, projections)
        fields |= {"projections": projections, "centroids": places[:, :clusters] + 0.1}
    onebody = name != "no_constant"
    constants = rng.normal(size=E) if onebody else np.zeros(E)
    return PodModel(basis, constants, onebody=onebody, **fields)
