"""A package of the same name with two kernels, in a folder of its own: what happens to machine code on disk."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ase_mlips.engine import jit

CORE = (
    *(
        f"engine/{name}.py"
        for name in ("__init__", "jit", "kernel_cache", "sharing", "threads", "simd", "simd_emulation", "lanes")
    ),
    "arrays.py",
    "files/__init__.py",
    "files/signals.py",
)
TOY = {
    "__init__.py": "",
    "toy/__init__.py": "",
    "toy/layout.py": "ADDED = 1.0\n",
    "toy/kernels_helper.py": (
        "from ..engine.jit import device\nfrom .layout import ADDED\n"
        "@device\ndef helper(x):\n    return 10.0 * x + ADDED\n"
    ),
    "toy/kernels.py": (
        "from ..engine.jit import kernel\n"
        "from .kernels_helper import helper\n"
        "@kernel\n"
        "def entry(x):\n"
        "    return helper(x) + helper(2.0 * x)\n"
        "@kernel\n"
        "def another(x):\n"
        "    return 0.0 * helper(x)\n"
    ),
}


def make_toy(folder: Path) -> None:
    """Copy the core of the package to `folder`, and write the kernels."""
    for name in CORE:
        (folder / "ase_mlips" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(jit.__file__).parents[1] / name, folder / "ase_mlips" / name)
    for name, text in TOY.items():
        (folder / "ase_mlips" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "ase_mlips" / name).write_text(text)


def environment(toy: Path, **changes: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    return inherited | {"PYTHONPATH": str(toy), "XDG_CACHE_HOME": str(toy / "home"), "NO_COLOR": "1"} | changes


def run(toy: Path, script: str, *arguments: str, **changes: str) -> tuple[str, str]:
    """What the script, with the toy package on its path, writes to standard output and error."""
    command = [sys.executable, "-W", "error", "-c", script, str(toy), *arguments]
    done = subprocess.run(
        command, env=environment(toy, **changes), cwd=toy, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr
