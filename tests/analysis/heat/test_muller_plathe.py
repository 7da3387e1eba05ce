"""Mueller-Plathe: exact bookkeeping, exact conductivity of a made-up profile, and a real one of a fluid."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.constraints import FixCom
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import Stationary
from ase.md.verlet import VelocityVerlet
from ase_mlips.analysis.blocking import standard_error
from ase_mlips.analysis.heat.muller_plathe import (
    LengthExtrapolation,
    MullerPlathe,
    MullerPlatheResult,
    extrapolate_length,
)
from ase_mlips.analysis.heat.nonequilibrium import WATTS, jackknife
from support.lennard_jones import equilibrate, fluid

REDUCED = 157376.92 * units.kB  # W/(m K) of a reduced conductivity where epsilon = 1 eV, sigma = 1 A, m = 1 amu


class NoForces(Calculator):
    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=None, system_changes=()):
        self.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3))}


class Prepared(VelocityVerlet):
    """Dynamics that give the atoms the same velocities at every step."""

    def __init__(self, atoms, timestep):
        super().__init__(atoms, timestep)
        self.momenta = atoms.get_momenta()

    def step(self):
        self.atoms.set_momenta(self.momenta)


@pytest.fixture(scope="module")
def mixture():
    atoms = fluid(0.7, 1.5, repeat=(3, 3, 8), elements=("Ar", "Kr"))
    equilibrate(atoms, 1.5 / units.kB, timestep=0.005, steps=200)
    return atoms


def kinetic(atoms):
    return 0.5 * (atoms.get_momenta() ** 2).sum(axis=1) / atoms.get_masses()


def in_slab(atoms, slab, slabs=12, axis=2):
    fraction = atoms.get_scaled_positions(wrap=True)[:, axis]
    return (fraction * slabs).astype(int) == slab


def prepared(axis=2, slabs=12, per_slab=20):
    """Atoms at rest as a whole with 500 K + 3 K/A along the normal in all slabs but those of the exchange."""
    cell = np.array([[9.0, 0.0, 0.0], [2.0, 8.0, 0.0], [-1.0, 3.0, 30.0]])
    cell = np.roll(np.roll(cell, axis + 1, axis=0), axis + 1, axis=1)
    length = 30.0
    rng = np.random.default_rng(0)
    centres = (np.arange(slabs) + 0.5) / slabs
    z = np.minimum(np.arange(slabs), slabs - np.arange(slabs)) * length / slabs
    temperature = 500.0 + 3.0 * z
    fractions = rng.uniform(0.0, 1.0, (slabs * per_slab, 3))
    fractions[:, axis] = np.repeat(centres, per_slab)
    atoms = Atoms(f"Ar{slabs * per_slab}", scaled_positions=fractions, cell=cell, pbc=True)
    n = len(atoms)
    speed = np.sqrt(3.0 * units.kB * (1.0 - 1.0 / n) * temperature / atoms.get_masses()[0])
    directions = rng.normal(size=(slabs, per_slab // 2, 3))
    directions /= np.linalg.norm(directions, axis=2)[:, :, None]
    velocities = speed[:, None, None] * np.concatenate([directions, -directions], axis=1)
    velocities[0, [0, per_slab // 2]] *= 1.9  # one hot pair in the cold slab, and a cold one in the hot slab
    velocities[slabs // 2, [0, per_slab // 2]] *= 0.1
    atoms.set_velocities(velocities.reshape(-1, 3))
    atoms.calc = NoForces()
    return atoms, length, temperature


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_known_profile_and_a_known_heat_give_the_known_conductivity(axis):
    atoms, length, temperature = prepared(axis)
    moved = kinetic(atoms)[in_slab(atoms, 0, axis=axis)].max() - kinetic(atoms)[in_slab(atoms, 6, axis=axis)].min()
    dynamics = Prepared(atoms, 2.0 * units.fs)
    exchange = MullerPlathe(dynamics, axis, slabs=12, interval=5, equilibration=100, sampling=5)
    dynamics.run(1100)
    result = exchange.result()
    area = atoms.get_volume() / length
    assert (result.length, result.area) == pytest.approx((length, area), rel=1e-12)
    assert result.time_fs == pytest.approx(2000.0)
    assert result.heat == pytest.approx(200 * moved, rel=1e-12)
    assert result.positions == pytest.approx((np.arange(12) + 0.5) * length / 12)
    np.testing.assert_array_equal(np.flatnonzero(result.fitted), [2, 3, 4, 8, 9, 10])
    np.testing.assert_allclose(result.temperature[1:6], temperature[1:6], rtol=1e-10)
    np.testing.assert_allclose(result.gradients, 3.0, rtol=1e-10)
    ev, second, angstrom = 1.6021766208e-19, 1e-15, 1e-10
    watts = 200 * moved * ev / (2.0 * 2000.0 * second * area * angstrom**2)
    assert result.kappa == pytest.approx(watts / (3.0 / angstrom), rel=1e-10)
    assert (result.gradient_errors < 1e-9).all()  # every block is the same
    # As white noise of dT/dz seen in four of the twelve spaces between slabs.
    fluctuations = np.sqrt(2.0 * units.kB * result.kappa * 1602176.6208 / (atoms.get_volume() / 3.0 * 2000.0))
    expected = fluctuations * result.temperature.mean() / 3.0
    assert result.kappa_error == result.expected_error == pytest.approx(expected, rel=1e-9)


def test_the_constant():
    assert WATTS * units.fs == pytest.approx(157376.92, rel=1e-7)


def test_an_exchange_keeps_momentum_and_energy_and_takes_the_best_pair_of_equal_mass(mixture):
    atoms = mixture.copy()
    atoms.calc = mixture.calc
    energies = kinetic(atoms)
    cold, hot, heavy = in_slab(atoms, 0), in_slab(atoms, 6), atoms.get_masses() > 1.5
    best = max(energies[cold & kind].max() - energies[hot & kind].min() for kind in (heavy, ~heavy))
    other = energies[cold].max() - energies[hot].min()
    assert best < other  # the best pair of all has different masses
    momenta, total, energy = atoms.get_momenta(), atoms.get_momenta().sum(axis=0), atoms.get_total_energy()
    moved = MullerPlathe(VelocityVerlet(atoms, 0.005), slabs=12).exchange()
    assert moved == pytest.approx(best, rel=1e-12)
    assert np.abs(atoms.get_momenta().sum(axis=0) - total).max() < 1e-10
    assert abs(atoms.get_total_energy() - energy) < 1e-10
    i, j = np.flatnonzero((atoms.get_momenta() != momenta).any(axis=1))
    np.testing.assert_array_equal(atoms.get_momenta()[[i, j]], momenta[[j, i]])
    assert atoms.get_masses()[i] == atoms.get_masses()[j]
    assert kinetic(atoms)[cold].sum() == pytest.approx(energies[cold].sum() - moved)
    assert kinetic(atoms)[hot].sum() == pytest.approx(energies[hot].sum() + moved)


def test_no_exchange_against_the_heat():
    atoms, *_ = prepared()
    energies = kinetic(atoms)
    atoms.set_momenta(np.where(in_slab(atoms, 0)[:, None], 0.0, atoms.get_momenta()))
    before = atoms.get_momenta()
    assert energies[in_slab(atoms, 6)].min() > 0.0
    assert MullerPlathe(VelocityVerlet(atoms, 1.0), slabs=12).exchange() == 0.0
    np.testing.assert_array_equal(atoms.get_momenta(), before)


def test_the_heat_is_the_kinetic_energy_moved_while_it_was_measured(mixture):
    atoms = mixture.copy()
    atoms.calc = mixture.calc
    dynamics = VelocityVerlet(atoms, 0.004)
    before, after = [], []
    dynamics.attach(lambda: before.append((kinetic(atoms)[in_slab(atoms, 0)].sum(), atoms.get_total_energy())))
    exchange = MullerPlathe(dynamics, slabs=12, interval=7, equilibration=50, sampling=4)
    dynamics.attach(lambda: after.append((kinetic(atoms)[in_slab(atoms, 0)].sum(), atoms.get_total_energy())))
    dynamics.run(120)
    dynamics.run(180)  # a second run goes on
    before, after = np.array(before), np.array(after)
    moved = before[:, 0] - after[:, 0]
    assert np.count_nonzero(moved) == 300 // 7 + 1
    result = exchange.result()
    assert result.heat == pytest.approx(moved[49:301].sum(), rel=1e-10)  # samples of the steps 52, 56, ... 300
    assert result.time_fs * units.fs == pytest.approx(63 * 4 * 0.004)
    assert np.abs(before[:, 1] - after[:, 1]).max() < 1e-10
    assert np.abs(atoms.get_momenta().sum(axis=0)).max() < 1e-10


def test_lennard_jones_fluid():
    atoms = fluid(0.6, 1.35, repeat=(4, 4, 8))
    dynamics = equilibrate(atoms, 1.35 / units.kB, timestep=0.005, steps=800)
    exchange = MullerPlathe(dynamics, slabs=16, interval=15, equilibration=2000)
    dynamics.run(7000)
    result = exchange.result()
    assert abs(result.kappa / REDUCED - 3.4) < 3.0 * result.kappa_error / REDUCED < 1.7
    blocks = np.hypot(*result.gradient_errors) / result.gradients.sum() * result.kappa
    assert blocks == pytest.approx(result.expected_error, rel=0.7)
    assert result.expected_error <= result.kappa_error < 2.0 * result.expected_error
    assert abs(np.subtract(*result.gradients)) < 3.0 * np.hypot(*result.gradient_errors)


def test_interrupted(mixture):
    atoms = mixture.copy()
    atoms.calc = mixture.calc
    dynamics = VelocityVerlet(atoms, 0.004)
    exchange = MullerPlathe(dynamics, slabs=12, interval=2, sampling=2)

    def interrupt():
        if dynamics.nsteps == 200:
            raise KeyboardInterrupt

    dynamics.attach(interrupt)
    with pytest.raises(KeyboardInterrupt):
        dynamics.run(1000)
    assert exchange.result().time_fs * units.fs == pytest.approx(0.8)


def test_kept_in_a_file_and_drawn(tmp_path):
    atoms, *_ = prepared()
    dynamics = Prepared(atoms, units.fs)
    exchange = MullerPlathe(dynamics, slabs=12, interval=1, sampling=1)
    dynamics.run(1)
    result = exchange.result()
    assert np.isnan(result.temperature_error).all()  # a single block
    result.save(tmp_path / "profile.npz")
    again = MullerPlatheResult.load(tmp_path / "profile.npz")
    assert (again.kappa, again.heat) == (result.kappa, result.heat)
    np.testing.assert_array_equal(again.temperature, result.temperature)
    lines = [line for line in result.plot().get_lines() if line.get_color() == "C1"]
    for line, sign in zip(lines, (1.0, -1.0), strict=True):
        x, y = line.get_data()
        assert np.diff(y)[0] / np.diff(x)[0] == pytest.approx(sign * 3.0)


def of_length(length, kappa, error):
    one = np.ones(2)
    return MullerPlatheResult(one, one, one, one > 0, one, one, 1.0, 1.0, length, 1.0, kappa, error)


def test_the_extrapolation_recovers_a_line_and_its_error():
    lengths = np.array([50.0, 100.0, 100.0, 200.0])
    exact = 1.0 / (1.0 / 40.0 + 3.0 / lengths)
    line = extrapolate_length([of_length(*row) for row in zip(lengths, exact, 0.02 * exact, strict=True)])
    assert (line.kappa, line.slope) == pytest.approx((40.0, 3.0))
    assert line.chi2 < 1e-20
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        noisy = 1.0 / (1.0 / exact + rng.normal(0.0, 0.02, 4) / exact)
        errors = 0.02 * noisy**2 / exact
        fit = extrapolate_length([of_length(*row) for row in zip(lengths, noisy, errors, strict=True)])
        found.append((1.0 / fit.kappa, fit.slope, fit.chi2))
    spread = np.std(found, axis=0)
    assert spread[:2] == pytest.approx((line.kappa_error / line.kappa**2, line.slope_error), rel=0.15)
    assert np.mean(found, axis=0)[2] == pytest.approx(2.0, rel=0.2)


def test_the_extrapolation_is_kept_in_a_file_and_drawn(tmp_path):
    line = extrapolate_length([of_length(50.0, 10.0, 1.0), of_length(100.0, 15.0, 1.0)])
    assert line.kappa == pytest.approx(30.0)
    line.save(tmp_path / "line.npz")
    assert LengthExtrapolation.load(tmp_path / "line.npz").slope == line.slope
    x, y = line.plot().get_lines()[-1].get_data()
    assert (x[0], y[0]) == pytest.approx((0.0, 1.0 / 30.0))


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([], "at least two lengths"),
        ([of_length(50.0, 10.0, 1.0)] * 3, "at least two lengths"),
        ([of_length(50.0, 10.0, 1.0), of_length(100.0, 15.0, np.nan)], "results with errors"),
        ([of_length(50.0, 10.0, 1.0), of_length(100.0, 25.0, 1.0)], "which is not positive"),
    ],
)
def test_an_extrapolation_that_makes_no_sense(results, message):
    with pytest.raises(ValueError, match=message):
        extrapolate_length(results)


def test_jackknife():
    rng = np.random.default_rng(0)
    blocks = rng.normal(5.0, 0.1, (12, 2))
    np.testing.assert_allclose(jackknife(blocks, lambda means: means), standard_error(blocks), rtol=1e-12)
    ratio = jackknife(blocks, lambda means: means[..., :1] / means[..., 1:])
    assert ratio == pytest.approx(np.std(blocks[:, 0] - blocks[:, 1], ddof=1) / np.sqrt(12) / 5.0, rel=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slabs": 10}, "at least 12 slabs, got 10"),
        ({"slabs": 13}, "an even number"),
        ({"slabs": 14.0}, "an even number"),
        ({"interval": 0}, "interval= as a number of steps of at least 1, got 0"),
        ({"sampling": 2.5}, "sampling= as a number"),
        ({"equilibration": -1}, "equilibration= as a number of steps of at least 0"),
        ({"axis": 3}, "axis= 0, 1 or 2"),
    ],
)
def test_numbers_outside_their_range(options, message):
    atoms, *_ = prepared()
    with pytest.raises(ValueError, match=message):
        MullerPlathe(VelocityVerlet(atoms, 1.0), **options)


def test_atoms_that_cannot_be_used():
    atoms, *_ = prepared()
    with pytest.raises(ValueError, match="needs ASE's VelocityVerlet, got Langevin"):
        MullerPlathe(Langevin(atoms, 1.0, temperature_K=300, friction=0.1, fixcm=False))
    isotopes = atoms.copy()
    isotopes.set_masses(np.linspace(30.0, 40.0, len(atoms)))
    with pytest.raises(ValueError, match="no two atoms"):
        MullerPlathe(VelocityVerlet(isotopes, 1.0))
    slab = atoms.copy()
    slab.pbc = (True, True, False)
    with pytest.raises(ValueError, match=r"periodic in all three directions, got pbc=\[True, True, False\]"):
        MullerPlathe(VelocityVerlet(slab, 1.0))
    atoms.set_constraint(FixCom())
    with pytest.raises(ValueError, match="remove the constraints"):
        MullerPlathe(VelocityVerlet(atoms, 1.0))


def test_runs_that_cannot_be_used():
    atoms, *_ = prepared()
    dynamics = Prepared(atoms, 1.0)
    exchange = MullerPlathe(dynamics, slabs=12, equilibration=100)
    dynamics.run(50)
    with pytest.raises(ValueError, match="equilibration lasts until step 100"):
        exchange.result()
    atoms.set_cell(atoms.cell.array * 1.01)
    with pytest.raises(ValueError, match="the cell has changed"):
        dynamics.run(50)

    atoms, *_ = prepared()
    dynamics = Prepared(atoms, 1.0)
    MullerPlathe(dynamics, slabs=12)
    dynamics.dt = 2.0
    with pytest.raises(ValueError, match="the time step has changed"):
        dynamics.run(10)

    atoms, *_ = prepared()
    atoms.set_momenta(atoms.get_momenta() + 0.01)
    dynamics = VelocityVerlet(atoms, 1.0)
    MullerPlathe(dynamics, slabs=12)
    with pytest.raises(ValueError, match="call Stationary"):
        dynamics.run(1)

    crystal = bulk("Ar", cubic=True, a=5.3) * (1, 1, 5)  # ten layers cannot fill twelve slabs
    crystal.calc = NoForces()
    crystal.set_momenta(np.random.default_rng(0).normal(size=(20, 3)))
    Stationary(crystal)
    dynamics = Prepared(crystal, 1.0)
    exchange = MullerPlathe(dynamics, slabs=12)
    dynamics.run(20)
    with pytest.raises(ValueError, match="empty slabs"):
        exchange.result()
