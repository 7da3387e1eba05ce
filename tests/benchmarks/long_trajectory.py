"""Memory and time of a mean squared displacement of 100,000 frames of 1,000 atoms.

``python tests/benchmarks/long_trajectory.py``: walkers in a periodic cell, from a file of 1.2 GB that is made first in
the folder of temporary files.  Memory is that of the process without mapped files, as Linux tells it; the drift that is
removed takes 1 / N of the diffusion coefficient.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase import Atoms
from ase_mlips.analysis import Trajectory, einstein_diffusion, mean_squared_displacement

FRAMES, ATOMS, CHUNK = 100_000, 1_000, 2_000
STEP, EDGE, TIMESTEP = 0.05, 20.0, 100.0  # A, A, fs


def write(path: Path) -> None:
    rng, last = np.random.default_rng(0), np.zeros((ATOMS, 3))
    whole = np.memmap(path, np.float32, "w+", shape=(FRAMES, ATOMS, 3))
    for first in range(0, FRAMES, CHUNK):
        part = last + np.cumsum(rng.normal(scale=STEP, size=(CHUNK, ATOMS, 3)), axis=0)
        whole[first : first + CHUNK], last = part % EDGE, part[-1]


def frames(path: Path) -> Iterator[Atoms]:
    whole = np.memmap(path, np.float32, "r", shape=(FRAMES, ATOMS, 3))
    atoms = Atoms(f"Li{ATOMS}", cell=[EDGE] * 3, pbc=True)
    for positions in whole:
        atoms.positions = positions
        yield atoms


def watch(seen: list[int]) -> None:
    while True:
        status = Path("/proc/self/status").read_text()
        seen.append(int(status.split("RssAnon:")[1].split()[0]))
        time.sleep(0.05)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "positions"
        write(path)
        seen: list[int] = []
        threading.Thread(target=watch, args=(seen,), daemon=True).start()
        begin = time.perf_counter()
        displacement = mean_squared_displacement(Trajectory(frames(path), timestep_fs=TIMESTEP), max_lag_ps=500.0)
        found = einstein_diffusion(displacement)
        taken = time.perf_counter() - begin
    truth = STEP**2 / (2.0 * TIMESTEP) * 0.1 * (1.0 - 1.0 / ATOMS)  # A^2/fs is 0.1 cm^2/s
    print(f"{taken:.0f} s, {max(seen) / 1024:.0f} MB; {found.describe('Li')}")
    print(f"true with drift removed: {truth:.4e} cm^2/s")


if __name__ == "__main__":
    main()
