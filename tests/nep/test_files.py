"""Reading and writing of nep.txt files: every form of the header, the order of the numbers, round trips."""

import errno
import os
from dataclasses import replace

import numpy as np
import pytest
from support.nep_models import synthetic_nep_models

from ase_mlips.nep.files import looks_like_nep, read_nep, write_nep
from ase_mlips.nep.model import INVARIANTS, NepNetwork, NepZbl

MODELS = synthetic_nep_models()
HEADER = "cutoff 5 4 100 60\nn_max 1 0\nbasis_size 0 1\nl_max 1 0 0\nANN 2 0\n"  # three descriptors


def gpumd(numbers):
    """Lines of numbers as GPUMD prints them."""
    return "".join(f"{number:15.7e}\n" for number in numbers)


def read_text(folder, text):
    path = folder / "nep.txt"
    path.write_text(text)
    return read_nep(path)


def read_count(folder, header, count):
    """A model of the numbers 1, 2, .., `count`."""
    return read_text(folder, header + gpumd(range(1, count + 1)))


def text_of(folder, model):
    write_nep(folder / "whole.txt", model)
    return (folder / "whole.txt").read_text()


def numbers_from(first, *shape):
    return np.arange(first, first + np.prod(shape), dtype=float).reshape(shape)


def single_precision(model):
    """The same model with the numbers that GPUMD's format can hold."""

    def short(values):
        return None if values is None else np.array([float(f"{v:.7e}") for v in np.ravel(values)]).reshape(values.shape)

    def network(net):
        arrays = {name: short(getattr(net, name)) for name in ("w0", "b0", "w1", "charge", "type_bias")}
        return NepNetwork(bias=float(f"{net.bias:.7e}"), **arrays)

    zbl = model.zbl
    if zbl is not None and zbl.flexible is not None:
        zbl = replace(zbl, flexible=short(zbl.flexible))
    return replace(
        model,
        network=network(model.network),
        scalar_network=model.scalar_network and network(model.scalar_network),
        zbl=zbl,
        **{name: short(getattr(model, name)) for name in ("radial", "angular", "scaler")},
    )


def test_order_of_numbers_in_nep4(tmp_path):
    model = read_count(tmp_path, "nep4 2 Si O\n" + HEADER, 40)
    assert (model.version, model.kind, model.charge_mode, model.elements) == (4, "potential", 0, ("Si", "O"))
    np.testing.assert_array_equal(model.network.w0, [numbers_from(1, 2, 3), numbers_from(11, 2, 3)])
    np.testing.assert_array_equal(model.network.b0, [[7, 8], [17, 18]])
    np.testing.assert_array_equal(model.network.w1, [[9, 10], [19, 20]])
    assert model.network.bias == 21
    assert model.network.charge is None
    assert model.network.type_bias is None
    np.testing.assert_array_equal(model.radial, numbers_from(22, 2, 1, 2, 2))
    np.testing.assert_array_equal(model.angular, numbers_from(30, 1, 2, 2, 2))
    assert model.angular[0, 1, 0, 1] == 35
    np.testing.assert_array_equal(model.scaler, [38, 39, 40])
    assert model.zbl is None
    assert model.scalar_network is None
    assert model.max_neighbors == (100, 60)


def test_order_of_numbers_in_nep3_and_nep5(tmp_path):
    model = read_count(tmp_path, "nep3 2 Si O\n" + HEADER, 30)
    np.testing.assert_array_equal(model.network.w0, [numbers_from(1, 2, 3)])
    np.testing.assert_array_equal(model.network.w1, [[9, 10]])
    assert model.network.bias == 11
    np.testing.assert_array_equal(model.radial, numbers_from(12, 2, 1, 2, 2))
    model = read_count(tmp_path, "nep5 2 Si O\n" + HEADER, 42)
    np.testing.assert_array_equal(model.network.w0, [numbers_from(1, 2, 3), numbers_from(12, 2, 3)])
    np.testing.assert_array_equal(model.network.w1, [[9, 10], [20, 21]])
    np.testing.assert_array_equal(model.network.type_bias, [11, 22])
    assert model.network.bias == 23
    np.testing.assert_array_equal(model.radial, numbers_from(24, 2, 1, 2, 2))


