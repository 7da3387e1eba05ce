"""Committees: several networks at once, their mean and their deviations."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from support.labelled import labelled_cells, random_cell, random_model

from ase_mlips import SNAP
from ase_mlips.fit import Committee, Training, compare, fit_committee, fit_network, read_frames
from ase_mlips.fit import training as training_module
from ase_mlips.fit.committee import deviation_table, deviations
from ase_mlips.runs import on_executor

# a few epochs suffice to see how it works, not to learn
pytestmark = pytest.mark.filterwarnings("ignore:the best model has a loss:UserWarning")

SMALL = Training(hidden=(4,), epochs=3, batch_size=4, seed=5)


@pytest.fixture(scope="module")
def case():
    model = random_model()
    return model, read_frames(labelled_cells(model, 10))


@pytest.fixture(scope="module")
def fits(case):
    return fit_committee(*case, members=3, training=SMALL)


def test_members_are_networks_of_consecutive_seeds(case, fits):
    assert [fit.training.seed for fit in fits] == [5, 6, 7]
    assert fits[0].model == fit_network(*case, training=SMALL).model
    assert fits[0].sets == fits[2].sets
    parameters = [fit.model.network.parameters for fit in fits]
    assert not np.array_equal(parameters[0], parameters[1])


def test_mean_and_deviations(case, fits):
    members = [SNAP(fit.model) for fit in fits]
    committee = Committee(members)
    atoms = random_cell(("Ga", "N"), 1)
    atoms.calc = committee
    energies = [member.get_potential_energy(atoms) for member in members]
    forces = [member.get_forces(atoms) for member in members]
    stresses = [member.get_stress(atoms) for member in members]
    assert atoms.get_potential_energy() == pytest.approx(np.mean(energies), rel=1e-12)
    np.testing.assert_allclose(atoms.get_forces(), np.mean(forces, axis=0), atol=1e-12)
    np.testing.assert_allclose(atoms.get_stress(), np.mean(stresses, axis=0), atol=1e-12)
    assert committee.get_energy_deviation(atoms) == pytest.approx(np.std(energies, ddof=1), rel=1e-9)
    np.testing.assert_allclose(committee.get_force_deviations(atoms), np.std(forces, axis=0, ddof=1), rtol=1e-9)
    assert set(committee.results) == {"energy", "free_energy", "forces", "stress"}


def test_deviations_follow_the_atoms(fits):
    committee = Committee([SNAP(fit.model) for fit in fits])
    first, second = random_cell(("Ga", "N"), 1), Atoms("GaN", [[0.0, 0.0, 0.0], [0.0, 0.0, 1.9]])
    one, two = committee.get_force_deviations(first), committee.get_force_deviations(second)
    np.testing.assert_array_equal(committee.get_force_deviations(first), one)
    one[:] = 0.0
    assert committee.get_force_deviations(first).any()
    assert two.any()
    assert "stress" not in Committee([SNAP(fit.model) for fit in fits]).results


def test_equal_members_do_not_deviate(fits):
    committee = Committee([SNAP(fits[0].model), SNAP(fits[0].model)])
    atoms = random_cell(("Ga", "N"), 1)
    assert committee.get_energy_deviation(atoms) == 0.0
    assert not committee.get_force_deviations(atoms).any()


def test_members_may_be_trained_elsewhere(case, fits):
    with ThreadPoolExecutor(2) as executor, on_executor(executor):
        elsewhere = fit_committee(*case, members=3, training=SMALL)
    assert [fit.model for fit in elsewhere] == [fit.model for fit in fits]


def test_each_member_has_a_checkpoint_of_its_own(case, fits, tmp_path):
    settings = replace(SMALL, checkpoint=tmp_path / "state.npz")
    first = fit_committee(*case, members=3, training=settings)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"state.{n}.npz" for n in range(3)]
    (tmp_path / "state.1.npz").unlink()
    again = fit_committee(*case, members=3, training=settings)
    assert [fit.model for fit in again] == [fit.model for fit in first] == [fit.model for fit in fits]


@pytest.mark.parametrize(("epochs", "members"), [(2, 1), (3, 1), (4, 2)])
def test_ctrl_c_keeps_the_members_so_far(case, fits, monkeypatch, epochs, members):
    original, seen = training_module._judge, []

    def judge(*arguments):
        seen.append(None)
        if len(seen) > epochs:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(training_module, "_judge", judge)
    found = fit_committee(*case, members=3, training=SMALL)
    assert len(found) == members
    assert found[-1].interrupted == (epochs % 3 != 0)
    if epochs >= 3:
        assert found[0].model == fits[0].model


def test_deviations_of_reports_are_those_of_the_committee(case, fits):
    frames = case[1]
    reports = [compare(fit.family.ready(fit.model), {"all": frames}) for fit in fits]
    rows = deviations(reports)
    committee = Committee([SNAP(fit.model) for fit in fits])
    force = next(row for row in rows if row.quantity == "force")
    spread = np.array([committee.get_force_deviations(frame.atoms) for frame in frames])
    assert force.deviation == pytest.approx(np.sqrt(np.mean(spread**2)), rel=1e-9)
    assert force.worst == frames[int(np.argmax(spread.max(axis=(1, 2))))].source
    missed = [committee.get_potential_energy(f.atoms) / len(f.atoms) - f.energy / len(f.atoms) for f in frames]
    energy = next(row for row in rows if row.quantity == "energy")
    assert energy.rmse == pytest.approx(np.sqrt(np.mean(np.square(missed))), rel=1e-9)
    assert energy.members_rmse == tuple(report.parity("all", "energy").score().rmse for report in reports)
    assert "eV/atom" in deviation_table(rows)
    with pytest.raises(ValueError, match="reports: expected two or more, got 1"):
        deviations(reports[:1])
    with pytest.raises(ValueError, match="the same all frames"):
        deviations([reports[0], compare(fits[1].family.ready(fits[1].model), {"all": frames[1:]})])


def test_one_member_is_no_committee(case, fits):
    with pytest.raises(ValueError, match="members: expected two or more, got 1"):
        fit_committee(*case, members=1)
    with pytest.raises(ValueError, match="members: expected two or more, got 1"):
        Committee([SNAP(fits[0].model)])


def test_numbers_are_no_calculators():
    with pytest.raises(ValueError, match="members: expected ASE calculators, got 1"):
        Committee([1, 2])
