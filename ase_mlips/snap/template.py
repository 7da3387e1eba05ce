"""SNAP models that are still to be fitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase.data import atomic_numbers

from .model import SnapModel, Zbl, bispectrum_labels


def snap_template(
    elements: Sequence[str],
    *,
    radii: Sequence[float],
    weights: Sequence[float] | None = None,
    zbl: tuple[float, float] | None = None,
    **parameters: Any,
) -> SnapModel:
    """A model without coefficients (they are zero), to be fitted.

    Parameters
    ----------
    elements : sequence of str
    radii, weights : sequences of float
        R in A and w of each element; all weights are 1 by default.
    zbl : (inner, outer), optional
        Distances in A between which the ZBL repulsion of the bare nuclei is switched off.
    **parameters
        Further fields of `SnapModel`; `twojmax` and `rcutfac` are required.

    Raises
    ------
    ValueError
        From `SnapModel`, where a value has no meaning.
    """
    charges = tuple(float(atomic_numbers[element]) for element in elements) if zbl else ()
    K = len(bispectrum_labels(parameters["twojmax"])) * (len(elements) ** 3 if parameters.get("chemflag") else 1)
    columns = 1 + K + (K * (K + 1) // 2 if parameters.get("quadraticflag") else 0)
    return SnapModel(
        elements=tuple(elements),
        radii=np.array(radii, dtype=np.float64),
        weights=np.ones(len(elements)) if weights is None else np.array(weights, dtype=np.float64),
        coefficients=np.zeros((len(elements), columns)),
        zbl=Zbl(*zbl, charges) if zbl else None,
        **parameters,
    )
