"""The examples run, and assert the number that each ends with."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.io import read

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("[0-9]*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    done = subprocess.run(
        [sys.executable, path], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    if done.stdout.startswith("skipped: "):
        pytest.skip(done.stdout.strip())
    assert len(list(tmp_path.glob("*.png"))) == 1


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


def test_labels_of_silicon_are_those_of_its_potential() -> None:
    folder = EXAMPLES[0].parent / "silicon_sw"
    potential = runpy.run_path(str(folder / "stillinger_weber.py"))["StillingerWeber"]()
    for frame in read(folder / "labels.extxyz", ":"):
        for quantity, tolerance in (("energy", 1e-5), ("forces", 1e-6), ("stress", 1e-7)):
            label = frame.calc.get_property(quantity, frame)
            np.testing.assert_allclose(potential.get_property(quantity, frame), label, atol=tolerance, rtol=0.0)
