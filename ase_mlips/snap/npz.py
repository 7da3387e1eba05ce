"""The own format ``X.snap.npz``: a whole SNAP model, with a network or without, as plain arrays."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..files.archive import TYPES, read_arrays, read_members, refusal
from ..files.text import FilePath
from ..heads.network import NETWORK_ARRAYS, Network, network_arrays
from .model import SnapModel, Zbl

ENDING = ".snap.npz"
VERSION = 1

_REQUIRED = {  # name in the file: kind and number of axes
    "elements": ("U", 1),
    "radii": ("f", 1),
    "weights": ("f", 1),
    "coefficients": ("f", 2),
    "twojmax": ("i", 0),
    "rcutfac": ("f", 0),
    "rfac0": ("f", 0),
    "rmin0": ("f", 0),
    "switchflag": ("b", 0),
    "bzeroflag": ("b", 0),
    "quadraticflag": ("b", 0),
    "chemflag": ("b", 0),
    "bnormflag": ("b", 0),
    "wselfallflag": ("b", 0),
    "switchinnerflag": ("b", 0),
}
_INNER = {"sinner": ("f", 1), "dinner": ("f", 1)}
_ZBL = {"zbl_inner": ("f", 0), "zbl_outer": ("f", 0), "zbl_charges": ("f", 1)}


def npz_bytes(model: SnapModel) -> bytes:
    """The content of a file ``X.snap.npz``.

    It is an archive without compression and without pickles, as ``numpy.savez`` writes it and
    ``numpy.load(path, allow_pickle=False)`` reads it.  Its arrays are

    ======================== ================= ============================================================
    name                     type and shape    meaning
    ======================== ================= ============================================================
    version                  int64             1
    elements                 str (E,)          chemical symbols
    radii, weights           float64 (E,)      as in `SnapModel`, and so are all the following
    coefficients             float64 (E, n)    n = 0 with a network
    twojmax                  int64
    rcutfac, rfac0, rmin0    float64
    switchflag and so on     bool              the seven flags
    sinner, dinner           float64 (E,)      only if switchinnerflag is true
    zbl_inner, zbl_outer     float64           only with a nuclear repulsion
    zbl_charges              float64 (E,)      likewise
    network_sizes            int64 (L + 1,)    only with a network: descriptors, then the nodes of each layer
    network_activations      str (L,)          likewise: linear, sigmoid, tanh, relu or softplus
    network_parameters       float64 (E, P)    likewise, of one row if all elements share the network: for each
                                               layer and node the bias, then the weights
    network_shift            float64 (E, K)    likewise; the network gets (B - shift) / scale
    network_scale            float64 (E, K)    likewise
    ======================== ================= ============================================================
    """
    stream = io.BytesIO()
    np.savez(stream, **arrays_of(model))
    return stream.getvalue()


def arrays_of(model: SnapModel) -> dict[str, Any]:
    """The arrays of `npz_bytes` by name."""
    arrays: dict[str, Any] = {"version": VERSION, **{name: getattr(model, name) for name in _REQUIRED}}
    if model.switchinnerflag:
        arrays |= {name: getattr(model, name) for name in _INNER}
    if model.zbl is not None:
        arrays |= {name: getattr(model.zbl, name.removeprefix("zbl_")) for name in _ZBL}
    arrays |= network_arrays(model.network)
    kinds = {"version": ("i", 0), **_REQUIRED, **_INNER, **_ZBL, **NETWORK_ARRAYS}
    return {name: np.asarray(value, TYPES[kinds[name][0]]) for name, value in arrays.items()}


def read_npz(path: FilePath) -> SnapModel:
    """Read what `npz_bytes` makes; no object is ever unpickled.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        ``path: expected ..., got ...`` if it is damaged or lacks something.
    """
    return from_members(path, {name.removesuffix(".npy"): data for name, data in read_members(path).items()})


def from_members(path: FilePath, members: Mapping[str, bytes]) -> SnapModel:
    """The model in the members of an archive; raises ValueError as `read_npz` does."""
    version = read_arrays(path, members, {"version": ("i", 0)})["version"]
    if version != VERSION:
        raise refusal(path, f"version {VERSION} of the format", str(version))
    fields = read_arrays(path, members, _REQUIRED)
    zbl = read_arrays(path, members, _ZBL) if "zbl_inner" in members else None
    network = read_arrays(path, members, NETWORK_ARRAYS) if "network_sizes" in members else None
    if fields["switchinnerflag"]:
        fields |= read_arrays(path, members, _INNER)
    known = {"version", *fields, *(zbl or ()), *(network or ())}
    if unknown := sorted(members.keys() - known):
        raise refusal(path, "no array but those of the model", repr(unknown[0][:40]))
    try:
        if zbl is not None:
            fields["zbl"] = Zbl(*zbl.values())
        if network is not None:
            fields["network"] = Network(*network.values())
        return SnapModel(**fields)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
