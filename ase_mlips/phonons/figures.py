"""Figures of several panels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ase_mlips.analysis import VDOS

from .bands import Bands
from .properties import PhononDOS

if TYPE_CHECKING:
    from .comparison import PhononComparison


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


def comparison(result: PhononComparison, *, figure: Any = None) -> Any:
    """A panel of bands for each structure, and one of the frequency errors against the force errors."""
    with_forces = any(_drawable(result, *key) for key in result.rmse)
    panels = len(result.structures) + with_forces
    columns = min(panels, 3)
    rows = -(-panels // columns)
    figure = new_figure(figure, 4.5 * columns, 3.6 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for k, structure in enumerate(result.structures):
        result.bands(structure).plot(axes[k], color="black", linewidth=1.5, label="reference")
        for m, model in enumerate(result.models):
            result.bands(structure, model).plot(axes[k], color=f"C{m}", linestyle="--", label=model)
        axes[k].set_title(structure)
    entries = [line for line in axes[0].lines if not line.get_label().startswith("_")]
    figure.legend(handles=entries, loc="outside upper center", ncols=4, frameon=False, fontsize="small")
    for ax in axes[panels:]:
        ax.remove()
    if with_forces:
        _against_forces(axes[panels - 1], result)
    return figure


def _drawable(result: PhononComparison, structure: str, model: str) -> bool:
    """Whether both errors are known and have a place on a logarithmic scale."""
    errors = result.force_rmse[structure, model], result.rmse[structure, model]
    return all(0.0 < error < np.inf for error in errors)


def _against_forces(ax: Any, result: PhononComparison) -> None:
    named = set()
    for k, structure in enumerate(result.structures):
        for m, model in enumerate(result.models):
            if not _drawable(result, structure, model):
                continue
            force = 1e3 * result.force_rmse[structure, model]
            ax.plot(force, result.rmse[structure, model], marker="os^Dv<>p*"[k % 9], color=f"C{m}", linestyle="")
            if model not in named:
                named.add(model)
                ax.annotate(model, (force, result.rmse[structure, model]), (4, 4), textcoords="offset points")
    ax.set(xlabel="RMSE of forces (meV/Å)", ylabel="RMSE of frequencies (THz)", xscale="log", yscale="log")
