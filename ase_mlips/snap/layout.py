"""Where the kernels find sizes, tables and scratch: places in `head` and the widths of table rows."""

# places in `head`: sizes of the model ...
(
    TWOJMAX, CHANNELS, SUMS, FULL, HALF, INDEPENDENT, ZSIZE, TYPES, ELEMENTS, DESCRIPTORS, COEFFICIENTS, QUADRATIC,
    DIRECT, SWITCH, INNER, ZBL, SELF_ALL, N_TILES, N_TILES_MIXED, N_B, N_Y, NETWORK,
) = range(22)  # fmt: skip
# ... of tables in `ints` ...
(
    I_LIMITS, I_OFFSETS, I_FORWARD, I_FORWARD_COLUMNS, I_REVERSE, I_REVERSE_COLUMNS, I_ELEMENTS, I_TILES,
    I_TILES_MIXED, I_B, I_Y, I_Y_EXACT, I_Y_FIRST, I_NETWORK,
) = range(22, 36)  # fmt: skip
# ... in `floats` ...
(
    F_FORWARD, F_REVERSE, F_OUTER, F_INNER, F_OUTER_MIXED, F_INNER_MIXED, F_DIRECT, F_OUTER_SIZE, F_SHIFT, F_B0,
    F_FACTOR, F_FACTOR_EXACT, F_PAIR, F_ZBL, F_COEFFICIENTS, F_SCALARS, F_NETWORK,
) = range(36, 53)  # fmt: skip
# ... and, for one call, atoms, slots and the areas of `work`
(
    ATOMS, SLOTS, A_SLOTS, A_PAIR, A_GEOMETRY, A_PQ, A_F, A_P, A_DERIVATIVES, A_S, A_U, A_Y, A_D, A_Z, A_B, A_BETA,
    A_LANES, A_SELF, A_TYPES, A_ENERGY, A_PARTS, A_NETWORK, CHUNKS,
) = range(53, 76)  # fmt: skip
HEAD_SIZE = 76

PAIR_WORDS = 6  # cutoff, pi / (cutoff - rmin0), weight, inner start, pi / (4 inner half width), element
ZBL_WORDS = 7  # strength, 1 / length, inner, A / 3, B / 4, C, outer
GEOMETRY_WORDS = 8  # w f, Re b, Im b, s, ds/dr, dc/dr, (w f)' / (w f), 1 / r
ELEMENT_WORDS = 6  # place in full U, in its mirror, sign of the mirror, place in Y, in its own j, weight
B_WORDS, Y_WORDS = 5, 4

TILE_ROWS, TILE_COLUMNS = 2, 4  # largest tile of a coupling: 16 accumulators
TILE_WORDS = 12
