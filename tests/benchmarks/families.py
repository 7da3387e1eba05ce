"""The three families on one system: silicon, models of comparable accuracy, one thread, time per atom and step.

``python tests/benchmarks/families.py``; the published models of Zuo et al. and GPUMD are read from ../shared.  The
ratios are those of figure 5 of the Cu7PS6 study (Liu et al.), where NEP on a processor is compared with MTP.
"""

import sys
import time
from pathlib import Path

from ase.build import bulk

from ase_mlips import MTP, NEP, SNAP

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support.calibration import fma_gflops
from support.listing import listed

SHARED = Path(__file__).resolve().parents[3] / "shared"


def main() -> None:
    """Print the table."""
    models = SHARED / "data" / "models" / "mvl"
    calculators = {
        "NEP, 5-body": NEP(SHARED / "reference" / "nep" / "models" / "Si_2022_NEP4_5body.txt"),
        "SNAP, twojmax 8": SNAP(models / "Si_snap.snapcoeff"),
        "SNAP, quadratic": SNAP(models / "Si_qsnap.snapcoeff"),
        "MTP, level 24": MTP(models / "Si_mtp.mtp", species=["Si"]),
    }
    atoms = bulk("Si", cubic=True) * (4, 4, 4)
    atoms.rattle(0.06, seed=1)
    work = {name: (calc, *listed(calc, atoms)) for name, calc in calculators.items()}
    best = dict.fromkeys(work, float("inf"))
    for turn in range(8):
        for name, (calc, neighbors, species) in work.items():
            begin = time.perf_counter()
            calc.potential.evaluate(neighbors, species)
            if turn:
                best[name] = min(best[name], time.perf_counter() - begin)
    print(f"{len(atoms)} Si atoms, FMA loop {fma_gflops():.0f} GFlop/s")
    print("| model | us per atom | NEP = 1 |\n| --- | --- | --- |")
    for name, seconds in best.items():
        print(f"| {name} | {seconds / len(atoms) * 1e6:.2f} | {seconds / best['NEP, 5-body']:.1f} |")


if __name__ == "__main__":
    main()
