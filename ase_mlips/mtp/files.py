"""Reading MTP potentials: the files of MLIP-2 and MLIP-3, trained or not, and the active set behind the latter."""

from __future__ import annotations

import re
from collections.abc import Iterable
from os import PathLike
from typing import Any

import numpy as np

from ..files.elements import ELEMENTS
from ..files.text import FilePath, Row, beginning, complaint, quoted, text_content
from .active_set import ActiveSet, parse_active_set
from .entries import MAGIC, Entries, radial_array
from .model import MAX_MOMENTS, MAX_RADIAL, RADIAL_BASES, MtpModel, Species, ordered
from .writing import write_mtp

__all__ = ["ActiveSet", "looks_like_mtp", "read_active_set", "read_mtp", "write_mtp"]

_BEGINNING = re.compile(MAGIC.encode() + rb"[ \t]*\r?(\n|\Z)")
_BEHIND = re.compile(rb"^[#^]", re.M)  # the active set of MLIP-3 or the selection state of MLIP-2
_KEYS_OF_FIELDS = {
    "name": "potential_name",
    "tag": "potential_tag",
    "species": "species_count",
    "labels": "radial_coeffs",
    "n_moments": "alpha_moments_count",
    "basic": "alpha_index_basic",
    "times": "alpha_index_times",
    "mapping": "alpha_moment_mapping",
}


def read_mtp(path: str | PathLike[str], *, species: Species | None = None) -> MtpModel:
    """Read an MTP potential of MLIP-2 (``.mtp``) or MLIP-3 (``.mtp``, ``.almtp``), or as motep writes it.

    Parameters
    ----------
    path : path
    species : sequence of str, or dict of str to int, optional
        Chemical symbols of the types in the file's order, or the type of each.  By default they are None if the file
        numbers its types from 0, and those of its numbers, taken as atomic ones, if it has others.

    Returns
    -------
    MtpModel
        Untrained if the file has no coefficients.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        ``path:line: expected ..., got ...`` if the file is malformed, `species` do not go with it, or it needs a
        feature that is not supported: magnetic moments or another radial basis.
    """
    return _read(path, species)[0]


def read_active_set(path: str | PathLike[str]) -> ActiveSet | None:
    """Read the active set that MLIP-3 has stored behind a potential; None if there is none.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        ``path:line: expected ..., got ...`` if the potential or the active set is malformed.
    """
    model, content, end = _read(path, None)
    return parse_active_set(path, content, end, model.n_parameters) if end < len(content) else None


def looks_like_mtp(path: str | PathLike[str]) -> bool:
    """Whether the file begins like a potential of MLIP, whatever its version; False if it cannot be read."""
    return _BEGINNING.match(beginning(path, 100)) is not None


def _read(path: FilePath, species: Species | None) -> tuple[MtpModel, bytes, int]:
    """The model, the content of the file and the length of its text part."""
    content = text_content(path)
    behind = _BEHIND.search(content)
    end = behind.start() if behind else len(content)
    if (zero := content.find(b"\0", 0, end)) >= 0:
        raise complaint(path, content.count(b"\n", 0, zero) + 1, "text", "a binary file")
    entries = Entries(path, content[:end].decode("utf-8", "backslashreplace").replace("\r\n", "\n"))
    fields = {**_radial_basis(entries), **_moments(entries)}
    fields |= _coefficients(entries, len(fields["mapping"]), fields["radial_coefficients"].shape[2:])
    fields["name"] = "_".join(entries.text("potential_name").split()) if "potential_name" in entries else ""
    fields["tag"] = " ".join(entries.text("potential_tag").split()) if "potential_tag" in entries else ""
    try:
        model = MtpModel(**fields)
    except ValueError as error:  # "expected <field> ..., got ..."
        field = str(error).split()[1]
        raise ValueError(f"{path}:{entries.row(_KEYS_OF_FIELDS.get(field, field)).line}: {error}") from None
    return _name_species(entries, model, species), content, end


