"""Damaged MTP files and configurations are valid or one ValueError that starts with the path; any model survives."""

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given
from hypothesis import strategies as st
from support.damage import beginnings, edits, fuzz, read_damaged, tails
from support.mtp_models import synthetic_mtp_model
from support.mtp_texts import SMALL, UNTRAINED, an_active_set

from ase_mlips.files.elements import ELEMENTS
from ase_mlips.mtp.active_set import ActiveSet
from ase_mlips.mtp.configurations import read_mlip_cfg, write_mlip_cfg
from ase_mlips.mtp.files import read_active_set, read_mtp, write_mtp
from ase_mlips.mtp.model import RADIAL_BASES, MtpModel
from ase_mlips.mtp.templates import untrained

CONFIGURATIONS = """BEGIN_CFG
 Size
    2
 Supercell
    4.0 0.0 0.0
    0.5 5.0 0.0
 AtomData:  id type cartes_x cartes_y cartes_z site_en fx fy fz nbh_grades ghost
    1 0 0.25 0.50 0.75 -1.5 1e-1 -0.2 0.3 1.25 true
    2 1 1.00 2.00 3.00 -2.5 -0.1 0.2 -0.3 2.50 false
 Energy
    -4.0
 PlusStress:  xx yy zz yz xz xy
    12. 24. -36. 1.2 2.4 3.6
 Feature   EFS_by\tMultiMTP9 of today
 Feature   MV_grade\t5.766847
END_CFG

BEGIN_CFG
 Size 1
 Supercell 3 0 0 0 3 0 0 0 3
 AtomData: type direct_x direct_y direct_z
 1 0.5 0.5 0.5
 PlusStress: xy xx yy zz xz yz
  1 2 3 4 5 6
 Features: a b
  1 2
END_CFG
"""
NAMES = ["small.mtp", "numbers.mtp", "untrained.mtp", "grouped.mtp", "level8.mtp", "set.almtp", "x.cfg"]
WORDS = ["12", "1001", "{", "}", "{}", "{0}", "{{0,0,0,0}}", "{{0,0,1,1}}", "0,", ",", "=", "= 1", "0-0", "1-0"]
WORDS += ["MTP", "version", "scaling = 2", "min_dist", "min = 1", "species_count", "radial_coeffs"]
WORDS += ["moment_coeffs = {}", "RBTaylor", "RBShapeev", "magnetic_basis_type", "^", "#MVS_v1.1", "-1 -1"]
WORDS += ["BEGIN_CFG", "END_CFG", "Size", "Supercell", "AtomData:", "type", "id", "fx", "Energy", "Feature"]
WORDS += ["14-14", "Feature a\tb", "PlusStress:", "true", "xx"]


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[str, bytes]:
    """The content of every file by name."""
    path = tmp_path_factory.mktemp("originals") / "set"
    write_mtp(path, synthetic_mtp_model("l02_repuls"), an_active_set(19))
    with_set = path.read_bytes()
    write_mtp(path, synthetic_mtp_model("l08"))
    numbers = re.sub(r"\t(\d)-(\d)\n", lambda m: f"\t{14 + 18 * int(m[1])}-{14 + 18 * int(m[2])}\n", SMALL)
    grouped = SMALL.replace("min_dist", "min").replace("max_dist", "max").replace("radial_basis_size", "size")
    grouped = grouped.replace("\tradial_funcs_count = 1\n", "") + "radial_funcs_count = 1\n"
    texts = [SMALL, numbers, UNTRAINED, grouped, path.read_text()]
    return dict(zip(NAMES, [*(text.encode() for text in texts), with_set, CONFIGURATIONS.encode()], strict=True))


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("work")


def check(path: Path, content: bytes) -> bool:
    """Whether the file can be read; it must be sound then, and survive writing."""
    read, check_sound = (read_images, check_images) if path.suffix == ".cfg" else (read_both, check_model)
    result = read_damaged(read, path, content)
    if result is not None:
        check_sound(result, path.parent)
    return result is not None


def read_both(path: Path) -> tuple[MtpModel, ActiveSet | None]:
    return read_mtp(path), read_active_set(path)


def check_model(both: tuple[MtpModel, ActiveSet | None], folder: Path) -> None:
    model, active_set = both
    write_mtp(folder / "copy.mtp", model, active_set if model.trained else None)
    assert read_mtp(folder / "copy.mtp") == model
    if model.trained:
        assert read_active_set(folder / "copy.mtp") == active_set
    indices = np.concatenate([model.times[:, [0, 1, 3]].ravel(), model.mapping])
    assert indices.min() >= 0
    assert indices.max() < model.n_moments
    assert np.all(model.times[:, :2] < model.times[:, 3:])