def test_order_of_numbers_with_charges_and_flexible_repulsion(tmp_path):
    header = "nep4_zbl_charge2 2 Si O\nzbl 0 0\n" + HEADER
    model = read_count(tmp_path, header, 75)
    assert (model.version, model.charge_mode) == (4, 2)
    np.testing.assert_array_equal(model.network.w0, [numbers_from(1, 2, 3), numbers_from(13, 2, 3)])
    np.testing.assert_array_equal(model.network.w1, [[9, 10], [21, 22]])
    np.testing.assert_array_equal(model.network.charge, [[11, 12], [23, 24]])
    assert model.sqrt_epsilon == 25
    assert model.network.bias == 26
    np.testing.assert_array_equal(model.radial, numbers_from(27, 2, 1, 2, 2))
    np.testing.assert_array_equal(model.scaler, [43, 44, 45])
    assert model.zbl == NepZbl(0.0, 0.0, flexible=numbers_from(46, 3, 10))


def test_order_of_numbers_in_polarizability_models(tmp_path):
    model = read_count(tmp_path, "nep4_polarizability 2 Si O\n" + HEADER, 61)
    assert model.kind == "polarizability"
    assert model.network == NepNetwork(
        [numbers_from(1, 2, 3), numbers_from(11, 2, 3)], [[7, 8], [17, 18]], [[9, 10], [19, 20]], 21
    )
    np.testing.assert_array_equal(model.scalar_network.w0, [numbers_from(22, 2, 3), numbers_from(32, 2, 3)])
    assert model.scalar_network.bias == 42
    np.testing.assert_array_equal(model.radial, numbers_from(43, 2, 1, 2, 2))
    model = read_count(tmp_path, "nep3_polarizability 2 Si O\n" + HEADER, 41)
    np.testing.assert_array_equal(model.scalar_network.w0, [numbers_from(12, 2, 3)])
    assert model.scalar_network.bias == 22


CUTOFFS = [
    ("cutoff 5 4", {"max_neighbors": (0, 0)}),
    ("cutoff 5.0 4e0 7 8", {"max_neighbors": (7, 8)}),
    ("cutoff 5 4 6 3.5 4.5 4.5 7 8", None),
    ("cutoff 5 4 6 3.5 4.5 4.5 100 60", {"radial_cutoffs": [5, 6, 4.5], "angular_cutoffs": [4, 3.5, 4.5]}),
    ("cutoff 5 4 100 60 0 0 0", {}),
    ("cutoff 5 4 100 60 -1 -1 -1", {}),
    ("cutoff 5 4 100 60 2.5 2 0.7", {"typewise_factors": (2.5, 2.0)}),
    ("cutoff 5 4 100 60 2.5 -1 0", {"typewise_factors": (2.5, -1.0)}),
]


@pytest.mark.parametrize(("line", "fields"), CUTOFFS)
def test_forms_of_the_cutoff_line(tmp_path, line, fields):
    model = MODELS["nep4"]
    text = text_of(tmp_path, model).replace("cutoff 5 4 100 60", line)
    if fields is None:
        fields = {"radial_cutoffs": [5, 6, 4.5], "angular_cutoffs": [4, 3.5, 4.5], "max_neighbors": (7, 8)}
    assert read_text(tmp_path, text) == replace(model, **fields)


def test_old_cutoff_line_can_carry_the_factor_of_the_repulsion(tmp_path):
    text = text_of(tmp_path, MODELS["nep4_zbl_universal"])
    model = read_text(tmp_path, text.replace("cutoff 5 4 100 60", "cutoff 5 4 100 60 0 0 0.7"))
    assert model.zbl == NepZbl(1.3, 2.6, 0.7, typewise_inner_half=True)
    assert model.typewise_factors is None
    model = read_text(tmp_path, text.replace("cutoff 5 4 100 60", "cutoff 5 4 100 60 2 1 0"))
    assert model.zbl == NepZbl(1.3, 2.6)
    assert model.typewise_factors == (2.0, 1.0)


L_MAX = [
    ("l_max 4", ()),
    ("l_max 4 0", ()),
    ("l_max 4 2", ("222",)),
    ("l_max 4 1", ("222",)),
    ("l_max 4 2 1", ("222", "1111")),
    ("l_max 4 0 1", ("1111",)),
    ("l_max 4 0 0 1", ("112",)),
    ("l_max 4 2 0 0 1", ("222", "123")),
    ("l_max 4 0 0 0 0 1", ("233",)),
    ("l_max 4 0 0 0 0 0 1", ("134",)),
    ("l_max 4 2 1 1 1 1 1", INVARIANTS),
    ("l_max 8 2 1 1 1 1 1", INVARIANTS),
]


