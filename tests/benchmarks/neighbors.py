"""The neighbour list against vesin's: a full list with image information, one thread, alternating.

``python tests/benchmarks/neighbors.py [--largest N] [--json FILE]``.  Ours is made to build at every call; vesin
returns ``ijS`` without copying.  The last columns are an update that keeps the list, and `pairs`.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import vesin
from ase import Atoms
from ase.build import bulk

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.calibration import fma_gflops

from ase_mlips.engine.neighbors import NeighborList

ROUNDS = 7
CUTOFFS = (5.0, 8.0)


def silicon(repeat: int) -> Atoms:
    atoms = bulk("Si", cubic=True).repeat(repeat)
    atoms.rattle(0.05, seed=1)
    return atoms


def sheared(repeat: int) -> Atoms:
    atoms = bulk("Si", cubic=True)
    atoms.set_cell(atoms.cell.array @ [[1.0, 0.0, 0.0], [0.4, 1.0, 0.0], [-0.3, 0.2, 1.0]], scale_atoms=True)
    atoms = atoms.repeat(repeat)
    atoms.rattle(0.05, seed=1)
    return atoms


def seconds(work: Callable[[int], object], calls: int) -> float:
    """Thread time of one call."""
    begin = time.thread_time()
    for k in range(calls):
        work(k)
    return (time.thread_time() - begin) / calls


def measure(atoms: Atoms, cutoff: float) -> dict[str, float]:
    """Least time in s of each, in alternation."""
    frames = [atoms.positions, atoms.positions + 1e-9]  # without a skin any move means a rebuild
    cell, pbc = atoms.cell.array, atoms.pbc
    ours, kept = NeighborList(cutoff, 0.0), NeighborList(cutoff, 1.0)
    peer = vesin.NeighborList(cutoff=cutoff, full_list=True, n_threads=1)
    kept.update(frames[0], cell, pbc)
    work: dict[str, Callable[[int], object]] = {
        "vesin": lambda k: peer.compute(frames[k % 2], cell, pbc, "ijS", copy=False),
        "ours": lambda k: ours.update(frames[k % 2], cell, pbc),
        "kept": lambda k: kept.update(frames[k % 2], cell, pbc),
        "pairs": lambda k: ours.pairs(),
    }
    calls = max(2, 4000 // len(atoms) // 2 * 2)  # even: every call finds other positions
    for task in work.values():
        task(1)
    best = dict.fromkeys(work, np.inf)
    for _ in range(ROUNDS):
        for name, task in work.items():
            best[name] = min(best[name], seconds(task, calls))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=32768, help="number of atoms")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    print(f"FMA loop {fma_gflops():.0f} GFlop/s")
    print("system      atoms cutoff   vesin us    ours us  ratio  kept us   pairs us")
    for label, make, repeats in (("diamond", silicon, (1, 2, 4, 8, 16)), ("sheared", sheared, (1, 4))):
        for repeat in repeats:
            atoms = make(repeat)
            for cutoff in CUTOFFS if len(atoms) <= options.largest else ():
                best = measure(atoms, cutoff)
                micro = {name: 1e6 * value for name, value in best.items()}
                ratio = best["vesin"] / best["ours"]
                rows.append({"system": label, "atoms": len(atoms), "cutoff": cutoff, "ratio": ratio, **micro})
                numbers = f"{micro['vesin']:10.1f} {micro['ours']:10.1f} {ratio:6.1f} {micro['kept']:8.2f}"
                print(f"{label:10} {len(atoms):6} {cutoff:6.1f} {numbers} {micro['pairs']:10.1f}", flush=True)
    print(f"FMA loop {fma_gflops():.0f} GFlop/s")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
