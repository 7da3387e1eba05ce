"""Results of phonons in files: figures, without a screen, and columns of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ase_mlips.analysis.tables import Tabulated

from .outputs import replacing


@contextmanager
def saved_figure(path: str, width: float, height: float, *, force: bool) -> Iterator[Any]:
    """A matplotlib Figure of this size in inches, to draw on; it replaces the file when the block ends well."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    yield figure
    with replacing(path, force=force) as place:
        figure.savefig(place, dpi=150)


def write_columns(results: Mapping[str, Tabulated], *, force: bool) -> None:
    """Write each result to its file, see `Tabulated.write_text`."""
    for path, result in results.items():
        with replacing(path, force=force) as place:
            result.write_text(place)
