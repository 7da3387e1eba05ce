"""Many runs on processes against a loop: ``python tests/benchmarks/ensemble.py [--runs N] [--steps N] [--kills N]``.

64 atoms of the embedded silicon at 600 K, one thread in each process.  Printed are the processor time of all processes
over that of the loop, the ratio of the wall times, and whether every frame has the same bits; then how many of an
ensemble that is killed (SIGKILL, all its processes) at random moments and continued have other bits than those of one
that is not, and how many runs were computed again after they had been complete.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.io import read

from ase_mlips import SNAP
from ase_mlips.runs import EnsembleRun, MDFiles, run_ensemble, run_md
from ase_mlips.runs.executors import processes


def silicon() -> Atoms:
    atoms = bulk("Si", cubic=True) * 2
    atoms.rattle(0.02, seed=1)
    return atoms


def settings(runs: int, steps: int) -> EnsembleRun:
    return EnsembleRun("langevin", temperature=600.0, steps=steps, interval=100, runs=runs, seed=7)


def seconds(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def loop(folder: Path, runs: int, steps: int) -> tuple[float, float]:
    """Processor and wall time of the runs one after the other in this process."""
    calc, plan = SNAP.embedded("Si", num_threads=1), settings(runs, steps)
    calc.get_potential_energy(silicon())
    start, wall = seconds(resource.RUSAGE_SELF), time.perf_counter()
    for number in range(runs):
        run_md(silicon(), calc, plan.member(600.0, number), files=MDFiles(folder / f"{number:04d}.traj"))
    return seconds(resource.RUSAGE_SELF) - start, time.perf_counter() - wall


def pool(folder: Path, runs: int, steps: int) -> tuple[float, float]:
    start, wall = seconds(resource.RUSAGE_CHILDREN), time.perf_counter()
    with processes() as executor:
        run_ensemble(silicon(), SNAP.embedded("Si"), settings(runs, steps), folder=folder, executor=executor)
    return seconds(resource.RUSAGE_CHILDREN) - start, time.perf_counter() - wall


def differing(first: Path, second: Path) -> int:
    """Runs whose frames differ by a bit."""
    names = [path.name for path in sorted(first.glob("*.traj"))]
    frames = ((read(first / name, ":"), read(second / name, ":")) for name in names)
    return sum(
        len(a) != len(b)
        or any(not np.array_equal(x.positions, y.positions) for x, y in zip(a, b, strict=True))
        or any(not np.array_equal(x.get_momenta(), y.get_momenta()) for x, y in zip(a, b, strict=True))
        for a, b in frames
    )


def killed(folder: Path, runs: int, steps: int, kills: int, whole: float) -> int:
    """Kill an ensemble at random moments of the time that a whole one takes; returns how many runs were done twice."""
    command = [sys.executable, __file__, "--pool", str(folder), "--runs", str(runs), "--steps", str(steps)]
    chance, twice = random.Random(1), 0
    for kill in range(kills + 1):
        complete = {path: path.with_suffix(".traj").stat().st_mtime_ns for path in folder.rglob("*.npz")}
        with subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL) as process:
            if kill < kills:
                time.sleep(chance.uniform(0.1, 1.0) * whole / kills)
                os.killpg(process.pid, signal.SIGKILL)
        twice += sum(path.with_suffix(".traj").stat().st_mtime_ns != age for path, age in complete.items())
    return twice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--pool", type=Path, metavar="FOLDER", help="run the ensemble only, in this folder")
    args = parser.parse_args()
    if args.pool:
        print(json.dumps(pool(args.pool, args.runs, args.steps)))
        return
    with tempfile.TemporaryDirectory() as name:
        serial, many, torn = (Path(name) / part for part in ("serial", "many", "torn"))
        serial.mkdir()
        torn.mkdir()
        cpu, wall = loop(serial, args.runs, args.steps)
        pool_cpu, pool_wall = pool(many, args.runs, args.steps)
        print(f"{args.runs} runs of {args.steps} steps: loop {cpu:.1f} s of processor, {wall:.1f} s")
        print(f"pool: {pool_cpu / cpu:.3f} of the processor time, {wall / pool_wall:.2f} times as fast")
        print(f"runs with other bits: {differing(serial, many / '600K')}")
        twice = killed(torn, args.runs, args.steps, args.kills, pool_wall)
        print(f"killed {args.kills} times: {differing(serial, torn / '600K')} with other bits, {twice} done twice")


if __name__ == "__main__":
    main()
