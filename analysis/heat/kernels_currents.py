"""Kernel of the heat flux meter: velocities seen from the centre of mass, and what they add up to."""

from __future__ import annotations

from typing import Any

from ase_mlips.engine.jit import kernel


@kernel
def peculiar(momenta: Any, masses: Any, kinds: Any, velocities: Any, currents: Any) -> float:
    """Fill velocities (N, 3) and their sums (3 S,) over the atoms of each kind; returns ``sum_i m_i v_i^2``.

    `momenta` are (N, 3), `masses` and `kinds` (N,); the velocities are relative to the centre of mass.
    """
    mass = x = y = z = 0.0
    for i in range(masses.size):
        mass += masses[i]
        x += momenta[i, 0]
        y += momenta[i, 1]
        z += momenta[i, 2]
    if mass > 0.0:
        x, y, z = x / mass, y / mass, z / mass
    currents[:] = 0.0
    total = 0.0
    for i in range(masses.size):
        u = momenta[i, 0] / masses[i] - x
        v = momenta[i, 1] / masses[i] - y
        w = momenta[i, 2] / masses[i] - z
        velocities[i, 0], velocities[i, 1], velocities[i, 2] = u, v, w
        k = 3 * kinds[i]
        currents[k] += u
        currents[k + 1] += v
        currents[k + 2] += w
        total += masses[i] * (u * u + v * v + w * w)
    return total
