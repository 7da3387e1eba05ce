"""The own format of active sets of SNAP, ``X.active.npz``: plain arrays, as those of ``X.snap.npz``."""

from __future__ import annotations

import io
import os
from os import PathLike
from typing import Any

import numpy as np

from ..files.archive import TYPES, read_arrays, read_members, refusal
from ..files.text import replace_files
from ..grades.active_rows import ActiveRows, SpeciesActiveSet

VERSION = 1
_KINDS = {"version": ("i", 0), "elements": ("U", 1)}
_OF_ELEMENT = {"inverse": ("f", 2), "links": ("i", 2)}


def write_active_set(path: str | PathLike[str], active_set: SpeciesActiveSet) -> None:
    """Write an active set in one file.

    Its arrays are `version` (1), `elements` (E,), and of each element `inverse_X` (n, m) and `links_X` (r, 2) as in
    `ActiveRows`, where X is its symbol.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    arrays: dict[str, Any] = {"version": VERSION, "elements": active_set.elements}
    kinds = dict(_KINDS)
    for element, one in zip(active_set.elements, active_set.rows, strict=True):
        arrays |= {f"inverse_{element}": one.inverse, f"links_{element}": one.links}
        kinds |= _kinds_of(element)
    stream = io.BytesIO()
    typed: dict[str, Any] = {name: np.asarray(value, TYPES[kinds[name][0]]) for name, value in arrays.items()}
    np.savez(stream, **typed)
    replace_files({os.fspath(path): stream.getvalue()})


def read_active_set(path: str | PathLike[str]) -> SpeciesActiveSet:
    """Read what `write_active_set` wrote; no object is ever unpickled.

    Raises
    ------
    OSError, ValueError
        The file cannot be read; ``path: expected ..., got ...`` if it is damaged or lacks something.
    """
    members = {name.removesuffix(".npy"): data for name, data in read_members(path).items()}
    fields = read_arrays(path, members, _KINDS)
    if fields["version"] != VERSION:
        raise refusal(path, f"version {VERSION} of the format", str(fields["version"]))
    rows = []
    try:
        for element in fields["elements"]:
            own = read_arrays(path, members, _kinds_of(element))
            rows.append(ActiveRows(own[f"inverse_{element}"], own[f"links_{element}"]))
        return SpeciesActiveSet(fields["elements"], tuple(rows))
    except ValueError as error:
        message = str(error)
        raise ValueError(message if message.startswith(f"{path}: ") else f"{path}: {message}") from None


def _kinds_of(element: str) -> dict[str, tuple[str, int]]:
    return {f"{name}_{element}": kind for name, kind in _OF_ELEMENT.items()}
