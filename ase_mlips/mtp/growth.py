"""Larger models that give the energies of a trained one: of a higher level, with more elements, with another range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.polynomial import chebyshev

from ..arrays import FloatArray
from .model import MtpModel
from .templates import MAX_LEVEL, moment_tables, scalar_places, untrained

SPREAD = 0.1  # first radial coefficients are uniform in +-SPREAD


def level_of(model: MtpModel) -> int:
    """The level whose tables a model has.

    Raises
    ------
    ValueError
        It has those of none.
    """
    for level in range(2, MAX_LEVEL + 1, 2):
        tables = moment_tables(level)
        if len(tables.mapping) >= len(model.mapping):
            if all(
                np.array_equal(getattr(tables, name), getattr(model, name)) for name in ("basic", "times", "mapping")
            ):
                return level
            break
    raise ValueError(f"expected the tables of moments of one of MLIP's levels, got other ones in {model!r}")


def grown(model: MtpModel, level: int, *, seed: int = 0) -> MtpModel:
    """A trained model as one of a higher level, with the same energies.

    New moments have the coefficient zero, new radial functions random ones.

    Raises
    ------
    ValueError
        The model is untrained, has tables of moments of its own, or a higher level already.
    """
    if not model.trained:
        raise ValueError("expected a trained model to grow, got an untrained one")
    there = level_of(model)
    if level < there:
        raise ValueError(f"expected a level of at least {there} to grow to, got {level}")
    if level - level % 2 == there:
        return model
    limits = {"min_dist": model.min_dist, "max_dist": model.max_dist}
    names = [symbol or "H" for symbol in model.species]
    template = untrained(level, names, radial_size=model.radial_size, **limits)
    S, K, R = len(model.species), template.radial_functions, model.radial_size
    radial = np.random.default_rng((seed, level)).uniform(-SPREAD, SPREAD, (S, S, K, R)) / model.scaling
    radial[:, :, : model.radial_functions] = model.radial_coefficients
    moments = np.zeros(len(template.mapping))
    moments[scalar_places(there, level - level % 2)] = model.moment_coefficients
    kept = {name: getattr(model, name) for name in ("species", "radial_basis", "scaling", "name", "tag", "labels")}
    return replace(
        template,
        radial_coefficients=radial,
        species_coefficients=model.species_coefficients,
        moment_coefficients=moments,
        **kept,
    )


def with_more_species(model: MtpModel, symbols: Sequence[str], *, seed: int = 0) -> MtpModel:
    """A trained model with more elements behind its own; structures without these keep their energies.

    The radial functions of a new pair are the means over the old pairs, and a little noise.
    """
    new = [symbol for symbol in symbols if symbol not in model.species]
    if not new:
        return model
    old, S = len(model.species), len(model.species) + len(new)
    radial: FloatArray = np.empty((S, S, *model.radial_coefficients.shape[2:]))
    radial[...] = model.radial_coefficients.mean(axis=(0, 1))
    noise = np.random.default_rng((seed, S)).uniform(-1.0, 1.0, radial.shape)
    radial += 0.1 * np.std(model.radial_coefficients) * noise
    radial[:old, :old] = model.radial_coefficients
    energies: FloatArray = np.append(model.species_coefficients, np.full(len(new), model.species_coefficients.mean()))
    return replace(
        model,
        species=(*model.species, *new),
        radial_coefficients=radial,
        species_coefficients=energies,
        labels=None,
    )


def with_min_dist(model: MtpModel, min_dist: float) -> MtpModel:
    """The model with another `min_dist`; the radial functions of a trained one stay the same polynomials.

    In a ``*_repuls`` basis they change between the two distances.
    """
    if not model.trained or model.radial_basis == "RBTaylor" or min_dist == model.min_dist:
        return replace(model, min_dist=min_dist)
    matrix = _rescaled(model.radial_size, (model.min_dist, model.max_dist), (min_dist, model.max_dist))
    return replace(model, min_dist=min_dist, radial_coefficients=model.radial_coefficients @ matrix)


def _rescaled(size: int, old: tuple[float, float], new: tuple[float, float]) -> FloatArray:
    """Matrix (n, k): T_n of one range as a sum of T_k of another."""
    nodes = np.cos(np.pi * (np.arange(size) + 0.5) / size)
    r = 0.5 * (new[1] - new[0]) * nodes + 0.5 * (new[0] + new[1])
    values = chebyshev.chebvander((2.0 * r - old[0] - old[1]) / (old[1] - old[0]), size - 1)
    return np.array(np.linalg.solve(chebyshev.chebvander(nodes, size - 1), values).T, dtype=np.float64)
