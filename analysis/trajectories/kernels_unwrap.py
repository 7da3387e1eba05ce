"""Following atoms through periodic boundaries."""

from __future__ import annotations

import math
from typing import Any

from ase_mlips.jit import kernel


@kernel
def unwrap(positions: Any, cells: Any, inverses: Any, wrapped: Any, unwrapped: Any) -> None:
    """Replace positions by unwrapped ones, frame after frame: ``u += d - L rint(L^-1 d)``.

    Parameters
    ----------
    positions : (F, N, 3) array
        Overwritten.
    cells, inverses : (F, 3, 3) arrays
        Columns of the inverse that belong to axes without periodicity are zero.
    wrapped, unwrapped : (N, 3) arrays
        The frame before the first one, as it was and unwrapped; replaced by the last one.
    """
    for f in range(positions.shape[0]):
        a, b, c = cells[f]
        p, q, r = inverses[f]
        for n in range(positions.shape[1]):
            x = positions[f, n, 0] - wrapped[n, 0]
            y = positions[f, n, 1] - wrapped[n, 1]
            z = positions[f, n, 2] - wrapped[n, 2]
            i = math.floor(x * p[0] + y * q[0] + z * r[0] + 0.5)
            j = math.floor(x * p[1] + y * q[1] + z * r[1] + 0.5)
            k = math.floor(x * p[2] + y * q[2] + z * r[2] + 0.5)
            for axis, step in enumerate((x, y, z)):
                wrapped[n, axis] = positions[f, n, axis]
                unwrapped[n, axis] += step - (i * a[axis] + j * b[axis] + k * c[axis])
                positions[f, n, axis] = unwrapped[n, axis]
