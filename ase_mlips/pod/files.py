"""Reading POD potentials: LAMMPS's two files and the own format."""

from __future__ import annotations

import errno
import os
import warnings
from os import PathLike
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..files.lammps_text import Rows
from ..files.text import FilePath, Row, quoted
from .model import PodModel
from .npz import ENDING, read_npz
from .settings import CLUSTERS, COMPONENTS, read_settings
from .writing import COEFFICIENTS, PARAMETERS, write_pod

__all__ = ["read_pod", "write_pod"]

_FIRST, _OLD_FIRST = "model_coefficients:", "POD_coefficients:"


def read_pod(path: str | PathLike[str], coefficients: str | PathLike[str] | None = None) -> PodModel:
    """Read a POD potential.

    Parameters
    ----------
    path : path
        The parameter file ``X_param.pod``, the coefficient file ``X_coefficients.pod`` or ``X_coeff.pod``, what these
        names have in common, or the own format ``X.pod.npz``.
    coefficients : path, optional
        The coefficient file, where it does not lie beside `path` under such a name; `path` then is the parameter file
        whatever its name.

    Raises
    ------
    OSError
        If a file is missing or cannot be read.
    ValueError
        ``path:line: expected ..., got ...`` if a file is malformed or of the format of 2022; without a line if it is
        binary.

    Warns
    -----
    UserWarning
        The model has ``onebody 0``: LAMMPS reads its coefficients one place off.
    """
    name = os.fspath(path)
    if coefficients is None and name.endswith(ENDING):
        return read_npz(name)
    if coefficients is None and not os.path.exists(name) and os.path.isfile(name + ENDING):
        return read_npz(name + ENDING)
    return _read_pair(*((name, coefficients) if coefficients is not None else _both(name)))


def _both(name: str) -> tuple[str, str]:
    """The parameter and the coefficient file that a name stands for."""
    if name.endswith(PARAMETERS) or not os.path.isfile(name):
        stem = name.removesuffix(PARAMETERS)
        first, found = stem + PARAMETERS, [stem + ending for ending in COEFFICIENTS]
    else:
        ending = next((e for e in COEFFICIENTS if name.endswith(e)), None)
        if ending is None:
            expected = f"a name that ends in {', '.join((PARAMETERS, *COEFFICIENTS))} or {ENDING}, or two names"
            raise ValueError(f"{name}: expected {expected}, got another")
        first, found = name.removesuffix(ending) + PARAMETERS, [name]
    if not os.path.isfile(first):
        raise FileNotFoundError(errno.ENOENT, f"no such file, looked for {os.path.basename(first)}", first)
    for second in found:
        if os.path.isfile(second):
            return first, second
    raise FileNotFoundError(errno.ENOENT, f"no such file, looked for beside {os.path.basename(first)}", found[0])


def _read_pair(parameters: FilePath, path: FilePath) -> PodModel:
    settings = read_settings(parameters)
    basis, onebody = settings.basis(), bool(settings.values["onebody"])
    clusters, components = settings.values[CLUSTERS], settings.values[COMPONENTS]
    elements, count = len(basis.elements), basis.n_descriptors
    several = clusters > 1
    expected = (
        elements * (onebody + count * clusters),
        components * count * elements if several else 0,
        components * clusters * elements if several else 0,
    )
    values = _read_numbers(path, expected)
    own = values[: expected[0]].reshape(elements, -1)
    fields: dict[str, Any] = {"coefficients": own[:, int(onebody) :].reshape(elements, clusters, count)}
    fields["constants"] = own[:, 0] if onebody else np.zeros(elements)
    if not onebody:
        warnings.warn(
            f"{path}: onebody is 0; LAMMPS takes the first of these coefficients for a constant and the others for"
            " those of the next descriptors, here they are what its documentation says",
            UserWarning,
            stacklevel=4,
        )
    if several:
        middle = expected[0] + expected[1]
        fields["projections"] = values[expected[0] : middle].reshape(elements, count, components)
        fields["centroids"] = values[middle:].reshape(elements, clusters, components)
    return PodModel(basis, onebody=onebody, **fields)


def _read_numbers(path: FilePath, expected: tuple[int, ...]) -> FloatArray:
    """All numbers of a coefficient file, whose header must announce so many."""
    rows = Rows(path)
    header = rows.next(f"{_FIRST} and three numbers")
    _check_header(header, expected)
    values = []
    for kind, count in zip(("coefficient", "projection", "centroid"), expected, strict=True):
        for number in range(1, count + 1):
            what = f"{kind} {number} of {count}"
            row = rows.next(what)
            if len(row.words) != 1:
                raise row.error(what)
            values.append(row.number(row.words[0], what))
    rows.finish(len(values), f"{len(values)} numbers")
    return np.array(values)


def _check_header(header: Row, expected: tuple[int, ...]) -> None:
    if header.words[0] == _OLD_FIRST:
        raise header.error(f"{_FIRST} as LAMMPS writes since 2023", f"{_OLD_FIRST} of the format before")
    if header.words[0] != _FIRST or len(header.words) != 4:
        raise header.error(f"{_FIRST} and the numbers of coefficients, projections and centroids")
    found = tuple(header.integer(word, "numbers of values") for word in header.words[1:])
    if found != expected:
        shown = " ".join(map(str, expected))
        raise header.error(f"{_FIRST} {shown} as the parameters say", quoted(" ".join(header.words)))
