"""The heat flux of every family: its definition, its parts, and what a shift of the atomic energies does to it."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.emt import EMT
from ase.md.verlet import VelocityVerlet
from support.ace_models import synthetic_ace_models
from support.lennard_jones import LennardJones
from support.morse import MorseCalculator
from support.mtp_models import synthetic_mtp_model
from support.nep_models import synthetic_nep_models
from support.pod_models import synthetic_pod_model
from support.snap_models import network_models, synthetic_models

from ase_mlips import ACE, MTP, NEP, POD, SNAP
from ase_mlips.calculator import PotentialCalculator
from ase_mlips.heat_flux import HeatFlux
from ase_mlips.shifted import ShiftedPotential, shifted
from ase_mlips.snap.model import SnapModel
from ase_mlips.snap.tables import equal_descriptors


def levelled(model: SnapModel) -> SnapModel:
    """The model with the same energies whose coefficients of equal descriptors, and of products of them, are equal."""
    K, groups = model.n_descriptors, equal_descriptors(model)
    mean = np.zeros((K, K))
    for group in groups:
        mean[np.ix_(group, group)] = 1.0 / len(group)
    rows, columns = np.triu_indices(K)
    parts = [model.coefficients[:, :1], model.coefficients[:, 1 : 1 + K] @ mean]
    if model.quadraticflag:
        matrix = np.zeros((len(model.elements), K, K))
        matrix[:, rows, columns] = model.coefficients[:, 1 + K :]
        matrix = np.triu(matrix, 1) + np.transpose(matrix, (0, 2, 1))  # of the second derivatives
        parts.append((mean @ matrix @ mean)[:, rows, columns])
    return replace(model, coefficients=np.concatenate(parts, axis=1))


CALCULATORS = {
    "SNAP": lambda: SNAP(synthetic_models()["three"]),
    "quadratic SNAP": lambda: SNAP(synthetic_models()["quadratic_two"]),
    "SNAP with chem": lambda: SNAP(levelled(synthetic_models()["chem_three"])),
    "quadratic SNAP with chem": lambda: SNAP(levelled(synthetic_models()["chem_quadratic"])),
    "SNAP network with chem": lambda: SNAP(network_models()["network_chem"]),
    "ACE": lambda: ACE(synthetic_ace_models()["three"]),
    "ACE with ZBL": lambda: ACE(synthetic_ace_models()["zbl"]),
    "NEP": lambda: NEP(synthetic_nep_models()["nep4"]),
    "POD": lambda: POD(synthetic_pod_model("elements")),
    "POD with clusters": lambda: POD(synthetic_pod_model("two_clusters")),
    "MTP": lambda: MTP(synthetic_mtp_model("l16_three")),
    "Lennard-Jones": lambda: PotentialCalculator(LennardJones(("Ar", "Kr"), epsilon=0.2, sigma=2.3)),
    "Morse": MorseCalculator,
}


def grid(calculator: PotentialCalculator, *, periodic: bool) -> Atoms:
    """27 atoms or, in a periodic cell 2.6 A thick, 6 atoms on a cubic grid, rattled and with velocities."""
    repeats = np.array([1, 2, 3] if periodic else [3, 3, 3])
    elements = calculator.potential.elements
    positions = 2.6 * np.array(list(np.ndindex(*repeats)), float)
    symbols = [elements[k % len(elements)] for k in range(len(positions))]
    atoms = Atoms(symbols, positions, cell=2.6 * np.diag(repeats) if periodic else None, pbc=periodic)
    rng = np.random.default_rng(1)
    atoms.positions += rng.normal(scale=0.1, size=positions.shape)
    speed = np.sqrt(units.kB * 600.0 / atoms.get_masses())
    atoms.set_velocities(speed[:, None] * rng.normal(size=positions.shape))
    atoms.calc = calculator
    return atoms


def energy_moment(atoms: Atoms) -> np.ndarray:
    """sum_i r_i (m_i v_i^2 / 2 + U_i)."""
    kinetic = 0.5 * atoms.get_masses() * (atoms.get_velocities() ** 2).sum(axis=1)
    return (kinetic + atoms.get_potential_energies()) @ atoms.positions


def moment_after(atoms: Atoms, step: float) -> np.ndarray:
    """The moment one step of the velocity Verlet algorithm later, or before for a negative step."""
    moved = atoms.copy()
    moved.calc = atoms.calc
    VelocityVerlet(moved, step).run(1)
    return energy_moment(moved)


@pytest.mark.parametrize("name", CALCULATORS)
def test_it_is_the_time_derivative_of_the_energy_moment(name):
    """Along a trajectory of a cluster; differences of the fourth order, as those of Verlet's steps are even in time."""
    atoms = grid(CALCULATORS[name](), periodic=False)
    dynamics = VelocityVerlet(atoms, 0.5 * units.fs)
    step = 0.04 * units.fs
    for _ in range(4):
        dynamics.run(5)
        coarse = (moment_after(atoms, step) - moment_after(atoms, -step)) / (2.0 * step)
        fine = (moment_after(atoms, 0.5 * step) - moment_after(atoms, -0.5 * step)) / step
        flux = atoms.calc.get_heat_flux(atoms)
        np.testing.assert_allclose(flux, (4.0 * fine - coarse) / 3.0, rtol=0, atol=1e-6 * np.abs(flux).max())


