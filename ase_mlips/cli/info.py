"""``ase-mlips info``: say what a model is."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .common import chosen_model

_SHOWN = 8  # numbers of an array


def run(args: Namespace) -> int:
    """Print family, elements, cutoff and all that the model of ``args.model`` says beyond that."""
    calculator = chosen_model(args)
    potential = calculator.potential
    rows = {
        "family": type(calculator).__name__,
        "elements": " ".join(potential.elements),
        "cutoff": f"{potential.cutoff:g} Å",
        "properties": " ".join(calculator.implemented_properties),
    }
    model = getattr(potential, "model", None)
    if is_dataclass(model):
        values = {field.name: getattr(model, field.name) for field in fields(model) if field.name not in rows}
        rows |= {name: _described(value) for name, value in values.items() if value is not None}
    width = max(map(len, rows))
    for name, text in rows.items():
        if text:
            print(f"{name.ljust(width)}  {text}")
    return 0


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return _of_array(value)
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return str(value)


def _of_array(values: NDArray[Any]) -> str:
    if values.size <= _SHOWN:
        return " ".join(f"{value:g}" for value in values.flat)
    shape = " x ".join(map(str, values.shape))
    return f"array of shape {shape}, from {values.min():g} to {values.max():g}"
