"""``ase-mlips fit nep``: train a neuroevolution potential."""

from __future__ import annotations

import sys
import warnings
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ase.calculators.calculator import CalculationFailed

from ase_mlips.files.places import require_place
from ase_mlips.fit import (
    LabelledFrame,
    NepFit,
    NepSettings,
    NepTraining,
    fit_nep,
    fit_nep_committee,
    read_nep_in,
    split_frames,
)
from ase_mlips.fit.dataset import labelled_frame
from ase_mlips.fit.gpumd_files import gpumd_names, write_gpumd_files, write_response_files
from ase_mlips.fit.labels import structures
from ase_mlips.fit.overview import dominating, overview
from ase_mlips.nep.files import read_nep
from ase_mlips.nep.fitting_responses import response_rows
from ase_mlips.nep.model import KINDS, NepModel
from ase_mlips.nep.potential import NepPotential

from .common import explained_labels, plain_warnings, split_index
from .fit_files import label_counts, read, save, save_plot
from .outputs import claim, file_of

_TRAINING = ("epochs", "batch_size", "learning_rate", "lbfgs_steps", "patience", "checkpoint", "seed")


def run(args: Namespace) -> int:
    """Train a NEP model, or several, on ``args.files``, print the errors and write it to ``args.output``."""
    with plain_warnings():
        template = _template(args)
    names = _claimed(args, template)
    frames: Sequence[LabelledFrame] = [frame for name in args.files for frame in _frames(name, args)]
    test: Sequence[LabelledFrame] = [frame for name in args.test or () for frame in _frames(name, args)]
    train = frames
    if not args.test and args.test_fraction > 0.0:
        train, test = split_frames(frames, args.test_fraction, seed=args.seed or 0)
    if template is None:
        template = NepSettings(tuple(sorted({symbol for f in train for symbol in f.atoms.get_chemical_symbols()})))
    training = _training(args, template)
    print(f"{len(train)} training and {len(test)} test frames of {', '.join(template.elements)}{label_counts(train)}")
    print(overview(train), flush=True)
    with plain_warnings():
        if not args.periodic:
            _warn_of_open_frames(train)
        try:
            fits = _trained(args, template, train, test, training)
        except FloatingPointError as error:
            raise CalculationFailed(str(error)) from error
    for fit, written in zip(fits, names, strict=False):
        code = _saved(args, fit, written, {"train": train, **({"test": test} if test else {})})
        if code:
            return code
    return 0


def _trained(
    args: Namespace,
    template: NepSettings | NepModel,
    train: Sequence[LabelledFrame],
    test: Sequence[LabelledFrame],
    training: NepTraining,
) -> list[NepFit]:
    """One model, or those of a committee."""
    if args.committee is None:
        return [fit_nep(template, train, validation=args.validation, test=test, training=training)]
    return fit_nep_committee(
        template, train, members=args.committee, validation=args.validation, test=test, training=training
    )


def _saved(args: Namespace, fit: NepFit, written: Sequence[Path], sets: dict[str, Sequence[LabelledFrame]]) -> int:
    """Write one model and its errors; returns the exit code."""
    new = () if args.force else written
    interrupted = save(fit, str(written[0]), scores=False, new=new) or fit.interrupted
    print(f"wrote {written[0]}")
    if interrupted:
        if fit.interrupted:
            print(f"ase-mlips: interrupted after epoch {len(fit.history['loss'])}", file=sys.stderr)
        return 130
    return _reported(args, fit, written[0], sets)


def _warn_of_open_frames(frames: Sequence[LabelledFrame]) -> None:
    """Say how many frames GPUMD would take differently."""
    count = sum(frame.atoms.cell.rank == 3 and not frame.atoms.pbc.all() for frame in frames)
    if count:
        warnings.warn(
            f"{count} frames have a lattice but are not periodic in all directions (pbc), in which GPUMD repeats every"
            " cell; --periodic does so, too",
            UserWarning,
            stacklevel=2,
        )


