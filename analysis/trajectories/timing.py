"""Whether the time from one frame to the next that the caller gives is that of the frames."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from ase.geometry import complete_cell

from ase_mlips.arrays import FloatArray

from .frame import Reader

_NEAR = 1e-3  # relative difference of two time steps that is only rounding
_ROWS = 20_000  # atoms times frames that are looked at
_FRAMES = 4, 50  # the fewest and the most frames of them
_ENOUGH = 20  # displacements, below which nothing is judged
_SMOOTH = 0.05  # mean tan(x)^2, see `check_velocities`
_EXPLAINED = 0.98  # share of the squared displacements that the velocities must explain
_WITHIN = 4.0  # how far atoms would go in the time step, in root mean square excursions; in a period it is 2 pi
_WRAPPED = 0.35  # of the cell, beyond which displacements may be those of another image
_OFF = 1.25  # factor between two time steps that is beyond the error of the estimate


def check_times(name: str, times: list[float], step: int, timestep: float) -> None:
    """Raise ValueError where two frames, `step` frames of the source apart, are not `timestep` fs apart."""
    said = times[1] - times[0] if len(times) == 2 else np.nan
    if said > 0.0 and not abs(said - timestep) <= _NEAR * said:
        raise ValueError(
            f"{name}: its times say {said / step:g} fs from one frame to the next, but timestep_fs= {timestep / step:g}"
        )


def check_velocities(reader: Reader, start: int, step: int, timestep: float) -> None:
    """Raise ValueError where atoms move by another multiple of their velocities than a time step in fs.

    The slope of ``r(t + dt) - r(t)`` against ``(v(t) + v(t + dt)) / 2``, by least squares over atoms and frames, is
    ``dt tan(x) / x`` with ``x = w dt / 2`` for a vibration of angular frequency w.  It is judged only where that is
    plainly the time from frame to frame:

    - velocities change little between frames: ``<|v(t + dt) - v(t)|^2> / <|v(t + dt) + v(t)|^2>``, which is a mean of
      ``tan(x)^2``, is small;
    - velocities explain the displacements nearly completely;
    - in the time step that was given atoms would not go much farther than they are ever seen to go, and not across
      the cell.  Frames that are whole periods of a single vibration apart look like frames near to each other, too, but
      2 pi excursions are in a period.
    """
    many = int(np.clip(_ROWS // max(1, len(reader.head.numbers)), *_FRAMES))
    motion = _motion(reader, start, step, many)
    if (
        motion.moves.size < 3 * _ENOUGH
        or not motion.means.any()
        or np.abs(motion.fractions).max() * timestep > _WRAPPED
    ):
        return
    squares, product = np.sum(motion.means**2), np.sum(motion.moves * motion.means)
    slope = product / squares
    smooth = np.sum(motion.changes**2) < 4.0 * _SMOOTH * squares
    explained = slope > 0.0 and slope * product > _EXPLAINED * np.sum(motion.moves**2)
    excursions = np.sum(np.cumsum(motion.moves, axis=0).var(axis=0))
    within = timestep**2 * squares / len(motion.moves) < _WITHIN**2 * excursions
    if smooth and explained and within and not 1.0 / _OFF < slope / timestep < _OFF:
        raise ValueError(
            f"{reader.name}: atoms move from one frame to the next as far as their velocities take them in"
            f" {slope / step:.3g} fs, but timestep_fs= {timestep / step:g}: check it, and the unit of the velocities"
        )


class _Motion(NamedTuple):
    """Between K frames, each (K - 1, N, 3): displacements in A, mean velocities, their changes in A/fs.

    `fractions` are the velocities along periodic vectors in units of these, per fs.
    """

    moves: FloatArray
    means: FloatArray
    changes: FloatArray
    fractions: FloatArray


def _motion(reader: Reader, start: int, step: int, many: int) -> _Motion:
    positions, cells, velocities, periodic = [], [], [], reader.head.pbc
    for frame in reader.peek(start, step, many, True):
        if frame.velocities is None or not np.isfinite(frame.velocities).all() or frame.numbers is not None:
            break
        periodic = reader.head.pbc & np.any(frame.cell != 0.0, axis=1)
        positions.append(frame.positions.copy())
        cells.append(complete_cell(frame.cell))
        velocities.append(frame.velocities.copy())
    if len(positions) < 2:
        return _Motion(*(np.zeros((0, 0, 3)) for _ in range(4)))
    inverses = np.linalg.inv(np.array(cells[1:])) * periodic
    moves = np.diff(positions, axis=0)
    moves -= np.rint(moves @ inverses) @ np.array(cells[1:])
    speeds = np.array(velocities)
    means = 0.5 * (speeds[1:] + speeds[:-1])
    return _Motion(moves, means, np.diff(speeds, axis=0), means @ inverses)
