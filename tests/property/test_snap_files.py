"""Damaged SNAP files give a valid model or one ValueError that starts with the path; any model survives writing."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.damage import beginnings, edits, fuzz, put, read_damaged, tails

from ase_mlips.snap.files import read_snap, write_snap
from ase_mlips.snap.model import SnapModel, Zbl, bispectrum_labels

TWO = {"elements": ("Cu", "Ni"), "radii": [0.5, 0.4], "weights": [1.0, -0.8], "rcutfac": 4.3}
INNER = {"switchinnerflag": True, "sinner": [1.1, 1.2], "dinner": [0.3, 0.4]}
MODELS = {
    "two": SnapModel(**TWO, **INNER, twojmax=2, coefficients=np.linspace(-1, 1, 12).reshape(2, 6)),
    "chem": SnapModel(
        **TWO, twojmax=0, chemflag=True, quadraticflag=True, coefficients=np.linspace(-1, 1, 90).reshape(2, 45)
    ),
}
INCLUDE = """# comment
variable inner equal 4
variable outer index 4.8 9
pair_style hybrid/overlay zero 10 zbl ${inner} ${outer} &
snap
pair_coeff * * zero
pair_coeff 1 1*2 zbl 29 29
pair_coeff 1 2 zbl 29 28
pair_coeff 2 2 zbl 28 28
pair_coeff * * snap two.snapcoeff two.snapparam Cu Ni
"""
MLIAP_INCLUDE = """pair_style mliap model linear two.mliap.model descriptor sna two.mliap.descriptor
pair_coeff * * Ni Cu
"""
NAMES = [
    "two.snapcoeff",
    "two.snapparam",
    "two.mliap.model",
    "two.mliap.descriptor",
    "chem.snapcoeff",
    "chem.snapparam",
    "include.snap",
    "include.mliap",
]
WORDS = ["Cu", "Ni", "NET", "nmax", "twojmax", "rmin0", "sinner", "chemflag", "switchinnerflag", "diagonalstyle"]
WORDS += ["elems", "pair_style", "variable", "NULL", "snap", "zbl", "zero", "mliap", "table", "two.snapparam", "21"]
WORDS += ["*", "&", "${inner}", "$", "${", "'", '"', "..", "/"]


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[str, bytes]:
    """The content of every file by name: small models in all formats."""
    folder = tmp_path_factory.mktemp("originals")
    for name, model in MODELS.items():
        write_snap(folder / name, model)
        write_snap(folder / f"{name}.mliap.model", model)
    (folder / "include.snap").write_text(INCLUDE)
    (folder / "include.mliap").write_text(MLIAP_INCLUDE)
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
        model = read_damaged(read_snap, folder / name, content, beside=True)
    finally:
        put(folder / name, original)
    if model is None:
        return False
    assert isinstance(model, SnapModel)
    assert np.isfinite(model.cutoff)
    write_snap(folder / "copy.snap", model)
    assert read_snap(folder / "copy.snap") == model
    return True


@pytest.mark.parametrize("name", NAMES)
@fuzz(250)
@given(changes=st.lists(edits(WORDS), min_size=1, max_size=3))
def test_damaged_files_are_models_or_value_errors(workplace, originals, name, changes):
    content = originals[name]
    for change in changes:
        content = change(content)
    check(workplace, name, content)


@pytest.mark.parametrize("name", NAMES)
@fuzz(250)
@given(change=tails())
def test_binary_tails_are_models_or_value_errors(workplace, originals, name, change):
    check(workplace, name, change(originals[name]))


@pytest.mark.parametrize("name", NAMES)
def test_truncation_at_every_line(workplace, originals, name):
    models = [check(workplace, name, beginning) for beginning in beginnings(originals[name])]
    assert not all(models)
    assert not models[0]
    assert check(workplace, name, originals[name])


finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def models(draw):
    """Any model with few descriptors, coefficients being any finite doubles."""
    count, twojmax = draw(st.integers(1, 3)), draw(st.integers(0, 3))
    flags = {name: draw(st.booleans()) for name in ("switchflag", "bzeroflag", "bnormflag", "wselfallflag")}
    chemflag, quadraticflag = draw(st.booleans()), draw(st.booleans())
    K = len(bispectrum_labels(twojmax)) * (count**3 if chemflag else 1)
    length = 1 + K + (K * (K + 1) // 2 if quadraticflag else 0)
    some = draw(st.lists(finite, min_size=1, max_size=20))
    positive = st.floats(1e-3, 1e3)
    inner = {"switchinnerflag": True, "sinner": draw(st.lists(finite, min_size=count, max_size=count))}
    inner["dinner"] = draw(st.lists(positive, min_size=count, max_size=count))
    return SnapModel(
        elements=draw(st.permutations(["H", "Ta", "Xx"]))[:count],
        radii=draw(st.lists(positive, min_size=count, max_size=count)),
        weights=draw(st.lists(finite, min_size=count, max_size=count)),
        coefficients=np.resize(some, (count, length)),
        twojmax=twojmax,
        rcutfac=draw(st.floats(0.1, 1e3)),
        rfac0=draw(st.floats(0.0, 1.0, exclude_min=True)),
        rmin0=draw(st.floats(0.0, 1e-5)),
        chemflag=chemflag,
        quadraticflag=quadraticflag,
        zbl=draw(st.none() | st.just(Zbl(0.1 + 0.2, 1e10, tuple(range(1, count + 1))))),
        **flags,
        **(inner if draw(st.booleans()) else {}),
    )


@fuzz(80)
@given(model=models(), ending=st.sampled_from(["", ".snap", ".mliap.model"]))
def test_any_model_survives_writing(workplace, model, ending):
    path = workplace / f"any{ending if model.zbl is None else '.snap'}"
    for stale in workplace.glob("any*"):
        stale.unlink()
    write_snap(path, model)
    assert read_snap(path) == model
