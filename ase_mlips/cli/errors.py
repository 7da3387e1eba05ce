"""The errors that ``ase-mlips evaluate`` prints and draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units

from ase_mlips.fit.dataset import LabelledFrame, frame_of
from ase_mlips.fit.offsets import energy_offsets
from ase_mlips.fit.report import Parity, Report, Score, gathered
from ase_mlips.fit.tables import text_table

from .common import explained_labels

_HEADER = ("file", "group", "quantity", "numbers", "MAE", "RMSE", "largest", "unit", "worst frame")
_UNITS = {"energy": (1e3, "meV/atom"), "force": (1e3, "meV/Å"), "stress": (1.0, "GPa")}


@dataclass
class Comparison:
    """Results beside the labels of the files, gathered frame by frame."""

    frames: dict[str, list[LabelledFrame]] = field(default_factory=dict)
    predictions: list[tuple[str, LabelledFrame, Mapping[str, Any]]] = field(default_factory=list)

    def label(self, atoms: Atoms, name: str) -> LabelledFrame:
        """The labels of the next frame of a file; to be asked for before `atoms` gets another calculator."""
        with explained_labels():
            return frame_of(atoms, f"{name}, frame {len(self.frames.setdefault(name, []))}")

    def add(self, name: str, frame: LabelledFrame, results: Mapping[str, Any]) -> None:
        """Put the results of a calculator beside the labels of their frame."""
        values = {"energy": np.array([results["energy"] / len(frame.atoms)]), "force": results["forces"].ravel()}
        if "stress" in results:
            values["stress"] = np.asarray(results["stress"]) / units.GPa
        else:
            frame = replace(frame, stress=None)
        self.frames[name].append(frame)
        self.predictions.append((name, frame, values))

    def report(self) -> Report:
        """Errors of all frames so far."""
        return gathered(self.predictions)


def print_errors(comparison: Comparison) -> None:
    """Mean errors of each file and group, also of the energies after the best constants; nothing without labels."""
    report = comparison.report()
    if not report.parities:
        return
    offsets = energy_offsets(report, comparison.frames)
    shifted = {} if offsets is None else {parity.set: parity for parity in offsets.report.parities}
    rows: list[list[str]] = []
    for parity in report.parities:
        rows += _rows(parity, parity.quantity)
        if parity.quantity == "energy" and parity.set in shifted:
            rows += _rows(shifted[parity.set], "energy - offsets")
    print(text_table(_HEADER, rows, left=3))
    if offsets is not None:
        said = ", ".join(f"{element} {value:+.4f}" for element, value in offsets.values.items())
        print(f"offsets, model - labels (eV/atom): {said}")


def save_parity(comparison: Comparison, path: str) -> None:
    """Draw predictions against labels of energies, forces and stresses."""
    import matplotlib

    matplotlib.use("Agg")
    figure = comparison.report().plot()
    figure.savefig(path, dpi=150, format=Path(path).suffix[1:])
    matplotlib.pyplot.close(figure)


def _rows(parity: Parity, quantity: str) -> list[list[str]]:
    """One for the whole file, and one for each group if there are several."""
    groups = sorted(set(parity.groups.tolist()))
    chosen = [None, *groups] if len(groups) > 1 else [None]
    return [_row(parity.score(group), quantity, "all" if group is None else group) for group in chosen]


def _row(score: Score, quantity: str, group: str) -> list[str]:
    scale, unit = _UNITS[score.quantity]
    errors = [f"{scale * value:.3f}" for value in (score.mae, score.rmse, score.largest)]
    return [score.set, group, quantity, str(score.count), *errors, unit, score.worst.rpartition("frame ")[2]]
