"""The compiled MTP against the NumPy oracle, finite differences and symmetries; threads; files; what is refused."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.evaluations import (
    KINDS,
    Configuration,
    altered,
    assert_close,
    assert_equal_evaluations,
    assert_threads_change_nothing,
    evaluated,
    few_atoms,
    gradient,
    heat_currents,
    listed,
    scattered,
)
from support.mtp_cells import as_atoms, crystal
from support.mtp_models import MAX_DIST, MIN_DIST, synthetic_mtp_model, synthetic_mtp_models
from support.mtp_oracle import MtpOracle

from ase_mlips import MTP, load
from ase_mlips.mtp import MtpModel, MtpPotential, kernels, read_mtp, write_mtp

MODELS = synthetic_mtp_models(largest=20)
BASES = ["l02", "l02_repuls", "l06_taylor", "l08_plain", "l10_plain_repuls"]  # one of each radial basis
REPULSIVE = [name for name, model in MODELS.items() if model.radial_basis.endswith("_repuls")]


def everything(model: MtpModel, configuration: Configuration) -> dict[str, np.ndarray]:
    """All that a model gives for a configuration, by name."""
    potential, species = MtpPotential(model), configuration.species
    neighbors = listed(potential.cutoff, configuration)
    found = potential.evaluate(neighbors, species)._asdict()
    found["basis"] = potential.basis(neighbors, species)
    found["parameter_gradients"] = potential.parameter_gradients(neighbors, species)
    return found


def assert_like_the_oracle(model: MtpModel, configuration: Configuration, tolerance: float) -> None:
    oracle = MtpOracle(model, *configuration)
    for name, value in everything(model, configuration).items():
        of = oracle.evaluation if name in ("energies", "forces", "virials") else oracle
        assert value.shape == getattr(of, name).shape, name
        assert_close(value, getattr(of, name), tolerance, name)


@pytest.mark.parametrize(("name", "spacing"), [*((name, 2.6) for name in MODELS), *((name, 1.8) for name in REPULSIVE)])
def test_every_model_against_the_oracle(name: str, spacing: float) -> None:
    assert_like_the_oracle(MODELS[name], crystal(MODELS[name], spacing=spacing), 1e-11)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["l08", "l08_plain", "l10_repuls", "l12_taylor", "l16_three"])
def test_cells_and_boundaries_against_the_oracle(name: str, kind: str) -> None:
    assert_like_the_oracle(MODELS[name], altered(crystal(MODELS[name], seed=3), kind), 1e-11)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(list(MODELS)),
    count=st.integers(1, 20),
    edge=st.floats(2.2, 9.0),
    pbc=st.tuples(*[st.booleans()] * 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_random_structures_against_the_oracle(name: str, count: int, edge: float, pbc, seed: int) -> None:
    """Any number of atoms, cells smaller than the cutoff, close contacts of down to 0.7 A."""
    model = MODELS[name]
    configuration = scattered(len(model.species), count=count, edge=edge, pbc=pbc, seed=seed)
    assert_like_the_oracle(model, configuration, 1e-11)


@pytest.mark.parametrize(
    ("name", "spacing"),
    [*((name, 2.6) for name in ["l06", "l08_one_function", "l16", "l20", *BASES]), ("l02_repuls", 1.8)],
)
def test_forces_are_the_gradient(name: str, spacing: float) -> None:
    potential, configuration = MtpPotential(MODELS[name]), crystal(MODELS[name], seed=5, spacing=spacing)
    forces = evaluated(potential, configuration).forces
    for place in ((0, 0), (3, 1), (7, 2)):
        slope = gradient(potential, configuration, place)
        assert forces[place] == pytest.approx(-slope, abs=1e-8 * max(1.0, np.abs(forces).max()))


@pytest.mark.parametrize("name", ["l06_taylor", "l08", "l10_repuls", "l16_three"])
def test_virials_belong_to_the_neighbour(name: str) -> None:
    cluster = altered(crystal(MODELS[name]), "cluster")
    actual, expected = heat_currents(MtpPotential(MODELS[name]), cluster)
    assert_close(actual, expected, 1e-8)
    assert np.abs(actual).max() > 0.1


@pytest.mark.parametrize("name", ["l02", "l02_repuls", "l12", "l16"])
@pytest.mark.parametrize("count", [0, 1])
def test_isolated_atom_and_no_atoms(name: str, count: int) -> None:
    model = MODELS[name]
    assert_like_the_oracle(model, few_atoms(count), 1e-14)
    found = everything(model, few_atoms(count))
    assert found["energies"].tolist() == [model.species_coefficients[0]][:count]
    assert not found["forces"].any()
    assert not found["virials"].any()
    assert not found["basis"].any()


@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("distance", [MIN_DIST, MAX_DIST])
def test_pairs_close_to_the_ends_of_the_range(name: str, distance: float) -> None:
    """By some units in the last place: forces jump at either end, unless the basis is smooth there."""
    for factor in (1.0 - 4e-15, 1.0 + 4e-15):
        positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, factor * distance]])
        assert_like_the_oracle(MODELS[name], few_atoms(2)._replace(positions=positions), 1e-11)


@pytest.mark.parametrize("name", ["l06_taylor", "l08", "l12", "l16"])
def test_threads_do_not_change_a_bit(name: str) -> None:
    assert_threads_change_nothing(MtpPotential(MODELS[name]), crystal(MODELS[name], repeats=9))


def test_one_compilation_serves_all() -> None:
    """A second signature would mean another compilation for somebody."""
    for name in (*BASES, "l12"):
        configuration = crystal(MODELS[name])
        for kind in (np.int32, np.int64):
            everything(MODELS[name], configuration._replace(species=configuration.species.astype(kind)))
        evaluated(MtpPotential(MODELS[name]), configuration, num_threads=2)
    assert len(kernels.evaluate.signatures) == 1


def test_potentials_used_in_turn_do_not_disturb_each_other() -> None:
    """They share scratch, and each keeps its plan of it from call to call."""
    names = ["l16_three", "l02", "l12"]
    potentials = {name: MtpPotential(MODELS[name]) for name in names}
    for _ in range(2):
        for name in names:
            for count in (2, 3):
                configuration = crystal(MODELS[name], repeats=count)
                found = evaluated(potentials[name], configuration)
                assert_equal_evaluations(found, MtpOracle(MODELS[name], *configuration).evaluation, 1e-11)


@pytest.mark.parametrize("name", BASES)
def test_pickle_keeps_the_model(name: str) -> None:
    potential, configuration = MtpPotential(MODELS[name]), crystal(MODELS[name])
    duplicate = pickle.loads(pickle.dumps(potential))
    assert duplicate.model == potential.model
    assert np.array_equal(evaluated(duplicate, configuration).forces, evaluated(potential, configuration).forces)


@pytest.mark.parametrize("name", BASES)
def test_copies_of_a_calculator_give_the_same(name: str) -> None:
    calc, atoms = MTP(MODELS[name]), as_atoms(MODELS[name], crystal(MODELS[name]))
    expected = calc.get_parameter_gradients(atoms)
    for duplicate in (copy.deepcopy(calc), pickle.loads(pickle.dumps(calc))):
        assert np.array_equal(duplicate.get_parameter_gradients(atoms), expected)
        assert repr(duplicate) == repr(calc)


# ---------------------------------------------------------------------------------------------------
# files and what is refused


@pytest.mark.parametrize("name", MODELS)
def test_a_file_written_and_read_gives_the_same_bits(name: str, tmp_path) -> None:
    model, path = MODELS[name], tmp_path / "model.mtp"
    MTP(model).write(path)
    calc = load(path, species=model.species, num_threads=1)
    assert isinstance(calc, MTP)
    assert calc.parameters["model"] == str(path)
    assert calc.model == model
    expected = everything(model, crystal(model))
    for field, value in everything(calc.model, crystal(model)).items():
        assert np.array_equal(value, expected[field]), field


def test_another_order_of_the_species_gives_the_same() -> None:
    model = MODELS["l16_three"]
    order = [2, 0, 1]
    other = replace(
        model,
        species=[model.species[s] for s in order],
        radial_coefficients=model.radial_coefficients[np.ix_(order, order)],
        species_coefficients=model.species_coefficients[order],
    )
    configuration = crystal(model)
    renamed = configuration._replace(species=np.argsort(order)[configuration.species])
    expected = evaluated(MtpPotential(model), configuration)
    assert_equal_evaluations(evaluated(MtpPotential(other), renamed), expected, 1e-13)


def test_names_given_later_are_those_of_the_types() -> None:
    model = MODELS["l08"]
    renamed = MTP(replace(model, species=(None, None)), species=["O", "Al"])
    atoms = as_atoms(model, crystal(model))
    expected = MTP(model).get_potential_energy(atoms)
    atoms.symbols = ["O" if symbol == "Si" else "Al" for symbol in atoms.symbols]
    assert renamed.get_potential_energy(atoms) == expected
    assert renamed.potential.elements == ("O", "Al")


@pytest.mark.parametrize(
    ("species", "message"),
    [
        (None, r"does not name the 2 species of this MTP.*species="),
        (["Si"], "expected species as 2 chemical symbols, got Si"),
        (["Si", "Ge", "C"], "expected species as 2 chemical symbols, got Si, Ge, C"),
        (["Si", "Si"], "expected species to be distinct, got Si twice"),
        (["Si", "Xx"], "expected species to be chemical symbols, or all None, got 'Xx'"),
        (["Si", None], "expected species as chemical symbols, got None"),
        ([], "expected species as 2 chemical symbols, got none"),
    ],
)
@pytest.mark.parametrize("from_file", [False, True])
def test_species_that_do_not_fit(species, message: str, from_file: bool, tmp_path) -> None:
    model: object = replace(MODELS["l08"], species=(None, None))
    if from_file:
        write_mtp(tmp_path / "model.mtp", model)
        model = tmp_path / "model.mtp"
    with pytest.raises(ValueError, match=message) as raised:
        MTP(model, species=species)
    assert "\n" not in str(raised.value)


def test_an_untrained_model_is_refused(tmp_path) -> None:
    template = MTP.untrained(8, ["Si", "Ge"])
    with pytest.raises(ValueError, match=r"^this MTP is untrained: it has no coefficients to evaluate$"):
        MTP(template)
    write_mtp(tmp_path / "08.mtp", template)
    assert not read_mtp(tmp_path / "08.mtp").trained
    with pytest.raises(ValueError, match="this MTP is untrained"):
        load(tmp_path / "08.mtp", species=["Si", "Ge"])


def test_the_repr_says_what_it_is() -> None:
    assert repr(MTP(synthetic_mtp_model("l08"))) == "MTP(Si, Ge, 9 functions, cutoff=5 A)"
