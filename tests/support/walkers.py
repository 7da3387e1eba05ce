"""Random walkers whose diffusion coefficients are known, as arrays and as trajectories."""

import numpy as np
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from scipy.signal import lfilter


def brownian(seed, frames=2000, atoms=64, d=0.25):
    """Positions (F, N, 3) of free walkers with a diffusion coefficient of `d` A^2 per frame."""
    steps = np.random.default_rng(seed).normal(scale=np.sqrt(2.0 * d), size=(frames, atoms, 3))
    return np.cumsum(steps, axis=0)


def langevin(seed, frames=4000, atoms=64, tau=10.0):
    """Velocities (F, N, 3) of variance 1 whose memory decays within `tau` frames (Ornstein-Uhlenbeck)."""
    memory = np.exp(-1.0 / tau)
    noise = np.random.default_rng(seed).normal(scale=np.sqrt(1.0 - memory**2), size=(frames + int(30 * tau), atoms, 3))
    return lfilter([1.0], [1.0, -memory], noise, axis=0)[int(30 * tau) :]


def langevin_diffusion(tau=10.0):
    """Diffusion coefficient, per frame, of positions that are the running sums of `langevin` velocities."""
    memory = np.exp(-1.0 / tau)
    return 0.5 * (1.0 + memory) / (1.0 - memory)


def hopping(seed, frames=2000, atoms=64, rate=0.005, length=3.0):
    """Positions (F, N, 3) of hops along random axes, of a rate per frame: ``D = rate length^2 / 6``."""
    rng = np.random.default_rng(seed)
    hops = rng.random((frames, atoms, 1)) < rate
    directions = np.eye(3)[rng.integers(0, 3, (frames, atoms))] * rng.choice([-length, length], size=(frames, atoms, 1))
    return np.cumsum(hops * directions, axis=0)


def rattling(seed, frames=2000, atoms=64, width=0.4, tau=5.0):
    """Positions (F, N, 3) about fixed points, of standard deviation `width` along each axis."""
    return width * langevin(seed, frames, atoms, tau)


def in_groups(seed, frames=2000, atoms=64, d=0.25, *, size=4, share=0.7):
    """`brownian` walkers (F, N, 3) of which so many together share a part of the variance of their steps."""
    own, common = brownian(seed, frames, atoms, d), brownian(seed + 10_000, frames, atoms // size, d)
    return np.sqrt(1.0 - share) * own + np.sqrt(share) * np.repeat(common, size, axis=1)


def trajectory(positions, *, symbols=None, velocities=None, edge=20.0, timestep_fs=1000.0):
    """In a cubic cell; a frame takes 1 ps by default."""
    return Trajectory.from_arrays(
        positions,
        symbols=symbols or ["Li"] * positions.shape[1],
        cell=edge * np.eye(3),
        velocities=velocities,
        timestep_fs=timestep_fs,
    )
