"""Writing MTP potentials as MLIP does."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from os import PathLike

from ..files.text import replace_files
from .active_set import ActiveSet, format_active_set
from .model import MtpModel


def write_mtp(path: str | PathLike[str], model: MtpModel, active_set: ActiveSet | None = None) -> None:
    """Write an MTP potential in the format of MLIP-2 and, where there is an active set, of MLIP-3.

    Reading it back gives the same numbers bit by bit.  The format has no place for chemical symbols: types are
    numbered from 0, or as `MtpModel.labels` say.  The file is completed under a temporary name first, so that one
    that exists stays whole if writing fails.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If the active set belongs to a model with another number of parameters.
    """
    name = os.fspath(path)
    if not isinstance(model, MtpModel):
        raise ValueError(f"{name}: expected an MtpModel, got {type(model).__name__}")
    content = "".join(line + "\n" for line in _lines(model)).encode("utf-8")
    if active_set is not None:
        if not model.trained or len(active_set.A) != model.n_parameters:
            what = f"a trained model of {len(active_set.A)} parameters as in its active set"
            raise ValueError(f"{name}: expected {what}, got {model!r}")
        content += format_active_set(active_set)
    replace_files({name: content})


def _lines(model: MtpModel) -> Iterator[str]:
    yield "MTP"
    yield "version = 1.1.0"
    if model.name:  # MLIP reads one word here
        yield f"potential_name = {model.name}"
    yield f"scaling = {_number(model.scaling)}"
    if model.species:
        yield f"species_count = {len(model.species)}"
    yield f"potential_tag = {model.tag}"
    yield f"radial_basis_type = {model.radial_basis}"
    yield f"\tmin_dist = {_number(model.min_dist)}"
    yield f"\tmax_dist = {_number(model.max_dist)}"
    yield f"\tradial_basis_size = {model.radial_size}"
    yield f"\tradial_funcs_count = {model.radial_functions}"
    if model.trained:
        yield "\tradial_coeffs"
        yield from _radial(model)
    yield f"alpha_moments_count = {model.n_moments}"
    yield f"alpha_index_basic_count = {len(model.basic)}"
    yield f"alpha_index_basic = {_braces(map(_braces, model.basic.tolist()))}"
    yield f"alpha_index_times_count = {len(model.times)}"
    yield f"alpha_index_times = {_braces(map(_braces, model.times.tolist()))}"
    yield f"alpha_scalar_moments = {len(model.mapping)}"
    yield f"alpha_moment_mapping = {_braces(model.mapping.tolist())}"
    if model.trained:
        yield f"species_coeffs = {_braces(map(_number, model.species_coefficients.tolist()))}"
        yield f"moment_coeffs = {_braces(map(_number, model.moment_coefficients.tolist()))}"


def _radial(model: MtpModel) -> Iterator[str]:
    labels = model.labels or range(len(model.species))
    for centre, row in zip(labels, model.radial_coefficients.tolist(), strict=True):
        for neighbour, functions in zip(labels, row, strict=True):
            yield f"\t\t{centre}-{neighbour}"
            for coefficients in functions:
                yield f"\t\t\t{_braces(map(_number, coefficients))}"


def _braces(items: Iterable[object]) -> str:
    return "{" + ", ".join(map(str, items)) + "}"


def _number(value: float) -> str:
    """MLIP's form of a number, with one digit more where it takes that to get the same one back."""
    text = f"{value:.15e}"
    return text if float(text) == value else f"{value:.16e}"