def _reported(args: Namespace, fit: NepFit, target: Path, sets: dict[str, Sequence[LabelledFrame]]) -> int:
    """Print the errors and write the report, the picture and the files of GPUMD; returns the exit code."""
    print(fit.report)
    print(dominating(fit.report))
    if fit.change is not None:
        print(f"{args.start} and {target}, energies less the best constants of the elements:\n{fit.change}")
    interrupted = save(fit, str(target))
    save_plot(fit, target.with_suffix(".png"), force=args.force)
    if args.gpumd is not None:
        if fit.model.kind == "potential":
            write_gpumd_files(args.gpumd, fit.family.ready(fit.model), sets, fit.history)
        else:
            potential = NepPotential(fit.model)
            rows = {name: response_rows(potential, frames) for name, frames in sets.items()}
            write_response_files(args.gpumd, fit.model.kind, rows, fit.history)
        print(f"wrote loss.out and others to {args.gpumd}")
    return 130 if interrupted else 0


def _claimed(args: Namespace, template: NepSettings | NepModel | None) -> list[list[Path]]:
    """Names of model, report and picture of each member, once it is clear that all files can be written."""
    target = Path(args.output)
    if target.suffix != ".txt":
        raise ValueError(f"{args.output}: expected a name that ends in .txt")
    if args.committee is not None and args.gpumd is not None:
        raise ValueError("--gpumd: not possible together with --committee")
    require_place(target)
    targets = [target]
    if args.committee is not None:
        targets = [target.with_name(f"{target.stem}.{n}.txt") for n in range(args.committee)]
    names = [[own, own.parent / f"{own.stem}.report.json", own.with_suffix(".png")] for own in targets]
    outputs: dict[str, Any] = {"-o": [name for own in names for name in own], "--checkpoint": args.checkpoint}
    if args.gpumd is not None:
        sets = ["train", "test"] if args.test or args.test_fraction > 0.0 else ["train"]
        kind = _kind(template)
        outputs["--gpumd"] = gpumd_names(args.gpumd, sets, *([] if kind == "potential" else [(kind,)]))
    inputs = map(file_of, [*args.files, *(args.test or ())])
    also = [name for name in (args.input, args.start) if name is not None]
    claim(outputs, [*inputs, *also], force=args.force, going_on=["--checkpoint"])
    return names


def _kind(template: NepSettings | NepModel | None) -> str:
    """ "potential", "dipole" or "polarizability"."""
    if isinstance(template, NepModel):
        return template.kind
    return KINDS[template.model_type if template is not None else 0]


def _template(args: Namespace) -> NepSettings | NepModel | None:
    """What ``--input`` or ``--start`` says; None without both."""
    if args.input is not None and args.start is not None:
        raise ValueError("--input: not possible together with --start, whose file says it all")
    if args.start is not None:
        model = read_nep(args.start)
        return model.subset(args.elements) if args.elements else model
    if args.input is not None:
        if args.elements:
            raise ValueError("--elements: not possible together with --input, whose type line has them")
        return read_nep_in(args.input)
    return NepSettings(tuple(args.elements)) if args.elements else None


def _training(args: Namespace, template: NepSettings | NepModel) -> NepTraining:
    given = {name: value for name in _TRAINING if (value := getattr(args, name)) is not None}
    if isinstance(template, NepSettings):
        given.setdefault("seed", template.seed)
    else:  # a potential that knows already much is not to forget it in the first steps
        given.setdefault("learning_rate", NepTraining.learning_rate / 5.0)
    if "learning_rate" in given:
        given["final_learning_rate"] = min(given["learning_rate"], NepTraining.final_learning_rate)
    return NepTraining(num_threads=args.threads or 1, **given)


def _frames(specification: str, args: Namespace) -> list[LabelledFrame]:
    """Frames of ``file`` or ``file@index``, with ``--periodic`` repeated in all directions as GPUMD takes them."""
    if not args.periodic:
        return read(specification, None)
    path, index = split_index(specification)
    name = path if index == ":" else specification
    frames = []
    with explained_labels():
        for number, atoms in enumerate(structures(path, index)):
            if atoms.cell.rank == 3:
                atoms.pbc = True
            frames.append(labelled_frame(atoms, f"{name}, frame {number}"))
    if not frames:
        raise ValueError(f"{name}: no frames")
    return frames
