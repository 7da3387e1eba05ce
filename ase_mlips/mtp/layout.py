"""What the kernels of MTP find in their tables of integers and doubles and in their scratch, and what a call asks for.

`packing.Plans` fills a `Head` with sizes and with the places of tables and areas; kernels read it with `fields.view`.
"""

from __future__ import annotations

from itertools import repeat
from typing import NamedTuple

from ..engine.packing import named

GEOMETRY_WORDS = 7  # 1/r, weight, its derivative, xi, its derivative, number of the pair of types, r
FIELD = 16  # doubles of an atom: slope of its force (3), of its energy (1), of the strain derivative of its frame (9)
TENSOR = 6  # distinct elements of a strain derivative, in the order xx yy zz yz xz xy


class Integers(NamedTuple):
    """Where tables begin among the integers."""

    limits: int  # of `lanes.channel_sums`
    offsets: int
    function: int  # mu of each channel
    odd: int  # whether a channel is f_mu x/r
    forward: int  # sums to basic moments: rows and columns of a sparse matrix
    forward_columns: int
    reverse: int  # dE/dM of basic moments to dE/dS
    reverse_columns: int
    program: int  # products that make composite moments, see `tables.program`
    runs: int
    mapping: int  # moments that are basis functions


class Floats(NamedTuple):
    """Where tables begin among the doubles."""

    forward: int
    reverse: int
    radial: int  # Chebyshev coefficients of f_mu and f'_mu
    weights: int  # of the products
    moments: int  # coefficients of the basis functions
    species: int  # energy of each species
    scalars: int  # min_dist, max_dist, distance below which *_repuls bases are constant


class Areas(NamedTuple):
    """Where areas of the scratch begin."""

    slots: int  # see `lanes.gather`
    geometry: int
    variables: int  # y/r and z/r
    channels: int
    functions: int  # f_mu and f'_mu
    forces: int  # p_ij
    polynomials: int  # T_n
    rows: int
    values: int
    derivatives: int  # of `horner.channel_derivatives`
    sums: int  # of `lanes.channel_sums`
    sum_derivatives: int
    moments: int
    moment_derivatives: int
    types: int
    energy: int
    gradients: int  # dU_i/dc by the species of the neighbour, mu and n


class Request(NamedTuple):
    """What a call is to do: forces and virials, basis values, derivatives by the radial coefficients."""

    derivatives: int = True
    report_basis: int = False
    report_radial: int = False


class Head(NamedTuple):
    """All of it, and sizes."""

    types: int
    functions: int  # mu = 0 .. functions - 1
    basis: int  # polynomials of each
    channels: int
    sums: int
    basic: int  # basic moments, the first ones
    moments: int  # all
    scalars: int  # basis functions
    runs: int
    groups: int  # vectors that f_mu and f'_mu of a pair take
    smooth: int  # 1 with the factor (max_dist - r)^2
    repulsive: int  # 1 for RBChebyshev_repuls
    ints: Integers
    floats: Floats
    species: int = 0  # this and what follows differ from call to call, see `packing.Plans`
    order: int = 0
    atoms: int = 0
    centers: int = 0
    slots: int = 0
    chunks: int = 0
    request: Request = Request()
    area: Areas = named(Areas, repeat(0))


class Training(NamedTuple):
    """Where areas of the scratch of the training begin, behind those of `Areas`, and sizes.

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
