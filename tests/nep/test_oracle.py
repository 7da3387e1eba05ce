"""The NumPy standard itself: against the numbers of other codes, against finite differences and against identities."""

import json
from math import pi

import numpy as np
import pytest
from ase import Atoms
from numpy.polynomial.legendre import Legendre
from support import nep_descriptor_oracle, nep_models, nep_oracle
from support.nep_cells import rattled_cell

from ase_mlips.nep.files import read_nep

CASES = [
    "01_si64_3body",
    "02_si8_4body",
    "03_si2_primitive_5body",
    "04_si16_triclinic_5body",
    "06_si_isolated_atom",
    "07_si_dimer_chain_pbcTFF",
    "11_graphite_like_small",
    "12_unep_32_16elements",
    "14_unep_zbl_cluster",
    "15_unep_isolated_Mg",
    "15_unep_isolated_W",
    "16_pbte_nep3",
    "17_pbte_nep4",
    "20_bazro3_nep4",
    "21_water_nep4",
    "22_water_qnep1",
    "25_batio3_qnep2_zbl",
    "26_batio3_primitive_qnep1",
    "27_water_dipole",
    "30_bazro3_polarizability_nep3",
    "40_syn_nep5",
    "41_syn_nep5zbl",
    "42_syn_typecut",
    "44_syn_flexzbl",
    "45_syn_L8",
    "47_syn_allbody",
    "48_syn_only112",
    "49_syn_only123",
    "51_syn_only134",
    "52_syn_charge1",
    "54_syn_charge3",
    "55_syn_zblcharge_typecut",
    "56_syn_dipole3",
    "60_nep89_nacl8",
]
TRIPLES = ["222", "112", "123", "233", "134"]
MODELS = nep_models.synthetic_nep_models()
POTENTIALS = [name for name, model in MODELS.items() if model.kind == "potential"]


def assert_close(actual, expected, tolerance=1e-10):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * max(1.0, float(np.abs(expected).max())))


@pytest.mark.parametrize("name", CASES)
def test_reference(shared, name):
    folder = shared / "reference" / "nep"
    data = np.load(folder / f"{name}.npz")
    model = read_nep(folder / "models" / str(data["model"]))
    symbols = Atoms(numbers=data["numbers"]).get_chemical_symbols()
    species = [model.elements.index(s) for s in symbols]
    oracle = nep_oracle.NepOracle(model, species, data["positions"], data["cell"], data["pbc"])
    assert_close(oracle.descriptors, data["descriptors"])
    if model.kind == "dipole":
        assert_close(oracle.dipole, data["dipole"])
        return
    if model.kind == "polarizability":
        reduced = oracle.polarizability[[0, 1, 2, 0, 1, 2], [0, 1, 2, 1, 2, 0]]
        assert_close(reduced, data["polarizability6_xx_yy_zz_xy_yz_zx"])
        return
    assert_close(oracle.evaluation.energies.sum(), data["energy"])
    assert_close(oracle.evaluation.energies, data["energies"])
    assert_close(oracle.evaluation.forces, data["forces"])
    assert_close(oracle.evaluation.virials.reshape(-1, 9), data["virials"])
    if "latent" in data:
        assert_close(oracle.latent, data["latent"])
    if model.charge_mode:
        assert_close(oracle.charges, data["charges"])
        assert_close(oracle.born_effective_charges.reshape(-1, 9), data["born_effective_charges"])


@pytest.mark.parametrize(
    ("name", "spacing"),
    [(name, 2.6) for name in POTENTIALS] + [(name, 1.5) for name in POTENTIALS if MODELS[name].zbl is not None],
)
def test_forces_and_virials_are_derivatives(name, spacing):
    model = MODELS[name]
    species, positions, cell, pbc = rattled_cell(model, seed=1, spacing=spacing)
    result = nep_oracle.evaluate(model, species, positions, cell, pbc)
    rng = np.random.default_rng(2)
    step = 1e-5
    move, strain = rng.normal(size=positions.shape), rng.normal(size=(3, 3))

    def energy(steps):
        deform = np.eye(3) + steps * step * strain
        moved = (positions + steps * step * move) @ deform
        return nep_oracle.evaluate(model, species, moved, cell @ deform, pbc).energies.sum()

    # of fourth order: close to an atom the energies are steep, and a long step takes wave vectors across the cutoff
    slope = (8.0 * (energy(1) - energy(-1)) - (energy(2) - energy(-2))) / (12.0 * step)
    expected = -np.sum(result.forces * move) - np.sum(result.virials.sum(0) * strain)
    scale = np.abs(result.forces).max() + np.abs(result.virials.sum(0)).max()
    assert slope == pytest.approx(expected, abs=1e-7 * scale)


