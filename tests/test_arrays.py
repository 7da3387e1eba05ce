"""Types of arrays have one name each; the arrays of several frames as one."""

from __future__ import annotations

import re
from pathlib import Path

import ase_mlips.analysis
import numpy as np
import pytest

import ase_mlips
from ase_mlips.arrays import Parts, whole

SPELT_OUT = re.compile(r"NDArray\[np\.(float64|int32|int64|bool_)\]")


def test_types_of_arrays_are_spelt_out_in_one_module():
    folders = [Path(package.__file__).parent for package in (ase_mlips, ase_mlips.analysis)]
    paths = {path for folder in folders for path in folder.rglob("*.py")}
    assert len(paths) > 150
    assert {path.name for path in paths if SPELT_OUT.search(path.read_text(encoding="utf-8"))} == {"arrays.py"}


def test_parts_of_one_array():
    array = np.arange(12.0).reshape(4, 3)
    parts = Parts(array, [0, 1, 1, 4])
    assert [len(part) for part in parts] == [1, 0, 3]
    assert np.shares_memory(parts[-1], array)
    assert parts[-1][-1, -1] == 11.0
    assert whole(parts) is array
    np.testing.assert_array_equal(whole(list(parts)), array)
    with pytest.raises(IndexError):
        parts[3]
