"""Synthetic ACE models: every radial basis, embedding and inner cutoff, random coefficients, energies of some eV."""

from dataclasses import replace
from functools import cache

import numpy as np

from ase_mlips.ace import AceModel, Bond, Embedding, Function, ace_template

from .synthetic_networks import random_network

CUTOFF = 4.3
ONE, TWO, THREE = ("Cu",), ("Cu", "Ni"), ("Ga", "Al", "N")
SINCLAIR, SHIFTED = "FinnisSinclair", "FinnisSinclairShiftedScaled"

# elements, radial bases, n and l of each rank, embedding, its parameters for each element, inner cutoff, core
VARIANTS = {
    "exp_cos": (ONE, ["ChebExpCos"], [5, 2, 2, 1], [0, 2, 2, 1], SINCLAIR, [[1, 1]], "distance", 0.0),
    "pow": (ONE, ["ChebPow"], [4, 2, 1, 1, 1], [0, 3, 2, 1, 1], SHIFTED, [[1, 1, 0.4, 0.5]], "density", 60.0),
    "bessel": (ONE, ["SBessel"], [4, 2, 1], [0, 2, 2], SINCLAIR, [[1, 1, 0.3, 0.5, 0.2, 1.5]], "distance", 60.0),
    "pairs": (ONE, ["ChebExpCos"], [4], [0], SHIFTED, [[1, 0.5]], "density", 0.0),
    "zbl": (TWO, ["ChebPow", "SBessel"], [3, 2, 1], [0, 2, 1], SHIFTED, [[1, 1, 1, 0.5]] * 2, "zbl", 0.3),
    "two": (TWO, ["ChebExpCos"], [5, 2, 1], [0, 2, 1], SINCLAIR, [[1, 1]] * 2, "distance", 0.0),
    "three": (
        THREE, ["ChebExpCos", "ChebPow", "SBessel"], [3, 1, 1], [0, 2, 1], SHIFTED,
        [[1, 1], [1, 1, 0.5, 0.5], [1, 1, 1, 0.5, -0.3, 0.75]], "distance", 25.0,
    ),
}  # fmt: skip
NETWORKS = {"network": "exp_cos", "network_two": "two"}


@cache
def synthetic_ace_models() -> dict[str, AceModel]:
    """A model for all that the code treats differently, by name; the same at each call."""
    models = {name: _model(n, *settings) for n, (name, settings) in enumerate(VARIANTS.items())}
    models["lopsided"] = lopsided(models["exp_cos"])
    for name, base in NETWORKS.items():
        model = models[base]
        sizes = (model.n_descriptors, 6, 1)
        network = random_network(sizes, ("tanh", "linear"), count=len(model.elements))
        beside = None  # a linear model, for one of the two
        if name == "network_two":
            beside = np.random.default_rng(5).normal(size=(len(model.elements), model.n_descriptors))
        models[name] = replace(model, network=network, coefficients=beside)
    return models


def _model(seed, elements, bases, ns, ls, embedding, parameters, inner, core) -> AceModel:
    rng = np.random.default_rng(seed)
    template = ace_template(elements, cutoff=CUTOFF, nmax=ns, lmax=ls)
    bonds = tuple(
        tuple(_bond(rng, bond, bases[(2 * a + b) % len(bases)], inner, core) for b, bond in enumerate(row))
        for a, row in enumerate(template.bonds)
    )
    embeddings = tuple(Embedding(embedding, own, 60.0, 40.0) for own in parameters)
    functions = tuple(
        tuple(_weighted(rng, function, own.densities) for function in row)
        for row, own in zip(template.functions, embeddings, strict=True)
    )
    energies = rng.uniform(-3.0, 0.0, len(elements))
    return replace(
        template, energies=energies, bonds=bonds, functions=functions, embeddings=embeddings, inner_cutoff_type=inner
    )


def _bond(rng, bond: Bond, basis: str, inner: str, core: float) -> Bond:
    coefficients = rng.normal(scale=0.3, size=bond.coefficients.shape)
    return Bond(
        basis,
        coefficients + bond.coefficients,
        cutoff=CUTOFF * rng.uniform(0.85, 1.0),
        scale={"ChebPow": 3.0}.get(basis, rng.uniform(2.0, 5.0)),
        dcut=0.4,
        core=np.array([core, 1.3]),
        inner_cutoff=rng.uniform(1.9, 2.1) if inner != "density" else 0.0,
        inner_width=0.7 if inner != "density" else 0.0,
    )


def _weighted(rng, function: Function, densities: int) -> Function:
    scale = 0.2**function.rank
    return replace(function, weights=function.couplings[:, None] * rng.normal(scale=scale, size=densities))


def lopsided(model: AceModel, seed: int = 0) -> AceModel:
    """The model with arbitrary rows of m in place of invariant ones: what kernels evaluate is any polynomial."""
    rng = np.random.default_rng(seed)

    def changed(function: Function) -> Function:
        rows = int(rng.integers(1, 6))
        ms = np.array([[rng.integers(-degree, degree + 1) for degree in function.ls] for _ in range(rows)])
        weights = rng.normal(scale=0.2**function.rank, size=(rows, function.weights.shape[1]))
        return replace(function, ms=ms, weights=weights, couplings=weights[:, 0])

    return replace(model, functions=tuple(tuple(map(changed, own)) for own in model.functions))
