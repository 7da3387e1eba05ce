"""Types of arrays have one name each."""

from __future__ import annotations

import re
from pathlib import Path

import ase_mlips.analysis

import ase_mlips

SPELT_OUT = re.compile(r"NDArray\[np\.(float64|int32|int64|bool_)\]")


def test_types_of_arrays_are_spelt_out_in_one_module():
    folders = [Path(package.__file__).parent for package in (ase_mlips, ase_mlips.analysis)]
    paths = {path for folder in folders for path in folder.rglob("*.py")}
    assert len(paths) > 150
    assert {path.name for path in paths if SPELT_OUT.search(path.read_text(encoding="utf-8"))} == {"arrays.py"}
