"""Reading pacemaker's ``.yaml`` potentials: B functions with one coefficient for each density."""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray
from ..files.text import FilePath
from .coupling import couplings
from .flow_text import Block, blamed, flat, read_blocks
from .model import RADIAL_BASES, AceModel, Bond, Embedding, Function


def read_pacemaker(path: FilePath) -> AceModel:
    """Read a potential in the B basis; elements are sorted by their symbols, as pacemaker does.

    Raises
    ------
    OSError, ValueError
        As `read_ace`.
    """
    whole = read_blocks(path)
    blocks = {tuple(block.word("speciesblock").split()): block for block in whole.blocks("species")}
    elements = tuple(sorted({symbol for names in blocks for symbol in names}))
    if not elements:
        raise whole.row.error("species with a speciesblock each", "none")
    for symbol in elements:
        if (symbol,) not in blocks:
            raise whole.row.error(f"speciesblock: {symbol}", "none")
    embeddings = tuple(_embedding(blocks[symbol,]) for symbol in elements)
    pairs = [[_pair_block(blocks, a, b, whole) for b in elements] for a in elements]
    bonds = tuple(tuple(map(_bond, row)) for row in pairs)
    functions: dict[str, list[Function]] = {symbol: [] for symbol in elements}
    for names, block in blocks.items():
        densities = embeddings[elements.index(names[0])].densities
        for entry in block.blocks("nbody") if "nbody" in block else []:
            if entry.word("skip", "false").lower() not in ("true", "yes", "1"):
                functions[names[0]].append(_function(entry, names[0], elements, densities))
    settings = whole.block("global") if "global" in whole else Block(whole.row)
    kinds = [block.word("inner_cutoff_type", "density") for row in pairs for block in row]
    with blamed(whole.row):
        return AceModel(
            elements, np.zeros(len(elements)), bonds,
            tuple(tuple(sorted(functions[symbol], key=_order)) for symbol in elements), embeddings, kinds[-1],
            spline_bins=settings.number("DeltaSplineBins", 0.001),
        )  # fmt: skip


def _pair_block(blocks: dict[tuple[str, ...], Block], a: str, b: str, whole: Block) -> Block:
    """The block of the radial functions of neighbours b of a."""
    for names in ((a,) if a == b else (a, b), (b, a)):
        if names in blocks:
            return blocks[names]
    raise whole.row.error(f"speciesblock: {a} {b}", "none")


def _embedding(block: Block) -> Embedding:
    parameters = block.numbers("parameters")
    if len(parameters) != 2 * block.integer("ndensityi"):
        raise block.row.error(f"{2 * block.integer('ndensityi')} parameters as ndensityi says", str(len(parameters)))
    with blamed(block.row):
        return Embedding(
            block.word("npoti"),
            np.array(parameters),
            block.number("rho_core_cut", 1e5),
            block.number("drho_core_cut", 250.0),
        )


def _bond(block: Block) -> Bond:
    core = block.numbers("core-repulsion") if "core-repulsion" in block else [0.0, 0.0]
    parameters = block.numbers("radparameters")
    if len(core) != 2 or not parameters:
        raise block.row.error("two numbers in core-repulsion and one in radparameters", f"{len(core)}, none")
    name = block.word("radbase")
    with blamed(block.row):
        if name not in (*RADIAL_BASES, "TEST_SBessel"):
            raise ValueError(f"expected radbase to be one of {', '.join(RADIAL_BASES)}, got {name}")
        return Bond(
            name.removeprefix("TEST_"),
            _coefficients(block),
            cutoff=block.number("rcutij"),
            scale=parameters[0],
            dcut=block.number("dcutij", 0.01),
            core=np.array(core),
            inner_cutoff=block.number("r_in", 0.0),
            inner_width=block.number("delta_in", 0.0),
        )


def _coefficients(block: Block) -> FloatArray:
    """[n][l][k]; old files have them flat, with k the slowest, then n, then l."""
    N, L, K = block.integer("nradmaxi"), block.integer("lmaxi") + 1, block.integer("nradbaseij")
    nested = block.nested("radcoefficients")
    values = np.array(flat(nested))
    if min(N, L, K) < 0 or values.size != N * L * K:
        expected = f"radcoefficients of shape {(N, L, K)} as nradmaxi, lmaxi + 1 and nradbaseij say"
        raise block.row.error(expected, f"{values.size} numbers")
    if any(isinstance(part, list) for part in nested):
        return values.reshape(N, L, K)
    return values.reshape(K, N, L).transpose(1, 2, 0)


def _function(block: Block, center: str, elements: tuple[str, ...], densities: int) -> Function:
    names, ls = block.word("type").split(), block.integers("nl")
    inner = block.integers("lint") if "lint" in block else []
    for name in names:
        if name not in elements:
            raise block.row.error(f"elements among {', '.join(elements)}", name)
    if names[0] != center:
        raise block.row.error(f"the central element {center} first", names[0])
    coefficients = np.array(block.numbers("c"))
    if coefficients.size != densities:
        raise block.row.error(f"{densities} coefficients c, one for each density", str(coefficients.size))
    with blamed(block.row):
        if max(ls, default=0) > 20 or len(ls) > 8 or min(ls, default=0) < 0:
            raise ValueError("expected at most eight l, each from 0 to 20")
        ms, coupling = couplings(ls, inner)
        return Function(
            tuple(elements.index(name) for name in names[1:]),
            tuple(block.integers("nr")),
            tuple(ls),
            ms,
            coupling[:, None] * coefficients,
            coupling,
        )


def _order(function: Function) -> tuple[object, ...]:
    """What B functions are sorted by: rank, elements, n, l, then the rows of m whose first non-zero one is positive."""
    rows = [row for row in function.ms.tolist() if next((m for m in row if m), 1) > 0]
    return function.rank, function.elements, function.ns, function.ls, len(rows), rows
