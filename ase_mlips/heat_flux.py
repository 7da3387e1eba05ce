"""Heat flux: from energies, virials and velocities of atoms to its convective and conductive parts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arrays import FloatArray
from .engine.jit import kernel
from .files.records import one_line


class HeatFlux(NamedTuple):
    r"""Heat flux :math:`J = \sum_i v_i E_i + \sum_i W_i v_i`, not divided by the volume.

    It is ``d/dt sum_i r_i E_i`` exactly where the forces are the gradient of the energy and the virials contain all
    that carries energy.  The first fails for SNAP models with `chemflag` whose coefficients of equal descriptors differ
    (by 4 to 100 % of J for clusters with random coefficients), the second for qNEP, whose charges change (1 to 10 %).

    Attributes
    ----------
    convective : (3,) or (N, 3) array
        :math:`\sum_i v_i (m_i v_i^2 / 2 + U_i)`, or each atom's term.  It depends on where the atomic energies have
        their zero.
    conductive : (3,) or (N, 3) array
        :math:`\sum_i W_i v_i`, or each atom's term.
    """

    convective: FloatArray
    conductive: FloatArray

    def __repr__(self) -> str:
        return one_line(self)

    @property
    def total(self) -> FloatArray:
        """Sum of both parts, of the same shape."""
        return self.convective + self.conductive


def heat_flux(
    energies: FloatArray, virials: FloatArray, *, velocities: FloatArray, masses: FloatArray, per_atom: bool = False
) -> HeatFlux:
    """Heat flux of atoms (Fan et al., Phys. Rev. B 92, 094301 (2015), equation 29).

    Parameters
    ----------
    energies : (N,) array
        Atomic energies U_i.
    virials : (N, 3, 3) array
        Those of `Evaluation`, assigned to the neighbour; any other partition of the virial gives a wrong flux.
    velocities : (N, 3) array
    masses : (N,) array
    per_atom : bool
        Give each atom's terms, (N, 3), instead of their sums.

    Returns
    -------
    HeatFlux
        In the unit of the energies times that of the velocities; energies, masses and velocities must be in one
        system of units.

    Raises
    ------
    ValueError
        There are not as many velocities as energies.
    """
    v = np.ascontiguousarray(velocities, np.float64)
    if v.shape != (len(energies), 3):
        raise ValueError(f"expected velocities of shape ({len(energies)}, 3), got {v.shape}")
    if per_atom:
        kinetic = 0.5 * masses * np.einsum("ia,ia->i", v, v)
        return HeatFlux((kinetic + energies)[:, None] * v, np.einsum("iab,ib->ia", virials, v))
    sums = np.empty((2, 3))
    _add_up(energies, virials, v, masses, sums)
    return HeatFlux(sums[0], sums[1])


@kernel
def _add_up(energies: FloatArray, virials: FloatArray, v: FloatArray, masses: FloatArray, sums: FloatArray) -> None:
    sums[:] = 0.0
    for i in range(energies.size):
        x, y, z = v[i, 0], v[i, 1], v[i, 2]
        energy = energies[i] + 0.5 * masses[i] * (x * x + y * y + z * z)
        for a in range(3):
            sums[0, a] += energy * v[i, a]
            sums[1, a] += virials[i, a, 0] * x + virials[i, a, 1] * y + virials[i, a, 2] * z
