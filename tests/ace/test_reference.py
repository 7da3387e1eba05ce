"""Every ACE case of the reference sets: the original evaluator's numbers with splines, and those without them."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from ase_mlips import ACE

EXACT = 1e-10  # relative to the largest value of a kind
SETS = {
    "ace": [
        "01_si_linear_8", "03_cu_fs_core_4", "04_cu_fs_core_dimers", "05_al_bbasis_4", "07_sic_zbl_8",
        "09_gaaln_mixed_8", "11_gaaln_densities_8", "12_li_cheblinear_2", "13_nacl_pair_8", "14_gan_linear_32",
        "16_gaaln_mixed_dimers_isolated", "17_si_fit_32",
    ],
    "snap": ["ace_cu_pbe_32", "ace_cu_pbe_cluster13", "ace_inp_64", "ace_ta_ridge_54", "ace_ta_svd_54"],
}  # fmt: skip
SPLINED = {"energies": 1e-8, "forces": 1e-5}  # eV, eV/A: of LAMMPS's splines, see `ACE`


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=EXACT * max(1.0, float(np.abs(expected).max())))


@pytest.fixture(params=[f"{folder}/{name}" for folder, names in SETS.items() for name in names])
def case(shared: Path, request: pytest.FixtureRequest) -> tuple[ACE, Atoms, dict, dict]:
    family, name = request.param.split("/")
    folder = shared / "reference" / family
    entry = next(e for e in json.loads((folder / "index.json").read_text()) if e["name"] == name)
    data = dict(np.load(folder / f"{name}.npz"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="ChebLinear")
        calc = ACE(folder / "models" / entry["model"], elements=entry["elements"])
    atoms = Atoms(data["numbers"], data["positions"], cell=data["cell"], pbc=data["pbc"])
    return calc, atoms, data, entry


def test_energies_forces_virials_and_descriptors(case) -> None:
    calc, atoms, data, entry = case
    atoms.calc = calc
    found = {"energies": atoms.get_potential_energies(), "forces": atoms.get_forces()}
    if "exact_energies" in data:
        assert_close(found["energies"], data["exact_energies"])
        assert_close(found["forces"], data["exact_forces"])
        assert_close(calc.get_virials(atoms), data["exact_virials"])
    for quantity, values in found.items():
        allowed = 10.0 * entry.get(f"spline_error_{quantity}", SPLINED[quantity] / 10.0) + EXACT * np.abs(values).max()
        assert np.abs(values - data[quantity]).max() < allowed
    if "descriptors" in data:
        assert_close(calc.get_descriptors(atoms), data["descriptors"])
    if atoms.cell.rank == 3:
        upper = calc.get_virials(atoms).sum(0)[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        np.testing.assert_allclose(-upper / atoms.get_volume(), data["stress"], rtol=0, atol=1e-5)
