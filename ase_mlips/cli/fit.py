"""``ase-mlips fit snap``: fit a potential to labelled structures."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from ase.calculators.calculator import CalculationFailed

from ase_mlips.files.places import require_place
from ase_mlips.fit import (
    LabelledFrame,
    Loss,
    NetworkFit,
    SnapFit,
    Training,
    fit_network,
    fit_snap,
    snap_template,
)
from ase_mlips.heads.network import Network
from ase_mlips.snap import SnapModel, write_snap

from .fit_descriptors import elements_of, fit_and_save, training_of
from .fit_files import rehearsed

_ENDINGS = (".snapcoeff", ".snap", ".mliap.model", ".mliap", ".snap.npz")


def run(args: Namespace) -> int:
    """Fit a SNAP potential to ``args.files``, print its errors and write it to ``args.output``."""
    training = training_of(args)
    written = _rehearse(args.output, args.zbl, training)
    return fit_and_save(args, written, partial(_fit, args, training))


def _fit(
    args: Namespace,
    training: Training | None,
    train: Sequence[LabelledFrame],
    test: Sequence[LabelledFrame],
    loss: Loss,
) -> SnapFit | NetworkFit:
    template = _template(args, train)
    if training is None:
        return fit_snap(template, train, test=test, loss=loss)
    try:
        return fit_network(template, train, test=test, loss=loss, training=training)
    except FloatingPointError as error:
        raise CalculationFailed(str(error)) from error


def _template(args: Namespace, train: Sequence[LabelledFrame]) -> SnapModel:
    elements = elements_of(args, train)
    radii = args.radii or [0.5] * len(elements)
    if len(radii) != len(elements):
        raise ValueError(f"expected one radius for each of {', '.join(elements)}, got {len(radii)}")
    return snap_template(
        elements,
        radii=radii,
        zbl=args.zbl,
        twojmax=args.twojmax,
        rcutfac=args.cutoff / (2.0 * max(radii)),
        quadraticflag=args.quadratic,
        chemflag=args.chem,
    )


def _rehearse(output: str, zbl: tuple[float, float] | None, training: Training | None) -> list[Path]:
    """Write a small model under this name and remove it: what hinders that must be known before the fit.

    Returns the names of all files that the fit will write, the picture last.
    """
    if not output.endswith(_ENDINGS):
        raise ValueError(f"{output}: expected a name that ends in {', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]}")
    require_place(output)
    model = snap_template(["H"], radii=[1.0], zbl=zbl, twojmax=0, rcutfac=1.0)
    if training is not None:
        network = Network(
            (1, 1, 1), (training.activation, "linear"), np.zeros((1, 4)), np.zeros((1, 1)), np.ones((1, 1))
        )
        model = replace(model, coefficients=np.zeros((1, 0)), network=network)
    return rehearsed(output, lambda place: write_snap(place, model))
