"""Fixtures that several test folders use."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Read when numpy is imported, after this file: on busy cores the threads of OpenBLAS mostly wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# phono3py's threads, too, must not keep the cores busy while they wait.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-digests", action="store_true", help="write the bits of this machine")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference numbers and training data, kept beside the checkout and not in it."""
    if not SHARED.is_dir():
        pytest.skip(f"reference data are not here: {SHARED}")
    return SHARED


@pytest.fixture(autouse=True)
def no_open_figures() -> Iterator[None]:
    """Matplotlib keeps what `plot` draws without axes, and warns of many."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the core of the package and two kernels, to be put on the path of a new process."""
    from numba.core import config
    from support.toy_package import make_toy

    monkeypatch.setattr(config, "CACHE_DIR", "")
    make_toy(tmp_path)
    return tmp_path
