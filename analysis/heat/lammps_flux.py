"""Heat fluxes that LAMMPS has averaged over time, as inputs of `ase_mlips.lammps` have them written."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from ase_mlips.arrays import FloatArray

from ..trajectories.frame import TruncatedError
from ..trajectories.text_readers import Header, Text

TITLE = "# heat flux of LAMMPS, format 1"
_REST = re.compile(r"; time step: ([0-9.]+(?:e[+-]?[0-9]+)?) fs; ensemble: (\S+); species: (\S+ \d+(?: \S+ \d+)*)\s*")
_PER_FS = 1e-3  # LAMMPS counts in ps


class Recorded(NamedTuple):
    """What a file says: rows (F, 6 + 3 S + 3) begin with the time in fs and end with temperature and volume."""

    species: tuple[str, ...]
    spacing: float
    ensemble: str
    rows: FloatArray
    header_lines: int


def parsed_lammps(text: Text) -> Recorded:
    """A file of ``fix ave/time`` with this title; ValueError for another title or number of columns."""
    try:
        line, position = text.line(0)
        found = _REST.fullmatch(line.decode(errors="replace").removeprefix(TITLE))
        if found is None:
            raise text.error(f"{TITLE}; time step: .. fs; ensemble: ..; species: ..", line)
        species = tuple(found[3].split()[::2])
        line, position = text.line(position)
    except TruncatedError:
        raise ValueError(f"{text.name}: expected a heat flux of LAMMPS, got only a part of its header") from None
    width = 9 + 3 * len(species)
    if len(line.split()) != width + 1:  # "#" comes first
        raise text.error(f"{width} columns for {' '.join(species)}", line)
    rows = np.empty((text.rows_left(position), width))
    try:
        text.parse(Header(len(rows), position, 2 * np.arange(width), np.zeros((3, 3)), ()), rows)
    except TruncatedError:
        rows = rows[:-1]
    timestep = float(found[1])
    rows[:, 0] *= timestep
    rows[:, 1:-2] *= _PER_FS
    spacing = float(rows[1, 0] - rows[0, 0]) if len(rows) > 1 else timestep
    if not spacing > 0.0:
        raise ValueError(f"{text.name}:4: expected steps that increase, got {rows[1, 0] / timestep:g} again")
    return Recorded(species, spacing, found[2], rows, 2)
