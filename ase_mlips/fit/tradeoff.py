"""The trade-off between energies and forces of several models in one picture: each is fitted for many weights.

A. Rohskopf et al., J. Mater. Res. 38, 5136 (2023), figure 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ..arrays import FloatArray
from ..potential import Potential
from .dataset import LabelledFrame
from .equations import LinearFit
from .loss import Loss
from .report import write_json
from .sweep import Sweep, mean_errors
from .tables import html_table
from .trained import TrainedFit

RATIOS = tuple(10.0 ** (0.5 * exponent) for exponent in range(-8, 9))  # 1e-4 to 1e4, two per decade
FEW_RATIOS = tuple(10.0**exponent for exponent in range(-4, 5, 2))

Candidate = LinearFit[Any] | Callable[[Loss], TrainedFit[Any]]


@dataclass(frozen=True, eq=False, repr=False)
class TradeOff:
    """Energy and force errors of several models on the same frames, each for several ratios of the weights.

    Attributes
    ----------
    curves : mapping
        A `Sweep` of one split, which is the test set, for each name.
    """

    curves: Mapping[str, Sweep]

    def __repr__(self) -> str:
        return f"TradeOff({'; '.join(self.curves)})"

    def _repr_html_(self) -> str:
        return html_table(["model", "w_F / w_E", "energy MAE (meV/atom)", "force MAE (meV/A)"], self._rows())

    def _rows(self) -> Iterator[tuple[str, str, str, str]]:
        for name, curve in self.curves.items():
            errors = (1000.0 * part[0] for part in (curve.energy_mae, curve.force_mae))
            for ratio, energy, force in zip(curve.ratios, *errors, strict=True):
                yield name, f"{ratio:.3g}", f"{energy:.3g}", f"{force:.3g}"

    def best(self, *, energy: float = np.inf) -> dict[str, float]:
        """Least force error in eV/A of each model, among the ratios with an energy error of at most `energy` (eV/atom).

        A model without such a ratio has infinity.
        """
        return {
            name: float(np.min(curve.force_mae[0], initial=np.inf, where=curve.energy_mae[0] <= energy))
            for name, curve in self.curves.items()
        }

    def save(self, path: str | Path) -> None:
        """Write the numbers as JSON, complete or not at all."""
        arrays = {name: asdict(curve) for name, curve in self.curves.items()}
        write_json(path, {name: {key: own.tolist() for key, own in kept.items()} for name, kept in arrays.items()})

    def plot(self, ax: Any = None) -> Any:
        """Force against energy error, a curve for each model.

        Names of the form ``descriptors, head`` share colours where their descriptors and markers where their heads are
        the same.

        Parameters
        ----------
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib Axes
        """
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(layout="constrained")
        named = [name.partition(", ") for name in self.curves]
        families, heads = (list(dict.fromkeys(parts)) for parts in ((n[0] for n in named), (n[2] for n in named)))
        for (family, _, head), (name, curve) in zip(named, self.curves.items(), strict=True):
            kind = heads.index(head)
            style = {"color": f"C{families.index(family) % 10}", "marker": "os^vD"[kind % 5]}
            line = ("-", "--", ":", "-.")[kind % 4]
            ax.loglog(1000.0 * curve.energy_mae[0], 1000.0 * curve.force_mae[0], linestyle=line, label=name, **style)
        ax.set(xlabel="energy MAE (meV/atom)", ylabel="force MAE (meV/A)")
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        return ax


def trade_off(
    candidates: Mapping[str, Candidate],
    test: Sequence[LabelledFrame],
    *,
    ratios: Sequence[float] | FloatArray = RATIOS,
    trained: Sequence[float] | FloatArray = FEW_RATIOS,
    loss: Loss | None = None,
) -> TradeOff:
    """Energy and force errors of models on frames that they have not seen, for many ratios w_F / w_E of their weights.

    Parameters
    ----------
    candidates : mapping
        For each name (``descriptors, head``) a fit by least squares, whose equations are solved again for each ratio,
        or a function that trains a model with the weights that it gets.
    test : sequence of LabelledFrame
    ratios : sequence of float
        For fits by least squares; above 0.
    trained : sequence of float
        For models that are trained anew each time; above 0.
    loss : Loss, optional
        Energy and stress weights (also of the groups) and ridge; its force weights are replaced.  Trainings have no
        ridge.

    Raises
    ------
    ValueError
        A ratio that is not above 0, or test frames without any energy or without any forces.
    numpy.linalg.LinAlgError
        Normal equations are singular in double precision; give `loss` a ridge.

    Examples
    --------
    >>> from ase_mlips.fit import fit_network, fit_snap, trade_off
    >>> curves = trade_off(
    ...     {
    ...         "SNAP, linear": fit_snap(template, train),
    ...         "SNAP, network": lambda loss: fit_network(template, train, loss=loss),
    ...     },
    ...     test,
    ... )  # doctest: +SKIP
    >>> curves.plot()  # doctest: +SKIP
    """
    values = {True: np.asarray(ratios, float), False: np.asarray(trained, float)}
    if not all(own.ndim == 1 and np.all(own > 0.0) for own in values.values()):
        raise ValueError(f"ratios, trained: expected numbers above 0, got {ratios} and {trained}")
    for label in ("energy", "forces"):
        if all(getattr(frame, label) is None for frame in test):
            raise ValueError(f"test: expected frames with {label}, got none")
    chosen = {name: values[isinstance(candidate, LinearFit)] for name, candidate in candidates.items()}
    curves, base = {}, loss or Loss()
    with tqdm(total=sum(map(len, chosen.values())), desc="weights", unit="fit", disable=None) as bar:
        for name, candidate in candidates.items():
            errors = np.empty((len(chosen[name]), 2))
            for own, ratio in zip(errors, chosen[name], strict=True):
                own[:] = mean_errors(_fitted(candidate, base.with_force_ratio(ratio)), test)
                bar.update()
            curves[name] = Sweep(chosen[name], errors[None, :, 0], errors[None, :, 1])
    return TradeOff(curves)


def _fitted(candidate: Candidate, loss: Loss) -> Potential:
    """A model with these weights, ready to be evaluated."""
    if isinstance(candidate, LinearFit):
        return candidate.equations.design.ready(candidate.equations.solve(loss)[0])
    fit = candidate(replace(loss, ridge=0.0))
    return fit.family.ready(fit.model)
