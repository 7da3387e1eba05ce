"""Synthetic MTP models of several levels, bases and numbers of species: random coefficients, energies of eV."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.polynomial import chebyshev

from ase_mlips.mtp.model import MtpModel
from ase_mlips.mtp.templates import untrained

MIN_DIST, MAX_DIST = 1.9, 5.0
NEAREST = 2.5  # A, distance of nearest neighbours in the crystal that sets the size of coefficients


@dataclass(frozen=True)
class Recipe:
    """What a synthetic model is to be."""

    level: int
    species: tuple[str, ...]
    basis: str = "RBChebyshev"
    radial_size: int = 8


RECIPES = {
    "l02": Recipe(2, ("Si",)),
    "l02_repuls": Recipe(2, ("Si", "C"), "RBChebyshev_repuls", 4),
    "l06": Recipe(6, ("Cu", "Zr")),
    "l06_taylor": Recipe(6, ("Cu",), "RBTaylor", 5),
    "l08": Recipe(8, ("Si", "Ge")),
    "l08_plain": Recipe(8, ("Ge", "Si"), "BChebyshev", 6),
    "l08_one_function": Recipe(8, ("Al",), "RBChebyshev", 1),
    "l10_repuls": Recipe(10, ("Ga", "In", "N"), "RBChebyshev_repuls", 10),
    "l10_plain_repuls": Recipe(10, ("N", "Ga"), "BChebyshev_repuls", 6),
    "l12": Recipe(12, ("Nb", "Mo", "Ta", "W")),
    "l12_taylor": Recipe(12, ("P", "Cu", "S"), "RBTaylor", 4),
    "l16": Recipe(16, ("Si",), "RBChebyshev", 12),
    "l16_three": Recipe(16, ("Cu", "P", "S")),
    "l20": Recipe(20, ("Si",)),
}


def synthetic_mtp_models(*, largest: int = 16) -> dict[str, MtpModel]:
    """The models by name, up to level `largest` (20 has all); those of `RECIPES`, always with the same numbers."""
    return {name: synthetic_mtp_model(name) for name, recipe in RECIPES.items() if recipe.level <= largest}


@cache
def synthetic_mtp_model(name: str) -> MtpModel:
    """The model of this name in `RECIPES`.

    Radial functions are of the order of one at all distances of the crystal.  Each basis function contributes about
    as much as any other, and all of them about 1 eV to an atom of a slightly disordered fcc crystal.
    """
    recipe = RECIPES[name]
    rng = np.random.default_rng(list(name.encode()))
    template = untrained(
        recipe.level, recipe.species, min_dist=MIN_DIST, max_dist=MAX_DIST, radial_size=recipe.radial_size
    )
    S, K, R = len(recipe.species), template.radial_functions, recipe.radial_size
    scaling = float(rng.uniform(0.02, 0.2))
    samples = radial_basis(recipe.basis, R, np.linspace(NEAREST, MAX_DIST, 50))
    c = rng.normal(size=(S, S, K, R)) / (scaling * np.abs(samples).max(axis=1) * (1.0 + np.arange(R)))
    rms = np.sqrt(np.mean(_basis_functions(template, recipe.basis, scaling * c, rng) ** 2, axis=0))
    return replace(
        template,
        radial_basis=recipe.basis,
        scaling=scaling,
        radial_coefficients=c,
        species_coefficients=rng.normal(-3.0, 1.0, S),
        moment_coefficients=rng.normal(size=len(rms)) / (np.sqrt(len(rms)) * rms),
        name=name,
    )


def radial_basis(basis: str, size: int, r: np.ndarray) -> np.ndarray:
    """(R, n) values of the radial basis at distances above `MIN_DIST`, without the scaling."""
    if basis == "RBTaylor":
        return r ** np.arange(size)[:, None]
    values = chebyshev.chebvander((2.0 * r - MIN_DIST - MAX_DIST) / (MAX_DIST - MIN_DIST), size - 1).T
    return values * (r - MAX_DIST) ** 2 if basis.startswith("RB") else values


def _basis_functions(model: MtpModel, basis: str, c: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(atoms, nS) B_m of atoms in a disordered crystal of random species."""
    lattice = NEAREST / np.sqrt(2.0) * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    points = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), axis=-1).reshape(-1, 3)
    points = points[np.any(points != 0, axis=1)]
    rows = []
    for centre in rng.integers(len(c), size=6):
        vectors = points @ lattice + rng.normal(0.0, 0.1, points.shape)
        r = np.linalg.norm(vectors, axis=1)
        inside = r < MAX_DIST
        r, u = r[inside], (vectors[inside] / r[inside, None]).T
        others = rng.integers(len(c), size=r.size)
        f = np.einsum("jkn,nj->kj", c[centre, others], radial_basis(basis, c.shape[3], r))
        M = np.zeros(model.n_moments)
        for k, (mu, *powers) in enumerate(model.basic):
            M[k] = np.sum(f[mu] * np.prod(u ** np.array(powers)[:, None], axis=0))
        for first, second, multiplicity, target in model.times:
            M[target] += multiplicity * M[first] * M[second]
        rows.append(M[model.mapping])
    return np.array(rows)
