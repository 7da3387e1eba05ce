"""What an active learning has come to: errors, grades and labels of each round, and whether the model can be used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ase_mlips.analysis.results import new_axes
from ase_mlips.analysis.tables import Tabulated
from ase_mlips.arrays import FloatArray
from ase_mlips.files.text import replace_files


@dataclass(frozen=True)
class Ending:
    """Why a learning has ended.

    Attributes
    ----------
    reason : str
    converged : bool
        The model met nothing new, or is as good as was wanted.
    waiting : bool
        It goes on when labels are there.
    """

    reason: str
    converged: bool
    waiting: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class ActiveResult(Tabulated):
    """An active learning, round by round; numbers that there are not are nan.

    Attributes
    ----------
    reason : str
        Why it ended.
    converged, waiting : bool
        As of `Ending`.
    rounds : (R,) array
        1, 2, ...
    frames, labels : (R,) arrays
        Frames of each training, and labels that were made until then.
    candidates, new : (R,) arrays
        Structures that the explorers kept, and those that were labelled of them.
    grades : (R,) array
        The largest that was met.
    limits : (select, break)
        Grades above which structures are candidates, and above which runs end.
    train_energies, test_energies, new_energies : (R,) arrays
        Errors in meV/atom: on the training and test frames, and on the new ones before the model has seen them.
    train_forces, test_forces, new_forces : (R,) arrays
        Likewise, in eV/A.
    seconds : (R,) array
        Time that the computer took.
    final : tuple of str
        How the long runs with the last model went, a sentence each.
    trusted : bool
        All of them came to their end.
    origin : str
        Versions, command and seed as JSON.
    """

    reason: str
    converged: bool
    waiting: bool
    rounds: FloatArray
    frames: FloatArray
    labels: FloatArray
    candidates: FloatArray
    new: FloatArray
    grades: FloatArray
    limits: tuple[float, float]
    train_energies: FloatArray
    test_energies: FloatArray
    new_energies: FloatArray
    train_forces: FloatArray
    test_forces: FloatArray
    new_forces: FloatArray
    seconds: FloatArray
    final: tuple[str, ...]
    trusted: bool
    origin: str

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, command and seed."""
        found: dict[str, Any] = json.loads(self.origin)
        return found

    def facts(self) -> dict[str, str]:
        """Why it ended, what it took, how good the model is and how long it ran."""
        found = {"ended": self.reason, "rounds": str(len(self.rounds))}
        if len(self.rounds):
            found |= {"labels": f"{self.labels[-1]:g}", "training frames": f"{self.frames[-1]:g}"}
            for name, energies, forces in self._errors():
                if np.isfinite(forces[-1]) or np.isfinite(energies[-1]):
                    found[f"{name} errors"] = f"{energies[-1]:.2f} meV/atom, {forces[-1]:.4f} eV/A"
            found["seconds"] = f"{np.nansum(self.seconds):.0f}"
        if self.final:
            found["final model"] = "; ".join(self.final)
        return found

    def _errors(self) -> tuple[tuple[str, FloatArray, FloatArray], ...]:
        return (
            ("training", self.train_energies, self.train_forces),
            ("test", self.test_energies, self.test_forces),
        )

    def columns(self) -> dict[str, FloatArray]:
        """A row for each round."""
        return {
            "round": self.rounds,
            "frames": self.frames,
            "labels": self.labels,
            "candidates": self.candidates,
            "new": self.new,
            "grade": self.grades,
            "train/(meV/atom)": self.train_energies,
            "test/(meV/atom)": self.test_energies,
            "new/(meV/atom)": self.new_energies,
            "train/(eV/A)": self.train_forces,
            "test/(eV/A)": self.test_forces,
            "new/(eV/A)": self.new_forces,
            "seconds": self.seconds,
        }

    def plot(self, ax: Any = None) -> Any:
        """Draw errors of forces, grades and labels of each round, one below the other in the place of `ax`.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Of `subplots`; it is replaced.

        Returns
        -------
        matplotlib Axes
            The uppermost.
        """
        from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

        ax = new_axes(ax)
        figure, grid = ax.figure, ax.get_subplotspec().subgridspec(3, 1)
        ax.remove()
        top = figure.add_subplot(grid[0])
        middle, bottom = (figure.add_subplot(grid[k], sharex=top) for k in (1, 2))
        curves = {"training frames": self.train_forces, "test frames": self.test_forces}
        curves["new frames, not yet seen"] = self.new_forces
        for (name, values), color in zip(curves.items(), ("C0", "C3", "C1"), strict=True):
            if np.isfinite(values).any():
                top.semilogy(self.rounds, values, "o-", color=color, label=name, markersize=3)
        top.legend(fontsize="x-small")
        top.set_ylabel("force error\n(eV/Å)")
        if np.isfinite(self.grades).any():
            middle.semilogy(self.rounds, self.grades, "o-", color="C2", markersize=3)
        for limit in self.limits:
            middle.axhline(limit, color="0.5", linestyle="--", linewidth=0.8)
        middle.set_ylabel("largest grade")
        for other in (top, middle):
            other.tick_params(labelbottom=False)
            other.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            other.yaxis.set_major_formatter("{x:g}")
            other.yaxis.set_minor_formatter(NullFormatter())
        bottom.bar(self.rounds, self.new, color="C1", label="new in the round")
        bottom.plot(self.rounds, self.labels, "o-", color="C0", label="made before it", markersize=3)
        bottom.legend(fontsize="x-small")
        bottom.set(xlabel="round", ylabel="labels")
        bottom.xaxis.set_major_locator(MaxNLocator(integer=True))
        return top


