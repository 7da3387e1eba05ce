"""What the kernels of the training find in their scratch, behind what those of the forces use, and in their fields."""

from __future__ import annotations

from typing import NamedTuple

FIELD = 16  # doubles of an atom: slope of its force (3), of its energy (1), of the strain derivative of its frame (9)
TENSOR = 6  # distinct elements of a strain derivative, in the order xx yy zz yz xz xy


class Training(NamedTuple):
    """Where areas of the scratch begin, and sizes.

    A dot over a quantity is its derivative along the displacements that the field stands for, a bar is a derivative of
    what is differentiated in the end, see `kernels_training`.
    """

    own: int  # field of the eight central atoms
    pairs: int  # d(r)/dt and d(u)/dt of every slot
    channels: int  # F dot
    sums: int  # S dot
    moments: int  # M dot
    adjoints: int  # M bar
    sum_adjoints: int  # S bar
    slopes: int  # of the channels of four slots, see `kernels_tangents.channel_slopes`
    functions: int  # f bar and f' bar, times the weights that make them those of T_n and T'_n
    radial: int  # their sums, one species only
    linear: int  # sums of basis values, or of their derivatives
    virials: int  # derivatives of basis values by the strain
    width: int = 0  # doubles of a row of basis derivatives
