"""How well a potential reproduces labelled frames: errors by group and parity plots."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import units
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray
from tqdm import tqdm

from ..arrays import FloatArray, Int64Array
from ..engine.neighbors import NeighborList
from ..potential import Potential
from .dataset import QUANTITIES, LabelledFrame, species_of
from .tables import html_table, text_table

UNITS = {"energy": "eV/atom", "force": "eV/A", "stress": "GPa", "dipole": "1/atom", "polarizability": "1/atom"}
_EVERYTHING = "*all"
_HEADER = ("set", "group", "quantity", "count", "MAE", "RMSE", "largest", "unit", "worst frame")


@dataclass(frozen=True)
class Score:
    """Errors of one quantity over the frames of one group ("*all": over all frames of the set), in `UNITS`.

    `worst` is the source of the frame that has the largest error.
    """

    set: str
    group: str
    quantity: str
    count: int
    mae: float
    rmse: float
    largest: float
    worst: str


@dataclass(frozen=True, eq=False, repr=False)
class Parity:
    """Labels and predictions of one quantity, one number per energy or component, in `UNITS`.

    Attributes
    ----------
    set : str
        Name of the set of frames, for example "train".
    quantity : str
        "energy" (per atom), "force" (components), "stress" (xx yy zz yz xz xy), "dipole" or "polarizability" (per
        atom, in the unit of the labels).
    reference, predicted : (m,) arrays
    groups : (m,) array of str
    frames : (m,) int array
        Number of the frame in its set.
    sources : sequence of str
        Where each frame of the set comes from.
    """

    set: str
    quantity: str
    reference: FloatArray
    predicted: FloatArray
    groups: NDArray[np.str_]
    frames: Int64Array
    sources: Sequence[str]

    def __repr__(self) -> str:
        score = self.score()
        return (
            f"Parity({self.set} {self.quantity}: {score.count} numbers, MAE {score.mae:.4g}, RMSE {score.rmse:.4g}"
            f" {UNITS[self.quantity]})"
        )

    def score(self, group: str | None = None) -> Score:
        """Errors over one group, or over all of them."""
        members = slice(None) if group is None else self.groups == group
        error = np.abs(self.predicted - self.reference)[members]
        worst = self.sources[int(self.frames[members][np.argmax(error)])]
        name = _EVERYTHING if group is None else group
        mae, rmse = float(np.mean(error)), float(np.sqrt(np.mean(error**2)))
        return Score(self.set, name, self.quantity, len(error), mae, rmse, float(error.max()), worst)


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """Predictions beside labels for one or several sets of frames; `str` gives the table of errors."""

    parities: tuple[Parity, ...]

    def parity(self, set: str, quantity: str) -> Parity:
        """The pairs of numbers of one set and quantity; KeyError if there are no such labels."""
        for parity in self.parities:
            if (parity.set, parity.quantity) == (set, quantity):
                return parity
        raise KeyError((set, quantity))

    def scores(self) -> list[Score]:
        """Errors of each set and quantity, over all frames and then group by group."""
        return [p.score(group) for p in self.parities for group in (None, *sorted(set(p.groups.tolist())))]

    def __str__(self) -> str:
        return text_table(_HEADER, self._rows(), left=3)

    def __repr__(self) -> str:
        return f"Report({'; '.join(repr(parity)[7:-1] for parity in self.parities)})"

    def _repr_html_(self) -> str:
        return html_table(_HEADER, self._rows())

    def _rows(self) -> list[list[str]]:
        return [
            [
                *(s.set, s.group, s.quantity, str(s.count)),
                *(f"{value:.5g}" for value in (s.mae, s.rmse, s.largest)),
                *(UNITS[s.quantity], s.worst),
            ]
            for s in self.scores()
        ]

    def save(self, path: str | Path) -> None:
        """Write the scores as JSON, complete or not at all."""
        write_json(path, {"units": UNITS, "scores": [asdict(score) for score in self.scores()]})

    def plot(self, axes: Any = None, *, quantities: Sequence[str] = QUANTITIES) -> Any:
        """Parity plots side by side, every set in its colour.

        Parameters
        ----------
        axes : matplotlib Axes, optional
            As many as there are quantities.
        quantities : sequence of str

        Returns
        -------
        matplotlib Figure
        """
        if axes is None:
            import matplotlib.pyplot as plt

            _, axes = plt.subplots(1, len(quantities), figsize=(12.0, 4.0), layout="constrained")
        for ax, quantity in zip(axes, quantities, strict=True):
            for parity in (p for p in self.parities if p.quantity == quantity):
                label = f"{Path(parity.set).name}, MAE {parity.score().mae:.3g}"  # a set may be called like its file
                ax.plot(parity.reference, parity.predicted, ".", markersize=3, label=label, rasterized=True)
            if ax.lines:
                middle = float(np.mean(ax.get_xlim()))
                ax.axline((middle, middle), slope=1.0, color="k", linewidth=0.5)
                ax.legend(fontsize="small").set_in_layout(False)
            ax.set(xlabel=f"reference {quantity} ({UNITS[quantity]})", ylabel=f"predicted ({UNITS[quantity]})")
        return axes[0].figure


def compare(potential: Potential, sets: Mapping[str, Sequence[LabelledFrame]]) -> Report:
    """Evaluate a potential on labelled frames.

    Parameters
    ----------
    potential : Potential
    sets : mapping
        Frames by the name of their set, for example ``{"train": ..., "test": ...}``.

    Raises
    ------
    ValueError
        A frame has an element that the potential lacks, or forces that are not finite.
    """
    frames = ((name, frame) for name, members in sets.items() for frame in members)
    neighbors = NeighborList(potential.cutoff, skin=0.0)
    bar = tqdm(frames, total=sum(map(len, sets.values())), desc="testing", unit="frame", disable=None)
    return gathered((name, frame, predict(potential, frame, neighbors)) for name, frame in bar)


def gathered(
    predictions: Iterable[tuple[str, LabelledFrame, Mapping[str, FloatArray]]],
    labels: Callable[[LabelledFrame], Mapping[str, FloatArray]] | None = None,
) -> Report:
    """The report on predictions, each with the name of its set and its frame; `labels` is `labels_of` by default."""
    labels = labels or labels_of
    found: dict[tuple[str, str], list[tuple[FloatArray, FloatArray, str, int]]] = {}
    sources: dict[str, list[str]] = {}
    for name, frame, predicted in predictions:
        own = sources.setdefault(name, [])
        for quantity, label in labels(frame).items():
            found.setdefault((name, quantity), []).append((label, predicted[quantity], frame.group, len(own)))
        own.append(frame.source)
    parities = []
    for (name, quantity), parts in found.items():
        reference, values = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
        lengths = [len(part[0]) for part in parts]
        groups, numbers = (np.repeat([part[k] for part in parts], lengths) for k in (2, 3))
        parities.append(Parity(name, quantity, reference, values, groups, numbers, sources[name]))
    return Report(tuple(parities))


def labels_of(frame: LabelledFrame) -> dict[str, FloatArray]:
    """What is to be reproduced, as far as labelled: energy per atom (1,), forces (3 N,), stress (6,), in `UNITS`."""
    labels = {}
    if frame.energy is not None:
        labels["energy"] = np.array([frame.energy / len(frame.atoms)])
    if frame.forces is not None:
        labels["force"] = frame.forces.ravel()
    if frame.stress is not None:
        labels["stress"] = full_3x3_to_voigt_6_stress(frame.stress) / units.GPa
    return labels


def predict(potential: Potential, frame: LabelledFrame, neighbors: NeighborList) -> dict[str, FloatArray]:
    """The same quantities from a potential, energy and forces also without labels; `neighbors` is of its cutoff.

    Raises
    ------
    ValueError
        A frame has an element that the potential lacks, or forces that are not finite.
    """
    atoms = frame.atoms
    neighbors.update(atoms.positions, atoms.cell.array, atoms.pbc)
    evaluation = potential.evaluate(neighbors, species_of(frame, potential.elements))
    if not (np.isfinite(evaluation.energies).all() and np.isfinite(evaluation.forces).all()):
        raise ValueError(f"{frame.source}: energy or forces of the model are not finite; are two atoms on one site?")
    values = {"energy": np.array([evaluation.energies.mean()]), "force": evaluation.forces.ravel()}
    if frame.stress is not None:
        virial = evaluation.virials.sum(axis=0)
        values["stress"] = full_3x3_to_voigt_6_stress(-0.5 * (virial + virial.T)) / atoms.get_volume() / units.GPa
    return values


def write_json(path: str | Path, content: Any) -> None:
    """Write a JSON file under another name first, so that an interruption leaves no half of it."""
    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
