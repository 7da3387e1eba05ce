"""Figures of several panels."""

from __future__ import annotations

from typing import Any

from ase_mlips.analysis import VDOS

from .bands import Bands
from .properties import PhononDOS


def new_figure(figure: Any, width: float, height: float) -> Any:
    """The given matplotlib Figure, or a new one of this size in inches."""
    if figure is not None:
        return figure
    from matplotlib import pyplot

    return pyplot.figure(figsize=(width, height), layout="constrained")


def bands_and_dos(bands: Bands, dos: PhononDOS, *, figure: Any = None, vdos: VDOS | None = None) -> Any:
    """Band structure and, turned by a right angle beside it, the densities of states; returns the Figure."""
    figure = new_figure(figure, 7.0, 4.0)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3.0, 1.0))
    bands.plot(left)
    dos.plot(right, vdos=vdos)
    for line in right.lines:
        x, y = line.get_data()
        line.set_data(y, x)
    right.set(
        xlabel="states per THz", ylabel="", xlim=(0.0, 1.05 * max(line.get_xdata().max() for line in right.lines))
    )
    top = max(float(bands.frequencies.max()), float(dos.frequencies.max()))
    left.set_ylim(min(0.0, 1.05 * float(bands.frequencies.min())), 1.03 * top)
    return figure
