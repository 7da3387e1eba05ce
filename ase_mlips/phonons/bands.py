"""Frequencies along the recommended path through the Brillouin zone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from ase.cell import Cell
from ase.dft.kpoints import parse_path_string

from ase_mlips.analysis.results import new_axes
from ase_mlips.analysis.tables import Tabulated

from ..arrays import FloatArray
from .tables import between

_INDICES = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_BREADTH, _ROW = 0.6, 1.2  # of a letter and of a line, in font sizes


@dataclass(frozen=True, eq=False, repr=False)
class Bands(Tabulated):
    """Band structure; at a special point, one piece of the path ends and the next begins at the same distance.

    Attributes
    ----------
    q_points : (Q, 3) array
        In units of the reciprocal vectors of the primitive cell.
    distances : (Q,) array
        Along the path in 1/A, without a factor of 2 pi.
    frequencies : (Q, 3n) array
        THz, in ascending order at each point; imaginary ones are negative.
    ticks : (K,) array
        Distances of the special points.
    labels : tuple of K str
        Their names, such as Γ or X; "U|X" where the path jumps.
    """

    q_points: FloatArray
    distances: FloatArray
    frequencies: FloatArray
    ticks: FloatArray
    labels: tuple[str, ...]

    def facts(self) -> dict[str, str]:
        """The path and the range of the frequencies."""
        return {"path": " ".join(self.labels), "frequencies": between(self.frequencies, "THz")}

    def columns(self) -> dict[str, FloatArray]:
        """Distances, q points and branches."""
        q = {f"q{k + 1}": self.q_points[:, k] for k in range(3)}
        branches = {f"branch {k} (THz)": column for k, column in enumerate(self.frequencies.T)}
        return {"distance (1/A)": self.distances, **q, **branches}

    def plot(self, ax: Any = None, **style: Any) -> Any:
        """Draw the branches against the path; `style` goes to matplotlib's ``plot``.  Returns the Axes."""
        ax = new_axes(ax)
        style = {"color": "C0", "linewidth": 1.0, **style}
        label = style.pop("label", None)
        ends = np.flatnonzero(np.diff(self.distances) == 0.0) + 1
        for x, y in zip(np.split(self.distances, ends), np.split(self.frequencies, ends), strict=True):
            lines = ax.plot(x, y, **style)
            if label is not None:
                lines[0].set_label(label)
                label = None
        _label(ax, self.ticks, self.labels)
        ax.set(xlim=(self.distances[0], self.distances[-1]), ylabel="frequency (THz)")
        for tick in self.ticks[1:-1]:
            ax.axvline(tick, color="0.8", linewidth=0.8, zorder=0)
        ax.axhline(0.0, color="0.5", linewidth=0.8, zorder=0)
        return ax


@dataclass(frozen=True)
class Path:
    """The path of `Bands` before the frequencies are known; `pieces` are index ranges between neighbouring ticks."""

    q_points: FloatArray
    distances: FloatArray
    ticks: FloatArray
    labels: tuple[str, ...]
    pieces: tuple[slice, ...]


def recommended_path(cell: FloatArray, points: int = 300) -> Path:
    """The path of Setyawan and Curtarolo, Comput. Mater. Sci. 49, 299 (2010), that ASE finds for a primitive cell.

    Parameters
    ----------
    cell : (3, 3) array
    points : int
        On the whole path, about; every piece has its ends and at least three in between.
    """
    found = Cell(cell).bandpath()
    reciprocal = np.linalg.inv(cell).T
    routes = [[found.special_points[name] for name in route] for route in parse_path_string(found.path)]
    length = sum(np.linalg.norm(np.diff(route, axis=0) @ reciprocal, axis=1).sum() for route in routes)
    q: list[FloatArray] = []
    x: list[FloatArray] = []
    ticks, labels = [0.0], list[str]()
    pieces, count = [], 0
    for names, route in zip(parse_path_string(found.path), routes, strict=True):
        labels[-1:] = [f"{labels[-1]}|{_symbol(names[0])}"] if labels else [_symbol(names[0])]
        for k, (begin, end) in enumerate(pairwise(route)):
            step = float(np.linalg.norm((end - begin) @ reciprocal))
            inner = max(round(points * step / length), 4) + 1
            share = np.linspace(0.0, 1.0, inner)
            q.append(begin + share[:, None] * (end - begin))
            x.append(ticks[-1] + share * step)
            ticks.append(ticks[-1] + step)
            labels.append(_symbol(names[k + 1]))
            pieces.append(slice(count, count + inner))
            count += inner
    return Path(np.concatenate(q), np.concatenate(x), np.array(ticks), tuple(labels), tuple(pieces))


def _symbol(name: str) -> str:
    """G is written as the Greek letter, and numbers are indices."""
    letter = "Γ" if name[0] == "G" else name[0]
    return letter + name[1:].translate(_INDICES)


def _label(ax: Any, ticks: FloatArray, labels: tuple[str, ...]) -> None:
    """Name the ticks; a name that would touch the one before it moves to a row below."""
    ax.set_xticks(ticks, labels)
    width = 72.0 * ax.get_position().width * ax.figure.get_figwidth() / (ticks[-1] - ticks[0])
    ends = [-np.inf, -np.inf]
    for tick, text in zip(ticks, ax.get_xticklabels(), strict=True):
        size = text.get_fontsize()
        half = 0.5 * _BREADTH * size * (len(text.get_text()) + 0.5)
        row = next((row for row, end in enumerate(ends) if width * tick - half >= end), int(np.argmin(ends)))
        ends[row] = width * tick + half
        text.set_y(-row * _ROW * size / (72.0 * ax.get_position().height * ax.figure.get_figheight()))


def special_points(cell: FloatArray) -> dict[str, FloatArray]:
    """The special points (3,) of a primitive cell by name."""
    found = Cell(cell).bandpath()
    return {_symbol(name): np.asarray(found.special_points[name]) for name in found.special_points}
