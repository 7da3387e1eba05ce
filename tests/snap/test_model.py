"""SnapModel: what it accepts, what it refuses and in which words."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from support.snap_models import synthetic_models

from ase_mlips.snap.model import SnapModel, Zbl, bispectrum_labels

MODELS = synthetic_models()
TWO = {"elements": ("In", "P"), "radii": [0.5, 0.4], "weights": [1, 0.9], "twojmax": 2, "rcutfac": 4.0}
GOOD = {**TWO, "coefficients": np.arange(12.0).reshape(2, 6)}


def test_fields_get_their_types():
    model = SnapModel(**{**GOOD, "elements": ["In", "P"], "twojmax": np.int64(2), "bzeroflag": 0, "rmin0": 1})
    assert model.elements == ("In", "P")
    assert type(model.twojmax) is int
    assert model.bzeroflag is False
    assert type(model.rmin0) is float
    assert model.radii.dtype == np.float64


def test_arrays_are_copied_and_read_only():
    radii = np.array([0.5, 0.4])
    model = SnapModel(**{**GOOD, "radii": radii})
    radii[0] = 9.0
    assert model.radii[0] == 0.5
    with pytest.raises(ValueError, match="read-only"):
        model.coefficients[0, 0] = 1.0
    with pytest.raises(FrozenInstanceError):
        model.twojmax = 4


@pytest.mark.parametrize(("twojmax", "count"), [(0, 1), (1, 2), (2, 5), (4, 14), (6, 30), (8, 55), (10, 91), (14, 204)])
def test_number_of_descriptors(twojmax, count):
    labels = bispectrum_labels(twojmax)
    assert len(labels) == len(set(labels)) == count
    assert all(j2 <= j1 <= j <= min(twojmax, j1 + j2) and (j1 + j2 + j) % 2 == 0 for j1, j2, j in labels)


def test_descriptors_and_cutoff_of_variants():
    assert MODELS["chem_three"].n_descriptors == 8 * 27
    assert MODELS["two"].cutoff == pytest.approx(4.4)
    assert MODELS["zbl_beyond_snap"].cutoff == 4.8
    assert MODELS["zbl"].cutoff == pytest.approx(4.3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"elements": ()}, "expected elements, got none"),
        ({"elements": "Ta"}, "expected elements as a sequence of symbols, got the string 'Ta'"),
        ({"elements": ("In", "In")}, "expected elements to be distinct, got In twice"),
        ({"elements": ("In", "1")}, "expected elements to be chemical symbols, got '1'"),
        ({"elements": ("In", 15)}, "expected elements to be chemical symbols, got 15"),
        ({"radii": [0.5]}, r"expected radii of shape \(2,\), got \(1,\)"),
        ({"radii": [0.5, 0.0]}, "expected radii to be positive, got 0.0"),
        ({"radii": [0.5, np.nan]}, "expected radii to be finite, got nan"),
        ({"radii": ["a", "b"]}, "expected radii to be an array of numbers, got list"),
        ({"weights": [[1.0, 1.0]]}, r"expected weights of shape \(2,\), got \(1, 2\)"),
        ({"weights": [1.0, -np.inf]}, "expected weights to be finite, got -inf"),
        ({"coefficients": np.zeros((2, 7))}, r"expected coefficients of shape \(2, 6\), got \(2, 7\)"),
        ({"quadraticflag": True}, r"expected coefficients of shape \(2, 21\), got \(2, 6\)"),
        ({"chemflag": True}, r"expected coefficients of shape \(2, 41\), got \(2, 6\)"),
        ({"twojmax": -1}, "expected twojmax between 0 and 20, got -1"),
        ({"twojmax": 21}, "expected twojmax between 0 and 20, got 21"),
        ({"twojmax": 2.0}, "expected twojmax to be an integer, got 2.0"),
        ({"twojmax": True}, "expected twojmax to be an integer, got True"),
        ({"rcutfac": 0.0}, "expected rcutfac to be positive, got 0.0"),
        ({"rcutfac": 1e308, "radii": [1e10, 1.0]}, "expected rcutfac that gives finite positive cutoffs, got 1e"),
        ({"rcutfac": np.inf}, "expected rcutfac to be finite, got inf"),
        ({"rcutfac": "x"}, "expected rcutfac to be a number, got 'x'"),
        ({"rfac0": 0.0}, "expected rfac0 between 0 and 1, got 0.0"),
        ({"rfac0": 1.01}, "expected rfac0 between 0 and 1, got 1.01"),
        ({"rmin0": -0.1}, "expected rmin0 not to be negative, got -0.1"),
        ({"rmin0": 3.2}, "expected rmin0 below the shortest cutoff 3.2, got 3.2"),
        ({"bzeroflag": 2}, "expected bzeroflag to be 0 or 1, got 2"),
        ({"switchflag": "yes"}, "expected switchflag to be 0 or 1, got 'yes'"),
        ({"switchinnerflag": True}, "expected sinner because switchinnerflag is 1, got none"),
        ({"switchinnerflag": True, "sinner": [1, 1]}, "expected dinner because switchinnerflag is 1, got none"),
        ({"dinner": [1, 1]}, "expected dinner to be absent because switchinnerflag is 0, got 2 values"),
        ({"switchinnerflag": True, "sinner": [1], "dinner": [1, 1]}, r"expected sinner of shape \(2,\), got \(1,\)"),
        ({"switchinnerflag": True, "sinner": [1, 1], "dinner": [1, 0]}, "expected dinner to be positive, got 0.0"),
        ({"zbl": Zbl(4.0, 4.8, (73.0,))}, "expected zbl charges of 2 elements, got 1"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(change, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        SnapModel(**{**GOOD, **change})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4.8, 4.0, (73.0,)), "expected zbl cutoffs 0 < inner < outer, got 4.8 and 4.0"),
        ((0.0, 4.0, (73.0,)), "expected zbl cutoffs 0 < inner < outer, got 0.0 and 4.0"),
        ((1.0, np.nan, (73.0,)), "expected zbl outer to be finite, got nan"),
        ((1.0, 4.0, (73.0, -1.0)), "expected zbl charges that are positive, got -1.0"),
    ],
)
def test_zbl_refuses_nonsense(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        Zbl(*arguments)


@pytest.mark.parametrize("name", MODELS)
def test_pickle_and_copies_are_equal_and_read_only(name):
    model = MODELS[name]
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model), replace(model)):
        assert twin == model
        assert hash(twin) == hash(model)
        assert not twin.coefficients.flags.writeable


def test_models_that_differ_are_not_equal():
    models = list(MODELS.values())
    assert all(a != b for n, a in enumerate(models) for b in models[:n])
    model = MODELS["two_inner"]
    coefficients = model.coefficients.copy()
    coefficients[1, 3] = np.nextafter(coefficients[1, 3], 1.0)
    assert replace(model, coefficients=coefficients) != model
    assert replace(model, dinner=model.dinner * 2) != model
    assert model != "two_inner"


def test_repr_is_short_and_says_what_matters():
    assert repr(MODELS["chem_quadratic"]) == (
        "SnapModel(Cu-Ni: twojmax 2, quadratic, chem, 40 descriptors, cutoff 4.4 A)"
    )
    assert "zbl 2.2 to 3.1 A" in repr(MODELS["zbl"])
