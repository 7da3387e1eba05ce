"""``ase-mlips fit snap``: fit a potential to labelled structures."""

from __future__ import annotations

import os
from argparse import Namespace

from ase_mlips.fit import Frame, Loss, fit_snap, read_frames, snap_template, split_frames


def run(args: Namespace) -> int:
    """Fit a SNAP potential to ``args.files``, print its errors and write it to ``args.output``."""
    if not args.output.endswith((".snapcoeff", ".snap")):
        raise ValueError(f"{args.output}: expected a name that ends in .snapcoeff or .snap")
    folder = os.path.dirname(args.output) or "."
    if not os.path.isdir(folder):
        raise ValueError(f"{folder}: there is no such directory for {args.output}")
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
    print(fit.report)
    fit.save(args.output)
    print(f"wrote {args.output}")
    return 0


def _read(specification: str) -> list[Frame]:
    """Frames of ``file`` or ``file@index``."""
    path, at, index = specification.rpartition("@")
    if at and not os.path.exists(specification):
        return read_frames(path, index=index)
    return read_frames(specification)
