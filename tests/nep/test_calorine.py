"""Synthetic models, written to files, against calorine, live; run where that is installed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from support.nep_cells import rattled_cell
from support.nep_frames import labelled_by, teacher
from support.nep_models import synthetic_nep_models
from support.nep_oracle import NepOracle

from ase_mlips import NEP
from ase_mlips.fit import NepSettings, NepTraining, fit_nep, read_frames
from ase_mlips.nep.files import read_nep, write_nep
from ase_mlips.nep.model import NepModel

pytestmark = pytest.mark.peer

TOLERANCE = 1e-10  # relative to the largest value of a kind
MODELS = synthetic_nep_models()


def readable(model: NepModel) -> bool:
    """What calorine reads: NEP4, no typewise cutoffs of descriptors, flexible repulsion of at most ten elements."""
    if model.version != 4 or model.typewise_factors is not None:
        return False
    zbl = model.zbl
    return zbl is None or not (zbl.typewise_inner_half or (zbl.flexible is not None and len(model.elements) > 10))


READABLE = [name for name, model in MODELS.items() if readable(model)]
POTENTIALS = [name for name in READABLE if MODELS[name].kind == "potential"]
CHARGED = [name for name in POTENTIALS if MODELS[name].charge_mode]
TENSORS = [name for name in READABLE if MODELS[name].kind != "potential"]


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * max(1.0, float(np.abs(expected).max())))


@dataclass
class Case:
    path: Path
    atoms: Atoms
    oracle: NepOracle
    calorine: dict[str, Any]  # calorine's results


@pytest.fixture
def case(tmp_path: Path, request: pytest.FixtureRequest) -> Case:
    calculators = pytest.importorskip("calorine.calculators")
    path = tmp_path / "nep.txt"
    write_nep(path, MODELS[request.param])
    model = read_nep(path)
    species, positions, cell, pbc = rattled_cell(model, seed=7)
    atoms = Atoms([model.elements[s] for s in species], positions, cell=cell, pbc=pbc)
    peer = calculators.CPUNEP(str(path))
    peer.calculate(atoms.copy(), peer.implemented_properties)
    return Case(path, atoms, NepOracle(model, species, positions, cell, pbc), dict(peer.results))


@pytest.mark.parametrize("case", POTENTIALS, indirect=True)
def test_energies_forces_and_virials(case: Case) -> None:
    theirs, volume = case.calorine, case.atoms.get_volume()
    case.atoms.calc = calc = NEP(case.path)
    assert_close(case.atoms.get_potential_energies(), theirs["energies"])
    if calc.model.charge_mode != 3:  # calorine's forces of that mode are not the gradient of its energy
        assert_close(case.atoms.get_forces(), theirs["forces"])
        assert_close(calc.get_virials(case.atoms).reshape(-1, 9), theirs["stresses"] * volume)


@pytest.mark.filterwarnings("ignore:the best model has a loss:UserWarning")
def test_a_trained_file(tmp_path: Path) -> None:
    calculators = pytest.importorskip("calorine.calculators")
    settings = NepSettings(("Te", "Pb"), cutoff=(4.5, 4.0), n_max=(2, 2), basis_size=(3, 3), neuron=4)
    frames = read_frames(labelled_by(teacher(), 6))
    fit = fit_nep(settings, frames, validation=0.0, training=NepTraining(epochs=2))
    fit.save(tmp_path / "nep.txt")
    for frame in frames:
        ours, theirs = frame.atoms.copy(), frame.atoms.copy()
        ours.calc, theirs.calc = NEP(fit.model), calculators.CPUNEP(str(tmp_path / "nep.txt"))
        assert ours.get_potential_energy() == pytest.approx(theirs.get_potential_energy(), rel=1e-6)
        largest = np.abs(theirs.get_forces()).max()
        np.testing.assert_allclose(ours.get_forces(), theirs.get_forces(), rtol=0, atol=1e-6 * largest)


@pytest.mark.parametrize("case", POTENTIALS, indirect=True)
def test_the_numpy_standard(case: Case) -> None:
    theirs, result = case.calorine, case.oracle.evaluation
    assert_close(result.energies, theirs["energies"])
    if case.oracle.model.charge_mode != 3:
        assert_close(result.forces, theirs["forces"])
        assert_close(result.virials.reshape(-1, 9), theirs["stresses"] * case.atoms.get_volume())


@pytest.mark.parametrize("case", CHARGED, indirect=True)
def test_charges(case: Case) -> None:
    case.atoms.calc = calc = NEP(case.path)
    assert_close(case.atoms.get_charges(), case.calorine["charges"])
    expected = case.calorine["born_effective_charges"]
    assert_close(calc.get_born_effective_charges(case.atoms).reshape(-1, 9), expected)
    assert_close(case.oracle.charges, case.calorine["charges"])
    assert_close(case.oracle.born_effective_charges.reshape(-1, 9), expected)


@pytest.mark.parametrize("case", TENSORS, indirect=True)
def test_dipoles_and_polarizabilities(case: Case) -> None:
    calc = NEP(case.path)
    kind = case.oracle.model.kind
    ours = calc.get_dipole_moment(case.atoms) if kind == "dipole" else calc.get_polarizability(case.atoms)
    assert_close(ours, case.calorine[kind])
    assert_close(getattr(case.oracle, kind), case.calorine[kind])
