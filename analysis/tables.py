"""Results as one line, as a small table with a figure, and as columns in a text file."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from io import BytesIO
from typing import Any

from ase_mlips.arrays import FloatArray
from ase_mlips.files.text import replace_files

from .results import Result


class Tabulated(Result):
    """Base of results that have `columns` of numbers, and a few `facts` by which they are known."""

    def facts(self) -> dict[str, str]:
        """What one wants to know first: names, and values with their errors and units."""
        raise NotImplementedError

    def columns(self) -> dict[str, FloatArray]:
        """Arrays (K,) by name with unit."""
        raise NotImplementedError

    def plot(self, ax: Any = None) -> Any:
        """Draw the result into Matplotlib axes, or new ones; returns the Axes."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return one_line(type(self).__name__, self.facts())

    def _repr_html_(self) -> str:
        """The facts and the figure, for notebooks."""
        return html_table(self.facts()) + _html_figure(self)

    def write_text(self, path: str | os.PathLike[str]) -> None:
        """Write the columns as text.

        A name that ends in .csv gets commas below one line of names, as spreadsheets expect it; in any other file the
        columns are aligned, below the facts and the names in lines that begin with ``#``.

        Raises
        ------
        OSError
            The file cannot be written; one that exists then stays as it is.
        """
        write_columns(path, self.columns(), self.facts())


def one_line(name: str, facts: Mapping[str, str]) -> str:
    """``Name(fact: value, ...)``."""
    return f"{name}({', '.join(f'{what}: {value}' for what, value in facts.items())})"


def html_table(facts: Mapping[str, str]) -> str:
    """A row for each fact, for notebooks."""
    rows = "".join(f"<tr><th>{escape(what)}</th><td>{escape(value)}</td></tr>" for what, value in facts.items())
    return f"<table>{rows}</table>"


def write_columns(
    path: str | os.PathLike[str], columns: Mapping[str, FloatArray], facts: Mapping[str, str] | None = None
) -> None:
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
        lines = [f"# {what}: {value}" for what, value in (facts or {}).items()] + lines
    replace_files({name: "".join(f"{line}\n" for line in lines).encode()})


def _html_figure(result: Tabulated) -> str:
    """What `plot` draws, as a picture within the page."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 4.0), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    result.plot(figure.subplots())
    picture = BytesIO()
    figure.savefig(picture, format="png")
    return f'<img alt="{type(result).__name__}" src="data:image/png;base64,{b64encode(picture.getvalue()).decode()}">'
