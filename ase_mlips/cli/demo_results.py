"""What the demonstration computes and its picture shows."""

from __future__ import annotations

from dataclasses import dataclass

from ase import Atoms

from ase_mlips.arrays import FloatArray


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
