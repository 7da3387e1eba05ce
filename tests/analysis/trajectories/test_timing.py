"""The time from one frame to the next against positions and velocities: wrong ones are found, right ones never."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.verlet import VelocityVerlet
from ase_mlips.analysis import vacf
from ase_mlips.analysis.trajectories.trajectory import Trajectory

PERIOD = 100.0  # fs
SITES = bulk("Cu", cubic=True).repeat(2)
BOX = SITES.cell.array


def vibrations(spacing, *, spread, frames=60, atoms=32, seed=0):
    """Positions and velocities of atoms that vibrate about sites, with periods of 100 fs times 1 +- `spread`."""
    rng = np.random.default_rng(seed)
    omega = 2.0 * np.pi / (PERIOD * rng.uniform(1.0 - spread, 1.0 + spread, (atoms, 3)))
    phase = rng.uniform(0.0, 2.0 * np.pi, (atoms, 3)) + omega * spacing * np.arange(frames)[:, None, None]
    amplitude = rng.rayleigh(0.15, (atoms, 3))
    return SITES.positions[:atoms] + amplitude * np.cos(phase), -amplitude * omega * np.sin(phase)


def trajectory(positions, velocities, timestep):
    symbols = ["Cu"] * positions.shape[1]
    return Trajectory.from_arrays(positions, velocities=velocities, symbols=symbols, cell=BOX, timestep_fs=timestep)


@pytest.mark.parametrize("spread", [0.0, 0.6])
@pytest.mark.parametrize("factor", [10.0, 4.0, 1.5, 0.5, 0.1, 0.001])
def test_a_wrong_time_step_is_named(spread, factor):
    wrong = trajectory(*vibrations(3.0, spread=spread), 3.0 * factor)
    with pytest.raises(
        ValueError, match=rf"arrays: atoms move .* in (2\.9|3|3\.\d+) fs, but timestep_fs= {3 * factor:g}:"
    ):
        vacf(wrong)


def test_velocities_in_another_unit():
    positions, velocities = vibrations(3.0, spread=0.3)
    with pytest.raises(
        ValueError, match=r"in 3\.\d+e\+03 fs, but timestep_fs= 3: check it, and the unit of the velocities"
    ):
        _ = trajectory(positions, 1e-3 * velocities, 3.0).timestep_fs


@pytest.mark.parametrize("spread", [0.0, 1e-3, 0.05, 0.6])
def test_right_ones_are_never_refused(spread):
    """From frames close together to frames many periods apart, near whole and half periods too."""
    periods = np.concatenate(
        [np.geomspace(1e-3, 30.0, 20), np.outer(np.arange(1, 7) / 2, 1.0 + np.linspace(-0.06, 0.06, 7)).ravel()]
    )
    for spacing in PERIOD * periods:
        for frames, atoms in ((60, 32), (5, 32), (60, 1)):
            given = trajectory(*vibrations(spacing, spread=spread, frames=frames, atoms=atoms), spacing)
            assert given.timestep_fs == spacing


@pytest.mark.parametrize("spacing", np.geomspace(0.1, 5000.0, 20))
def test_free_flight_across_the_boundaries(spacing):
    """Atoms that fly on, one velocity for all or one for each, and are put back into the cell."""
    rng = np.random.default_rng(0)
    for velocity in (np.full((1, 3), 2e-3), rng.normal(scale=2e-3, size=(32, 3))):
        velocities = np.broadcast_to(velocity, (60, 32, 3))
        positions = SITES.positions + velocities * spacing * np.arange(60)[:, None, None]
        assert trajectory(positions % np.diag(BOX), velocities, spacing).timestep_fs == spacing


def test_velocities_that_have_nothing_to_do_with_the_positions():
    rng = np.random.default_rng(0)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        walk = np.cumsum(rng.normal(scale=0.1, size=(9, 32, 3)), axis=0)
        assert trajectory(walk, rng.normal(size=walk.shape), 1.0).timestep_fs == 1.0
        assert trajectory(np.zeros_like(walk), rng.normal(size=walk.shape), 1.0).timestep_fs == 1.0
        assert trajectory(walk, np.zeros_like(walk), 1.0).timestep_fs == 1.0


@pytest.fixture(scope="module")
def hot_copper():
    """Frames of molecular dynamics, 4 fs apart, of a crystal at about 1000 K."""
    atoms = SITES.copy()
    atoms.calc = EMT()
    scale = np.sqrt(2000.0 * units.kB * atoms.get_masses())[:, None]
    atoms.set_momenta(scale * np.random.default_rng(0).normal(size=(len(atoms), 3)))
    frames = []
    dynamics = VelocityVerlet(atoms, 4.0 * units.fs)
    dynamics.attach(lambda: frames.append(atoms.copy()))
    dynamics.run(100)
    return frames


def test_molecular_dynamics(hot_copper):
    for stride in (1, 2, 5, 10, 25, 50):
        assert Trajectory(hot_copper[::stride], timestep_fs=4.0 * stride).timestep_fs == 4.0 * stride
        assert Trajectory(hot_copper, timestep_fs=4.0, frames=slice(0, None, stride)).timestep_fs == 4.0 * stride
    for factor in (0.1, 10.0):
        for stride in (1, 2):
            with pytest.raises(ValueError, match=rf"but timestep_fs= {4 * stride * factor:g}: check it"):
                _ = Trajectory(hot_copper[::stride], timestep_fs=4.0 * stride * factor).timestep_fs
    once = Trajectory(iter(hot_copper), timestep_fs=4.0)
    assert once.timestep_fs == 4.0
    assert sum(len(chunk) for chunk in once.chunks()) == len(hot_copper)
