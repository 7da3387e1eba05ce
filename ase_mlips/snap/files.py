"""Reading SNAP potentials: LAMMPS's files, FitSNAP's networks and the own format."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np

from ..arrays import FloatArray
from ..files.archive import refusal
from ..files.lammps_text import Rows
from ..files.text import FilePath, Row, quoted
from .fitsnap import import_fitsnap
from .include import parse_include
from .model import SYMBOL, SnapModel
from .network_text import read_network
from .npz import ENDING, read_npz
from .selection import select_elements
from .settings import Settings, read_descriptor, read_snapparam
from .writing import PAIRS, write_snap

__all__ = ["read_snap", "write_snap"]

_INCLUDES = (".snap", ".mliap", ".mod")
_FILES = {**PAIRS, "fitsnap": (".pt", ".mliap.descriptor")}


def read_snap(
    path: str | PathLike[str],
    parameters: str | PathLike[str] | None = None,
    *,
    elements: Sequence[str] | None = None,
) -> SnapModel:
    """Read a SNAP potential.

    Parameters
    ----------
    path : path
        A ``.snapcoeff``, ``.snapparam``, ``.mliap.model`` or ``.mliap.descriptor`` file; a LAMMPS include file
        (``.snap``, ``.mliap`` or FitSNAP's ``.mod``); FitSNAP's network ``.pt``, see `import_fitsnap`; the own
        format ``.snap.npz``; or what these names have in common, in which case the include file is preferred because
        among LAMMPS's only it holds the nuclear repulsion that was fitted along.
    parameters : path, optional
        The ``.snapparam`` or ``.mliap.descriptor`` file; by default the one that lies beside `path`.
    elements : sequence of str, optional
        Which elements to take, in which order; by default the file's.  For ``.snapcoeff`` files this has the meaning
        of LAMMPS's ``pair_coeff``: `sinner`, `dinner` and, with `chemflag`, the element triplets count in this
        order.  The other files fix that meaning themselves.

    Raises
    ------
    OSError
        If a file is missing or cannot be read.
    ValueError
        ``path:line: expected ..., got ...`` if a file is malformed, lacks an element or needs a feature that is
        not supported; without a line if it is binary.  So are files that seem to end within their last number, see
        `require_whole`: a newline behind it makes every file whole.
    """
    requested = None if elements is None else tuple(elements)
    unordered = isinstance(elements, str | set | frozenset | dict)
    if unordered or requested == () or (requested and len(set(requested)) < len(requested)):
        raise ValueError(f"{path}: expected elements as a sequence of distinct chemical symbols, got {elements!r}")
    kind, first, second = _locate(os.fspath(path), parameters)
    if kind == "snap":
        return _read_snap_pair(first, second, requested)
    if kind == "fitsnap":
        return import_fitsnap(first, second, elements=requested)
    if kind == "npz":
        model = read_npz(first)
        return model if requested is None else select_elements(model, requested, partial(refusal, first))
    model, origin = _read_include(first) if kind == "include" else _read_mliap(first, second)
    return model if requested is None else select_elements(model, requested, origin.error)


def _locate(path: str, parameters: FilePath | None = None) -> tuple[str, str, str]:
    """The kind of potential behind `path` (snap, mliap, fitsnap, npz or include) and the names of the files to read."""
    if parameters is not None:
        second = os.fspath(parameters)
        return _kind_of_pair(path, second), path, second
    if path.endswith(ENDING):
        return "npz", path, ""
    for kind, suffixes in _FILES.items():
        for suffix in suffixes:
            if path.endswith(suffix):
                names = [path.removesuffix(suffix) + s for s in suffixes]
                for name in (path, *names):
                    if not os.path.exists(name):
                        why = f", looked for beside {os.path.basename(path)}" if name != path else ""
                        raise FileNotFoundError(errno.ENOENT, f"no such file{why}", name)
                return kind, names[0], names[1]
    if path.endswith(_INCLUDES):
        return "include", path, ""
    tried = [path + suffix for suffix in (".snap", ENDING, ".snapcoeff", ".mliap", ".mliap.model")]
    for name in tried:
        if os.path.isfile(name):
            return _locate(name)
    if os.path.isfile(path):
        names = [suffix for suffixes in PAIRS.values() for suffix in suffixes]
        known = ", ".join([*names, *_INCLUDES, ".pt", ENDING])
        raise ValueError(f"{path}: expected a name that ends in {known}, got another")
    raise FileNotFoundError(errno.ENOENT, f"no SNAP potential, looked for {', '.join(tried)}", path)


def _kind_of_pair(first: str, second: str) -> str:
    if first.endswith(".pt"):
        return "fitsnap"
    return "mliap" if first.endswith(".mliap.model") or second.endswith(".mliap.descriptor") else "snap"


@dataclass(frozen=True)
class _Block:
    """One element of a ``.snapcoeff`` file."""

    radius: float
    weight: float
    coefficients: FloatArray


def _read_snap_pair(path: FilePath, parameters: FilePath, requested: tuple[str, ...] | None) -> SnapModel:
    settings = read_snapparam(parameters)
    header, blocks = _read_blocks(path, settings)
    chosen = requested or tuple(blocks)
    for symbol in chosen:
        if symbol not in blocks:
            raise header.error(f"the element {symbol}", f"only {', '.join(blocks)}")
    if settings.fields.get("chemflag") and len(chosen) != len(blocks):
        expected = f"all of {', '.join(blocks)} because chemflag is 1"
        raise settings.rows["chemflag"].error(expected, f"only {', '.join(chosen)}")
    for name in ("sinner", "dinner"):
        if len(values := settings.fields.get(name, chosen)) != len(chosen):
            raise settings.rows[name].error(f"{name} of the elements {', '.join(chosen)}", f"{len(values)} values")
    return settings.build(
        {"elements": header, "radii": header, "weights": header, "coefficients": header},
        elements=chosen,
        radii=[blocks[s].radius for s in chosen],
        weights=[blocks[s].weight for s in chosen],
        coefficients=[blocks[s].coefficients for s in chosen],
    )


def _read_blocks(path: FilePath, settings: Settings) -> tuple[Row, dict[str, _Block]]:
    """Header and elements, by symbol, of a ``.snapcoeff`` file."""
    rows = Rows(path)
    header, count, length = _read_header(rows)
    flags = {flag: settings.fields.get(flag, False) for flag in ("quadraticflag", "chemflag")}
    expected = settings.counts(count)[flags["quadraticflag"]]
    if length != expected:
        kind = ", ".join([f"twojmax {settings.fields['twojmax']}", *(f"{k} {v:d}" for k, v in flags.items())])
        raise header.error(f"{expected} coefficients for each element ({kind})", header.words[1])
    blocks: dict[str, _Block] = {}
    for number in range(1, count + 1):
        row = rows.next(f"element {number} of {count}")
        if len(row.words) != 3 or not SYMBOL.fullmatch(row.words[0]):
            raise row.error(f"'symbol radius weight' of element {number} of {count}")
        symbol = row.words[0]
        if symbol in blocks:
            raise row.error("an element that was not given before", quoted(symbol))
        radius, weight = (row.number(w, f"radius and weight of {symbol}") for w in row.words[1:])
        if radius <= 0.0:
            raise row.error(f"a positive radius of {symbol}", row.words[1])
        blocks[symbol] = _Block(radius, weight, _read_column(rows, length, f" of {symbol}"))
    rows.finish(length, f"{count} times {length} coefficients")
    return header, blocks


def _read_header(rows: Rows) -> tuple[Row, int, int]:
    what = "the numbers of elements and of coefficients"
    row = rows.next(what)
    if len(row.words) != 2:
        raise row.error(what)
    count, length = (row.integer(word, what) for word in row.words)
    if count < 1 or length < 1:
        raise row.error(f"{what} to be positive")
    return row, count, length


def _read_column(rows: Rows, length: int, whose: str) -> FloatArray:
    """The next `length` rows of one number each."""
    values = []
    for number in range(1, length + 1):
        what = f"coefficient {number} of {length}{whose}"
        row = rows.next(what)
        if len(row.words) != 1:
            raise row.error(what)
        values.append(row.number(row.words[0], what))
    return np.array(values)


def _read_mliap(path: FilePath, descriptor: FilePath, kind: str | None = None) -> tuple[SnapModel, Row]:
    """An ML-IAP model (`kind` says which, if known: linear, quadratic or nn) and the line that names its elements."""
    settings = read_descriptor(descriptor)
    origin = settings.rows["elements"]
    rows = Rows(path)
    header, count, length = _read_header(rows)
    if count != len(settings.fields["elements"]):
        raise header.error(f"{len(settings.fields['elements'])} elements as in {descriptor}", header.words[0])
    counts = dict(zip(("linear", "quadratic"), settings.counts(count), strict=True))
    following = rows.peek()
    if kind == "nn" or (following is not None and following.words[0] == "NET"):
        if following is not None and kind not in (None, "nn"):
            raise following.error(f"a {kind} model", "a neural network (nn)")
        network = read_network(rows, header, counts["linear"] - 1)
        return settings.build({"network": header}, coefficients=np.empty((count, 0)), network=network), origin
    if length not in (counts.values() if kind is None else [counts[kind]]):
        expected = " or ".join(f"{n} ({name})" for name, n in counts.items() if kind in (None, name))
        raise header.error(f"{expected} coefficients for each element", header.words[1])
    coefficients = _read_column(rows, count * length, "")
    rows.finish(count * length, f"{count * length} coefficients")
    quadraticflag = length == counts["quadratic"]
    values = coefficients.reshape(count, length)
    return settings.build({"coefficients": header}, coefficients=values, quadraticflag=quadraticflag), origin


def _read_include(path: FilePath) -> tuple[SnapModel, Row]:
    """The model of a LAMMPS include file and the line that names its elements."""
    include = parse_include(path)
    names = []
    for name in (include.model, include.parameters):
        names.append(os.path.join(Path(path).parent, name))
        if not os.path.isfile(names[-1]):
            raise include.files.error(f"the file {names[-1]}", "none there")
    if include.style == "snap":
        model = _read_snap_pair(names[0], names[1], include.elements)
    elif include.style == "mliappy":
        model = import_fitsnap(names[0], names[1], elements=include.elements)
    else:
        whole, origin = _read_mliap(names[0], names[1], include.style)
        model = select_elements(whole, include.elements, origin.error)
    return replace(model, zbl=include.zbl), include.mapping
