"""Reading ACE potentials: pacemaker's and FitSNAP's .yace, pacemaker's .yaml, the older .ace and the own .ace.npz."""

from __future__ import annotations

import os
from collections.abc import Sequence
from os import PathLike

import numpy as np

from ..files.text import FilePath, beginning
from .flow_text import Block, blamed, flat, read_blocks
from .model import RADIAL_BASES, AceModel, Bond, Embedding, Function
from .npz import ENDING, read_npz
from .old_text import read_old
from .pacemaker import read_pacemaker

ENDINGS = (".yace", ".ace", ".yaml", ENDING)


def read_ace(path: str | PathLike[str], *, elements: Sequence[str] | None = None) -> AceModel:
    """Read an ACE potential.

    Parameters
    ----------
    path : path
        A ``.yace`` file of pacemaker or FitSNAP (its ``coupling_coefficients.yace``, too, which gives descriptors),
        a ``.yaml`` potential of pacemaker, an older ``.ace`` file, or the own format ``.ace.npz``.
    elements : sequence of str, optional
        That the model must have, else ValueError.  They keep the file's order.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        ``path:line: expected ..., got ...`` if the file is malformed or needs what is not supported: radial functions
        of ACE.jl (``ACE.jl.*``) and pacemaker's ``TEST_*``; without a line if it is binary.
    """
    name = os.fspath(path)
    if name.endswith(ENDING):
        model = read_npz(path)
    elif name.endswith(".ace"):
        model = read_old(path)
    elif name.endswith((".yaml", ".yml")):
        model = read_pacemaker(path)
    else:
        model = _read_yace(path)
    if missing := [symbol for symbol in elements or () if symbol not in model.elements]:
        raise ValueError(f"{path}: expected the element {missing[0]}, got only {', '.join(model.elements)}")
    return model


def is_pacemaker(path: FilePath) -> bool:
    """Whether a ``.yaml`` file begins like a potential of pacemaker."""
    text = beginning(path, 4000)
    return b"speciesblock:" in text


def _read_yace(path: FilePath) -> AceModel:
    whole = read_blocks(path)
    elements = tuple(whole.words("elements"))
    count = len(elements)
    if count == 0:
        raise whole.row.error("elements", "none")
    energies = whole.numbers("E0") if "E0" in whole else [0.0] * count
    embedded, listed, rows = whole.block("embeddings"), whole.block("bonds"), whole.block("functions")
    embeddings = tuple(_embedding(embedded.block(str(e))) for e in range(count))
    blocks = [[listed.block(f"[{i},{j}]") for j in range(count)] for i in range(count)]
    bonds = tuple(tuple(_bond(block) for block in row) for row in blocks)
    kinds = [block.word("inner_cutoff_type", "density") for row in blocks for block in row]
    functions = tuple(_functions(rows, e, embeddings[e].densities) for e in range(count))
    with blamed(whole.row):
        return AceModel(
            elements, np.array(energies), bonds, functions, embeddings, kinds[-1],
            spline_bins=whole.number("deltaSplineBins", 0.001),
        )  # fmt: skip


def _embedding(block: Block) -> Embedding:
    parameters = block.numbers("FS_parameters")
    if len(parameters) != 2 * block.integer("ndensity"):
        expected = f"{2 * block.integer('ndensity')} FS_parameters as ndensity says"
        raise block.row.error(expected, str(len(parameters)))
    with blamed(block.row):
        return Embedding(
            block.word("npoti"),
            np.array(parameters),
            block.number("rho_core_cutoff", 1e5),
            block.number("drho_core_cutoff", 250.0),
        )


def radial_name(name: str) -> str:
    """The name of a radial basis that is known; ValueError for others."""
    found = "SBessel" if name == "TEST_SBessel" else name
    if found.startswith("ACE.jl"):
        raise ValueError(f"expected radbasename to be one of {', '.join(RADIAL_BASES)}, got ACE.jl's {name}")
    return found


def _bond(block: Block) -> Bond:
    with blamed(block.row):
        name = radial_name(block.word("radbasename"))
    nested = block.nested("radcoefficients")
    shape = block.integer("nradmax"), block.integer("lmax") + 1, block.integer("nradbasemax")
    values = flat(nested)
    if min(shape) < 0 or len(values) != shape[0] * shape[1] * shape[2]:
        expected = f"radcoefficients of shape {shape} as nradmax, lmax + 1 and nradbasemax say"
        raise block.row.error(expected, f"{len(values)} numbers")
    parameters = block.numbers("radparameters")
    if not parameters:
        raise block.row.error("radparameters", "none")
    with blamed(block.row):
        return Bond(
            name,
            np.array(values).reshape(shape),
            cutoff=block.number("rcut"),
            scale=parameters[0],
            dcut=block.number("dcut", 0.01),
            core=np.array([block.number("prehc", 0.0), block.number("lambdahc", 0.0)]),
            inner_cutoff=block.number("rcut_in", 0.0),
            inner_width=block.number("dcut_in", 0.0),
        )


def _functions(rows: Block, element: int, densities: int) -> tuple[Function, ...]:
    """Those of an element, rank 1 first, else in the order of the file."""
    key = str(element)
    found = [_function(block, element, densities) for block in rows.blocks(key)] if key in rows else []
    return tuple(sorted(found, key=lambda function: function.rank > 1))


def _function(block: Block, element: int, densities: int) -> Function:
    rank, rows = block.integer("rank"), block.integer("num_ms_combs")
    if block.integer("mu0") != element:
        raise block.row.error(f"mu0 = {element} among the functions of that element", block.word("mu0"))
    if block.integer("ndensity") != densities:
        raise block.row.error(f"ndensity {densities} as in the embedding", block.word("ndensity"))
    lists = {name: block.integers(name) for name in ("mus", "ns", "ls", "ms_combs")}
    weights = block.numbers("ctildes")
    sizes = {"mus": rank, "ns": rank, "ls": rank, "ms_combs": rows * rank}
    for name, size in sizes.items():
        if len(lists[name]) != size:
            raise block.row.error(f"{size} numbers in {name}", str(len(lists[name])))
    if len(weights) != rows * densities:
        raise block.row.error(f"{rows * densities} numbers in ctildes", str(len(weights)))
    with blamed(block.row):
        return Function(
            tuple(lists["mus"]),
            tuple(lists["ns"]),
            tuple(lists["ls"]),
            np.array(lists["ms_combs"], np.int32).reshape(rows, rank),
            np.array(weights).reshape(rows, densities),
        )
