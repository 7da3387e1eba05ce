"""The own format ``X.pod.npz``: a whole POD model, its radial functions included, as plain arrays."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..files.archive import TYPES, read_arrays, read_members, refusal
from ..files.text import FilePath
from ..heads.network import NETWORK_ARRAYS, Network, network_arrays
from . import radial
from .model import PodBasis, PodModel

ENDING = ".pod.npz"
VERSION = 1

_BASIS = {  # name in the file: kind and number of axes
    "elements": ("U", 1),
    "rin": ("f", 0),
    "rcut": ("f", 0),
    "bessel_degree": ("i", 0),
    "inverse_degree": ("i", 0),
    "radial_functions": ("i", 1),
    "angular_degrees": ("i", 1),
    "expansion": ("f", 2),
}
_MODEL = {"onebody": ("b", 0), "constants": ("f", 1), "coefficients": ("f", 2)}
_CLUSTERS = {"projections": ("f", 2), "centroids": ("f", 2)}
_QUADRATIC = {"quadratic": ("f", 2)}


def npz_bytes(model: PodModel) -> bytes:
    """The content of a file ``X.pod.npz``.

    It is an archive without compression and without pickles, as ``numpy.savez`` writes it and
    ``numpy.load(path, allow_pickle=False)`` reads it.  Its arrays are

    ============================= ================= =======================================================
    name                          type and shape    meaning
    ============================= ================= =======================================================
    version                       int64             1
    elements                      str (E,)          chemical symbols
    rin, rcut                     float64           as in `PodBasis`, and so are the following four
    bessel_degree, inverse_degree int64
    radial_functions              int64 (6,)
    angular_degrees               int64 (5,)
    expansion                     float64 (S, n)    of the radial functions in the snapshots, LAMMPS's, too
    onebody                       bool              as in `PodModel`, and so are all the following
    constants                     float64 (E,)
    coefficients                  float64 (E C, M)
    projections                   float64 (E M, D)  only if there are several environment clusters
    centroids                     float64 (E C, D)  likewise
    quadratic                     float64 (E, Q)    only with quadratic coefficients, Q = M (M + 1) / 2
    network_sizes, ..             as in .snap.npz   only with a network
    ============================= ================= =======================================================
    """
    stream = io.BytesIO()
    np.savez(stream, **arrays_of(model))
    return stream.getvalue()


def arrays_of(model: PodModel) -> dict[str, Any]:
    """The arrays of `npz_bytes` by name."""
    basis = model.basis
    arrays: dict[str, Any] = {"version": VERSION, **{name: getattr(basis, name) for name in _BASIS}}
    arrays["expansion"] = radial.expansion(basis)
    arrays |= {name: getattr(model, name) for name in (*_MODEL, *_CLUSTERS, *_QUADRATIC)}
    arrays |= network_arrays(model.network)
    kinds = {"version": ("i", 0), **_BASIS, **_MODEL, **_CLUSTERS, **_QUADRATIC, **NETWORK_ARRAYS}
    typed: dict[str, Any] = {}
    for name, value in arrays.items():
        if value is not None:
            array = np.asarray(value, TYPES[kinds[name][0]], order="C")
            typed[name] = array.reshape(-1, array.shape[2]) if array.ndim == 3 else array
    return typed


def read_npz(path: FilePath) -> PodModel:
    """Read what `npz_bytes` makes; no object is ever unpickled.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        ``path: expected ..., got ...`` if it is damaged or lacks something.
    """
    return from_members(path, {name.removesuffix(".npy"): data for name, data in read_members(path).items()})


def from_members(path: FilePath, members: Mapping[str, bytes]) -> PodModel:
    """The model in the members of an archive; raises ValueError as `read_npz` does."""
    version = read_arrays(path, members, {"version": ("i", 0)})["version"]
    if version != VERSION:
        raise refusal(path, f"version {VERSION} of the format", str(version))
    basis, fields = read_arrays(path, members, _BASIS), read_arrays(path, members, _MODEL)
    clustered = read_arrays(path, members, _CLUSTERS) if "centroids" in members else {}
    quadratic = read_arrays(path, members, _QUADRATIC) if "quadratic" in members else {}
    network = read_arrays(path, members, NETWORK_ARRAYS) if "network_sizes" in members else {}
    if unknown := sorted(members.keys() - {"version", *basis, *fields, *clustered, *quadratic, *network}):
        raise refusal(path, "no array but those of the model", repr(unknown[0][:40]))
    try:
        described = PodBasis(**basis)
        E, M = len(described.elements), described.n_descriptors
        fields["coefficients"] = _split("coefficients", fields["coefficients"], (E, -1, M))
        if clustered:
            D = clustered["centroids"].shape[1]
            fields["projections"] = _split("projections", clustered["projections"], (E, M, D))
            fields["centroids"] = _split("centroids", clustered["centroids"], (E, -1, D))
        if network:
            fields["network"] = Network(*network.values())
        return PodModel(described, **fields, **quadratic)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _split(name: str, array: Any, shape: tuple[int, int, int]) -> Any:
    rows = shape[0] if shape[1] < 0 else shape[0] * shape[1]
    if array.shape[1] != shape[2] or len(array) % rows or (shape[1] >= 0 and len(array) != rows):
        raise ValueError(f"expected {name} of {shape[2]} columns and {rows} rows or a multiple, got {array.shape}")
    return array.reshape(shape)
