"""Fixtures that several test folders use."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference numbers and training data, kept beside the checkout and not in it."""
    if not SHARED.is_dir():
        pytest.skip(f"reference data are not here: {SHARED}")
    return SHARED
