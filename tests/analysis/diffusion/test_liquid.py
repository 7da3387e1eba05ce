"""Diffusion in a liquid, whose atoms push each other along: a Lennard-Jones fluid, whole and in pieces."""

import numpy as np
import pytest
from ase import units
from ase_mlips.analysis.diffusion.diffusion import einstein_diffusion
from ase_mlips.analysis.diffusion.msd import mean_squared_displacement
from ase_mlips.analysis.diffusion.velocities import green_kubo_diffusion
from support.lennard_jones import equilibrate, fluid
from support.walkers import trajectory

SIGMA, STEP, INTERVAL = 3.4, 0.005, 8  # A, and in reduced time
EVERY = 1000.0 * STEP * INTERVAL  # fs, with a unit of time of 1 ps


@pytest.fixture(scope="module")
def frames():
    """Positions in A and velocities in A/fs of 108 atoms at a density of 0.7 and a temperature of 1.2."""
    atoms = fluid(0.7, 1.2, repeat=3)
    run = equilibrate(atoms, 1.2 / units.kB, timestep=STEP, steps=1500)
    positions, velocities = [], []
    run.attach(lambda: positions.append(SIGMA * atoms.positions), interval=INTERVAL)
    run.attach(lambda: velocities.append(1e-3 * SIGMA * atoms.get_velocities()), interval=INTERVAL)
    run.run(INTERVAL * 1199)
    return np.array(positions), np.array(velocities)


def found(frames, start, stop):
    """By Einstein and by Green and Kubo, each with its error, in cm^2/s."""
    positions, velocities = (array[start:stop] for array in frames)
    source = trajectory(positions, velocities=velocities, timestep_fs=EVERY)
    return np.array([einstein_diffusion(mean_squared_displacement(source))["Li"], green_kubo_diffusion(source)["Li"]])


def test_both_ways_agree(frames):
    (einstein, its_error), (green_kubo, error) = found(frames, 0, 1200)
    assert its_error < 0.12 * einstein
    assert error < 0.15 * green_kubo
    assert abs(einstein - green_kubo) < 3.0 * np.hypot(its_error, error)
    # About 0.1 in reduced units, as everywhere in the middle of the liquid.
    assert 0.07 < einstein / (1e-4 * SIGMA**2) < 0.15


def test_pieces_agree_with_the_whole_or_are_too_short(frames):
    whole = found(frames, 0, 1200)
    z = []
    for start in range(0, 1200, 300):
        piece = found(frames, start, start + 300)
        z.append((piece[:, 0] - whole[:, 0]) / np.hypot(piece[:, 1], whole[:, 1]))
    z = np.array(z)[np.isfinite(z)]
    assert len(z) >= 3
    assert np.all(np.abs(z) < 3.0)
    assert np.sqrt(np.mean(z**2)) < 1.8
