"""The compiled POD against the NumPy oracle, finite differences, symmetries, threads and LAMMPS itself."""

import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st
from support import pod_oracle
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
from support.lammps_peer import Lammps, require_lammps
from support.pod_models import pod_crystal, synthetic_pod_models

from ase_mlips.pod import PodModel, PodPotential, kernels, kernels_gradients, radial, write_pod

MODELS = synthetic_pod_models()
TABLES = 1e-10  # relative; slopes of the tabulated radial functions are right to eleven digits of the largest
SMOOTH = ["pairs", "four", "seven", "two_seven", "elements", "two_clusters"]


@cache
def potential_of(name: str) -> PodPotential:
    return PodPotential(MODELS[name])


def crystal(model: PodModel, *, atoms: int = 8, seed: int = 0) -> Configuration:
    return Configuration(*pod_crystal(model, atoms=atoms, seed=seed))


@pytest.mark.parametrize("name", MODELS)
def test_every_model_against_the_oracle(name: str) -> None:
    model, configuration = MODELS[name], crystal(MODELS[name])
    species, potential = configuration.species, potential_of(name)
    neighbors = listed(model.cutoff, configuration)
    found = potential.evaluate(neighbors, species)
    assert_equal_evaluations(found, pod_oracle.evaluate(model, *configuration), TABLES)
    pairs = potential.descriptor_gradients(neighbors, species)
    assert np.array_equal(potential.descriptors(neighbors, species), pairs.descriptors)
    for atom in (0, 5):
        own = pairs.centers == atom
        B, dB = pod_oracle.described(model.basis, pairs.vectors[own], species[pairs.neighbors[own]])
        assert_close(pairs.descriptors[atom], B, 1e-11)
        assert_close(pairs.gradients[own], dB, TABLES)


@pytest.mark.parametrize("kind", KINDS)
def test_cells_and_boundaries_against_the_oracle(kind: str) -> None:
    model = MODELS["two_seven"]
    configuration = altered(crystal(model, seed=3), kind)
    assert_equal_evaluations(
        evaluated(potential_of("two_seven"), configuration), pod_oracle.evaluate(model, *configuration), TABLES
    )