def read_images(path: Path) -> list[Atoms]:
    with path.open(encoding="utf-8") as file:
        return list(read_mlip_cfg(file, slice(None), species=["Si", "Ge"]))


def check_images(images: list[Atoms], folder: Path) -> None:
    assert all(isinstance(atoms, Atoms) and np.all(np.isfinite(atoms.positions)) for atoms in images)
    (folder / "copy.cfg").unlink(missing_ok=True)
    with (folder / "copy.cfg").open("w", encoding="utf-8") as file:
        write_mlip_cfg(file, images, species=["Si", "Ge"])
    assert read_images(folder / "copy.cfg") == images


@pytest.mark.parametrize("name", NAMES)
@fuzz(250)
@given(changes=st.lists(edits(WORDS), min_size=1, max_size=3))
def test_damaged_files_are_valid_or_value_errors(workplace, originals, name, changes):
    content = originals[name]
    for change in changes:
        content = change(content)
    check(workplace / name, content)


@pytest.mark.parametrize("name", NAMES)
@fuzz(250)
@given(change=tails())
def test_binary_tails_are_valid_or_value_errors(workplace, originals, name, change):
    check(workplace / name, change(originals[name]))


@pytest.mark.parametrize("name", NAMES[:5])
def test_truncation_at_every_line(workplace, originals, name):
    """Less than the whole is nothing: even without its last lines a trained model is no untrained one."""
    assert not any(check(workplace / name, beginning) for beginning in beginnings(originals[name]))
    assert check(workplace / name, originals[name])


def test_truncation_at_every_byte(workplace, originals):
    """Without its end there are only a potential without active set, and configurations that are complete."""
    content = originals["set.almtp"]
    whole = {content.index(b"#MVS"), content.index(b"#MVS") - 1, *(len(content) - n for n in range(3))}
    begin = content.index(b"BEGIN_CFG", content.index(b"BEGIN_CFG") + 1)
    good = {n for n in range(0, len(content), 1) if check(workplace / "set.almtp", content[:n])}
    assert whole - {len(content)} == good
    assert begin not in good
    configurations = [*beginnings(originals["x.cfg"]), originals["x.cfg"]]
    valid = [n for n, some in enumerate(configurations) if check(workplace / "x.cfg", some)]
    assert valid == [0, 16, 17, len(configurations) - 1]


finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def models(draw):
    """Any model of a low level, coefficients being any finite doubles."""
    count, size = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    template = untrained(draw(st.sampled_from([2, 4, 6, 8])), ["H"])
    some = draw(st.lists(finite, min_size=1, max_size=20))
    lowest, difference = draw(st.floats(1e-3, 1e3)), draw(st.floats(1e-3, 1e3))
    species = tuple(draw(st.permutations(ELEMENTS))[:count])
    labels = draw(st.none() | st.lists(st.integers(0, 999), min_size=count, max_size=count, unique=True))
    return MtpModel(
        species=species,
        radial_basis=draw(st.sampled_from(RADIAL_BASES)),
        scaling=draw(finite),
        min_dist=lowest,
        max_dist=lowest + difference,
        radial_coefficients=np.resize(some, (count, count, template.radial_functions, size)),
        basic=template.basic,
        times=template.times,
        n_moments=template.n_moments,
        mapping=template.mapping,
        species_coefficients=np.resize(some[::-1], count),
        moment_coefficients=np.resize(some, len(template.mapping)),
        name=draw(st.from_regex(r"[A-Za-z0-9._-]{0,9}", fullmatch=True)),
        labels=None if labels is None else tuple(labels),
    )


@fuzz(200)
@given(model=models())
def test_any_model_survives_writing(workplace, model):
    labels = model.labels or ()
    if max(labels, default=0) > len(labels) and all(0 < label <= len(ELEMENTS) for label in labels):
        model = replace(model, species=tuple(ELEMENTS[label - 1] for label in labels))  # no other symbols are read
    write_mtp(workplace / "any.mtp", model)
    assert read_mtp(workplace / "any.mtp", species=model.species) == model


@fuzz(200)
@given(
    numbers=st.lists(finite, min_size=3, max_size=12),
    pbc=st.tuples(*[st.booleans()] * 3),
    info=st.dictionaries(st.text(max_size=5), st.text(max_size=8), max_size=3),
)
def test_any_configuration_survives_writing(numbers, pbc, info):
    count = len(numbers) // 3
    atoms = Atoms("Si" * count, positions=np.reshape(numbers[: 3 * count], (-1, 3)), cell=np.eye(3) * pbc, pbc=pbc)
    atoms.info.update(info)
    file = StringIO()
    write_mlip_cfg(file, atoms, species=["Si"])
    (again,) = read_mlip_cfg(StringIO(file.getvalue()), slice(None), species=["Si"])
    assert again == atoms
    assert len(again.info) <= len(info)
