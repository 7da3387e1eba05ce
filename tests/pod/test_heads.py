"""Quadratic coefficients and networks on POD: oracle, gradients, symmetries, files, and fits that find them."""

import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.lib.npyio import NpzFile
from support import network_oracle, pod_oracle
from support.damage import refusal
from support.evaluations import (
    Configuration,
    altered,
    assert_close,
    assert_threads_change_nothing,
    evaluated,
    few_atoms,
    gradient,
    heat_currents,
    listed,
)
from support.pod_models import headed_pod_models, pod_crystal, synthetic_pod_model

from ase_mlips import POD, load
from ase_mlips.fit import Loss, Training, fit_pod, fit_pod_network, read_frames
from ase_mlips.pod import PodModel, PodPotential, read_pod, write_pod
from ase_mlips.testing import check_calculator

MODELS = headed_pod_models()


@cache
def potential_of(name: str) -> PodPotential:
    return PodPotential(MODELS[name])


def crystal(name: str, *, atoms: int = 8, seed: int = 0) -> Configuration:
    return Configuration(*pod_crystal(MODELS[name], atoms=atoms, seed=seed))


def as_atoms(model: PodModel, configuration: Configuration) -> Atoms:
    species, positions, cell, pbc = configuration
    return Atoms([model.elements[s] for s in species], positions, cell=cell, pbc=pbc)


def expected_energies(model: PodModel, B, species):
    """From the definition."""
    energies = model.constants[species] + np.einsum("nm,nm->n", model.coefficients[species, 0], B)
    if model.quadratic is not None:
        M = B.shape[1]
        for atom, own in enumerate(species):
            Q = np.zeros((M, M))
            Q[np.triu_indices(M)] = model.quadratic[own]
            Q = np.triu(Q) + np.triu(Q, 1).T
            energies[atom] += 0.5 * B[atom] @ Q @ B[atom]
    if model.network is not None:
        energies += network_oracle.energies_and_gradients(model.network, B, species)[0]
    return energies


@pytest.mark.parametrize("name", MODELS)
def test_energies_and_forces_are_those_of_the_definition(name: str) -> None:
    model, configuration, potential = MODELS[name], crystal(name, seed=5), potential_of(name)
    neighbors, species = listed(model.cutoff, configuration), configuration.species
    found, pairs = potential.evaluate(neighbors, species), potential.descriptor_gradients(neighbors, species)
    own = pairs.centers == 3
    B = pod_oracle.described(model.basis, pairs.vectors[own], species[pairs.neighbors[own]])[0]
    assert_close(pairs.descriptors[3], B, 1e-11)
    expected = expected_energies(model, pairs.descriptors, species)
    assert_close(found.energies, expected, 1e-11)
    bare = expected_energies(replace(model, quadratic=None, network=None), pairs.descriptors, species)
    assert np.abs(expected - bare).max() > 0.1
    for place in ((0, 0), (3, 1), (7, 2)):
        slope = gradient(potential, configuration, place)
        assert found.forces[place] == pytest.approx(-slope, abs=3e-9 * max(1.0, np.abs(found.forces).max()))


