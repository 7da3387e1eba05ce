"""``ase-mlips fit mtp``: train an MTP on labelled structures."""

from __future__ import annotations

import os
import shlex
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from ase.calculators.calculator import CalculationFailed

from ase_mlips import MTP
from ase_mlips.engine.threads import default_threads
from ase_mlips.files.places import require_place
from ase_mlips.fit import FullBatch, LabelledFrame, MlipLoss, MtpFit, compare, fit_mtp, grown
from ase_mlips.fit.committee import deviation_summary, deviation_table, deviations
from ase_mlips.fit.report import write_json
from ase_mlips.mtp import MtpModel, read_mtp, write_mtp

from .common import plain_warnings
from .fit_files import label_counts, read, rehearsed, save, save_plot
from .outputs import claim, file_of, replacing

_ENDINGS = (".almtp", ".mtp")
_LEVEL = 16


def run(args: Namespace) -> int:
    """Train an MTP, or a committee of several, on ``args.files``, and write them and their errors."""
    names = _names(args)
    files = {name: _rehearse(name) for name in names}
    outputs = {"-o": [path for own in files.values() for path in own], "--checkpoint": args.checkpoint}
    if args.committee:
        outputs["--committee"] = _deviation_file(args)
    inputs = [file_of(name) for name in (*args.files, *(args.test or ()))]
    claim(outputs, [*inputs, *([args.start] if args.start else [])], force=args.force, going_on=["--checkpoint"])
    if not 0.0 <= args.validation_fraction < 1.0:
        raise ValueError(f"--validation-fraction: expected below 1, got {args.validation_fraction:g}")
    train, test = (_frames(names, args) for names in (args.files, args.test or ()))
    template = _template(args, train)
    print(f"{len(train)} training and {len(test)} test frames{label_counts(train)}; {template!r}")
    members = []
    for number, (name, written) in enumerate(files.items()):
        training = _training(args).numbered(number) if args.committee else _training(args)
        with plain_warnings():
            fit = _fit(args, template, train, test, training)
        if code := _written(args, fit, name, written):
            return code
        members.append(fit)
    if args.committee:
        _compare(args, members, {"train": train, **({"test": test} if test else {})}, names)
    return 0


def _written(args: Namespace, fit: MtpFit, name: str, written: list[Path]) -> int:
    """Write a potential, test it and say how well it does; returns the exit code."""
    fit.origin["command"] = shlex.join(["ase-mlips", *args.arguments])
    # Testing takes long, too: what Ctrl-C meets there is already on the disk.
    new = () if args.force else written
    interrupted = save(fit, name, scores=False, new=new) or fit.interrupted
    print(f"wrote {name}")
    if interrupted:
        if fit.interrupted:
            print(f"ase-mlips: interrupted after iteration {len(fit.history['loss']) - 1}", file=sys.stderr)
        return 130
    print(fit.report)
    interrupted = save(fit, name)
    save_plot(fit, written[-1], force=args.force)
    return 130 if interrupted else 0


def _names(args: Namespace) -> list[str]:
    """Names of the potentials: one, or those of a committee."""
    if not args.committee:
        return [args.output]
    if args.committee < 2:
        raise ValueError(f"--committee: expected two or more members, got {args.committee}")
    if args.start:
        raise ValueError("--committee: not possible together with --start, from which all members would be the same")
    stem, ending = os.path.splitext(args.output)
    return [f"{stem}.{number}{ending}" for number in range(args.committee)]


def _deviation_file(args: Namespace) -> str:
    return f"{os.path.splitext(args.output)[0]}.deviations.json"


def _compare(
    args: Namespace, fits: Sequence[MtpFit], sets: dict[str, Sequence[LabelledFrame]], names: Sequence[str]
) -> None:
    """How far the members differ on all frames, whichever of them each has set aside."""
    rows = deviations([compare(fit.family.ready(fit.model), sets) for fit in fits])
    print(deviation_table(rows))
    with replacing(_deviation_file(args), force=args.force) as path:
        write_json(path, deviation_summary(rows, names))
    print(f"wrote {_deviation_file(args)}")


def _training(args: Namespace) -> FullBatch:
    return FullBatch(
        iterations=args.iterations,
        seed=args.seed,
        starts=args.starts,
        threads=args.threads or default_threads(),
        checkpoint=args.checkpoint,
    )


def _fit(
    args: Namespace,
    template: MtpModel,
    train: Sequence[LabelledFrame],
    test: Sequence[LabelledFrame],
    training: FullBatch,
) -> MtpFit:
    loss = MlipLoss(
        energy=args.energy_weight,
        force=args.force_weight,
        stress=args.stress_weight,
        weight_scaling=args.weight_scaling,
        weight_scaling_forces=args.weight_scaling_forces,
    )
    try:
        return fit_mtp(
            template, train, validation=args.validation_fraction, test=test, loss=loss, training=training,
            active_set=args.active_set,
        )  # fmt: skip
    except FloatingPointError as error:
        raise CalculationFailed(str(error)) from error


def _template(args: Namespace, train: Sequence[LabelledFrame]) -> MtpModel:
    """The potential to begin with."""
    there = sorted({symbol for frame in train for symbol in frame.atoms.get_chemical_symbols()})
    given = {"max_dist": args.cutoff, "radial_size": args.radial_size}
    given = {name: value for name, value in given.items() if value is not None}
    if args.start is None:
        return MTP.untrained(args.level or _LEVEL, args.elements or there, **given)
    if given:
        raise ValueError(f"--{'cutoff' if args.cutoff else 'radial-size'}: not possible together with --start")
    model = read_mtp(args.start)
    if args.elements:
        model = model.with_species(args.elements)
    elif not model.trained and not model.species:
        model = model.with_species(there)
    if None in model.species:
        raise ValueError(f"{args.start}: does not name its elements; give them with --elements, in its order")
    if args.level is None:
        return model
    if not model.trained:
        raise ValueError(f"--level: expected a trained potential in --start to grow, {args.start} is untrained")
    return grown(model, args.level, seed=args.seed)


def _rehearse(output: str) -> list[Path]:
    """All files that the training will write, the picture last."""
    if not output.endswith(_ENDINGS):
        raise ValueError(f"{output}: expected a name that ends in .almtp or .mtp")
    require_place(output)

    def write(place: str) -> list[str]:
        write_mtp(place, MTP.untrained(2, ["H"]))
        return [place]

    return rehearsed(output, write)


def _frames(names: Sequence[str], args: Namespace) -> list[LabelledFrame]:
    return [frame for name in names for frame in read(name, args.elements)]
