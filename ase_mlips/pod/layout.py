"""What the kernels of POD find in their tables of integers and doubles and in their scratch, and what a call asks for.

`packing.Plans` fills a `Head` with sizes and with the places of tables and areas; kernels read it with `fields.view`.
"""

from __future__ import annotations

from itertools import repeat
from typing import NamedTuple

from ..engine.packing import named

GEOMETRY_WORDS = 2  # 1 / r, x / r
DEGREE = 7  # of the piecewise polynomials
RADIAL_SCRATCH = 17  # vectors before the values: variable of the pieces, two rows of eight


class Integers(NamedTuple):
    """Where tables begin among the integers."""

    limits: int  # of `lanes.channel_sums`
    offsets: int
    forward: int  # sums of one radial function to harmonics and monomials: rows and columns of a sparse matrix
    forward_columns: int
    reverse: int  # its transpose
    reverse_columns: int
    reverse_harmonics: int  # that of the harmonics alone, for functions without four-body terms
    reverse_harmonics_columns: int
    powers: int  # Legendre polynomials to powers of cosines: rows and columns of a sparse matrix
    powers_columns: int
    reverse_powers: int
    reverse_powers_columns: int
    pairs: int  # of elements
    runs: int  # of four-body terms, see `tables.Terms`
    factors: int
    products: int  # pairs of descriptors
    bodies: int  # where the descriptors of two, three, .. seven bodies begin, and their number
    network: int = 0


class Floats(NamedTuple):
    """Where tables begin among the doubles."""

    forward: int
    reverse: int
    reverse_harmonics: int
    powers: int
    reverse_powers: int
    weights: int  # of the four-body terms
    pieces: int  # of the radial functions: [piece][group of eight functions][power][8]
    expansion: int  # of the radial functions in the snapshots: [function][snapshot]
    coefficients: int  # of each element: constant, then by cluster, quadratic ones, projections by component, centroids
    scalars: int  # rin, rcut, start of the pieces, 1 / their width
    network: int = 0


class Areas(NamedTuple):
    """Where areas of the scratch begin."""

    gathered: int  # see `lanes.gather`
    slots: int  # x, y, z, j of the neighbours, element by element
    starts: int  # first slot of each element, and the number of all, in every lane
    geometry: int
    variables: int  # y/r and z/r
    channels: int
    functions: int  # R_m and R'_m
    forces: int  # p_ij
    radial: int  # of one slot: variable, pieces, values and slopes
    snapshots: int  # and their slopes
    sums: int  # of `lanes.channel_sums`, for each element
    sum_derivatives: int
    moments: int  # of each element and radial function: harmonics, then monomials
    moment_derivatives: int
    legendre: int  # of one pair of elements and radial function
    descriptors: int
    beta: int  # dU/dB
    present: int  # neighbours of each lane
    coefficients: int  # of the lanes
    clusters: int  # what `kernels_head.clustered` needs
    slopes: int  # of a network, dU/dB
    network: int
    types: int
    energy: int


class Head(NamedTuple):
    """All of it, and sizes."""

    types: int
    radial: int  # R_m, m = 0 .. radial - 1
    groups: int  # of eight of them
    pieces: int
    bessel: int
    inverse: int
    two: int  # radial functions of terms of two, three and four bodies
    three: int
    four: int
    degree: int  # of cosines in terms of three bodies
    channels: int
    sums: int  # of one element
    size: int  # of one radial function
    harmonics: int
    stride: int  # harmonics and monomials of one radial function
    pairs: int  # of elements
    angular: int  # of four bodies, of one radial function and triple of elements
    runs: int
    first: int  # descriptors of two bodies
    second: int  # and of three
    third: int  # and of four
    descriptors: int
    clusters: int
    components: int
    coefficients: int  # of one element
    quadratic: int  # whether there are quadratic coefficients
    network: int  # whether there is a network
    ints: Integers
    floats: Floats
    species: int = 0  # this and what follows differ from call to call, see `packing.Plans`
    order: int = 0
    atoms: int = 0
    centers: int = 0
    slots: int = 0
    chunks: int = 0
    area: Areas = named(Areas, repeat(0))
