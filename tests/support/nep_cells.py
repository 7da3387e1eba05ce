"""Small configurations for NEP models."""

import numpy as np

from ase_mlips.nep.model import NepModel


def rattled_cell(model: NepModel, *, seed: int = 0, spacing: float = 2.6):
    """Species (8,), positions (8, 3), cell and pbc of a skewed cell that is smaller than most cutoffs.

    Atoms stand on a cubic grid with `spacing` in A, moved by 0.15 A at random, all elements at random among them.
    """
    rng = np.random.default_rng(seed)
    grid = np.array(list(np.ndindex(2, 2, 2)), dtype=float)
    cell = spacing * np.array([[2.0, 0.1, 0.0], [0.0, 2.0, -0.2], [0.15, 0.0, 2.1]])
    positions = grid / 2.0 @ cell + rng.normal(scale=0.15, size=(8, 3))
    species = rng.permutation(np.arange(8) % len(model.elements))
    return species, positions, cell, np.ones(3, dtype=bool)
