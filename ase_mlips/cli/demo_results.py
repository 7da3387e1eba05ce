"""What the demonstration computes and its picture shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Equation:
    """Energy against volume of the cubic cell: the points and the Birch-Murnaghan fit (A^3 and eV per atom, GPa)."""

    volumes: FloatArray
    energies: FloatArray
    curve: tuple[FloatArray, FloatArray]
    minimum: tuple[float, float]
    bulk_modulus: float


@dataclass(frozen=True, eq=False)
class Run:
    """Molecular dynamics: rows of (ps, K, potential eV/atom, kinetic eV/atom), first of Langevin, then of NVE."""

    equilibration: FloatArray
    production: FloatArray
    frames: list[Atoms]
    seconds: float
