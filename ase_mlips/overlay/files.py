"""Sums of models in one file of our own, and in the files and lines that LAMMPS needs."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from os import PathLike
from typing import Any

import numpy as np

from ..ace import npz as ace_npz
from ..ace import writing as ace_writing
from ..ace.model import AceModel
from ..files.archive import read_arrays, read_members, refusal
from ..files.text import FilePath, replace_files
from ..pod import npz as pod_npz
from ..pod import writing as pod_writing
from ..pod.model import PodModel
from ..snap import npz as snap_npz
from ..snap import writing as snap_writing
from ..snap.model import SnapModel
from .model import OverlayModel, Part

ENDING, LAMMPS_ENDING = ".overlay.npz", ".overlay"
VERSION = 1
MOST_PARTS = 100
_FORMATS: dict[str, tuple[type[Part], Any]] = {
    "pod": (PodModel, pod_npz),
    "snap": (SnapModel, snap_npz),
    "ace": (AceModel, ace_npz),
}
_STYLES = {PodModel: "pod", SnapModel: "snap", AceModel: "pace"}


def write_overlay(path: str | PathLike[str], model: OverlayModel) -> tuple[str, ...]:
    """Write a sum of models.

    Every file is completed under a temporary name first, so that one that exists stays whole if writing fails.

    Parameters
    ----------
    path : path
        ``x.overlay.npz`` is one file with all parts, see `overlay_bytes`.  ``x.overlay`` is a LAMMPS include file with
        ``pair_style hybrid/overlay`` and the lines ``pair_coeff``; beside it appear ``x_param.pod``,
        ``x_coefficients.pod``, ``x.snapcoeff``, ``x.snapparam`` and ``x.yace`` for the parts, one of a kind at most.
    model : OverlayModel

    Returns
    -------
    tuple of str
        The names of the files written.

    Raises
    ------
    OSError
        If a file cannot be written.
    ValueError
        Another name, or LAMMPS's files cannot hold the model.
    """
    name = os.fspath(path)
    if name.endswith(ENDING):
        contents: dict[str, str | bytes] = {name: overlay_bytes(model)}
    elif name.endswith(LAMMPS_ENDING):
        contents = _lammps_files(name, model)
    else:
        raise ValueError(f"{name}: expected a name that ends in {ENDING} or {LAMMPS_ENDING}, got another")
    replace_files(contents)
    return tuple(contents)


def overlay_bytes(model: OverlayModel) -> bytes:
    """The content of a file ``X.overlay.npz``.

    It is an archive without compression and without pickles, as ``numpy.savez`` writes it and
    ``numpy.load(path, allow_pickle=False)`` reads it.  Its arrays are ``version``, 1; ``parts``, the names of the kinds
    of the parts, ``pod``, ``snap`` or ``ace``; and for part n all arrays of ``X.pod.npz``, ``X.snap.npz`` or
    ``X.ace.npz``, with ``n.`` before their names.
    """
    kinds = [next(kind for kind, (own, _) in _FORMATS.items() if isinstance(part, own)) for part in model.parts]
    arrays: dict[str, Any] = {"version": np.int64(VERSION), "parts": np.array(kinds)}
    for n, (kind, part) in enumerate(zip(kinds, model.parts, strict=True)):
        arrays |= {f"{n}.{name}": values for name, values in _FORMATS[kind][1].arrays_of(part).items()}
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def read_overlay(path: FilePath) -> OverlayModel:
    """Read what `overlay_bytes` makes; no object is ever unpickled.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        ``path: expected ..., got ...`` if it is damaged or lacks something.
    """
    members = {name.removesuffix(".npy"): data for name, data in read_members(path).items()}
    head = read_arrays(path, members, {"version": ("i", 0), "parts": ("U", 1)})
    if head["version"] != VERSION:
        raise refusal(path, f"version {VERSION} of the format", str(head["version"]))
    parts: list[Part] = []
    left = members.keys() - head.keys()
    for n, kind in enumerate(head["parts"]):
        if kind not in _FORMATS or n >= MOST_PARTS:
            raise refusal(path, f"at most {MOST_PARTS} parts of the kinds {', '.join(_FORMATS)}", repr(kind[:40]))
        own = {name.removeprefix(f"{n}."): data for name, data in members.items() if name.startswith(f"{n}.")}
        parts.append(_FORMATS[kind][1].from_members(path, own))
        left = {name for name in left if not name.startswith(f"{n}.")}
    if left:
        raise refusal(path, "no array but those of the parts", repr(sorted(left)[0][:40]))
    try:
        return OverlayModel(tuple(parts))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _lammps_files(name: str, model: OverlayModel) -> dict[str, str | bytes]:
    """Include file and files of the parts by name."""
    stem = name.removesuffix(LAMMPS_ENDING)
    kinds = [type(part) for part in model.parts]
    if len(set(kinds)) < len(kinds):
        raise ValueError(f"{name}: expected one part of a kind at most, got two; {ENDING} can hold them")
    contents: dict[str, str | bytes] = {}
    for part in model.parts:
        if part.network is not None or (isinstance(part, PodModel) and part.quadratic is not None):
            held = "a network" if part.network is not None else "quadratic coefficients of POD"
            raise ValueError(f"{name}: expected parts without {held}, got one; {ENDING} can hold it")
        if isinstance(part, PodModel):
            contents |= pod_writing.contents(stem, part)
        elif isinstance(part, AceModel):
            contents[f"{stem}.yace"] = ace_writing.yace_text(part)
        else:
            contents |= snap_writing.contents(stem, part)
    contents[name] = "".join(line + "\n" for line in _include(os.path.basename(stem), model))
    return contents


def _include(stem: str, model: OverlayModel) -> Iterator[str]:
    """Lines of the include file; atom types are the elements in the order of the model."""
    elements = " ".join(model.elements)
    yield f"# types {elements} UNITS: metal WRITTEN BY: ase_mlips"
    repulsions = [part.zbl for part in model.parts if isinstance(part, SnapModel) and part.zbl is not None]
    styles = [f"zbl {own.inner!r} {own.outer!r}" for own in repulsions]
    styles += [_STYLES[type(part)] for part in model.parts]
    yield f"pair_style hybrid/overlay {' '.join(styles)}"
    for own in repulsions:
        for i, first in enumerate(own.charges, 1):
            yield from (
                f"pair_coeff {i} {j} zbl {first!r} {own.charges[j - 1]!r}" for j in range(i, len(own.charges) + 1)
            )
    for part in model.parts:
        style = _STYLES[type(part)]
        files = {
            "pod": f"{stem}_param.pod {stem}_coefficients.pod",
            "snap": f"{stem}.snapcoeff {stem}.snapparam",
            "pace": f"{stem}.yace",
        }
        yield f"pair_coeff * * {style} {files[style]} {elements}"
