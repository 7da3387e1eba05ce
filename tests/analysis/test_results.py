"""Results of analyses: files, axes, and what an interruption leaves."""

import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from ase_mlips.analysis.results import Interrupted, Result, new_axes
from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class Sample(Result):
    field: Any


@dataclass(frozen=True, eq=False, repr=False)
class Other(Result):
    field: Any


def through_a_file(value, path):
    Sample(value).save(path)
    return Sample.load(path).field


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        0.1 + 0.2,
        float("inf"),
        "Å, \"quoted\" 'text'",
        (),
        ("Li", "P", "S"),
        ("Li", None, 2.5, ("nested",)),
        {},
        {"Li": 1.5, "S": None},
        {("Li", "S"): ("a",), ("S", "S", "Li"): 2},
    ],
)
def test_plain_values_come_back_equal_and_of_the_same_type(value, tmp_path):
    back = through_a_file(value, tmp_path / "result.npz")
    assert back == value
    assert type(back) is type(value)


def test_not_a_number_comes_back(tmp_path):
    assert np.isnan(through_a_file(float("nan"), tmp_path / "a"))


@pytest.mark.parametrize("scalar", [np.float64(2.5), np.int32(4), np.bool_(True)])
def test_numpy_scalars_become_python_numbers(scalar, tmp_path):
    back = through_a_file(scalar, tmp_path / "a")
    assert back == scalar
    assert type(back) is type(scalar.item())


@pytest.mark.parametrize(
    "array", [np.arange(6.0).reshape(2, 3), np.array(4), np.empty((0, 3)), np.array([1j, 2]), np.array(["Li", "P"])]
)
def test_arrays_come_back_exactly(array, tmp_path):
    back = through_a_file(array, tmp_path / "result")
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype


def test_dictionaries_of_arrays_keep_keys_and_order(tmp_path):
    value = {("S", "Li"): np.arange(3), ("Li", "Li"): np.ones((2, 2)), "total": np.zeros(1)}
    back = through_a_file(value, tmp_path / "result.npz")
    assert list(back) == list(value)
    for key, array in value.items():
        np.testing.assert_array_equal(back[key], array)


def test_the_file_has_the_name_that_was_asked_for(tmp_path):
    Sample(1).save(tmp_path / "name.without.npz.at.the.end")
    assert [path.name for path in tmp_path.iterdir()] == ["name.without.npz.at.the.end"]


@pytest.mark.parametrize("value", [{1, 2}, np.array([None, {}]), {"a": [1, 2]}])
def test_what_cannot_be_kept_is_refused_before_the_file_is_touched(value, tmp_path):
    with pytest.raises(TypeError, match="which a result cannot hold"):
        Sample(value).save(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_the_wrong_file_is_refused(tmp_path):
    Other(1).save(tmp_path / "other")
    with pytest.raises(ValueError, match="holds a Other and not a Sample"):
        Sample.load(tmp_path / "other")
    np.savez(tmp_path / "arrays.npz", a=np.ones(3))
    np.save(tmp_path / "single.npy", np.ones(3))
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "empty.npz").touch()
    (tmp_path / "cut.npz").write_bytes((tmp_path / "other").read_bytes()[:40])
    for name in ("arrays.npz", "single.npy", "text.npz", "empty.npz", "cut.npz"):
        with pytest.raises(ValueError, match=f"{name} is not a saved Sample"):
            Sample.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        Sample.load(tmp_path / "absent.npz")


def test_representation_is_short():
    assert repr(Sample(np.zeros((1000, 3)))) == "Sample(field: array (1000, 3))"
    assert repr(Sample({("Li", "S"): np.zeros(4), "all": 1})) == "Sample(field: {Li-S, all})"
    assert repr(Sample(np.empty((0, 3)))) == "Sample(field: array (0, 3))"
    assert repr(Sample(np.zeros(7))) == "Sample(field: array (7,))"
    assert repr(Sample(1.0 / 3.0)) == "Sample(field: 0.333333)"


def test_representation_of_short_arrays_has_their_numbers():
    assert repr(Sample(np.array([7.9e-5, 1e-8]))) == "Sample(field: [7.9e-05 1e-08])"
    assert repr(Sample(np.arange(6).reshape(2, 3))) == "Sample(field: [[0 1 2] [3 4 5]])"
    assert repr(Sample(np.full(6, 1.0 / 3.0))).count("0.333333") == 6
    assert repr(Sample(np.array(["Li", "P"]))) == "Sample(field: ['Li' 'P'])"
    assert repr(Sample(np.array(4))) == "Sample(field: 4)"


def test_interrupted_is_a_keyboard_interrupt_that_carries_the_result():
    error = Interrupted(Sample(2), 3)
    assert isinstance(error, KeyboardInterrupt)
    assert error.result.field == 2
    assert "Sample(field: 2)" in str(error)
    assert pickle.loads(pickle.dumps(Interrupted(7, 3))).result == 7


def test_axes_are_made_only_when_none_are_given():
    given = Figure().subplots()
    assert new_axes(given) is given
    from matplotlib import pyplot

    made = new_axes()
    pyplot.close(made.figure)
    assert made is not given


def test_an_interrupted_save_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "result.npz"
    Sample(1).save(path)
    before = path.read_bytes()

    def interrupted(file, **_):
        file.write(b"PK")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Sample(2).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