@pytest.mark.parametrize("name", ["chem", "chem_three", "chem_quadratic", "chem_quadratic_three"])
def test_unequal_coefficients_of_equal_descriptors_leave_it_inexact(name):
    """The energies are the same, but the forces that LAMMPS gives are not their gradient."""
    model = synthetic_models()[name]
    K = model.n_descriptors
    half = replace(model, coefficients=np.c_[levelled(model).coefficients[:, : 1 + K], model.coefficients[:, 1 + K :]])
    for unequal in (model, half) if model.quadraticflag else (model,):
        with pytest.warns(UserWarning, match="coefficients of equal descriptors differ: as in LAMMPS, forces are not"):
            calc = SNAP(unequal, num_threads=1)
        atoms, level = grid(calc, periodic=False), SNAP(levelled(model), num_threads=1)
        if unequal is model:
            np.testing.assert_allclose(calc.get_potential_energies(atoms), level.get_potential_energies(atoms))
        with pytest.warns(UserWarning, match="heat flux of this SNAP model is not exact: coefficients of equal"):
            flux = calc.get_heat_flux(atoms)
        assert np.abs(flux - level.get_heat_flux(atoms)).max() > 0.01 * np.abs(flux).max()
        calc.get_heat_flux(atoms)  # says it once
        with pytest.warns(UserWarning, match="heat flux of this SNAP model is not exact"):
            shifted(calc, {model.elements[0]: 1.0}).get_heat_flux(atoms)


@pytest.mark.parametrize("name", CALCULATORS)
def test_virials_of_a_cluster_add_up_to_that_of_the_forces(name):
    atoms = grid(CALCULATORS[name](), periodic=False)
    total = atoms.calc.get_virials(atoms).sum(axis=0)
    np.testing.assert_allclose(total, atoms.positions.T @ atoms.get_forces(), rtol=0, atol=1e-10 * np.abs(total).max())


@pytest.mark.parametrize("name", CALCULATORS)
def test_a_cell_smaller_than_the_cutoff_is_as_good_as_its_supercell(name):
    """The flux of eight copies that move alike is eight times that of one."""
    atoms = grid(CALCULATORS[name](), periodic=True)
    assert atoms.cell.lengths().min() < atoms.calc.potential.cutoff
    supercell = atoms.repeat(2)
    supercell.calc = atoms.calc
    supercell.set_velocities(np.tile(atoms.get_velocities(), (8, 1)))
    one = atoms.calc.get_heat_flux_parts(atoms)
    eight = atoms.calc.get_heat_flux_parts(supercell)
    for part, whole in zip(one, eight, strict=True):
        np.testing.assert_allclose(whole, 8.0 * part, rtol=0, atol=1e-10 * np.abs(whole).max())


