"""Results as one line, as a small table of values with units, and as columns in a text file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from html import escape

import numpy as np
from numpy.typing import NDArray

from ase_mlips.analysis.results import Result

from ..files.text import replace_files

FloatArray = NDArray[np.float64]

_ROOM = 300.0  # K


class Tabulated(Result):
    """Base of results that have `columns` of numbers, and a few `facts` by which they are known."""

    def facts(self) -> dict[str, str]:
        """What one wants to know first: names, and values with their units."""
        raise NotImplementedError

    def columns(self) -> dict[str, FloatArray]:
        """Arrays (K,) by name with unit."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return one_line(type(self).__name__, self.facts())

    def _repr_html_(self) -> str:
        return html_table(self.facts())

    def write_text(self, path: str | os.PathLike[str]) -> None:
        """Write the columns as text: with commas where the name ends in .csv, else aligned under a ``#`` line.

        Raises
        ------
        OSError
            The file cannot be written; one that exists then stays as it is.
        """
        write_columns(path, self.columns())


def one_line(name: str, facts: Mapping[str, str]) -> str:
    """``Name(fact: value, ...)``."""
    return f"{name}({', '.join(f'{what}: {value}' for what, value in facts.items())})"


def html_table(facts: Mapping[str, str]) -> str:
    """A row for each fact, for notebooks."""
    rows = "".join(f"<tr><th>{escape(what)}</th><td>{escape(value)}</td></tr>" for what, value in facts.items())
    return f"<table>{rows}</table>"


def write_columns(path: str | os.PathLike[str], columns: Mapping[str, FloatArray]) -> None:
    """See `Tabulated.write_text`."""
    name = os.fspath(path)
    rows = [[f"{value + 0.0:.10g}" for value in row] for row in zip(*columns.values(), strict=True)]
    if name.endswith(".csv"):
        lines = [",".join(row) for row in [list(columns), *rows]]
    else:
        header = list(columns)
        header[0] = f"# {header[0]}"
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in [header, *rows]
        ]
        # The sign of a comment is the first of its line.
        lines[0] = "#" + lines[0].replace("# ", "  ", 1)[1:]
    replace_files({name: "".join(f"{line}\n" for line in lines).encode()})


def room(temperatures: FloatArray) -> int:
    """Which temperature is closest to 300 K."""
    return int(np.abs(temperatures - _ROOM).argmin())


def between(values: FloatArray, unit: str) -> str:
    """The smallest and the largest value of those that are known, to four decimals."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return "none"
    low, high = (f"{round(float(value), 4) + 0.0:.4g}" for value in (known.min(), known.max()))
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"
