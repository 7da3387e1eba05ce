"""The NEP model: what it refuses, that it is frozen, compares, is copied and gives exact subsets."""

import pickle
from copy import deepcopy
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from support import nep_oracle
from support.nep_models import MANY, synthetic_nep_models

from ase_mlips.nep.model import NepModel, NepNetwork, NepZbl

MODELS = synthetic_nep_models()
MIXED = {name: model for name, model in MODELS.items() if len(model.elements) > 1}
NET = {"w0": np.ones((2, 3, 4)), "b0": np.ones((2, 3)), "w1": np.ones((2, 3)), "bias": 1.0}


def changed(values, index, value):
    """A copy of an array with one element replaced."""
    copy = np.array(values)
    copy[index] = value
    return copy


@pytest.mark.parametrize("name", MODELS)
def test_pickled_and_copied_models_are_equal_and_read_only(name):
    model = MODELS[name]
    for other in (pickle.loads(pickle.dumps(model)), deepcopy(model), replace(model)):
        assert other == model
        assert hash(other) == hash(model)
        assert other is not model
        assert not other.network.w0.flags.writeable
        assert not other.radial.flags.writeable
        if model.zbl is not None and model.zbl.flexible is not None:
            assert not other.zbl.flexible.flags.writeable


def test_models_differ_in_any_bit_of_any_part():
    for name, model in MODELS.items():
        same = [other for other, candidate in MODELS.items() if candidate == model]
        assert same == [name]
    model = MODELS["nep5_zbl_flexible"]
    network, zbl = model.network, model.zbl
    others = [
        replace(model, scaler=changed(model.scaler, 3, np.nextafter(model.scaler[3], 9.0))),
        replace(model, network=replace(network, type_bias=changed(network.type_bias, 1, -0.0))),
        replace(model, network=replace(network, bias=0.0)),
        replace(model, zbl=replace(zbl, flexible=changed(zbl.flexible, (0, 2), 0.2))),
        replace(model, max_neighbors=(1, 1)),
        replace(model, elements=model.elements[::-1]),
    ]
    assert model not in others
    assert model != "nep5_zbl"
    assert replace(network, bias=1) != network


def test_arrays_are_copied():
    w0 = np.ones((2, 3, 4))
    network = NepNetwork(**{**NET, "w0": w0})
    w0[:] = 7.0
    assert network.w0.max() == 1.0
    with pytest.raises(ValueError, match="read-only"):
        network.w0[0, 0, 0] = 2.0
    with pytest.raises(FrozenInstanceError):
        network.bias = 2.0


def test_representations_are_short():
    assert repr(MODELS["nep5_zbl_flexible"]) == (
        "NepModel(nep5_zbl Si-O-Al: 22 descriptors, 8 neurons, cutoffs 5 and 4 A)"
    )
    assert repr(MODELS["elements16"]).startswith("NepModel(nep4 16 elements: 18 descriptors, ")
    assert repr(MODELS["nep4"].network) == "NepNetwork(3 of 8 neurons, 19 descriptors)"
    assert repr(MODELS["nep4_zbl_flexible"].zbl) == "NepZbl(flexible, 6 pairs)"
    assert repr(MODELS["nep4_zbl_typewise"].zbl) == "NepZbl(1.3 to 2.6 A, typewise 0.75)"
    assert repr(MODELS["nep4_zbl_universal"].zbl) == "NepZbl(1.3 to 2.6 A)"


@pytest.mark.parametrize(
    ("name", "token"),
    [
        ("nep3", "nep3"),
        ("nep5_zbl_universal", "nep5_zbl"),
        ("polarizability_nep3", "nep3_polarizability"),
        ("dipole", "nep4_dipole"),
        ("charge2_zbl", "nep4_zbl_charge2"),
    ],
)
def test_tokens(name, token):
    assert MODELS[name].token == token


