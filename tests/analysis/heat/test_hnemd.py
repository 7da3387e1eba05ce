"""HNEMD: the force against its formula and against the work that it does, and the conductivity of a fluid."""

from copy import deepcopy

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.constraints import FixCom
from ase.io.trajectory import Trajectory
from ase.md.langevin import Langevin
from ase.md.nose_hoover_chain import IsotropicMTKNPT, NoseHooverChainNVT
from ase.md.velocitydistribution import Stationary
from ase.md.verlet import VelocityVerlet
from ase.neighborlist import neighbor_list
from ase_mlips.analysis.heat.hnemd import HNEMD, DrivenCalculator, HNEMDResult, driving_forces
from support import nep_cells, nep_oracle, snap_models, snap_oracle
from support.lennard_jones import equilibrate, fluid
from support.morse import MorseCalculator
from support.nep_models import synthetic_nep_models

from ase_mlips.heat_flux import HeatFlux, heat_flux
from ase_mlips.nep import NEP
from ase_mlips.potential import Evaluation
from ase_mlips.snap import SNAP

REDUCED = 157376.92 * units.kB  # W/(m K) of a reduced conductivity where epsilon = 1 eV, sigma = 1 A, m = 1 amu
FORCE = np.array([0.03, -0.02, 0.05])


def moving(atoms, seed=0, speed=0.1):
    """The atoms with random velocities, at rest as a whole."""
    atoms.set_velocities(np.random.default_rng(seed).normal(0.0, speed, (len(atoms), 3)))
    Stationary(atoms, preserve_temperature=False)
    return atoms


def alloy():
    """32 atoms of copper and gold with a smooth potential whose virials are not symmetric."""
    atoms = bulk("Cu", cubic=True, a=3.9) * (2, 2, 2)
    atoms.symbols[::3] = "Au"
    atoms.rattle(0.1, seed=1)
    atoms.calc = MorseCalculator()
    return moving(atoms)


def by_the_formula(atoms, energies, virials, force):
    """Atom by atom; the velocities are those of a system at rest."""
    masses, velocities = atoms.get_masses(), atoms.get_velocities()
    out = np.zeros((len(atoms), 3))
    for i in range(len(atoms)):
        total = energies[i] + 0.5 * masses[i] * sum(velocities[i, a] ** 2 for a in range(3))
        for b in range(3):
            out[i, b] = total * force[b] + sum(force[a] * virials[i, a, b] for a in range(3))
    acceleration = out.sum(axis=0) / masses.sum()
    return out - masses[:, None] * acceleration


def crystal(model, cell, calculator):
    species, positions, vectors, pbc = cell
    symbols = [model.elements[s] for s in species]
    return moving(Atoms(symbols, positions, cell=vectors, pbc=pbc, calculator=calculator))


def snap():
    model = snap_models.synthetic_models()["two"]
    cell = snap_models.rattled_cell(model)
    return crystal(model, cell, SNAP(model)), snap_oracle.evaluate(model, *cell, lammps_slots=True)


def nep():
    model = synthetic_nep_models()["nep4"]
    cell = nep_cells.rattled_cell(model)
    return crystal(model, cell, NEP(model)), nep_oracle.evaluate(model, *cell)


def lennard_jones():
    atoms = moving(fluid(0.8, 1.0, repeat=2, elements=("Ar", "Kr")))
    atoms.rattle(0.05, seed=0)
    i, j, d, D = neighbor_list("ijdD", atoms, 2.5)
    energies, virials = np.zeros(len(atoms)), np.zeros((len(atoms), 3, 3))
    shift = 4.0 * (2.5**-12 - 2.5**-6)
    for k in range(len(i)):
        energies[i[k]] += 0.5 * (4.0 * (d[k] ** -12 - d[k] ** -6) - shift)
        slope = 0.5 * 4.0 * (6.0 * d[k] ** -7 - 12.0 * d[k] ** -13)  # of U_i with the distance
        virials[j[k]] -= slope * np.outer(D[k], D[k]) / d[k]
    return atoms, Evaluation(energies, np.empty((0, 3)), virials)


