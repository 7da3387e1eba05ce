"""Frames per second of our readers against `ase.io.iread`, alternating in one run, one thread, compile time apart.

``python tests/benchmarks/reading.py [--json FILE]`` writes files of 512 atoms with positions and velocities to a
temporary folder and reads each completely: ours through `Trajectory.chunks`, with positions only and with velocities.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.io import iread, write
from ase_mlips.analysis.trajectories.trajectory import Trajectory

ROUNDS = 4
FLOORS = {"ASE extxyz": 8.0, "GPUMD extxyz": 8.0, ".traj": 1.5}  # the least ratio that we accept


def frames(count: int) -> list[Atoms]:
    rng = np.random.default_rng(0)
    crystal = bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat(4)
    images = []
    for k in range(count):
        atoms = crystal.copy()
        atoms.positions += rng.normal(scale=0.1, size=(len(atoms), 3))
        atoms.set_momenta(rng.normal(size=(len(atoms), 3)))
        atoms.info["Time"] = float(k)
        images.append(atoms)
    return images


def write_gpumd(path: Path, images: list[Atoms]) -> None:
    with path.open("w") as file:
        for atoms in images:
            cell = " ".join(f"{x:.8f}" for x in atoms.cell.array.ravel())
            file.write(f'{len(atoms)}\nTime={atoms.info["Time"]:.8f} pbc="T T T" Lattice="{cell}" ')
            file.write("Properties=species:S:1:pos:R:3:vel:R:3\n")
            table = np.hstack([atoms.positions, atoms.get_velocities() * units.fs])
            file.writelines(
                f"{symbol} {' '.join(f'{x:.8f}' for x in row)}\n"
                for symbol, row in zip(atoms.symbols, table, strict=True)
            )


def write_dump(path: Path, images: list[Atoms]) -> None:
    with path.open("w") as file:
        for step, atoms in enumerate(images):
            sides = "".join(f"0.0 {side:.10g}\n" for side in atoms.cell.lengths())
            file.write(
                f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\nITEM: BOX BOUNDS pp pp pp\n{sides}"
            )
            file.write("ITEM: ATOMS id element x y z vx vy vz\n")
            table = np.hstack([atoms.positions, atoms.get_velocities() * 1000.0 * units.fs])
            file.writelines(
                f"{k + 1} {atoms.symbols[k]} {' '.join(f'{x:g}' for x in row)} \n" for k, row in enumerate(table)
            )


def consume_ours(path: Path, velocities: bool) -> int:
    return sum(len(chunk) for chunk in Trajectory(path, timestep_fs=1.0).chunks(velocities=velocities))


def consume_ase(path: Path) -> int:
    return sum(1 for _ in iread(path))


def seconds(work: Callable[[], int]) -> tuple[int, float]:
    begin = time.thread_time()
    count = work()
    return count, time.thread_time() - begin


def measure(path: Path) -> dict[str, float]:
    """Frames per second, best of the rounds."""
    first = seconds(lambda: consume_ours(path, True))[1]
    works: dict[str, Callable[[], int]] = {
        "ase": lambda: consume_ase(path),
        "positions": lambda: consume_ours(path, False),
        "velocities": lambda: consume_ours(path, True),
    }
    rates = dict.fromkeys(works, 0.0)
    for _ in range(ROUNDS):
        for name, work in works.items():
            count, taken = seconds(work)
            rates[name] = max(rates[name], count / taken)
    return rates | {"first pass, s": first, "ratio": rates["velocities"] / rates["ase"]}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--frames", type=int, default=500)
    args = parser.parse_args()
    results = {}
    images = frames(args.frames)
    with tempfile.TemporaryDirectory() as folder:
        paths = {"ASE extxyz": "ase.xyz", "GPUMD extxyz": "dump.xyz", ".traj": "md.traj", "LAMMPS dump": "md.lammpstrj"}
        files = {name: Path(folder) / path for name, path in paths.items()}
        write(files["ASE extxyz"], images)
        write(files[".traj"], images)
        write_gpumd(files["GPUMD extxyz"], images)
        write_dump(files["LAMMPS dump"], images)
        print(f"{args.frames} frames of {len(images[0])} atoms, frames/s")
        print("| file | ase.io.iread | ours | ours, with velocities | ratio | first pass with compilation, s |")
        print("| --- | --- | --- | --- | --- | --- |")
        for name, path in files.items():
            rates = results[name] = measure(path)
            cells = [f"{rates[key]:.0f}" for key in ("ase", "positions", "velocities")]
            print(f"| {name} | {' | '.join(cells)} | {rates['ratio']:.1f} | {rates['first pass, s']:.2f} |")
    if args.json:
        Path(args.json).write_text(json.dumps(results, indent=1) + "\n")
    slow = [name for name, floor in FLOORS.items() if results[name]["ratio"] < floor]
    if slow:
        raise SystemExit(f"slower than promised: {', '.join(slow)}")


if __name__ == "__main__":
    main()
