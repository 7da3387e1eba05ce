"""What the core costs and keeps: start-up, two threads, energy drift, memory, share of the neighbour list.

``python tests/benchmarks/core.py [startup threads drift memory] [--model FILE --species Si]``, on a quiet machine;
without names all of them, without a model the embedded silicon.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support.calibration import fma_gflops
from support.listing import listed

import ase_mlips
from ase_mlips import SNAP
from ase_mlips.calculator import PotentialCalculator

FIRST_CALL = """
import time; begin = time.perf_counter()
import ase, numba; from ase import calculators, build; libraries = time.perf_counter()
import ase_mlips; from ase_mlips import MTP, NEP, SNAP; package = time.perf_counter()
atoms = build.bulk("Si", cubic=True); atoms.calc = {model}; atoms.get_forces()
end = time.perf_counter()
print(f"{{libraries - begin:.2f}} {{package - libraries:.2f}} {{end - package:.2f}} {{end - begin:.2f}}")
"""

Make = Callable[[], PotentialCalculator]


def silicon(repeat: int) -> Atoms:
    """Silicon of 8 repeat^3 atoms, rattled."""
    atoms = bulk("Si", cubic=True).repeat(repeat)
    atoms.rattle(0.06, seed=1)
    return atoms


def startup(make: Make, model: str) -> None:
    """Seconds to the first force: with an empty kernel cache, and with a warm one."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", FIRST_CALL.format(model=model)]
        for state in ("cold", "warm", "warm"):
            run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            libraries, package, first, total = run.stdout.split()
            print(f"{state}: libraries {libraries} s, import {package} s, first force {first} s, all {total} s")


def threads(make: Make, model: str) -> None:
    """Two threads against one, alternating, wall time."""
    for repeat in (1, 2, 4, 8):
        atoms, calc = silicon(repeat), make()
        neighbors, species = listed(calc, atoms)
        evaluate = calc.potential.evaluate
        times: dict[int, list[float]] = {1: [], 2: []}
        results = {count: evaluate(neighbors, species, count) for count in times}
        calls = max(1, 1000 // len(atoms))
        for _ in range(9):
            for count, taken in times.items():
                begin = time.perf_counter()
                for _ in range(calls):
                    evaluate(neighbors, species, count)
                taken.append(time.perf_counter() - begin)
        same = all(np.array_equal(one, two) for one, two in zip(results[1], results[2], strict=True))
        ratio = min(times[1]) / min(times[2])
        print(f"{len(atoms)} atoms: two threads {ratio:.2f} x one, bit-identical: {same}")


def drift(make: Make, model: str) -> None:
    """64 Si atoms at 1000 K, 10 ps of 0.5 fs: total energy against time."""
    atoms = silicon(2)
    atoms.calc = make()
    speed = np.sqrt(units.kB * 2000 / atoms.get_masses())[:, None]
    atoms.set_velocities(speed * np.random.default_rng(0).normal(size=(64, 3)))
    dynamics = VelocityVerlet(atoms, 0.5 * units.fs)
    dynamics.run(2000)  # half of the kinetic energy has gone into the potential
    energies, temperatures = [], []
    dynamics.attach(lambda: energies.append(atoms.get_total_energy() / 64), interval=20)
    dynamics.attach(lambda: temperatures.append(atoms.get_temperature()), interval=20)
    begin = time.perf_counter()
    dynamics.run(20000)
    taken = time.perf_counter() - begin
    slope = np.polyfit(np.linspace(0, 10, len(energies)), energies, 1)[0]
    print(
        f"NVE, {np.mean(temperatures):.0f} K, 10 ps: drift {slope * 10:+.1e} eV/atom, largest deviation"
        f" {np.ptp(energies):.1e} eV/atom, {10e-3 * 86400 / taken:.0f} ns/day"
    )


def memory(make: Make, model: str) -> None:
    """Growth of the process per atom, and what the neighbour list takes of a step that rebuilds it."""
    atoms, calc = silicon(16), make()
    calc.get_potential_energy(silicon(1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    calc.get_potential_energy(atoms)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / len(atoms)
    print(f"{len(atoms)} atoms: {grown:.1f} kB/atom")
    atoms = silicon(8)
    neighbors, species = listed(calc, atoms)
    builds, steps = [], []
    for turn in range(1, 10):  # every time far enough for a rebuild
        begin = time.perf_counter()
        neighbors.update(atoms.positions + turn, atoms.cell.array, atoms.pbc)
        middle = time.perf_counter()
        calc.potential.evaluate(neighbors, species)
        builds.append(middle - begin)
        steps.append(time.perf_counter() - begin)
    print(f"{len(atoms)} atoms: the list is {100 * min(builds) / min(steps):.0f} % of a step that rebuilds it")


PARTS = {"startup": startup, "threads": threads, "drift": drift, "memory": memory}


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--model")
    parser.add_argument("--species", nargs="+")
    args = parser.parse_args()
    if unknown := set(args.parts) - PARTS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    options = {"species": args.species} if args.species else {}
    model = f"ase_mlips.load({args.model!r}, **{options!r})" if args.model else 'SNAP.embedded("Si")'

    def make() -> PotentialCalculator:
        return ase_mlips.load(args.model, **options) if args.model else SNAP.embedded("Si")

    print(f"{make()}; FMA loop: {fma_gflops():.0f} GFlop/s")
    for part in args.parts or PARTS:
        PARTS[part](make, model)


if __name__ == "__main__":
    main()
