"""Coefficients that no frame determines are zero, not what rounding errors make of them."""

import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from support.labelled import random_model

from ase_mlips import SNAP
from ase_mlips.fit import fit_snap, read_frames, snap_template
from ase_mlips.fit.linear import Reduction, solve

CUTOFF = 4.0


def lone_nitrogen(count, *, apart=None):
    """Rattled gallium with one atom of nitrogen in a cell that is larger than the cutoff, labelled by a random model.

    In the last frame a second one is `apart` A from the first.
    """
    calc = SNAP(random_model(("Ga", "N"), twojmax=4, chemflag=True))
    frames = []
    for seed in range(count):
        atoms = bulk("Ga", "bcc", a=3.1, cubic=True) * (2, 2, 2)
        atoms.rattle(0.15, seed=seed)
        atoms.symbols[0] = "N"
        if apart is not None and seed == count - 1:
            atoms += Atoms("N", [atoms.positions[0] + [apart, 0.0, 0.0]])
            atoms.set_cell(atoms.cell.array + np.diag([6.2, 0.0, 0.0]))
        labelled = atoms.copy()
        atoms.calc = calc
        labelled.info |= {"energy": atoms.get_potential_energy(), "stress": atoms.get_stress(voigt=False)}
        labelled.arrays["forces"] = atoms.get_forces()
        frames.append(labelled)
    return read_frames(frames)


def template():
    return snap_template(["Ga", "N"], radii=[0.5, 0.4], weights=[1.0, 0.8], twojmax=4, rcutfac=CUTOFF, chemflag=True)


def binding(model, distance):
    """Energy of two atoms of nitrogen less that of two alone."""
    energies = []
    for positions in ([[0, 0, 0], [0, 0, distance]], [[0, 0, 0], [0, 0, 50.0]]):
        atoms = Atoms("N2", positions=positions)
        atoms.calc = SNAP(model)
        energies.append(atoms.get_potential_energy())
    return energies[0] - energies[1]


@pytest.fixture(scope="module")
def fit():
    with pytest.warns(UserWarning, match="no training frame determines") as caught:
        fit = fit_snap(template(), lone_nitrogen(40))
    return fit, [str(warning.message) for warning in caught]


def test_atoms_that_never_meet_do_not_feel_each_other(fit):
    assert np.abs(fit[0].model.coefficients[:, 1:]).max() < 10.0
    assert all(abs(binding(fit[0].model, distance)) < 1e-9 for distance in np.arange(1.5, 4.0, 0.25))


def test_the_warning_names_element_and_numbers(fit):
    (message,) = (text for text in fit[1] if "determines" in text)
    assert message.startswith("no training frame determines these coefficients, which are zero: ")
    assert "N " in message
    assert "\n" not in message
    numbers = fit[0].equations.design.coefficient_numbers(fit[0].solution.dropped)
    coefficients = dict(zip(fit[0].model.elements, fit[0].model.coefficients, strict=True))
    for element, own in numbers.items():
        assert np.array_equal(np.flatnonzero(coefficients[element] == 0.0), own)


def test_a_descriptor_that_one_frame_hardly_touches_is_left_out():
    """Two atoms that come within 0.0005 A of the cutoff say nothing on what they do at 3 A."""
    frames = lone_nitrogen(40, apart=0.8 * CUTOFF - 5e-4)
    frames[-1].forces[:] += 0.02 * np.random.default_rng(0).normal(size=frames[-1].forces.shape)
    with pytest.warns(UserWarning, match="no training frame determines these coefficients"):
        fit = fit_snap(template(), frames)
    assert max(abs(binding(fit.model, distance)) for distance in np.arange(1.5, 3.2, 0.25)) < 100.0


def test_complete_frames_bring_no_warning():
    model = random_model(("Ga",), twojmax=4)
    calc, frames = SNAP(model), []
    for seed in range(6):
        atoms = bulk("Ga", "bcc", a=3.1, cubic=True)
        atoms.rattle(0.15, seed=seed)
        atoms.calc = calc
        atoms.get_forces()
        frames.append(atoms)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = fit_snap(model, read_frames(frames))
    assert not fit.solution.dropped.any()


@pytest.mark.parametrize("solver", ["cholesky", "qr", "svd"])
def test_columns_of_rounding_errors_are_dropped(solver):
    generator = np.random.default_rng(0)
    A, b = generator.normal(size=(50, 4)), generator.normal(size=50)
    A[:, 2] *= 1e-13
    reduction = Reduction(5, triangular=solver != "cholesky")
    reduction.add(np.column_stack([A, b]))
    solution = solve({0: reduction}, {0: 1.0}, solver=solver)
    assert solution.dropped.tolist() == [False, False, True, False]
    assert solution.coefficients[2] == 0.0
    np.testing.assert_allclose(np.delete(solution.coefficients, 2), np.linalg.lstsq(np.delete(A, 2, 1), b)[0])
    again = solve({0: reduction}, {0: 1.0}, solver=solver, excluded=np.array([True, False, False, False]))
    assert again.dropped.tolist() == [True, False, True, False]


@pytest.mark.parametrize("distance", [3.0, 3.5, 4.0, 4.5, 4.9, 4.99])
def test_phosphorus_of_the_embedded_model_has_moderate_energies(distance):
    """No frame of its fit held two phosphorus atoms within the cutoff, 5 A."""
    pair, alone = Atoms("P2", positions=[[0, 0, 0], [0, 0, distance]]), Atoms("P")
    pair.calc = alone.calc = SNAP.embedded("Cu7PS6")
    assert abs(pair.get_potential_energy() - 2.0 * alone.get_potential_energy()) < 5.0


@pytest.mark.parametrize("name", ["Cu7PS6", "Mo", "Si"])
def test_embedded_coefficients_are_moderate(name):
    assert np.abs(SNAP.embedded(name).model.coefficients).max() < 100.0