@pytest.mark.parametrize(("line", "invariants"), L_MAX)
def test_forms_of_the_l_max_line(tmp_path, line, invariants):
    l_max = int(line.split()[1])
    length = 2 + l_max + len(invariants)
    count = 2 * (2 * length + 4) + 1 + 16 + length
    model = read_count(tmp_path, "nep4 2 Si O\n" + HEADER.replace("l_max 1 0 0", line), count)
    assert (model.l_max, model.invariants, model.n_descriptors) == (l_max, invariants, length)


@pytest.mark.parametrize("name", MODELS)
def test_written_models_are_read_back_bit_by_bit(tmp_path, name):
    write_nep(tmp_path / "nep.txt", MODELS[name])
    assert read_nep(tmp_path / "nep.txt") == MODELS[name]
    assert read_nep(str(tmp_path / "nep.txt")) == MODELS[name]
    assert looks_like_nep(tmp_path / "nep.txt")
    assert os.listdir(tmp_path) == ["nep.txt"]


@pytest.mark.parametrize("name", MODELS)
def test_numbers_of_gpumd_are_written_as_gpumd_does(tmp_path, name):
    text = text_of(tmp_path, single_precision(MODELS[name]))
    numbers = [line for line in text.splitlines() if not line[0].isalpha()]
    assert len(text.splitlines()) - len(numbers) == 6 + (MODELS[name].zbl is not None)
    assert numbers == gpumd(map(float, numbers)).splitlines()


HEADERS = [
    ("nep4_one", ["nep4 1 Si", "cutoff 5 4 100 60", "n_max 3 2", "basis_size 5 4", "l_max 4 2 1", "ANN 12 0"]),
    ("per_type", ["nep4 3 Si O Al", "cutoff 5 4.1 4.2 3.6 5.6 4.4 100 60"]),
    ("charge3_zbl", ["nep4_zbl_charge3 3 Si O Al", "zbl 1.3 2.6", "cutoff 5 4 100 60"]),
    ("nep5_zbl_typewise", ["nep5_zbl 3 Si O Al", "zbl 1.3 2.6 0.75", "cutoff 5 4 100 60"]),
    ("nep3_zbl_flexible", ["nep3_zbl 2 Te Pb", "zbl 0 0"]),
    ("typewise", ["nep4 3 Si O Al", "cutoff 5 4 100 60 1.9 1.5 0"]),
    ("zbl_half", ["nep4_zbl 3 Si O Al", "zbl 1.3 2.6", "cutoff 5 4 100 60 0 0 0.75"]),
    ("typewise_angular_zbl_half", ["nep4_zbl 3 Si O Al", "zbl 1.3 2.6", "cutoff 5 4 100 60 0 1.4 0.75"]),
]


@pytest.mark.parametrize(("name", "lines"), HEADERS)
def test_written_headers(tmp_path, name, lines):
    assert text_of(tmp_path, MODELS[name]).splitlines()[: len(lines)] == lines


def test_newer_flags_of_l_max_are_written_only_where_they_are_set(tmp_path):
    assert "l_max 4 0 0 0 1 0 0\n" in text_of(tmp_path, MODELS["only_123"])
    assert "l_max 4 0 1\n" in text_of(tmp_path, MODELS["only_1111"])
    assert "l_max 6 0 0\n" in text_of(tmp_path, MODELS["l6"])


def test_typewise_factors_exclude_cutoffs_of_each_element(tmp_path):
    model = replace(MODELS["per_type"], typewise_factors=(2.0, 1.0))
    half = replace(MODELS["per_type"], zbl=NepZbl(1.0, 2.0, 0.7, typewise_inner_half=True))
    for other in (model, half):
        with pytest.raises(ValueError, match=r"nep.txt: expected cutoffs that are alike because there are typewise"):
            write_nep(tmp_path / "nep.txt", other)
    with pytest.raises(ValueError, match=r"nep.txt: expected a NepModel, got str"):
        write_nep(tmp_path / "nep.txt", "nep4")
    assert os.listdir(tmp_path) == []


