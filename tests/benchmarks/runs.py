"""What the run layer costs beside ASE's bare integrator, and whether killed runs continue with the same bits.

``python tests/benchmarks/runs.py overhead|kill|against CHECKOUT``:

* overhead: time per step of `run_md`, a frame every 10 steps, and of ``VelocityVerlet.run``, turn by turn in one
  process, 64 atoms of silicon.
* kill: runs of the command that are killed (SIGKILL) at random moments and continued, 20 for each ensemble; every frame
  and row must have the bits of a run that was ended at the same frame in an orderly way.
* against: every ensemble, restart and relaxation of the command by another checkout of this package, such as an older
  one, and by this one; positions, momenta, cells, energies, forces, logs and heat fluxes must have the same bits.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.io import Trajectory, read, write
from ase.md import MDLogger
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from ase.md.verlet import VelocityVerlet

from ase_mlips import SNAP
from ase_mlips.runs import MDFiles, MDRun, run_md

HERE = Path(__file__).parents[2]
BARE = "ASE"
OLD_ENSEMBLES = ("nve", "langevin", "bussi", "npt")
MODEL = ["embedded:Si", "si.xyz", "--threads", "1", "--seed", "3"]


def silicon() -> Atoms:
    atoms = bulk("Si", cubic=True) * 2
    atoms.rattle(0.05, seed=1)
    return atoms


def bare(atoms: Atoms, steps: int, stem: Path | None) -> None:
    """What one would write with ASE alone."""
    with VelocityVerlet(atoms, 1.0 * units.fs) as dynamics:
        if stem is not None:
            trajectory = dynamics.closelater(Trajectory(stem.with_suffix(".traj"), "w", atoms))
            logger = dynamics.closelater(MDLogger(dynamics, atoms, str(stem.with_suffix(".log"))))
            dynamics.attach(trajectory.write, 10)
            dynamics.attach(logger, 10)
        dynamics.run(steps)


def overhead(steps: int = 400, turns: int = 12) -> None:
    """Time of the processor, best and middle of many turns, since others may use the machine."""
    start = silicon()
    thermalize_momenta(start, temperature_K=300.0, rng=np.random.default_rng(0))
    Stationary(start)
    calc = SNAP.embedded("Si", num_threads=1)
    settings = MDRun(steps=steps, interval=10, seed=1)
    times: dict[str, list[float]] = {name: [] for name in (BARE, "run_md", "ASE with files", "run_md with files")}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(turns + 1):  # the first one compiles
            for name, found in times.items():
                atoms = start.copy()
                atoms.calc = calc
                atoms.get_forces()
                begin = time.process_time()
                if name.startswith("ASE"):
                    bare(atoms, steps, Path(folder, f"ase-{turn}") if name.endswith("files") else None)
                else:
                    files = MDFiles(Path(folder, f"{turn}.traj")) if name.endswith("files") else None
                    run_md(atoms, calc, settings, files=files)
                found.append((time.process_time() - begin) / steps)
    for name, found in times.items():
        base = times["ASE with files" if name.endswith("files") else BARE][1:]
        ratios = np.array(found[1:]) / np.array(base)
        print(
            f"{name:<18} {1e6 * min(found[1:]):8.1f} µs/step at best, {1e6 * np.median(found[1:]):8.1f} in the middle; "
            f"over ASE alone {100 * (min(found[1:]) / min(base) - 1):+5.1f} % at best, "
            f"{100 * (np.median(ratios) - 1):+5.1f} % in the middle"
        )


def command(folder: Path, *arguments: str, tree: Path = HERE) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(tree), "OPENBLAS_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "ase_mlips.cli", *arguments]
    return subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def call(folder: Path, *arguments: str, tree: Path = HERE) -> None:
    process = command(folder, *arguments, tree=tree)
    said = process.communicate()[0].decode()
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {said}")


def difference(first: Path, second: Path) -> str:
    """What of two files of a run is not the same; an empty string if all is."""
    if first.suffix != ".traj":
        return "" if first.read_bytes() == second.read_bytes() else f"{first.name}: other text"
    images = [read(path, ":") for path in (first, second)]
    if len(images[0]) != len(images[1]):
        return f"{first.name}: {len(images[0])} and {len(images[1])} frames"
    for number, (a, b) in enumerate(zip(*images, strict=True)):
        values = [(x.positions, x.get_momenta(), x.cell.array, x.get_forces(), x.get_stress()) for x in (a, b)]
        same = all(np.array_equal(*pair) for pair in zip(*values, strict=True))
        if not (same and a.get_potential_energy() == b.get_potential_energy()):
            return f"{first.name}: frame {number} differs by {np.abs(a.positions - b.positions).max():.1e} A"
    return ""


def kill(ensemble: str, moments: int, rng: np.random.Generator) -> None:
    """Kill one run again and again; an orderly one ends at the same frames and is continued likewise."""
    steps, interval = 400, 5
    common = [
        "md",
        *MODEL,
        "--ensemble",
        ensemble,
        "--interval",
        str(interval),
        "--heat-flux",
        "x.flux",
        "-o",
        "x.traj",
    ]
    with tempfile.TemporaryDirectory() as name:
        killed, orderly = Path(name, "killed"), Path(name, "orderly")
        for folder in (killed, orderly):
            folder.mkdir()
            write(folder / "si.xyz", silicon())
        ends: list[int] = []
        while len(ends) < moments:
            steps += 100  # always far away
            process = command(killed, *common, "--steps", str(steps), "--restart")
            wait_for_growth(killed / "x.traj", process)
            time.sleep(rng.uniform(0.0, 0.3))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            ends.append(last_step(killed / "x.traj"))
        final = str(ends[-1] + 20)
        call(killed, *common, "--steps", final, "--restart")
        for end in [*map(str, ends), final]:
            call(orderly, *common, "--steps", end, "--restart")
        for file in ("x.traj", "x.log", "x.flux"):
            if found := difference(killed / file, orderly / file):
                raise SystemExit(f"{ensemble}: {found}")
    print(f"{ensemble}: killed at steps {', '.join(map(str, ends))}; the same bits", flush=True)


def wait_for_growth(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Until the run writes frames."""
    size = path.stat().st_size if path.exists() else 0
    while not path.exists() or path.stat().st_size == size:
        if process.poll() is not None:
            raise SystemExit(process.communicate()[0].decode())
        time.sleep(0.01)


