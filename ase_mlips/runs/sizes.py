"""The same quantity in systems of several sizes, of which none is lost when a larger one fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ase.calculators.calculator import CalculationFailed
from tqdm import tqdm

from ase_mlips.phonons.arguments import warn

Size = TypeVar("Size")
Row = tuple[float, ...]


def in_all_sizes(sizes: Sequence[Size], measure: Callable[[Size], Row], name: str) -> tuple[list[Row], bool]:
    """What `measure` finds for each size, and whether Ctrl-C has ended it early.

    Raises
    ------
    CalculationFailed, KeyboardInterrupt
        Before anything was found.

    Warns
    -----
    UserWarning
        A size is left out because its calculation failed.
    """
    rows: list[Row] = []
    failures: list[CalculationFailed] = []
    for size in tqdm(sizes, desc=name, leave=False, disable=None):
        try:
            rows.append(measure(size))
        except CalculationFailed as error:
            failures.append(error)
        except KeyboardInterrupt:
            if not rows:
                raise
            return rows, True
    if not rows:
        raise failures[0]
    for failure in failures:
        warn(f"one of the {name} is left out: {failure}")
    return rows, False
