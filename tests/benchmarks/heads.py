"""What a head costs: SNAP with a quadratic form and with networks against the linear one on the same descriptors.

``python tests/benchmarks/heads.py``; one thread, twojmax 8, neighbour list valid, all models in turn.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase.build import bulk

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.calibration import fma_gflops
from support.listing import listed
from support.synthetic_networks import random_network

from ase_mlips import SNAP
from ase_mlips.snap import SnapModel

ROUNDS = 15
LIMIT = 1.3  # of the linear model's time
HIDDEN = ((32, 32), (64, 64), (16,))


def models() -> dict[str, SnapModel]:
    """Random coefficients and weights; the time does not depend on them."""
    rng = np.random.default_rng(0)
    settings = {"elements": ("Si",), "radii": [0.5], "weights": [1.0], "twojmax": 8, "rcutfac": 4.9}
    linear = SnapModel(**settings, coefficients=rng.normal(size=(1, 56)))
    quadratic = SnapModel(**settings, coefficients=rng.normal(size=(1, 1596)), quadraticflag=True)
    found = {"linear": linear, "quadratic": quadratic}
    for nodes in HIDDEN:
        network = random_network((55, *nodes, 1), (*["tanh"] * len(nodes), "linear"), count=1)
        found["x".join(map(str, nodes))] = replace(linear, coefficients=np.zeros((1, 0)), network=network)
    return found


def measure(repeat: int) -> dict[str, float]:
    """Microseconds per atom of each model, the least of several rounds."""
    atoms = bulk("Si", "diamond", a=5.43, cubic=True).repeat(repeat)
    atoms.rattle(0.06, seed=1)
    calls, count = {}, max(1, 400 // len(atoms))
    for name, model in models().items():
        calc = SNAP(model, num_threads=1)
        calls[name] = (calc.potential, listed(calc, atoms))
        calc.potential.evaluate(*calls[name][1])
    best = dict.fromkeys(calls, np.inf)
    for _ in range(ROUNDS):
        for name, (potential, arguments) in calls.items():
            begin = time.process_time()
            for _ in range(count):
                potential.evaluate(*arguments)
            best[name] = min(best[name], (time.process_time() - begin) / count)
    return {name: 1e6 * seconds / len(atoms) for name, seconds in best.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    before, rows = fma_gflops(), []
    print("atoms  model       us/atom  linear = 1")
    for repeat in (1, 2, 4):
        times = measure(repeat)
        for name, microseconds in times.items():
            ratio = microseconds / times["linear"]
            rows.append({"atoms": 8 * repeat**3, "model": name, "us": microseconds, "ratio": ratio})
            note = "  ABOVE" if name == "32x32" and ratio > LIMIT else ""
            print(f"{8 * repeat**3:5d}  {name:10s} {microseconds:8.2f} {ratio:8.2f}{note}", flush=True)
    if args.json:
        args.json.write_text(json.dumps({"fma": [before, fma_gflops()], "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
