"""Figures in files, without a screen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .common import replacing


@contextmanager
def saved_figure(path: str, width: float, height: float) -> Iterator[Any]:
    """A matplotlib Figure of this size in inches, to draw on; it replaces the file when the block ends well."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    yield figure
    with replacing(path) as place:
        figure.savefig(place, dpi=150)