def write_report(folder: Path, result: ActiveResult) -> None:
    """Write what a learning has come to: ``result.npz``, a table, and a figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    result.save(folder / "result.npz")
    result.write_text(folder / "report.txt")
    if len(result.rounds):
        figure, picture = Figure(figsize=(6.0, 7.0), dpi=150, layout="constrained"), BytesIO()
        FigureCanvasAgg(figure)
        result.plot(figure.subplots())
        figure.savefig(picture, format="png")
        replace_files({str(folder / "report.png"): picture.getvalue()})


def gathered(
    rounds: Sequence[Mapping[str, Mapping[str, Any]]],
    ending: Ending,
    limits: tuple[float, float],
    origin: Mapping[str, Any],
) -> ActiveResult:
    """The result from the records of the steps of all rounds, the first being that of the beginning."""
    own = [row for row in rounds[1:] if "train" in row]
    made = np.cumsum([row.get("label", {}).get("made", 0) for row in rounds], dtype=np.float64)
    last: Mapping[str, Any] = own[-1].get("final", {}) if own else {}
    runs = last.get("runs", [])
    searched = [[row[step] for step in ("explore", "final") if step in row] for row in own]
    return ActiveResult(
        reason=ending.reason,
        converged=ending.converged,
        waiting=ending.waiting,
        rounds=np.arange(1.0, len(own) + 1),
        frames=np.array([float(row["train"]["frames"]) for row in own]),
        labels=made[: len(own)].copy(),
        candidates=np.array([float(sum(part["candidates"] for part in parts)) for parts in searched]),
        new=np.array([float(row.get("label", {}).get("labelled", 0)) for row in own]),
        grades=np.array([max((part["largest"] for part in parts), default=np.nan) for parts in searched]),
        limits=limits,
        seconds=np.array([sum(step["seconds"] for step in row.values()) for row in own]),
        final=tuple(f"{run['name']}: {_end_of(run)}" for run in runs),
        trusted=bool(runs) and all(run["complete"] for run in runs),
        origin=json.dumps(dict(origin)),
        **_series(own),
    )


def _series(rows: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, FloatArray]:
    """Errors of each kind, by the names of the fields."""
    places = {"train": ("train", "train"), "test": ("train", "test"), "new": ("label", "errors")}
    found = {}
    for name, (step, key) in places.items():
        parts = [(row.get(step) or {}).get(key) or {} for row in rows]
        found[f"{name}_energies"] = np.array([part.get("energy", np.nan) for part in parts], dtype=np.float64)
        found[f"{name}_forces"] = np.array([part.get("force", np.nan) for part in parts], dtype=np.float64)
    return found


def _end_of(run: Mapping[str, Any]) -> str:
    if run["complete"]:
        return f"ran to its end, the largest grade was {run['largest']:.3g}"
    return f"did not run to its end: {run['ended']}"
