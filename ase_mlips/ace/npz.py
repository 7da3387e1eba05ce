"""The own format ``X.ace.npz``: a whole ACE model, with a network or without, as plain arrays."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from ..files.archive import TYPES, read_arrays, read_members, refusal
from ..files.text import FilePath
from ..heads.network import NETWORK_ARRAYS, Network, network_arrays
from .model import AceModel, Bond, Embedding, Function

ENDING = ".ace.npz"
VERSION = 1

_KINDS = {  # name in the file: kind and number of axes
    "elements": ("U", 1),
    "energies": ("f", 1),
    "inner_cutoff_type": ("U", 0),
    "spline_bins": ("f", 0),
    "radial_bases": ("U", 1),
    "bonds": ("f", 2),
    "coefficient_shapes": ("i", 2),
    "coefficients": ("f", 1),
    "embeddings": ("U", 1),
    "cores": ("f", 2),
    "densities": ("i", 1),
    "parameters": ("f", 1),
    "counts": ("i", 1),
    "ranks": ("i", 1),
    "rows": ("i", 1),
    "factors": ("i", 2),
    "ms": ("i", 1),
    "weights": ("f", 1),
    "couplings": ("f", 1),
}
_LINEAR = {"linear": ("f", 2)}


def npz_bytes(model: AceModel) -> bytes:
    """The content of a file ``X.ace.npz``.

    It is an archive without compression and without pickles, as ``numpy.savez`` writes it and
    ``numpy.load(path, allow_pickle=False)`` reads it.  Lists of different lengths are joined end to end; the arrays are

    ==================== =============== ===================================================================
    name                 type and shape  meaning
    ==================== =============== ===================================================================
    version              int64           1
    elements             str (E,)        chemical symbols
    energies             float64 (E,)    of the isolated atoms
    inner_cutoff_type    str             density, distance or zbl
    spline_bins          float64         of LAMMPS's splines, in A
    radial_bases         str (E E,)      of each bond, the element of the central atom slower
    bonds                float64 (E E,7) cutoff, scale, dcut, core repulsion (2), inner cutoff, inner width
    coefficient_shapes   int64 (E E, 3)  N, L + 1, K of each bond
    coefficients         float64         radial coefficients [n][l][k] of all bonds
    embeddings           str (E,)        names
    cores                float64 (E, 2)  rho_core_cutoff and drho_core_cutoff
    densities            int64 (E,)      P of each element
    parameters           float64         w_1, m_1, .. of all elements
    counts               int64 (E,)      functions of each element
    ranks, rows          int64 (F,)      rank r and number M of the products of each function
    factors              int64 (.., 3)   element, n, l of each factor of all functions
    ms                   int64           M times r numbers of each function
    weights              float64         M times P numbers of each function
    couplings            float64         M numbers of each function
    network_sizes, ..    as in .snap.npz only with a network
    linear               float64 (E, K)  coefficients of the descriptors beside a network, if there are any
    ==================== =============== ===================================================================
    """
    stream = io.BytesIO()
    np.savez(stream, **arrays_of(model))
    return stream.getvalue()


def arrays_of(model: AceModel) -> dict[str, Any]:
    """The arrays of `npz_bytes` by name."""
    bonds = [bond for row in model.bonds for bond in row]
    functions = [function for own in model.functions for function in own]
    arrays: dict[str, Any] = {
        "elements": model.elements,
        "energies": model.energies,
        "inner_cutoff_type": model.inner_cutoff_type,
        "spline_bins": model.spline_bins,
        "radial_bases": [bond.radial_basis for bond in bonds],
        "bonds": [[b.cutoff, b.scale, b.dcut, *b.core, b.inner_cutoff, b.inner_width] for b in bonds],
        "coefficient_shapes": [bond.coefficients.shape for bond in bonds],
        "coefficients": _joined([bond.coefficients for bond in bonds]),
        "embeddings": [embedding.name for embedding in model.embeddings],
        "cores": [[e.rho_core_cutoff, e.drho_core_cutoff] for e in model.embeddings],
        "densities": [embedding.densities for embedding in model.embeddings],
        "parameters": _joined([embedding.parameters for embedding in model.embeddings]),
        "counts": [len(own) for own in model.functions],
        "ranks": [function.rank for function in functions],
        "rows": [len(function.ms) for function in functions],
        "factors": np.reshape(
            [factor for f in functions for factor in zip(f.elements, f.ns, f.ls, strict=True)], (-1, 3)
        ),
        "ms": _joined([function.ms for function in functions]),
        "weights": _joined([function.weights for function in functions]),
        "couplings": _joined([function.couplings for function in functions]),
    }
    arrays |= network_arrays(model.network)
    if model.coefficients is not None:
        arrays["linear"] = model.coefficients
    kinds = {**_KINDS, **NETWORK_ARRAYS, **_LINEAR}
    typed: dict[str, Any] = {name: np.asarray(value, TYPES[kinds[name][0]]) for name, value in arrays.items()}
    return {"version": np.int64(VERSION), **typed}


def _joined(parts: list[Any]) -> Any:
    return np.concatenate([np.zeros(0), *(np.ravel(part) for part in parts)])


def read_npz(path: FilePath) -> AceModel:
    """Read what `npz_bytes` makes; no object is ever unpickled.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        ``path: expected ..., got ...`` if it is damaged or lacks something.
    """
    return from_members(path, {name.removesuffix(".npy"): data for name, data in read_members(path).items()})


def from_members(path: FilePath, members: Mapping[str, bytes]) -> AceModel:
    """The model in the members of an archive; raises ValueError as `read_npz` does."""
    version = read_arrays(path, members, {"version": ("i", 0)})["version"]
    if version != VERSION:
        raise refusal(path, f"version {VERSION} of the format", str(version))
    found = read_arrays(path, members, _KINDS)
    network = read_arrays(path, members, NETWORK_ARRAYS) if "network_sizes" in members else {}
    linear = read_arrays(path, members, _LINEAR) if "linear" in members else {}
    if unknown := sorted(members.keys() - {"version", *found, *network, *linear}):
        raise refusal(path, "no array but those of the model", repr(unknown[0][:40]))
    try:
        model = _model(found, Network(*network.values()) if network else None)
        return replace(model, coefficients=linear["linear"]) if linear else model
    except (ValueError, IndexError) as error:
        raise ValueError(f"{path}: {error}") from None


def _model(found: dict[str, Any], network: Network | None) -> AceModel:
    count = len(found["elements"])
    if len(found["bonds"]) != count**2 or found["bonds"].shape[1:] != (7,):
        raise ValueError(f"expected {count**2} bonds of seven numbers, got shape {found['bonds'].shape}")
    if found["cores"].shape != (count, 2):
        raise ValueError(f"expected two numbers of cores of {count} elements, got shape {found['cores'].shape}")
    if len(found["counts"]) != count or len(found["densities"]) != count or len(found["embeddings"]) != count:
        raise ValueError(f"expected counts, densities and embeddings of {count} elements, got others")
    coefficients = _split(found["coefficients"], [int(np.prod(s)) for s in found["coefficient_shapes"]], "coefficients")
    bonds = []
    for place, (basis, row, shape) in enumerate(
        zip(found["radial_bases"], found["bonds"].tolist(), found["coefficient_shapes"], strict=True)
    ):
        cutoff, scale, dcut, strength, decay, inner, width = row
        own = coefficients[place].reshape(shape)
        bonds.append(Bond(basis, own, cutoff, scale, dcut, np.array([strength, decay]), inner, width))
    parameters = _split(found["parameters"], [2 * p for p in found["densities"]], "parameters")
    named = zip(found["embeddings"], parameters, found["cores"].tolist(), strict=True)
    embeddings = tuple(Embedding(name, own, *core) for name, own, core in named)
    return AceModel(
        found["elements"], found["energies"], tuple(zip(*[iter(bonds)] * count, strict=True)),
        _functions(found), embeddings, found["inner_cutoff_type"], network, spline_bins=found["spline_bins"],
    )  # fmt: skip


def _functions(found: dict[str, Any]) -> tuple[tuple[Function, ...], ...]:
    ranks, rows, counts = found["ranks"], found["rows"], found["counts"]
    if len(ranks) != len(rows) or len(ranks) != sum(counts):
        raise ValueError(f"expected ranks and rows of {sum(counts)} functions, got {len(ranks)} and {len(rows)}")
    densities = np.repeat(found["densities"], counts).tolist()
    sizes = list(zip(ranks, rows, densities, strict=True))
    factors = _split(np.reshape(found["factors"], (-1, 3)), list(ranks), "factors")
    ms = _split(np.array(found["ms"]), [r * m for r, m, _ in sizes], "ms")
    weights = _split(found["weights"], [m * p for _, m, p in sizes], "weights")
    couplings = _split(found["couplings"], list(rows), "couplings")
    functions = []
    for k, (rank, count, width) in enumerate(sizes):
        elements, ns, ls = (tuple(map(int, column)) for column in np.transpose(factors[k]))
        own = ms[k].reshape(count, rank), weights[k].reshape(count, width), couplings[k]
        functions.append(Function(elements, ns, ls, *own))
    ends = np.cumsum([0, *counts])
    return tuple(tuple(functions[first:last]) for first, last in pairwise(ends))


def _split(array: Any, sizes: list[int], name: str) -> list[Any]:
    if min(sizes, default=0) < 0 or sum(sizes) != len(array):
        raise ValueError(f"expected {sum(sizes)} numbers in {name}, got {len(array)}")
    return np.split(array, np.cumsum(sizes)[:-1]) if sizes else []
