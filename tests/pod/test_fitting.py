"""POD by least squares: a model is found again, `fitpod`'s equations and errors, files that LAMMPS reads."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from support.evaluations import assert_close
from support.pod_models import pod_crystal, synthetic_pod_model

from ase_mlips import POD, load
from ase_mlips.fit import Loss, PodDesign, fit_pod, read_frames
from ase_mlips.pod import PodBasis, PodModel, read_pod

MODEL = synthetic_pod_model("two")
LOSS = Loss(energy=100.0, force=1.0, stress=0.0)  # of fitpod


@pytest.fixture(scope="module")
def frames():
    calc, labelled = POD(MODEL), []
    for seed in range(10):
        species, positions, cell, pbc = pod_crystal(MODEL, seed=seed)
        atoms = Atoms([MODEL.elements[s] for s in species], positions, cell=cell, pbc=pbc)
        labels = {name: getattr(calc, f"get_{name}")(atoms) for name in ("forces", "stress")}
        labels["energy"] = calc.get_potential_energy(atoms)
        atoms.calc = SinglePointCalculator(atoms, **labels)
        labelled.append(atoms)
    return read_frames(labelled)


def test_a_model_is_found_again_and_written_for_lammps(frames, tmp_path) -> None:
    fit = fit_pod(MODEL.basis, frames[:8], test=frames[8:], loss=Loss(energy=100.0, stress=0.1))
    assert max(score.mae for score in fit.report.scores()) < 1e-6
    fit.save(tmp_path / "x_coefficients.pod")
    assert read_pod(tmp_path / "x_param.pod") == fit.model
    assert_close(load(tmp_path / "x").get_forces(frames[9].atoms), frames[9].forces, 1e-5)
    assert json.loads((tmp_path / "x_coefficients.report.json").read_text())["solver"] == fit.solution.solver


def test_isolated_atoms_keep_their_energies(frames) -> None:
    energies = dict(zip(MODEL.elements, MODEL.constants, strict=True))
    fit = fit_pod(MODEL.basis, frames, atomic_energies=energies, loss=LOSS)
    np.testing.assert_array_equal(fit.model.constants, MODEL.constants)
    assert_close(POD(fit.model).get_forces(frames[9].atoms), frames[9].forces, 1e-5)
    with pytest.raises(ValueError, match="atomic_energies: Ni missing"):
        fit_pod(MODEL.basis, frames, atomic_energies={"Cu": 0.0})


def test_silicon_has_the_errors_of_fitpod(shared) -> None:
    """Published with LAMMPS's own fit: 5.0 meV/atom and 0.093 eV/A on the test frames."""
    folder = shared / "data" / "mlearn"
    train, test = (read_frames(folder / f"Si_{name}.extxyz") for name in ("train", "test"))
    basis = PodBasis(("Si",), 1.0, 5.0, 4, 8, (8, 6, 4, 0, 0, 0), (6, 3, 0, 0, 0))
    fit = fit_pod(basis, train, test=test, loss=LOSS)
    assert len(fit.solution.coefficients) == 79
    expected = json.loads((shared / "reference" / "pod" / "si_fit.json").read_text())
    for score in fit.report.scores():
        if score.group == "*all" and score.quantity in ("energy", "force"):
            name = "mae_energy_per_atom" if score.quantity == "energy" else "mae_force"
            assert score.mae == pytest.approx(expected[score.set][name], rel=5e-3)
            if score.set == "test":
                assert score.mae <= (5.0e-3 if score.quantity == "energy" else 0.094)


def test_rows_and_labels_are_those_of_fitpod(shared) -> None:
    folder = shared / "reference" / "pod"
    equations = np.load(folder / "si_fit_normal.npz")
    basis = read_pod(folder / "models" / "si_fit_param.pod", folder / "models" / "si_fit_coeff.pod").basis
    train = read_frames(shared / "data" / "mlearn" / "Si_train.extxyz")[::20]
    design = PodDesign(basis, train)
    for frame, row, energy in zip(
        train, equations["energy_rows"][::20], equations["energies_per_atom"][::20], strict=True
    ):
        found = design.rows(frame)["energy"][0]
        assert_close(np.abs(found[:1]), row[:1], 1e-12)  # the constant is fitted in either direction
        assert_close(found[1:-1], row[1:], 1e-10)
        assert found[-1] == pytest.approx(energy, rel=1e-12)


def test_models_of_two_sizes(frames) -> None:
    small = PodBasis(MODEL.elements, 1.0, 4.3, 3, 6, (2, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0))
    fit = fit_pod(small, frames, loss=LOSS)
    assert isinstance(fit.model, PodModel)
    assert "PodFit(Cu Ni, 4 descriptors, rin 1 A, rcut 4.3 A; 10 train frames" in repr(fit)
