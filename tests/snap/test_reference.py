"""Every linear, quadratic and network case of the reference set, computed with LAMMPS; its README says how."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress

from ase_mlips import SNAP
from ase_mlips.snap import Zbl, read_snap

TOLERANCE = 1e-10  # relative to the largest value of a kind
CASES = [
    "c_quadratic_2021_64",
    "cu_linear_triclinic32",
    "inp_chem_64",
    "mliap_inp_linear",
    "mliap_rnd_nn_2el",
    "mliap_ta06a_nn_linear",
    "mliap_w_quadratic",
    "mliappy_ta_fitsnap_nn",
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


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * max(1.0, float(np.abs(expected).max())))


class Case:
    def __init__(self, folder: Path, name: str) -> None:
        entry = next(e for e in json.loads((folder / "index.json").read_text()) if e["name"] == name)
        self.data = dict(np.load(folder / f"{name}.npz"))
        files = [folder / "models" / f for f in entry["files"]]
        self.model = read_snap(*files, elements=entry["elements"])
        if entry["zbl"]:
            inner, outer, charges = entry["zbl"]
            self.zbl = Zbl(float(inner), float(outer), tuple(float(z) for z in charges))
        d = self.data
        self.atoms = Atoms(d["numbers"], d["positions"], cell=d["cell"], pbc=d["pbc"])


@pytest.fixture
def case(shared: Path, request: pytest.FixtureRequest) -> Case:
    return Case(shared / "reference" / "snap", request.param)


def compare(case: Case, calc: SNAP, prefix: str) -> None:
    atoms, data = case.atoms, case.data
    atoms.calc = calc
    assert_close(atoms.get_potential_energy(), data[prefix + "energy"])
    assert_close(atoms.get_potential_energies(), data[prefix + "energies"])
    assert_close(atoms.get_forces(), data[prefix + "forces"])
    if atoms.cell.rank == 3:
        virial = calc.get_virials(atoms).sum(0)
        upper = virial[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]  # LAMMPS takes r_x f_y and never r_y f_x
        assert_close(-upper / atoms.get_volume(), data[prefix + "stress"])
        if np.allclose(virial, virial.T):  # not so where forces are not a gradient, see the warning ignored below
            assert_close(atoms.get_stress(), data[prefix + "stress"])


@pytest.mark.filterwarnings("ignore:coefficients of equal descriptors differ")
@pytest.mark.parametrize("case", CASES, indirect=True)
def test_energies_forces_virials_and_descriptors(case: Case) -> None:
    calc = SNAP(case.model)
    compare(case, calc, "")
    assert_close(calc.get_virials(case.atoms), case.data["virials"])
    assert_close(calc.get_descriptors(case.atoms), case.data["descriptors"])


@pytest.mark.parametrize(
    "case", [name for name in CASES if name.startswith(("ta06a", "inp_chem", "w_liquid"))], indirect=True
)
def test_with_nuclear_repulsion(case: Case) -> None:
    compare(case, SNAP(replace(case.model, zbl=case.zbl)), "with_zbl_")


@pytest.mark.filterwarnings("ignore:coefficients of equal descriptors differ")
@pytest.mark.parametrize("case", [name for name in CASES if "inp" not in name], indirect=True)
def test_descriptor_gradients(case: Case) -> None:
    """``snad`` sums the gradients over the centres of one type; ``snav`` is its virial."""
    g = SNAP(case.model).get_descriptor_gradients(case.atoms)
    n, types, k = len(case.atoms), len(case.model.elements), case.model.n_descriptors
    symbols = case.atoms.get_chemical_symbols()
    kind = np.array([case.model.elements.index(s) for s in symbols])[g.centers]
    snad = np.zeros((n, types, 3, k))
    snav = np.zeros((n, types, 3, 3, k))
    np.add.at(snad, (g.neighbors, kind), -g.gradients)
    np.add.at(snad, (g.centers, kind), g.gradients)
    assert_close(snad, case.data["snad"].reshape(snad.shape))
    if "snav" in case.data:
        expected = voigt_6_to_full_3x3_stress(np.moveaxis(case.data["snav"], 2, -1))
        np.add.at(snav, (g.neighbors, kind), -g.gradients[:, None] * g.vectors[:, :, None, None])
        total = np.moveaxis(snav.sum(0), -1, 1)
        total = 0.5 * (total + np.swapaxes(total, -1, -2))
        assert_close(total, expected.sum(0))
