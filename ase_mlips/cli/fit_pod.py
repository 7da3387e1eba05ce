"""``ase-mlips fit pod``: fit a POD potential, or the sum of POD and SNAP, to labelled structures."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ase_mlips.files.places import require_place
from ase_mlips.fit import LabelledFrame, Loss, fit_overlay, fit_pod, snap_template
from ase_mlips.overlay import OverlayModel, write_overlay
from ase_mlips.pod import PodBasis, PodModel, write_pod

from .fit_descriptors import elements_of, fit_and_save
from .fit_files import rehearsed

_ENDINGS = ("_coefficients.pod", "_coeff.pod", "_param.pod", ".pod.npz")
_SUMS = (".overlay.npz", ".overlay")


def run(args: Namespace) -> int:
    """Fit a POD potential to ``args.files``, print its errors and write it to ``args.output``."""
    return fit_and_save(args, _rehearse(args), partial(_fit, args))


def _fit(args: Namespace, train: Sequence[LabelledFrame], test: Sequence[LabelledFrame], loss: Loss) -> Any:
    elements = elements_of(args, train)
    basis = _basis(args, elements)
    if args.snap is None:
        return fit_pod(basis, train, test=test, loss=loss)
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


def _rehearse(args: Namespace) -> list[Path]:
    """Names of all files that the fit will write, the picture last; what hinders that must be known before the fit."""
    endings = _ENDINGS if args.snap is None else _SUMS
    if not args.output.endswith(endings):
        with_snap = "" if args.snap is None else " with --snap"
        raise ValueError(f"{args.output}: expected a name that ends in {' or '.join(endings)}{with_snap}")
    for name, most in (("radial", 6), ("angular", 5)):
        if len(getattr(args, name)) > most:
            raise ValueError(f"--{name}: expected at most {most} numbers, got {len(getattr(args, name))}")
    require_place(args.output)
    basis = _basis(args, ["H"])
    pod = PodModel(basis, np.zeros(1), np.zeros((1, 1, basis.n_descriptors)))
    if args.snap is None:
        return rehearsed(args.output, lambda place: write_pod(place, pod))
    snap = snap_template(["H"], radii=[0.5], twojmax=args.snap, rcutfac=args.cutoff)
    return rehearsed(args.output, lambda place: write_overlay(place, OverlayModel((pod, snap))))