@settings(max_examples=15, deadline=None)
@given(
    name=st.sampled_from(["three", "two", "seven", "elements", "clusters", "two_clusters"]),
    count=st.integers(1, 14),
    edge=st.floats(4.0, 11.0),
    pbc=st.tuples(*[st.booleans()] * 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_random_structures_against_the_oracle(name: str, count: int, edge: float, pbc, seed: int) -> None:
    """Any number of atoms and neighbours, close contacts of down to 0.7 A, where rin is 1 A."""
    model = MODELS[name]
    configuration = scattered(len(model.elements), count=count, edge=edge, pbc=pbc, seed=seed)
    expected = pod_oracle.evaluate(model, *configuration)
    assert_equal_evaluations(evaluated(potential_of(name), configuration), expected, TABLES)


@pytest.mark.parametrize("name", SMOOTH)
def test_forces_are_the_gradient(name: str) -> None:
    potential, configuration = potential_of(name), crystal(MODELS[name], seed=5)
    forces = evaluated(potential, configuration).forces
    for place in ((0, 0), (3, 1), (7, 2)):
        slope = gradient(potential, configuration, place)
        assert forces[place] == pytest.approx(-slope, abs=3e-9 * max(1.0, np.abs(forces).max()))


@pytest.mark.parametrize("name", ["two_seven", "clusters"])
def test_virials_belong_to_the_neighbour(name: str) -> None:
    cluster = altered(crystal(MODELS[name]), "cluster")
    actual, expected = heat_currents(potential_of(name), cluster)
    np.testing.assert_allclose(actual, expected, atol=1e-7 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("name", ["seven", "clusters", "no_constant"])
def test_isolated_atom_and_no_atoms(name: str) -> None:
    potential = potential_of(name)
    one = evaluated(potential, few_atoms(1))
    assert one.energies[0] == pytest.approx(MODELS[name].constants[0], rel=1e-14)
    assert not one.forces.any()
    assert evaluated(potential, few_atoms(0)).virials.shape == (0, 3, 3)


def test_terms_need_as_many_neighbors_as_lammps_wants() -> None:
    """Equal descriptors of a star of 1 to 7 neighbours: those of n bodies appear with the neighbour n - 1."""
    model = MODELS["seven"]
    directions = np.random.default_rng(1).normal(size=(7, 3))
    directions *= np.linspace(2.0, 2.4, 7)[:, None] / np.linalg.norm(directions, axis=1)[:, None]
    kinds = pod_oracle.bodies(model.basis)
    for count in range(1, 8):
        positions = np.vstack([np.zeros(3), directions[:count]])
        star = Configuration(np.zeros(count + 1, np.int32), positions, np.zeros((3, 3)), np.zeros(3, bool))
        B = potential_of("seven").descriptors(listed(model.cutoff, star), star.species)[0]
        assert set(kinds[B != 0.0]) == set(range(2, min(count + 1, 7) + 1))


@pytest.mark.parametrize("name", ["four", "two_seven", "two_clusters"])
def test_threads_do_not_change_a_bit(name: str) -> None:
    assert_threads_change_nothing(potential_of(name), crystal(MODELS[name], atoms=600))


def test_one_compilation_serves_all() -> None:
    for name in ("pairs", "two_seven", "clusters"):
        model, potential = MODELS[name], potential_of(name)
        configuration = crystal(model)
        species, neighbors = configuration.species, listed(model.cutoff, configuration)
        potential.evaluate(neighbors, species.astype(np.int64))
        potential.evaluate(neighbors, species.astype(np.int32), num_threads=2)
        potential.descriptor_gradients(neighbors, species)
        potential.descriptors(neighbors, species)
    assert len(kernels.evaluate.signatures) == 1
    assert len(kernels_gradients.describe.signatures) == 1


def test_pickle_keeps_the_model() -> None:
    model = MODELS["two_clusters"]
    copy = pickle.loads(pickle.dumps(PodPotential(model)))
    expected = evaluated(PodPotential(model), crystal(model))
    assert np.array_equal(evaluated(copy, crystal(model)).forces, expected.forces)


@pytest.mark.parametrize("name", ["three", "many"])
def test_distances_from_far_within_rin_to_the_cutoff(name: str) -> None:
    """The table meets the exact functions where it begins, and both those of the oracle."""
    model = MODELS[name]
    basis = model.basis
    start = radial.TABLE_START * basis.rin
    distances = [0.4, 0.8, np.nextafter(start, 0.0), start, np.nextafter(start, 2.0), 0.95, 1.01, 2.0, 3.3, 4.2, 4.29]
    for distance in distances:
        pair = few_atoms(2)._replace(positions=np.array([[0.0, 0.0, 0.0], [distance, 0.0, 0.0]]))
        assert_equal_evaluations(evaluated(potential_of(name), pair), pod_oracle.evaluate(model, *pair), TABLES)


@pytest.mark.parametrize("step", [-1, 0, 1])
def test_neighbors_within_rounding_of_the_cutoff(step: int) -> None:
    model = MODELS["four"]
    distance = np.nextafter(model.cutoff, model.cutoff + step)
    pair = few_atoms(2)._replace(positions=np.array([[0.0, 0.0, 0.0], [distance, 0.0, 0.0]]))
    found = evaluated(potential_of("four"), pair)
    np.testing.assert_allclose(found.forces, 0.0, atol=1e-12)
    np.testing.assert_allclose(found.energies, model.constants[0], rtol=1e-12)


def test_the_piecewise_polynomials_are_the_radial_functions() -> None:
    for rin, rcut, count in ((1.0, 4.5, 8), (0.5, 5.0, 8), (0.8, 6.0, 10)):
        basis = replace(MODELS["pairs"].basis, rin=rin, rcut=rcut, bessel_degree=4, inverse_degree=8)
        basis = replace(basis, radial_functions=(count, 0, 0, 0, 0, 0))
        phi = radial.expansion(basis)
        pieces = radial.pieces(basis, phi)
        r = np.random.default_rng(0).uniform(rin, rcut, 1000)
        where = (r - pieces.start) / pieces.width
        k = where.astype(int)
        powers = np.vander(2.0 * (where - k) - 1.0, radial.DEGREE + 1, increasing=True)
        exact = radial.exact(basis, phi, r)
        found = np.einsum("kd,kdn->kn", powers, pieces.values[k])
        np.testing.assert_allclose(found, exact, rtol=0, atol=1e-12 * np.abs(exact).max())
        slopes = np.einsum("kd,kdn->kn", powers[:, :-1] * np.arange(1.0, radial.DEGREE + 1), pieces.values[k][:, 1:])
        expected = pod_oracle.radial_functions(basis, r + 1e-30j).imag / 1e-30
        np.testing.assert_allclose(slopes * 2.0 / pieces.width, expected, rtol=0, atol=2e-10 * np.abs(expected).max())


def test_many_radial_functions_are_announced() -> None:
    basis = replace(MODELS["pairs"].basis, bessel_degree=4, inverse_degree=8, radial_functions=(12, 0, 0, 0, 0, 0))
    model = PodModel(basis, np.zeros(1), np.zeros((1, 1, 12)))
    with pytest.warns(UserWarning, match="rounding errors change the last of 12 radial functions"):
        PodPotential(model)
    PodPotential(replace(model, basis=replace(basis, expansion=radial.expansion(basis))))


@pytest.mark.peer
@pytest.mark.parametrize("name", ["pairs", "four", "seven", "two_seven", "elements", "clusters"])
def test_live_against_lammps(name: str, tmp_path) -> None:
    require_lammps()
    model = MODELS[name]
    files = write_pod(tmp_path / "m", model)
    species, positions, cell, pbc = crystal(model)
    order = np.argsort(species, kind="stable")
    configuration = Configuration(species[order], positions[order], cell, pbc)
    atoms = Atoms([model.elements[s] for s in species[order]], positions[order], cell=cell, pbc=pbc)
    peer = Lammps(
        atoms, list(model.elements), ["pair_style pod", f"pair_coeff * * {' '.join(files)} {' '.join(model.elements)}"]
    )
    result = evaluated(potential_of(name), configuration)
    scale = max(1.0, float(np.abs(result.forces).max()))
    np.testing.assert_allclose(result.forces, peer.forces(), rtol=0, atol=1e-10 * scale)
    assert result.energies.sum() == pytest.approx(peer.energy(), rel=1e-10)
    peer.close()
