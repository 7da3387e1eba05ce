"""What the kernels of NEP find in their tables of integers and doubles and in their scratch, and what a call asks for.

`packing.Plans` fills a `Head` with sizes and with the places of tables and areas; kernels read it with `fields.view`.
"""

from __future__ import annotations

from itertools import repeat
from typing import NamedTuple

from ..engine.packing import named

GEOMETRY_WORDS = 10  # 1/r, radial: f, f', x, x', angular: f, f', x, x', number of the pair of types
PAIR_WORDS = 3  # 1 / radial cutoff, 1 / angular cutoff, distance from which on ZBL is zero
ZBL_WORDS = 11  # inner, outer, strength, and four times factor and decay of the screening function
INVARIANT_WORDS = 3  # place among the invariants, first monomial, their number
REPORT_WORDS = 13  # charge; sum of r^2 p (3); sum of r p (9)


class Integers(NamedTuple):
    """Where tables begin among the integers."""

    limits: int  # of `lanes.channel_sums`
    offsets: int
    forward: int  # sums to moments: rows and columns of a sparse matrix
    forward_columns: int
    reverse: int  # dE/dS of moments to that of sums
    reverse_columns: int
    invariants: int  # rows of INVARIANT_WORDS
    monomials: int  # three moments each


class Floats(NamedTuple):
    """Where tables begin among the doubles."""

    forward: int
    reverse: int
    monomials: int  # factors
    radial: int  # Chebyshev coefficients of g_n and g'_n
    angular: int
    pair: int  # rows of PAIR_WORDS
    zbl: int  # rows of ZBL_WORDS
    scaler: int  # of the descriptors
    network: int
    scalars: int  # largest angular cutoff, largest cutoff


class Side(NamedTuple):
    """Where areas of the near or of the far neighbours begin."""

    slots: int  # see `lanes.gather`
    geometry: int
    slopes: int  # dg_n/dr of the radial functions
    forces: int  # p_ij


class Areas(NamedTuple):
    """Where areas of the scratch begin."""

    near: Side
    far: Side
    variables: int  # y/r and z/r
    channels: int
    functions: int  # dg_n/dr of the angular functions
    polynomials: int  # T_k
    rows: int
    derivatives: int  # of `horner.channel_derivatives`
    sums: int  # of `lanes.channel_sums`
    sum_derivatives: int
    moments: int
    moment_derivatives: int
    descriptors: int
    descriptor_derivatives: int
    inputs: int  # scaled descriptors
    hidden: int  # outputs of the neurons, then their derivatives, then a tile
    radial: int  # sums of fc T_k, then weights of T_k and T'_k
    types: int
    values: int  # energy and charge


class Pass(NamedTuple):
    """What one pass of the kernel is to do."""

    network: int = 0  # 1 for the scalar network of a polarizability model
    energy: int = True  # False leaves the network's energy and the nuclear repulsion out of the forces
    derivatives: int = True  # False skips forces and virials, which are then zero
    report: int = False  # whether to report what `Outputs` holds


class Head(NamedTuple):
    """All of it, and sizes."""

    types: int
    nets: int  # networks: one, or one for each type
    radial: int  # functions
    angular: int
    k_radial: int  # polynomials of each
    k_angular: int
    l_max: int
    channels: int
    sums: int
    moments: int  # S_lm of each function
    descriptors: int
    neurons: int
    hidden: int  # neurons in whole vectors
    groups_r: int  # vectors that g_n and g'_n of a pair take
    groups_a: int
    n_invariants: int  # higher ones, that of `squared` not counted
    squared: int  # place of q_1111 among the invariants; 0 without
    zbl: int
    net_size: int  # doubles of a network
    ints: Integers
    floats: Floats
    species: int = 0  # this and what follows differ from call to call, see `packing.Plans`
    order: int = 0
    atoms: int = 0
    centers: int = 0
    slots: int = 0
    chunks: int = 0
    request: Pass = Pass()
    area: Areas = named(Areas, repeat(0))
