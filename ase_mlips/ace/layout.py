"""What the kernels of ACE find in their tables of integers and doubles and in their scratch.

`packing.Plans` fills a `Head` with sizes and with the places of tables and areas; kernels read it, and the rows of each
element and each bond, with `fields.view`.
"""

from __future__ import annotations

from itertools import repeat
from typing import NamedTuple

from ..engine.packing import named

EXP_COS, POW, LINEAR_X, BESSEL = range(4)  # radial bases, in the order of `model.RADIAL_BASES`
DENSITY, DISTANCE, ZBL = range(3)  # inner cutoffs, in the order of `model.INNER_CUTOFFS`
LINEAR, EMBEDDED, NETWORK, DESCRIBED = range(4)  # what the functions are summed to
SINCLAIR, SHIFTED = range(2)  # embeddings, in the order of `model.EMBEDDINGS`
GEOMETRY_WORDS = 11  # u (3), 1/r, weight, its derivative, x, its derivative, core repulsion, its derivative, r
CHANNEL_WORDS = 3  # number of channels with an l, place of their radial functions, first node


class BondScalars(NamedTuple):
    """Places of doubles of a bond."""

    cutoff: int
    scale: int
    dcut: int
    offset: int  # e^-lambda
    inner: int
    width: int
    strength: int  # core repulsion
    decay: int
    third: int  # A / 3, B / 4 and C of the ZBL shift
    quarter: int
    shift: int


class Bond(NamedTuple):
    """Neighbours of one element."""

    kind: int
    power: int  # lambda if that is an integer, else 0
    terms: int  # polynomials T_k
    radials: int
    lengths: int  # place of the number of terms of each radial function
    series: int  # place of their coefficients
    top: int  # largest l, -1 without sums
    channels: int  # place of rows of CHANNEL_WORDS
    scalars: int


class Element(NamedTuple):
    """Central atoms of one element."""

    sums: int
    nodes: int
    products: int  # place, and how many
    n_products: int
    groups: int  # place, and how many
    n_groups: int
    weights: int
    targets: int  # place of the beginnings of each descriptor's groups, and how many
    n_targets: int
    densities: int
    embedding: int
    parameters: int  # w_1, m_1, .., then rho_core_cutoff, drho_core_cutoff and the energy of the isolated atom


class Integers(NamedTuple):
    """Where tables begin among the integers."""

    elements: int  # rows of `Element`
    bonds: int  # rows of `Bond`
    lengths: int
    channels: int
    products: int
    groups: int
    targets: int
    network: int = 0


class Floats(NamedTuple):
    """Where tables begin among the doubles."""

    scalars: int
    series: int
    weights: int
    parameters: int
    cutoffs: int  # of each bond, then the largest one
    recursion: int
    linear: int  # coefficients of the descriptors beside a network
    network: int = 0


class Areas(NamedTuple):
    """Where areas of the scratch begin."""

    slots: int  # see `lanes.gather`
    sorted: int  # the same by the element of the neighbour
    ends: int  # where the slots of each element end
    counts: int  # of neighbours of each element and lane
    geometry: int
    radials: int
    polynomials: int
    legendre: int
    harmonics: int
    nodes: int
    derivatives: int
    forces: int
    densities: int  # and behind them the derivatives of the energy by them
    descriptors: int
    beta: int
    nearest: int
    types: int
    energy: int
    network: int


class Head(NamedTuple):
    """All of it, and sizes."""

    types: int
    kind: int
    inner: int
    core: int
    radials: int
    top: int
    nodes: int
    densities: int
    descriptors: int
    terms: int
    ints: Integers
    floats: Floats
    species: int = 0  # this and what follows differ from call to call, see `packing.Plans`
    order: int = 0
    atoms: int = 0
    centers: int = 0
    slots: int = 0
    chunks: int = 0
    area: Areas = named(Areas, repeat(0))


SCALARS = BondScalars(*range(len(BondScalars._fields)))
BOND_WORDS, ELEMENT_WORDS = len(Bond._fields), len(Element._fields)
