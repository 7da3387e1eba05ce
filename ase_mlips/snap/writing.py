"""Writing SNAP potentials in the formats that LAMMPS reads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from os import PathLike

from ..text import replace_files
from .model import SnapModel

PAIRS = {"snap": (".snapcoeff", ".snapparam"), "mliap": (".mliap.model", ".mliap.descriptor")}
_INCLUDE = ".snap"
_AWKWARD = " \t\r\n\"'#$&"


def write_snap(path: str | PathLike[str], model: SnapModel) -> tuple[str, ...]:
    """Write a SNAP potential; reading it back gives the same numbers bit by bit.

    Every file is completed under a temporary name first, so that one that exists stays whole if writing fails.

    Parameters
    ----------
    path : path
        ``x.snap`` writes that LAMMPS include file, ``x.snapcoeff`` and ``x.snapparam``; either name of the latter,
        or ``x`` alone, those two; ``x.mliap.model`` or ``x.mliap.descriptor`` these two.
    model : SnapModel
        With a `zbl` only an include file can hold it.

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
    kind, stem = _kind_and_stem(name)
    if model.zbl is not None and kind != "include":
        raise ValueError(f"{name}: expected a name that ends in {_INCLUDE}, which alone can hold the zbl, got another")
    suffixes = PAIRS["mliap" if kind == "mliap" else "snap"]
    contents = {stem + suffix: text for suffix, text in zip(suffixes, _contents(kind, model), strict=True)}
    if kind == "include":
        contents[stem + _INCLUDE] = _include(name, os.path.basename(stem), model)
    replace_files(contents)
    return tuple(contents)


def _kind_and_stem(name: str) -> tuple[str, str]:
    for kind, suffixes in (*PAIRS.items(), ("include", (_INCLUDE,))):
        for suffix in suffixes:
            if name.endswith(suffix):
                return kind, name.removesuffix(suffix)
    return "snap", name


def _contents(kind: str, model: SnapModel) -> tuple[str, str]:
    if kind == "mliap":
        return _lines(_mliap_model(model)), _lines(_settings(model, mliap=True))
    return _lines(_snapcoeff(model)), _lines(_settings(model, mliap=False))


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


def _include(path: str, stem: str, model: SnapModel) -> str:
    if any(character in stem for character in _AWKWARD):
        raise ValueError(f"{path}: expected a name without spaces, quotes, #, $ and &, got {stem!r}")
    pair = f"{stem}.snapcoeff {stem}.snapparam {' '.join(model.elements)}"
    lines = [_title(model, "potential")]
    if model.zbl is None:
        return _lines([*lines, "pair_style snap", f"pair_coeff * * {pair}"])
    lines.append(f"pair_style hybrid/overlay zbl {model.zbl.inner!r} {model.zbl.outer!r} snap")
    charges = model.zbl.charges
    for i, first in enumerate(charges, 1):
        lines += [f"pair_coeff {i} {j} zbl {first!r} {charges[j - 1]!r}" for j in range(i, len(charges) + 1)]
    return _lines([*lines, f"pair_coeff * * snap {pair}"])


def _lines(lines: Iterable[str]) -> str:
    return "".join(line + "\n" for line in lines)
