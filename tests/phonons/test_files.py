"""Files of phonopy from anywhere: no code runs, no size is believed, and nothing but the file given counts."""

import bz2
import gzip
import lzma
import re
import resource

import numpy as np
import phonopy
import pytest
from support.springs import Springs, rock_salt

from ase_mlips.phonons import Phonons, compare_phonons, phonons

CHARGES, DIELECTRIC = np.array([1.0, -1.0])[:, None, None] * np.eye(3), 3.0 * np.eye(3)
Q = [[0.1, 0.2, 0.3], [0.0, 0.0, 0.0]]


@pytest.fixture(scope="module")
def salt():
    return phonons(rock_salt(), Springs(), supercell=2)


@pytest.fixture
def text(salt, tmp_path):
    salt.save(tmp_path / "good.yaml")
    return (tmp_path / "good.yaml").read_text()


@pytest.fixture
def constants(salt, tmp_path):
    salt.phonopy.save(tmp_path / "constants.yaml", settings={"force_sets": False, "force_constants": True})
    return (tmp_path / "constants.yaml").read_text()


def refused(tmp_path, content, message, name="bad.yaml"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for read in (Phonons.load, lambda path: compare_phonons(path, {"a": Springs()})):
        with pytest.raises(ValueError, match=message) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}:")
        assert "\n" not in str(caught.value)


COMPRESSORS = {"": bytes, ".xz": lzma.compress, ".lzma": lzma.compress, ".gz": gzip.compress, ".bz2": bz2.compress}


@pytest.mark.parametrize("ending", COMPRESSORS)
@pytest.mark.parametrize(
    "tagged",
    [
        "x: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{victim}]]",
        "x: !!python/object/new:os.system ['touch {victim}']",
        "x: !!python/name:os.system",
        "x: !!python/module:os",
        "? !!python/object/apply:os.system ['touch {victim}']\n: 1",
        "x: !unknown 1",
    ],
)
def test_tags_run_nothing(tagged, ending, text, tmp_path):
    victim = tmp_path / "victim"
    content = COMPRESSORS[ending](f"{tagged.format(victim=victim)}\n{text}".encode())
    refused(tmp_path, content, r":1: expected yaml without tags and aliases, could not determine", f"bad.yaml{ending}")
    assert not victim.exists()


def test_aliases_do_not_multiply_what_the_file_holds(text, tmp_path):
    bomb = "a0: &a0 [1.0, 1.0]\n"
    bomb += "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 12))
    refused(tmp_path, bomb + text, "without tags and aliases, found an alias")
    refused(tmp_path, "[" * 100_000, "nesting|recursion")


def with_matrix(text, key, number):
    rows = "".join(f"- {[number * (i == j) for j in range(3)]}\n" for i in range(3))
    return re.sub(rf"{key}:\n(- .*\n)+", f"{key}:\n{rows}", text)


def skewed(text, number):
    return text.replace("supercell_matrix:\n- [   2,   0,", f"supercell_matrix:\n- [ 2, {number},")


def test_a_skewed_supercell_is_the_same_crystal(text, salt, tmp_path):
    (tmp_path / "skewed.yaml").write_text(skewed(text, 8))
    assert skewed(text, 8) != text
    np.testing.assert_allclose(Phonons.load(tmp_path / "skewed.yaml").supercell, [[2, 8, 0], [0, 2, 0], [0, 0, 2]])


def without(text, key):
    return re.sub(rf"\n{key}:\n(?:[ -].*\n)+", "\n", text)


@pytest.mark.parametrize("number", [65536, 3])
def test_supercells_that_the_file_does_not_hold(number, text, constants, tmp_path):
    # Far less than such a supercell takes.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    atoms = 2 * number**3
    for content, message in (
        (text, r"expected a supercell of \d+ atoms, as its matrix says, got 16"),
        (without(text, "supercell"), rf"forces of displacement 1: expected shape \({atoms}, 3\), got \(16, 3\)"),
        (
            without(without(constants, "supercell"), "displacements"),
            rf"force constants: expected shape \(16, {atoms}, 3, 3\), got",
        ),
    ):
        refused(tmp_path, with_matrix(content, "supercell_matrix", number), message)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def first_number(text, after, number):
    at = text.index(after)
    return text[:at] + re.sub(r"\[ +[-0-9.]+", f"[ {number}", text[at:], count=1)


