"""The compiled ACE against the numpy oracle, finite differences and symmetries; threads; descriptors."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from support.ace_models import lopsided, synthetic_ace_models
from support.ace_oracle import AceOracle
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

from ase_mlips import ACE
from ase_mlips.ace import AcePotential, Bond
from ase_mlips.heads.network import Network

MODELS = synthetic_ace_models()


def crystal(name: str, count: int = 9, seed: int = 3) -> Configuration:
    return scattered(len(MODELS[name].elements), count=count, edge=5.2, pbc=(True,) * 3, seed=seed)


def lattice(elements: int) -> Configuration:
    """Enough atoms for two chunks."""
    rng = np.random.default_rng(2)
    sites = 2.6 * np.argwhere(np.ones((7, 7, 6)))
    cell = 2.6 * np.diag([7.0, 7.0, 6.0])
    species = rng.integers(0, elements, len(sites)).astype(np.int32)
    return Configuration(species, sites + rng.normal(scale=0.1, size=sites.shape), cell, np.ones(3, bool))


@pytest.mark.parametrize("name", MODELS)
def test_energies_and_descriptors_are_those_of_the_oracle(name):
    model, configuration = MODELS[name], crystal(name)
    potential = AcePotential(model)
    energies, B = AceOracle(model)(configuration)
    assert_close(evaluated(potential, configuration).energies, energies, 1e-12)
    neighbors = listed(potential.cutoff, configuration)
    found = potential.descriptors(neighbors, configuration.species)
    np.testing.assert_allclose(found, B, rtol=1e-10, atol=1e-12 * np.abs(B).max())


@pytest.mark.parametrize("name", ["exp_cos", "pow", "three"])
def test_any_rows_of_m_are_evaluated(name):
    model = lopsided(MODELS[name])
    configuration = crystal(name, count=5)
    potential = AcePotential(model)
    assert_close(evaluated(potential, configuration).energies, AceOracle(model)(configuration)[0], 1e-12)
    forces = evaluated(potential, configuration).forces
    assert abs(gradient(potential, configuration, (1, 2)) + forces[1, 2]) < 1e-7 * np.abs(forces).max()


@pytest.mark.parametrize("basis", ["ChebPow", "ChebLinear"])
@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_powers_of_the_radial_variable(basis, scale):
    model, configuration = MODELS["pow"], crystal("pow", count=4)
    bond = replace(model.bonds[0][0], radial_basis=basis, scale=scale)
    model = replace(model, bonds=((bond,),))
    assert_close(evaluated(AcePotential(model), configuration).energies, AceOracle(model)(configuration)[0], 1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_forces_are_the_gradient_and_the_heat_current_is_exact(name):
    potential, configuration = AcePotential(MODELS[name]), crystal(name)
    forces = evaluated(potential, configuration).forces
    assert_close(forces.sum(axis=0), np.zeros(3), 1e-12 * np.abs(forces).max())
    for place in ((0, 0), (2, 1), (4, 2)):
        assert abs(gradient(potential, configuration, place) + forces[place]) < 2e-8 * np.abs(forces).max()
    virial, current = heat_currents(potential, altered(configuration, "cluster"))
    assert_close(virial, current, 1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_other_boundaries(kind):
    configuration = altered(crystal("three"), kind)
    potential = AcePotential(MODELS["three"])
    assert_close(evaluated(potential, configuration).energies, AceOracle(MODELS["three"])(configuration)[0], 1e-12)


def test_few_atoms():
    for name, model in MODELS.items():
        potential = AcePotential(model)
        assert evaluated(potential, few_atoms(0)).energies.shape == (0,)
        alone = evaluated(potential, few_atoms(1))
        if model.network is None:
            assert alone.energies[0] == pytest.approx(model.energies[0], abs=1e-14), name
        assert not alone.forces.any()
    assert AcePotential(MODELS["two"]).descriptors(listed(4.3, few_atoms(1)), np.zeros(1, np.int32)).max() == 0.0


@pytest.mark.parametrize("name", ["three", "network_two"])
def test_threads_and_order_change_nothing(name):
    potential = AcePotential(MODELS[name])
    large = lattice(len(potential.elements))
    assert_threads_change_nothing(potential, large)
    order = np.random.default_rng(0).permutation(len(large.species))
    mixed = evaluated(potential, large._replace(species=large.species[order], positions=large.positions[order]))
    first = evaluated(potential, large)
    assert_close(mixed.energies, first.energies[order], 1e-12)
    assert_close(mixed.forces, first.forces[order], 1e-12)


@pytest.mark.parametrize("name", ["exp_cos", "two", "three"])
def test_descriptor_gradients(name):
    """Their pairs are those within the cutoff of each bond, and displaced atoms change descriptors as they say."""
    potential, (species, positions, cell, pbc) = AcePotential(MODELS[name]), crystal(name, count=5)
    rng = np.random.default_rng(0)
    displacement, h = rng.normal(size=positions.shape), 1e-5

    def described(shift):
        neighbors = listed(potential.cutoff, Configuration(species, positions + shift * displacement, cell, pbc))
        return potential.descriptor_gradients(neighbors, species)

    pairs = described(0.0)
    rates = np.zeros_like(pairs.descriptors)
    moved = displacement[pairs.neighbors] - displacement[pairs.centers]
    np.add.at(rates, pairs.centers, np.einsum("pak,pa->pk", pairs.gradients, moved))
    expected = (described(h).descriptors - described(-h).descriptors) / (2 * h)
    np.testing.assert_allclose(rates, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())
    lengths = np.linalg.norm(pairs.vectors, axis=1)
    cutoffs = np.array([[bond.cutoff for bond in row] for row in potential.model.bonds])
    assert np.all(lengths < cutoffs[species[pairs.centers], species[pairs.neighbors]])
    assert np.all(np.diff(pairs.centers) >= 0)


@pytest.mark.parametrize("name", ["exp_cos", "two"])
def test_a_network_of_one_linear_layer_is_linear_ace(name):
    model = MODELS[name]
    weights = np.random.default_rng(1).normal(size=(len(model.elements), model.n_descriptors))
    functions = tuple(
        tuple(replace(f, weights=(c * f.couplings)[:, None]) for f, c in zip(own, row, strict=True))
        for own, row in zip(model.functions, weights, strict=True)
    )
    parameters = np.hstack([np.zeros((len(weights), 1)), weights])
    flat = np.zeros_like(weights)
    network = Network((model.n_descriptors, 1), ("linear",), parameters, flat, flat + 1.0)
    linear, headed = (
        AcePotential(replace(model, **change)) for change in ({"functions": functions}, {"network": network})
    )
    assert_equal_evaluations(evaluated(headed, crystal(name)), evaluated(linear, crystal(name)), 1e-12)


def test_a_potential_is_pickled_as_its_model():
    potential = AcePotential(MODELS["three"])
    copied = pickle.loads(pickle.dumps(potential))
    assert copied.model == potential.model
    for mine, right in zip(evaluated(copied, crystal("three")), evaluated(potential, crystal("three")), strict=True):
        np.testing.assert_array_equal(mine, right)


def test_functions_that_jump_are_said_to():
    model = MODELS["pow"]
    jumping = replace(model, bonds=((replace(model.bonds[0][0], radial_basis="ChebLinear"),),))
    with pytest.warns(UserWarning, match="jump at the cutoff"):
        ACE(jumping)


def test_an_atom_within_the_core_has_the_core_alone():
    """Beyond rho_core_cutoff the densities count nothing, and what is left pushes atoms apart."""
    model = MODELS["pow"]
    near = Configuration(
        np.zeros(2, np.int32), np.array([[0, 0, 0], [0.45, 0, 0]]), np.zeros((3, 3)), np.zeros(3, bool)
    )
    found = evaluated(AcePotential(model), near)
    core = AceOracle(model).repulsion(0, 0, 0.45)
    assert core > model.embeddings[0].rho_core_cutoff
    assert_close(found.energies - model.energies, np.full(2, core), 1e-13)
    assert found.forces[1, 0] > 100.0


def test_unused_elements_cost_nothing():
    """A bond that no function uses has no radial functions."""
    model = MODELS["two"]
    kept = tuple(tuple(f for f in own if set(f.elements) == {0}) for own in model.functions)
    alone = replace(model, functions=kept)
    configuration = crystal("two")
    assert_close(evaluated(AcePotential(alone), configuration).energies, AceOracle(alone)(configuration)[0], 1e-12)
    assert isinstance(alone.bonds[0][1], Bond)
