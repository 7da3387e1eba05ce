"""Fixtures that several test folders use."""

import os
from pathlib import Path

import pytest

# Read when numpy is imported, after this file: on busy cores the threads of OpenBLAS mostly wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference numbers and training data, kept beside the checkout and not in it."""
    if not SHARED.is_dir():
        pytest.skip(f"reference data are not here: {SHARED}")
    return SHARED
