"""Every POD case of the reference sets, computed with LAMMPS; their READMEs say how."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from support.evaluations import assert_close

from ase_mlips import POD

TOLERANCE = 1e-10  # relative to the largest value of a kind
CASES = {
    "01_si_4body_8": 72,
    "03_si_7body_8": 248,
    "04_si_7body_clusters": 248,
    "05_si_4body_dimers": 72,
    "06_ta_clusters_16": 52,
    "07_inp_4body_8": 171,
    "09_inp_7body_8": 332,
    "10_gaaln_5body_8": 401,
    "13_si_fit_32": 78,
    "pod_ta_54": 31,
}


def case(shared: Path, name: str) -> tuple[POD, Atoms, dict[str, np.ndarray]]:
    folder = shared / "reference" / ("snap" if name.startswith("pod_") else "pod")
    entry = next(e for e in json.loads((folder / "index.json").read_text()) if e["name"] == name)
    data = dict(np.load(folder / f"{name}.npz"))
    atoms = Atoms(data["numbers"], data["positions"], cell=data["cell"], pbc=data["pbc"])
    return POD(*[folder / "models" / file for file in entry["files"]]), atoms, data


@pytest.mark.parametrize("name", CASES)
def test_energies_forces_virials_and_descriptors(shared: Path, name: str) -> None:
    calc, atoms, data = case(shared, name)
    tolerance = 1e-9 if "dimers" in name else TOLERANCE  # within rin the rounding of eigenvectors shows
    atoms.calc = calc
    assert calc.model.basis.n_descriptors == CASES[name]
    assert_close(atoms.get_potential_energy(), data["energy"], tolerance)
    assert_close(atoms.get_potential_energies(), data["energies"], tolerance)
    assert_close(atoms.get_forces(), data["forces"], tolerance)
    if "stress" in data:
        assert_close(atoms.get_stress(), data["stress"], tolerance)
    if "virials" in data:
        assert_close(calc.get_virials(atoms), data["virials"], tolerance)
        assert_close(calc.get_descriptors(atoms), data["descriptors"], tolerance)


@pytest.mark.parametrize("name", [name for name in CASES if name != "06_ta_clusters_16"])
def test_descriptor_gradients_make_the_forces(shared: Path, name: str) -> None:
    calc, atoms, data = case(shared, name)
    pairs = calc.get_descriptor_gradients(atoms)
    kinds = np.array([calc.model.elements.index(symbol) for symbol in atoms.get_chemical_symbols()])
    pulls = np.einsum("pam,pm->pa", pairs.gradients, calc.model.coefficients[kinds[pairs.centers], 0])
    forces = np.zeros_like(atoms.positions)
    np.add.at(forces, pairs.centers, pulls)
    np.add.at(forces, pairs.neighbors, -pulls)
    assert_close(forces, data["forces"], 1e-9 if "dimers" in name else TOLERANCE)
