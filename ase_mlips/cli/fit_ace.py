"""``ase-mlips fit ace``: fit a linear ACE, or a network on its functions, to labelled structures."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from ase.calculators.calculator import CalculationFailed

from ase_mlips.ace import AceModel, ace_template, read_ace, write_ace
from ase_mlips.ace.fitting import AceFit, AceNetworkFit, fit_ace, fit_ace_network
from ase_mlips.files.places import require_place
from ase_mlips.fit import LabelledFrame, Loss, Training
from ase_mlips.heads.network import Network

from .fit_descriptors import elements_of, fit_and_save, training_of
from .fit_files import rehearsed

_ENDINGS = (".yace", ".ace.npz")


def run(args: Namespace) -> int:
    """Fit an ACE potential to ``args.files``, print its errors and write it to ``args.output``."""
    training = training_of(args)
    return fit_and_save(args, _rehearse(args.output, training), partial(_fit, args, training))


def _fit(
    args: Namespace,
    training: Training | None,
    train: Sequence[LabelledFrame],
    test: Sequence[LabelledFrame],
    loss: Loss,
) -> AceFit | AceNetworkFit:
    template = _template(args, train)
    if training is None:
        return fit_ace(template, train, test=test, loss=loss)
    try:
        return fit_ace_network(template, train, test=test, loss=loss, training=training)
    except FloatingPointError as error:
        raise CalculationFailed(str(error)) from error


def _template(args: Namespace, train: Sequence[LabelledFrame]) -> AceModel:
    if args.template:
        return read_ace(args.template, elements=args.elements)
    try:
        return ace_template(
            elements_of(args, train), cutoff=args.cutoff, nmax=args.nmax, lmax=args.lmax, scale=args.scale
        )
    except ValueError as error:
        raise ValueError(f"--nmax, --lmax: {error}") from error


def _rehearse(output: str, training: Training | None) -> list[Path]:
    """Write a small model under this name and remove it; returns the names of all files that the fit will write."""
    if not output.endswith(_ENDINGS):
        raise ValueError(f"{output}: expected a name that ends in {' or '.join(_ENDINGS)}")
    require_place(output)
    model = ace_template(["H"], cutoff=1.0, nmax=[1], lmax=[0])
    if training is not None:
        flat = np.zeros((1, 1))
        model = replace(model, network=Network((1, 1), ("linear",), np.zeros((1, 2)), flat, flat + 1.0))
    return rehearsed(output, lambda place: write_ace(place, model))
