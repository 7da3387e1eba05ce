"""MTP files: what MLIP-2, MLIP-3 and motep write is read, what we write is what MLIP would have written."""

import re
import time
from dataclasses import replace

import numpy as np
import pytest
from support.mtp_models import RECIPES, synthetic_mtp_model
from support.mtp_texts import CONFIGURATION, SMALL, UNTRAINED, an_active_set

from ase_mlips.mtp.files import looks_like_mtp, read_active_set, read_mtp, write_mtp
from ase_mlips.mtp.templates import untrained


@pytest.fixture
def put(tmp_path):
    """Write text, or bytes, and return the path."""

    def write(content: str | bytes, name: str = "pot.mtp"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_every_number_is_in_its_place(put):
    model = read_mtp(put(SMALL))
    assert (model.name, model.tag, model.radial_basis, model.scaling) == ("MTP1m", "", "RBChebyshev", 0.25)
    assert (model.min_dist, model.max_dist, model.n_moments, model.species) == (1.5, 5.0, 2, (None, None))
    assert model.radial_coefficients.shape == (2, 2, 1, 3)
    assert model.radial_coefficients[0, 1, 0].tolist() == [4.0, 5.0, 6.0]
    assert model.radial_coefficients[1, 0, 0].tolist() == [-1.0, -2.0, 0.1 + 0.2]
    assert (model.basic.tolist(), model.times.tolist()) == ([[0, 0, 0, 0]], [[0, 0, 1, 1]])
    assert model.mapping.tolist() == [0, 1]
    assert model.species_coefficients.tolist() == [-0.125, 0.5]
    assert model.moment_coefficients.tolist() == [1e-3, -2e-3]
    assert model.trained


def test_what_is_written_is_what_was_read(put, tmp_path):
    write_mtp(tmp_path / "copy", read_mtp(put(SMALL)))
    assert (tmp_path / "copy").read_text() == SMALL
    write_mtp(tmp_path / "copy", read_mtp(put(UNTRAINED)))
    assert (tmp_path / "copy").read_text() == UNTRAINED


@pytest.mark.parametrize("name", RECIPES)
def test_round_trip_bit_by_bit(name, tmp_path):
    model = replace(synthetic_mtp_model(name), tag="made up")
    write_mtp(tmp_path / "a.mtp", model)
    assert read_mtp(tmp_path / "a.mtp", species=model.species) == model
    assert set(read_mtp(tmp_path / "a.mtp").species) == {None}
    assert list(tmp_path.iterdir()) == [tmp_path / "a.mtp"]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_untrained(count, tmp_path):
    model = replace(untrained(8, ["Si"]), species=(None,) * count)
    write_mtp(tmp_path / "a.mtp", model)
    assert read_mtp(tmp_path / "a.mtp") == model
    assert ("species_count" in (tmp_path / "a.mtp").read_text()) == (count > 0)
    assert read_mtp(tmp_path / "a.mtp", species=["Si", "O"]).species == ("Si", "O")


def test_the_word_radial_coeffs_without_any(put):
    text = UNTRAINED.replace("species_count = 2\n", "").replace(
        "_funcs_count = 1\n", "_funcs_count = 1\n\tradial_coeffs\n"
    )
    assert read_mtp(put(text)) == replace(read_mtp(put(UNTRAINED)), species=())


def test_empty_lists_are_as_good_as_none(put):
    assert not read_mtp(put(UNTRAINED + "species_coeffs = {}\nmoment_coeffs = {}\n")).trained


GROUPED = SMALL.replace("min_dist", "min").replace("max_dist", "max").replace("radial_basis_size", "size")
GROUPED = GROUPED.replace("\tradial_funcs_count = 1\n", "").replace(
    "alpha_moments", "radial_funcs_count = 1\nalpha_moments"
)
VARIANTS = {
    "crlf": SMALL.replace("\n", "\r\n"),
    "motep": GROUPED,
    "mlip3": SMALL.replace("min_dist", "min_val")
    .replace("max_dist", "max_val")
    .replace("radial_basis_size", "basis_size"),
    "white_space": SMALL.replace(" = ", "=").replace("\t", "").replace(", ", " ,").replace("{", "{ "),
    "blank_lines": SMALL.replace("\n", " \n\n"),
    "no_last_newline": SMALL.rstrip(),
    "two_scalings": SMALL.replace("scaling = 2.5", "scaling = 1.25").replace("\tmin_dist", "\tscaling = 2\n\tmin_dist"),
    "scaling_below": SMALL.replace("scaling = 2.5", "potential_tag =").replace(
        "potential_tag = \n", "scaling = 0.25\n", 1
    ),
    "no_tag": SMALL.replace("potential_tag = \n", ""),
    "mlip2_state": SMALL + "\n^" + "\0" * 32 + "\n#",
}
VARIANTS["scaling_below"] = re.sub("potential_tag =0+e-01\n", "", VARIANTS["scaling_below"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_are_the_same_model(variant, put):
    assert VARIANTS[variant] != SMALL
    assert read_mtp(put(VARIANTS[variant])) == read_mtp(put(SMALL))


def test_a_missing_scaling_is_one(put):
    assert read_mtp(put(SMALL.replace("scaling = 2.500000000000000e-01\n", ""))).scaling == 1.0


def test_names_and_tags(put, tmp_path):
    text = SMALL.replace("= MTP1m", "= my own  potential ").replace("tag = ", "tag = fitted  by é, 50 % ")
    model = read_mtp(put(text))
    assert (model.name, model.tag) == ("my_own_potential", "fitted by é, 50 %")
    write_mtp(tmp_path / "copy", model)
    assert read_mtp(tmp_path / "copy") == model
    nameless = read_mtp(put(SMALL.replace("potential_name = MTP1m\n", "")))
    write_mtp(tmp_path / "copy", nameless)
    assert "potential_name" not in (tmp_path / "copy").read_text()  # MLIP would stumble over an empty one


def labelled(*labels: int) -> str:
    """The small file with other numbers of the types."""
    return re.sub(r"\t\t(\d)-(\d)\n", lambda m: f"\t\t{labels[int(m[1])]}-{labels[int(m[2])]}\n", SMALL)


def test_species(put, tmp_path):
    assert read_mtp(put(SMALL), species=["Ge", "Si"]).species == ("Ge", "Si")
    model = read_mtp(put(labelled(32, 14)))
    assert (model.species, model.labels) == (("Ge", "Si"), (32, 14))
    assert np.array_equal(model.radial_coefficients, read_mtp(put(SMALL)).radial_coefficients)
    write_mtp(tmp_path / "copy", model)
    assert (tmp_path / "copy").read_text() == labelled(32, 14)
    assert read_mtp(tmp_path / "copy", species=["Ge", "Si"]) == model
    with pytest.raises(ValueError, match="expected species Ge Si, which are the atomic numbers in the file, got Si Ge"):
        read_mtp(tmp_path / "copy", species=["Si", "Ge"])
    assert read_mtp(put(labelled(1, 2))).species == ("H", "He")


def test_numbers_that_are_no_elements_need_names(put):
    path = put(labelled(5, 119))
    expected = "types from 0 to 1, atomic numbers, or species as an argument, got type 119"
    with pytest.raises(ValueError, match=rf"pot.mtp:12: expected {expected}"):
        read_mtp(path)
    assert read_mtp(path, species=["Si", "Ge"]).labels == (5, 119)


@pytest.mark.parametrize("species", [["Si"], ["Si", "Ge", "C"], "SiGe", ["Si", "Si"], ["Si", "Qq"], []])
def test_wrong_species(put, species):
    with pytest.raises(ValueError, match=r"pot.mtp:5: expected species .*, got "):
        read_mtp(put(SMALL), species=species)


def test_ten_species(put, tmp_path):
    symbols = ("H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na")
    rng = np.random.default_rng(1)
    model = replace(
        untrained(6, symbols),
        radial_coefficients=rng.normal(size=(11, 11, 2, 8)),
        species_coefficients=rng.normal(size=11),
        moment_coefficients=rng.normal(size=5),
    )
    write_mtp(tmp_path / "a.mtp", model)
    assert "\t\t10-9\n" in (tmp_path / "a.mtp").read_text()
    assert read_mtp(tmp_path / "a.mtp", species=symbols) == model


def test_level_24_is_read_at_once(tmp_path):
    model = untrained(24, ["Si"])
    model = replace(
        model,
        radial_coefficients=np.ones((1, 1, 6, 8)),
        species_coefficients=[1.0],
        moment_coefficients=np.ones(len(model.mapping)),
    )
    write_mtp(tmp_path / "a.mtp", model)
    seconds = []
    for _ in range(3):
        start = time.thread_time()
        assert read_mtp(tmp_path / "a.mtp", species=["Si"]) == model
        seconds.append(time.thread_time() - start)
    assert min(seconds) < 0.5


def test_active_set(tmp_path):
    model = synthetic_mtp_model("l08")
    active_set = an_active_set(model.n_parameters)
    path = tmp_path / "a.almtp"
    write_mtp(path, model, active_set)
    assert read_mtp(path, species=model.species) == model
    assert read_active_set(path) == active_set
    content = path.read_bytes()
    weights = "energy_weight 1.0000000000000000e+00\nforce_weight 0.0000000000000000e+00\n"
    weights += "stress_weight 1.0000000000000001e-01\nsite_en_weight 0.0000000000000000e+00\nweight_scaling 2\n#"
    assert b"}\n#MVS_v1.1\n" + weights.encode() + active_set.A.tobytes() in content
    assert content.endswith(b"END_CFG\n\n")
    write_mtp(path, model)
    assert read_active_set(path) is None
    assert repr(active_set) == "ActiveSet(75 rows, 1 empty, 2 configurations)"


def test_active_sets_of_mlip(shared, tmp_path):
    """They are written as MLIP did, byte by byte."""
    paths = [*sorted((shared / "reference/mtp").glob("*.almtp")), shared / "data/models/pyiron_test.almtp"]
    for path in paths:
        active_set = read_active_set(path)
        reference = path.with_name(f"{path.stem}_ref.npz")
        if reference.exists():
            arrays = np.load(reference)
            assert np.array_equal(active_set.A, arrays["A"])
            assert np.array_equal(active_set.S, arrays["invA"])
            assert np.array_equal(active_set.links, arrays["links"])
        assert np.abs(active_set.A @ active_set.S.T - np.eye(len(active_set.A))).max() < 1e-8
        write_mtp(tmp_path / "copy", read_mtp(path), active_set)
        assert (tmp_path / "copy").read_bytes() == path.read_bytes()
    assert len(paths) == 5


def test_files_in_circulation(shared, tmp_path):
    paths = [path for folder in ("reference/mtp", "data") for path in sorted((shared / folder).rglob("*mtp"))]
    for path in paths:
        assert looks_like_mtp(path)
        model = read_mtp(path)
        assert model.trained
        write_mtp(tmp_path / "copy", model)
        assert read_mtp(tmp_path / "copy") == model
    assert len(paths) > 30


def test_the_active_set_must_fit(tmp_path):
    model = synthetic_mtp_model("l08")
    with pytest.raises(ValueError, match=r"a.mtp: expected a trained model of 74 parameters as in its active set, got"):
        write_mtp(tmp_path / "a.mtp", model, an_active_set(74))
    with pytest.raises(ValueError, match=r"expected a trained model of 75 parameters .*, untrained\)"):
        write_mtp(tmp_path / "a.mtp", untrained(8, model.species), an_active_set(75))
    with pytest.raises(ValueError, match="expected an MtpModel, got str"):
        write_mtp(tmp_path / "a.mtp", "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"A": np.eye(4)}, r"A of shape \(5, 5\), got \(4, 4\)"),
        ({"S": np.eye(5)[:4]}, r"S of shape \(5, 5\), got \(4, 5\)"),
        ({"A": np.full((5, 5), np.inf)}, "A to be finite, got inf"),
        ({"links": np.zeros((5, 2))}, "links to be integers, got float64"),
        ({"links": np.full((5, 2), 2)}, r"links to 2 configurations, or -1 -1, got \[2, 2\] at 0"),
        ({"links": [[0, 0]] * 4 + [[0, -1]]}, r"links to 2 configurations, or -1 -1, got \[0, -1\] at 4"),
        ({"configurations": ("Size 1", CONFIGURATION)}, "configurations from BEGIN_CFG to END_CFG, got 'Size 1'"),
        ({"configurations": (f"{CONFIGURATION}\n{CONFIGURATION}",) * 2}, "configurations from BEGIN_CFG to END_CFG"),
        ({"weight_scaling": 1.5}, "weight_scaling to be an integer, got 1.5"),
        ({"energy_weight": np.nan}, "energy_weight to be finite"),
    ],
)
def test_wrong_active_sets(changes, message):
    with pytest.raises(ValueError, match=f"^expected {message}"):
        replace(an_active_set(5), **changes)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.mtp"
    path.write_text("old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_mtp(path, synthetic_mtp_model("l08"))
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


def test_a_symbolic_link_stays_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_mtp(tmp_path / "link", synthetic_mtp_model("l02"))
    assert (tmp_path / "link").is_symlink()
    assert read_mtp(tmp_path / "target").n_moments == 1


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ("MTP\nversion = 1.1.0\n", True),
        ("MTP\r\nversion = 7\r\n", True),
        ("MTP", True),
        ("MTP file\n", False),
        (" MTP\n", False),
        ("nep4 1 Si\n", False),
        ("", False),
        ("MTPR\n", False),
    ],
)
def test_looks_like_mtp(put, content, answer):
    assert looks_like_mtp(put(content)) == answer


def test_looks_like_mtp_where_nothing_is(tmp_path):
    assert not looks_like_mtp(tmp_path)
    assert not looks_like_mtp(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        read_mtp(tmp_path / "none")
