"""Constants per atom of each element by which energies of two origins differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .dataset import LabelledFrame
from .report import Report


@dataclass(frozen=True, eq=False, repr=False)
class EnergyOffsets:
    """The best constants, and what is left of the errors of the energies.

    Attributes
    ----------
    values : mapping of float
        Prediction minus label for an atom of each element, in eV.
    report : Report
        Energies alone, the predictions less these constants.
    """

    values: Mapping[str, float]
    report: Report

    def __repr__(self) -> str:
        return f"EnergyOffsets({', '.join(f'{element} {value:+.6g}' for element, value in self.values.items())} eV)"


def energy_offsets(report: Report, sets: Mapping[str, Sequence[LabelledFrame]]) -> EnergyOffsets | None:
    """Fit one constant per element to the errors of all energies, by least squares per atom.

    Codes, pseudopotentials and models choose their zeros of energy at will, so that only what is left says how good a
    model is.  Where the compositions do not tell constants apart, the smallest ones are taken.

    Parameters
    ----------
    report : Report
    sets : mapping
        The frames that it is about, by the name of their set.

    Returns
    -------
    EnergyOffsets or None
        None with so few energies that constants alone would reproduce them.
    """
    parities = [parity for parity in report.parities if parity.quantity == "energy"]
    symbols = [[sets[parity.set][int(n)].atoms.get_chemical_symbols() for n in parity.frames] for parity in parities]
    elements = sorted({symbol for own in symbols for frame in own for symbol in frame})
    shares = [np.array([_shares(frame, elements) for frame in own]) for own in symbols]
    if not shares:
        return None
    errors = np.concatenate([parity.predicted - parity.reference for parity in parities])
    values, _, rank, _ = np.linalg.lstsq(np.concatenate(shares), errors, rcond=1e-6)
    if len(errors) <= rank:
        return None
    shifted = tuple(
        replace(parity, predicted=parity.predicted - own @ values) for parity, own in zip(parities, shares, strict=True)
    )
    return EnergyOffsets(dict(zip(elements, values.tolist(), strict=True)), Report(shifted))


def _shares(symbols: Sequence[str], elements: Sequence[str]) -> list[float]:
    return [symbols.count(element) / len(symbols) for element in elements]