@pytest.mark.parametrize("name", ["nep4_zbl_universal", "charge3"])
@pytest.mark.parametrize("pbc", [(False, False, False), (True, False, False), (True, True, False)])
def test_images_only_along_periodic_axes(name, pbc):
    """A long cell vector keeps the images of that axis away, as if it were not periodic."""
    model = MODELS[name]
    species, positions, cell, _ = rattled_cell(model, seed=3)
    result = nep_oracle.evaluate(model, species, positions, cell, pbc)
    far = np.where(np.array(pbc)[:, None], cell, 50.0 * np.eye(3))
    expected = nep_oracle.evaluate(model, species, positions, far, (True, True, True))
    assert_close(result.forces, expected.forces, 1e-12)
    assert_close(result.energies, expected.energies, 1e-12)
    zero = np.where(np.array(pbc)[:, None], cell, 0.0)
    assert_close(nep_oracle.evaluate(model, species, positions, zero, pbc).virials, expected.virials, 1e-12)


def test_a_reciprocal_sum_needs_three_periodic_axes():
    model = MODELS["charge1"]
    species, positions, cell, _ = rattled_cell(model)
    with pytest.raises(ValueError, match="three periodic axes"):
        nep_oracle.evaluate(model, species, positions, cell, (True, True, False))


@pytest.mark.parametrize("name", ["dipole", "polarizability"])
def test_tensors_turn_with_the_atoms(name):
    model = MODELS[name]
    species, positions, cell, pbc = rattled_cell(model)
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))[0]
    before = getattr(nep_oracle.NepOracle(model, species, positions, cell, pbc), name)
    after = getattr(nep_oracle.NepOracle(model, species, positions @ turn, cell @ turn, pbc), name)
    assert_close(after, before @ turn if name == "dipole" else turn.T @ before @ turn, 1e-12)
    assert np.abs(before).max() > 0.1


@pytest.mark.parametrize("level", range(9))
def test_harmonics_obey_the_addition_theorem(level):
    vectors = np.random.default_rng(level).normal(size=(20, 3))
    r = np.linalg.norm(vectors, axis=1)
    none = np.empty(0, dtype=int)
    Y, _ = nep_descriptor_oracle.spherical_harmonics(
        level, nep_descriptor_oracle.Pairs(none, none, r, vectors / r[:, None])
    )
    cosines = np.clip(vectors @ vectors.T / np.outer(r, r), -1.0, 1.0)
    expected = (2 * level + 1) / (4 * pi) * Legendre.basis(level)(cosines)
    np.testing.assert_allclose(Y @ Y.T, expected, atol=1e-13)


@pytest.mark.parametrize("levels", [(2, 2, 2), (1, 1, 2), (1, 2, 3), (2, 3, 3), (1, 3, 4)])
def test_3j_symbols_are_orthonormal(levels):
    """For each m3 the squares of the symbols add up to 1 / (2 j3 + 1), and different m3 are orthogonal."""
    table = nep_descriptor_oracle.wigner_3j(*levels).reshape(-1, 2 * levels[2] + 1)
    np.testing.assert_allclose(table.T @ table, np.eye(2 * levels[2] + 1) / (2 * levels[2] + 1), atol=1e-14)


@pytest.mark.parametrize("name", TRIPLES)
def test_invariants_have_the_known_monomials(shared, name):
    monomials = json.loads((shared / "reference" / "nep" / "invariants_real_basis.json").read_text())[name]
    expected, found = {}, {}
    for moments, factor in monomials:
        key = tuple(sorted(map(tuple, moments)))
        expected[key] = expected.get(key, 0.0) + factor
    levels = tuple(map(int, name))
    for places, value in np.ndenumerate(nep_descriptor_oracle.coupling(levels)):
        key = tuple(sorted(zip(levels, places, strict=True)))
        found[key] = found.get(key, 0.0) + value
    found = {key: value for key, value in found.items() if abs(value) > 1e-12}
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-13)


def test_the_smallest_configurations():
    model = MODELS["nep4_zbl_universal"]
    for count in (0, 1):
        result = nep_oracle.evaluate(model, [0] * count, np.zeros((count, 3)), np.zeros((3, 3)), [False] * 3)
        assert result.energies.shape == (count,)
        assert not result.forces.any()
        assert not result.virials.any()
