"""Kernel of the van Hove function: distances between atoms at two times."""

from __future__ import annotations

from typing import Any

import numpy as np

from ase_mlips.engine.jit import kernel


@kernel
def count_pairs(earlier: Any, later: Any, cell: Any, inverse: Any, edges: Any, counts: Any) -> None:
    """Add the pairs ``i != j`` with ``|later_j - earlier_i|``, nearest image, in each bin to `counts` (B,) int64.

    `earlier` and `later` are (N, 3), `cell` and its `inverse` (3, 3); `edges` (B + 1,) ascend.
    """
    bins = counts.shape[0]
    lowest, highest = edges[0] ** 2, edges[bins] ** 2
    for i in range(earlier.shape[0]):
        for j in range(later.shape[0]):
            if i == j:
                continue
            x = later[j, 0] - earlier[i, 0]
            y = later[j, 1] - earlier[i, 1]
            z = later[j, 2] - earlier[i, 2]
            a = np.floor(x * inverse[0, 0] + y * inverse[1, 0] + z * inverse[2, 0] + 0.5)
            b = np.floor(x * inverse[0, 1] + y * inverse[1, 1] + z * inverse[2, 1] + 0.5)
            c = np.floor(x * inverse[0, 2] + y * inverse[1, 2] + z * inverse[2, 2] + 0.5)
            x -= a * cell[0, 0] + b * cell[1, 0] + c * cell[2, 0]
            y -= a * cell[0, 1] + b * cell[1, 1] + c * cell[2, 1]
            z -= a * cell[0, 2] + b * cell[1, 2] + c * cell[2, 2]
            square = x * x + y * y + z * z
            if lowest <= square < highest:
                counts[np.searchsorted(edges, np.sqrt(square), side="right") - 1] += 1