@pytest.mark.parametrize("name", ["quadratic_two", "network_two"])
def test_virials_belong_to_the_neighbour(name: str) -> None:
    actual, expected = heat_currents(potential_of(name), altered(crystal(name), "cluster"))
    np.testing.assert_allclose(actual, expected, atol=1e-7 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("name", ["quadratic_two_seven", "network_shared"])
def test_the_calculator_keeps_its_promises(name: str) -> None:
    model = MODELS[name]
    check_calculator(lambda: POD(model), as_atoms(model, crystal(name, seed=2))).raise_on_failure()
    assert_threads_change_nothing(potential_of(name), crystal(name, atoms=600))
    assert pickle.loads(pickle.dumps(potential_of(name))).model == model


@pytest.mark.parametrize("name", ["quadratic_two", "network_two", "network_shared"])
def test_an_isolated_atom_has_the_energy_of_no_descriptors(name: str) -> None:
    model = MODELS[name]
    one = evaluated(potential_of(name), few_atoms(1))
    nothing = np.zeros((1, model.basis.n_descriptors))
    assert_close(one.energies, expected_energies(model, nothing, np.zeros(1, int)), 1e-12)
    assert not one.forces.any()


@pytest.mark.parametrize("name", MODELS)
def test_one_file_holds_them(tmp_path, name: str) -> None:
    model = MODELS[name]
    write_pod(tmp_path / "x.pod.npz", model)
    found = load(tmp_path / "x.pod.npz").model
    assert replace(found, basis=replace(found.basis, expansion=None)) == model
    for ending in ("_param.pod", "_coefficients.pod"):
        with pytest.raises(
            ValueError, match=r"pod: expected a linear model, got .*which a name that ends in \.pod\.npz"
        ):
            write_pod(tmp_path / f"x{ending}", model)
    head = "quadratic" if model.quadratic is not None else "network "
    assert f"descriptors, {head}" in repr(POD(model))
    assert repr(model).startswith(f"PodModel({head}")


def test_heads_without_meaning() -> None:
    quadratic, network = MODELS["quadratic_two"], MODELS["network_two"]
    for model, change, said in (
        (quadratic, {"network": network.network}, "one of quadratic, network and several clusters at most"),
        (synthetic_pod_model("two_clusters"), {"quadratic": np.zeros((2, 1))}, "several clusters at most"),
        (quadratic, {"quadratic": np.zeros((2, 3))}, "expected quadratic of shape"),
        (synthetic_pod_model("three"), {"network": network.network}, "network sizes that begin with 19"),
        (synthetic_pod_model("elements"), {"network": MODELS["network_shared"].network}, None),
    ):
        if said is None:
            replace(model, **change)
        else:
            with pytest.raises(ValueError, match="expected") as caught:
                replace(model, **change)
            assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("network_two", {"network_sizes": np.array([3, 1])}, "expected activations of 1 layers, got 4"),
        ("network_two", {"network_scale": None}, "network_scale"),
        ("network_two", {"network_parameters": np.zeros((2, 3))}, "parameters of shape"),
        ("quadratic_two", {"quadratic": np.zeros((2, 3))}, "quadratic of shape"),
        ("quadratic_two", {"network_shift": np.zeros((2, 3))}, "no array but those of the model"),
    ],
)
def test_archives_of_something_else(tmp_path, name, change, said) -> None:
    write_pod(tmp_path / "x.pod.npz", MODELS[name])
    with np.load(tmp_path / "x.pod.npz") as archive:
        assert isinstance(archive, NpzFile)
        arrays = {key: values for key, values in {**archive, **change}.items() if values is not None}
    np.savez(tmp_path / "other.npz", **arrays)
    assert said in refusal(read_pod, tmp_path / "other.pod.npz", (tmp_path / "other.npz").read_bytes())


@pytest.fixture(scope="module")
def frames():
    """Crystals with the energies, forces and stresses of a quadratic model."""
    model, labelled = MODELS["quadratic_three"], []
    calc = POD(model)
    for seed in range(24):
        atoms = as_atoms(model, crystal("quadratic_three", seed=seed))
        labels = {name: getattr(calc, f"get_{name}")(atoms) for name in ("forces", "stress")}
        atoms.calc = SinglePointCalculator(atoms, energy=calc.get_potential_energy(atoms), **labels)
        labelled.append(atoms)
    return read_frames(labelled)


def force_error(fit) -> float:
    return fit.report.parity("test", "force").score().mae


def test_a_quadratic_model_is_found_again_and_a_linear_one_is_not_enough(frames, tmp_path) -> None:
    basis, loss = MODELS["quadratic_three"].basis, Loss(energy=100.0, stress=1.0, ridge=1e-12)
    fit = fit_pod(basis, frames[:20], test=frames[20:], loss=loss, quadratic=True)
    linear = fit_pod(basis, frames[:20], test=frames[20:], loss=loss)
    assert force_error(fit) < 1e-2 * force_error(linear)
    fit.save(tmp_path / "x.pod.npz")
    assert_close(load(tmp_path / "x.pod.npz").get_forces(frames[20].atoms), frames[20].forces, 1e-2)
    assert "descriptors, quadratic, rin" in repr(fit)


def test_a_network_learns_what_the_linear_model_leaves(frames, tmp_path) -> None:
    basis = MODELS["quadratic_three"].basis
    training = Training(hidden=(8,), epochs=80, batch_size=4, learning_rate=1e-2)
    fit = fit_pod_network(basis, frames[:20], test=frames[20:], validation=frames[20:], training=training)
    linear = fit_pod(basis, frames[:20], test=frames[20:])
    assert_close(fit.model.coefficients, linear.model.coefficients, 1e-12)
    assert force_error(fit) < 0.95 * force_error(linear)
    fit.save(tmp_path / "x.pod.npz")
    atoms = frames[0].atoms.copy()
    np.testing.assert_array_equal(POD(tmp_path / "x.pod.npz").get_forces(atoms), POD(fit.model).get_forces(atoms))
    with pytest.raises(ValueError, match="ridge: expected 0 for a network"):
        fit_pod_network(basis, frames, loss=Loss(ridge=1.0))