WRONG_NETWORKS = [
    ({"w0": np.ones((2, 3))}, r"w0 of shape \(types, neurons, descriptors\), got \(2, 3\)"),
    ({"w0": np.ones((2, 0, 4))}, r"w0 of shape \(types, neurons, descriptors\), got \(2, 0, 4\)"),
    ({"w0": None}, "w0 to be finite, got nan"),
    ({"w0": "some"}, "w0 to be an array of numbers, got str"),
    ({"b0": np.ones((3, 2))}, r"b0 of shape \(2, 3\), got \(3, 2\)"),
    ({"w1": np.ones(6)}, r"w1 of shape \(2, 3\), got \(6,\)"),
    ({"charge": np.ones((2, 4))}, r"charge of shape \(2, 3\), got \(2, 4\)"),
    ({"type_bias": np.ones(3)}, r"type_bias of shape \(2,\), got \(3,\)"),
    ({"b0": np.full((2, 3), np.inf)}, "b0 to be finite, got inf"),
    ({"bias": np.nan}, "bias to be finite, got nan"),
    ({"bias": "x"}, "bias to be a number, got 'x'"),
    (
        {name: np.ones((1, 1001, 1)[: 3 if name == "w0" else 2]) for name in ("w0", "b0", "w1")},
        "the number of neurons between",
    ),
]
WRONG_ZBL = [
    ((0.0, 0.0), {}, "inner and outer of zbl as 0 <= inner < outer <= 100, got 0 and 0"),
    ((2.0, 1.0), {}, "inner and outer of zbl as .*, got 2 and 1"),
    ((-1.0, 1.0), {}, "inner and outer of zbl as .*, got -1 and 1"),
    ((1.0, 101.0), {}, "inner and outer of zbl as .*, got 1 and 101"),
    ((1.0, np.nan), {}, "outer of zbl to be finite, got nan"),
    ((1.0, 2.0), {"factor": 0.0}, "factor of zbl to be positive, got 0.0"),
    ((1.0, 2.0), {"factor": "a"}, "factor of zbl to be a number, got 'a'"),
    ((1.0, 2.0), {"typewise_inner_half": True}, "factor of zbl because typewise_inner_half is set, got none"),
    ((1.0, 2.0), {"typewise_inner_half": 1}, "typewise_inner_half of zbl to be a bool, got 1"),
    ((1.0, 2.0), {"flexible": np.ones((1, 10))}, "inner and outer of a flexible zbl to be 0, got 1.0 and 2.0"),
    ((0.0, 0.0), {"flexible": np.ones((1, 9))}, r"flexible of zbl of shape \(pairs, 10\), got \(1, 9\)"),
    ((0.0, 0.0), {"flexible": np.ones(10)}, r"flexible of zbl of shape \(pairs, 10\), got \(10,\)"),
    ((0.0, 0.0), {"flexible": [range(1, 11)], "factor": 1.0}, "no factor of a flexible zbl, got 1"),
    ((0.0, 0.0), {"flexible": [range(1, 11), range(10, 0, -1)]}, "inner and outer of a flexible zbl as .* 10 and 9"),
    ((0.0, 0.0), {"flexible": np.full((1, 10), np.nan)}, "flexible of zbl to be finite, got nan"),
]
WRONG_MODELS = [
    ("nep4", {"elements": "Si"}, "elements as a sequence of symbols, got the string 'Si'"),
    ("nep4", {"elements": ()}, "elements, got none"),
    ("nep4", {"elements": ("Si", "O", "Am")}, "elements to be chemical symbols from H to Pu, got 'Am'"),
    ("nep4", {"elements": ("Si", "O", 13)}, "elements to be chemical symbols from H to Pu, got 13"),
    ("nep4", {"elements": ("Si", "O", "Si")}, "elements to be distinct, got Si twice"),
    ("nep4", {"elements": ("Si", "O")}, r"radial_cutoffs of shape \(2,\), got \(3,\)"),
    ("nep4", {"version": 2}, "version between 3 and 5, got 2"),
    ("nep4", {"version": "4"}, "version to be an integer, got '4'"),
    ("nep4", {"version": 3}, r"w0 of network of shape \(1, 8, 19\), got \(3, 8, 19\)"),
    ("nep4", {"version": 5}, "type_bias in NEP5 and only there, got none"),
    ("nep5", {"version": 4}, "type_bias in NEP5 and only there, got some"),
    ("nep4", {"kind": "energy"}, "kind to be one of potential, dipole, polarizability, got 'energy'"),
    ("nep5", {"kind": "dipole"}, "a dipole model to be NEP3 or NEP4 without charges and zbl, got nep5_dipole"),
    ("nep4_zbl_universal", {"kind": "dipole"}, "a dipole model to be .*, got nep4_zbl_dipole"),
    ("charge1", {"kind": "dipole"}, "a dipole model to be .*, got nep4_dipole_charge1"),
    ("nep4", {"kind": "polarizability"}, "scalar_network in polarizability models and only there, got none"),
    ("polarizability", {"kind": "dipole"}, "scalar_network in polarizability models and only there, got one"),
    ("polarizability", {"scalar_network": 1}, "scalar_network to be a NepNetwork, got int"),
    ("nep4", {"network": None}, "network to be a NepNetwork, got NoneType"),
    ("nep4", {"zbl": (1.0, 2.0)}, "zbl to be a NepZbl, got tuple"),
    ("nep4", {"zbl": MODELS["nep3_zbl_flexible"].zbl}, r"flexible of zbl of shape \(6, 10\), got \(3, 10\)"),
    ("nep4", {"charge_mode": 4}, "charge_mode between 0 and 3, got 4"),
    ("nep4", {"charge_mode": 1}, "sqrt_epsilon where charge_mode is not 0 and only there, got none"),
    ("nep4", {"sqrt_epsilon": 1.5}, "sqrt_epsilon where charge_mode is not 0 and only there, got 1.5"),
    ("nep4", {"charge_mode": 1, "sqrt_epsilon": 1.5}, "charge weights where charge_mode is not 0 .*, got none"),
    ("charge1", {"charge_mode": 0, "sqrt_epsilon": None}, "charge weights where charge_mode is not 0 .*, got some"),
    ("charge1", {"sqrt_epsilon": np.inf}, "sqrt_epsilon to be finite, got inf"),
    ("nep3", {"charge_mode": 1, "sqrt_epsilon": 1.5}, "a model with charges to be NEP4, got nep3_charge1"),
    ("nep4", {"radial_cutoffs": [5.0, 0.0, 5.0]}, "radial_cutoffs above 0 and up to 100, got 0"),
    ("nep4", {"radial_cutoffs": [5.0, 5.0, 1e5]}, "radial_cutoffs above 0 and up to 100, got 100000"),
    ("nep4", {"angular_cutoffs": [4.0, -4.0, 4.0]}, "angular_cutoffs above 0 and up to 100, got -4"),
    ("nep4", {"angular_cutoffs": [4.0, 4.0, 6.0]}, "angular_cutoffs up to the radial ones, got 6 above 5"),
    ("nep4", {"angular_cutoffs": [4.0, 4.0, np.nan]}, "angular_cutoffs to be finite, got nan"),
    ("nep4", {"angular_cutoffs": 4.0}, r"angular_cutoffs of shape \(3,\), got \(\)"),
    ("nep4", {"n_max": (2,)}, r"n_max to be two numbers, got \(2,\)"),
    ("nep4", {"n_max": 2}, "n_max to be two numbers, got 2"),
    ("nep4", {"n_max": (33, 2)}, "n_max between 0 and 32, got 33"),
    ("nep4", {"n_max": (2.0, 2)}, "n_max to be an integer, got 2.0"),
    ("nep4", {"n_max": (True, 2)}, "n_max to be an integer, got True"),
    ("nep4", {"basis_size": (5, -1)}, "basis_size between 0 and 32, got -1"),
    ("nep4", {"max_neighbors": (1, -1)}, "max_neighbors between 0 and 999999999, got -1"),
    ("nep4", {"l_max": 9}, "l_max between 0 and 8, got 9"),
    ("nep4", {"l_max": 1}, "l_max of at least 2 for the invariant 222, got 1"),
    ("l3", {"invariants": ("134",)}, "l_max of at least 4 for the invariant 134, got 3"),
    ("l0", {"invariants": ("1111",)}, "l_max of at least 1 for the invariant 1111, got 0"),
    ("nep4", {"invariants": ("1111", "222")}, r"invariants out of 222, 1111, .* in this order, got \('1111', '222'\)"),
    ("nep4", {"invariants": ("222", "333")}, "invariants out of 222, .*333"),
    ("nep4", {"invariants": ("222", "222")}, "invariants out of 222"),
    ("nep4", {"typewise_factors": (0.0, -1.0)}, r"one of typewise_factors to be positive, got \(0.0, -1.0\)"),
    ("nep4", {"typewise_factors": (1.0,)}, "typewise_factors to be two numbers"),
    ("nep4", {"typewise_factors": (1.0, np.nan)}, "typewise_factors to be finite, got nan"),
    ("nep4", {"radial": np.ones((4, 6, 3, 2))}, r"radial of shape \(4, 6, 3, 3\), got \(4, 6, 3, 2\)"),
    ("nep4", {"angular": np.ones((3, 6, 3, 3))}, r"angular of shape \(3, 5, 3, 3\), got \(3, 6, 3, 3\)"),
    ("nep4", {"scaler": np.ones(18)}, r"scaler of shape \(19,\), got \(18,\)"),
    ("nep4", {"network": MODELS["l4"].network}, r"w0 of network of shape \(3, 10, 19\), got \(2, 10, 16\)"),
    (
        "polarizability",
        {"scalar_network": MODELS["nep5"].network},
        r"w0 of scalar_network of shape \(3, 10, 22\), got \(3, 8, 22\)",
    ),
]