def test_sizes_and_numbers_that_cannot_be(text, constants, tmp_path):
    for content, message in (
        (
            re.sub(r"shape: \[.*\]", "shape: [65536, 65536]", constants),
            "expected 65536 x 65536 force constants, got 256",
        ),
        (re.sub(r"shape: \[.*\]", "shape: [1, 256]", constants), r"expected shape \(1, 16, 3, 3\), got"),
        (re.sub(r"shape: \[.*\]", "shape: [256, 1]", constants), r"expected shape \(256, 16, 3, 3\), got"),
        (re.sub("atom: +1\n", "atom: 65536\n", text, count=1), "expected an atom from 1 to 16, got 65536"),
        (re.sub("atom: +1\n", "atom: 0\n", text, count=1), "expected an atom from 1 to 16, got 0"),
        (first_number(text, "forces:", ".nan"), "forces of displacement 1: expected finite numbers, got nan at"),
        (first_number(text, "forces:", "1e999"), "forces of displacement 1: expected finite numbers, got inf at"),
        (first_number(text, "displacement:", ".inf"), "displacement 1: expected finite numbers"),
        (first_number(constants, "elements:", ".nan"), "force constants: expected finite numbers, got nan at"),
        (first_number(text, "unit_cell:", ".nan"), "lattice: expected finite numbers"),
        (with_matrix(text, "primitive_matrix", 65536), "cannot be read as a phonopy yaml file"),
        (with_matrix(text, "primitive_matrix", 1e-6), "cannot be read as a phonopy yaml file"),
        (with_matrix(text, "supercell_matrix", -1), "a positive determinant"),
        (
            text.replace("phonopy:\n", "phonopy:\n  calculator: qe\n", 1).replace('length: "angstrom"', 'length: "au"'),
            "yaml|au",
        ),
        (skewed(text, 10_000), r"less skewed than by \[\[2, 10000, 0\]"),
        (
            re.sub(r"shape: \[.*\]", "shape: [10000000000, x]", constants),
            "'str' object cannot be interpreted as an int",
        ),
        (re.sub(r"shape: \[.*\]", "shape: [10000000000, [1]]", constants), "'list' object cannot be interpreted"),
        (without(text, "displacements"), "neither force constants nor the forces"),
    ):
        assert content not in (text, constants)
        refused(tmp_path, content, message)


def test_random_displacements_that_are_not_finite(tmp_path):
    result = phonons(rock_salt(), Springs(), supercell=3, snapshots=3)
    result.save(tmp_path / "random.yaml")
    text = (tmp_path / "random.yaml").read_text()
    assert Phonons.load(tmp_path / "random.yaml").frequencies(Q) == pytest.approx(result.frequencies(Q), abs=1e-6)
    refused(tmp_path, first_number(text, "forces:", ".nan"), "forces: expected finite numbers, got nan at")
    refused(tmp_path, first_number(text, "  displacements:", ".nan"), "displacements: expected finite numbers, got nan")


@pytest.mark.parametrize("content", [b"hello", b"\x1f\x8b", b""])
@pytest.mark.parametrize("ending", [".xz", ".gz", ".bz2"])
def test_files_that_are_compressed_only_by_name(ending, content, tmp_path):
    refused(tmp_path, content, "cannot be read as", f"bad{ending}")


