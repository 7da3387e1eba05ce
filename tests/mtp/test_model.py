"""What an MtpModel accepts: an index that leads nowhere must never reach a kernel."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from support.mtp_models import RECIPES, synthetic_mtp_model

from ase_mlips.mtp.model import RADIAL_BASES
from ase_mlips.mtp.templates import untrained

MODEL = synthetic_mtp_model("l08")  # Si-Ge: nB = 11, nT = 14, nM = 18, nS = 9, K = 2, R = 8


def changed(array, place, value) -> np.ndarray:
    result = np.array(array)
    result[place] = value
    return result


WRONG = {
    "name_of_two_words": ({"name": "two words"}, "name to be one word without #, got 'two words'"),
    "name_with_hash": ({"name": "a#b"}, "name to be one word without #"),
    "tag_of_two_lines": ({"tag": "a\nb"}, "tag to be one line without #"),
    "one_string": ({"species": "Si"}, "species as a sequence of symbols, got the string 'Si'"),
    "no_element": ({"species": ("Si", "Qq")}, "species to be chemical symbols, or all None, got 'Qq'"),
    "half_named": ({"species": ("Si", None)}, "species to be chemical symbols, or all None, got None"),
    "half_unnamed": ({"species": (None, "Si")}, "species to be chemical symbols, or all None, got 'Si'"),
    "element_twice": ({"species": ("Si", "Si")}, "species to be distinct, got Si twice"),
    "species_too_few": ({"species": ("Si",)}, r"species_coefficients of shape \(1,\), got \(2,\)"),
    "no_species": ({"species": ()}, "species of a trained model, got none"),
    "labels_too_few": ({"labels": (14,)}, r"labels as 2 distinct numbers, got \(14,\)"),
    "label_twice": ({"labels": (14, 14)}, "labels as 2 distinct numbers"),
    "label_negative": ({"labels": (14, -1)}, "labels between 0 and"),
    "basis": ({"radial_basis": "RBShapeev"}, "radial_basis to be one of .*, got 'RBShapeev'"),
    "scaling": ({"scaling": np.nan}, "scaling to be finite, got nan"),
    "min_dist": ({"min_dist": 0.0}, "min_dist to be positive, got 0"),
    "max_dist": ({"max_dist": 1.9}, "max_dist above min_dist 1.9, got 1.9"),
    "n_moments": ({"n_moments": 17}, "times with products between 11 and 16, got"),
    "n_moments_float": ({"n_moments": 18.0}, "n_moments to be an integer"),
    "n_moments_huge": ({"n_moments": 10**9}, "n_moments between 1 and"),
    "no_basic": ({"basic": np.zeros((0, 4), dtype=int)}, "basic of 1 to 18 rows, got 0"),
    "basic_shape": ({"basic": np.zeros((11, 3), dtype=int)}, r"basic of shape \(rows, 4\), got \(11, 3\)"),
    "basic_ragged": ({"basic": [[0, 0], [1]]}, "basic to be a table of integers, got rows of several lengths"),
    "basic_floats": ({"basic": MODEL.basic * 1.0}, "basic to be integers, got float64"),
    "basic_64_bits": ({"basic": changed(MODEL.basic.astype(int), (0, 0), 2**40)}, "basic to fit into 32 bits"),
    "mu_negative": ({"basic": changed(MODEL.basic, (10, 0), -1)}, "basic without negative numbers, got .* at 10"),
    "mu_too_large": ({"basic": changed(MODEL.basic, (10, 0), 2)}, r"radial_coefficients of shape \(2, 2, 3, 8\)"),
    "mu_huge": ({"basic": changed(MODEL.basic, (10, 0), 10**9)}, "basic with mu below"),
    "power_huge": ({"basic": changed(MODEL.basic, 3, [0, 2**31 - 1, 2**31 - 1, 0])}, r"basic with a \+ b \+ c up to"),
    "multiplicity": ({"times": changed(MODEL.times, (3, 2), 0)}, r"times with positive multiplicities, got .* at 3"),
    "product_is_basic": ({"times": changed(MODEL.times, (0, 3), 10)}, "times with products between 11 and 17"),
    "product_too_large": ({"times": changed(MODEL.times, (13, 3), 18)}, "times with products between 11 and 17"),
    "factor_negative": ({"times": changed(MODEL.times, (3, 0), -1)}, "times with factors that are not negative"),
    "factor_is_product": ({"times": changed(MODEL.times, (3, 1), 12)}, "times with factors before the product"),
    "products_disordered": ({"times": MODEL.times[[1, 0, *range(2, 14)]]}, "times with products in ascending order"),
    "factor_undefined": ({"times": MODEL.times[1:]}, "times with factors that are basic or that times define"),
    "mapping_undefined": ({"times": MODEL.times[:-1]}, "mapping with moments that are basic or that times define"),
    "mapping_empty": ({"mapping": []}, "mapping of 1 to 18 moments, got 0"),
    "mapping_negative": ({"mapping": changed(MODEL.mapping, 0, -1)}, "mapping with moments below 18, got -1 at 0"),
    "mapping_too_large": ({"mapping": changed(MODEL.mapping, 8, 18)}, "mapping with moments below 18, got 18 at 8"),
    "mapping_twice": ({"mapping": changed(MODEL.mapping, 8, 0)}, "mapping with distinct moments, got 0 at 8"),
    "radial_shape": ({"radial_coefficients": np.zeros((2, 2, 2))}, "radial_coefficients of 4 dimensions, got 3"),
    "radial_size": ({"radial_coefficients": np.zeros((2, 2, 2, 0))}, "radial basis in radial_coefficients between 1"),
    "radial_missing": ({"radial_coefficients": np.zeros((0, 0, 2, 8))}, r"radial_coefficients of shape \(2, 2, 2, 8\)"),
    "species_missing": ({"species_coefficients": []}, r"species_coefficients of shape \(2,\), got \(0,\)"),
    "moments_missing": ({"moment_coefficients": []}, r"species_coefficients of shape \(0,\), got \(2,\)"),
    "moments_too_few": ({"moment_coefficients": np.ones(8)}, r"moment_coefficients of shape \(9,\), got \(8,\)"),
    "moments_nan": ({"moment_coefficients": np.full(9, np.nan)}, "moment_coefficients to be finite, got nan"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_fields(case):
    fields, message = WRONG[case]
    with pytest.raises(ValueError, match="^expected (the size of the )?" + message):
        replace(MODEL, **fields)


def test_arrays_are_read_only_copies():
    table = np.array(MODEL.times)
    model = replace(MODEL, times=table)
    table[0] = 0
    assert np.array_equal(model.times, MODEL.times)
    for name in ("radial_coefficients", "basic", "times", "mapping", "species_coefficients", "moment_coefficients"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(model, name)[...] = 0
    assert [getattr(model, name).dtype for name in ("basic", "times", "mapping")] == [np.int32] * 3
    with pytest.raises(FrozenInstanceError):
        model.scaling = 1.0


@pytest.mark.parametrize("name", RECIPES)
def test_copies_are_equal(name):
    model = synthetic_mtp_model(name)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), replace(model)):
        assert other == model
        assert hash(other) == hash(model)
    assert replace(model, scaling=np.nextafter(model.scaling, 1.0)) != model


def test_sizes():
    assert (MODEL.trained, MODEL.radial_size, MODEL.radial_functions) == (True, 8, 2)
    assert MODEL.n_parameters == 2 * 2 * 2 * 8 + 2 + 9
    template = untrained(8, ["Si", "Ge"], min_dist=MODEL.min_dist)
    assert (template.trained, template.radial_size, template.radial_functions) == (False, 8, 2)
    assert template.n_parameters == MODEL.n_parameters


def test_repr():
    assert repr(MODEL) == "MtpModel(Si-Ge: RBChebyshev, 9 basis functions, 75 parameters, 1.9 to 5 A)"
    unnamed = replace(untrained(2, ["Si"]), species=(None, None))
    assert repr(unnamed) == "MtpModel(?-?: RBChebyshev, 1 basis functions, 35 parameters, 2 to 5 A, untrained)"
    assert "no species" in repr(replace(unnamed, species=()))


def test_every_basis_is_accepted():
    assert [replace(MODEL, radial_basis=basis).radial_basis for basis in RADIAL_BASES] == list(RADIAL_BASES)


def test_relative_labels_are_none():
    assert replace(MODEL, labels=(0, 1)).labels is None
    assert replace(MODEL, labels=(1, 0)).labels == (1, 0)
    assert replace(MODEL, labels=[14, np.int32(32)]).labels == (14, 32)
    with pytest.raises(ValueError, match="no labels of an untrained model"):
        replace(untrained(2, ["Si"]), labels=(14,))


def test_with_species():
    model = replace(MODEL, species=(None, None))
    assert model.with_species(["Ge", "Si"]).species == ("Ge", "Si")
    assert model.with_species(MODEL.species) == MODEL
    assert model.with_species(iter(("C", "H"))).species == ("C", "H")
    for wrong, got in (("Si", "Si"), (["Si", "Ge", "C"], "Si, Ge, C"), ([], "none")):
        with pytest.raises(ValueError, match=f"^expected species as 2 chemical symbols, got {got}$"):
            model.with_species(wrong)
    with pytest.raises(ValueError, match=r"^expected species as chemical symbols, got None"):
        MODEL.with_species([None, None])


def test_an_untrained_model_takes_any_number_of_species():
    assert untrained(2, ["Si"]).with_species(["Si", "O"]).n_parameters == 2 * 2 * 8 + 2 + 1
    with pytest.raises(ValueError, match="expected species as 1 chemical symbols, got none"):
        untrained(2, ["Si"]).with_species([])
