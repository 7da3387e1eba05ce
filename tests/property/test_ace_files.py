"""Damaged ACE files are valid or one ValueError that starts with the path."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.ace_models import synthetic_ace_models
from support.ace_texts import OLD, PACEMAKER, YACE
from support.damage import beginnings, edits, fuzz, read_damaged, tails

from ase_mlips.ace import AceModel, read_ace
from ase_mlips.ace.npz import npz_bytes

NAMES = ["x.yace", "x.ace", "x.yaml", "x.ace.npz"]
WORDS = ["{", "}", "[", "]", "[]", "{}", "- ", ": ", ":", ",", "[[[[", "mus", "ns: [9]", "rank: 2", "rank: 3", "1e-05"]
WORDS += [
    "[0, 0]",
    "functions:",
    "0:",
    "< 0 >:",
    "n=( 1 )",
    "skip: true",
    "lint: [0]",
    "nl: [20]",
    "lmax: 20",
    "'",
    '"',
]
WORDS += ["ChebLinear", "ChebPow", "SBessel", "zbl", "inner_cutoff_type", "TEST_SBessel", "!!python/none", "&a", "*a"]


@pytest.fixture(scope="module")
def originals() -> dict[str, bytes]:
    """The content of every file by name."""
    contents = [YACE.encode(), OLD.encode(), PACEMAKER.encode(), npz_bytes(synthetic_ace_models()["network"])]
    return dict(zip(NAMES, contents, strict=True))


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("work")


@fuzz(400)
@given(name=st.sampled_from(NAMES), changes=st.lists(edits(WORDS), min_size=1, max_size=3))
def test_edited_files(originals, workplace, name, changes):
    content = originals[name]
    for change in changes:
        content = change(content)
    found = read_damaged(read_ace, workplace / name, content)
    assert found is None or isinstance(found, AceModel)


@fuzz(150)
@given(name=st.sampled_from(NAMES), change=tails())
def test_other_ends(originals, workplace, name, change):
    read_damaged(read_ace, workplace / name, change(originals[name]))


@pytest.mark.parametrize("name", ["x.ace", "x.yaml", "x.yace"])
def test_lost_lines(originals, workplace, name):
    """Without its last lines a file is refused, unless what is lost are whole functions at its end."""
    whole = read_ace_of(workplace, name, originals[name])
    for content in beginnings(originals[name]):
        found = read_damaged(read_ace, workplace / name, content)
        if found is not None:
            assert set(found.elements) <= set(whole.elements)
            assert sum(map(len, found.functions)) <= sum(map(len, whole.functions))


def read_ace_of(folder: Path, name: str, content: bytes) -> AceModel:
    (folder / name).write_bytes(content)
    return read_ace(folder / name)