@pytest.mark.parametrize("case", [snap, nep, lennard_jones])
def test_the_force_is_that_of_the_formula_and_adds_up_to_zero(case):
    atoms, expected = case()
    undriven, energy = atoms.get_forces(), atoms.get_potential_energy()
    inner = atoms.calc
    atoms.calc = DrivenCalculator(inner, FORCE)
    extra = atoms.get_forces() - undriven
    formula = by_the_formula(atoms, expected.energies, expected.virials, FORCE)
    largest = np.abs(formula).max()
    np.testing.assert_allclose(extra, formula, rtol=0.0, atol=1e-10 * largest)
    assert np.abs(extra.sum(axis=0)).max() < 1e-12 * largest
    assert atoms.get_potential_energy() == energy
    np.testing.assert_array_equal(atoms.get_stress(), inner.get_stress(atoms))
    atoms.calc = DrivenCalculator(inner, -2.5 * FORCE)  # linear
    np.testing.assert_allclose(atoms.get_forces() - undriven, -2.5 * extra, rtol=0.0, atol=1e-10 * largest)


def test_the_power_is_that_of_the_heat_flux_seen_from_the_centre_of_mass():
    atoms = alloy()
    expected = heat_flux(
        atoms.get_potential_energies(),
        atoms.calc.get_virials(atoms),
        velocities=atoms.get_velocities(),
        masses=atoms.get_masses(),
    ).total
    atoms.set_velocities(atoms.get_velocities() + np.array([0.3, -0.2, 0.1]))
    extra = driving_forces(
        atoms.get_potential_energies(),
        atoms.calc.get_virials(atoms),
        velocities=atoms.get_velocities(),
        masses=atoms.get_masses(),
        driving_force=FORCE,
    )
    assert (extra * atoms.get_velocities()).sum() == pytest.approx(expected @ FORCE, rel=1e-11)


@pytest.mark.parametrize("thermostat", [False, True])
def test_the_work_is_the_integral_of_the_power_to_second_order_of_the_time_step(thermostat):
    def missing_energy(steps):
        atoms, step = alloy(), 4.0 / steps
        inner, flux, energies = atoms.calc, [], []
        if thermostat:
            dynamics = NoseHooverChainNVT(atoms, step, temperature_K=2000.0, tdamp=5.0)
            energy = dynamics.get_conserved_energy
        else:
            dynamics = VelocityVerlet(atoms, step)
            energy = atoms.get_total_energy
        HNEMD(dynamics, 4.0 * FORCE)
        dynamics.attach(lambda: flux.append(inner.get_heat_flux(atoms) @ (4.0 * FORCE)))
        dynamics.attach(lambda: energies.append(energy()))
        dynamics.run(steps)
        work = step * (sum(flux) - 0.5 * (flux[0] + flux[-1]))
        return energies[-1] - energies[0] - work, work

    (coarse, work), (fine, _), (finest, _) = (missing_energy(steps) for steps in (40, 80, 160))
    assert abs(finest) < 1e-3 * abs(work)
    assert coarse / fine == pytest.approx(4.0, abs=0.4)
    assert fine / finest == pytest.approx(4.0, abs=0.2)


class ConstantFlux:
    """A calculator of no forces and a known flux."""

    def get_property(self, name, atoms=None, allow_calculation=True):
        return {"energy": 0.0, "energies": np.zeros(len(atoms)), "forces": np.zeros((len(atoms), 3))}[name]

    def get_virials(self, atoms):
        return np.zeros((len(atoms), 3, 3))

    def get_heat_flux_parts(self, atoms, velocities=None):
        return HeatFlux(np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.5, 0.5]))


def test_a_known_flux_gives_the_known_conductivity(tmp_path):
    atoms = moving(bulk("Ar", cubic=True, a=5.0) * 2, speed=1e-3)
    atoms.calc = ConstantFlux()
    dynamics = VelocityVerlet(atoms, 2.0 * units.fs)
    hnemd = HNEMD(dynamics, (0.0, 1e-9, 1e-9), equilibration=30, sampling=5)
    dynamics.run(130)
    with pytest.warns(UserWarning, match=r"driving force of 1\.41e-09 / A is too weak for 0\.2 ps"):
        result = hnemd.result()
    temperature = atoms.get_kinetic_energy() / (1.5 * units.kB * (len(atoms) - 1))
    expected = 157376.92 * (2.5 + 3.5) / 2.0 / (temperature * 1000.0 * 1e-9)
    assert result.kappa == pytest.approx(expected, rel=1e-6)
    fluctuations = np.sqrt(2.0 * units.kB * expected * 1602176.6208 / (1000.0 * 200.0))
    assert result.kappa_error == result.expected_error == pytest.approx(fluctuations / np.sqrt(2e-18), rel=1e-6)
    assert result.temperature == pytest.approx(temperature, rel=1e-6)
    assert (len(result.flux), result.timestep_fs, result.volume) == pytest.approx((20, 10.0, 1000.0))
    result.save(tmp_path / "flux.npz")
    again = HNEMDResult.load(tmp_path / "flux.npz")
    np.testing.assert_array_equal(again.flux, result.flux)
    assert again.kappa_error == result.kappa_error


