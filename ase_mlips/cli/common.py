"""What the subcommands share: models and structures in, files and tables out."""

from __future__ import annotations

import os
import re
import sys
import warnings
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.io import read
from ase.io.formats import UnknownFileTypeError, filetype, ioformats

import ase_mlips
from ase_mlips.files.reading import readable
from ase_mlips.registry import families

_LABELS = "known are energy, forces, stress and virial, alone or with REF_ or DFT_ before or _ref or _dft after them"


def chosen_model(args: Namespace) -> Calculator:
    """The calculator that MODEL, ``--species`` and ``--threads`` ask for.

    Raises
    ------
    OSError, ValueError
        The file cannot be read or understood, or species are given for a model that names its own and structures that
        do, too.
    """
    options = {} if args.threads is None else {"num_threads": args.threads}
    if getattr(args, "active_set", None) is not None:
        options["active_set"] = args.active_set
    if args.species is not None:
        there = args.model.startswith("embedded:") or os.path.exists(args.model)
        if not there or ase_mlips.MTP.recognizes(Path(args.model)):
            options["species"] = args.species
        elif not any(species_options(name, args.species) for name in _structures(args)):
            raise ValueError(f"{args.model}: --species is for MTP files, which do not name theirs; this is none")
    return load_model(args.model, **options)


def tell_model_from_structure(args: Namespace) -> None:
    """Put MODEL and STRUCTURE, or the FILEs, right where they are in another order and only one of them is a model."""
    if getattr(args, "model", None) is None or _is_model(args.model):
        return
    others = [args.structure] if hasattr(args, "structure") else getattr(args, "files", [])
    models = [name for name in others if name is not None and _is_model(name)]
    if len(models) != 1:
        return
    structures = [args.model, *(name for name in others if name != models[0])]
    args.model = models[0]
    if hasattr(args, "structure"):
        args.structure = structures[0]
    else:
        args.files = structures


def _is_model(name: str) -> bool:
    return name.startswith("embedded:") or any(family.recognizes(Path(name)) for family in families)


def _structures(args: Namespace) -> list[str]:
    """What the command reads beside the model."""
    return [*getattr(args, "files", []), *([args.structure] if hasattr(args, "structure") else [])]


def load_model(name: str, **options: Any) -> Calculator:
    """The calculator of a model file, or of ``embedded:NAME``."""
    return ase_mlips.load(name, **options)


def read_frames(specification: str, *, species: Sequence[str] | None = None) -> Iterator[Atoms]:
    """Frames of ``file`` or ``file@index``, one at a time; `species` are the elements of the types of an MLIP file.

    Raises
    ------
    OSError, ValueError
        When the file cannot be opened or understood, or holds no frame or an empty one.
    """
    from ase_mlips.fit.labels import structures  # here, as most commands have no use for scipy

    path, index = split_index(specification)
    count = 0
    for atoms in structures(path, index, species=species, kind="a structure"):
        yield _checked(atoms, f"{specification}: frame {count}")
        count += 1
    if count == 0:
        raise ValueError(f"{specification}: no frames")


def species_options(specification: str, species: Sequence[str] | None) -> dict[str, Any]:
    """What ASE's reader is to know of the elements of ``file@index``: those of the types, if they are MLIP's."""
    path, _ = split_index(specification)
    if species is None or not os.path.isfile(path):
        return {}
    try:
        return {"species": species} if filetype(path) == "mlip-cfg" else {}
    except UnknownFileTypeError:
        return {}


def split_index(specification: str) -> tuple[str, str]:
    """The parts of ``file@index``; the index of a file without one takes all frames."""
    path, at, index = specification.rpartition("@")
    return (path, index) if at and not os.path.exists(specification) else (specification, ":")


def read_structure(specification: str, species: Sequence[str] | None = None) -> Atoms:
    """The last frame of ``file``, or the one of ``file@index``; raises like `read_frames`."""
    with readable(specification, "a structure"):
        options = species_options(specification, species)
        atoms = read(specification, do_not_split_by_at_sign=os.path.exists(specification), **options)
    if not isinstance(atoms, Atoms):
        raise ValueError(f"{specification}: expected one structure, got {len(atoms)}")
    return _checked(atoms, specification)


def warn_if_not_periodic(atoms: Atoms, name: str) -> None:
    """Say that a structure which has a cell is taken for a cluster; a bulk may have lost its pbc in another program."""
    if atoms.cell.rank == 3 and not atoms.pbc.any():
        print(f"ase-mlips: {name}: not periodic, though it has a cell: a cluster in vacuum", file=sys.stderr)


def _checked(atoms: Atoms, name: str) -> Atoms:
    if len(atoms) == 0:
        raise ValueError(f"{name} has no atoms")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise ValueError(f"{name} has positions or a cell that are not finite")
    return atoms


def require_writer(path: str) -> None:
    """Fail now, not after the work, when ASE cannot write a file of this name."""
    try:
        known = ioformats.get(filetype(path, read=False))
    except UnknownFileTypeError:
        known = None
    if known is None or not known.can_write:
        raise ValueError(f"{path}: ASE does not write files of this name")


@contextmanager
def explained_labels() -> Iterator[None]:
    """Leave out of the messages on labels the argument of `ase_mlips.fit.read_frames` that commands do not have."""
    try:
        yield
    except ValueError as error:
        text = re.sub(r"; choose [^;]* keys=\{.*?\}", "", str(error))
        raise ValueError(re.sub(r"; name [^;]* keys=\{.*?\}", f"; {_LABELS}", text)) from error


@contextmanager
def plain_warnings(options: Mapping[str, str] | None = None) -> Iterator[None]:
    """Print warnings as sentences of the command; `options` has those that stand for arguments of functions."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        print(f"ase-mlips: {with_options(str(message), options or {})}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def with_options(message: str, options: Mapping[str, str]) -> str:
    """A message on arguments of functions as one on options of the command."""
    for argument, option in options.items():
        message = message.replace(argument, option)
    return message


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Plain text: the first column to the left, all others to the right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    for line in lines:
        cells = [
            line[0].ljust(widths[0]),
            *(text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True)),
        ]
        print("  ".join(cells).rstrip())
