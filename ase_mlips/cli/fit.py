"""``ase-mlips fit snap``: fit a potential to labelled structures."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    split_frames,
)
from ase_mlips.heads.network import Network
from ase_mlips.snap import SnapModel, write_snap

from .common import plain_warnings
from .fit_files import label_counts, read, rehearsed, save, save_plot
from .outputs import claim, file_of

_ENDINGS = (".snapcoeff", ".snap", ".mliap.model", ".mliap", ".snap.npz")
_TRAINING = ("activation", "epochs", "batch_size", "learning_rate", "lbfgs_steps", "patience", "checkpoint")


def run(args: Namespace) -> int:
    """Fit a SNAP potential to ``args.files``, print its errors and write it to ``args.output``."""
    training = training_of(args)
    written = _rehearse(args.output, args.zbl, training)
    outputs = {"-o": written, "--checkpoint": args.checkpoint}
    inputs = map(file_of, [*args.files, *(args.test or ())])
    claim(outputs, inputs, force=args.force, going_on=["--checkpoint"])
    train, test = frames_of(args)
    template = _template(args, train)
    loss = loss_of(args)
    print(f"{len(train)} training and {len(test)} test frames of {', '.join(template.elements)}{label_counts(train)}")
    with plain_warnings():
        fit = _fit(template, train, test=test, loss=loss, training=training)
    return conclude(fit, args, written)


def frames_of(args: Namespace) -> tuple[Sequence[LabelledFrame], Sequence[LabelledFrame]]:
    """Frames to fit to, and to test on."""
    train: Sequence[LabelledFrame] = [frame for name in args.files for frame in read(name, args.elements)]
    test: Sequence[LabelledFrame] = [frame for name in args.test or () for frame in read(name, args.elements)]
    if not args.test and args.test_fraction > 0.0:
        train, test = split_frames(train, args.test_fraction, seed=args.seed)
    return train, test


def loss_of(args: Namespace) -> Loss:
    """What the options say on weights."""
    return Loss(energy=args.energy_weight, force=args.force_weight, stress=args.stress_weight, ridge=args.ridge)


def conclude(fit: Any, args: Namespace, written: Sequence[Path]) -> int:
    """Write a fit and its errors; the exit code."""
    # Testing takes long, too: what Ctrl-C meets there is already on the disk.
    new = () if args.force else written
    interrupted = save(fit, args.output, scores=False, new=new) or getattr(fit, "interrupted", False)
    print(f"wrote {args.output}")
    if interrupted:
        if getattr(fit, "interrupted", False):
            print(f"ase-mlips: interrupted after epoch {len(fit.history['loss'])}", file=sys.stderr)
        return 130
    print(fit.report)
    interrupted = save(fit, args.output)
    save_plot(fit, written[-1], force=args.force)
    return 130 if interrupted else 0


def _fit(
    template: SnapModel,
    train: Sequence[LabelledFrame],
    *,
    test: Sequence[LabelledFrame],
    loss: Loss,
    training: Training | None,
) -> SnapFit | NetworkFit:
    if training is None:
        return fit_snap(template, train, test=test, loss=loss)
    try:
        return fit_network(template, train, test=test, loss=loss, training=training)
    except FloatingPointError as error:
        raise CalculationFailed(str(error)) from error


def training_of(args: Namespace) -> Training | None:
    """What the options say on a network; None without ``--head``."""
    given = {name: value for name in _TRAINING if (value := getattr(args, name)) is not None}
    if args.head is None:
        if given:
            raise ValueError(f"--{next(iter(given)).replace('_', '-')}: expected together with --head")
        return None
    for name, meaningless in (("quadratic", getattr(args, "quadratic", False)), ("ridge", args.ridge > 0.0)):
        if meaningless:
            raise ValueError(f"--{name}: not possible together with --head")
    if "learning_rate" in given:
        given["final_learning_rate"] = min(given["learning_rate"], Training.final_learning_rate)
    try:
        return Training(hidden=args.head, seed=args.seed, **given)
    except ValueError as error:
        raise ValueError(str(error).replace("hidden:", "--head:")) from error


def _template(args: Namespace, train: Sequence[LabelledFrame]) -> SnapModel:
    elements = args.elements or sorted({symbol for frame in train for symbol in frame.atoms.get_chemical_symbols()})
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
