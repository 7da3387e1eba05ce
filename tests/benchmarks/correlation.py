"""Mean squared displacements and autocorrelations against freud, tidynamics and dynasor, on one thread.

``python tests/benchmarks/correlation.py [--rounds N] [--json FILE]`` where the peers are installed; one that is not is
left out.  All are windowed, at all lags, in double precision (freud: single), from arrays in memory.  Each measurement
is the first call on the data in a process of its own, after one on few data that compiles; the codes take turns, and
the best time of the rounds counts.
"""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from ase_mlips.analysis.correlation import correlation, squared_displacements
from ase_mlips.analysis.diffusion.msd import mean_squared_displacement
from ase_mlips.analysis.trajectories.trajectory import Trajectory

Code = Callable[[np.ndarray], object]


def from_trajectory(x: np.ndarray) -> object:
    symbols = ["Li"] * x.shape[1]
    return mean_squared_displacement(Trajectory.from_arrays(x, symbols=symbols, cell=1e6 * np.eye(3), timestep_fs=1.0))


def msd_of_freud(x: np.ndarray) -> object:
    import freud

    freud.parallel.set_num_threads(1)
    return freud.msd.MSD(mode="window").compute(x, reset=True).msd


def msd_of_tidynamics(x: np.ndarray) -> object:
    import tidynamics

    return sum(tidynamics.msd(x[:, k]) for k in range(x.shape[1]))


def acf_of_tidynamics(x: np.ndarray) -> object:
    import tidynamics

    return sum(tidynamics.acf(x[:, k]) for k in range(x.shape[1]))


def acf_of_dynasor(x: np.ndarray) -> object:
    from dynasor.tools.acfs import compute_acf

    return sum(compute_acf(column, method="scipy")[1] for column in x.reshape(len(x), -1).T)


MSD: dict[str, Code] = {
    "ours": squared_displacements,
    "ours, from a Trajectory": from_trajectory,
    "freud": msd_of_freud,
    "tidynamics": msd_of_tidynamics,
}
ACF: dict[str, Code] = {"ours": correlation, "dynasor": acf_of_dynasor, "tidynamics": acf_of_tidynamics}
PACKAGES = {"freud": "freud-analysis", "tidynamics": "tidynamics", "dynasor": "dynasor"}
CASES: dict[str, tuple[tuple[int, int, int], bool, dict[str, Code]]] = {  # shape of the data, walk or noise, codes
    "MSD, 10,000 x 500": ((10_000, 500, 3), True, MSD),
    "VACF, 10,000 x 500": ((10_000, 500, 3), False, ACF),
    "flux, 1,000,000 x 3": (
        (1_000_000, 1, 3),
        False,
        {"ours, a twentieth of the lags": lambda x: correlation(x, max_lag=len(x) // 20), **ACF},
    ),
}


def measured(case: str, name: str) -> float:
    """Thread time in s of one call on the data of a case."""
    shape, walk, codes = CASES[case]
    x = np.random.default_rng(0).normal(size=shape)
    x = np.cumsum(x, axis=0) if walk else x
    codes[name](x[:100].copy())
    begin = time.thread_time()
    codes[name](x)
    return time.thread_time() - begin


def in_process(case: str, name: str) -> float:
    """The same, in a process of its own."""
    command = [sys.executable, __file__, "--one", case, name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def versions() -> dict[str, str]:
    """Of what is installed."""
    found = {}
    for name in (*PACKAGES.values(), "numpy", "scipy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            print(f"{name} is not installed", file=sys.stderr)
    return found


def report(title: str, seconds: dict[str, float]) -> dict[str, object]:
    peers = {name: value for name, value in seconds.items() if not name.startswith("ours")}
    fastest = min(peers, key=peers.__getitem__)
    ratio = peers[fastest] / seconds["ours"]
    columns = "  ".join(f"{name} {value:.3f} s" for name, value in seconds.items())
    print(f"{title:32s} {columns}   {ratio:.1f} x {fastest}", flush=True)
    return {"seconds": seconds, "fastest_peer": fastest, "ratio": ratio}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=2, metavar=("CASE", "CODE"), help="measure this, in this process")
    arguments = parser.parse_args()
    if arguments.one:
        print(measured(*arguments.one))
        return
    installed, results = versions(), {}
    for title, (_, _, codes) in CASES.items():
        names = [name for name in codes if PACKAGES.get(name, "numpy") in installed]
        best = dict.fromkeys(names, np.inf)
        for _ in range(arguments.rounds):
            for name in names:
                best[name] = min(best[name], in_process(title, name))
        results[title] = report(title, best)
    if arguments.json:
        arguments.json.write_text(json.dumps({"versions": installed, "cases": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
