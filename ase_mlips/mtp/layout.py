"""Where the kernels find sizes, tables and scratch: places in `head` and the widths of table rows."""

# places in `head`: sizes of the model ...
(
    TYPES, FUNCTIONS, BASIS, CHANNELS, SUMS, BASIC, MOMENTS, SCALARS, RUNS, GROUPS, SMOOTH, REPULSIVE,
) = range(12)  # fmt: skip
# ... of tables in `ints` ...
(
    I_LIMITS, I_OFFSETS, I_FUNCTION, I_ODD, I_FORWARD, I_FORWARD_COLUMNS, I_REVERSE, I_REVERSE_COLUMNS, I_PROGRAM,
    I_RUNS, I_MAPPING,
) = range(12, 23)  # fmt: skip
# ... in `floats` ...
F_FORWARD, F_REVERSE, F_RADIAL, F_WEIGHTS, F_MOMENTS, F_SPECIES, F_SCALARS = range(23, 30)
# ... for one call: atoms, slots, chunks, whether derivatives are wanted, and basis values or parameter gradients ...
ATOMS, SLOTS, CHUNKS, DERIVATIVES, REPORT_BASIS, REPORT_RADIAL = range(30, 36)
# ... and the areas of `work`
(
    A_SLOTS, A_GEOMETRY, A_PQ, A_F, A_G, A_P, A_T, A_ROWS, A_VALUES, A_DERIVATIVES, A_S, A_D, A_M, A_DM, A_TYPES,
    A_ENERGY,
) = range(36, 52)  # fmt: skip
HEAD_SIZE = 52

GEOMETRY_WORDS = 7  # 1/r, weight, its derivative, xi, its derivative, number of the pair of types, r
