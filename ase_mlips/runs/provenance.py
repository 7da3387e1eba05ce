"""Where a result comes from: the model's files, versions, seed and command."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

_PACKAGES = ("ase-mlips", "ase", "numpy", "numba")
_EMBEDDED = "embedded:"


def provenance_of(
    calc: Any, *, model: str | None = None, seed: int | None = None, command: Sequence[str] | None = None
) -> dict[str, Any]:
    """What is to be known of a result, as values that JSON has.

    Parameters
    ----------
    calc : ase.calculators.calculator.BaseCalculator
    model : str, optional
        Name of the model; by default what `calc` was made from.
    seed : int, optional
    command : sequence of str, optional
        By default that of the process.

    Returns
    -------
    dict
        ``model``, ``sha256`` (hexadecimal, of each file of the model by name), ``versions``, ``command`` and, if there
        is one, ``seed``.
    """
    found: dict[str, Any] = {
        "model": model or model_name(calc),
        "sha256": checksums(calc),
        "versions": {name.replace("-", "_"): _version(name) for name in _PACKAGES},
        "command": shlex.join(sys.argv if command is None else command),
    }
    return found if seed is None else found | {"seed": seed}


def model_name(calc: Any) -> str:
    """The file that a calculator was made from, or else what it calls itself."""
    parameters = getattr(calc, "parameters", None) or {}
    return str(parameters.get("model") or type(calc).__name__)


def checksums(calc: Any) -> dict[str, str]:
    """SHA-256 of the files that a calculator, or each member of a committee, was made from, by their names."""
    found: dict[str, str] = {}
    for member in getattr(calc, "members", None) or [calc]:
        name = (getattr(member, "parameters", None) or {}).get("model")
        if isinstance(name, str):
            endings = getattr(member, "file_endings", ())
            found |= {path.name: _checksum(path) for path in _model_files(name, endings)}
    return found


def require_same_model(path: str, before: Mapping[str, Any] | None, now: Mapping[str, str]) -> None:
    """ValueError where a file of the model that `path` was computed with has changed; nothing is known of old files.

    Parameters
    ----------
    path : str
        What is to be continued.
    before : mapping or None
        Its provenance.
    now : mapping
        The present `checksums`.
    """
    known = (before or {}).get("sha256") or {}
    for name, checksum in now.items():
        if known.get(name, checksum) != checksum:
            raise ValueError(
                f"{path}: was computed with a file {name} of SHA-256 {known[name][:12]}..., and the present one has "
                f"{checksum[:12]}...: it is another model of the same name"
            )


def _model_files(name: str, endings: Sequence[str]) -> list[Path]:
    """The file of this name, and those with the same stem and an ending of the family."""
    if name.startswith(_EMBEDDED):
        folder = Path(str(files("ase_mlips.data")))
        stem = _embedded_stem(name.removeprefix(_EMBEDDED))
        return sorted(path for path in folder.iterdir() if path.name.startswith(f"{stem}."))
    own = [ending for ending in endings if ending.startswith((".", "_"))]
    stem = min((name.removesuffix(ending) for ending in own), key=len, default=name)
    names = [name, *(stem + ending for ending in own)]
    return [Path(path) for path in dict.fromkeys(names) if os.path.isfile(path)]


def _embedded_stem(name: str) -> str:
    from ase_mlips.snap import EMBEDDED  # here, as other calculators have no use for kernels

    return Path(EMBEDDED[name]).stem


def _checksum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout
        return "not installed"
