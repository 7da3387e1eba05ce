"""Residuals of a batch of frames and the derivatives of their weighted squares, without a call for each array."""

from __future__ import annotations

import math
from typing import Any

from ..engine.jit import kernel


@kernel
def residuals(
    numbers: Any, labels: Any, factors: Any, counts: Any, shear: Any, voigt: Any, found: Any, out: Any
) -> None:  # fmt: skip
    """Predictions minus labels, and the sums of their squares.

    Parameters
    ----------
    numbers : (B,) int64
        Frames of the batch among all F of the labels.
    labels : (F,), (F, C), (F + 1,) int64, (M, 3)
        Energies and virials per atom; where the forces of each frame begin; forces of all frames.
    factors : (F, 2), (M,)
        Of the squares: of energies and virials of each frame, and of forces.
    counts : (F, 3)
        Residuals of each frame: of the energy, forces and virial.
    shear : (C,)
        Factors of the squares of the components of a virial.
    voigt : (9, C)
        Makes the components of a raveled tensor.
    found : (B,), (N, 3), (B, 9)
        Energies, forces and strain derivatives of the batch.
    out : (B,), (N, 3), (B, C), (3, 3)
        Overwritten: residuals of energies, forces and virials; in rows the sums of the weighted squares, of the counts
        and of the squares of what counts.
    """
    energies, virials, edges, forces = labels
    of_frames, of_forces = factors
    by_energy, by_force, by_virial, sums = out
    squares, number, plain = sums[0], sums[1], sums[2]
    sums[:] = 0.0
    at = 0
    for place in range(len(numbers)):
        frame = numbers[place]
        first, atoms = edges[frame], edges[frame + 1] - edges[frame]
        by_energy[place] = found[0][place] / atoms - energies[frame]
        squares[0] += of_frames[frame, 0] * by_energy[place] ** 2
        for quantity in range(3):
            number[quantity] += counts[frame, quantity]
        known = counts[frame, 1] > 0.0
        if counts[frame, 0] > 0.0:
            plain[0] += by_energy[place] ** 2
        for c in range(len(shear)):
            total = 0.0
            for axis in range(9):
                total += found[2][place, axis] * voigt[axis, c]
            by_virial[place, c] = total / atoms - virials[frame, c]
            squares[2] += of_frames[frame, 1] * shear[c] * by_virial[place, c] ** 2
            if counts[frame, 2] > 0.0:
                plain[2] += by_virial[place, c] ** 2
        for i in range(atoms):
            factor, total = of_forces[first + i], 0.0
            for axis in range(3):
                difference = found[1][at + i, axis] - forces[first + i, axis]
                by_force[at + i, axis] = difference
                total += difference * difference
            squares[1] += factor * total
            if known:
                plain[1] += total
        at += atoms


@kernel
def slopes(
    numbers: Any, edges: Any, factors: Any, rates: Any, shear: Any, voigt: Any, residual: Any, out: Any
) -> None:  # fmt: skip
    """Derivatives with respect to energies, forces and strain derivatives, given those with respect to the sums.

    Parameters
    ----------
    numbers, edges, factors, shear, voigt
        See `residuals`.
    rates : (3,)
    residual : (B,), (N, 3), (B, C)
    out : (B,), (N, 3), (B, 9)
        Overwritten.
    """
    of_frames, of_forces = factors
    by_energy, by_force, by_virial = residual
    energies, forces, strains = out
    at = 0
    for place in range(len(numbers)):
        frame = numbers[place]
        first, atoms = edges[frame], edges[frame + 1] - edges[frame]
        energies[place] = 2.0 * rates[0] * of_frames[frame, 0] * by_energy[place] / atoms
        rate = 2.0 * rates[2] * of_frames[frame, 1] / atoms
        for axis in range(9):
            total = 0.0
            for c in range(len(shear)):
                total += voigt[axis, c] * shear[c] * by_virial[place, c]
            strains[place, axis] = rate * total
        for i in range(atoms):
            factor = 2.0 * rates[1] * of_forces[first + i]
            for axis in range(3):
                forces[at + i, axis] = factor * by_force[at + i, axis]
        at += atoms


@kernel
def rates(shares: Any, memory: Any, least: Any, counts: Any, out: Any) -> None:
    """Derivatives of ``sum_q share_q RMSE_q`` by the sums of squares, with the mean squares of `memory`; all (3,).

    `least` are the smallest mean squares that count.
    """
    for q in range(3):
        root = math.sqrt(max(memory[q], least[q]))
        out[q] = 0.5 * shares[q] / (root * counts[q]) if counts[q] > 0.0 else 0.0


@kernel
def remember(sums: Any, kept: float, memory: Any) -> None:
    """Let a batch with these `sums`, see `residuals`, count in the running mean squares (3,)."""
    for q in range(3):
        if sums[1, q] > 0.0:
            memory[q] = kept * memory[q] + (1.0 - kept) * (sums[0, q] / sums[1, q])
