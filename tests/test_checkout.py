"""The package from the folder of a checkout, where the sources hide what is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


def test_everything_imports_from_the_sources():
    code = "import ase_mlips.fit, ase_mlips.analysis.heat.series as s; print(s.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == CHECKOUT / "analysis" / "heat" / "series.py"


def test_pytest_as_a_module():
    """`python -m pytest` puts the checkout first, `pytest` does not."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/analysis/test_blocking.py"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
