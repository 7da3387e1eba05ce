"""Forces and virials of ghosts brought home, and the sums that LAMMPS is told."""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray, Int64Array, IntArray
from ..engine.jit import kernel

COLUMNS = 12  # three of the force and nine of the virial of an atom
SUMS = 13  # energy, virial (xx yy zz xy xz yz), convective and conductive heat flux


@kernel
def fold(source: Int64Array, target: Int64Array, forces: FloatArray, virials: FloatArray) -> None:
    """Add the rows `source` to the rows `target`, one after the other, since several may have the same target."""
    for k in range(source.size):
        ghost, atom = source[k], target[k]
        for a in range(3):
            forces[atom, a] += forces[ghost, a]
            for b in range(3):
                virials[atom, a, b] += virials[ghost, a, b]


@kernel
def pack(rows: Int64Array, forces: FloatArray, virials: FloatArray, packed: FloatArray) -> None:
    """Copy the force and the virial of each of `rows` to a row of `packed`, (M, 12)."""
    for k in range(rows.size):
        for a in range(3):
            packed[k, a] = forces[rows[k], a]
            for b in range(3):
                packed[k, 3 + 3 * a + b] = virials[rows[k], a, b]


@kernel
def add(rows: Int64Array, packed: FloatArray, forces: FloatArray, virials: FloatArray) -> None:
    """Add what `pack` has packed to `rows`."""
    for k in range(rows.size):
        for a in range(3):
            forces[rows[k], a] += packed[k, a]
            for b in range(3):
                virials[rows[k], a, b] += packed[k, 3 + 3 * a + b]


@kernel
def summarise(
    energies: FloatArray,
    forces: FloatArray,
    virials: FloatArray,
    moving: tuple[FloatArray, FloatArray, IntArray, FloatArray, FloatArray],
    applied: FloatArray,
    stresses: FloatArray,
    sums: FloatArray,
) -> bool:
    """Fill `applied` (n, 3) with forces, `stresses` (n, 6) with symmetric virials, and `sums`; True if all is finite.

    `moving` has the velocities (n, 3), the forces of others (n, 3), the types (n,), and for each type from 0 on half
    the mass in energy by square of velocity, and what a force adds to the velocity: in velocity Verlet forces are
    computed between the two halves of a step, and the flux is that of the full step.
    """
    v, others, types, half_mass, kick = moving
    sums[:] = 0.0
    lost = 0.0
    finite = True
    for i in range(applied.shape[0]):
        term = energies[i] - lost  # compensated: drifts and differences of large energies are looked at
        total = sums[0] + term
        lost = (total - sums[0]) - term
        sums[0] = total
        finite &= np.isfinite(energies[i])
        for a in range(3):
            b, c = (a + 1) % 3, (a + 2) % 3
            finite &= np.isfinite(forces[i, a])
            applied[i, a] = forces[i, a]
            stresses[i, a] = virials[i, a, a]
            stresses[i, 5 - a] = 0.5 * (virials[i, b, c] + virials[i, c, b])  # yz, xz, xy
        for k in range(6):
            finite &= np.isfinite(stresses[i, k])
            sums[1 + k] += stresses[i, k]
        push = kick[types[i]]
        x = v[i, 0] + push * (forces[i, 0] + others[i, 0])
        y = v[i, 1] + push * (forces[i, 1] + others[i, 1])
        z = v[i, 2] + push * (forces[i, 2] + others[i, 2])
        energy = energies[i] + half_mass[types[i]] * (x * x + y * y + z * z)
        sums[7] += energy * x
        sums[8] += energy * y
        sums[9] += energy * z
        for a in range(3):
            sums[10 + a] += virials[i, a, 0] * x + virials[i, a, 1] * y + virials[i, a, 2] * z
    return finite
