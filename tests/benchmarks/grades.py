"""What an extrapolation grade costs, in force calls, and what active sets cost to select.

``python tests/benchmarks/grades.py``.  512 atoms, one thread, processor time, the best of several rounds that alternate
between force calls and grades.  "per step" is what a run spends on grades every ten steps, as ``ase-mlips md`` takes
them, beside its forces.
"""

import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.calibration import fma_gflops
from support.nep_models import Recipe, build_model

from ase_mlips import MTP, NEP, SNAP
from ase_mlips.mtp.model import MtpModel
from ase_mlips.mtp.templates import untrained

ROUNDS = 7
INTERVAL = 10  # of MDRun.grade_interval
LIMIT = 0.2  # of a force call per step, for MTP
SPECIES = ("Si", "Ge", "C")


def mtp_model(level: int, species: int) -> MtpModel:
    """Random coefficients: atomic energies of some eV."""
    rng = np.random.default_rng(level)
    model = untrained(level, SPECIES[:species])
    K, R, scalars = model.radial_functions, model.radial_size, len(model.mapping)
    return replace(
        model,
        scaling=0.01,
        radial_coefficients=rng.uniform(-1.0, 1.0, (species, species, K, R)) / np.sqrt(R),
        species_coefficients=rng.uniform(-3.0, 0.0, species),
        moment_coefficients=rng.uniform(-1.0, 1.0, scalars) / np.sqrt(scalars),
    )


def cases() -> dict[str, Callable[[], MTP | NEP | SNAP]]:
    """The calculators by name."""
    found: dict[str, Callable[[], MTP | NEP | SNAP]] = {
        f"MTP level {level}, {count} species": lambda level=level, count=count: MTP(
            mtp_model(level, count), num_threads=1
        )
        for level, count in ((8, 1), (12, 1), (16, 1), (20, 1), (12, 3))
    }
    recipe = Recipe(elements=("Si",), n_max=(4, 4), basis_size=(8, 8), neurons=30)
    found["NEP, 30 neurons"] = lambda: NEP(build_model(recipe, 0), num_threads=1)
    found["SNAP, twojmax 8"] = lambda: SNAP.embedded("Si", num_threads=1)
    return found


def crystal(calc: MTP | NEP | SNAP, repeat: int, seed: int) -> Atoms:
    """Diamond, rattled, with the elements of the potential."""
    atoms = bulk("Si", "diamond", a=5.43, cubic=True).repeat(repeat)
    atoms.symbols = np.resize(calc.potential.elements, len(atoms))
    atoms.rattle(0.08, seed=seed)
    return atoms


def seconds(call: Callable[[], object], count: int) -> float:
    """Processor time of one call."""
    begin = time.process_time()
    for _ in range(count):
        call()
    return (time.process_time() - begin) / count


def measure(calc: MTP | NEP | SNAP) -> tuple[float, float, float, int]:
    """Microseconds per atom of a force call and of a grade, seconds of the selection, length of a row."""
    frames = [crystal(calc, 2, seed) for seed in range(10)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parameters that so few frames leave open
        calc.select_active_set(frames[:1])  # compiles
        begin = time.process_time()
        calc.select_active_set(frames)
        selection = time.process_time() - begin
    atoms, steps = crystal(calc, 4, 100), iter(range(10**9))
    atoms.calc, start = calc, atoms.positions.copy()

    def forces() -> None:
        atoms.positions[:] = start + 1e-9 * next(steps)
        atoms.get_forces()

    def grade() -> None:
        calc.get_extrapolation_grade(atoms)

    forces()
    grade()
    times: dict[str, list[float]] = {"forces": [], "grade": []}
    for _ in range(ROUNDS):
        times["forces"].append(seconds(forces, 4))
        times["grade"].append(seconds(grade, 2))
    best = {name: 1e6 * min(taken) / len(atoms) for name, taken in times.items()}
    return best["forces"], best["grade"], selection, calc.get_grade_rows(frames[0])[1].shape[1]


def main() -> None:
    """Print the table."""
    print(f"FMA loop: {fma_gflops():.0f} GFlop/s; us per atom; selection from 640 atoms")
    print(f"{'model':24s} row  forces  grade  grade/forces  per step of {INTERVAL}  selection/s")
    for name, make in cases().items():
        forces, grade, selection, row = measure(make())
        share = grade / forces / INTERVAL
        above = "  ABOVE" if name.startswith("MTP") and share > LIMIT else ""
        costs = f"{forces:6.2f} {grade:6.1f} {grade / forces:13.2f} {share:14.1%}"
        print(f"{name:24s} {row:4d} {costs} {selection:12.1f}{above}", flush=True)


if __name__ == "__main__":
    main()
