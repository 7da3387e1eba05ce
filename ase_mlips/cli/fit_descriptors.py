"""What the commands that fit models of descriptors share: frames in, a fit, its errors and files out."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ase_mlips.fit import LabelledFrame, Loss, Training, split_frames

from .common import plain_warnings
from .fit_files import label_counts, read, save, save_plot
from .outputs import claim, file_of

_TRAINING = ("activation", "epochs", "batch_size", "learning_rate", "lbfgs_steps", "patience", "checkpoint")

Fit = Callable[[Sequence[LabelledFrame], Sequence[LabelledFrame], Loss], Any]


def fit_and_save(args: Namespace, written: Sequence[Path], fit: Fit) -> int:
    """Read the frames of ``args``, fit, and write the files `written`, the picture last.

    Parameters
    ----------
    args : Namespace
    written : sequence of Path
        See `fit_files.rehearsed`.
    fit : callable
        Takes training and test frames and the weights.
    """
    checkpoint = getattr(args, "checkpoint", None)
    template = getattr(args, "template", None)
    inputs = map(file_of, [*args.files, *(args.test or ()), *([template] if template else [])])
    claim({"-o": written, "--checkpoint": checkpoint}, inputs, force=args.force, going_on=["--checkpoint"])
    train: Sequence[LabelledFrame] = [frame for name in args.files for frame in read(name, args.elements)]
    test: Sequence[LabelledFrame] = [frame for name in args.test or () for frame in read(name, args.elements)]
    if not args.test and args.test_fraction > 0.0:
        train, test = split_frames(train, args.test_fraction, seed=args.seed)
    loss = Loss(energy=args.energy_weight, force=args.force_weight, stress=args.stress_weight, ridge=args.ridge)
    elements = ", ".join(elements_of(args, train))
    print(f"{len(train)} training and {len(test)} test frames of {elements}{label_counts(train)}")
    with plain_warnings():
        found = fit(train, test, loss)
    # Testing takes long, too: what Ctrl-C meets there is already on the disk.
    new = () if args.force else written
    stopped = getattr(found, "interrupted", False)
    interrupted = save(found, args.output, scores=False, new=new) or stopped
    print(f"wrote {args.output}")
    if interrupted:
        if stopped:
            print(f"ase-mlips: interrupted after epoch {len(found.history['loss'])}", file=sys.stderr)
        return 130
    print(found.report)
    interrupted = save(found, args.output)
    save_plot(found, written[-1], force=args.force)
    return 130 if interrupted else 0


def elements_of(args: Namespace, train: Sequence[LabelledFrame]) -> list[str]:
    """Those that were asked for, in that order, else those of the frames by the alphabet."""
    return args.elements or sorted({symbol for frame in train for symbol in frame.atoms.get_chemical_symbols()})


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
