"""Synthetic models, written to files, against motep's C engine, live; run where that is installed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.data import atomic_numbers
from support.listing import listed
from support.mtp_models import synthetic_mtp_models
from support.mtp_oracle import MtpOracle

from ase_mlips import MTP
from ase_mlips.mtp.files import read_mtp, write_mtp
from ase_mlips.mtp.grade import extrapolation_grade, select
from ase_mlips.mtp.model import MtpModel

pytestmark = pytest.mark.peer

TOLERANCE = 1e-10  # relative to the largest value of a kind
GRADE_TOLERANCE = 1e-7  # motep solves with A, whose condition number is some 1e8, where MLIP keeps the inverse
MODELS = synthetic_mtp_models()
READABLE = [name for name, model in MODELS.items() if model.radial_basis == "RBChebyshev"]  # motep takes all for it


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * max(1.0, float(np.abs(expected).max())))


def crystal(model: MtpModel, seed: int) -> Atoms:
    """A rattled skewed cell of eight atoms, smaller than the cutoff, with all species at random."""
    rng = np.random.default_rng(seed)
    cell = 2.6 * np.array([[2.0, 0.1, 0.0], [0.0, 2.0, -0.2], [0.15, 0.0, 2.2]])
    positions = np.array(list(np.ndindex(2, 2, 2))) / 2.0 @ cell + rng.normal(scale=0.15, size=(8, 3))
    types = rng.permutation(np.arange(8) % len(model.species))
    return Atoms([model.species[t] for t in types], positions, cell=cell, pbc=True)


def mlip_order(rows: np.ndarray, model: MtpModel) -> np.ndarray:
    """Rows (.., n) of motep, by moment, species and radial coefficients, in the order of MLIP's files."""
    moments, species = len(model.mapping), len(model.species)
    return np.concatenate(
        [rows[..., moments + species :], rows[..., moments : moments + species], rows[..., :moments]], -1
    )


@dataclass
class Case:
    path: Path
    model: MtpModel
    data: Any  # motep's model

    def types(self, atoms: Atoms) -> list[int]:
        return [self.model.species.index(symbol) for symbol in atoms.symbols]

    def oracle(self, atoms: Atoms) -> MtpOracle:
        return MtpOracle(self.model, self.types(atoms), atoms.positions, atoms.cell.array, atoms.pbc)


@pytest.fixture
def case(tmp_path: Path, request: pytest.FixtureRequest) -> Case:
    io = pytest.importorskip("motep.io.mlip.mtp")
    path, model = tmp_path / "pot.mtp", MODELS[request.param]
    write_mtp(path, model)
    data = io.read_mtp(path)
    data.species = [atomic_numbers[symbol] for symbol in model.species]
    return Case(path, read_mtp(path, species=model.species), data)


def motep_calculator(data: Any, mode: str = "run") -> Any:
    return pytest.importorskip("motep.calculator").make_calculator(data, engine="cext", mode=mode)


@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, False, False)])
@pytest.mark.parametrize("case", READABLE, indirect=True)
def test_energies_forces_and_stress(case: Case, pbc: tuple[bool, bool, bool]) -> None:
    atoms = crystal(case.model, seed=7)
    atoms.pbc = pbc
    peer = atoms.copy()
    peer.calc = motep_calculator(case.data)
    calc = MTP(case.path, species=case.model.species)
    atoms.calc = calc
    oracle = case.oracle(atoms).evaluation
    assert_close(oracle.energies, peer.get_potential_energies())
    assert_close(oracle.forces, peer.get_forces())
    assert_close(atoms.get_potential_energies(), peer.get_potential_energies())
    assert_close(atoms.get_potential_energy(), peer.get_potential_energy())
    assert_close(atoms.get_forces(), peer.get_forces())
    assert_close(atoms.get_stress(), peer.get_stress())
    assert_close(calc.get_virials(atoms), oracle.virials)
    assert_close(calc.get_descriptors(atoms), peer.calc.engine.mbd.vatoms.T)


@pytest.mark.parametrize("case", READABLE, indirect=True)
def test_parameter_gradients(case: Case) -> None:
    atoms = crystal(case.model, seed=8)
    peer = atoms.copy()
    peer.calc = motep_calculator(case.data, mode="train")
    peer.get_potential_energy()
    expected = mlip_order(peer.calc.engine.jac_energies(peer).parameters.T, case.model)
    calc = MTP(case.path, species=case.model.species)
    neighbors, species = listed(calc, atoms)
    assert_close(case.oracle(atoms).parameter_gradients, expected)
    assert_close(calc.potential.parameter_gradients(neighbors, species), expected)


@pytest.mark.parametrize("case", ["l06", "l08"], indirect=True)
def test_extrapolation_grades(case: Case) -> None:
    grader = pytest.importorskip("motep.grade.grader")
    maxvol = pytest.importorskip("motep.grade.maxvol")
    training = [crystal(case.model, seed) for seed in range(100)]
    tested = [crystal(case.model, seed) for seed in range(100, 106)]
    tested[0].set_cell(0.92 * tested[0].cell.array, scale_atoms=True)
    peer = grader.Grader(
        case.data,
        seed=1,
        mode=grader.GradeMode.NEIGHBORHOOD,
        maxvol_setting=maxvol.MaxVolSetting(algorithm=maxvol.FindMethod.MLIP),
    )
    peer.update(training)
    texts = [f"BEGIN_CFG\n Feature place\t{k}\nEND_CFG" for k in range(100)]
    rows = [case.oracle(atoms).parameter_gradients for atoms in training]
    active_set = select(case.model, rows, configurations=texts)
    for atoms, graded in zip(tested, peer.grade(tested), strict=True):
        grade = extrapolation_grade(case.model, active_set, case.oracle(atoms).parameter_gradients)
        np.testing.assert_allclose(grade.neighborhoods, graded.calc.results["nbh_grades"], rtol=GRADE_TOLERANCE)
        assert grade.configuration == pytest.approx(graded.calc.results["MV_grade"], rel=GRADE_TOLERANCE)