def test_only_the_file_given_counts(salt, tmp_path, monkeypatch):
    """Whatever phonopy itself would draw in from the working directory."""
    salt.save(tmp_path / "salt.yaml")
    polar = salt.with_born_charges(CHARGES, DIELECTRIC)
    polar.save(tmp_path / "polar.yaml")
    salt.phonopy.save(tmp_path / "bare.yaml", settings={"force_sets": False})
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    (here / "BORN").write_text("14.4\n1 0 0 0 1 0 0 0 1\n2 0 0 0 2 0 0 0 2\n-2 0 0 0 -2 0 0 0 -2\n")
    stiffer = phonons(rock_salt(), Springs(along=9.0), supercell=2)
    phonopy.file_IO.write_FORCE_SETS(stiffer.phonopy.dataset)
    phonopy.file_IO.write_FORCE_CONSTANTS(stiffer.phonopy.force_constants)
    phonopy.file_IO.write_force_constants_to_hdf5(stiffer.phonopy.force_constants)
    near = [[1e-3, 0.0, 1e-3]]
    for path, result in (("salt.yaml", salt), ("polar.yaml", polar)):
        loaded = Phonons.load(tmp_path / path)
        np.testing.assert_allclose(loaded.frequencies(near), result.frequencies(near), atol=1e-6)
    assert Phonons.load(tmp_path / "salt.yaml").phonopy.nac_params is None
    with pytest.raises(ValueError, match="neither force constants nor the forces"):
        Phonons.load(tmp_path / "bare.yaml")
    assert phonopy.load(tmp_path / "salt.yaml", log_level=0).nac_params is not None  # which makes this a test


@pytest.mark.parametrize("ending", COMPRESSORS)
def test_what_is_saved_is_read(ending, salt, tmp_path):
    path = tmp_path / f"salt.yaml{ending}"
    salt.save(path)
    assert COMPRESSORS[ending] is bytes or not path.read_bytes().startswith(b"phonopy")
    np.testing.assert_allclose(Phonons.load(path).frequencies(Q), salt.frequencies(Q), atol=1e-6)
    given = Phonons.from_force_constants(rock_salt(), salt.phonopy.force_constants, supercell=2)
    given.save(path)
    np.testing.assert_allclose(Phonons.load(path).frequencies(Q), salt.frequencies(Q), atol=1e-6)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_compact_force_constants(salt, tmp_path):
    full = salt.phonopy.force_constants
    copy = salt.phonopy.replicate()
    copy.force_constants = full[copy.primitive.p2s_map]
    copy.save(tmp_path / "compact.yaml", settings={"force_sets": False, "force_constants": True})
    np.testing.assert_allclose(Phonons.load(tmp_path / "compact.yaml").phonopy.force_constants, full, atol=1e-9)


def test_an_interrupted_save_leaves_the_file_as_it_was(salt, tmp_path, monkeypatch):
    path = tmp_path / "salt.yaml"
    salt.save(path)
    before = path.read_bytes()

    def interrupted(self, filename, **_):
        filename.write_text("phonopy:\n")
        raise KeyboardInterrupt

    monkeypatch.setattr(phonopy.Phonopy, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        salt.save(path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["salt.yaml"]


BORN = "14.4\n3 0 0 0 3 0 0 0 3\n1 0 0 0 1 0 0 0 1\n-1 0 0 0 -1 0 0 0 -1\n"


def test_a_born_file(salt, tmp_path):
    (tmp_path / "BORN").write_text(BORN)
    near = [[1e-3, 0.0, 1e-3]]
    expected = salt.with_born_charges(CHARGES, DIELECTRIC).frequencies(near)
    assert expected[0, 5] > salt.frequencies(near)[0, 5] + 0.1
    np.testing.assert_allclose(salt.with_born_file(tmp_path / "BORN").frequencies(near), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read as a BORN file"),
        ("14.4\n3 0 0\n", "line 2 is incorrect"),
        (BORN.replace("-1", "nan"), "Born charges: expected finite numbers"),
        (BORN.replace("3", "inf"), "dielectric tensor: expected finite numbers"),
        (BORN.replace("3", "-3"), "positive definite"),
        (BORN.replace("14.4", "nan"), "unit conversion factor: expected finite numbers"),
        (BORN + "1 0 0 0 1 0 0 0 1\n", "Too many atoms"),
        (BORN.replace("1 0 0 0 1 0 0 0 1", "!!python/name:os.system 0 0 0 1 0 0 0 1", 1), "could not convert"),
        ("14.4\0", "binary"),
    ],
)
def test_files_that_are_not_born(content, message, salt, tmp_path):
    (tmp_path / "BORN").write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        salt.with_born_file(tmp_path / "BORN")
    assert str(caught.value).startswith(str(tmp_path / "BORN"))
