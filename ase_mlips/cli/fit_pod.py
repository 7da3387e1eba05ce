"""``ase-mlips fit pod``: fit POD, linear, quadratic or with a network, or the sum of POD and SNAP."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase.calculators.calculator import CalculationFailed

from ase_mlips.files.places import require_place
from ase_mlips.fit import LabelledFrame, Loss, Training, fit_overlay, fit_pod, fit_pod_network, snap_template
from ase_mlips.heads.network import Network
from ase_mlips.overlay import OverlayModel, write_overlay
from ase_mlips.pod import PodBasis, PodModel, write_pod

from .fit_descriptors import elements_of, fit_and_save, training_of
from .fit_files import rehearsed

_ENDINGS = ("_coefficients.pod", "_coeff.pod", "_param.pod", ".pod.npz")
_SUMS = (".overlay.npz", ".overlay")


def run(args: Namespace) -> int:
    """Fit a POD potential to ``args.files``, print its errors and write it to ``args.output``."""
    training = training_of(args)
    return fit_and_save(args, _rehearse(args, training), partial(_fit, args, training))


def _fit(
    args: Namespace,
    training: Training | None,
    train: Sequence[LabelledFrame],
    test: Sequence[LabelledFrame],
    loss: Loss,
) -> Any:
    elements = elements_of(args, train)
    basis = _basis(args, elements)
    if training is not None:
        try:
            return fit_pod_network(basis, train, test=test, loss=loss, training=training)
        except FloatingPointError as error:
            raise CalculationFailed(str(error)) from error
    if args.snap is None:
        return fit_pod(basis, train, test=test, loss=loss, quadratic=args.quadratic)
    radii = [0.5] * len(elements)
    template = snap_template(elements, radii=radii, twojmax=args.snap, rcutfac=args.cutoff)
    return fit_overlay([basis, template], train, test=test, loss=loss)


def _basis(args: Namespace, elements: Sequence[str]) -> PodBasis:
    """The descriptors that the options ask for; terms of more bodies than are given are left out."""
    radial, angular = tuple(args.radial), tuple(args.angular)
    return PodBasis(
        tuple(elements),
        args.rin,
        args.cutoff,
        args.bessel,
        args.inverse,
        radial + (0,) * (6 - len(radial)),
        angular + (0,) * (5 - len(angular)),
    )


def _rehearse(args: Namespace, training: Training | None) -> list[Path]:
    """Names of all files that the fit will write, the picture last; what hinders that must be known before the fit."""
    endings = _ENDINGS if args.snap is None else _SUMS
    if not args.output.endswith(endings):
        with_snap = "" if args.snap is None else " with --snap"
        raise ValueError(f"{args.output}: expected a name that ends in {' or '.join(endings)}{with_snap}")
    for name, most in (("radial", 6), ("angular", 5)):
        if len(getattr(args, name)) > most:
            raise ValueError(f"--{name}: expected at most {most} numbers, got {len(getattr(args, name))}")
    for name, given in (("head", training is not None), ("quadratic", args.quadratic)):
        if given and args.snap is not None:
            raise ValueError(f"--{name}: not possible together with --snap")
    require_place(args.output)
    basis = _basis(args, ["H"])
    M = basis.n_descriptors
    pod = PodModel(basis, np.zeros(1), np.zeros((1, 1, M)))
    if args.quadratic:
        pod = replace(pod, quadratic=np.zeros((1, M * (M + 1) // 2)))
    if training is not None:
        pod = replace(
            pod, network=Network((M, 1), ("linear",), np.zeros((1, M + 1)), np.zeros((1, M)), np.ones((1, M)))
        )
    if args.snap is None:
        return rehearsed(args.output, lambda place: write_pod(place, pod))
    snap = snap_template(["H"], radii=[0.5], twojmax=args.snap, rcutfac=args.cutoff)
    return rehearsed(args.output, lambda place: write_overlay(place, OverlayModel((pod, snap))))
