"""The NumPy standard itself: against LAMMPS's numbers, against finite differences and against identities."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from support import snap_lammps, snap_models, snap_oracle
from support.lammps_peer import require_lammps

from ase_mlips.snap.files import read_snap, write_snap
from ase_mlips.snap.model import SnapModel, Zbl

CASES = [
    "c_quadratic_2021_64",
    "cu_linear_triclinic32",
    "inp_chem_64",
    "mliap_w_quadratic",
    "rnd_bnorm1_nochem",
    "rnd_chem2_bnorm0_wselfall1_bzero1",
    "rnd_chem3_bnorm1_wself0_bzero0",
    "rnd_quad_2el_bzero1",
    "rnd_rmin0_switch1",
    "rnd_tj2",
    "si_linear_64",
    "ta06a_bcc54",
    "ta06a_cluster13",
    "ta06a_dimer_close",
    "ta06a_isolated",
    "ta06a_small2",
    "w_liquidlike_tj8",
]
NETWORKS = ["mliap_rnd_nn_2el", "mliap_ta06a_nn_linear", "mliappy_ta_fitsnap_nn"]  # their descriptors are SNAP's
VOIGT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])
SYNTHETIC = list(snap_models.VARIANTS)


def assert_close(actual, expected, tolerance=1e-12):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * max(1.0, float(np.abs(expected).max())))


def load(folder: Path, name: str):
    """Entry of the index, arrays and species of a reference case."""
    entry = next(e for e in json.loads((folder / "index.json").read_text()) if e["name"] == name)
    data = np.load(folder / f"{name}.npz")
    symbols = Atoms(numbers=data["numbers"]).get_chemical_symbols()
    return entry, data, np.array([entry["elements"].index(s) for s in symbols])


def compare_descriptors(model: SnapModel, data, species) -> None:
    atoms = Atoms(data["numbers"], data["positions"], cell=data["cell"], pbc=data["pbc"])
    i, j, D = neighbor_list("ijD", atoms, model.cutoff)
    B, dB = snap_oracle.descriptors_and_gradients(model, i, j, D, species)
    assert_close(B, data["descriptors"])
    if "snad" in data:
        snad = np.zeros_like(data["snad"])
        np.add.at(snad, (j, species[i]), -dB)
        np.add.at(snad, (i, species[i]), dB)
        assert_close(snad, data["snad"])
    if "snav" in data:
        virial = -D[:, VOIGT[0], None] * dB[:, VOIGT[1], :]
        total = np.zeros(data["snav"].shape[1:])
        np.add.at(total, species[i], virial)
        assert_close(total, data["snav"].sum(0))


@pytest.mark.parametrize("name", CASES)
def test_reference_energies_forces_and_virials(shared, name):
    folder = shared / "reference" / "snap"
    entry, data, species = load(folder, name)
    model = read_snap(*(folder / "models" / f for f in entry["files"]), elements=entry["elements"])
    result = snap_oracle.evaluate(model, species, data["positions"], data["cell"], data["pbc"], lammps_slots=True)
    assert_close(result.energies, data["energies"])
    assert_close(result.forces, data["forces"])
    assert_close(result.virials, data["virials"])
    if entry["zbl"]:
        inner, outer, charges = entry["zbl"]
        both = replace(model, zbl=Zbl(inner, outer, tuple(charges)))
        result = snap_oracle.evaluate(both, species, data["positions"], data["cell"], data["pbc"], lammps_slots=True)
        assert_close(result.energies, data["with_zbl_energies"])
        assert_close(result.forces, data["with_zbl_forces"])


@pytest.mark.parametrize("name", CASES)
def test_reference_descriptors_and_gradients(shared, name):
    folder = shared / "reference" / "snap"
    entry, data, species = load(folder, name)
    model = read_snap(*(folder / "models" / f for f in entry["files"]), elements=entry["elements"])
    compare_descriptors(model, data, species)


@pytest.mark.parametrize("name", NETWORKS)
def test_reference_descriptors_of_networks(shared, tmp_path, name):
    folder = shared / "reference" / "snap"
    entry, data, species = load(folder, name)
    count, K = len(entry["elements"]), data["descriptors"].shape[1]
    zeros = tmp_path / "zeros.mliap.model"
    zeros.write_text("\n".join([f"{count} {K + 1}", *["0"] * (count * (K + 1))]) + "\n")
    compare_descriptors(read_snap(zeros, folder / "models" / entry["files"][1]), data, species)


@pytest.mark.parametrize("name", [*SYNTHETIC, *snap_models.NETWORK_VARIANTS])
def test_forces_and_virials_are_derivatives(name):
    model = (snap_models.synthetic_models() | snap_models.network_models())[name]
    species, positions, cell, pbc = snap_models.rattled_cell(model, seed=1)
    result = snap_oracle.evaluate(model, species, positions, cell, pbc)
    rng = np.random.default_rng(2)
    step = 1e-5
    move, strain = rng.normal(size=positions.shape), rng.normal(size=(3, 3))

    def energy(sign):
        deform = np.eye(3) + sign * step * strain
        moved = (positions + sign * step * move) @ deform
        return snap_oracle.evaluate(model, species, moved, cell @ deform, pbc).energies.sum()

    slope = (energy(1) - energy(-1)) / (2 * step)
    expected = -np.sum(result.forces * move) - np.sum(result.virials.sum(0) * strain)
    scale = np.abs(result.forces).max() + np.abs(result.virials.sum(0)).max()
    assert slope == pytest.approx(expected, abs=1e-7 * scale)


def test_forces_of_lammps_are_a_gradient_only_for_equal_coefficients():
    model = snap_models.synthetic_models()["chem"]
    cell = snap_models.rattled_cell(model)
    exact, lammps = (snap_oracle.evaluate(model, *cell, lammps_slots=flag).forces for flag in (False, True))
    assert np.abs(exact - lammps).max() > 0.1
    one = snap_models.synthetic_models()["tj6"]
    cell = snap_models.rattled_cell(one)
    exact, lammps = (snap_oracle.evaluate(one, *cell, lammps_slots=flag).forces for flag in (False, True))
    assert_close(lammps, exact)


@pytest.mark.parametrize(("j1", "j2"), [(0, 0), (1, 1), (3, 2), (6, 6), (12, 5)])
def test_clebsch_gordan_symbols_are_orthonormal(j1, j2):
    levels = range(abs(j1 - j2), j1 + j2 + 1, 2)
    table = np.concatenate([snap_oracle.clebsch_gordan(j1, j2, j).reshape(-1, j + 1) for j in levels], axis=1)
    np.testing.assert_allclose(table @ table.T, np.eye((j1 + 1) * (j2 + 1)), atol=1e-13)


def test_isolated_atom_has_the_constant_energy():
    for name, model in snap_models.synthetic_models().items():
        result = snap_oracle.evaluate(model, [0], np.zeros((1, 3)), np.zeros((3, 3)), [False] * 3)
        assert not result.forces.any()
        if model.bzeroflag and (model.wselfallflag or not model.chemflag or len(model.elements) == 1):
            assert result.energies[0] == pytest.approx(model.coefficients[0, 0], abs=1e-12), name


@pytest.mark.peer
@pytest.mark.parametrize("name", SYNTHETIC)
def test_lammps_agrees_for_every_flag(tmp_path, monkeypatch, name):
    require_lammps()
    monkeypatch.chdir(tmp_path)  # LAMMPS looks for the files that an include file names in the current folder
    model = snap_models.synthetic_models()[name]
    write_snap("model.snap", model)
    species, positions, cell, pbc = snap_models.rattled_cell(model, atoms=12)
    expected = snap_lammps.evaluate("include model.snap", species, positions, cell, types=len(model.elements))
    result = snap_oracle.evaluate(model, species, positions, cell, pbc, lammps_slots=True)
    assert_close(result.energies, expected.energies)
    assert_close(result.forces, expected.forces)
    # LAMMPS takes the upper triangle; a virial of forces that are no gradient is not symmetric
    assert_close(np.triu(result.virials.sum(0)), np.triu(expected.virials.sum(0)), 1e-11)
