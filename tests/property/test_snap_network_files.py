"""Damaged files of networks give a valid model or one ValueError that names the file; any network survives writing."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import network_models
from support.damage import edits, fuzz, put, read_damaged
from support.torch_files import Archive, zipped

from ase_mlips.files.archive import read_members
from ase_mlips.heads.network import Network
from ase_mlips.snap.files import read_snap, write_snap
from ase_mlips.snap.model import SnapModel


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with one network in every format."""
    folder = tmp_path_factory.mktemp("work")
    models = network_models.models()
    write_snap(folder / "text.mliap.model", models["each"])
    write_snap(folder / "own.snap.npz", models["shared_zbl"])
    (folder / "torch.mliap.descriptor").write_bytes((folder / "text.mliap.descriptor").read_bytes())
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(b, a)), rng.normal(size=b)) for a, b in pairwise([5, 5, 3, 1])]
    archive = Archive()
    networks = [archive.sequential(layers), archive.sequential(layers)]
    (folder / "torch.pt").write_bytes(archive.content(archive.elementwise(networks)))
    archive = Archive()
    (folder / "steps.pt").write_bytes(archive.content(archive.checkpoint([layers])))
    (folder / "steps.mliap.descriptor").write_bytes((folder / "text.mliap.descriptor").read_bytes())
    return folder


def check(folder, name: str, content: bytes) -> bool:
    """Read `content` in place of the file; True if it still is a model."""
    original = (folder / name).read_bytes()
    try:
        model = read_damaged(read_snap, folder / name, content, beside=True)
    finally:
        put(folder / name, original)
    if model is None:
        return False
    assert isinstance(model, SnapModel)
    write_snap(folder / "copy.snap.npz", model)
    assert read_snap(folder / "copy.snap.npz") == model
    return True


def flipped(data: bytes, flips: list[tuple[float, int]]) -> bytes:
    changed = bytearray(data)
    for place, bits in flips:
        changed[int(place * len(changed))] ^= bits
    return bytes(changed)


flips = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=3)


@pytest.mark.parametrize("name", ["own.snap.npz", "torch.pt", "steps.pt"])
def test_truncated_archives(workplace, name):
    whole = (workplace / name).read_bytes()
    assert not any(check(workplace, name, whole[:n]) for n in range(0, len(whole), 7))
    assert check(workplace, name, whole)


@pytest.mark.parametrize("name", ["own.snap.npz", "torch.pt", "steps.pt"])
@fuzz(300)
@given(flips=flips)
def test_flipped_bytes_of_archives(workplace, name, flips):
    check(workplace, name, flipped((workplace / name).read_bytes(), flips))


@pytest.mark.parametrize("name", ["own.snap.npz", "torch.pt", "steps.pt"])
@fuzz(300)
@given(flips=flips, which=st.floats(0, 1, exclude_max=True), keep=st.none() | st.floats(0, 1))
def test_flipped_bytes_of_members_whose_checksum_is_right(workplace, name, flips, which, keep):
    members = read_members(workplace / name)
    keys = [key for key in members if members[key] and "data/" not in key]
    key = keys[int(which * len(keys))]
    data = members[key] if keep is None else members[key][: 1 + int(keep * len(members[key]))]
    check(workplace, name, zipped({**members, key: flipped(data, flips)}))


@fuzz(300)
@given(changes=st.lists(edits(["NET", "softplus", "tanh", "'"]), min_size=1, max_size=2))
def test_damaged_text(workplace, changes):
    content = (workplace / "text.mliap.model").read_bytes()
    for change in changes:
        content = change(content)
    check(workplace, "text.mliap.model", content)


numbers = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def networks(draw):
    """Any network of five descriptors with few nodes, weights being any finite doubles."""
    sizes = (5, *draw(st.lists(st.integers(1, 4), max_size=3)), 1)
    names = st.sampled_from(["linear", "sigmoid", "tanh", "relu", "softplus"])
    count = draw(st.integers(1, 2))
    some = draw(st.lists(numbers, min_size=1, max_size=20))
    length = sum((before + 1) * after for before, after in pairwise(sizes))
    return Network(
        sizes,
        draw(st.lists(names, min_size=len(sizes) - 1, max_size=len(sizes) - 1)),
        np.resize(some, (count, length)),
        np.resize(some[::-1], (count, 5)),
        np.resize(draw(st.lists(numbers.filter(bool), min_size=1, max_size=9)), (count, 5)),
    )


@fuzz(300)
@given(network=networks())
def test_any_network_survives_writing(workplace, network):
    model = replace(network_models.models()["each"], network=network)
    write_snap(workplace / "any.snap.npz", model)
    assert read_snap(workplace / "any.snap.npz") == model
    if "softplus" in network.activations:
        with pytest.raises(ValueError, match="got softplus"):
            write_snap(workplace / "any.mliap", model)
        return
    write_snap(workplace / "any.mliap", model)
    rows = [0, 0] if len(network.parameters) == 1 else [0, 1]
    arrays = {name: getattr(network, name)[rows] for name in ("parameters", "shift", "scale")}
    assert read_snap(workplace / "any.mliap").network == replace(network, **arrays)
