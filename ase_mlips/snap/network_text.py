"""The text of ML-IAP's neural networks (``mliap model nn``): reading and writing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ..arrays import FloatArray
from ..files.lammps_text import Rows
from ..files.text import Row, quoted
from ..heads.network import MAX_NEURONS, Network

ACTIVATIONS = ("linear", "sigmoid", "tanh", "relu")
_PER_LINE = 10  # LAMMPS takes at most 30 numbers and 1023 characters


def read_network(rows: Rows, header: Row, descriptors: int) -> Network:
    """The network whose ``NET`` line is next; `header` holds the numbers of elements and of parameters.

    Several nodes in the last layer are allowed by LAMMPS, which takes the first as the energy; only that is kept.

    Raises
    ------
    ValueError
        ``path:line: expected ..., got ...``.
    """
    count, length = (int(word) for word in header.words)
    row, sizes, activations = _read_architecture(rows, descriptors)
    blocks = [(before + 1) * after for before, after in pairwise(sizes)]
    if length != sum(blocks):
        raise header.error(f"{sum(blocks)} parameters for each element, as line {row.line} says", header.words[1])
    kept = length - blocks[-1] + blocks[-1] // sizes[-1]
    parameters, shifts, scales = [], [], []
    for element in range(1, count + 1):
        whose = f" of element {element}"
        shifts.append(_read_section(rows, descriptors, f"scale0{whose}"))
        scales.append(_read_section(rows, descriptors, f"scale1{whose}", zero=False))
        parameters.append(_read_section(rows, length, f"parameters{whose}")[:kept])
    rows.finish(length, f"{count} times {length} parameters")
    return Network((*sizes[:-1], 1), activations, np.array(parameters), np.array(shifts), np.array(scales))


def _read_architecture(rows: Rows, descriptors: int) -> tuple[Row, tuple[int, ...], tuple[str, ...]]:
    form = "'NET descriptors layers activation nodes activation nodes ...'"
    row = rows.next(form)
    words = row.words
    if words[0] != "NET" or len(words) < 5:
        raise row.error(form)
    if row.integer(words[1], "the number of descriptors") != descriptors:
        raise row.error(f"{descriptors} descriptors, as twojmax says", words[1])
    layers = row.integer(words[2], "the number of layers")
    if len(words) != 3 + 2 * layers:
        raise row.error(f"an activation and a number of nodes for each of {layers} layers")
    for name in words[3::2]:
        if name not in ACTIVATIONS:
            known = f"{', '.join(ACTIVATIONS)} (LAMMPS silently takes any other word for linear)"
            raise row.error(f"an activation among {known}", quoted(name))
    sizes = [row.integer(word, "the number of nodes") for word in words[4::2]]
    if not 1 <= min(sizes) <= max(sizes) <= MAX_NEURONS:
        raise row.error(f"layers of 1 to {MAX_NEURONS} nodes")
    return row, (descriptors, *sizes), words[3::2]


def _read_section(rows: Rows, length: int, what: str, *, zero: bool = True) -> FloatArray:
    """The next `length` numbers, any number of them in a line, which end where a line ends."""
    values: list[float] = []
    while len(values) < length:
        row = rows.next(f"number {len(values) + 1} of {length} of {what}")
        numbers = [row.number(word, what) for word in row.words]
        if (left := length - len(values)) < len(numbers):
            raise row.error(f"the last {left} of {length} numbers of {what}", f"{len(numbers)} numbers")
        if not zero and 0.0 in numbers:
            raise row.error(f"{what} not to be zero", row.words[numbers.index(0.0)])
        values += numbers
    return np.array(values)


def network_lines(network: Network, elements: int) -> Iterator[str]:
    """All lines after the title; a network that all elements share is written for each of them.

    Raises
    ------
    ValueError
        ``expected ..., got ...`` if it has activations that the format lacks.
    """
    for name in network.activations:
        if name not in ACTIVATIONS:
            raise ValueError(f"expected activations among {', '.join(ACTIVATIONS)}, got {name}")
    yield f"{elements} {network.n_parameters}"
    layers = (f"{name} {size}" for name, size in zip(network.activations, network.sizes[1:], strict=True))
    yield f"NET {network.sizes[0]} {len(network.activations)} {' '.join(layers)}"
    for element in range(elements):
        n = element if len(network.parameters) > 1 else 0
        for values in (network.shift[n], network.scale[n], network.parameters[n]):
            words = list(map(repr, values.tolist()))
            for first in range(0, len(words), _PER_LINE):
                yield " ".join(words[first : first + _PER_LINE])
