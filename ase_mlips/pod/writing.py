"""Writing POD potentials in the two files that LAMMPS reads, and in the own format."""

from __future__ import annotations

import os
from collections.abc import Iterator
from os import PathLike

import numpy as np

from ..files.text import replace_files
from . import radial
from .model import PodModel
from .npz import ENDING, npz_bytes
from .settings import ANGULAR_KEYS, CLUSTERS, COMPONENTS, RADIAL_KEYS

PARAMETERS, COEFFICIENTS = "_param.pod", ("_coefficients.pod", "_coeff.pod")
SAME = 1e-6  # relative difference of radial functions that LAMMPS's own rounding could make


def write_pod(path: str | PathLike[str], model: PodModel) -> tuple[str, ...]:
    """Write a POD potential; reading it back gives the same numbers bit by bit.

    Every file is completed under a temporary name first, so that one that exists stays whole if writing fails.

    Parameters
    ----------
    path : path
        ``x_param.pod``, ``x_coefficients.pod`` or ``x`` alone write the first two, ``x_coeff.pod`` that and
        ``x_param.pod``, and ``x.pod.npz`` writes that file, which holds the radial functions, too; `npz_bytes`
        describes it.  LAMMPS numbers elements as they come in ``pair_coeff``: give them in the order of ``species``.
    model : PodModel

    Returns
    -------
    tuple of str
        The names of the files written.

    Raises
    ------
    OSError
        If a file cannot be written.
    ValueError
        The model has radial functions of its own, quadratic coefficients or a network, which only ``.pod.npz`` can
        hold.
    """
    name = os.fspath(path)
    written: dict[str, str | bytes] = {name: npz_bytes(model)} if name.endswith(ENDING) else contents(name, model)
    replace_files(written)
    return tuple(written)


def contents(name: str, model: PodModel) -> dict[str, str | bytes]:
    """LAMMPS's two files that `name` stands for; raises ValueError as `write_pod` does."""
    if model.quadratic is not None or model.network is not None:
        raise ValueError(
            f"{name}: expected a linear model, got {model.head}, which a name that ends in {ENDING} can hold"
        )
    _require_common_functions(name, model)
    ending = next((e for e in (PARAMETERS, *COEFFICIENTS) if name.endswith(e)), "")
    stem = name.removesuffix(ending)
    second = stem + (ending if ending in COEFFICIENTS else COEFFICIENTS[0])
    return {stem + PARAMETERS: _joined(_parameters(model)), second: _joined(_coefficients(model))}


def _require_common_functions(name: str, model: PodModel) -> None:
    own = model.basis.expansion
    if own is None:
        return
    common = radial.expansion(radial.without_expansion(model.basis))
    if np.any(np.abs(own - common) > SAME * np.abs(common).max(axis=0, initial=0.0)):
        raise ValueError(
            f"{name}: expected radial functions that LAMMPS makes, got others, which a name that ends in {ENDING} can"
            " hold"
        )


def _parameters(model: PodModel) -> Iterator[str]:
    basis = model.basis
    components = 1 if model.centroids is None else model.centroids.shape[2]
    yield f"species {' '.join(basis.elements)}"
    yield "pbc 1 1 1"
    yield f"rin {basis.rin!r}"
    yield f"rcut {basis.rcut!r}"
    yield f"bessel_polynomial_degree {basis.bessel_degree}"
    yield f"inverse_polynomial_degree {basis.inverse_degree}"
    yield f"onebody {model.onebody:d}"
    yield f"{CLUSTERS} {model.clusters}"
    yield f"{COMPONENTS} {components}"
    yield from (f"{key} {n}" for key, n in zip(RADIAL_KEYS, basis.radial_functions, strict=True))
    yield from (f"{key} {n}" for key, n in zip(ANGULAR_KEYS, basis.angular_degrees, strict=True))


def _coefficients(model: PodModel) -> Iterator[str]:
    E = len(model.elements)
    own = model.coefficients.reshape(E, -1)
    if model.onebody:
        own = np.hstack([model.constants[:, None], own])
    rest = [part for part in (model.projections, model.centroids) if part is not None]
    sizes = own.size, *(part.size for part in rest), *[0] * (2 - len(rest))
    yield f"model_coefficients: {' '.join(map(str, sizes))}"
    for part in (own, *rest):
        yield from map(repr, part.ravel().tolist())


def _joined(lines: Iterator[str]) -> str:
    return "".join(line + "\n" for line in lines)
