"""Following atoms through periodic boundaries."""

from __future__ import annotations

import math
from typing import Any

from ase_mlips.engine.jit import kernel

FAR = 0.35  # of the cell: from half of it on, atoms seem to go the other way


@kernel
def unwrap(positions: Any, cells: Any, inverses: Any, wrapped: Any, unwrapped: Any, far: Any) -> None:
    """Replace positions by unwrapped ones, frame after frame: ``u += d - L rint(L^-1 d)``.

    Parameters
    ----------
    positions : (F, N, 3) array
        Overwritten.
    cells, inverses : (F, 3, 3) arrays
        Columns of the inverse that belong to axes without periodicity are zero.
    wrapped, unwrapped : (N, 3) arrays
        The frame before the first one, as it was and unwrapped; replaced by the last one.
    far : (F,) int64 array
        Gets the number of atoms that moved by more than `FAR` of the cell from the frame before.
    """
    for f in range(positions.shape[0]):
        a, b, c = cells[f]
        p, q, r = inverses[f]
        moved = 0
        for n in range(positions.shape[1]):
            x = positions[f, n, 0] - wrapped[n, 0]
            y = positions[f, n, 1] - wrapped[n, 1]
            z = positions[f, n, 2] - wrapped[n, 2]
            s, t, u = x * p[0] + y * q[0] + z * r[0], x * p[1] + y * q[1] + z * r[1], x * p[2] + y * q[2] + z * r[2]
            i, j, k = math.floor(s + 0.5), math.floor(t + 0.5), math.floor(u + 0.5)
            moved += max(abs(s - i), abs(t - j), abs(u - k)) > FAR
            for axis, step in enumerate((x, y, z)):
                wrapped[n, axis] = positions[f, n, axis]
                unwrapped[n, axis] += step - (i * a[axis] + j * b[axis] + k * c[axis])
                positions[f, n, axis] = unwrapped[n, axis]
        far[f] = moved
