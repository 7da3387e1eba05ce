"""Writing NEP potentials as nep.txt files, as GPUMD does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from os import PathLike

import numpy as np

from ..arrays import FloatArray
from ..files.text import replace_files
from .model import INVARIANTS, NepModel, NepNetwork

_SHORT_FLAGS = 2  # without the newer invariants the l_max line keeps the length that older programs want


def write_nep(path: str | PathLike[str], model: NepModel) -> None:
    """Write a NEP potential; reading it back gives the same numbers bit by bit.

    Numbers that GPUMD's format (``%15.7e``) holds are written in it, the others with all their digits.  The file is
    completed under a temporary name first, so that one that exists stays whole if writing fails.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If the format cannot hold the model: cutoffs of each element together with typewise factors.
    """
    name = os.fspath(path)
    if not isinstance(model, NepModel):
        raise ValueError(f"{name}: expected a NepModel, got {type(model).__name__}")
    text = "\n".join([*_header(name, model), *map(_format, _numbers(model))])
    replace_files({name: text + "\n"})


def _header(path: str, model: NepModel) -> Iterator[str]:
    yield f"{model.token} {len(model.elements)} {' '.join(model.elements)}"
    if model.zbl is not None:
        factor = None if model.zbl.typewise_inner_half else model.zbl.factor
        yield " ".join(["zbl", *map(_plain, (model.zbl.inner, model.zbl.outer, *([] if factor is None else [factor])))])
    yield _cutoff(path, model)
    yield f"n_max {model.n_max[0]} {model.n_max[1]}"
    yield f"basis_size {model.basis_size[0]} {model.basis_size[1]}"
    flags = [(2 if name == "222" else 1) if name in model.invariants else 0 for name in INVARIANTS]
    flags = flags if any(flags[_SHORT_FLAGS:]) else flags[:_SHORT_FLAGS]
    yield f"l_max {model.l_max} {' '.join(map(str, flags))}"
    yield f"ANN {model.network.w0.shape[1]} 0"


def _cutoff(path: str, model: NepModel) -> str:
    """The cutoff line: of all elements alike, of each element, or the old one with typewise factors."""
    cutoffs = np.stack([model.radial_cutoffs, model.angular_cutoffs], axis=1)
    alike = bool(np.all(cutoffs == cutoffs[0]))
    factors: list[float] = []
    half = model.zbl is not None and model.zbl.typewise_inner_half
    if model.typewise_factors is not None or half:
        if not alike:
            raise ValueError(f"{path}: expected cutoffs that are alike because there are typewise factors, got others")
        own = model.zbl.factor if model.zbl is not None and half else None
        factors = [*(model.typewise_factors or (0.0, 0.0)), own or 0.0]
    numbers = map(_plain, (cutoffs[0] if alike else cutoffs.ravel()).tolist())
    return " ".join(["cutoff", *numbers, *map(str, model.max_neighbors), *map(_plain, factors)])


def _numbers(model: NepModel) -> list[float]:
    """All numbers behind the header in the order of the file."""
    parts = [_blocks(model.network)]
    if model.sqrt_epsilon is not None:
        parts.append(np.array([model.sqrt_epsilon]))
    parts.append(np.array([model.network.bias]))
    if model.scalar_network is not None:
        parts += [_blocks(model.scalar_network), np.array([model.scalar_network.bias])]
    parts += [model.radial, model.angular, model.scaler]
    if model.zbl is not None and model.zbl.flexible is not None:
        parts.append(model.zbl.flexible)
    numbers: list[float] = np.concatenate([part.ravel() for part in parts]).tolist()
    return numbers


def _blocks(network: NepNetwork) -> FloatArray:
    """Weights of each type in turn."""
    types = len(network.w0)
    parts = [network.w0, network.b0, network.w1, network.charge, network.type_bias]
    return np.concatenate([part.reshape(types, -1) for part in parts if part is not None], axis=1)


def _format(number: float) -> str:
    text = f"{number:15.7e}"
    return text if float(text) == number else repr(number)


def _plain(number: float) -> str:
    return repr(number).removesuffix(".0")