def made_up(values):
    """A result whose conductivities at the single times are these."""
    flux = np.zeros((len(values), 3))
    flux[:, 0] = np.asarray(values) * 0.01 * 2.0 * 300.0 * 100.0 / 1602176.6208
    return HNEMDResult(np.array([0.01, 0.0, 0.0]), 5.0, 2.0 * flux, np.full(len(values), 300.0), 400.0, 2.0, 0.5)


def test_the_running_average():
    result = made_up([1.0, 3.0, 5.0, -1.0])
    np.testing.assert_allclose(result.running, [1.0, 2.0, 3.0, 2.0], rtol=1e-9)
    x, y = result.plot().get_lines()[0].get_data()
    np.testing.assert_allclose(x, [0.005, 0.010, 0.015, 0.020])
    np.testing.assert_array_equal(y, result.running)


def test_lennard_jones_fluid():
    atoms = fluid(0.6, 1.35, repeat=4)
    equilibrate(atoms, 1.35 / units.kB, timestep=0.004, steps=800)
    dynamics = NoseHooverChainNVT(atoms, 0.004, temperature_K=1.35 / units.kB, tdamp=0.4)
    hnemd = HNEMD(dynamics, (0.0, 0.0, 0.1), equilibration=500)
    dynamics.run(6000)
    result = hnemd.result()
    predicted = np.sqrt(2.0 * 3.4 / (result.volume * 5500 * 0.004)) / 0.1
    assert abs(result.kappa / REDUCED - 3.4) < 3.0 * predicted < 1.0
    assert result.expected_error / REDUCED == pytest.approx(predicted, rel=0.1)
    assert result.expected_error <= result.kappa_error < 1.8 * result.expected_error
    assert result.running[-1] == pytest.approx(result.kappa)
    assert np.abs(atoms.get_momenta().sum(axis=0)).max() < 1e-10


def test_interrupted_and_ended():
    atoms = alloy()
    inner = atoms.calc
    dynamics = NoseHooverChainNVT(atoms, 0.05, temperature_K=300.0, tdamp=5.0)
    hnemd = HNEMD(dynamics, FORCE, sampling=2)
    with pytest.raises(ValueError, match="equilibration lasts until step 0"):
        hnemd.result()

    def interrupt():
        if dynamics.nsteps == 9:
            raise KeyboardInterrupt

    dynamics.attach(interrupt)
    with pytest.raises(KeyboardInterrupt):
        dynamics.run(100)
    with pytest.warns(UserWarning, match="not larger than its error"):
        result = hnemd.result()
    assert len(result.flux) == 4
    assert result.kappa_error == result.expected_error  # too few for blocks
    assert isinstance(atoms.calc, DrivenCalculator)
    atoms.calc = hnemd.calculator
    assert atoms.calc is inner
    energy = dynamics.get_conserved_energy()
    dynamics.run(40)
    assert dynamics.get_conserved_energy() == pytest.approx(energy, abs=1e-3)
    with pytest.warns(UserWarning, match="not larger than its error"):
        assert len(hnemd.result().flux) == 4


def test_a_driven_calculator_is_copied_and_written(tmp_path):
    atoms = alloy()
    atoms.calc = DrivenCalculator(atoms.calc, FORCE)
    driven = atoms.get_forces()
    with Trajectory(tmp_path / "run.traj", "w") as trajectory:
        trajectory.write(atoms)
    with Trajectory(tmp_path / "run.traj") as trajectory:
        np.testing.assert_array_equal(trajectory[0].get_forces(), driven)
    np.testing.assert_array_equal(deepcopy(atoms.calc).get_forces(atoms), driven)
    with pytest.raises(ValueError, match="ask for forces with the atoms"):
        atoms.calc.get_property("forces")


def test_calculators_and_forces_that_cannot_be_used():
    atoms = alloy()
    dynamics = NoseHooverChainNVT(atoms, 0.05, temperature_K=300.0, tdamp=5.0)
    for force, message in [((0.1, 0.2), "three finite numbers"), ((0, 0, np.nan), "three finite"), ((0, 0, 0), "zero")]:
        with pytest.raises(ValueError, match=message):
            HNEMD(dynamics, force)
    for name in ("sampling", "equilibration"):
        with pytest.raises(ValueError, match=f"{name}= as a number of steps"):
            HNEMD(dynamics, FORCE, **{name: -1})
    assert isinstance(atoms.calc, MorseCalculator)  # none of these has touched the atoms
    HNEMD(dynamics, FORCE)
    with pytest.raises(ValueError, match="driven already"):
        HNEMD(dynamics, FORCE)
    atoms.calc = EMT()
    with pytest.raises(ValueError, match="virials of nine components per atom, as MTP, NEP and SNAP are, got EMT"):
        HNEMD(dynamics, FORCE)


