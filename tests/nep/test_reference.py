"""Every case of the reference set, computed with the codes named in reference/nep/README.md there."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError

from ase_mlips import NEP

TOLERANCE = 1e-10  # relative to the largest value of a kind
POTENTIALS = [
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
    "40_syn_nep5",
    "41_syn_nep5zbl",
    "42_syn_typecut",
    "44_syn_flexzbl",
    "45_syn_L8",
    "47_syn_allbody",
    "48_syn_only112",
    "49_syn_only123",
    "51_syn_only134",
    "60_nep89_nacl8",
]
CHARGED = [
    "22_water_qnep1",
    "25_batio3_qnep2_zbl",
    "26_batio3_primitive_qnep1",
    "52_syn_charge1",
    "54_syn_charge3",
    "55_syn_zblcharge_typecut",
]
DIPOLES = ["27_water_dipole", "56_syn_dipole3"]
POLARIZABILITIES = ["30_bazro3_polarizability_nep3"]


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * max(1.0, float(np.abs(expected).max())))


class Case:
    def __init__(self, folder: Path, name: str) -> None:
        self.data = dict(np.load(folder / f"{name}.npz"))
        self.calc = NEP(folder / "models" / str(self.data["model"]))
        d = self.data
        self.atoms = Atoms(d["numbers"], d["positions"], cell=d["cell"], pbc=d["pbc"], calculator=self.calc)


@pytest.fixture
def case(shared: Path, request: pytest.FixtureRequest) -> Case:
    return Case(shared / "reference" / "nep", request.param)


@pytest.mark.parametrize("case", POTENTIALS + CHARGED, indirect=True)
def test_energies_forces_and_virials(case: Case) -> None:
    atoms, data = case.atoms, case.data
    assert_close(atoms.get_potential_energy(), data["energy"])
    assert_close(atoms.get_potential_energies(), data["energies"])
    assert_close(atoms.get_forces(), data["forces"])
    assert_close(case.calc.get_virials(atoms).reshape(-1, 9), data["virials"])
    if atoms.cell.rank == 3:
        assert_close(atoms.get_stress(), data["stress"])


@pytest.mark.parametrize("case", POTENTIALS + CHARGED + DIPOLES + POLARIZABILITIES, indirect=True)
def test_descriptors(case: Case) -> None:
    assert_close(case.calc.get_descriptors(case.atoms), case.data["descriptors"])


@pytest.mark.parametrize("case", POTENTIALS, indirect=True)
def test_latent_space(case: Case) -> None:
    assert_close(case.calc.get_latent_space(case.atoms), case.data["latent"])


@pytest.mark.parametrize("case", CHARGED, indirect=True)
def test_charges_and_born_effective_charges(case: Case) -> None:
    assert_close(case.atoms.get_charges(), case.data["charges"])
    assert abs(case.atoms.get_charges().sum()) < 1e-12
    actual = case.calc.get_born_effective_charges(case.atoms)
    assert actual.shape == (len(case.atoms), 3, 3)
    assert_close(actual.reshape(-1, 9), case.data["born_effective_charges"])


@pytest.mark.parametrize("case", DIPOLES, indirect=True)
def test_dipole_moment(case: Case) -> None:
    assert_close(case.atoms.get_dipole_moment(), case.data["dipole"])


@pytest.mark.parametrize("case", POLARIZABILITIES, indirect=True)
def test_polarizability(case: Case) -> None:
    xx, yy, zz, xy, yz, zx = case.data["polarizability6_xx_yy_zz_xy_yz_zx"]
    assert_close(case.calc.get_polarizability(case.atoms), np.array([[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]]))


@pytest.mark.parametrize("case", DIPOLES + POLARIZABILITIES, indirect=True)
def test_tensor_models_have_no_energy(case: Case) -> None:
    with pytest.raises(PropertyNotImplementedError):
        case.atoms.get_potential_energy()
    with pytest.raises(PropertyNotImplementedError):
        case.atoms.get_forces()


@pytest.mark.parametrize("case", ["17_pbte_nep4"], indirect=True)
def test_potentials_have_no_charges_and_no_dipole(case: Case) -> None:
    with pytest.raises(PropertyNotImplementedError):
        case.atoms.get_charges()
    with pytest.raises(PropertyNotImplementedError):
        case.atoms.get_dipole_moment()