def test_parts():
    atoms = grid(CALCULATORS["NEP"](), periodic=True)
    calc, v, m = atoms.calc, atoms.get_velocities(), atoms.get_masses()
    parts = calc.get_heat_flux_parts(atoms)
    assert isinstance(parts, HeatFlux)
    kinetic = 0.5 * m * (v**2).sum(axis=1)
    np.testing.assert_allclose(parts.convective, ((kinetic + atoms.get_potential_energies())[:, None] * v).sum(axis=0))
    np.testing.assert_allclose(parts.conductive, sum(W @ u for W, u in zip(calc.get_virials(atoms), v, strict=True)))
    np.testing.assert_array_equal(parts.total, calc.get_heat_flux(atoms))
    each = calc.get_heat_flux_parts(atoms, per_atom=True)
    assert each.convective.shape == each.conductive.shape == each.total.shape == (6, 3)
    np.testing.assert_allclose(each.total.sum(axis=0), parts.total, atol=1e-12)


def test_other_velocities_than_those_of_the_atoms():
    atoms = grid(CALCULATORS["MTP"](), periodic=True)
    other = np.random.default_rng(3).normal(size=(6, 3))
    found = atoms.calc.get_heat_flux_parts(atoms, other)
    atoms.set_velocities(other)
    np.testing.assert_allclose(found.total, atoms.calc.get_heat_flux(atoms), rtol=1e-12)


def test_velocities_of_other_atoms():
    atoms = grid(MorseCalculator(), periodic=True)
    with pytest.raises(ValueError, match=r"expected velocities of shape \(6, 3\), got \(5, 3\)"):
        atoms.calc.get_heat_flux_parts(atoms, np.zeros((5, 3)))


def test_no_atoms_have_no_flux():
    parts = MorseCalculator().get_heat_flux_parts(Atoms())
    np.testing.assert_array_equal(parts.total, np.zeros(3))


@pytest.mark.parametrize("name", CALCULATORS)
def test_a_shift_adds_the_currents_of_the_species(name):
    atoms = grid(CALCULATORS[name](), periodic=True)
    calc = atoms.calc
    shifts = {element: 3.0 + 7.0 * k for k, element in enumerate(calc.potential.elements)}
    moved = shifted(calc, shifts)
    change = sum(shifts[symbol] * v for symbol, v in zip(atoms.symbols, atoms.get_velocities(), strict=True))
    before, after = calc.get_heat_flux_parts(atoms), moved.get_heat_flux_parts(atoms)
    np.testing.assert_allclose(after.convective - before.convective, change, rtol=0, atol=1e-12 * np.abs(change).max())
    np.testing.assert_array_equal(after.conductive, before.conductive)
    np.testing.assert_array_equal(moved.get_forces(atoms), calc.get_forces(atoms))
    total = sum(shifts[symbol] for symbol in atoms.symbols)
    assert moved.get_potential_energy(atoms) == pytest.approx(calc.get_potential_energy(atoms) + total, abs=1e-9)


def test_other_calculators_cannot_be_shifted():
    with pytest.raises(ValueError, match="expected a calculator of ase_mlips, got EMT"):
        shifted(EMT(), {"Au": 1.0})


def test_shifted_calculators_keep_settings_and_can_be_pickled():
    calc = MorseCalculator(skin=0.3, num_threads=1)
    moved = shifted(calc, {"Au": 1.5})
    assert repr(moved) == "ShiftedCalculator(Cu +0 eV, Au +1.5 eV)"
    assert (moved.parameters["skin"], moved.parameters["num_threads"]) == (0.3, 1)
    atoms = grid(calc, periodic=True)
    copy = pickle.loads(pickle.dumps(moved))
    np.testing.assert_array_equal(copy.get_potential_energies(atoms), moved.get_potential_energies(atoms))
    assert calc.get_potential_energy(atoms) == MorseCalculator().get_potential_energy(atoms)


def test_shifts_that_make_no_sense():
    with pytest.raises(ValueError, match=r"Cu, Au.*Ni"):
        ShiftedPotential(MorseCalculator().potential, {"Ni": 1.0})
    with pytest.raises(ValueError, match="finite"):
        ShiftedPotential(MorseCalculator().potential, {"Cu": np.nan})
