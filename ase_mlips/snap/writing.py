"""Writing SNAP potentials in the formats that LAMMPS reads, and in the own one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from os import PathLike

from ..files.text import replace_files
from .model import SnapModel
from .network_text import network_lines
from .npz import ENDING, npz_bytes

PAIRS = {"snap": (".snapcoeff", ".snapparam"), "mliap": (".mliap.model", ".mliap.descriptor")}
_INCLUDES = (".snap", ".mliap")
_AWKWARD = " \t\r\n\"'#$&"


def write_snap(path: str | PathLike[str], model: SnapModel) -> tuple[str, ...]:
    """Write a SNAP potential; reading it back gives the same numbers bit by bit.

    Every file is completed under a temporary name first, so that one that exists stays whole if writing fails.

    Parameters
    ----------
    path : path
        ``x.snap`` writes that LAMMPS include file, ``x.snapcoeff`` and ``x.snapparam``; either name of the latter,
        or ``x`` alone, those two; ``x.mliap.model`` or ``x.mliap.descriptor`` these two; ``x.mliap`` that include file
        and these two, and so does ``x.snap`` for a model with a network.  ``x.snap.npz`` writes that file, which can
        hold every model; `npz_bytes` describes it.
    model : SnapModel
        With a `zbl` only an include file and ``.snap.npz`` can hold it.  With a `network` the two names with ``.mliap``
        and ``.snap`` can if it has no softplus, where a network that all elements share is repeated for each of them.

    Returns
    -------
    tuple of str
        The names of the files written.

    Raises
    ------
    OSError
        If a file cannot be written.
    ValueError
        If the format cannot hold the model.
    """
    name = os.fspath(path)
    written: dict[str, str | bytes] = {name: npz_bytes(model)} if name.endswith(ENDING) else _texts(name, model)
    replace_files(written)
    return tuple(written)


def contents(stem: str, model: SnapModel) -> dict[str, str | bytes]:
    """The files of LAMMPS's ``pair_style snap`` by name, whatever nuclear repulsion there is beside it."""
    settings = _lines(_settings(model, mliap=False))
    return {f"{stem}{PAIRS['snap'][0]}": _lines(_snapcoeff(model)), f"{stem}{PAIRS['snap'][1]}": settings}


def _texts(name: str, model: SnapModel) -> dict[str, str | bytes]:
    """The files of LAMMPS's formats by name."""
    form, ending, stem = _form_and_stem(name)
    if model.zbl is not None and ending not in _INCLUDES:
        expected = f"a name that ends in {', '.join(_INCLUDES)} or {ENDING}, which alone can hold the zbl"
        raise ValueError(f"{name}: expected {expected}, got another")
    if model.network is not None and form == "snap":
        if ending != ".snap":
            expected = f"a name that ends in .mliap.model, {', '.join(_INCLUDES)} or {ENDING}"
            raise ValueError(f"{name}: expected {expected}, which alone can hold a network, got another")
        form = "mliap"
    try:
        coefficients = _lines(_mliap_model(model) if form == "mliap" else _snapcoeff(model))
    except ValueError as error:
        raise ValueError(f"{name}: {error}, which a name that ends in {ENDING} can hold") from None
    settings = _lines(_settings(model, mliap=form == "mliap"))
    files = [stem + suffix for suffix in PAIRS[form]]
    contents: dict[str, str | bytes] = {files[0]: coefficients, files[1]: settings}
    if ending in _INCLUDES:
        contents[name] = _include(name, form, model)
    return contents


def _form_and_stem(name: str) -> tuple[str, str, str]:
    """The pair of files to write (snap or mliap), the ending of `name` and what comes before it."""
    for form, suffixes in (*PAIRS.items(), ("snap", (".snap",)), ("mliap", (".mliap",))):
        for suffix in suffixes:
            if name.endswith(suffix):
                return form, suffix, name.removesuffix(suffix)
    return "snap", "", name


def _title(model: SnapModel, what: str) -> str:
    return f"# SNAP {what} for {' '.join(model.elements)} UNITS: metal WRITTEN BY: ase_mlips"


def _snapcoeff(model: SnapModel) -> Iterator[str]:
    yield _title(model, "coefficients")
    yield f"{len(model.elements)} {model.coefficients.shape[1]}"
    for n, symbol in enumerate(model.elements):
        yield f"{symbol} {float(model.radii[n])!r} {float(model.weights[n])!r}"
        yield from map(repr, model.coefficients[n].tolist())


def _mliap_model(model: SnapModel) -> Iterator[str]:
    yield _title(model, "coefficients")
    if model.network is not None:
        yield from network_lines(model.network, len(model.elements))
        return
    yield f"{len(model.elements)} {model.coefficients.shape[1]}"
    yield from map(repr, model.coefficients.ravel().tolist())


def _settings(model: SnapModel, *, mliap: bool) -> Iterator[str]:
    yield _title(model, "parameters")
    yield f"rcutfac {model.rcutfac!r}"
    yield f"twojmax {model.twojmax}"
    yield f"rfac0 {model.rfac0!r}"
    yield f"rmin0 {model.rmin0!r}"
    flags = ["switchflag", "bzeroflag", "chemflag", "bnormflag", "wselfallflag", "switchinnerflag"]
    for flag in flags if mliap else [*flags, "quadraticflag"]:
        yield f"{flag} {getattr(model, flag):d}"
    arrays = {"sinner": model.sinner, "dinner": model.dinner}
    if mliap:
        yield f"nelems {len(model.elements)}"
        yield f"elems {' '.join(model.elements)}"
        arrays = {"rad": model.radii, "w": model.weights, **arrays}
    for name, values in arrays.items():
        if values is not None:
            yield f"{name}{'elems' if mliap else ''} {' '.join(map(repr, values.tolist()))}"


def _include(path: str, form: str, model: SnapModel) -> str:
    stem = os.path.splitext(os.path.basename(path))[0]
    if any(character in stem for character in _AWKWARD):
        raise ValueError(f"{path}: expected a name without spaces, quotes, #, $ and &, got {stem!r}")
    files, elements = [stem + suffix for suffix in PAIRS[form]], " ".join(model.elements)
    style, keyword, arguments = "snap", "snap", f"{' '.join(files)} {elements}"
    if form == "mliap":
        kind = "nn" if model.network is not None else "quadratic" if model.quadraticflag else "linear"
        style, keyword, arguments = f"mliap model {kind} {files[0]} descriptor sna {files[1]}", "mliap", elements
    lines = [_title(model, "potential")]
    if model.zbl is None:
        return _lines([*lines, f"pair_style {style}", f"pair_coeff * * {arguments}"])
    lines.append(f"pair_style hybrid/overlay zbl {model.zbl.inner!r} {model.zbl.outer!r} {style}")
    charges = model.zbl.charges
    for i, first in enumerate(charges, 1):
        lines += [f"pair_coeff {i} {j} zbl {first!r} {charges[j - 1]!r}" for j in range(i, len(charges) + 1)]
    return _lines([*lines, f"pair_coeff * * {keyword} {arguments}"])


def _lines(lines: Iterable[str]) -> str:
    return "".join(line + "\n" for line in lines)
