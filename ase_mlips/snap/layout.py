"""What the kernels of SNAP find in their tables of integers and doubles and in their scratch.

`packing.Plans` fills a `Head` with sizes and with the places of tables and areas; kernels read it with `fields.view`.
"""

from __future__ import annotations

from itertools import repeat
from typing import NamedTuple

from ..engine.packing import named

PAIR_WORDS = 6  # cutoff, pi / (cutoff - rmin0), weight, inner start, pi / (4 inner half width), element
ZBL_WORDS = 7  # strength, 1 / length, inner, A / 3, B / 4, C, outer
GEOMETRY_WORDS = 8  # w f, Re b, Im b, s, ds/dr, dc/dr, (w f)' / (w f), 1 / r
ELEMENT_WORDS = 6  # place in full U, in its mirror, sign of the mirror, place in Y, in its own j, weight
B_WORDS, Y_WORDS = 5, 4

LARGEST_TILE = {32: (2, 4), 8: (1, 2)}  # rows and columns of a coupling, by `simd.REGISTERS`: 16 or 4 accumulators
TILE_WORDS = 12


class Integers(NamedTuple):
    """Where tables begin among the integers."""

    limits: int  # of `lanes.channel_sums`
    offsets: int
    forward: int  # sums to U: rows and columns of a sparse matrix
    forward_columns: int
    reverse: int  # Y to dE/dS
    reverse_columns: int
    elements: int  # rows of ELEMENT_WORDS
    tiles: int  # rows of TILE_WORDS: couplings of U with itself
    tiles_mixed: int  # and with the U of another element
    b: int  # rows of B_WORDS
    y: int  # rows of Y_WORDS: those that the forces of this model follow from
    y_exact: int  # those of the gradient of each descriptor
    y_first: int  # where the latter begin for each descriptor
    network: int = 0


class Floats(NamedTuple):
    """Where tables begin among the doubles."""

    forward: int
    reverse: int
    outer: int  # coupling constants of the tiles
    inner: int
    outer_mixed: int
    inner_mixed: int
    direct: int  # `outer` with linear coefficients folded in
    b0: int  # what bzeroflag subtracts
    factor: int  # of the terms `y`
    factor_exact: int
    pair: int  # rows of PAIR_WORDS
    zbl: int  # rows of ZBL_WORDS
    coefficients: int
    scalars: int  # rfac0, rmin0, largest cutoff
    shift: int = 0  # energy of each type where B is zero; linear models
    network: int = 0


class Areas(NamedTuple):
    """Where areas of the scratch begin."""

    slots: int  # see `lanes.gather`
    pairs: int
    geometry: int
    variables: int  # c and z s
    channels: int
    forces: int  # p_ij
    derivatives: int  # of `horner.channel_derivatives`
    sums: int  # of `lanes.channel_sums`
    u: int
    y: int
    sum_derivatives: int
    z: int
    descriptors: int
    beta: int
    coefficients: int  # of the lanes
    selves: int  # weights of the atoms themselves
    types: int
    energy: int
    parts: int  # independent elements of U
    network: int


class Head(NamedTuple):
    """All of it, and sizes."""

    twojmax: int
    channels: int
    sums: int
    full: int  # elements of U
    half: int  # those without their mirror images, as Y has them
    independent: int
    zsize: int
    types: int
    elements: int  # with chemflag, else 1
    descriptors: int
    coefficients: int
    quadratic: int
    direct: int  # linear without chemflag: neither Z nor B is needed
    switch: int
    inner: int
    zbl: int
    self_all: int
    n_tiles: int
    n_tiles_mixed: int
    n_b: int
    n_y: int
    outer_size: int
    network: int
    ints: Integers
    floats: Floats
    species: int = 0  # this and what follows differ from call to call, see `packing.Plans`
    order: int = 0
    atoms: int = 0
    centers: int = 0
    slots: int = 0
    chunks: int = 0
    area: Areas = named(Areas, repeat(0))
