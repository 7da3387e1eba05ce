"""``ase-mlips info``: say what a model is."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Container
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ase_mlips import MTP
from ase_mlips.mtp import read_mtp
from ase_mlips.registry import families

from .common import chosen_model

_SHOWN = 8  # numbers of an array


def run(args: Namespace) -> int:
    """Print family, elements, cutoff and all that the model of ``args.model`` says beyond that."""
    rows = _of_nameless_mtp(args)
    if rows is None:
        calculator = chosen_model(args)
        potential = calculator.potential
        rows = {
            "family": next(family.__name__ for family in families if isinstance(calculator, family)),
            "elements": " ".join(potential.elements),
            "cutoff": f"{potential.cutoff:g} Å",
            "properties": " ".join(calculator.implemented_properties),
        }
        rows |= _of_model(getattr(potential, "model", None), rows)
    width = max(map(len, rows))
    for name, text in rows.items():
        if text:
            print(f"{name.ljust(width)}  {text}")
    return 0


def _of_nameless_mtp(args: Namespace) -> dict[str, str] | None:
    """What is known of an MTP file whose species neither the file nor the user names; None of any other model."""
    path = Path(args.model)
    if args.species is not None or not MTP.recognizes(path):
        return None
    model = read_mtp(path)
    if model.species is None or None not in model.species:
        return None
    count = len(model.species)
    rows = {"family": "MTP", "types": f"{count}, which the file does not name: give --species X1 .. X{count}"}
    return rows | {"cutoff": f"{model.max_dist:g} Å"} | _of_model(model, {"species": ""})


def _of_model(model: Any, known: Container[str]) -> dict[str, str]:
    if not is_dataclass(model):
        return {}
    values = {field.name: getattr(model, field.name) for field in fields(model) if field.name not in known}
    return {name: _described(value) for name, value in values.items() if value is not None}


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return _of_array(value)
    if isinstance(value, tuple) and any(isinstance(part, tuple) for part in value):
        return " + ".join(f"{len(part)} {type(part[0]).__name__}" for part in value if part)
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return str(value)


def _of_array(values: NDArray[Any]) -> str:
    if values.size <= _SHOWN:
        return " ".join(f"{value:g}" for value in values.flat)
    shape = " x ".join(map(str, values.shape))
    return f"array of shape {shape}, from {values.min():g} to {values.max():g}"
