"""``ase-mlips fit snap``: fit a potential to labelled structures."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import matplotlib

from ase_mlips.fit import Frame, Loss, SnapFit, fit_snap, read_frames, snap_template, split_frames
from ase_mlips.snap import write_snap

from .common import deferred_interrupt


def run(args: Namespace) -> int:
    """Fit a SNAP potential to ``args.files``, print its errors and write it to ``args.output``."""
    _rehearse(args.output, args.zbl)
    train = [frame for name in args.files for frame in _read(name)]
    test = [frame for name in args.test or () for frame in _read(name)]
    if not args.test and args.test_fraction > 0.0:
        train, test = split_frames(train, args.test_fraction, seed=args.seed)
    elements = args.elements or sorted({symbol for frame in train for symbol in frame.atoms.get_chemical_symbols()})
    radii = args.radii or [0.5] * len(elements)
    if len(radii) != len(elements):
        raise ValueError(f"expected one radius for each of {', '.join(elements)}, got {len(radii)}")
    template = snap_template(
        elements,
        radii=radii,
        zbl=args.zbl,
        twojmax=args.twojmax,
        rcutfac=args.cutoff / (2.0 * max(radii)),
        quadraticflag=args.quadratic,
        chemflag=args.chem,
    )
    loss = Loss(energy=args.energy_weight, force=args.force_weight, stress=args.stress_weight, ridge=args.ridge)
    print(f"{len(train)} training and {len(test)} test frames of {', '.join(elements)}")
    fit = fit_snap(template, train, test=test, loss=loss)
    # Testing takes long, too: what Ctrl-C meets there is already on the disk.
    interrupted = _save(fit, args.output, scores=False)
    print(f"wrote {args.output}")
    if interrupted:
        return 130
    print(fit.report)
    interrupted = _save(fit, args.output)
    picture = Path(args.output).with_suffix(".png")
    matplotlib.use("Agg")
    fit.plot().savefig(picture, dpi=150)
    print(f"wrote {picture}")
    return 130 if interrupted else 0


def _rehearse(output: str, zbl: tuple[float, float] | None) -> None:
    """Write a small model under this name and remove it: what hinders that must be known before the fit."""
    if not output.endswith((".snapcoeff", ".snap")):
        raise ValueError(f"{output}: expected a name that ends in .snapcoeff or .snap")
    target = Path(output)
    if not target.parent.is_dir():
        raise ValueError(f"{target.parent}: there is no such directory for {output}")
    model = snap_template(["H"], radii=[1.0], zbl=zbl, twojmax=0, rcutfac=1.0)
    try:
        with TemporaryDirectory(dir=target.parent, prefix=".fit-") as folder:
            rehearsal = os.path.join(folder, target.name)
            try:
                written = [Path(name).name for name in write_snap(rehearsal, model)]
            except ValueError as error:
                raise ValueError(str(error).replace(rehearsal, output)) from error
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target.parent)) from error
    for name in (*written, f"{target.stem}.report.json"):
        if (target.parent / name).is_dir():
            raise ValueError(f"{target.parent / name}: is a directory")


def _save(fit: SnapFit, output: str, *, scores: bool = True) -> bool:
    """Write the fit, in the worst case to another directory: it may have taken hours.  True after Ctrl-C meanwhile."""
    with deferred_interrupt() as interrupted:
        try:
            fit.save(output, scores=scores)
        except OSError as error:
            rescued = os.path.join(mkdtemp(prefix="ase-mlips-fit-"), os.path.basename(output))
            fit.save(rescued, scores=scores)
            raise OSError(error.errno, f"{error.strerror}; the fit was written to {rescued}", output) from error
    return interrupted.is_set()


def _read(specification: str) -> list[Frame]:
    """Frames of ``file`` or ``file@index``."""
    path, at, index = specification.rpartition("@")
    if at and not os.path.exists(specification):
        return read_frames(path, index=index)
    return read_frames(specification)
