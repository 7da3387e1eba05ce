"""Radial distribution functions against mdtraj, freud and vesin: CPU time of one thread, alternating in one process.

``python tests/benchmarks/rdf.py [--frames 1000 100] [--json FILE]``, on a quiet machine: 512 and 10,000 atoms of two
elements at the density of liquid argon, 10 A, 200 bins.  Ours gives the total and the three partial functions, the
peers only the total.  Each code takes the same frames in turns; the fastest turn counts.  The histograms must agree.
"""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import freud
import mdtraj
import numpy as np
import vesin
from ase_mlips.analysis import rdf
from ase_mlips.analysis.trajectories.trajectory import Trajectory

R_MAX, BINS, TURNS = 10.0, 200, 5
DENSITY = 0.8442 / 3.405**3  # liquid argon near its triple point, 1/A^3


def fluid(atoms: int, frames: int) -> tuple[np.ndarray, float]:
    """Positions (F, N, 3) in A with short-range order, and the edge of the box: a shaken lattice, shifted at random."""
    rng = np.random.default_rng(0)
    box = (atoms / DENSITY) ** (1.0 / 3.0)
    side = int(np.ceil(atoms ** (1.0 / 3.0) - 1e-9))
    lattice = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    lattice = rng.permutation(lattice)[:atoms] * (box / side)
    noise = rng.normal(0.0, 0.5, (frames, atoms, 3)) + rng.uniform(0.0, box, (frames, 1, 3))
    return (lattice + noise) % box, box


def ours(positions: np.ndarray, box: float) -> np.ndarray:
    half = positions.shape[1] // 2
    symbols = ["Ar"] * half + ["Kr"] * (positions.shape[1] - half)
    return rdf(Trajectory.from_arrays(positions, symbols=symbols, cell=np.eye(3) * box), r_max=R_MAX, bins=BINS).g


def with_freud(positions: np.ndarray, box: float) -> np.ndarray:
    function = freud.density.RDF(BINS, R_MAX)
    cell = freud.box.Box.cube(box)
    for points in positions:
        function.compute((cell, cell.wrap(points)), reset=False)
    return function.rdf


def with_vesin(positions: np.ndarray, box: float) -> np.ndarray:
    finder = vesin.NeighborList(cutoff=R_MAX, full_list=False)
    counts = np.zeros(BINS)
    for points in positions:
        (distances,) = finder.compute(points, np.eye(3) * box, True, "d")
        counts += np.bincount((distances * (BINS / R_MAX)).astype(np.int64), minlength=BINS)[:BINS]
    shells = 4.0 / 3.0 * np.pi * np.diff(np.linspace(0.0, R_MAX, BINS + 1) ** 3)
    return 2.0 * counts * box**3 / (len(positions) * positions.shape[1] ** 2 * shells)


def with_mdtraj(positions: np.ndarray, box: float) -> np.ndarray:
    frames, atoms = positions.shape[:2]
    topology = mdtraj.Topology()
    residue = topology.add_residue("Ar", topology.add_chain())
    for _ in range(atoms):
        topology.add_atom("Ar", mdtraj.element.argon, residue)
    edges, angles = np.full((frames, 3), box / 10.0), np.full((frames, 3), 90.0)
    trajectory = mdtraj.Trajectory(positions / 10.0, topology, unitcell_lengths=edges, unitcell_angles=angles)
    pairs = np.stack(np.triu_indices(atoms, 1), axis=1)
    g = mdtraj.compute_rdf(trajectory, pairs, r_range=(0.0, R_MAX / 10.0), n_bins=BINS)[1]
    return g * (1.0 - 1.0 / atoms)


def measure(atoms: int, frames: int) -> Iterator[tuple[str, float, float, float]]:
    """Name, seconds of the first call, CPU ms per frame and largest difference from vesin's g, weighted by counts."""
    positions, box = fluid(atoms, frames)
    codes: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {"ase_mlips": ours, "vesin": with_vesin}
    codes["freud"] = with_freud
    if atoms < 2000:  # mdtraj has no cells: a list of 50 million pairs for 10,000 atoms
        codes["mdtraj"] = with_mdtraj
    first, fastest, functions = {}, dict.fromkeys(codes, np.inf), {name: [] for name in codes}
    for name, code in codes.items():
        begin = time.perf_counter()
        code(positions[:1], box)
        first[name] = time.perf_counter() - begin
    for part in np.array_split(positions, TURNS):
        for name, code in codes.items():
            begin = time.process_time()
            functions[name].append(code(part, box))
            fastest[name] = min(fastest[name], (time.process_time() - begin) / len(part))
    weights = np.diff(np.linspace(0.0, R_MAX, BINS + 1) ** 3)
    expected = np.mean(functions["vesin"], axis=0)
    for name in codes:
        difference = np.abs(np.mean(functions[name], axis=0) - expected)
        share = float(difference @ weights / (expected @ weights))
        yield name, first[name], 1e3 * fastest[name], share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs=2, default=(1000, 100), help="of 512 and of 10,000 atoms")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    options = parser.parse_args()
    freud.parallel.set_num_threads(1)
    results = []
    for atoms, frames in zip((512, 10_000), options.frames, strict=True):
        rows = list(measure(atoms, frames))
        for name, first, milliseconds, share in rows:
            print(
                f"{atoms:6d} atoms x {frames:4d}  {name:10s} first call {first:6.2f} s  {milliseconds:8.3f} ms/frame",
                end="",
            )
            print(f"  pairs in other bins than vesin's: {share:.1e}")
            if share > 1e-4:  # single precision moves some pairs across an edge
                raise SystemExit(f"{name} disagrees with vesin")
            results.append({"atoms": atoms, "frames": frames, "code": name, "first_s": first, "ms": milliseconds})
        times = {name: milliseconds for name, _, milliseconds, _ in rows}
        own = times.pop("ase_mlips")
        best = min(times, key=times.__getitem__)
        print(f"{atoms:6d} atoms: {times[best] / own:.1f} x the best peer, {best}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