@pytest.mark.parametrize(("fields", "message"), WRONG_NETWORKS)
def test_wrong_networks(fields, message):
    NepNetwork(**NET)
    with pytest.raises(ValueError, match=f"^expected {message}"):
        NepNetwork(**{**NET, **fields})


@pytest.mark.parametrize(("distances", "fields", "message"), WRONG_ZBL)
def test_wrong_repulsions(distances, fields, message):
    with pytest.raises(ValueError, match=f"^expected {message}"):
        NepZbl(*distances, **fields)


@pytest.mark.parametrize(("name", "fields", "message"), WRONG_MODELS)
def test_wrong_models(name, fields, message):
    with pytest.raises(ValueError, match=f"^expected {message}"):
        replace(MODELS[name], **fields)


@pytest.mark.parametrize("name", MIXED)
def test_subset_in_another_order_is_undone_by_the_first_order(name):
    model = MIXED[name]
    turned = model.subset(model.elements[::-1])
    assert turned.elements == model.elements[::-1]
    assert turned != model
    assert turned.subset(model.elements) == model
    assert model.subset(list(model.elements)) == model


@pytest.mark.parametrize("name", MIXED)
def test_subset_gives_the_same_energies_and_forces(name):
    model = MIXED[name]
    elements = model.elements[2::-1] if len(model.elements) > 3 else model.elements[:0:-1]
    if model.charge_mode and name.endswith("flexible"):
        elements = ("Al", "O")  # O alone has a smaller cutoff than Al
    part = model.subset(elements)
    assert len(part.elements) < len(model.elements)
    rng = np.random.default_rng(0)
    positions = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * 2.1
    positions += rng.uniform(-0.2, 0.2, (8, 3))
    species = rng.integers(len(elements), size=8)
    configuration = (positions, np.diag([4.4, 4.3, 4.5]), [True, True, False])
    if model.charge_mode:
        configuration = (positions, np.diag([4.4, 4.3, 4.5]), [True, True, True])
    whole = np.array([model.elements.index(symbol) for symbol in elements])[species]
    expected = nep_oracle.evaluate(model, whole, *configuration)
    result = nep_oracle.evaluate(part, species, *configuration)
    np.testing.assert_allclose(result.energies, expected.energies, rtol=0, atol=1e-12)
    np.testing.assert_allclose(result.forces, expected.forces, rtol=0, atol=1e-11)


