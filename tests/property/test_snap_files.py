"""Damaged SNAP files give a valid model or one ValueError that starts with the path; any model survives writing."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
WORDS = [
    "",
    "nan",
    "-inf",
    "1e999",
    "0",
    "-1",
    "1",
    "2",
    "3",
    "21",
    "1e-320",
    "99999999999999999999",
    "0x10",
    "1_0",
    "٣",
]
WORDS += [
    "Cu",
    "Ni",
    "NET",
    "nmax",
    "twojmax",
    "rmin0",
    "sinner",
    "chemflag",
    "switchinnerflag",
    "diagonalstyle",
    "elems",
]
WORDS += [
    "*",
    "&",
    "${inner}",
    "$",
    "${",
    "'",
    '"',
    "#",
    "..",
    "/",
    "snap",
    "zbl",
    "zero",
    "mliap",
    "table",
    "x" * 5000,
]
WORDS += ["two.snapparam", "\n", "\r", "\0", "\x0b", "\u2028", "\udcff", "pair_style", "variable", "NULL"]

fuzz = settings(
    max_examples=250,
    deadline=5000,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[str, str]:
    """The text of every file by name: small models in all formats."""
    folder = tmp_path_factory.mktemp("originals")
    for name, model in MODELS.items():
        write_snap(folder / name, model)
        write_snap(folder / f"{name}.mliap.model", model)
    (folder / "include.snap").write_text(INCLUDE)
    (folder / "include.mliap").write_text(MLIAP_INCLUDE)
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture(scope="module", autouse=True)
def _no_waiting_for_the_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, originals) -> Path:
    folder = tmp_path_factory.mktemp("work")
    for name, text in originals.items():
        (folder / name).write_text(text)
    return folder


def check(folder: Path, name: str, content: bytes, original: str) -> bool:
    """Read the damaged file in place of the whole one; True if it still is a model."""
    (folder / name).write_bytes(content)
    try:
        model = read_snap(folder / name)
    except ValueError as error:
        message = str(error)
        assert re.match(rf"{re.escape(str(folder))}/[a-z.]+:\d+: expected .+, got ", message), message
        assert len(message) < 1000
        message.encode("utf-8")
        return False
    finally:
        (folder / name).write_text(original)
    assert isinstance(model, SnapModel)
    assert np.isfinite(model.cutoff)
    write_snap(folder / "copy.snap", model)
    assert read_snap(folder / "copy.snap") == model
    return True


@st.composite
def edits(draw):
    """A change of some lines, words or characters, as a function of the text."""
    kind = draw(st.sampled_from(["word", "word", "word", "drop", "repeat", "swap", "cut", "insert", "characters"]))
    where, other = draw(st.tuples(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True)))
    word = draw(st.sampled_from(WORDS) | st.text(max_size=6) | st.floats().map(repr) | st.integers().map(str))

    def apply(text: str) -> str:
        lines = text.split("\n")
        n, m = int(where * len(lines)), int(other * len(lines))
        words = lines[n].split(" ")
        if kind == "word":
            words[int(other * len(words))] = word
            lines[n] = " ".join(words)
        elif kind == "drop":
            del lines[n]
        elif kind == "repeat":
            lines.insert(m, lines[n])
        elif kind == "swap":
            lines[n], lines[m] = lines[m], lines[n]
        elif kind == "insert":
            lines.insert(n, word)
        elif kind == "cut":
            return text[: int(where * len(text))]
        else:
            start = int(where * len(text))
            return text[:start] + word + text[start + int(other * 8) :]
        return "\n".join(lines)

    return apply


@pytest.mark.parametrize("name", NAMES)
@fuzz
@given(changes=st.lists(edits(), min_size=1, max_size=3))
def test_damaged_files_are_models_or_value_errors(workplace, originals, name, changes):
    text = originals[name]
    for change in changes:
        text = change(text)
    check(workplace, name, text.encode("utf-8", "surrogateescape"), originals[name])


@pytest.mark.parametrize("name", NAMES)
@fuzz
@given(content=st.binary(max_size=60), keep=st.floats(0, 1))
def test_binary_tails_are_models_or_value_errors(workplace, originals, name, content, keep):
    start = originals[name][: int(keep * len(originals[name]))].encode()
    check(workplace, name, start + content, originals[name])


@pytest.mark.parametrize("name", NAMES)
def test_truncation_at_every_line(workplace, originals, name):
    lines = originals[name].splitlines(keepends=True)
    models = [check(workplace, name, "".join(lines[:n]).encode(), originals[name]) for n in range(len(lines))]
    assert not all(models)
    assert not models[0]
    assert check(workplace, name, originals[name].encode(), originals[name])


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


@settings(fuzz, max_examples=200)
@given(model=models(), ending=st.sampled_from(["", ".snap", ".mliap.model"]))
def test_any_model_survives_writing(workplace, model, ending):
    path = workplace / f"any{ending if model.zbl is None else '.snap'}"
    for stale in workplace.glob("any*"):
        stale.unlink()
    write_snap(path, model)
    assert read_snap(path) == model
