"""Small configurations for MTP models."""

from itertools import product

import numpy as np
from ase import Atoms
from support.evaluations import Configuration

from ase_mlips.mtp import MtpModel


def crystal(model: MtpModel, *, seed: int = 0, spacing: float = 2.6, repeats: int = 2) -> Configuration:
    """A skewed crystal of `repeats`^3 atoms, at first smaller than the cutoff.

    Atoms stand on a cubic grid with `spacing` in A, moved by 0.15 A at random, all species at random among them.
    """
    rng = np.random.default_rng(seed)
    cell = spacing * repeats * np.array([[1.0, 0.05, 0.0], [0.0, 1.0, -0.1], [0.08, 0.0, 1.05]])
    grid = np.array(list(product(range(repeats), repeat=3))) / repeats
    positions = grid @ cell + rng.normal(scale=0.15, size=grid.shape)
    species = rng.permutation(np.arange(len(grid)) % len(model.species))
    return Configuration(species, positions, cell, np.ones(3, dtype=bool))


def as_atoms(model: MtpModel, configuration: Configuration) -> Atoms:
    """The same as ASE wants it."""
    species, positions, cell, pbc = configuration
    return Atoms([model.species[s] for s in species], positions, cell=cell, pbc=pbc)
