"""Errors and verdicts of diffusion coefficients on walkers of known diffusion and on liquid silicon cut into pieces.

``python tests/benchmarks/diffusion.py [walkers] [silicon] [--picoseconds 60] [--seeds 40]``.  Of walkers: the share of
runs that get a coefficient, and the mean and deviation of (found - true) / error, which should be 0 and 1.  Of silicon
(64 atoms, 2200 K, the embedded model, some minutes): the scatter between pieces over the mean error, which should be 1.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import units
from ase.build import bulk
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet
from ase_mlips.analysis import (
    Diffusion,
    Trajectory,
    einstein_diffusion,
    green_kubo_diffusion,
    mean_squared_displacement,
)

from ase_mlips import SNAP

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support.walkers import brownian, hopping, in_groups, langevin, langevin_diffusion, rattling, trajectory

PIECES = 12.0, 6.0, 3.0  # ps
UNIT = 1e-4  # cm^2/s of 1 A^2/ps

WALKERS: dict[str, tuple[Callable[[int, int], np.ndarray], float]] = {
    "Brownian": (lambda seed, frames: brownian(seed, frames, 32, d=0.05), 0.05),
    "with inertia": (
        lambda seed, frames: 0.1 * np.cumsum(langevin(seed, frames, 32), axis=0),
        langevin_diffusion() / 100,
    ),
    "between cages": (lambda seed, frames: hopping(seed, frames, 32) + rattling(seed + 1000, frames, 32), 0.0075),
    "in groups of 4": (lambda seed, frames: in_groups(seed, frames, 64, d=0.02), 0.02),
    "in groups, with inertia": (
        lambda seed, frames: 0.1 * np.cumsum(np.repeat(langevin(seed, frames, 16), 4, axis=1), axis=0),
        langevin_diffusion() / 100,
    ),
}  # fmt: skip


def walkers(seeds: int) -> None:
    for name, (make, d) in WALKERS.items():
        for frames in (300, 1000, 3000):
            found = [
                einstein_diffusion(mean_squared_displacement(trajectory(make(seed, frames)), drift=None))
                for seed in range(seeds)
            ]
            z = np.array([(one.coefficients[0] - UNIT * d) / one.errors[0] for one in found])
            z = z[np.isfinite(z)]
            text = f"{z.mean():+.2f} {z.std():.2f}" if len(z) else ""
            print(f"{name:24s} {frames:5d} frames: {len(z) / seeds:4.0%} have a coefficient  {text}", flush=True)


def liquid_silicon(picoseconds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions in A and velocities in A/fs every 10 fs, (F, N, 3), and the cell."""
    rng = np.random.default_rng(0)
    atoms = bulk("Si", cubic=True) * 2
    atoms.set_cell(0.976 * atoms.cell, scale_atoms=True)
    atoms.calc = SNAP.embedded("Si")
    for temperature in (5000.0, 2200.0):
        bath = {"temperature_K": temperature, "friction": 0.02 / units.fs}
        Langevin(atoms, units.fs, **bath, fixcm=False, rng=rng).run(3000)
    positions, velocities = [], []
    run = VelocityVerlet(atoms, units.fs)
    run.attach(lambda: positions.append(atoms.positions.copy()), interval=10)
    run.attach(lambda: velocities.append(units.fs * atoms.get_velocities()), interval=10)
    run.run(int(1000 * picoseconds))
    return np.array(positions), np.array(velocities), atoms.cell.array


def silicon(picoseconds: float) -> None:
    positions, velocities, cell = liquid_silicon(picoseconds)
    for length in (picoseconds, *PIECES):
        frames = int(100 * length)
        kinds: dict[str, list[Diffusion]] = {"Einstein": [], "Green-Kubo": []}
        for k in range(0, len(positions) - frames + 1, frames):
            piece = Trajectory.from_arrays(
                positions[k : k + frames],
                symbols=["Si"] * positions.shape[1],
                cell=cell,
                velocities=velocities[k : k + frames],
                timestep_fs=10.0,
            )
            kinds["Einstein"].append(einstein_diffusion(mean_squared_displacement(piece)))
            kinds["Green-Kubo"].append(green_kubo_diffusion(piece))
        for name, found in kinds.items():
            report(f"{length:g} ps, {name}", found)


def report(name: str, found: list[Diffusion]) -> None:
    values, errors = np.array([(one.coefficients[0], one.errors[0]) for one in found]).T
    values, errors = values[np.isfinite(values)], errors[np.isfinite(errors)]
    text = ", ".join(f"{count} {verdict}" for verdict, count in Counter(one.verdicts[0] for one in found).items())
    if len(values) > 2:
        scatter = values.std(ddof=1) / np.sqrt(np.mean(errors**2))
        text += f"; mean {values.mean():.3e} cm^2/s, scatter over error {scatter:.2f}"
    elif len(values):
        text += f"; {found[0]!r}"
    print(f"{name}: {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["walkers", "silicon"], choices=["walkers", "silicon"])
    parser.add_argument("--picoseconds", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=40)
    arguments = parser.parse_args()
    if "walkers" in arguments.parts:
        walkers(arguments.seeds)
    if "silicon" in arguments.parts:
        silicon(arguments.picoseconds)


if __name__ == "__main__":
    main()
