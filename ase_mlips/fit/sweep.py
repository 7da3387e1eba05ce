"""The trade-off between energies and forces: fits for many weights, judged on frames that they have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ..arrays import FloatArray, Int64Array
from ..engine.neighbors import NeighborList
from ..potential import Potential
from .dataset import LabelledFrame, chosen, random_parts
from .equations import LinearEquations
from .loss import Loss
from .protocols import LinearModel
from .report import labels_of, predict, write_json
from .tables import html_table

RATIOS = tuple(10.0 ** (0.5 * exponent) for exponent in range(-8, 1))  # 1e-4 to 1, two per decade


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """Validation errors for several ratios of the force to the energy weight.

    Attributes
    ----------
    ratios : (R,) array
        w_F / w_E with residuals in eV/A and eV/atom.
    energy_mae, force_mae : (S, R) arrays
        Mean absolute errors in eV/atom and eV/A on the validation frames of each of S splits, which are the same
        for all ratios.
    """

    ratios: FloatArray
    energy_mae: FloatArray
    force_mae: FloatArray

    def __repr__(self) -> str:
        ratios = f"{len(self.ratios)} ratios from {self.ratios.min():g} to {self.ratios.max():g}"
        return f"Sweep({ratios}, {len(self.energy_mae)} splits)"

    def _repr_html_(self) -> str:
        columns = (1000.0 * errors.T for errors in (self.energy_mae, self.force_mae))
        energy, force = ([f"{row.mean():.3g} ± {row.std():.2g}" for row in rows] for rows in columns)
        rows = zip((f"{ratio:.3g}" for ratio in self.ratios), energy, force, strict=True)
        return html_table(["w_F / w_E", "energy MAE (meV/atom)", "force MAE (meV/A)"], rows)

    def save(self, path: str | Path) -> None:
        """Write the numbers as JSON, complete or not at all."""
        write_json(path, {name: values.tolist() for name, values in asdict(self).items()})

    def plot(self, ax: Any = None) -> Any:
        """Force against energy error, mean and standard deviation over the splits, coloured by the ratio.

        Parameters
        ----------
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib Axes
        """
        from matplotlib.colors import LogNorm

        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(layout="constrained")
        energy, force = 1000.0 * self.energy_mae, 1000.0 * self.force_mae
        x, y = energy.mean(axis=0), force.mean(axis=0)
        ax.errorbar(x, y, force.std(axis=0), energy.std(axis=0), color="0.7", linewidth=1.0, zorder=1)
        points = ax.scatter(x, y, c=self.ratios, norm=LogNorm(), zorder=2)
        ax.figure.colorbar(points, ax=ax, label="$w_F / w_E$")
        ax.set(xlabel="energy MAE (meV/atom)", ylabel="force MAE (meV/A)")
        return ax


def sweep_weights(
    design: LinearModel[Any],
    frames: Sequence[LabelledFrame],
    loss: Loss,
    *,
    ratios: Sequence[float] | FloatArray = RATIOS,
    splits: int = 5,
    seed: int = 0,
) -> Sweep:
    """Fit for each ratio w_F / w_E and split, and measure the errors on the frames left out.

    The frames are described once; each further fit costs one solution of the normal equations.

    Parameters
    ----------
    design : LinearModel
    frames : sequence of LabelledFrame
    loss : Loss
        Energy and stress weights (also of the groups) and ridge; its force weights are replaced.
    ratios : sequence of float
        Above 0.
    splits : int
        The frames of each group are dealt at random into so many parts; each is the validation set of one split.
    seed : int

    Raises
    ------
    ValueError
        Fewer than two splits, more splits than frames, a ratio that is not above 0, or validation frames without any
        energy or without any forces.
    numpy.linalg.LinAlgError
        The normal equations are singular in double precision; give `loss` a ridge.
    """
    values = np.asarray(ratios, dtype=np.float64)
    if not 2 <= splits <= len(frames):
        raise ValueError(f"splits: expected 2 to {len(frames)} (the number of frames), got {splits}")
    if values.ndim != 1 or not np.all(values > 0.0):
        raise ValueError(f"ratios: expected numbers above 0, got {ratios}")
    parts = random_parts(frames, 1.0 / splits, splits, seed)
    _require_labels(frames, parts, splits)
    equations = LinearEquations(design, frames, parts=parts)
    errors = np.empty((splits, len(values), 2))
    for split, ratio in tqdm(list(np.ndindex(splits, len(values))), desc="weights", unit="fit", disable=None):
        model, _ = equations.solve(loss.with_force_ratio(values[ratio]), without={split})
        errors[split, ratio] = mean_errors(design.ready(model), chosen(frames, np.flatnonzero(parts == split)))
    return Sweep(values, errors[..., 0], errors[..., 1])


def _require_labels(frames: Sequence[LabelledFrame], parts: Int64Array, splits: int) -> None:
    """ValueError if a validation set has no energy or no forces."""
    there = {
        (int(part), label)
        for frame, part in zip(frames, parts, strict=True)
        for label in ("energy", "forces")
        if getattr(frame, label) is not None
    }
    for split, label in product(range(splits), ("energy", "forces")):
        if (split, label) not in there:
            raise ValueError(
                f"frames: no {label} in validation set {split} of {splits}; add frames or take fewer splits"
            )


def mean_errors(potential: Potential, frames: Sequence[LabelledFrame]) -> tuple[float, float]:
    """Mean absolute error of energy per atom and of force components."""
    neighbors = NeighborList(potential.cutoff, skin=0.0)
    found: dict[str, list[FloatArray]] = {"energy": [], "force": []}
    for frame in frames:
        predicted, labels = predict(potential, frame, neighbors), labels_of(frame)
        for quantity in found.keys() & labels.keys():
            found[quantity].append(np.abs(predicted[quantity] - labels[quantity]))
    energy, force = (float(np.mean(np.concatenate(errors))) for errors in found.values())
    return energy, force
