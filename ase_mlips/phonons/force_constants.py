"""Displacements, force constants from the forces that follow, and the symmetries that noise in the forces breaks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import FloatArray
from .arguments import warn

DISTANCE = 0.01  # A
_SEED = 0
_NOISY = 0.01  # of the norm of fc3: there, conductivities of silicon were found to be 2 to 10 % too low


def displace(phonopy: Any, distance: float, snapshots: int | None) -> bool:
    """Put displacements into a `Phonopy`; whether they are random, for a fit."""
    if snapshots is None:
        phonopy.generate_displacements(distance=distance)
        return False
    from phonopy.harmonic.displacement import estimate_number_of_snapshots

    # Below twice symfc's own count its solution was found to be arbitrary, with errors of several THz.
    least = estimate_number_of_snapshots(phonopy.supercell, phonopy.symmetry, number_estimation_factor=2)
    if snapshots < least:
        raise ValueError(f"snapshots: {snapshots} random supercells do not determine the force constants, take {least}")
    phonopy.generate_displacements(distance=distance, number_of_snapshots=snapshots, random_seed=_SEED)
    return True


def produce_force_constants(phonopy: Any, *, fitted: bool) -> None:
    """Force constants of a `Phonopy` with forces, made to obey the sum rule and the exchange symmetry."""
    phonopy.produce_force_constants(fc_calculator="symfc" if fitted else None, show_drift=False)
    phonopy.symmetrize_force_constants(show_drift=False)


def produce_third_order(phono3py: Any) -> dict[str, float]:
    """Force constants of a `Phono3py` with forces, whoever computed those, symmetrised as phono3py's command does.

    The sum rule (a translation costs nothing) and the exchange of derivatives are imposed on both orders.  Without
    them, noise of 1e-4 eV/A in the forces makes the conductivity of silicon three times too small.

    Returns
    -------
    dict of float
        Relative change of the force constants "fc2" and "fc3": the norm of the change over the norm of the result.

    Warns
    -----
    UserWarning
        fc3 changes by more than a percent, so that the noise that is left matters too.
    """
    phono3py.produce_fc3()
    phono3py.produce_fc2()
    found = {name: getattr(phono3py, name).copy() for name in ("fc2", "fc3")}
    phono3py.symmetrize_fc3()
    phono3py.symmetrize_fc2()
    changes = {name: _change(before, getattr(phono3py, name)) for name, before in found.items()}
    if changes["fc3"] > _NOISY:
        warn(
            f"the sum rule and the exchange symmetry change the third-order force constants by "
            f"{100.0 * changes['fc3']:.2g} %: the forces are noisy, or the supercell is too small, and what is left of "
            "the error makes the conductivity too low; converge the forces further, or displace the atoms farther "
            "(`distance` of third_order)"
        )
    return changes


def _change(before: FloatArray, after: FloatArray) -> float:
    norm = float(np.linalg.norm(after))
    return float(np.linalg.norm(after - before)) / norm if norm > 0.0 else 0.0
