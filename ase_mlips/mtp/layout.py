"""What the kernels of MTP find in their tables of integers and doubles and in their scratch, and what a call asks for.

`packing.Plans` fills a `Head` with sizes and with the places of tables and areas; kernels read it with `fields.view`.
"""

from __future__ import annotations

from itertools import repeat
from typing import NamedTuple

from ..engine.packing import named

GEOMETRY_WORDS = 7  # 1/r, weight, its derivative, xi, its derivative, number of the pair of types, r


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
    derivatives: int  # of `lanes.channel_derivatives`
    sums: int  # of `lanes.channel_sums`
    sum_derivatives: int
    moments: int
    moment_derivatives: int
    types: int
    energy: int


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
