"""Mean squared displacements and autocorrelations against freud, tidynamics and dynasor: one thread, alternating.

``python tests/benchmarks/correlation.py [--rounds N] [--json FILE]`` where the peers are installed.  All are
windowed, at all lags, in double precision (freud: single), from arrays in memory.  The best time of the rounds counts.
"""

import argparse
import json
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
from ase_mlips.analysis.correlation import correlation, squared_displacements
from ase_mlips.analysis.diffusion.msd import mean_squared_displacement
from ase_mlips.analysis.trajectories.trajectory import Trajectory

Work = dict[str, Callable[[], object]]


def peers_of_msd(x: np.ndarray) -> Work:
    import freud
    import tidynamics

    freud.parallel.set_num_threads(1)
    return {
        "freud": lambda: freud.msd.MSD(mode="window").compute(x, reset=True).msd,
        "tidynamics": lambda: sum(tidynamics.msd(x[:, k]) for k in range(x.shape[1])),
    }


def peers_of_autocorrelation(x: np.ndarray) -> Work:
    import tidynamics
    from dynasor.tools.acfs import compute_acf

    columns = x.reshape(len(x), -1)
    particles = x.reshape(len(x), -1, 3)
    return {
        "dynasor": lambda: sum(compute_acf(column, method="scipy")[1] for column in columns.T),
        "tidynamics": lambda: sum(tidynamics.acf(particles[:, k]) for k in range(particles.shape[1])),
    }


def measure(work: Work, rounds: int) -> dict[str, float]:
    """Least thread time in s of each, in alternation."""
    best = dict.fromkeys(work, np.inf)
    for _ in range(rounds):
        for name, call in work.items():
            begin = time.thread_time()
            call()
            best[name] = min(best[name], time.thread_time() - begin)
    return best


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
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(10_000, 500, 3))
    walk = np.cumsum(steps, axis=0)
    source = Trajectory.from_arrays(walk, symbols=["Li"] * 500, cell=1e6 * np.eye(3), timestep_fs=1.0)
    flux = rng.normal(size=(1_000_000, 3))
    cases: dict[str, Work] = {
        "MSD, 10,000 x 500": {
            "ours": lambda: squared_displacements(walk),
            "ours, from a Trajectory": lambda: mean_squared_displacement(source),
            **peers_of_msd(walk),
        },
        "VACF, 10,000 x 500": {"ours": lambda: correlation(steps), **peers_of_autocorrelation(steps)},
        "flux, 1,000,000 x 3": {
            "ours": lambda: correlation(flux),
            "ours, a twentieth of the lags": lambda: correlation(flux, max_lag=50_000),
            **peers_of_autocorrelation(flux),
        },
    }
    results = {title: report(title, measure(work, arguments.rounds)) for title, work in cases.items()}
    versions = {name: version(name) for name in ("freud-analysis", "tidynamics", "dynasor", "numpy", "scipy")}
    if arguments.json:
        arguments.json.write_text(json.dumps({"versions": versions, "cases": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
