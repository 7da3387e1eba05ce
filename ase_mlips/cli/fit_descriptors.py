"""What the commands that fit models of descriptors share: frames in, a fit, its errors and files out."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ase_mlips.fit import LabelledFrame, Loss, split_frames

from .common import plain_warnings
from .fit_files import label_counts, read, save, save_plot
from .outputs import claim, file_of

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
    inputs = map(file_of, [*args.files, *(args.test or ())])
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
