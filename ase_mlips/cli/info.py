"""``ase-mlips info``: say what a model is."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from .common import load_model


def run(args: Namespace) -> int:
    """Print family, elements, cutoff and parameters of ``args.model``."""
    calculator = load_model(args.model, args.threads)
    potential = calculator.potential
    rows = {
        "family": type(calculator).__name__,
        "elements": " ".join(potential.elements),
        "cutoff": f"{potential.cutoff:g} Å",
        "properties": " ".join(calculator.implemented_properties),
    }
    model = getattr(potential, "model", None)
    if is_dataclass(model):
        rows |= {
            field.name: _described(getattr(model, field.name)) for field in fields(model) if field.name not in rows
        }
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name.ljust(width)}  {value}")
    return 0


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size > 8:
        return f"array of shape {' x '.join(map(str, value.shape))}"
    return str(value)