def _radial_basis(entries: Entries) -> dict[str, Any]:
    """Fields of the radial functions, `radial_coefficients` being those of an untrained model."""
    basis = entries.text("radial_basis_type")
    if basis not in RADIAL_BASES:
        raise entries.row("radial_basis_type").error(f"one of {', '.join(RADIAL_BASES)}", quoted(basis))
    size = entries.count("radial_basis_size", MAX_RADIAL)
    functions = entries.count("radial_funcs_count", MAX_RADIAL)
    return {
        "radial_basis": basis,
        "scaling": entries.scaling(),
        "min_dist": entries.number("min_dist"),
        "max_dist": entries.number("max_dist"),
        "radial_coefficients": np.zeros((0, 0, functions, size)),
    }


def _moments(entries: Entries) -> dict[str, Any]:
    """Fields of the tables of moments."""
    tables = {
        "basic": ("alpha_index_basic_count", "alpha_index_basic"),
        "times": ("alpha_index_times_count", "alpha_index_times"),
        "mapping": ("alpha_scalar_moments", "alpha_moment_mapping"),
    }
    fields: dict[str, Any] = {"n_moments": entries.count("alpha_moments_count", MAX_MOMENTS)}
    for field, (length, key) in tables.items():
        count = entries.count(length, 100 * MAX_MOMENTS, lowest=0)
        rows = entries.integers(key) if field == "mapping" else entries.quadruples(key)
        if len(rows) != count:
            raise entries.row(key).error(f"{count} entries of {key} as {length} says", str(len(rows)))
        fields[field] = rows
    functions = entries.count("radial_funcs_count", MAX_RADIAL)
    if functions != (needed := int(fields["basic"][:, 0].max(initial=-1)) + 1):
        raise entries.row("radial_funcs_count").error(
            f"{needed} radial functions for alpha_index_basic", str(functions)
        )
    return fields


def _coefficients(entries: Entries, scalars: int, sizes: tuple[int, int]) -> dict[str, Any]:
    """Fields of the coefficients, as far as there are any, and of the species."""
    count = entries.count("species_count", len(ELEMENTS)) if "species_count" in entries else 0
    linear = {key: entries.numbers(key) for key in ("species_coeffs", "moment_coeffs")}
    there = [key for key, values in {"radial_coeffs": entries.blocks, **linear}.items() if values]
    fields: dict[str, Any] = {
        "species": (None,) * count,
        "species_coefficients": linear["species_coeffs"],
        "moment_coefficients": linear["moment_coeffs"],
    }
    if not there:
        return fields
    if len(there) < 3:
        expected = "radial_coeffs, species_coeffs and moment_coeffs, or none of them"
        raise complaint(entries.path, entries.last_line, expected, f"only {' and '.join(there)}")
    if not count:
        raise complaint(entries.path, entries.last_line, "species_count", "the end of the file without it")
    for key, length in (("species_coeffs", count), ("moment_coeffs", scalars)):
        if len(linear[key]) != length:
            raise entries.row(key).error(f"{length} numbers for {key}", str(len(linear[key])))
    fields["radial_coefficients"], fields["labels"] = radial_array(entries, count, *sizes)
    return fields


def _name_species(entries: Entries, model: MtpModel, species: Species | None) -> MtpModel:
    """The model with symbols given by the user, or else by atomic numbers in the file."""
    if species is None and model.labels is None:
        return model
    symbols: Iterable[str]
    if species is not None:
        symbols = ordered(species)
        known = [ELEMENTS[label - 1] for label in model.labels or () if 0 < label <= len(ELEMENTS)]
        labels = model.labels or ()
        # 1 to S may number types; 14 and 32 mean silicon and germanium
        atomic = len(known) == len(labels) and max(labels, default=0) > len(labels)
        if atomic and list(symbols) != known:
            expected = f"species {' '.join(known)}, which are the atomic numbers in the file"
            raise entries.row("radial_coeffs").error(expected, " ".join(map(str, symbols)))
        row = entries.row("species_count") if "species_count" in entries else Row(entries.path, entries.last_line, ())
    else:
        row = entries.row("radial_coeffs")
        labels = model.labels or ()
        if wrong := [label for label in labels if not 0 < label <= len(ELEMENTS)]:
            expected = f"types from 0 to {len(labels) - 1}, atomic numbers, or species as an argument"
            raise row.error(expected, f"type {wrong[0]}")
        symbols = [ELEMENTS[label - 1] for label in labels]
    with row.blamed():
        return model.with_species(symbols)
