"""NEP against calorine's bare C++ call: energy, forces and nine-component virials, one thread, alternating.

Run it where ``calorine`` is installed: ``python tests/benchmarks/nep.py [--json FILE]``.  Models are read from
``../shared/reference/nep/models``.  Our side gets a valid neighbour list, as it has one at most steps of a run;
calorine builds its own at each call.  Times are what the processor spent, on whichever thread.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from calorine.calculators import CPUNEP
from support.calibration import fma_gflops
from support.listing import listed

from ase_mlips import NEP

MODELS = Path(__file__).resolve().parents[3] / "shared" / "reference" / "nep" / "models"
ROUNDS = 7
SLOW_CORE = 90.0  # GFlop/s: where the FMA loop is slower than that ..
SLOW_FACTOR = 0.65  # .. the floors are multiplied by this


@dataclass
class Case:
    label: str
    file: str
    make: Callable[[], Atoms]  # eight atoms
    repeats: tuple[int, ...]
    floors: tuple[float, ...]  # the least ratio to calorine that we accept, for each size

    def atoms(self, repeat: int) -> Atoms:
        atoms = self.make().repeat(repeat)
        atoms.rattle(0.06, seed=1)
        return atoms


class Calorine:
    """The C++ object within calorine's calculator."""

    def __init__(self, path: Path, atoms: Atoms) -> None:
        self._calc = CPUNEP(str(path), atoms=atoms.copy())
        self._n = len(atoms)

    def call(self) -> None:
        self._calc.nepy.get_potential_forces_and_virials()

    def results(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Atomic energies (N,), forces (N, 3) and virials (N, 3, 3)."""
        energies, forces, virials = (np.array(v) for v in self._calc.nepy.get_potential_forces_and_virials())
        return energies, forces.reshape(3, self._n).T, virials.reshape(9, self._n).T.reshape(-1, 3, 3)


def diamond(symbol: str, a: float) -> Callable[[], Atoms]:
    return lambda: bulk(symbol, "diamond", a=a, cubic=True)


def six_metals() -> Atoms:
    """Fcc with six elements of the sixteen of UNEP-v1, the first two twice."""
    atoms = bulk("Ag", "fcc", a=4.0, cubic=True).repeat((2, 1, 1))
    atoms.symbols = ["Ag", "Al", "Au", "Cu", "Ni", "Pd", "Al", "Ag"]
    return atoms


CASES = [
    Case("Si 2022, 5-body", "Si_2022_NEP4_5body.txt", diamond("Si", 5.43), (1, 2, 4, 8), (20, 25, 30, 30)),
    Case("C 2024", "C_2024_NEP4.txt", diamond("C", 3.57), (1, 2, 4), (20, 25, 30)),
    Case("UNEP-v1, six metals", "UNEP-v1.txt", six_metals, (1, 2, 4, 8), (12, 15, 17, 17)),
]


def seconds(call: Callable[[], object], count: int) -> float:
    begin = time.process_time()
    for _ in range(count):
        call()
    return (time.process_time() - begin) / count


def measure(case: Case, repeat: int, floor: float) -> dict[str, float | str | int]:
    atoms = case.atoms(repeat)
    n = len(atoms)
    peer = Calorine(MODELS / case.file, atoms)
    calc = NEP(MODELS / case.file, num_threads=1)
    neighbors, species = listed(calc, atoms)
    result = calc.potential.evaluate(neighbors, species)
    differences = [
        float(np.abs(ours - theirs).max())
        for ours, theirs in zip((result.energies, result.forces, result.virials), peer.results(), strict=True)
    ]
    evaluations, calls = max(3, 4000 // n), max(1, 400 // n)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(seconds(lambda: calc.potential.evaluate(neighbors, species), evaluations))
        theirs.append(seconds(peer.call, calls))
    best = [min(times) / n * 1e6 for times in (ours, theirs)]
    return {
        "model": case.label,
        "atoms": n,
        "ours": best[0],
        "calorine": best[1],
        "ratio": best[1] / best[0],
        "floor": floor,
        "energy difference": differences[0],
        "force difference": differences[1],
        "virial difference": differences[2],
    }


def measure_through_ase(case: Case) -> dict[str, float | str | int]:
    """Times of ``get_forces`` in us per call: after a move of the atoms, and of what has not moved."""
    row: dict[str, float | str | int] = {"model": case.label}
    path = MODELS / case.file
    times: dict[str, list[float]] = {}
    atoms = {"ours": case.atoms(1), "calorine": case.atoms(1)}
    atoms["ours"].calc = NEP(path, num_threads=1)
    atoms["calorine"].calc = CPUNEP(str(path))
    row["atoms"] = len(atoms["ours"])
    start = atoms["ours"].positions.copy()

    for turn in range(ROUNDS):
        for name, system in atoms.items():
            count = 200 if name == "ours" else 50
            steps = iter(range(count))

            def moved(system: Atoms = system, steps=steps, turn: int = turn) -> None:
                system.positions[:] = start + 1e-6 * (turn * 200 + next(steps) + 1)
                system.get_forces()

            times.setdefault(f"{name}, moved", []).append(seconds(moved, count))
            times.setdefault(f"{name}, unchanged", []).append(seconds(system.get_forces, count))
    return row | {name: min(values) * 1e6 for name, values in times.items()}


def main() -> None:
    """Print the tables; write them as JSON for the README if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if not MODELS.is_dir():
        parser.error(f"the published models are not here: {MODELS}")
    before = fma_gflops()
    factor = SLOW_FACTOR if before < SLOW_CORE else 1.0
    print(f"FMA loop: {before:.0f} GFlop/s; floors times {factor}.")
    print(f"Times in us per atom, best of {ROUNDS}, one thread.")
    print(f"{'model':22s} atoms    ours calorine  ratio  floor  max dE  max dF  max dW")
    rows = []
    for case in CASES:
        for repeat, floor in zip(case.repeats, case.floors, strict=True):
            row = measure(case, repeat, factor * floor)
            rows.append(row)
            differences = "".join(f"   {row[f'{kind} difference']:.0e}" for kind in ("energy", "force", "virial"))
            print(
                f"{row['model']:22s} {row['atoms']:5d} {row['ours']:7.2f} {row['calorine']:8.1f} {row['ratio']:6.1f}"
                f" {row['floor']:6.1f}{differences}{'' if row['ratio'] >= row['floor'] else '  BELOW'}",
                flush=True,
            )
    ase = measure_through_ase(CASES[0])
    print(f"\nThrough ASE, {ase['atoms']} atoms of {ase['model']}: get_forces in us per call")
    print("                ours calorine  ratio")
    for kind in ("moved", "unchanged"):
        ours, theirs = ase[f"ours, {kind}"], ase[f"calorine, {kind}"]
        print(f"{kind:12s} {ours:7.1f} {theirs:8.1f} {theirs / ours:6.1f}")
    after = fma_gflops()
    print(f"FMA loop afterwards: {after:.0f} GFlop/s")
    if args.json:
        args.json.write_text(json.dumps({"fma": [before, after], "rows": rows, "through ASE": ase}, indent=1) + "\n")


if __name__ == "__main__":
    main()
