"""Damaged POD files give a valid model or one ValueError that starts with the path; any model survives writing."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.damage import beginnings, edits, fuzz, put, read_damaged, tails
from support.pod_models import headed_pod_models, synthetic_pod_model

from ase_mlips.pod import PodBasis, PodModel, read_pod, write_pod

NAMES = ["x_param.pod", "x_coefficients.pod"]
WORDS = ["species", "pbc", "rin", "rcut", "onebody", "Cu", "Ni", "model_coefficients:", "POD_coefficients:", "0", "12"]
WORDS += ["number_of_environment_clusters", "threebody_angular_degree", "fourbody_snap_twojmax", "13", "'", '"']

pytestmark = pytest.mark.filterwarnings("ignore:.*onebody is 0")


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[str, bytes]:
    """The content of both files by name."""
    folder = tmp_path_factory.mktemp("originals")
    write_pod(folder / "x", synthetic_pod_model("clusters"))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, originals) -> Path:
    folder = tmp_path_factory.mktemp("work")
    for name, content in originals.items():
        (folder / name).write_bytes(content)
    return folder


def check(folder: Path, name: str, content: bytes) -> bool:
    """Read the damaged file in place of the whole one; True if it still is a model, which then survives writing."""
    original = (folder / name).read_bytes()
    try:
        model = read_damaged(read_pod, folder / name, content, beside=True)
    finally:
        put(folder / name, original)
    if model is None:
        return False
    write_pod(folder / "copy", model)
    assert read_pod(folder / "copy") == model
    return True


@pytest.mark.parametrize("name", NAMES)
@fuzz(120)
@given(changes=st.lists(edits(WORDS), min_size=1, max_size=3))
def test_damaged_files_are_models_or_value_errors(workplace, originals, name, changes):
    content = originals[name]
    for change in changes:
        content = change(content)
    check(workplace, name, content)


@pytest.mark.parametrize("name", NAMES)
@fuzz(100)
@given(change=tails())
def test_binary_tails_are_models_or_value_errors(workplace, originals, name, change):
    check(workplace, name, change(originals[name]))


@pytest.mark.parametrize("name", NAMES)
def test_truncation_at_every_line(workplace, originals, name):
    models = [check(workplace, name, beginning) for beginning in beginnings(originals[name])]
    assert not all(models)
    assert not models[0]
    assert check(workplace, name, originals[name])


ARCHIVED = {"clusters": synthetic_pod_model("two_clusters"), **headed_pod_models()}


@fuzz(100)
@given(name=st.sampled_from(["clusters", "quadratic_two", "network_two"]), change=edits(["\0"]), tail=tails())
def test_damaged_archives_are_models_or_value_errors(workplace, name, change, tail):
    write_pod(workplace / "whole.pod.npz", ARCHIVED[name])
    content = (workplace / "whole.pod.npz").read_bytes()
    for damaged in (change(content), tail(content)):
        read_damaged(read_pod, workplace / "damaged.pod.npz", damaged)


finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def models(draw) -> PodModel:
    """Any model with few descriptors, coefficients being any finite doubles."""
    elements = tuple(draw(st.permutations(["H", "Ta", "O"]))[: draw(st.integers(1, 3))])
    counts = sorted(draw(st.lists(st.integers(0, 3), min_size=5, max_size=5)), reverse=True)
    degrees = sorted(draw(st.lists(st.integers(0, 3), min_size=5, max_size=5)), reverse=True)
    basis = PodBasis(
        elements,
        draw(st.floats(0.01, 2.0)),
        draw(st.floats(2.1, 1e3)),
        draw(st.integers(1, 5)),
        draw(st.integers(0, 9)),
        (draw(st.integers(1, 3)), *counts),
        tuple(degrees),
    )
    E, M, C = len(elements), basis.n_descriptors, draw(st.integers(1, 3))
    some = draw(st.lists(finite, min_size=1, max_size=20))
    onebody = draw(st.booleans())
    several = {"projections": np.resize(some, (E, M, 2)), "centroids": np.resize(some, (E, C, 2))}
    constants = np.resize(some, E) if onebody else np.zeros(E)
    return PodModel(basis, constants, np.resize(some, (E, C, M)), onebody, **(several if C > 1 else {}))


@fuzz(60)
@given(model=models())
def test_any_model_survives_writing(workplace, model):
    write_pod(workplace / "any", model)
    assert read_pod(workplace / "any") == model
