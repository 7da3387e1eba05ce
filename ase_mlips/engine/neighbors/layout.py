"""Where the neighbour list keeps what: kernels and the class share one float64 array."""

# Every array argument costs time at the call, hence one array: a header, blocks with one row per atom and dummy atom,
# the lattice vectors of the images, and scratch.  Places in the header:
CELL, PBC = 0, 9  # of the last build
ATOMS, ROWS, CODES = (12, 13, 14)  # atoms of the last build (-1: none), rows of a block, images
CENTERS = 62  # atoms whose neighbours are listed
LIMIT2, REACH, WIDE = (15, 16, 17)  # (skin / 2)^2, cutoff + skin, the same plus more than rounding errors can be
NEED, NEED_PAIRS = 18, 19  # sizes that the two buffers must have
IMAGES = 20  # (3) largest multiples of the basis vectors that occur
FIRST, LAST = (23, 26)  # (3) range of fractional coordinates in which an image can have a neighbour
LOW, HIGH = 29, 32  # (3) corners of the bounding box of the wrapped atoms
BASIS, TRANSFORM, DUAL = (
    35,
    44,
    53,
)  # (3, 3) reduced lattice vectors, their coefficients in cell vectors, dual vectors
HEADER = 64
# Where the blocks begin, as multiples of ROWS behind the header: positions of the last build (3 columns), what wrapping
# subtracts from them (3), that in cell vectors (3), wrapped positions (4), first neighbours (1); then the images.
INPUT, OFFSETS, TURNS, WRAPPED, START, SHIFTS = 0, 3, 6, 9, 13, 14

DUMMY = 1.0e7  # A, all coordinates of the dummy atom, unless something else is as far away
LARGEST = 1.0e12  # A; beyond, rounding errors become visible
MAX_IMAGES = 2.0**24
LAYERS = 4  # bins per reach along z, the axis along which the points of a column of bins are contiguous

GROW, BAD_POSITIONS, BAD_CELL, DEPENDENT, TOO_SMALL = -1, -2, -3, -4, -5
ERRORS = {
    BAD_POSITIONS: f"positions must be finite and at most {LARGEST:g} A",
    BAD_CELL: f"cell must be finite and at most {LARGEST:g} A",
    DEPENDENT: "the cell vectors of the periodic axes are linearly dependent",
    TOO_SMALL: f"the cell is too small for the cutoff: more than {MAX_IMAGES:.0f} images of it lie within reach",
}
