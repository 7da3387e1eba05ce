"""The picture of ``ase-mlips demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ase_mlips.analysis import RDF, VDOS, rdf

from .demo_results import Equation, Run

_BLUE, _ORANGE, _GREEN, _GREY = "#20639b", "#e07b39", "#2e8b6f", "#8a8f98"
_STYLE = {
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}


def draw(path: Path, crystal: Atoms, equation: Equation, run: Run, radial: RDF, spectrum: VDOS) -> None:
    """Four panels: energy against volume, molecular dynamics, g(r), vibrational density of states."""
    with rc_context(_STYLE):
        layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08, wspace=0.04, hspace=0.04)
        figure = Figure(figsize=(10.5, 7.2), dpi=150, layout=layout)
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(2, 2)
        halves = grid[0, 1].subgridspec(2, 1)
        _draw_equation(figure.add_subplot(grid[0, 0]), crystal, equation)
        _draw_temperature(figure.add_subplot(halves[0]), run)
        _draw_conservation(figure.add_subplot(halves[1]), run)
        _draw_radial(figure.add_subplot(grid[1, 0]), crystal, radial)
        _draw_spectrum(figure.add_subplot(grid[1, 1]), spectrum, len(run.frames[0]))
        figure.savefig(path)


def _draw_equation(ax: Any, crystal: Atoms, equation: Equation) -> None:
    lowest = equation.minimum[1]
    ax.plot(equation.curve[0], 1e3 * (equation.curve[1] - lowest), color=_BLUE, label="Birch-Murnaghan fit")
    ax.plot(equation.volumes, 1e3 * (equation.energies - lowest), "o", color=_ORANGE, label="potential")
    ax.set(title="Equation of state", xlabel="volume (Å³/atom)", ylabel="energy above minimum (meV/atom)")
    rows = (
        ("a", f"{crystal.cell.lengths().mean():.4f} Å"),
        ("E", f"{lowest:.4f} eV/atom".replace("-", "\N{MINUS SIGN}")),
        ("B", f"{equation.bulk_modulus:.1f} GPa"),
    )
    for k, (name, value) in enumerate(rows):
        ax.text(0.44, 0.66 - 0.09 * k, f"${name}$", transform=ax.transAxes, ha="right")
        ax.text(0.46, 0.66 - 0.09 * k, f"= {value}", transform=ax.transAxes)
    ax.legend(loc="upper center")


def _draw_temperature(ax: Any, run: Run) -> None:
    start = run.equilibration[-1, 0]
    ax.plot(run.equilibration[:, 0], run.equilibration[:, 1], color=_GREY, linewidth=0.9)
    ax.plot(start + run.production[:, 0], run.production[:, 1], color=_BLUE, linewidth=0.9)
    spread = 6.0 * run.production[:, 1].std()
    mean = run.production[:, 1].mean()
    ax.set(title=f"Molecular dynamics of {len(run.frames[0])} atoms", xlabel="time (ps)", ylabel="T (K)")
    ax.set(xlim=(0.0, start + run.production[-1, 0]), ylim=(mean - spread, mean + spread))
    ax.axvline(start, color=_GREY, linewidth=0.8, linestyle=":")
    for x, text, color in ((0.0, " Langevin", _GREY), (start, f" NVE, {mean:.0f} K", _BLUE)):
        ax.text(x, mean + 0.95 * spread, text, va="top", color=color, fontsize=9)


def _draw_conservation(ax: Any, run: Run) -> None:
    shown = run.production[:, 0] <= 0.5
    time = run.production[shown, 0]
    potential, kinetic = (1e3 * (run.production[:, k] - run.production[:, k].mean()) for k in (2, 3))
    for values, color, label in ((potential, _GREEN, "potential"), (kinetic, _ORANGE, "kinetic")):
        ax.plot(time, values[shown], color=color, linewidth=1.2, label=label)
    ax.plot(time, (potential + kinetic)[shown], color=_BLUE, label="total")
    ax.set(xlabel="time in NVE (ps)", ylabel="ΔE (meV/atom)", xlim=(0.0, time[-1]))
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 0.97), ncols=3, handlelength=1.2, borderaxespad=0.0, fontsize=9)


def _draw_radial(ax: Any, crystal: Atoms, radial: RDF) -> None:
    ax.fill_between(radial.r, radial.g, color=_BLUE, alpha=0.25, linewidth=0.0)
    ax.plot(radial.r, radial.g, color=_BLUE)
    top = 1.15 * radial.g.max()
    (running,) = rdf(crystal, r_max=float(radial.edges[-1]), bins=len(radial.g)).coordination.values()
    steps = np.diff(running, prepend=0.0)
    ax.text(0.9, 0.95 * top, "neighbours:", fontsize=8, color=_GREY)
    for r, neighbours in zip(radial.r[steps > 0.5], steps[steps > 0.5], strict=True):
        ax.plot([r, r], [0.0, 0.93 * top], color=_GREY, linewidth=0.8, linestyle=":", zorder=0)
        ax.text(r, 0.95 * top, f"{neighbours:.0f}", ha="center", fontsize=8, color=_GREY)
    ax.set(title="Radial distribution", xlabel="r (Å)", ylabel="g(r)", xlim=(0.8, radial.edges[-1]), ylim=(0.0, top))


def _draw_spectrum(ax: Any, spectrum: VDOS, atoms: int) -> None:
    highest = 20.0  # THz
    shown = spectrum.frequencies <= highest
    frequencies, states = spectrum.frequencies[shown], spectrum.total[shown] / atoms
    ax.fill_between(frequencies, states, color=_GREEN, alpha=0.25, linewidth=0.0)
    ax.plot(frequencies, states, color=_GREEN)
    ax.set(title="Vibrational density of states", xlabel="frequency (THz)", ylabel="states per THz and atom")
    ax.set(xlim=(0.0, highest), ylim=(0.0, None))
    peak = np.argmax(states)
    labels = (f"{spectrum.frequencies_mev[peak]:.0f} meV", f"{spectrum.frequencies_cm1[peak]:.0f} cm$^{{-1}}$")
    text = "\n".join((f"{frequencies[peak]:.1f} THz", *labels))
    ax.annotate(text, (frequencies[peak], states[peak]), (8, -4), textcoords="offset points", va="top")
