"""The NumPy standard itself: against the numbers of other codes, against finite differences and against definitions."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from support.evaluations import assert_close
from support.mtp_cases import CASES
from support.mtp_models import MAX_DIST, MIN_DIST, synthetic_mtp_model, synthetic_mtp_models
from support.mtp_oracle import MtpOracle, basis, evaluate, parameter_gradients

from ase_mlips.mtp.files import read_mtp
from ase_mlips.mtp.model import MtpModel

MODELS = synthetic_mtp_models()
BASES = ["l02", "l02_repuls", "l06_taylor", "l08_plain", "l10_plain_repuls"]  # one of each radial basis


def crystal(model: MtpModel, *, spacing: float = 2.4, seed: int = 0):
    """Species (8,), positions (8, 3), cell and pbc of a rattled skewed cell, smaller than the cutoff."""
    rng = np.random.default_rng(seed)
    cell = spacing * np.array([[2.0, 0.1, 0.0], [0.0, 2.0, -0.2], [0.15, 0.0, 2.2]])
    positions = np.array(list(np.ndindex(2, 2, 2))) / 2.0 @ cell + rng.normal(scale=0.1, size=(8, 3))
    return rng.permutation(np.arange(8) % len(model.species)), positions, cell, np.ones(3, dtype=bool)


def dimer(r: float):
    """Two atoms of the first type at the distance r in A, along no axis."""
    return [0, 0], [[0.0, 0.0, 0.0], r * np.array([2.0, -1.0, 2.0]) / 3.0], np.zeros((3, 3)), np.zeros(3, dtype=bool)


def difference(function, h: float):
    """Derivative at zero by central differences of fourth order."""
    return (8.0 * (function(h) - function(-h)) - function(2 * h) + function(-2 * h)) / (12.0 * h)


@pytest.mark.parametrize("name", CASES)
def test_reference(shared, name):
    folder = shared / "reference" / "mtp"
    case = next(c for c in json.loads((folder / "index.json").read_text()) if c["name"] == name)
    data = np.load(folder / f"{name}.npz")
    model = read_mtp(folder / "models" / case["model"], species=case["species"])
    species = [case["species"].index(s) for s in Atoms(numbers=data["numbers"]).symbols]
    oracle = MtpOracle(model, species, data["positions"], data["cell"], data["pbc"])
    result = oracle.evaluation
    assert_close(oracle.basis, data["descriptors"], 1e-12, "basis")
    assert_close(result.energies, data["energies"], 1e-12, "energies")
    assert_close(result.forces, data["forces"], 1e-12, "forces")
    assert_close(result.virials, data["virials"], 1e-12, "virials")


def test_every_reference_case_is_named(shared):
    assert sorted(CASES) == [c["name"] for c in json.loads((shared / "reference" / "mtp" / "index.json").read_text())]


@pytest.mark.parametrize("name", MODELS)
def test_forces_and_virial_are_gradients_of_the_energy(name):
    model = MODELS[name]
    species, positions, cell, pbc = crystal(model)
    rng = np.random.default_rng(1)
    direction, strain = rng.normal(size=positions.shape), rng.normal(size=(3, 3))
    if model.radial_basis in ("BChebyshev", "BChebyshev_repuls", "RBTaylor"):  # jumps where a pair enters: a cluster
        cell, pbc = np.zeros((3, 3)), np.zeros(3, dtype=bool)
        model = replace(model, max_dist=30.0)

    def moved(h):
        return evaluate(model, species, positions + h * direction, cell, pbc).energies.sum()

    def strained(h):
        map_ = np.eye(3) + h * strain
        return evaluate(model, species, positions @ map_, cell @ map_, pbc).energies.sum()

    result = evaluate(model, species, positions, cell, pbc)
    size = float(np.abs(result.forces).max() + np.abs(result.virials).max())
    np.testing.assert_allclose(difference(moved, 1e-4), -np.sum(result.forces * direction), rtol=1e-7, atol=1e-7 * size)
    virial = result.virials.sum(axis=0)
    np.testing.assert_allclose(virial, virial.T, rtol=0, atol=1e-12 * size)
    np.testing.assert_allclose(difference(strained, 1e-5), -np.sum(virial * strain), rtol=1e-7, atol=1e-7 * size)
    np.testing.assert_allclose(result.forces.sum(axis=0), 0.0, rtol=0, atol=1e-12 * size)


@pytest.mark.parametrize("name", ["l06", "l08_plain", "l10_repuls"])
def test_parameter_gradients_are_gradients_of_the_site_energies(name):
    model = MODELS[name]
    species, positions, cell, pbc = crystal(model)
    fields = ("radial_coefficients", "species_coefficients", "moment_coefficients")
    theta = np.concatenate([getattr(model, field).ravel() for field in fields])
    ends = np.cumsum([getattr(model, field).size for field in fields])[:-1]
    direction = np.random.default_rng(2).normal(size=theta.size) * np.abs(theta)

    def energies(h):
        parts = np.split(theta + h * direction, ends)
        shaped = {f: part.reshape(getattr(model, f).shape) for f, part in zip(fields, parts, strict=True)}
        return evaluate(replace(model, **shaped), species, positions, cell, pbc).energies

    rows = parameter_gradients(model, species, positions, cell, pbc)
    assert rows.shape == (8, model.n_parameters)
    expected = difference(energies, 1e-4)
    np.testing.assert_allclose(rows @ direction, expected, rtol=1e-9, atol=1e-9 * float(np.abs(expected).max()))
    np.testing.assert_array_equal(rows[:, -len(model.mapping) :], basis(model, species, positions, cell, pbc))


@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("r", [0.8 * MIN_DIST, MIN_DIST + 0.3, 0.5 * (MIN_DIST + MAX_DIST), MAX_DIST - 0.01])
def test_radial_bases_as_they_are_defined(name, r):
    """The scalar of level 2 of a pair is f_0(r), written out term by term."""
    recipe = MODELS[name]
    model = replace(
        MODELS["l02"],
        radial_basis=recipe.radial_basis,
        radial_coefficients=recipe.radial_coefficients[:1, :1, :1],
        scaling=recipe.scaling,
    )
    clamped = recipe.radial_basis.endswith("_repuls") and r < MIN_DIST
    s = MIN_DIST if clamped else r
    x = (2.0 * s - MIN_DIST - MAX_DIST) / (MAX_DIST - MIN_DIST)
    end = (s - MAX_DIST) ** 2 if recipe.radial_basis.startswith("RBChebyshev") else 1.0
    terms, previous, current = [], 1.0, x
    for n, c in enumerate(model.radial_coefficients[0, 0, 0]):
        terms.append(c * (r**n if recipe.radial_basis == "RBTaylor" else previous * end))
        previous, current = current, 2.0 * x * current - previous
    f = model.scaling * sum(terms)
    repulsion = 0.0
    if recipe.radial_basis == "RBChebyshev_repuls" and clamped:
        repulsion = 1e4 * (np.exp(-10.0 * (r - 1.0)) - np.exp(-10.0 * (MIN_DIST - 1.0)))
    np.testing.assert_allclose(basis(model, *dimer(r)), f, rtol=1e-12)
    expected = model.species_coefficients[0] + model.moment_coefficients[0] * f + repulsion
    np.testing.assert_allclose(evaluate(model, *dimer(r)).energies, expected, rtol=1e-12)


@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("r", [0.8 * MIN_DIST, 2.7])
def test_forces_of_a_dimer_on_both_sides_of_the_shortest_distance(name, r):
    model = MODELS[name]
    slope = difference(lambda h: evaluate(model, *dimer(r + h)).energies.sum(), 1e-4)
    u = np.array([2.0, -1.0, 2.0]) / 3.0
    expected = slope * np.array([u, -u])
    np.testing.assert_allclose(evaluate(model, *dimer(r)).forces, expected, rtol=1e-8, atol=1e-9)


def test_nothing_beyond_the_cutoff():
    model = synthetic_mtp_model("l08")
    result = evaluate(model, *dimer(MAX_DIST))
    np.testing.assert_array_equal(result.energies, model.species_coefficients[[0, 0]])
    np.testing.assert_array_equal(result.forces, 0.0)
    assert not basis(model, *dimer(MAX_DIST)).any()


def test_energy_is_invariant_and_forces_turn():
    model = MODELS["l12"]
    species, positions, cell, pbc = crystal(model)
    rotation = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    before = evaluate(model, species, positions, cell, pbc)
    after = evaluate(model, species, positions @ rotation, cell @ rotation, pbc)
    assert_close(after.energies, before.energies, 1e-12)
    assert_close(after.forces, before.forces @ rotation, 1e-12)
    assert_close(after.virials, rotation.T @ before.virials @ rotation, 1e-12)


def test_virials_give_the_heat_current():
    """sum_j W_j v_j is the potential part of d/dt sum r_i E_i, by the displacement of a cluster."""
    model = synthetic_mtp_model("l16_three")
    species, positions, _, _ = crystal(model)
    cell, pbc = np.zeros((3, 3)), np.zeros(3, dtype=bool)
    velocities = np.random.default_rng(4).normal(size=positions.shape)
    result = evaluate(model, species, positions, cell, pbc)

    def energies(h):
        return evaluate(model, species, positions + h * velocities, cell, pbc).energies

    power = difference(energies, 1e-4) + np.sum(result.forces * velocities, axis=1)
    current = np.einsum("jab,jb->a", result.virials, velocities)
    np.testing.assert_allclose(current, positions.T @ power, rtol=1e-7)


def test_no_atoms():
    model = MODELS["l02"]
    empty = [], np.empty((0, 3)), np.zeros((3, 3)), np.zeros(3, dtype=bool)
    assert evaluate(model, *empty).virials.shape == (0, 3, 3)
    assert parameter_gradients(model, *empty).shape == (0, model.n_parameters)
