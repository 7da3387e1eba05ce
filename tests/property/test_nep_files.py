"""Damaged NEP files give a valid model or one ValueError that starts with the path; any model survives writing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.damage import edits, fuzz, read_damaged, tails
from support.nep_models import Recipe, build_model

from ase_mlips.nep.files import looks_like_nep, read_nep, write_nep
from ase_mlips.nep.model import INVARIANTS, NepModel

TINY = {"n_max": (0, 0), "basis_size": (0, 0), "l_max": 2, "invariants": ("222",), "neurons": 1}
RECIPES = {
    "nep3_zbl": Recipe(**TINY, version=3, elements=("Te", "Pb"), zbl="typewise"),
    "nep4": Recipe(**TINY, elements=("Si",), factors=(2.0, 1.0)),
    "nep5": Recipe(**TINY, version=5, elements=("Si", "O"), radial=(5.0, 6.0), angular=(4.0, 4.5)),
    "flexible": Recipe(**TINY, elements=("Si",), zbl="flexible"),
    "charge": Recipe(**TINY, elements=("Si", "O"), charge_mode=1, zbl="half"),
    "polarizability": Recipe(**TINY, elements=("O",), kind="polarizability"),
}
ALTERNATIVES = ["0", "9", "-", ".", "e", " ", "\n", "x", "_", "\0"]
WORDS = ["1e308", "33", "nep5", "nep4_zbl", "nep4_charge3", "nep3_dipole", "zbl 0 0", "cutoff 5 4"]
WORDS += ["l_max 4 2 1 1 1 1 1", "H"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def originals(folder):
    """Text of each file, some as GPUMD writes them."""
    texts = {}
    for seed, (name, recipe) in enumerate(RECIPES.items()):
        model = build_model(recipe, seed)
        write_nep(folder / "original.txt", model)
        texts[name] = (folder / "original.txt").read_text()
        if name in ("nep4", "charge"):
            lines = texts[name].splitlines()
            texts[name] = "".join(f"{x if x[0].isalpha() else format(float(x), '15.7e')}\n" for x in lines)
    return texts


def check(folder, content: str | bytes) -> bool:
    """Read the content as a file; True if it is a model, which then survives writing."""
    path = folder / "nep.txt"
    model = read_damaged(read_nep, path, content)
    assert looks_like_nep(path) in (True, False)
    if model is None:
        return False
    assert isinstance(model, NepModel)
    assert np.isfinite(model.scaler).all()
    write_nep(folder / "copy.txt", model)
    assert read_nep(folder / "copy.txt") == model
    return True


def test_every_truncation(folder, originals):
    count = 0
    for text in originals.values():
        assert check(folder, text)
        models = [check(folder, text[:length]) for length in range(len(text))]
        assert not any(models[: text.rindex("\n", 0, -1) + 1])
        count += len(models)
    assert count > 2000


def test_every_line_lost_repeated_or_exchanged(folder, originals):
    for text in originals.values():
        lines = text.splitlines(keepends=True)
        for n, line in enumerate(lines):
            assert not check(folder, "".join(lines[:n] + lines[n + 1 :]))
            assert not check(folder, "".join([*lines[:n], line, *lines[n:]]))
            for m in range(n):
                swapped = lines.copy()
                swapped[n], swapped[m] = swapped[m], swapped[n]
                numbers = not any(line[0].isalpha() for line in (lines[n], lines[m]))
                if not numbers or "zbl 0 0" not in text:  # exchanged distances of a flexible repulsion are refused
                    assert check(folder, "".join(swapped)) == numbers


@pytest.mark.parametrize("name", RECIPES)
def test_every_character_changed(folder, originals, name):
    text, count = originals[name], 0
    for n in range(len(text)):
        for k in range(5):
            character = ALTERNATIVES[(n + 2 * k) % len(ALTERNATIVES)]
            check(folder, text[:n] + character + text[n + 1 :])
            count += 1
    assert count > 1400


@pytest.mark.parametrize("name", RECIPES)
@fuzz(600)
@given(changes=st.lists(edits(WORDS, front=0.3), min_size=1, max_size=4))
def test_damaged_files_are_models_or_value_errors(folder, originals, name, changes):
    content = originals[name].encode()
    for change in changes:
        content = change(content)
        check(folder, content)


@fuzz(600)
@given(change=tails(), name=st.sampled_from(list(RECIPES)))
def test_binary_tails_are_models_or_value_errors(folder, originals, change, name):
    check(folder, change(originals[name].encode()))


finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def models(draw):
    """Any small model, its parameters being any finite doubles."""
    elements = draw(st.sampled_from([("H",), ("O", "H"), ("Pu", "Si", "O")]))
    kind = draw(st.sampled_from(["potential", "potential", "dipole", "polarizability"]))
    charge_mode = draw(st.integers(0, 3)) if kind == "potential" else 0
    version = 4 if charge_mode else draw(st.integers(3, 5 if kind == "potential" else 4))
    zbl = draw(st.sampled_from([None, "universal", "typewise", "half", "flexible"])) if kind == "potential" else None
    l_max = draw(st.integers(4, 8))
    invariants = tuple(name for name in INVARIANTS if draw(st.booleans()))
    factors = draw(st.none() | st.just((2.0, -1.0)) | st.tuples(st.floats(0.1, 9.0), st.floats(-1.0, 9.0)))
    alike = factors is not None or zbl == "half"
    cutoffs = draw(st.lists(st.tuples(st.floats(3.0, 100.0), st.floats(0.1, 3.0)), min_size=3, max_size=3))
    radial, angular = zip(*[cutoffs[0 if alike else n] for n in range(len(elements))], strict=True)
    sizes = {"n_max": (draw(st.integers(0, 2)), 1), "basis_size": (1, draw(st.integers(0, 2))), "neurons": 2}
    options = {"l_max": l_max, "invariants": invariants, "factors": factors, "charge_mode": charge_mode}
    model = build_model(Recipe(elements, version, kind, zbl=zbl, **options, **sizes), 0)
    some = draw(st.lists(finite, min_size=1, max_size=20))
    network = replace(model.network, w0=np.resize(some, model.network.w0.shape), bias=some[0])
    return replace(
        model,
        network=network,
        radial_cutoffs=radial,
        angular_cutoffs=angular,
        radial=np.resize(some, model.radial.shape),
        scaler=np.resize(some, model.scaler.shape),
        max_neighbors=draw(st.tuples(st.integers(0, 999999999), st.integers(0, 1000))),
    )


@fuzz(300)
@given(model=models())
def test_any_model_survives_writing(folder, model):
    write_nep(folder / "any.txt", model)
    assert read_nep(folder / "any.txt") == model
    assert looks_like_nep(folder / "any.txt")