def test_atoms_and_dynamics_that_cannot_be_used():
    atoms = alloy()
    with pytest.raises(ValueError, match="needs ASE's NoseHooverChainNVT, got Langevin"):
        HNEMD(Langevin(atoms, 1.0, temperature_K=300, friction=0.1, fixcm=False), FORCE)
    barostat = IsotropicMTKNPT(atoms, 1.0, temperature_K=300, pressure_au=0.0, tdamp=10.0, pdamp=100.0)
    with pytest.raises(ValueError, match="got IsotropicMTKNPT"):
        HNEMD(barostat, FORCE)
    atoms.pbc = (True, False, True)
    with pytest.raises(ValueError, match="periodic in all three directions"):
        HNEMD(VelocityVerlet(atoms, 0.05), FORCE)
    atoms.pbc = True
    atoms.set_constraint(FixCom())
    with pytest.raises(ValueError, match="remove the constraints"):
        HNEMD(VelocityVerlet(atoms, 0.05), FORCE)
    atoms.set_constraint()
    dynamics = VelocityVerlet(atoms, 0.05)
    HNEMD(dynamics, FORCE)
    dynamics.run(5)
    atoms.set_cell(atoms.cell.array * 1.001, scale_atoms=True)
    with pytest.raises(ValueError, match="HNEMD needs a run at constant volume"):
        dynamics.run(5)
    atoms = alloy()
    dynamics = VelocityVerlet(atoms, 0.05)
    HNEMD(dynamics, FORCE)
    dynamics.dt = 0.1
    with pytest.raises(ValueError, match="the time step has changed"):
        dynamics.run(1)
    atoms = alloy()
    atoms.set_momenta(atoms.get_momenta() + 0.1)
    dynamics = VelocityVerlet(atoms, 0.05)
    HNEMD(dynamics, FORCE)
    with pytest.raises(ValueError, match="HNEMD needs a centre of mass at rest"):
        dynamics.run(1)


class RecordedFlux(ConstantFlux):
    """A calculator of no forces, whose flux is given for one call after the other."""

    def __init__(self, flux):
        self.flux = iter(flux)

    def get_heat_flux_parts(self, atoms, velocities=None):
        return HeatFlux(next(self.flux), np.zeros(3))


def driven(flux, currents=None):
    """HNEMD of two species with this flux, whose atoms of one species move together as given."""
    atoms = bulk("NaCl", "rocksalt", a=5.0, cubic=True)
    atoms.set_velocities(np.zeros((8, 3)))
    atoms.calc = RecordedFlux(flux)
    dynamics = VelocityVerlet(atoms, 2.0 * units.fs)
    hnemd = HNEMD(dynamics, (1e-4, 0.0, 0.0), sampling=1)
    sodium = atoms.numbers == 11

    def move():
        velocities = np.zeros((8, 3))
        velocities[sodium] = currents[dynamics.nsteps]
        velocities[~sodium] = -velocities[sodium] * atoms.get_masses()[sodium][0] / atoms.get_masses()[~sodium][0]
        atoms.set_velocities(velocities)

    dynamics.observers.insert(0, (move, 1, (), {}))
    dynamics.run(len(flux) - 1)
    return hnemd


@pytest.mark.parametrize("diffuses", [True, False])
def test_species_that_diffuse_are_said(diffuses):
    rng = np.random.default_rng(0)
    flux, moves = np.full((1001, 3), 1.0) + 0.1 * rng.normal(size=(1001, 3)), 1e-3 * rng.normal(size=(1002, 3))
    hnemd = driven(flux, moves if diffuses else np.diff(moves, axis=0))
    if diffuses:
        with pytest.warns(
            UserWarning, match="Na and Cl diffuse here: the conductivity of HNEMD then depends on the arb"
        ):
            assert hnemd.result().diffusing == ("Na", "Cl")
    else:
        assert hnemd.result().diffusing == ()


def test_results_are_written_with_unit_and_digits_of_the_error():
    assert repr(made_up([1.0, 3.0])) == "HNEMDResult(2.0(5) W/(m K), driving force 0.01 1/Å, 0.01 ps)"
    assert made_up([1.0, 3.0]).plot().get_lines()[1].get_label() == r"$\kappa$ = 2.0(5) W/(m K)"
