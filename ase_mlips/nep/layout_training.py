"""What the kernel of the parameters' gradient finds in its tables and scratch beside what `layout` declares."""

from __future__ import annotations

from itertools import repeat
from typing import NamedTuple

from ..engine.packing import named

CHANNELS = 8  # of each polynomial: value, tangent, value times tangents of y/r and of z/r; the same with x/r
TERMS_WORDS = 8  # of a slot: fc, fc', x, x' of the radial and of the angular functions
DIRECTION_WORDS = 5  # of a slot: tangents of r, x/r, y/r and z/r, and x/r itself
CUTOFF_WORDS = 2  # of a pair of types: radial, angular
MOVE_WORDS = 4  # of an atom: u, factor of its energy
FRAME_WORDS = 12  # of a frame: strain (3, 3), m


class Accumulators(NamedTuple):
    """Where sums over blocks of one central type begin, in vectors."""

    w0: int
    b0: int
    w1: int
    weight: int  # of the factors of the energies
    radial: int  # [neighbour type][function][polynomials, in fours]
    angular: int


class Gradient(NamedTuple):
    """Where parts of the gradient begin, and its doubles; coefficients are those of Chebyshev polynomials."""

    networks: int  # [network][w0, b0, w1]
    weights: int  # [type] sum of the factors of the energies
    radial: int  # [centre][neighbour][n][k]
    angular: int
    size: int


class TrainingAreas(NamedTuple):
    """Where areas of the scratch begin, beside those of `layout.Areas`."""

    terms: int  # four slots of TERMS_WORDS
    directions: int  # DIRECTION_WORDS of four slots
    variables: int  # y/r and z/r of four slots
    channels: int  # of four slots
    sums: int  # of `lanes.sum_tile`, for each type of neighbours
    radial: int  # sums of fc T_k, then their tangents, for each type of neighbours
    mixed: int  # sums of the angular functions
    mixed_tangents: int
    moment_tangents: int
    moments_adjoint: int
    moment_tangents_adjoint: int
    descriptor_tangents: int
    input_tangents: int
    adjoint: int  # of the descriptors
    tangents_adjoint: int  # of their tangents
    hidden: int  # adjoints of what enters the neurons
    hidden_tangents: int  # of the tangents of that
    strain: int
    tile: int
    present: int  # of each type of neighbours, whether there are any
    accumulators: int


class TrainingHead(NamedTuple):
    """Sizes, and places among the integers and doubles of the training."""

    even: int  # sums of a channel without x/r
    odd: int
    odd_tangents: int
    sums: int  # of all channels of one type of neighbours
    rows: int  # atoms and the dummy, the length of a start array
    limits: int
    offsets: int
    cutoffs: int  # CUTOFF_WORDS of each pair of types
    radial: int  # Chebyshev coefficients [centre][neighbour][tile of eight n][k][8]
    angular: int
    accumulated: int  # vectors
    blocks: int
    sum: Accumulators
    gradient: Gradient
    area: TrainingAreas = named(TrainingAreas, repeat(0))
