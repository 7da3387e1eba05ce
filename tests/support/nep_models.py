"""Synthetic NEP models of every version, kind and option: random parameters, energies of eV, forces of eV/A."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.polynomial import chebyshev, legendre

from ase_mlips.nep.model import INVARIANTS, NepModel, NepNetwork, NepZbl

ONE = {"elements": ("Si",)}
TWO = {"elements": ("Te", "Pb")}
THREE = {"elements": ("Si", "O", "Al")}
MANY = ("Ag", "Al", "Au", "Cr", "Cu", "Mg", "Mo", "Ni", "Pb", "Pd", "Pt", "Ta", "Ti", "V", "W", "Zr")
SIXTEEN = {"elements": MANY, "n_max": (2, 2), "basis_size": (4, 4), "neurons": 8}
PER_TYPE = {"radial": (5.0, 4.2, 5.6), "angular": (4.1, 3.6, 4.4)}
SCREENING = (0.18175, 3.1998, 0.50986, 0.94229, 0.28022, 0.4029, 0.02817, 0.20162)


@dataclass(frozen=True)
class Recipe:
    """What a synthetic model is to be; `zbl` is None, "universal", "typewise", "half" or "flexible"."""

    elements: tuple[str, ...] = ("Te", "Pb")
    version: int = 4
    kind: str = "potential"
    charge_mode: int = 0
    zbl: str | None = None
    radial: tuple[float, ...] = (5.0,)
    angular: tuple[float, ...] = (4.0,)
    n_max: tuple[int, int] = (3, 2)
    basis_size: tuple[int, int] = (5, 4)
    l_max: int = 4
    invariants: tuple[str, ...] = ("222",)
    neurons: int = 10
    factors: tuple[float, float] | None = None


FAMILIES = {
    "nep3": {**TWO, "version": 3},
    "nep4_one": {**ONE, "invariants": ("222", "1111"), "neurons": 12},
    "nep4": {**THREE, "neurons": 8},
    "nep5": {**THREE, "version": 5, "invariants": ("222", "1111"), "neurons": 8},
}
VARIANTS = {
    **FAMILIES,
    **{
        f"{name}_zbl_{zbl}": {**family, "zbl": zbl}
        for name, family in FAMILIES.items()
        for zbl in ("universal", "typewise", "flexible")
    },
    "nep3_one": {**ONE, "version": 3},
    "nep5_one": {**ONE, "version": 5},
    "zbl_half": {**THREE, "zbl": "half", "neurons": 8},
    "per_type": {**THREE, **PER_TYPE},
    "per_type_zbl": {**THREE, **PER_TYPE, "zbl": "universal"},
    "nep3_per_type": {**THREE, **PER_TYPE, "version": 3},
    "long_radial": {"radial": (6.5,), "angular": (3.5,)},
    "equal_cutoffs": {"radial": (4.5,), "angular": (4.5,)},
    "equal_cutoffs_per_type": {**THREE, "radial": PER_TYPE["angular"], "angular": PER_TYPE["angular"]},
    **{f"l{l_max}": {"l_max": l_max, "invariants": ()} for l_max in range(9)},
    **{f"only_{name}": {"invariants": (name,)} for name in INVARIANTS},
    "all_invariants": {"invariants": INVARIANTS, "n_max": (4, 4), "basis_size": (6, 6)},
    "all_invariants_l8": {**THREE, "l_max": 8, "invariants": INVARIANTS},
    "all_invariants_one": {**ONE, "invariants": INVARIANTS, "n_max": (4, 3)},
    **{f"charge{mode}": {"charge_mode": mode} for mode in (1, 2, 3)},
    **{f"charge{mode}_zbl": {**THREE, "charge_mode": mode, "zbl": "universal"} for mode in (1, 2, 3)},
    "charge1_one": {**ONE, "charge_mode": 1},
    "charge1_per_type_zbl_flexible": {**THREE, **PER_TYPE, "charge_mode": 1, "zbl": "flexible"},
    "charge2_zbl_typewise": {**THREE, "charge_mode": 2, "zbl": "typewise"},
    "dipole_nep3": {"version": 3, "kind": "dipole"},
    "dipole": {**THREE, "kind": "dipole", "invariants": ("222", "1111")},
    "polarizability_nep3": {"version": 3, "kind": "polarizability"},
    "polarizability": {**THREE, "kind": "polarizability", "invariants": ("222", "1111")},
    "typewise": {**THREE, "factors": (1.9, 1.5)},
    "typewise_angular_zbl_half": {**THREE, "factors": (0.0, 1.4), "zbl": "half"},
    "n12": {"n_max": (12, 12), "basis_size": (14, 13), "neurons": 8},
    "n8": {**THREE, "n_max": (8, 7), "basis_size": (8, 8), "neurons": 8, "invariants": INVARIANTS},
    "basis_below_n": {"n_max": (4, 4), "basis_size": (2, 3)},
    "smallest": {**ONE, "n_max": (0, 0), "basis_size": (0, 0), "l_max": 1, "invariants": (), "neurons": 1},
    "elements16": SIXTEEN,
    "elements16_zbl": {**SIXTEEN, "zbl": "universal"},
    "elements16_zbl_flexible": {**SIXTEEN, "zbl": "flexible"},
}


@cache
def synthetic_nep_models() -> dict[str, NepModel]:
    """A model of each version, kind and option that the code treats differently, by name; the same at each call.

    Parameters are random, so that tanh is not saturated where neighbours are about 2 A and more apart.
    """
    return {name: build_model(Recipe(**settings), seed) for seed, (name, settings) in enumerate(VARIANTS.items())}


def build_model(recipe: Recipe, seed: int) -> NepModel:
    """A random model of this recipe."""
    rng = np.random.default_rng(seed)
    count = len(recipe.elements)
    radial, angular = (
        rng.normal(0.0, 0.5, (n + 1, k + 1, count, count)) for n, k in zip(recipe.n_max, recipe.basis_size, strict=True)
    )
    cutoffs = [np.broadcast_to(values, count) for values in (recipe.radial, recipe.angular)]
    magnitudes = _magnitudes(recipe, (radial, angular), rng)
    scaler = rng.uniform(0.5, 1.0, magnitudes.shape) / magnitudes
    tensor = _network(recipe, len(scaler), rng)
    return NepModel(
        version=recipe.version,
        kind=recipe.kind,
        charge_mode=recipe.charge_mode,
        elements=recipe.elements,
        radial_cutoffs=cutoffs[0],
        angular_cutoffs=cutoffs[1],
        n_max=recipe.n_max,
        basis_size=recipe.basis_size,
        l_max=recipe.l_max,
        invariants=recipe.invariants,
        network=tensor,
        scalar_network=_network(recipe, len(scaler), rng) if recipe.kind == "polarizability" else None,
        radial=radial,
        angular=angular,
        scaler=scaler,
        sqrt_epsilon=1.4 if recipe.charge_mode else None,
        zbl=_zbl(recipe, rng),
        typewise_factors=recipe.factors,
        max_neighbors=(100, 60),
    )


def _network(recipe: Recipe, length: int, rng: np.random.Generator) -> NepNetwork:
    count = 1 if recipe.version == 3 else len(recipe.elements)
    shape = (count, recipe.neurons)
    return NepNetwork(
        w0=rng.normal(0.0, 1.0 / np.sqrt(length), (*shape, length)),
        b0=rng.normal(0.0, 0.4, shape),
        w1=rng.normal(0.0, 0.5, shape),
        bias=float(rng.uniform(1.0, 3.0)),
        charge=rng.normal(0.0, 0.3, shape) if recipe.charge_mode else None,
        type_bias=rng.uniform(-2.0, 2.0, count) if recipe.version == 5 else None,
    )


def _zbl(recipe: Recipe, rng: np.random.Generator) -> NepZbl | None:
    if recipe.zbl is None:
        return None
    if recipe.zbl == "universal":
        return NepZbl(1.3, 2.6)
    if recipe.zbl == "flexible":
        pairs = len(recipe.elements) * (len(recipe.elements) + 1) // 2
        ranges = np.column_stack([rng.uniform(0.8, 1.3, pairs), rng.uniform(2.2, 2.7, pairs)])
        return NepZbl(0.0, 0.0, flexible=np.hstack([ranges, SCREENING * rng.uniform(0.8, 1.2, (pairs, 8))]))
    return NepZbl(1.3, 2.6, factor=0.75, typewise_inner_half=recipe.zbl == "half")


def _magnitudes(recipe: Recipe, coefficients: tuple[np.ndarray, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Roughly the size of each descriptor, from eight surroundings of 20 atoms at random, 2 A away and more."""
    count, total = len(recipe.elements), 0.0
    for _ in range(8):
        vectors = rng.normal(size=(20, 3))
        directions = vectors / np.linalg.norm(vectors, axis=1)[:, None]
        centre, others = rng.integers(count), rng.integers(count, size=20)
        distances = rng.uniform(2.0, max(recipe.radial), 20)
        g = []
        for c, cutoff in zip(coefficients, (max(recipe.radial), max(recipe.angular)), strict=True):
            envelope = np.where(distances < cutoff, 0.5 + 0.5 * np.cos(np.pi * distances / cutoff), 0.0)
            basis = chebyshev.chebvander(2.0 * (distances / cutoff - 1.0) ** 2 - 1.0, c.shape[1] - 1)
            g.append(np.einsum("nkj,jk,j->nj", c[:, :, centre, others], 0.5 * basis + 0.5, envelope))
        cosines = directions @ directions.T
        powers = [
            (2 * L + 1) / (4.0 * np.pi) * np.einsum("nj,jk,nk->n", g[1], legendre.legval(cosines, np.eye(9)[L]), g[1])
            for L in range(1, recipe.l_max + 1)
        ]
        extras = [_coupled(powers, name) for name in recipe.invariants]
        total = total + np.concatenate([g[0].sum(axis=1), *powers, *extras]) ** 2
    return np.sqrt(total / 8.0)


def _coupled(powers: list[np.ndarray], name: str) -> np.ndarray:
    """Size of an invariant of three or four moments, those being independent random numbers."""
    if name == "1111":
        return 7.0 / 15.0 * powers[0] ** 2
    return np.sqrt(np.prod([powers[L - 1] / (2 * L + 1) for L in map(int, name)], axis=0))
