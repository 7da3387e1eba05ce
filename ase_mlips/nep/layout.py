"""Where the kernels find sizes, tables and scratch: places in `head` and the widths of table rows."""

# places in `head`: sizes of the model ...
(
    TYPES, NETS, RADIAL, ANGULAR, K_RADIAL, K_ANGULAR, L_MAX, CHANNELS, SUMS, MOMENTS, DESCRIPTORS, NEURONS, HIDDEN,
    GROUPS_R, GROUPS_A, N_INVARIANTS, SQUARED, ZBL, NET_SIZE,
) = range(19)  # fmt: skip
# ... of tables in `ints` ...
I_LIMITS, I_OFFSETS, I_FORWARD, I_FORWARD_COLUMNS = range(19, 23)
I_REVERSE, I_REVERSE_COLUMNS, I_INVARIANTS, I_MONOMIALS = range(23, 27)
# ... in `floats` ...
(
    F_FORWARD, F_REVERSE, F_MONOMIALS, F_RADIAL, F_ANGULAR, F_PAIR, F_ZBL, F_SCALER, F_NETWORK, F_SCALARS,
) = range(27, 37)  # fmt: skip
# ... for one call: atoms, slots, chunks, which network, whether its energy counts, whether derivatives are wanted,
# whether more than energies is reported ...
ATOMS, SLOTS, CHUNKS, NETWORK, ENERGY, DERIVATIVES, REPORT = range(37, 44)
# ... and the areas of `work`
(
    A_NEAR, A_FAR, A_GEOMETRY_NEAR, A_GEOMETRY_FAR, A_SLOPES_NEAR, A_SLOPES_FAR, A_P_NEAR, A_P_FAR, A_PQ, A_F, A_G,
    A_T, A_ROWS, A_DERIVATIVES, A_S, A_D, A_M, A_DM, A_Q, A_FP, A_E, A_HIDDEN, A_RADIAL, A_TYPES, A_VALUES,
) = range(44, 69)  # fmt: skip
HEAD_SIZE = 69

GEOMETRY_WORDS = 10  # 1/r, radial: f, f', x, x', angular: f, f', x, x', number of the pair of types
PAIR_WORDS = 3  # 1 / radial cutoff, 1 / angular cutoff, distance from which on ZBL is zero
ZBL_WORDS = 11  # inner, outer, strength, and four times factor and decay of the screening function
INVARIANT_WORDS = 3  # place among the invariants, first monomial, their number
REPORT_WORDS = 13  # charge; sum of r^2 p (3); sum of r p (9)