def last_step(path: Path) -> int:
    """Of the last complete frame."""
    from ase_mlips.runs.trajectory import recover

    return int(recover(str(path))[1].info["step"])


def against(tree: Path) -> None:
    common = ["--temperature", "800", "--interval", "7"]
    with tempfile.TemporaryDirectory() as name:
        folders = {Path(name, "other"): tree, Path(name, "this"): HERE}
        for folder, source in folders.items():
            folder.mkdir()
            write(folder / "si.xyz", silicon())
            for ensemble in OLD_ENSEMBLES:
                run = ["md", *MODEL, *common, "--ensemble", ensemble]
                whole = ["-o", f"{ensemble}.traj", "--heat-flux", f"{ensemble}.flux"]
                parts = ["-o", f"{ensemble}-parts.traj", "--heat-flux", f"{ensemble}-parts.flux"]
                call(folder, *run, *whole, "--steps", "60", tree=source)
                call(folder, *run, *parts, "--steps", "35", tree=source)
                call(folder, *run, *parts, "--steps", "60", "--restart", tree=source)
            for option in ("--cell", "--optimizer=fire", "--optimizer=lbfgs"):
                output = f"relaxed{option.strip('-').replace('=', '-')}.traj"
                call(folder, "relax", "embedded:Si", "si.xyz", option, "-o", output, tree=source)
        other, this = folders
        for path in sorted(path for path in other.iterdir() if path.suffix in (".traj", ".log", ".flux")):
            print(f"{path.name:<28} {difference(path, this / path.name) or 'the same bits'}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("overhead", "kill", "against"))
    parser.add_argument("checkout", nargs="?", type=Path)
    parser.add_argument("--moments", type=int, default=20)
    options = parser.parse_args()
    if options.what == "overhead":
        overhead()
    elif options.what == "kill":
        for name in ("nve", "langevin", "bussi", "nose-hoover", "npt", "npt-full"):
            kill(name, options.moments, np.random.default_rng(0))
    else:
        against(options.checkout.resolve())
