"""What the tests with many examples have in common."""

import os

import pytest


@pytest.fixture(scope="module", autouse=True)
def _no_waiting_for_the_disk():
    """Neither where it is asked for nor where ext4 does so by itself, when a file takes the place of another."""

    def replace(source, target):
        if os.path.exists(target):
            os.remove(target)
        os.rename(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        patch.setattr("os.replace", replace)
        yield
