"""From the name of a file to the calculator of its family."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .calculator import PotentialCalculator
from .files.text import beginning, require_file, unpacker
from .registry import families


def load(path: str | os.PathLike[str], **kwargs: Any) -> PotentialCalculator:
    """Make the calculator that the file at `path` calls for.

    Parameters
    ----------
    path : path
        A file of any family, or what a family accepts in its place, such as the common stem of two files or
        ``embedded:Si`` for a model that comes with this package.
    **kwargs
        Handed to the family's constructor.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no such file, or no family recognises it.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase_mlips import load
    >>> atoms = bulk("Si")
    >>> atoms.calc = load("embedded:Si")
    >>> print(f"{atoms.get_potential_energy() / len(atoms):.3f} eV/atom")
    -5.423 eV/atom
    """
    there = os.path.exists(path)
    if there:
        require_file(path)
    for family in families:
        if family.recognizes(Path(path)):
            calculator: PotentialCalculator = family(path, **kwargs)
            return calculator
    known = "; ".join(f"{family.__name__} ({', '.join(family.file_endings)})" for family in families)
    if not there:
        raise FileNotFoundError(f"{path}: expected a file of {known}; there is none of that name")
    if tool := unpacker(beginning(path, 8)):
        raise ValueError(f"{path}: expected a file of {known}; got a compressed one, to be unpacked with {tool}")
    raise ValueError(f"{path}: expected a file of {known}; got one that none of them recognises")
