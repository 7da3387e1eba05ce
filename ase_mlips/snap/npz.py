"""The own format ``X.snap.npz``: a whole SNAP model, with a network or without, as plain arrays."""

from __future__ import annotations

import io
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..heads.network import Network
from ..text import FilePath
from .archive import read_members, refusal
from .model import SnapModel, Zbl

ENDING = ".snap.npz"
VERSION = 1

_TYPES = {"f": "<f8", "i": "<i8", "b": "|b1", "U": "<U"}
_DESCR = {**_TYPES, "b": r"\|b1", "U": r"<U[1-9]\d{0,3}"}
_ASCII = 127
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
_NETWORK = {
    "network_sizes": ("i", 1),
    "network_activations": ("U", 1),
    "network_parameters": ("f", 2),
    "network_shift": ("f", 2),
    "network_scale": ("f", 2),
}
_HEADER = re.compile(
    rb"\x93NUMPY(?:\x01\x00..|[\x02\x03]\x00....)"
    rb"\{'descr': '([<|][a-zA-Z]\d{1,9})', 'fortran_order': False, 'shape': \(((?:\d{1,18},? ?){0,2})\), \} *\n",
    re.DOTALL,
)


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
    arrays: dict[str, Any] = {"version": VERSION, **{name: getattr(model, name) for name in _REQUIRED}}
    if model.switchinnerflag:
        arrays |= {name: getattr(model, name) for name in _INNER}
    if model.zbl is not None:
        arrays |= {name: getattr(model.zbl, name.removeprefix("zbl_")) for name in _ZBL}
    if model.network is not None:
        arrays |= {name: getattr(model.network, name.removeprefix("network_")) for name in _NETWORK}
    kinds = {"version": ("i", 0), **_REQUIRED, **_INNER, **_ZBL, **_NETWORK}
    typed: dict[str, Any] = {name: np.asarray(value, _TYPES[kinds[name][0]]) for name, value in arrays.items()}
    stream = io.BytesIO()
    np.savez(stream, **typed)
    return stream.getvalue()


def read_npz(path: FilePath) -> SnapModel:
    """Read what `npz_bytes` makes; no object is ever unpickled.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        ``path: expected ..., got ...`` if it is damaged or lacks something.
    """
    members = {name.removesuffix(".npy"): data for name, data in read_members(path).items()}
    version = _arrays(path, members, {"version": ("i", 0)})["version"]
    if version != VERSION:
        raise refusal(path, f"version {VERSION} of the format", str(version))
    fields = _arrays(path, members, _REQUIRED)
    zbl = _arrays(path, members, _ZBL) if "zbl_inner" in members else None
    network = _arrays(path, members, _NETWORK) if "network_sizes" in members else None
    if fields["switchinnerflag"]:
        fields |= _arrays(path, members, _INNER)
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


def _arrays(path: FilePath, members: dict[str, bytes], kinds: dict[str, tuple[str, int]]) -> dict[str, Any]:
    """The arrays of these kinds by name, those of text as tuples and those without axes as Python scalars."""
    found: dict[str, Any] = {}
    for name, (kind, axes) in kinds.items():
        what = f"the array {name} of type {_TYPES[kind]} with {axes} axes"
        if name not in members:
            raise refusal(path, what, "none")
        array = _array(members[name], kind)
        if array is None or array.ndim != axes:
            raise refusal(path, what, "another or a damaged one")
        found[name] = array.item() if axes == 0 else tuple(array.tolist()) if kind in "Ui" else array
    return found


def _array(data: bytes, kind: str) -> NDArray[Any] | None:
    """The array of a ``.npy`` member, None if it is not of this kind or damaged."""
    match = _HEADER.match(data)
    if match is None:
        return None
    if not re.fullmatch(_DESCR[kind], descr := match[1].decode()):
        return None
    dtype = np.dtype(descr)
    shape = tuple(int(word) for word in match[2].split(b",") if word.strip())
    content = data[match.end() :]
    if len(content) != math.prod(shape) * dtype.itemsize:
        return None
    if kind == "U" and max(np.frombuffer(content, "<u4"), default=0) > _ASCII:
        return None
    return np.ndarray(shape, dtype, content)