def test_subset_takes_the_pairs_of_a_flexible_repulsion():
    model = MODELS["elements16_zbl_flexible"]
    numbers = model.zbl.flexible.copy()
    pairs = [frozenset((a, b)) for n, a in enumerate(MANY) for b in MANY[n:]]
    numbers[:, 2] = range(len(pairs))
    part = replace(model, zbl=NepZbl(0.0, 0.0, flexible=numbers)).subset(("Zr", "Au", "Pb"))
    found = [pairs[int(n)] for n in part.zbl.flexible[:, 2]]
    assert found == [frozenset(p) for p in (("Zr",), ("Zr", "Au"), ("Zr", "Pb"), ("Au",), ("Au", "Pb"), ("Pb",))]


def test_subset_refuses_what_is_not_there():
    model = MODELS["nep4"]
    for elements, message in [
        (("Si", "H"), "expected elements out of Si, O, Al, got 'H'"),
        (("Si", "Si"), "expected elements to be distinct, got Si twice"),
        ("Si", "expected elements as a sequence of symbols, got 'Si'"),
        ((), r"expected elements as a sequence of symbols, got \(\)"),
    ]:
        with pytest.raises(ValueError, match=f"^{message}"):
            model.subset(elements)


def test_subset_keeps_the_range_of_the_coulomb_interaction():
    model = MODELS["charge1_per_type_zbl_flexible"]
    with pytest.raises(ValueError, match=r"expected elements with Al, whose cutoff sets the Coulomb range, got .*'O'"):
        model.subset(("Si", "O"))
    assert isinstance(model.subset(("Al",)), NepModel)
