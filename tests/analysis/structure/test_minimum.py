"""The first minimum of g(r): of crystals, of noisy liquids, and none in gases."""

import numpy as np
import pytest
from ase.build import bulk
from ase_mlips.analysis.blocking import BlockAverage, standard_error
from ase_mlips.analysis.structure.minimum import first_minimum
from ase_mlips.analysis.structure.rdf import rdf

DENSITY = 0.03  # atoms per A^3


def ideal_gas(r):
    return np.ones_like(r)


def dilute(r):
    """``exp(-u / k_B T)`` of Lennard-Jones atoms: a peak, and no minimum."""
    attraction = (2.5 / np.maximum(r, 1.0)) ** 6
    return np.exp(-4.0 / 1.5 * (attraction**2 - attraction))


def liquid(r):
    """Two shells; the minimum between them lies at 3.44 A."""
    waves = ((1.8, 2.55, 0.25), (-0.45, 3.45, 0.45), (0.3, 4.7, 0.6), (-0.1, 5.9, 0.6))
    return np.where(r > 2.0, 1.0 + sum(a * np.exp(-(((r - x) / w) ** 2)) for a, x, w in waves), 0.0)


def counted(truth, seed, *, atoms, frames, bins):
    """Arguments of `first_minimum`, of Poisson-distributed numbers of pairs in each frame."""
    rng = np.random.default_rng(seed)
    edges = np.linspace(0.0, 10.0, bins + 1)
    even = 4.0 / 3.0 * np.pi * np.diff(edges**3) * DENSITY * atoms / 2.0
    average = BlockAverage()
    for _ in range(frames):
        average.add(rng.poisson(even * truth(0.5 * (edges[1:] + edges[:-1]))).astype(float))
    return edges, average.mean / even, standard_error(average.blocks) / even


@pytest.mark.parametrize("bins", [100, 500])
@pytest.mark.parametrize(("atoms", "frames", "spread"), [(20, 10, 0.07), (100, 20, 0.07), (500, 100, 0.04)])
def test_a_liquid_has_one_however_noisy(bins, atoms, frames, spread):
    found = [first_minimum(*counted(liquid, seed, atoms=atoms, frames=frames, bins=bins)) for seed in range(20)]
    assert np.mean(found) == pytest.approx(3.444, abs=3.0 * spread / np.sqrt(20) + 0.01)
    assert np.std(found) < spread


@pytest.mark.parametrize("truth", [ideal_gas, dilute])
@pytest.mark.parametrize("bins", [100, 500])
@pytest.mark.parametrize(("atoms", "frames"), [(20, 10), (100, 20), (500, 100)])
def test_a_gas_has_none(truth, bins, atoms, frames):
    found = [first_minimum(*counted(truth, seed, atoms=atoms, frames=frames, bins=bins)) for seed in range(20)]
    assert np.isnan(found).all()


@pytest.mark.parametrize("frames", [1, 2, 20])
@pytest.mark.parametrize("rattle", [0.0, 0.1])
@pytest.mark.parametrize(("name", "structure", "a", "neighbors"), [("Cu", "fcc", 3.6, 12), ("Si", "diamond", 5.43, 4)])
def test_coordination_numbers_of_crystals(name, structure, a, neighbors, rattle, frames):
    atoms = [bulk(name, structure, a=a, cubic=True) * 3 for _ in range(frames)]
    for seed, frame in enumerate(atoms):
        frame.rattle(rattle, seed=seed)
    result = rdf(atoms, r_max=8.0)
    assert result.coordination_number(name, name) == pytest.approx(neighbors, abs=2e-3)  # a hot atom or two
    nearest, second = {"Cu": (2.55, 3.6), "Si": (2.35, 3.84)}[name]
    assert abs(result.first_minimum((name, name)) - 0.5 * (nearest + second)) < 0.1
    assert f"{neighbors}.00 within" in result.facts()[f"{name} around {name}"]


def test_both_sides_of_a_pair():
    salt = bulk("NaCl", "rocksalt", a=5.6287, cubic=True) * 2
    del salt[[k for k, atom in enumerate(salt) if atom.symbol == "Cl"][::2]]
    result = rdf([salt, salt], r_max=7.0)
    assert result.coordination_number("Na", "Cl") == pytest.approx(3.0)
    assert result.coordination_number("Cl", "Na") == pytest.approx(6.0)
    assert result.first_minimum(("Na", "Cl")) == result.first_minimum(("Cl", "Na"))


def test_nothing_to_find():
    edges = np.linspace(0.0, 5.0, 11)
    for g in (np.zeros(10), np.full(10, np.nan), np.eye(10)[4]):
        assert np.isnan(first_minimum(edges, g, np.zeros(10)))
    assert np.isnan(first_minimum(np.array([0.0, 1.0]), np.ones(1), np.zeros(1)))
    far = rdf(bulk("Cu", cubic=True), r_max=2.0)
    assert np.isnan(far.coordination_number("Cu", "Cu"))
    assert list(far.facts()) == ["frames", "Cu-Cu"]
