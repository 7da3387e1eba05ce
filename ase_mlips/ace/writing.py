"""Writing ACE potentials: the .yace of pacemaker, which LAMMPS reads, and the own format."""

from __future__ import annotations

import os
from collections.abc import Iterator
from os import PathLike

from ..files.text import replace_files
from .model import AceModel, Bond, Embedding, Function
from .npz import ENDING, npz_bytes


def write_ace(path: str | PathLike[str], model: AceModel) -> tuple[str, ...]:
    """Write an ACE potential; reading it back gives the same numbers bit by bit.

    Parameters
    ----------
    path : path
        ``x.yace`` writes what ``pair_style pace`` of LAMMPS reads; ``x.ace.npz`` can hold networks, too, and keeps the
        descriptors of B functions apart from their coefficients, see `npz_bytes`.
    model : AceModel

    Returns
    -------
    tuple of str
        The name of the file.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If the format cannot hold the model, or another ending.
    """
    name = os.fspath(path)
    if name.endswith(ENDING):
        replace_files({name: npz_bytes(model)})
        return (name,)
    if not name.endswith(".yace"):
        raise ValueError(f"{name}: expected a name that ends in .yace or {ENDING}, got another")
    if model.network is not None:
        raise ValueError(f"{name}: expected a name that ends in {ENDING}, which alone can hold a network, got another")
    replace_files({name: yace_text(model)})
    return (name,)


def yace_text(model: AceModel) -> str:
    """The content of a file ``X.yace`` of a model without a network."""
    return "".join(line + "\n" for line in _yace_lines(model))


def _yace_lines(model: AceModel) -> Iterator[str]:
    yield f"elements: {_list(model.elements)}"
    yield f"E0: {_list(model.energies.tolist())}"
    yield f"deltaSplineBins: {model.spline_bins!r}"
    yield "embeddings:"
    for number, embedding in enumerate(model.embeddings):
        yield f"  {number}: {_embedding(embedding)}"
    yield "bonds:"
    for first, row in enumerate(model.bonds):
        for second, bond in enumerate(row):
            yield f"  [{first}, {second}]: {_bond(bond, model.inner_cutoff_type)}"
    yield "functions:"
    for number, own in enumerate(model.functions):
        yield f"  {number}:"
        for function in own:
            yield f"    - {_function(function, number)}"


def _list(values: object) -> str:
    """``[..]``, nested as the values are."""
    if isinstance(values, list | tuple):
        return f"[{', '.join(map(_list, values))}]"
    return repr(values) if not isinstance(values, str) else values


def _braces(**values: object) -> str:
    return "{" + ", ".join(f"{name}: {_list(value)}" for name, value in values.items()) + "}"


def _embedding(embedding: Embedding) -> str:
    return _braces(
        ndensity=embedding.densities,
        FS_parameters=embedding.parameters.tolist(),
        npoti=embedding.name,
        rho_core_cutoff=embedding.rho_core_cutoff,
        drho_core_cutoff=embedding.drho_core_cutoff,
    )


def _bond(bond: Bond, kind: str) -> str:
    N, L, K = bond.coefficients.shape
    return _braces(
        nradmax=N,
        lmax=L - 1,
        nradbasemax=K,
        radbasename=bond.radial_basis,
        radparameters=[bond.scale],
        radcoefficients=bond.coefficients.tolist(),
        prehc=float(bond.core[0]),
        lambdahc=float(bond.core[1]),
        rcut=bond.cutoff,
        dcut=bond.dcut,
        rcut_in=bond.inner_cutoff,
        dcut_in=bond.inner_width,
        inner_cutoff_type=kind,
    )


def _function(function: Function, element: int) -> str:
    return _braces(
        mu0=element,
        rank=function.rank,
        ndensity=function.weights.shape[1],
        num_ms_combs=len(function.ms),
        mus=function.elements,
        ns=function.ns,
        ls=function.ls,
        ms_combs=function.ms.ravel().tolist(),
        ctildes=function.weights.ravel().tolist(),
    )
