"""Every case of the reference set, computed with the codes named in reference/mtp/README.md there."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.stress import full_3x3_to_voigt_6_stress
from support.mtp_cases import CASES

from ase_mlips import MTP

TOLERANCE = 1e-10  # relative to the largest value of a kind
GRADE_TOLERANCE = 1e-8
SETS = ["si_l08_cfg", "si_l08_nbh", "sige_l12_cfg", "sige_l12_nbh"]


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * max(1.0, float(np.abs(expected).max())))


class Case:
    def __init__(self, folder: Path, name: str) -> None:
        entry = next(e for e in json.loads((folder / "index.json").read_text()) if e["name"] == name)
        self.data = d = dict(np.load(folder / f"{name}.npz"))
        self.calc = MTP(folder / "models" / entry["model"], species=entry["species"])
        self.atoms = Atoms(d["numbers"], d["positions"], cell=d["cell"], pbc=d["pbc"], calculator=self.calc)


@pytest.fixture
def case(shared: Path, request: pytest.FixtureRequest) -> Case:
    return Case(shared / "reference" / "mtp", request.param)


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_energies_forces_and_virials(case: Case) -> None:
    atoms, data = case.atoms, case.data
    assert_close(atoms.get_potential_energy(), data["energy"])
    assert_close(atoms.get_potential_energies(), data["energies"])
    assert_close(atoms.get_forces(), data["forces"])
    assert_close(case.calc.get_virials(atoms), data["virials"])
    assert_close(case.calc.get_virials(atoms).sum(axis=0), data["virial"])


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_stress_where_there_is_a_volume(case: Case) -> None:
    assert ("stress" in case.data) == (case.atoms.cell.rank == 3)
    if "stress" in case.data:
        assert_close(case.atoms.get_stress(), full_3x3_to_voigt_6_stress(case.data["stress"]))
    else:
        with pytest.raises(PropertyNotImplementedError):
            case.atoms.get_stress()


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_basis_values(case: Case) -> None:
    actual, expected = case.calc.get_descriptors(case.atoms), case.data["descriptors"]
    assert actual.shape == expected.shape
    assert_close(actual, expected)


@pytest.mark.parametrize("name", ["11_lefthanded_l08", "12_unwrapped_l08"])
def test_description_of_the_cell_does_not_matter(shared: Path, name: str) -> None:
    folder = shared / "reference" / "mtp"
    usual, other = Case(folder, "01_si8_l08"), Case(folder, name)
    assert_close(other.atoms.get_potential_energies(), usual.data["energies"])
    assert_close(other.atoms.get_forces(), usual.data["forces"])
    assert_close(other.calc.get_virials(other.atoms), usual.data["virials"])
    assert_close(other.atoms.get_stress(), usual.atoms.get_stress())


def test_every_case_is_named(shared: Path) -> None:
    assert sorted(CASES) == [e["name"] for e in json.loads((shared / "reference" / "mtp" / "index.json").read_text())]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.filterwarnings("ignore:the training set of this active set")  # sige_l12_cfg has too few configurations
def test_extrapolation_grades(shared: Path, name: str) -> None:
    folder = shared / "reference" / "mtp"
    species = ["Si", "Ge"][: 1 if name.startswith("si_") else 2]
    calc, data = MTP(folder / f"{name}.almtp", species=species), np.load(folder / f"{name}_ref.npz")
    for k, (types, positions, cell) in enumerate(zip(data["types"], data["positions"], data["cells"], strict=True)):
        grade = calc.get_extrapolation_grade(Atoms([species[t] for t in types], positions, cell=cell, pbc=True))
        assert grade.configuration == pytest.approx(data["grades"][k], rel=GRADE_TOLERANCE)
        if name.endswith("cfg"):
            assert grade.neighborhoods is None
        else:
            np.testing.assert_allclose(grade.neighborhoods, data["nbh_grades"][k], rtol=GRADE_TOLERANCE)