def test_extreme_numbers_survive(tmp_path):
    numbers = [5e-324, -0.0, 1.7976931348623157e308, 0.1 + 0.2, 1e22, -1 / 3]
    model = replace(MODELS["nep4"], scaler=np.resize(numbers, 19))
    write_nep(tmp_path / "nep.txt", model)
    assert read_nep(tmp_path / "nep.txt") == model


@pytest.mark.parametrize("change", ["\r\n", " \n", "\u00a0\n", "\n\n", "  \n \n", ""])
def test_line_ends_and_blanks_do_not_matter(tmp_path, change):
    model = MODELS["nep4_zbl_flexible"]
    text = text_of(tmp_path, model)
    if len(change) == 2 and change != "\n\n":
        text = text.replace("\n", change).replace(" ", " \t")
    else:
        text = text.removesuffix("\n") + change
    (tmp_path / "nep.txt").write_bytes(text.encode())
    assert read_nep(tmp_path / "nep.txt") == model


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch, failing):
    before = text_of(tmp_path, MODELS["nep4"])

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(OSError, match="No space left"):
        write_nep(tmp_path / "whole.txt", MODELS["nep5"])
    assert (tmp_path / "whole.txt").read_text() == before
    assert os.listdir(tmp_path) == ["whole.txt"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"nep4 1 Si \ncutoff", True),
        (b"nep3_zbl_polarizability 2 H O\r\n", True),
        (b"nep_zbl 1 Si\n", True),
        (b"nep4_temperature 16 Ag Al", True),
        (b"  nep5\t3 Si O Al", True),
        (b"nep4 Si\n", False),
        (b"nep4", False),
        (b"nep 12", False),
        (b"nephew 1 Si\n", False),
        (b"nep6 1 Si\n", False),
        (b"nep44 1 Si\n", False),
        (b"# nep4 1 Si\n", False),
        (b"type 1 Si\nversion 4\n", False),
        (b"nep4 1 Si\n\0\0\0", False),
        (b"\x89PNG\r\n", False),
        (b"", False),
    ],
)
def test_recognition(tmp_path, content, expected):
    (tmp_path / "file").write_bytes(content)
    assert looks_like_nep(tmp_path / "file") is expected
    assert looks_like_nep(str(tmp_path / "file")) is expected


def test_recognition_of_what_cannot_be_read(tmp_path, monkeypatch):
    assert not looks_like_nep(tmp_path)
    assert not looks_like_nep(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe")
    assert not looks_like_nep(tmp_path / "pipe")
    (tmp_path / "secret").write_text("nep4 1 Si \n")

    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert not looks_like_nep(tmp_path / "secret")


def test_published_models(shared, tmp_path):
    """They are read, have descriptors as their headers say, and come out of writing with every number as it was."""
    folders = [shared / "reference" / "nep" / "models", shared / "data" / "models" / "nep"]
    files = [path for folder in folders for path in sorted(folder.glob("*.txt"))]
    files += sorted((shared / "data" / "superionic_models").glob("*nep*.txt"))
    files = [path for path in files if looks_like_nep(path)]
    assert len(files) >= 30
    for path in files:
        model = read_nep(path)
        write_nep(tmp_path / "copy.txt", model)
        assert read_nep(tmp_path / "copy.txt") == model
        before, after = (p.read_text().splitlines() for p in (path, tmp_path / "copy.txt"))
        assert len(before) == len(after)
        header = 6 + (model.zbl is not None)
        if len(before[header].strip().lstrip("-")) == len("1.0000000e+00"):  # else more digits than GPUMD's
            assert after[header:] == before[header:]


def test_published_subset_is_that_of_its_own_elements(shared):
    model = read_nep(shared / "data" / "models" / "nep" / "UNEP-v1.txt")
    part = model.subset(("W", "Ta"))
    w, ta = model.elements.index("W"), model.elements.index("Ta")
    np.testing.assert_array_equal(part.network.w0, model.network.w0[[w, ta]])
    np.testing.assert_array_equal(part.radial[:, :, 0, 1], model.radial[:, :, w, ta])
    np.testing.assert_array_equal(part.angular[:, :, 1, 0], model.angular[:, :, ta, w])
